/// Text to entities: equal to transformers' pipeline, and right by itself.
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/pipeline.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include <unistd.h>

namespace test::pipeline_tests {
namespace {

namespace fs = std::filesystem;

const std::string tiny = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";

/// A tiny model with another tokenizer, in a folder that is removed at the end.
class model_folder {
 public:
  model_folder(const std::string& model, const std::string& tokenizer)
      : path_(fs::temp_directory_path() / ("onoma-pipeline-" + std::to_string(::getpid()))) {
    fs::create_directories(path_);
    for (const char* name : {"config.json", "model.safetensors"}) {
      fs::copy_file(fs::path(ONOMA_TEST_DATA_DIR) / model / name, path_ / name,
                    fs::copy_options::overwrite_existing);
    }
    std::ofstream(path_ / "tokenizer.json") << tokenizer;
    // The class that takes a tokenizer.json as it is, with which the goldens were made.
    std::ofstream(path_ / "tokenizer_config.json") << R"({"tokenizer_class": "PreTrainedTokenizerFast"})";
  }
  model_folder(const model_folder&) = delete;
  model_folder& operator=(const model_folder&) = delete;
  ~model_folder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  [[nodiscard]] const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

onoma::json read_goldens(const std::string& name) {
  return onoma::json::parse(
      onoma::read_text_file(std::string(ONOMA_TEST_DATA_DIR) + "/" + name));
}

void check_goldens(const fs::path& model, const onoma::json& cases) {
  REQUIRE(cases.size() > 100);
  for (const auto& c : cases) {
    onoma::pipeline_options options;
    options.strategy = onoma::aggregation_from_name(c["strategy"].get<std::string>());
    options.max_length = c.value("max_length", 0);
    options.stride = c.value("stride", 0);
    auto ner = onoma::pipeline::load(model, options);
    const bool split = c.contains("words");
    INFO(c["strategy"] << " " << options.max_length << " " << c[split ? "words" : "text"]);
    const auto tagged = split ? ner.tag_words(c["words"].get<std::vector<std::string>>())
                              : ner.tag(c["text"].get<std::string>());
    const auto& expected = c["entities"];
    REQUIRE(tagged.size() == expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const bool grouped = expected[i].contains("entity_group");
      CHECK(tagged[i].label == expected[i][grouped ? "entity_group" : "entity"].get<std::string>());
      CHECK(tagged[i].span.code_points.begin == expected[i]["start"].get<onoma::index_t>());
      CHECK(tagged[i].span.code_points.end == expected[i]["end"].get<onoma::index_t>());
      // Means of float probabilities of a float forward.
      CHECK(tagged[i].score == doctest::Approx(expected[i]["score"].get<double>()).epsilon(1e-4));
    }
  }
}

}  // namespace

TEST_CASE("every aggregation strategy gives transformers' entities, whole and in windows") {
  check_goldens(tiny, read_goldens("pipeline.json"));
}

TEST_CASE("and so it does where no prefix marks the pieces that continue a word") {
  for (const std::string model : {"roberta", "xlm-roberta"}) {
    const auto goldens = read_goldens("pipeline-" + model + ".json");
    const model_folder folder(model + "-tiny", goldens["tokenizer"].dump());
    check_goldens(folder.path(), goldens["cases"]);
  }
}

TEST_CASE("a tokenizer says whether a prefix marks the pieces that continue a word") {
  const std::pair<const char*, bool> tokenizers[] = {
      {"wordpiece_bert", true}, {"wordpiece_regex", true}, {"bpe_prefix", true},
      {"bpe_suffix", false},    {"roberta", false},        {"unigram_metaspace", false},
      {"word_level", false}};
  for (const auto& [name, expected] : tokenizers) {
    INFO(std::string(name));
    const auto goldens = read_goldens("tokenizers/" + std::string(name) + ".json");
    CHECK(onoma::tokenizer_from_json(goldens["tokenizer"].dump(), name).has_continuing_prefix() ==
          expected);
  }
}

TEST_CASE("an entity's bytes are its text, in every language") {
  auto ner = onoma::pipeline::load(tiny);
  for (const std::string text :
       {"Jane visited Berlin.", "\xC4\xB0stanbul, Z\xC3\xBCrich", "\xF0\x9F\x98\x80 Jane \xE4\xB8\xAD\xE6\x96\x87",
        "a\r\nb\tJane", "", "   "}) {
    const auto tagged = ner.tag(text);
    onoma::index_t end = 0;
    for (const auto& e : tagged) {
      const auto bytes = e.span.bytes;
      CHECK(text.substr(static_cast<std::size_t>(bytes.begin),
                        static_cast<std::size_t>(bytes.size())) == e.text);
      CHECK(bytes.begin >= end);
      end = bytes.end;
    }
  }
  CHECK_THROWS_AS(static_cast<void>(ner.tag("\xFF")), onoma::error);
}

TEST_CASE("batches, words and long texts agree with single texts") {
  auto ner = onoma::pipeline::load(tiny);
  onoma::pipeline_options small;
  small.max_tokens = 20;
  auto small_batches = onoma::pipeline::load(tiny, small);
  const std::vector<std::string> texts = {"Jane met John.", "", "the river in the south",
                                          "Paris and York", "x"};
  const auto together = ner.tag_batch(texts);
  const auto apart = small_batches.tag_batch(texts);
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const auto alone = ner.tag(texts[i]);
    for (const auto* other : {&together[i], &apart[i]}) {
      REQUIRE(other->size() == alone.size());
      for (std::size_t k = 0; k < alone.size(); ++k) {
        CHECK((*other)[k].span == alone[k].span);
        CHECK((*other)[k].score == alone[k].score);  // packed rows do not see each other: equal bits
      }
    }
  }
  const std::vector<std::string> words = {"Jane", "met", "John", "."};
  const auto by_words = ner.tag_words(words);
  const auto by_text = ner.tag("Jane met John .");
  REQUIRE(by_words.size() == by_text.size());
  for (std::size_t k = 0; k < by_text.size(); ++k) CHECK(by_words[k].span == by_text[k].span);

