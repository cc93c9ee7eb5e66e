/// Tables of pieces: keys that collide in one hash are spread by the hash of the process.
#include <onoma/core/keyed_hash.hpp>
#include <onoma/text/pieces/bpe_merges.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace test::vocabulary_tests {
namespace {

/// The most keys that one place of a table gets.
template <class Hash>
int fullest(std::size_t keys, const Hash& hash) {
  std::vector<int> counts(std::size_t{1} << 17, 0);
  for (std::size_t i = 0; i < keys; ++i) ++counts[hash(i) % counts.size()];
  return *std::max_element(counts.begin(), counts.end());
}

/// Of 50,000 keys in 131,072 places, none gets more but for one chance in 10^20.
constexpr int most_by_chance = 20;
constexpr std::size_t many = 50'000;

/// Texts of sixteen bytes that all have one hash by the multiplications of a hash that everybody knows.
std::vector<std::string> colliding() {
  std::vector<std::string> texts;
  for (std::uint64_t i = 1; i <= many; ++i) {
    const std::uint64_t low = i * 0xD1342543DE82EF95U;
    const std::uint64_t h = (low ^ 16) * 0x9E3779B97F4A7C15U;
    const std::uint64_t words[2] = {low, 0x1234567U ^ h ^ (h >> 32)};
    texts.emplace_back(reinterpret_cast<const char*>(words), sizeof words);
  }
  return texts;
}

/// A table of these texts has each of them.
void check_found(const std::vector<std::string>& texts) {
  onoma::piece_table table(static_cast<onoma::index_t>(texts.size()));
  for (std::size_t i = 0; i < texts.size(); ++i) REQUIRE(table.insert(texts[i], static_cast<std::int32_t>(i)));
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::string padded = texts[i] + std::string(onoma::piece_key::whole_bytes, 'y');
    REQUIRE(table.find(texts[i]) == static_cast<std::int32_t>(i));
    REQUIRE(table.find_padded(padded.data(), texts[i].size()) == static_cast<std::int32_t>(i));
  }
  for (std::size_t i = 0; i < texts.size(); i += 7) REQUIRE_FALSE(table.insert(texts[i], 5));
  REQUIRE(table.find(texts[7]) == 5);
}

std::uint64_t known_hash(const onoma::piece_key& key) {
  std::uint64_t h = (key.low ^ key.size) * 0x9E3779B97F4A7C15U;
  h = (h ^ (h >> 32) ^ key.high) * 0xC4CEB9FE1A85EC53U;
  return h ^ (h >> 29);
}

}  // namespace

TEST_CASE("pieces that were made to collide are spread over a table") {
  const auto texts = colliding();
  const auto key = [&](std::size_t i) { return onoma::piece_key::of(texts[i]); };
  REQUIRE(fullest(many, [&](std::size_t i) { return known_hash(key(i)); }) == static_cast<int>(many));
  const auto& process = onoma::hash_key::of_process();
  CHECK(fullest(many, [&](std::size_t i) { return key(i).hash(process); }) <= most_by_chance);
  CHECK(fullest(many, [&](std::size_t i) { return onoma::keyed_hasher()(texts[i]); }) <= most_by_chance);

  check_found(texts);
}

TEST_CASE("pieces that share half of their bytes are told apart, and long ones are spread by all of theirs") {
  for (const std::size_t size : {16U, 17U, 40U}) {
    for (const std::size_t at : {std::size_t{0}, size - 8}) {
      INFO(size << " bytes, other ones at " << at);
      std::vector<std::string> texts(many, std::string(size, 'x'));
      for (std::uint64_t i = 0; i < many; ++i) std::memcpy(texts[i].data() + at, &i, sizeof i);
      const auto& process = onoma::hash_key::of_process();
      REQUIRE(fullest(many, [&](std::size_t i) {
              return onoma::piece_key::of(texts[i]).completed(texts[i], process).hash(process);
            }) <= most_by_chance);
      check_found(texts);
    }
  }
}

