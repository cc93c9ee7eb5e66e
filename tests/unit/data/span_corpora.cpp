/// Corpora whose spans overlap: layers of columns, and words with spans.
#include <onoma/core/error.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/data/span_corpora.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::span_corpora_tests {
namespace {

/// "label(first-last) ..." in words, in the order of the document.
std::string listed(const onoma::document& d) {
  std::string text;
  for (const auto& e : d.spans) {
    text += (text.empty() ? "" : " ") + e.label + "(" + std::to_string(e.first) + "-" + std::to_string(e.last) + ")";
  }
  return text;
}

/// Five words with these spans.
onoma::document of_words(const std::string& spans) {
  return onoma::parse_token_spans(R"({"tokens": ["a", "b", "c", "d", "e"], "spans": [)" + spans + "]}", "x").at(0);
}

}  // namespace

TEST_CASE("all layers of a file of columns are one document's spans") {
  const auto found = onoma::parse_conll_layers(
      "1\tUniversity\tB-ORG\tO\n2\tof\tI-ORG\tO\n3\tOslo\tI-ORG\tB-LOC\n\n1\tRome\tB-LOC\tB-LOC\n2\tsleeps\tO\tO\n",
      "x");
  REQUIRE(found.size() == 2);
  CHECK(found[0].text == "University of Oslo");
  CHECK(listed(found[0]) == "ORG(0-2) LOC(2-2)");
  CHECK(listed(found[1]) == "LOC(0-0)");  // both layers say it: once
  CHECK(found[1].origin.line == 5);
}

TEST_CASE("layers are the columns of entities: one where it is said, never phrases") {
  const std::string text = "Vera\tNNP\tB-NP\tB-PER\tO\nsleeps\tVB\tB-VP\tO\tO\nthere\tRB\tO\tO\tB-LOC\n";
  CHECK(onoma::guess_conll_layers(text, "x") == std::vector<onoma::index_t>{3, 4});
  CHECK(listed(onoma::parse_conll_layers(text, "x").at(0)) == "PER(0-0) LOC(2-2)");
  CHECK(listed(onoma::parse_conll_layers(text, "x", {.tag_column = 4}).at(0)) == "LOC(2-2)");
  CHECK(onoma::guess_conll_layers("a\tO\nb\tO\n", "x") == std::vector<onoma::index_t>{1});
}

TEST_CASE("words with spans are read as they stand") {
  const auto found = onoma::parse_token_spans(
      "{\"doc\": \"d\", \"sent\": 0, \"tokens\": [\"the\", \"é\", \"one\"], "
      "\"spans\": [[0, 3, \"thing\", 0, \"\"], [1, 2, \"sign\"], [1, 2, \"sign\"], [1, 2, \"mark\"]]}\n\n"
      "{\"doc\": \"d\", \"sent\": 1, \"tokens\": [\"more\"], \"spans\": []}\n",
      "x");
  REQUIRE(found.size() == 2);
  CHECK(found[0].text == "the é one");
  CHECK(listed(found[0]) == "thing(0-2) sign(1-1) mark(1-1)");
  CHECK(found[0].spans[1].text == "é");
  CHECK(found[0].origin.id == "d");
  CHECK_FALSE(found[0].continues);
  CHECK(found[1].continues);
  CHECK(found[1].origin.line == 3);
}

TEST_CASE("words with spans: what is wrong is named with its line") {
  const auto refused = [](const std::string& line, const std::string& message) {
    CHECK_THROWS_WITH_AS(static_cast<void>(onoma::parse_token_spans("\n" + line, "x")), message.c_str(), onoma::error);
  };
  refused(R"({"tokens": ["a"]})",
          "x:2: bad format: expected an object with lists of 'tokens' and 'spans', found {\"tokens\":[\"a\"]}");
  refused(R"({"tokens": [1], "spans": []})", "x:2: bad format: expected tokens that are strings, found 1");
  refused(R"({"tokens": ["a"], "spans": [[0, 1]]})",
          "x:2: bad format: expected spans of begin, end and label, found [0,1]");
  for (const char* span : {"[0,2,\"t\"]", "[0,0,\"t\"]", "[-1,1,\"t\"]", "[1,1,\"t\"]"}) {
    refused(std::string(R"({"tokens": ["a"], "spans": [)") + span + "]}",
            std::string("x:2: out of range: expected spans of some of 1 words, found ") + span);
  }
}

TEST_CASE("recall of spans inside of others and of those that are not") {
  const auto gold = of_words(R"([0, 4, "x"], [0, 4, "y"], [1, 3, "x"], [1, 2, "x"], [3, 5, "z"], [0, 1, "x"])");
  const auto found = of_words(R"([0, 4, "y"], [1, 2, "x"], [1, 3, "y"], [0, 1, "x"])");
  const auto counts = onoma::nesting_recall_of(std::vector{gold}, std::vector{found});
  CHECK(counts.outer == 3);  // both of 0-4, and 3-5, which crosses them
  CHECK(counts.outer_found == 1);
  CHECK(counts.inner == 3);
  CHECK(counts.inner_found == 2);
}

}  // namespace test::span_corpora_tests