  std::string text;
  for (int i = 0; i < 100; ++i) text += "Jane visited the river. ";
  const auto tagged = ner.tag(text);
  CHECK(tagged.windows > 1);
  // The last words are tagged as well: nothing is cut off.
  CHECK(tagged.entities.back().span.bytes.end > static_cast<onoma::index_t>(text.size()) - 30);
}

TEST_CASE("a Unigram tokenizer's clauses are tagged word by word, in any script") {
  // A piece for each character: whatever the tiny model says, it says of characters.
  const model_folder folder("xlm-roberta-tiny", R"({"model": {"type": "Unigram", "unk_id": 3, "vocab": [
    ["<s>", 0], ["<pad>", 0], ["</s>", 0], ["<unk>", 0], ["\u2581", -1], ["\u6771", -1], ["\u4eac", -1],
    ["\u306b", -1], ["\u884c", -1], ["\u3063", -1], ["\u305f", -1], ["\u3002", -1], ["J", -1], ["a", -1],
    ["n", -1], [",", -1], ["B", -1], ["o", -1], ["b", -1], ["'", -1], ["s", -1]]},
    "pre_tokenizer": {"type": "Metaspace", "replacement": "\u2581", "prepend_scheme": "always"}})");
  auto ner = onoma::pipeline::load(folder.path());
  const std::string text =
      " \u6771\u4eac\u306b\u884c\u3063\u305f\u3002\u6771\u4eac Jan, Bob's\u3000\u4eac\u6771 Bob\u3002 ";
  std::set<onoma::index_t> begins;
  std::set<onoma::index_t> ends;
  for (const auto word : onoma::find_words(text)) {
    begins.insert(word.begin);
    ends.insert(word.end);
  }
  const auto tagged = ner.tag(text);
  REQUIRE(tagged.size() > 1);
  bool inside = false;  // an entity that begins behind no space
  for (const auto& e : tagged) {
    CHECK(begins.count(e.span.bytes.begin) == 1);
    CHECK(ends.count(e.span.bytes.end) == 1);
    inside = inside || text[static_cast<std::size_t>(e.span.bytes.begin - 1)] != ' ';
  }
  CHECK(inside);
}

TEST_CASE("white space is no word where a tokenizer makes pieces of it") {
  const auto goldens = read_goldens("pipeline-roberta.json");
  const model_folder folder("roberta-tiny", goldens["tokenizer"].dump());
  auto ner = onoma::pipeline::load(folder.path());
  for (const std::string blank : {" ", "  ", "\n", " \t\n "}) {
    INFO("'" << blank << "'");
    CHECK(ner.tag(blank).size() == 0);
    CHECK(ner.tag_words(std::vector<std::string>{blank, blank}).size() == 0);
  }
  const std::vector<std::string> words = {"Jane", "Bob", "Berlin", "son", "said", "an", "to", "."};
  bool across = false;  // an entity of words with more than a space between them
  for (const auto& first : words) {
    for (const auto& second : words) {
      const auto tagged = ner.tag(" \n" + first + "  " + second + "\n\n" + first + " \t");
      for (const auto& e : tagged) {
        INFO("'" << e.text << "'");
        REQUIRE(e.text != "");
        CHECK(e.text.find_first_of(" \t\n") != 0);
        CHECK(e.text.find_last_of(" \t\n") != e.text.size() - 1);
        across = across || e.text.find("  ") != std::string::npos ||
                 e.text.find('\n') != std::string::npos;
      }
      for (const auto& e : ner.tag_words(std::vector<std::string>{first, " ", second, "\n", first})) {
        CHECK(e.first % 2 == 0);
        CHECK(e.last % 2 == 0);
        across = across || e.last > e.first;
      }
    }
  }
  CHECK(across);
}

