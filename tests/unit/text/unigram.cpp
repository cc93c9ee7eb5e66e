/// The Unigram model: best paths, ties, unknown characters, bytes, and words without end.
#include <onoma/text/pieces/unigram.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace test::unigram_tests {
namespace {

/// A vocabulary and its model, which refers to it.
struct fixture {
  fixture(const std::vector<std::pair<std::string, double>>& entries, std::optional<std::int32_t> unknown,
          bool byte_fallback = false)
      : pieces(texts(entries)), model(pieces, {scores(entries), unknown, byte_fallback}) {}

  static std::vector<std::string> texts(const std::vector<std::pair<std::string, double>>& entries) {
    std::vector<std::string> result;
    for (const auto& entry : entries) result.push_back(entry.first);
    return result;
  }
  static std::vector<double> scores(const std::vector<std::pair<std::string, double>>& entries) {
    std::vector<double> result;
    for (const auto& entry : entries) result.push_back(entry.second);
    return result;
  }
  /// "ab:1[0,2)" for each piece.
  [[nodiscard]] std::string split(const std::string& word) const {
    std::vector<onoma::placed_piece> found;
    model.split({word.data(), static_cast<std::uint32_t>(word.size()), 0, nullptr}, found);
    std::string result;
    for (const auto& piece : found) {
      if (!result.empty()) result += ' ';
      result += std::to_string(piece.id) + '[' + std::to_string(piece.begin) + ',' +
                std::to_string(piece.end) + ')';
    }
    return result;
  }

  onoma::vocabulary pieces;
  onoma::unigram model;
};

}  // namespace

TEST_CASE("unigram takes the pieces with the greatest sum") {
  const fixture f({{"<unk>", 0}, {"a", 0}, {"b", 0}, {"c", 0}, {"d", 0}, {"cd", 1}, {"ab", 2}, {"abc", 5},
                   {"abcd", 10}}, 0);
  CHECK(f.split("abcd") == "8[0,4)");
  CHECK(f.split("abcc") == "7[0,3) 3[3,4)");
  CHECK(f.split("abcdacdxx") == "8[0,4) 1[4,5) 5[5,7) 0[7,9)");
  CHECK(f.model.unknown() == 0);
  CHECK(f.model.whole(onoma::piece_key::of("abcd")) == 8);
  CHECK(f.model.whole(onoma::piece_key::of("abd")) == -1);
}

TEST_CASE("unigram: of equal sums the longer piece that begins first wins") {
  // Whatever comes first keeps its place: only a greater sum takes it.
  const fixture f({{"<unk>", -9}, {"a", -1}, {"b", -1}, {"c", -1}, {"ab", -2}, {"bc", -2}, {"abc", -3}}, 0);
  CHECK(f.split("abc") == "6[0,3)");
  const fixture two({{"<unk>", -9}, {"a", -1}, {"b", -1}, {"c", -1}, {"ab", -2}, {"bc", -2}}, 0);
  CHECK(two.split("abc") == "1[0,1) 5[1,3)");
}

TEST_CASE("unigram: a piece whose parts are better is no whole word") {
  const fixture f({{"<unk>", -9}, {"a", -1}, {"b", -1}, {"ab", -2.5}}, 0);
  CHECK(f.split("ab") == "1[0,1) 2[1,2)");
  CHECK(f.model.whole(onoma::piece_key::of("ab")) == -1);
  CHECK(f.model.whole(onoma::piece_key::of("a")) == 1);
}

TEST_CASE("unigram: neighbouring unknown characters are one piece, the unknown piece's text too") {
  const fixture f({{"<unk>", -3}, {"a", -1}}, 0);
  CHECK(f.split("zé中a\xF0\x9F\x98\x80") == "0[0,6) 1[6,7) 0[7,11)");
  CHECK(f.split("z<unk>z") == "0[0,7)");
  CHECK(f.split("<unk>") == "0[0,5)");
}

TEST_CASE("unigram: unknown characters that together are a piece become that piece") {
  // Scores above 10 make the unknown piece worth more than none.
  const fixture f({{"<unk>", 100}, {"xy", 100}, {"a", 100}}, 0);
  CHECK(f.split("axy") == "2[0,1) 1[1,3)");
}

