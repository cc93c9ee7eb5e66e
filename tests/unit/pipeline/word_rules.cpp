/// Raw text with word rules: tagged as its words would be, by every kind of tokenizer.
#include "support/temporary_folder.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace test::word_rules_tests {
namespace {

namespace fs = std::filesystem;

const fs::path data = ONOMA_TEST_DATA_DIR;

/// A tiny model in `to`, with word rules in its config.json if there are any.
fs::path make_model(const std::string& name, const fs::path& to,
                    const onoma::json& rules = nullptr) {
  fs::create_directories(to);
  fs::copy_file(data / name / "model.safetensors", to / "model.safetensors");
  auto config =
      onoma::parse_json(onoma::read_text_file(data / name / "config.json"), "config.json");
  if (!rules.is_null()) config["onoma"]["words"] = rules;
  std::ofstream(to / "config.json") << config.dump();
  if (name == "bert-tiny") {
    for (const char* file : {"tokenizer.json", "tokenizer_config.json", "vocab.txt"})
      fs::copy_file(data / name / file, to / file);
    return to;
  }
  const auto family = name.substr(0, name.rfind("-tiny"));
  const auto goldens =
      onoma::parse_json(onoma::read_text_file(data / ("pipeline-" + family + ".json")), family);
  std::ofstream(to / "tokenizer.json") << goldens["tokenizer"].dump();
  std::ofstream(to / "tokenizer_config.json")
      << R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
  return to;
}

onoma::pipeline load(const fs::path& folder,
                     onoma::word_splitting splitting = onoma::word_splitting::automatic,
                     onoma::aggregation strategy = onoma::aggregation::word) {
  onoma::pipeline_options options;
  options.splitting = splitting;
  options.strategy = strategy;
  return onoma::pipeline::load(folder, options);
}

bool are_same(const onoma::tagged_text& a, const onoma::tagged_text& b) {
  bool same = a.size() == b.size() && a.windows == b.windows;
  for (std::size_t i = 0; same && i < a.size(); ++i) {
    same = a[i].span == b[i].span && a[i].label == b[i].label && a[i].score == b[i].score &&
           a[i].text == b[i].text;
  }
  return same;
}

const std::vector<std::string> texts = {
    "James W. Hoyt met O'Brien's son.",
    "",
    " \n ",
    "U.S.-based AT&T, and  Jane-Ann (New York Inc.)",
    "x",
    " don't\u200Bgo\uFE0F to \u6771\u4EAC, Jane\u2019s \U0001F600 http://a.bc/d!"};

std::string repeated(const std::string& text, int times) {
  std::string all;
  for (int i = 0; i < times; ++i) all += text + " ";
  return all;
}

/// What `tag_words` finds in the words of a text, with places in the text.
void check_as_words(onoma::pipeline& ner, const std::string& text, const onoma::word_rules& rules) {
  const auto tagged = ner.tag(text);
  const auto places = onoma::find_words(text, rules);
  CHECK(tagged.words == places);
  std::vector<std::string> words;
  for (const auto at : places) {
    words.push_back(
        text.substr(static_cast<std::size_t>(at.begin), static_cast<std::size_t>(at.size())));
  }
  const auto expected = ner.tag_words(words);
  CHECK(tagged.windows == expected.windows);
  CHECK(tagged.unknown_tokens == expected.unknown_tokens);
  REQUIRE(tagged.size() == expected.size());
  for (std::size_t i = 0; i < tagged.size(); ++i) {
    CHECK(tagged[i].first == expected[i].first);
    CHECK(tagged[i].last == expected[i].last);
    CHECK(tagged[i].label == expected[i].label);
    CHECK(tagged[i].score == expected[i].score);
    const auto bytes = tagged[i].span.bytes;
    CHECK(bytes.begin >= places[static_cast<std::size_t>(tagged[i].first)].begin);
    CHECK(bytes.end <= places[static_cast<std::size_t>(tagged[i].last)].end);
    CHECK(tagged[i].text == text.substr(static_cast<std::size_t>(bytes.begin),
                                        static_cast<std::size_t>(bytes.size())));
  }
}

}  // namespace

TEST_CASE("a model's word rules find the words of text, which are tagged as given ones") {
  auto rules = onoma::general_word_rules();
  rules.signs["a-a"] = onoma::joins::none;  // not the general ones
  for (const std::string model : {"bert-tiny", "roberta-tiny", "xlm-roberta-tiny"}) {
    INFO(model);
    const temporary_folder folder;
    auto ner = load(make_model(model, folder.path / "model", onoma::to_json(rules)));
    std::size_t entities = 0;
    for (const auto& text : texts) {
      INFO(text);
      check_as_words(ner, text, rules);
      entities += ner.tag(text).size();
    }
    CHECK(entities > 3);
    const auto long_text = repeated(texts[0] + " " + texts[3], 40);
    check_as_words(ner, long_text, rules);
    CHECK(ner.tag(long_text).windows > 1);
    auto other = ner.share();
    const auto together = ner.tag_batch(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CHECK(are_same(together[i], ner.tag(texts[i])));
      CHECK(are_same(other.tag(texts[i]), together[i]));
    }
    CHECK_THROWS_AS(static_cast<void>(ner.tag("a\xFF")), onoma::error);
    CHECK_THROWS_WITH_AS(static_cast<void>(ner.tag_batch(std::vector<std::string>{"a", "\xFF"})),
                         doctest::Contains("text 1"), onoma::error);
  }
}

