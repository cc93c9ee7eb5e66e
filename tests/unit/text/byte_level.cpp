/// Byte-level BPE: its long words, and its files.
#include "unit/text/golden_tokenizers.hpp"

#include <onoma/io/json.hpp>
#include <onoma/text/load.hpp>
#include <onoma/text/tokenizer_json.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace test {

TEST_CASE("a word of a megabyte takes no quadratic time and covers every byte") {
  const auto tokenizer = onoma::tokenizer_from_json(golden("roberta")["tokenizer"].dump());
  std::string text;
  while (text.size() < 1'000'000) text += "riverBern";  // quadratic: hours
  const auto e = tokenizer.encode(text, {.add_special_tokens = false}).front();
  onoma::index at = 0;
  for (const auto& offset : e.offsets) {
    CHECK(offset.begin == at);
    at = offset.end;
  }
  CHECK(at == static_cast<onoma::index>(text.size()));
  CHECK(e.word_ids.back() == 0);
}

TEST_CASE("vocab.json and merges.txt are RoBERTa's tokenizer") {
  const auto file = golden("roberta");
  const auto path = std::filesystem::temp_directory_path() / "onoma_vocab_and_merges";
  std::filesystem::create_directories(path);
  std::ofstream(path / "vocab.json") << file["tokenizer"]["model"]["vocab"].dump();
  {
    std::ofstream merges(path / "merges.txt");
    merges << "#version: 0.2\n";
    for (const auto& line : file["tokenizer"]["model"]["merges"]) {
      merges << line.get<std::string>() << "\n";
    }
  }
  const auto a = onoma::load_tokenizer(path);
  const auto b = onoma::tokenizer_from_json(file["tokenizer"].dump());
  for (const char* text : {"Jane Doe moved <mask> Bern.", " 1,234 \xC3\xA9t\xC3\xA9", "</s>"}) {
    CHECK(a.encode(text).front().ids == b.encode(text).front().ids);
    CHECK(a.encode(text).front().offsets == b.encode(text).front().offsets);
  }
  std::ofstream(path / "merges.txt") << "a b c\n";
  CHECK_THROWS_AS(static_cast<void>(onoma::load_tokenizer(path)), onoma::error);
  std::filesystem::remove_all(path);
}

}  // namespace test
