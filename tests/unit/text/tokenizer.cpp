/// The tokenizer against Hugging Face's answers, and its own promises about offsets and windows.
#include "support/data_dir.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/load.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/tokenizer_json.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <vector>

namespace test {
namespace {

const std::string tiny = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";

std::vector<std::string> pieces_of(const onoma::tokenizer& t, const onoma::encoding& e) {
  std::vector<std::string> pieces;
  for (const auto id : e.ids) pieces.emplace_back(t.piece(id));
  return pieces;
}

}  // namespace

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
  for (const onoma::index max_length : {3, 7, 20, 62, 100}) {
    for (const onoma::index stride : {0, 1, 4}) {
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

}  // namespace test