TEST_CASE("a token at the start of many windows' text is there once") {
  const auto goldens = read_goldens("pipeline-roberta.json");
  const model_folder folder("roberta-tiny", goldens["tokenizer"].dump());
  onoma::pipeline_options options;
  options.strategy = onoma::aggregation::none;
  options.max_length = 16;
  options.stride = 5;
  // The space that is put in front is a piece without text.
  const auto tagged = onoma::pipeline::load(folder.path(), options).tag("anoldmansentJane,hissontoBerlin");
  CHECK(tagged.windows > 1);
  REQUIRE(tagged.size() > 1);
  CHECK(tagged[0].text == "");
  CHECK(tagged[1].text != "");
}

TEST_CASE("an entity does not begin with the space before it") {
  auto tokenizer = read_goldens("pipeline-roberta.json")["tokenizer"];
  // With trimmed offsets that of the whole text is kept, without them every one.
  for (const bool trim : {true, false}) {
    tokenizer["post_processor"]["trim_offsets"] = trim;
    const model_folder folder("roberta-tiny", tokenizer.dump());
    auto ner = onoma::pipeline::load(folder.path());
    const std::string text = " Jane Bob Berlin\xC2\xA0";
    const auto tagged = ner.tag(text);
    REQUIRE(tagged.size() > 0);
    for (const auto& e : tagged) {
      INFO("'" << e.text << "'");
      CHECK((e.text.front() == 'J' || e.text.front() == 'B'));
      CHECK((e.text.back() == 'e' || e.text.back() == 'b' || e.text.back() == 'n'));
      CHECK(text.substr(static_cast<std::size_t>(e.span.bytes.begin),
                        static_cast<std::size_t>(e.span.bytes.size())) == e.text);
    }
  }
  const std::string text = "\xE3\x80\x80 a b\t";
  CHECK(onoma::trim_white_space(text, {0, 8}) == onoma::byte_span{4, 7});
  CHECK(onoma::trim_white_space(text, {5, 6}) == onoma::byte_span{5, 5});
  CHECK(onoma::trim_white_space(text, {1, 5}) == onoma::byte_span{1, 5});  // not a whole character
}

TEST_CASE("only words without any text lose their pieces") {
  // " a", two spaces, "b" in pieces; the first of " a" is the space, without text once it is trimmed.
  std::vector<onoma::encoding> windows(2);
  windows[0].ids = {0, 5, 6, 5};
  windows[0].word_ids = {-1, 0, 0, 1};
  windows[0].offsets = {{0, 0}, {1, 1}, {1, 2}, {2, 4}};
  windows[1].ids = {5, 7, 5, 8};
  windows[1].word_ids = {2, 3, 4, 4};
  windows[1].offsets = {{2, 2}, {4, 5}, {5, 8}, {8, 9}};
  onoma::drop_blank_words(" a  b\xE3\x80\x80" "c", windows);
  CHECK(windows[0].word_ids == std::vector<std::int32_t>{-1, 0, 0, -1});
  CHECK(windows[1].word_ids == std::vector<std::int32_t>{-1, 3, 4, 4});
}

TEST_CASE("a normaliser may make more words than the text has bytes") {
  auto tokenizer = onoma::json::parse(onoma::read_text_file(tiny + "/tokenizer.json"));
  tokenizer["normalizer"] = {{"type", "Sequence"},
                             {"normalizers", {{{"type", "NFKC"}}, {{"type", "Lowercase"}}}}};
  const model_folder folder("bert-tiny", tokenizer.dump());
  auto ner = onoma::pipeline::load(folder.path());
  const std::string signs = "\xE3\x8F\x82\xE3\x8F\x98";  // two characters: a.m. and p.m., 8 words
  const auto tagged = ner.tag_batch(std::vector<std::string>{"Jane met John.", signs});
  REQUIRE(tagged.size() == 2);
  REQUIRE(tagged[1].size() > 0);
  for (const auto& e : tagged[1]) CHECK((e.text == signs || e.text.size() == 3));
  // In windows, which begin with later words, too.
  std::string text;
  for (int i = 0; i < 40; ++i) text += signs;
  CHECK(ner.tag(text).windows > 1);
}

TEST_CASE("the host's threads give the same bits") {
  auto one = onoma::pipeline::load(tiny);
  onoma::pipeline_options options;
  options.threads = 3;
  auto many = onoma::pipeline::load(tiny, options);
  const std::string text = "John said his friend won the game in Paris last year.";
  const auto a = one.tag(text);
  const auto b = many.tag(text);
  REQUIRE(a.size() == b.size());
  for (std::size_t i = 0; i < a.size(); ++i) CHECK(a[i].score == b[i].score);
}

TEST_CASE("a folder without a head, or without anything, is refused by name") {
  const std::string data = ONOMA_TEST_DATA_DIR;
  for (const auto& folder : {data + "/bert-tiny-bare", data + "/none", data}) {
    CHECK_THROWS_AS(static_cast<void>(onoma::pipeline::load(folder)), onoma::error);
  }
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::pipeline::load(data + "/bert-tiny-bare")),
                       doctest::Contains("a token-classification head"), onoma::error);
}

}  // namespace test::pipeline_tests
