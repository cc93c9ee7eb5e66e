/// Byte-level BPE against Hugging Face's answers, its long words, and what it refuses.
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/load.hpp>
#include <onoma/text/tokenizer_json.hpp>
#include <onoma/text/utf8.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace test {
namespace {

const std::filesystem::path folder = std::filesystem::path(ONOMA_TEST_DATA_DIR) / "tokenizers";

onoma::json golden(const std::string& name) {
  return onoma::json::parse(onoma::read_text_file(folder / (name + ".json")));
}

/// Ids, word ids and offsets in code points of all windows, as the golden files have them.
onoma::json answer(const onoma::tokenizer& tokenizer, const onoma::json& question) {
  const onoma::encode_options options{question["length"], question["stride"], true};
  const auto& input = question["input"];
  const bool split = input.is_array();
  const auto words = split ? input.get<std::vector<std::string>>()
                           : std::vector<std::string>{input.get<std::string>()};
  auto result = onoma::json::array();
  for (const auto& e : split ? tokenizer.encode_words(words, options)
                             : tokenizer.encode(words.front(), options)) {
    auto offsets = onoma::json::array();
    for (std::size_t i = 0; i < e.ids.size(); ++i) {
      const auto word = split && e.word_ids[i] >= 0 ? e.word_ids[i] : 0;
      const auto span = onoma::offset_map(words[static_cast<std::size_t>(word)]).span(e.offsets[i]);
      offsets.push_back({span.code_points.begin, span.code_points.end});
    }
    result.push_back({e.ids, e.word_ids, offsets});
  }
  return result;
}

}  // namespace

TEST_CASE("byte-level tokenizers give the windows of Hugging Face") {
  for (const char* name :
       {"roberta", "roberta_prefix", "byte_level_untrimmed", "byte_level_whole_words"}) {
    const auto file = golden(name);
    const auto tokenizer = onoma::tokenizer_from_json(file["tokenizer"].dump());
    REQUIRE(file["cases"].size() > 30);
    for (const auto& question : file["cases"]) {
      INFO(name << ": " << question.dump());
      const auto found = answer(tokenizer, question);
      CHECK_MESSAGE(found == question["windows"], found.dump());
    }
  }
}

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

TEST_CASE("components that are not supported are named") {
  const auto refused = [](const char* path, const onoma::json& value) {
    auto state = golden("roberta")["tokenizer"];
    state[onoma::json::json_pointer(path)] = value;
    try {
      static_cast<void>(onoma::tokenizer_from_json(state.dump()));
    } catch (const onoma::error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const auto names = [](const std::string& message, const char* part) {
    return message.find(part) != std::string::npos;
  };
  CHECK(names(refused("/normalizer", {{"type", "NFKC"}}), "NFKC"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "Metaspace"}}), "Metaspace"));
  CHECK(names(refused("/post_processor", {{"type", "Odd"}}), "Odd"));
  CHECK(names(refused("/model/type", "Unigram"), "Unigram"));
  CHECK(names(refused("/model/end_of_word_suffix", "</w>"), "end_of_word_suffix"));
  CHECK(names(refused("/model/dropout", 0.1), "dropout"));
  CHECK(names(refused("/model/merges", onoma::json::array({"qq zz"})), "qq"));
  CHECK(names(refused("/model/merges", onoma::json::array({7})), "tokenizer.json"));
  CHECK(names(refused("/model/unk_token", "nothing"), "nothing"));
}

}  // namespace test