TEST_CASE("who finds the words can be chosen, and models without rules are tagged as ever") {
  for (const std::string model : {"bert-tiny", "roberta-tiny", "xlm-roberta-tiny"}) {
    INFO(model);
    const temporary_folder folder;
    auto rules = onoma::general_word_rules();
    rules.signs["a-a"] = onoma::joins::none;
    const auto with = make_model(model, folder.path / "with", onoma::to_json(rules));
    const auto without = make_model(model, folder.path / "without");
    using splitting = onoma::word_splitting;
    auto plain = load(without);
    auto plain_tokenizer = load(without, splitting::tokenizer);
    auto learned = load(with);
    auto learned_by_name = load(with, splitting::learned);
    auto by_tokenizer = load(with, splitting::tokenizer);
    auto general = load(with, splitting::general);
    auto general_without = load(without, splitting::general);
    bool differs = false;
    for (const auto& text : texts) {
      INFO(text);
      const auto today = plain.tag(text);
      CHECK(today.words.empty());
      CHECK(are_same(plain_tokenizer.tag(text), today));
      CHECK(are_same(by_tokenizer.tag(text), today));
      CHECK(are_same(learned_by_name.tag(text), learned.tag(text)));
      check_as_words(general, text, onoma::general_word_rules());
      CHECK(are_same(general_without.tag(text), general.tag(text)));
      differs = differs || general.tag(text).words != learned.tag(text).words;
    }
    CHECK(differs);
    // transformers' strategies take pieces as they come.
    for (const auto strategy :
         {onoma::aggregation::none, onoma::aggregation::simple, onoma::aggregation::max}) {
      auto a = load(with, splitting::automatic, strategy);
      auto b = load(without, splitting::automatic, strategy);
      for (const auto& text : texts) CHECK(are_same(a.tag(text), b.tag(text)));
      CHECK_THROWS_WITH_AS(static_cast<void>(load(with, splitting::learned, strategy)),
                           doctest::Contains("the aggregation 'word'"), onoma::error);
      CHECK_THROWS_AS(static_cast<void>(load(with, splitting::general, strategy)), onoma::error);
    }
    CHECK_THROWS_WITH_AS(static_cast<void>(load(without, splitting::learned)),
                         doctest::Contains("a model with word rules"), onoma::error);
  }
  CHECK(onoma::word_splitting_from_name("auto") == onoma::word_splitting::automatic);
  CHECK(onoma::word_splitting_from_name("learned") == onoma::word_splitting::learned);
  CHECK(onoma::word_splitting_from_name("general") == onoma::word_splitting::general);
  CHECK(onoma::word_splitting_from_name("tokenizer") == onoma::word_splitting::tokenizer);
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::word_splitting_from_name("spaces")),
                       doctest::Contains("auto, learned, general or tokenizer"), onoma::error);
}

TEST_CASE("broken word rules are refused by name, unless they are not asked for") {
  const auto good = onoma::to_json(onoma::general_word_rules());
  auto newer = good;
  newer["version"] = 7;
  auto odd = good;
  odd["signs"]["a-a"] = "sideways";
  auto half = good;
  half.erase("pairs");
  const std::vector<std::pair<onoma::json, std::vector<std::string>>> cases = {
      {newer, {"config.json: 'onoma': 'words': 'version'", "word rules of version 1", "7"}},
      {odd, {"'words': 'signs': 'a-a'", "none, left, right or both", "sideways"}},
      {half, {"'words': 'pairs'", "an object", "no such key"}},
      {onoma::json::array({1}), {"'words'", "an object", "[1]"}},
      {"general", {"'words'", "an object", "general"}}};
  for (const auto& [rules, parts] : cases) {
    const temporary_folder folder;
    const auto path = make_model("bert-tiny", folder.path / "model", rules);
    for (const auto splitting :
         {onoma::word_splitting::automatic, onoma::word_splitting::learned}) {
      for (const auto& part : parts) {
        CHECK_THROWS_WITH_AS(static_cast<void>(load(path, splitting)),
                             doctest::Contains(part.c_str()), onoma::error);
      }
    }
    CHECK_NOTHROW(static_cast<void>(load(path, onoma::word_splitting::tokenizer)));
    CHECK_NOTHROW(static_cast<void>(load(path, onoma::word_splitting::general)));
  }
}

}  // namespace test::word_rules_tests