TEST_CASE("texts and numbers in any pattern are spread by the hash of the process") {
  const auto& process = onoma::hash_key::of_process();
  const auto spread = [](const auto& hash) { return fullest(many, hash) <= most_by_chance; };
  // Numbers that differ in one part alone: low, high or middle bits, as ids of merges or edges of a tree do.
  for (const int shift : {0, 8, 16, 32, 48}) {
    INFO(shift);
    CHECK(spread([&](std::size_t i) { return onoma::keyed_hasher()(std::uint64_t{i} << shift); }));
    CHECK(spread([&](std::size_t i) { return onoma::keyed_hash(std::uint64_t{i} << shift, 7, process); }));
    CHECK(spread([&](std::size_t i) { return onoma::keyed_hash(7, std::uint64_t{i} << shift, process); }));
  }
  for (const std::size_t size : {8U, 16U, 17U, 31U, 32U, 100U}) {
    for (const std::size_t at : {std::size_t{0}, size / 2, size - 8}) {
      INFO(size << " bytes, other ones at " << at);
      CHECK(spread([&](std::size_t i) {
        std::string text(size, 'x');
        const std::uint64_t number = i;
        std::memcpy(text.data() + at, &number, sizeof number);
        return onoma::keyed_hash(text, process);
      }));
    }
  }
}

TEST_CASE("a hash depends on its key, on each byte and on the length") {
  const onoma::hash_key a{1, 2};
  const onoma::hash_key b{1, 3};
  for (const std::string text : {"", "x", "sixteen bytes it", "and seventeen byt"}) {
    INFO(text);
    CHECK(onoma::keyed_hash(text, a) == onoma::keyed_hash(text, a));
    CHECK(onoma::keyed_hash(text, a) != onoma::keyed_hash(text, b));
    CHECK(onoma::keyed_hash(text, a) != onoma::keyed_hash(text + '\0', a));
    for (std::size_t i = 0; i < text.size(); ++i) {
      auto other = text;
      other[i] = static_cast<char>(other[i] ^ 1);
      CHECK(onoma::keyed_hash(text, a) != onoma::keyed_hash(other, a));
    }
  }
  const onoma::hash_key first = onoma::hash_key::of_process();
  const onoma::hash_key second = onoma::hash_key::of_process();
  CHECK(first.first == second.first);
  CHECK(first.second == second.second);
}

TEST_CASE("a key does not depend on what lies behind its text") {
  std::string text;
  for (int i = 0; i < 40; ++i) text += static_cast<char>(0x80 + i * 37);
  for (std::size_t begin = 0; begin < 20; ++begin) {
    for (std::size_t size = 0; size <= onoma::piece_key::whole_bytes + 2; ++size) {
      CAPTURE(size);
      const std::vector<char> alone(text.begin() + static_cast<std::ptrdiff_t>(begin),
                                    text.begin() + static_cast<std::ptrdiff_t>(begin + size));
      const auto key = onoma::piece_key::of({alone.data(), size});
      CHECK(key == onoma::piece_key::of_padded(text.data() + begin, size));
      if (!key.is_whole()) continue;
      char words[onoma::piece_key::whole_bytes] = {};
      text.copy(words, size, begin);
      CHECK(std::memcmp(words, &key.low, 8) == 0);
      CHECK(std::memcmp(words + 8, &key.high, 8) == 0);
    }
  }
}

TEST_CASE("long pieces are found by their whole text") {
  std::vector<std::string> pieces;
  for (int i = 0; i < 2000; ++i) pieces.push_back(std::string(17 + i % 40, 'a') + std::to_string(i));
  const onoma::vocabulary vocabulary(pieces);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    REQUIRE(vocabulary.id(pieces[i]) == static_cast<std::int32_t>(i));
    CHECK_FALSE(vocabulary.id(pieces[i] + "b"));
  }
}

}  // namespace test::vocabulary_tests
