/// The tokenizer against Hugging Face's answers, and its own promises about offsets and windows.
#include "support/data_dir.hpp"

#include <onoma/core/rng.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/files/tokenizer_json.hpp>
#include <onoma/text/tokenizer.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace test::tokenizer_tests {
namespace {

const std::string tiny = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";

std::vector<std::string> pieces_of(const onoma::tokenizer& t, const onoma::encoding& e) {
  std::vector<std::string> pieces;
  for (const auto id : e.ids) pieces.emplace_back(t.piece(id));
  return pieces;
}

bool same(const onoma::encoding& a, const onoma::encoding& b) {
  return a.ids == b.ids && a.type_ids == b.type_ids && a.word_ids == b.word_ids &&
         a.offsets == b.offsets && a.special == b.special;
}

/// Words of all kinds: in the vocabulary, in pieces, unknown, long, not ASCII, odd characters.
std::string some_text(std::uint64_t key, int words) {
  onoma::random_stream random(key);
  const auto below = [&random](int n) { return static_cast<int>(random.uniform() * 0.999F * static_cast<float>(n)); };
  const char* fixed[] = {"the", "River", "J\xC3\xA1ne", "\xE4\xB8\xAD\xE6\x96\x87", "a\x01" "b", "[MASK]",
                         "\xF0\x9F\x98\x80", "e\xCC\x81" "a", "\xEA\xB0\x80", "x-y", "\xC2\xA0", "##s"};
  std::string text;
  for (int i = 0; i < words; ++i) {
    if (below(3) == 0) {
      text += fixed[below(12)];
    } else {
      for (int length = 1 + below(below(8) == 0 ? 120 : 9); length > 0; --length) {
        text += static_cast<char>('a' + below(26));
      }
    }
    if (below(8) != 0) text += " \t,\n"[below(4)];
  }
  return text;
}

}  // namespace

// Ids and offsets of tokenizers 0.23.3.
TEST_CASE("an added token whose white space the one before took is none") {
  for (const bool normalized : {false, true}) {
    CAPTURE(normalized);
    const onoma::json file = {
        {"normalizer", {{"type", "NFKC"}}},
        {"pre_tokenizer", {{"type", "WhitespaceSplit"}}},
        {"model", {{"type", "WordPiece"}, {"unk_token", "<unk>"}, {"vocab", {{"<unk>", 0}, {"a", 1}, {"b", 2}}}}},
        {"added_tokens",
         {{{"id", 3}, {"content", "\t\t"}, {"lstrip", true}, {"rstrip", true}, {"normalized", normalized}}}}};
    const auto tokenizer = onoma::tokenizer_from_json(file.dump());
    const auto inside = tokenizer.encode("a \t\t\t\tb").front();
    CHECK(inside.ids == std::vector<std::int32_t>{1, 3, 2});
    CHECK(inside.offsets == std::vector<onoma::byte_span>{{0, 1}, {1, 6}, {6, 7}});
    const auto last = tokenizer.encode("a\t\t\t\t").front();
    CHECK(last.ids == std::vector<std::int32_t>{1, 3});
    CHECK(last.offsets == std::vector<onoma::byte_span>{{0, 1}, {1, 5}});
  }
}

TEST_CASE("10,570 questions have the pieces and ids of bert-base-uncased") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto folder = data / "conformance" / "hf-tokenizer";
  const auto tokenizer =
      onoma::tokenizer::from_vocab(onoma::read_text_file(folder / "bert-vocab.txt"));
  const auto questions =
      onoma::json::parse(onoma::read_text_file(folder / "question_tokens.json"));
  REQUIRE(questions.size() == 10570);
  std::size_t equal = 0;
  for (const auto& question : questions) {
    const auto text = question["original"].get<std::string>();
    const auto windows = tokenizer.encode(text, {.add_special_tokens = false});
    if (pieces_of(tokenizer, windows.front()) ==
        question["wordpiece"].get<std::vector<std::string>>()) {
      ++equal;
    }
  }
  CHECK(equal == questions.size());

  const auto sample = onoma::json::parse(onoma::read_text_file(folder / "bert_uncased_encoded.json"));
  CHECK(tokenizer.encode(sample["text"].get<std::string>()).front().ids ==
        sample["token_ids"].get<std::vector<std::int32_t>>());
}

