/// Annotated texts: places in code points, words cut at entities, and what is refused.
#include <onoma/data/spans.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/words/words.hpp>

#include "support/data_dir.hpp"

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::spans_tests {
namespace {

std::string joined(const onoma::sentence& s) {
  std::string result;
  for (std::size_t i = 0; i < s.words.size(); ++i) result += s.words[i] + '/' + s.tags[i] + ' ';
  return result;
}
onoma::sentence with_words(const onoma::document& item) {
  return onoma::make_sentence(item, onoma::find_words(item.text));
}
std::string code_of(const std::string& content) {
  try {
    static_cast<void>(onoma::parse_annotated_texts(content, "f.json"));
  } catch (const onoma::error& problem) {
    return std::string(onoma::to_string(problem.code()));
  }
  return "read";
}

}  // namespace

TEST_CASE("annotated texts: spans count code points, and words are cut where entities end") {
  const auto texts = onoma::parse_annotated_texts(
      R"([{"text": "\u6771\u4eac\u90fd Jan\u3055\u3093", "entities": [
           {"span": [4, 7], "type": "PER"}, {"span": [0, 2], "type": "LOC"}, {"span": [2, 3], "type": "LOC"}],
           "id": 7},
          {"text": "Preinstall", "entities": [{"span": [3, 5], "type": "X"}]}])",
      "f.json");
  REQUIRE(texts.size() == 2);
  CHECK(joined(with_words(texts[0])) ==
        "\u6771/B-LOC \u4eac/I-LOC \u90fd/B-LOC Jan/B-PER \u3055\u3093/O ");
  CHECK(joined(with_words(texts[1])) == "Pre/O in/B-X stall/O ");
  CHECK(texts[0].spans[0].text == "\u6771\u4eac");
  CHECK(texts[0].spans[2].span.bytes.begin == 10);
  CHECK(texts[0].spans[2].span.code_points.begin == 4);
  CHECK(texts[0].origin.file == "f.json");
  CHECK(texts[0].meta == R"({"id":7})");
  CHECK(texts[1].meta.empty());
}

TEST_CASE("annotated texts that contradict themselves are refused") {
  CHECK(code_of("{}") == "bad format");
  CHECK(code_of(R"([{"text": "a"}])") == "bad format");
  const std::string begin = R"([{"text": "ab", "entities": [{"span": )";
  CHECK(code_of(begin + R"([0, 2], "type": "X"}]}])") == "read");
  CHECK(code_of(begin + R"([0, 3], "type": "X"}]}])") == "out of range");
  CHECK(code_of(begin + R"([1, 1], "type": "X"}]}])") == "out of range");
  CHECK(code_of(begin + R"([-1, 1], "type": "X"}]}])") == "out of range");
  CHECK(code_of(begin + R"([0], "type": "X"}]}])") == "out of range");
  CHECK(code_of(begin + R"([0, 1.5], "type": "X"}]}])") == "out of range");
  CHECK(code_of(begin + R"([0, 1], "type": 3}]}])") == "bad format");
}

TEST_CASE("annotated texts: entities of Japanese Wikipedia come back from the tags, to the byte") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto path = data / "corpora/ja-wikipedia/ner.json";
  const onoma::mapped_file file(path);
  std::size_t entities = 0;
  for (const auto& item : onoma::parse_annotated_texts(file.text(), path.string())) {
    const auto sentence = with_words(item);
    // Surfaces without white space, which words do not have.
    std::vector<std::string> found;
    for (std::size_t i = 0; i < sentence.words.size(); ++i) {
      if (sentence.tags[i][0] == 'B') found.emplace_back();
      if (sentence.tags[i] != "O") found.back() += sentence.words[i];
    }
    REQUIRE(found.size() == item.spans.size());
    for (std::size_t i = 0; i < found.size(); ++i) {
      const auto bytes = item.spans[i].span.bytes;
      std::string surface;
      for (const auto word : onoma::find_words(item.text.substr(
               static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size())))) {
        surface += item.text.substr(static_cast<std::size_t>(bytes.begin + word.begin),
                                    static_cast<std::size_t>(word.size()));
      }
      REQUIRE(found[i] == surface);
    }
    entities += found.size();
  }
  CHECK(entities == 13185);
}

}  // namespace test::spans_tests