TEST_CASE("unigram: unknown characters as bytes, each for all of them") {
  std::vector<std::pair<std::string, double>> entries{{"<unk>", 0}, {"a", -1}};
  for (const char* name : {"<0xC3>", "<0xA9>", "<0x7A>"}) entries.emplace_back(name, -5);
  const fixture f(entries, 0, true);
  CHECK(f.split("aéz") == "1[0,1) 2[1,4) 3[1,4) 4[1,4)");
  CHECK(f.split("aéy") == "1[0,1) 0[1,4)");  // "y" has no byte
  CHECK(fixture(entries, 0, false).split("aéz") == "1[0,1) 0[1,4)");
}

TEST_CASE("unigram: the last of equal pieces is found, an empty one never") {
  const fixture f({{"<unk>", -1}, {"a", -1}, {"a", -2}, {"", -50}}, 0);
  CHECK(f.split("aa") == "2[0,1) 2[1,2)");
}

TEST_CASE("unigram appends") {
  const fixture f({{"<unk>", -1}, {"a", -1}}, 0);
  std::vector<onoma::placed_piece> found{{7, 1, 2}};
  const std::string word = "aza";
  f.model.split({word.data(), 3, 0, nullptr}, found);
  REQUIRE(found.size() == 4);
  CHECK(found[0].id == 7);
  CHECK(found[3].id == 1);
}

TEST_CASE("unigram refuses what it cannot use") {
  using entries = std::vector<std::pair<std::string, double>>;
  const auto code_of = [](const auto& make) {
    try {
      make();
    } catch (const onoma::error& problem) {
      return std::string(onoma::to_string(problem.code()));
    }
    return std::string("none");
  };
  const double inf = std::numeric_limits<double>::infinity();
  CHECK(code_of([&] { fixture(entries{{"a", inf}}, 0); }) == "bad format");
  CHECK(code_of([&] { fixture(entries{{"a", -inf}}, 0); }) == "bad format");
  CHECK(code_of([&] { fixture(entries{{"a", inf - inf}}, 0); }) == "bad format");
  CHECK(code_of([&] { fixture(entries{{"a", 0}}, 1); }) == "out of range");
  CHECK(code_of([&] { fixture(entries{{"a", 0}}, -1); }) == "out of range");
  CHECK(code_of([&] {
          const onoma::vocabulary pieces({"a"});
          onoma::unigram(pieces, {{}, 0, false});
        }) == "shape mismatch");
  // As Hugging Face: only when there is a character that needs it.
  const fixture f(entries{{"a", -1}, {"bc", -1}}, std::nullopt);
  CHECK(f.model.unknown() == -1);
  CHECK(f.split("aa") == "0[0,1) 0[1,2)");
  CHECK(code_of([&] { static_cast<void>(f.split("az")); }) == "missing");
  CHECK(code_of([&] { static_cast<void>(f.split("bc")); }) == "missing");  // "c" alone has none
}

TEST_CASE("unigram: scores whose sums leave the range of numbers") {
  const double huge = 1e308;
  const fixture f({{"<unk>", -1}, {"a", -huge}, {"b", huge}}, 0);
  CHECK(f.split("aaaa") == "1[0,1) 1[1,2) 1[2,3) 1[3,4)");
  CHECK(f.split("bbaa") == "2[0,1) 2[1,2) 1[2,3) 1[3,4)");
}

TEST_CASE("unigram: a word of a megabyte is split, and takes no memory the second time") {
  std::vector<std::pair<std::string, double>> entries{{"<unk>", -20}};
  for (std::size_t length = 1; length <= 300; length += 7) {
    entries.emplace_back(std::string(length, 'a'), -static_cast<double>(length) * 0.9);
  }
  const fixture f(entries, 0);
  const std::string word(1000000, 'a');
  std::vector<onoma::placed_piece> found;
  // Where time grew with the square of the length, this would not end within the time of a test.
  const auto split = [&] {
    found.clear();
    f.model.split({word.data(), static_cast<std::uint32_t>(word.size()), 0, nullptr}, found);
  };
  split();
  const auto* memory = found.data();
  split();
  CHECK(found.data() == memory);
  std::uint32_t at = 0;
  for (const auto& piece : found) {
    REQUIRE(piece.begin == at);
    at = piece.end;
  }
  CHECK(at == word.size());
}

}  // namespace test::unigram_tests