TEST_CASE("text becomes pieces with byte offsets and word ids") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  const std::string text = "  J\xC3\xA1ne visited Berlin, in 2019!";
  const auto e = tokenizer.encode(text).front();
  CHECK(pieces_of(tokenizer, e) ==
        std::vector<std::string>{"[CLS]", "jane", "visited", "berlin", ",", "in", "2", "##0", "##1",
                                 "##9", "!", "[SEP]"});
  CHECK(e.word_ids == std::vector<std::int32_t>{-1, 0, 1, 2, 3, 4, 5, 5, 5, 5, 6, -1});
  CHECK(e.special == std::vector<std::uint8_t>{1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1});
  CHECK(text.substr(2, 5) == "J\xC3\xA1ne");
  CHECK(e.offsets[1] == onoma::byte_span{2, 7});
  CHECK(e.offsets[3] == onoma::byte_span{16, 22});
  CHECK(e.offsets[9] == onoma::byte_span{30, 31});
}

TEST_CASE("words that are split already keep their numbers, whatever they hold") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  const std::vector<std::string> words = {"New", "York-old", "", " ", "J."};
  const auto e = tokenizer.encode_words(words).front();
  CHECK(pieces_of(tokenizer, e) ==
        std::vector<std::string>{"[CLS]", "new", "york", "-", "old", "j", ".", "[SEP]"});
  CHECK(e.word_ids == std::vector<std::int32_t>{-1, 0, 1, 1, 1, 4, 4, -1});
  CHECK(e.offsets[3] == onoma::byte_span{4, 5});
  CHECK(e.offsets[6] == onoma::byte_span{1, 2});
}

TEST_CASE("special tokens are found in text, unknown words become [UNK]") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  const auto e = tokenizer.encode("the [MASK] \xE4\xB8\xAD [mask]").front();
  CHECK(pieces_of(tokenizer, e) ==
        std::vector<std::string>{"[CLS]", "the", "[MASK]", "[UNK]", "[UNK]", "m", "##a", "##s",
                                 "##k", "[UNK]", "[SEP]"});
  CHECK(e.offsets[2] == onoma::byte_span{4, 10});
  CHECK(tokenizer.encode(std::string(101, 'a')).front().ids[1] == tokenizer.unknown_id());
  CHECK(tokenizer.encode(std::string(100, 'a')).front().ids[1] != tokenizer.unknown_id());
}

TEST_CASE("windows overlap by the stride and lose nothing") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  std::string text;
  for (int i = 0; i < 30; ++i) text += "the river ";
  const auto whole = tokenizer.encode(text).front();
  for (const onoma::index_t max_length : {3, 7, 20, 62, 100}) {
    for (const onoma::index_t stride : {0, 1, 4}) {
      if (stride >= max_length - 2) continue;
      const auto windows = tokenizer.encode(text, {max_length, stride, true});
      std::vector<std::int32_t> joined;
      for (std::size_t w = 0; w < windows.size(); ++w) {
        CHECK(windows[w].size() <= max_length);
        const auto begin = windows[w].ids.begin() + 1 + (w > 0 ? stride : 0);
        joined.insert(joined.end(), begin, windows[w].ids.end() - 1);
      }
      CHECK(joined == std::vector<std::int32_t>(whole.ids.begin() + 1, whole.ids.end() - 1));
    }
  }
  CHECK(tokenizer.encode("").front().ids.size() == 2);
  CHECK_THROWS_AS(static_cast<void>(tokenizer.encode("a", {2, 0, true})), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(tokenizer.encode("a", {10, 8, true})), onoma::error);
}

TEST_CASE("a word is the same wherever it stands and whatever was encoded before") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  onoma::tokenizer::workspace work(tokenizer);
  std::vector<onoma::encoding> windows;
  for (std::uint64_t key = 0; key < 60; ++key) {
    const auto text = some_text(key, key % 10 == 0 ? 3000 : 40);
    tokenizer.encode(text, {}, work, windows);
    const auto fresh = tokenizer.encode(text).front();
    CHECK(same(windows.front(), fresh));
    // The same text behind spaces: words move over the borders of blocks.
    const std::size_t shift = 1 + static_cast<std::size_t>(key) * 77;
    auto moved = tokenizer.encode(std::string(shift, ' ') + text, {}, work).front();
    for (std::size_t i = 1; i + 1 < moved.offsets.size(); ++i) {
      moved.offsets[i].begin -= static_cast<onoma::index_t>(shift);
      moved.offsets[i].end -= static_cast<onoma::index_t>(shift);
    }
    CHECK(same(moved, fresh));
  }
  const auto other = onoma::load_tokenizer(tiny);
  CHECK_THROWS_AS(static_cast<void>(other.encode("a", {}, work)), onoma::error);
}

