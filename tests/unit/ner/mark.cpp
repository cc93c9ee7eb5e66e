/// Texts with their entities marked.
#include <onoma/ner/mark.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace test::mark_tests {
namespace {

onoma::entity at(const std::string& text, onoma::index_t begin, onoma::index_t end, const char* label) {
  onoma::entity e;
  e.text = text.substr(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
  e.label = label;
  e.span.bytes = {begin, end};
  return e;
}

}  // namespace

TEST_CASE("entities are marked where they stand") {
  const std::string text = "Zoé lives in Paris.";
  const std::vector<onoma::entity> entities = {at(text, 0, 4, "PER"), at(text, 14, 19, "LOC")};
  CHECK(onoma::mark_entities(text, entities) == "[Zoé|PER] lives in [Paris|LOC].");
  CHECK(onoma::mark_entities(text, {}) == text);
  CHECK(onoma::mark_entities("", {}).empty());
}

TEST_CASE("entities inside of others are marked there") {
  const std::string text = "the University of Oslo, Oslo";
  const std::vector<onoma::entity> entities = {at(text, 0, 28, "X"), at(text, 4, 22, "ORG"), at(text, 18, 22, "LOC"),
                                               at(text, 18, 22, "X"), at(text, 24, 28, "LOC")};
  CHECK(onoma::mark_entities(text, entities) == "[the [University of [Oslo|LOC]|ORG], [Oslo|LOC]|X]");
  const auto outer = std::to_string(onoma::label_color("ORG"));
  const auto inner = std::to_string(onoma::label_color("LOC"));
  CHECK(onoma::mark_entities(text, std::vector{entities[1], entities[2]}, onoma::mark_style::colors) ==
        "the \033[1;" + outer + "mUniversity of \033[1;" + inner + "mOslo\033[0m\033[" + inner +
            "m|LOC\033[0m\033[1;" + outer + "m\033[0m\033[" + outer + "m|ORG\033[0m, Oslo");
}

TEST_CASE("an entity that begins inside of another and ends behind it is left out") {
  const std::string text = "New York City";
  const std::vector<onoma::entity> entities = {at(text, 0, 8, "LOC"), at(text, 4, 13, "LOC"),
                                               at(text, 9, 13, "X")};
  CHECK(onoma::mark_entities(text, entities) == "[New York|LOC] [City|X]");
}

TEST_CASE("colours stand around the entity and end behind it") {
  const std::string text = "in Paris";
  const std::vector<onoma::entity> entities = {at(text, 3, 8, "LOC")};
  const auto color = std::to_string(onoma::label_color("LOC"));
  CHECK(onoma::mark_entities(text, entities, onoma::mark_style::colors) ==
        "in \033[1;" + color + "mParis\033[0m\033[" + color + "m|LOC\033[0m");
}

TEST_CASE("usual labels have colours of their own") {
  for (const auto& labels : {std::vector{"DATE", "EVENT", "GPE", "LOC", "ORG", "PER", "PRODUCT", "TIME"},
                             std::vector{"PER", "ORG", "LOC", "MISC"}}) {
    std::set<int> colors;
    for (const char* label : labels) colors.insert(onoma::label_color(label));
    CHECK(colors.size() == labels.size());
  }
}

TEST_CASE("a label has one colour, and it is none of errors") {
  for (const char* label : {"PER", "ORG", "LOC", "", "ein sehr langer Name"}) {
    const int color = onoma::label_color(label);
    CHECK(color == onoma::label_color(label));
    CHECK(((color >= 32 && color <= 36) || (color >= 92 && color <= 97)));
  }
}

}  // namespace test::mark_tests
