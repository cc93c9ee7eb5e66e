/// Byte-level BPE: its long words, and its files.
#include "support/temporary_folder.hpp"
#include "unit/text/golden_tokenizers.hpp"

#include <onoma/io/json.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/files/tokenizer_json.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace test::byte_level_tests {

TEST_CASE("a word of a megabyte takes no quadratic time and covers every byte") {
  const auto tokenizer = onoma::tokenizer_from_json(golden("roberta")["tokenizer"].dump());
  std::string text;
  while (text.size() < 1'000'000) text += "riverBern";  // quadratic: hours
  const auto e = tokenizer.encode(text, {.add_special_tokens = false}).front();
  onoma::index_t at = 0;
  for (const auto& offset : e.offsets) {
    CHECK(offset.begin == at);
    at = offset.end;
  }
  CHECK(at == static_cast<onoma::index_t>(text.size()));
  CHECK(e.word_ids.back() == 0);
}

TEST_CASE("words that are split already have the pieces of their text") {
  const std::vector<std::string> words = {"Jane", "Doe", "lives", "in", "Z\xC3\xBCrich", ",", "2019", "'s", "x-y", "."};
  std::string text;
  std::vector<onoma::index_t> begins;
  for (const auto& word : words) {
    if (!text.empty()) text += ' ';
    begins.push_back(static_cast<onoma::index_t>(text.size()));
    text += word;
  }
  for (const char* name : {"roberta", "byte_level_nfc", "byte_level_regex", "byte_level_cut_spaces",
                           "byte_level_whole_offsets", "byte_level_whole_words"}) {
    if (ONOMA_PCRE2 == 0 && std::string(name) == "byte_level_regex") continue;
    INFO(name);
    auto file = golden(name)["tokenizer"];
    const auto tokenizer = onoma::tokenizer_from_json(file.dump());
    const auto split = tokenizer.encode_words(words).front();
    const auto whole = tokenizer.encode(text).front();
    CHECK(split.ids == whole.ids);
    bool trimmed = true;
    for (std::size_t i = 1; i + 1 < split.ids.size(); ++i) {
      const auto word = static_cast<std::size_t>(split.word_ids[i]);
      CHECK(split.offsets[i].begin >= 0);
      CHECK(split.offsets[i].end <= static_cast<onoma::index_t>(words[word].size()));
      trimmed = trimmed && split.offsets[i].end + begins[word] == whole.offsets[i].end;
    }
    CHECK((trimmed || std::string(name) == "byte_level_cut_spaces"));
    // All words but the first are what add_prefix_space makes of them.
    if (file["pre_tokenizer"]["type"] != "ByteLevel") continue;
    file["pre_tokenizer"]["add_prefix_space"] = true;
    auto& last = file["post_processor"]["type"] == "Sequence" ? file["post_processor"]["processors"][0]
                                                              : file["post_processor"];
    last["add_prefix_space"] = true;
    const auto prefixed = onoma::tokenizer_from_json(file.dump()).encode_words(words).front();
    const auto behind = [](const onoma::encoding& e) {
      return static_cast<std::size_t>(std::find(e.word_ids.begin(), e.word_ids.end(), 1) - e.word_ids.begin());
    };
    for (std::size_t i = behind(split), k = behind(prefixed); i < split.ids.size(); ++i, ++k) {
      REQUIRE(k < prefixed.ids.size());
      CHECK(split.ids[i] == prefixed.ids[k]);
      CHECK(split.word_ids[i] == prefixed.word_ids[k]);
      // Hugging Face lets an added space that became a piece of its own stand for the character behind it.
      const bool lone = tokenizer.piece(split.ids[i]) == "\xC4\xA0";
      CHECK((lone ? split.offsets[i].empty() : split.offsets[i] == prefixed.offsets[k]));
    }
  }
}

TEST_CASE("vocab.json and merges.txt are RoBERTa's tokenizer") {
  const auto file = golden("roberta");
  const temporary_folder folder;
  const auto& path = folder.path;
  std::ofstream(path / "vocab.json") << file["tokenizer"]["model"]["vocab"].dump();
  {
    std::ofstream merges(path / "merges.txt");
    merges << "#version: 0.2\n";
    for (const auto& line : file["tokenizer"]["model"]["merges"]) {
      merges << line.get<std::string>() << "\n";
    }
  }
  std::ofstream(path / "special_tokens_map.json") << R"({"mask_token": {"content": "<mask>", "lstrip": true}})";
  const auto a = onoma::load_tokenizer(path);
  const auto b = onoma::tokenizer_from_json(file["tokenizer"].dump());
  for (const char* text : {"Jane Doe moved <mask> Bern.", " 1,234 \xC3\xA9t\xC3\xA9", "</s>"}) {
    CHECK(a.encode(text).front().ids == b.encode(text).front().ids);
    CHECK(a.encode(text).front().offsets == b.encode(text).front().offsets);
  }
  std::ofstream(path / "merges.txt") << "a b c\n";
  CHECK_THROWS_AS(static_cast<void>(onoma::load_tokenizer(path)), onoma::error);
}

}  // namespace test::byte_level_tests