TEST_CASE("words longer than a block are found whole") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  for (const std::size_t size : {4095U, 4096U, 4097U, 20'000U}) {
    const auto e = tokenizer.encode("the " + std::string(size, 'a') + " river").front();
    CHECK(pieces_of(tokenizer, e) ==
          std::vector<std::string>{"[CLS]", "the", "[UNK]", "river", "[SEP]"});
    CHECK(e.offsets[2] == onoma::byte_span{4, 4 + static_cast<onoma::index_t>(size)});
  }
  std::string chinese;
  for (int i = 0; i < 5000; ++i) chinese += "\xE4\xB8\xAD";
  const auto e = tokenizer.encode(chinese).front();
  REQUIRE(e.size() == 5002);
  CHECK(e.offsets[5000] == onoma::byte_span{14'997, 15'000});
}

TEST_CASE("many texts at once are the texts one by one, for every number of threads") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  std::vector<std::string> texts;
  for (std::uint64_t key = 0; key < 300; ++key) texts.push_back(some_text(key, static_cast<int>(key % 50)));
  onoma::thread_pool pool(3);
  onoma::batch_tokenizer alone(tokenizer);
  onoma::batch_tokenizer together(tokenizer, pool);
  const auto a = alone.encode(texts, {20, 3, true});
  const auto b = together.encode(texts, {20, 3, true});
  REQUIRE(a.size() == texts.size());
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto expected = tokenizer.encode(texts[i], {20, 3, true});
    REQUIRE(a[i].size() == expected.size());
    REQUIRE(b[i].size() == expected.size());
    for (std::size_t w = 0; w < expected.size(); ++w) {
      CHECK(same(a[i][w], expected[w]));
      CHECK(same(b[i][w], expected[w]));
    }
  }
  texts[290] = "ab\xFF";
  texts[200] = "a\xFF";
  try {
    static_cast<void>(together.encode(texts));
    FAIL("no error");
  } catch (const onoma::error& e) {
    CHECK(std::string(e.what()).find("position 1") != std::string::npos);
  }
  CHECK(together.encode({}).empty());
}

TEST_CASE("vocab.txt and tokenizer.json of a folder agree") {
  const auto from_json = onoma::load_tokenizer(tiny);
  const auto from_vocab = onoma::tokenizer::from_vocab(onoma::read_text_file(tiny + "/vocab.txt"));
  for (const char* text : {"Jane met her friend.", "Z\xC3\xBCrich \xF0\x9F\x98\x80", "[SEP] x"}) {
    CHECK(from_json.encode(text).front().ids == from_vocab.encode(text).front().ids);
  }
}

TEST_CASE("hostile input gives errors that say where") {
  const auto tokenizer = onoma::load_tokenizer(tiny);
  try {
    static_cast<void>(tokenizer.encode("ab\xC3("));
    FAIL("no error");
  } catch (const onoma::error& e) {
    CHECK(e.code() == onoma::error_code::parse);
    CHECK(std::string(e.what()).find("0xc3 at position 2") != std::string::npos);
  }
  for (const char* vocab : {"", "\n", "[CLS]\n[SEP]\n", "[UNK]\n[SEP]\n", "a\xFF\n[UNK]\n[CLS]\n[SEP]\n"}) {
    CHECK_THROWS_AS(static_cast<void>(onoma::tokenizer::from_vocab(vocab)), onoma::error);
  }
  for (const char* text :
       {"", "[]", "{}", "{\"model\": {\"type\": \"BPE\"}}",
        "{\"normalizer\": {\"type\": \"NFC\"}, \"model\": {\"type\": \"WordPiece\"}}",
        "{\"normalizer\": {\"type\": \"BertNormalizer\"}, \"pre_tokenizer\": {\"type\": "
        "\"BertPreTokenizer\"}, \"model\": {\"type\": \"WordPiece\", \"vocab\": {\"a\": 7}}}"}) {
    CHECK_THROWS_AS(static_cast<void>(onoma::tokenizer_from_json(text)), onoma::error);
  }
}

}  // namespace test::tokenizer_tests
