/// Documents: spans in every unit, tags as a view of them, and sentences that come back as they were.
#include "support/data_dir.hpp"
#include "support/random.hpp"

#include <onoma/data/conll.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/data/tag_view.hpp>

#include <doctest/doctest.h>

#include <span>
#include <string>
#include <utility>
#include <vector>

namespace test::document_tests {
namespace {

using strings = std::vector<std::string>;

onoma::entity span(index_t begin, index_t end, const char* label) {
  onoma::entity e;
  e.label = label;
  e.span.bytes = {begin, end};
  return e;
}

onoma::error_code code_of(const onoma::document& d) {
  try {
    static_cast<void>(onoma::tags_of(d));
  } catch (const onoma::error& e) {
    return e.code();
  }
  return {};
}

void check_same(const onoma::sentence& a, const onoma::sentence& b) {
  CHECK(a.words == b.words);
  CHECK(a.tags == b.tags);
  CHECK(a.begins_document == b.begins_document);
  CHECK(a.line == b.line);
}

}  // namespace

TEST_CASE("what follows from the bytes of a span is filled in") {
  onoma::document d{.text = "\xC3\x89va \xF0\x9F\x98\x80 M\xC3\xBCller", .words = {{0, 4}, {5, 9}, {10, 17}}};
  d.spans = {span(0, 17, "PER"), span(5, 9, "X"), span(11, 11, "Y")};
  onoma::complete_spans(d);
  CHECK(d.spans[0].text == d.text);
  CHECK(d.spans[0].span.code_points == onoma::byte_span{0, 12});
  CHECK(d.spans[0].span.utf16 == onoma::byte_span{0, 13});
  CHECK(d.spans[0].first == 0);
  CHECK(d.spans[0].last == 2);
  CHECK(d.spans[1].text == "\xF0\x9F\x98\x80");
  CHECK(d.spans[1].first == 1);
  CHECK(d.spans[1].last == 1);
  onoma::document joined{
      .text = "ab", .spans = {span(0, 1, "X"), span(1, 2, "X")}, .words = {{0, 1}, {1, 2}}};
  onoma::complete_spans(joined);
  CHECK(std::pair(joined.spans[0].first, joined.spans[0].last) == std::pair<index_t, index_t>(0, 0));
  CHECK(std::pair(joined.spans[1].first, joined.spans[1].last) == std::pair<index_t, index_t>(1, 1));
  for (const auto& bad :
       {span(1, 4, "X"), span(-1, 2, "X"), span(0, 18, "X"), span(4, 2, "X"), span(0, 6, "X")}) {
    auto other = d;
    other.spans.push_back(bad);
    CHECK_THROWS_AS(onoma::complete_spans(other), onoma::error);
  }
  for (const auto& words :
       {std::vector<onoma::byte_span>{{0, 4}, {2, 5}}, {{5, 9}, {0, 4}}, {{0, 99}}, {{0, 1}}}) {
    auto other = d;
    other.words = words;
    CHECK_THROWS_AS(onoma::complete_spans(other), onoma::error);
  }
  onoma::document broken{.text = "\xFF"};
  CHECK_THROWS_AS(onoma::complete_spans(broken), onoma::error);
}

TEST_CASE("tags are a view; what they cannot say is left out and named") {
  //                        0123456789012345678
  onoma::document d{.text = "University of Oslo.", .words = {{0, 10}, {11, 13}, {14, 18}, {18, 19}}};
  d.spans = {span(14, 18, "LOC")};
  CHECK(onoma::tags_of(d) == strings{"O", "O", "B-LOC", "O"});
  CHECK(onoma::tags_of(d, onoma::tag_scheme::bilou) == strings{"O", "O", "U-LOC", "O"});
  d.spans = {span(13, 18, "LOC")};  // white space at its border
  CHECK(onoma::tags_of(d) == strings{"O", "O", "B-LOC", "O"});

  // Nested, cut and empty ones: the longest stays, of equal ones the first.
  d.spans = {span(14, 18, "LOC"), span(0, 18, "ORG"), span(0, 18, "UNI"),
             span(0, 3, "X"),     span(13, 14, "Y"),  span(18, 19, "Z")};
  const auto view = onoma::view_tags(d);
  CHECK(view.tags == strings{"B-ORG", "I-ORG", "I-ORG", "B-Z"});
  CHECK(view.left_out == std::vector<std::size_t>{0, 2, 3, 4});
  CHECK(code_of(d) == onoma::error_code::unsupported);
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::tags_of(d)),
                       doctest::Contains("LOC at bytes 14 to 18 (4 of 6 spans)"), onoma::error);
  d.spans = {span(14, 18, "")};
  CHECK(code_of(d) == onoma::error_code::invalid_argument);
  d.spans.clear();
  d.words.clear();
  CHECK(code_of(d) == onoma::error_code::invalid_argument);
  CHECK(onoma::tags_of(onoma::document{}).empty());
}

TEST_CASE("a sentence as a document: its words, its entities and its place") {
  const onoma::sentence s{
      {"Jane", "Doe", "met", "Bob", "Roe"}, {"B-PER", "I-PER", "O", "B-PER", "B-PER"}, true, 7};
  const auto d = onoma::to_document(s, "a.conll");
  CHECK(d.text == "Jane Doe met Bob Roe");
  REQUIRE(d.spans.size() == 3);
  CHECK(d.spans[0].text == "Jane Doe");
  CHECK(d.spans[0].label == "PER");
  CHECK(d.spans[0].score == 1.0);
  CHECK(d.spans[0].first == 0);
  CHECK(d.spans[0].last == 1);
  CHECK(d.spans[2].span.utf16 == onoma::byte_span{17, 20});
  CHECK(d.origin.file == "a.conll");
  CHECK(d.origin.line == 7);
  CHECK_FALSE(d.continues);
  check_same(onoma::to_sentence(d), s);
  // Without tags, and with tags of any scheme, valid or not.
  CHECK(onoma::to_document({{"a", "b"}, {}}).spans.empty());
  CHECK(onoma::to_sentence(onoma::to_document({{"a", "b", "c"}, {"I-X", "I-X", "I-Y"}})).tags ==
        strings{"B-X", "I-X", "B-Y"});
  CHECK(onoma::to_sentence(onoma::to_document({{"a", "b", "c"}, {"U-X", "B-X", "L-X"}}),
                           onoma::tag_scheme::bilou)
            .tags == strings{"U-X", "B-X", "L-X"});
  CHECK_THROWS_AS(static_cast<void>(onoma::to_document({{"a"}, {"O", "O"}})), onoma::error);
}

TEST_CASE("random sentences come back to the last empty word") {
  generator g(5);
  const char* words[] = {"a", "", "New York", "\xE6\x9D\xB1", " ", "-"};
  const char* types[] = {"PER", "LOC", "a-b c"};
  for (int round = 0; round < 500; ++round) {
    onoma::sentence s;
    s.begins_document = g.between(0, 1) == 1;
    s.line = g.between(0, 9);
    std::vector<onoma::entity_span> entities;
    const index_t size = g.between(0, 9);
    for (index_t i = 0; i < size; ++i) s.words.emplace_back(words[g.between(0, 5)]);
    for (index_t at = g.between(0, 2); at < size; at += g.between(0, 1)) {
      const index_t end = std::min(size, at + g.between(1, 3));
      entities.push_back({at, end, types[g.between(0, 2)]});
      at = end;
    }
    s.tags = onoma::bio_tags(entities, size);
    check_same(onoma::to_sentence(onoma::to_document(s)), s);
  }
}

TEST_CASE("words are cut where spans begin or end inside of them") {
  using spans = std::vector<onoma::byte_span>;
  const std::vector<onoma::entity> entities = {span(3, 5, "X"), span(0, 9, "Y"), span(12, 14, "Z")};
  CHECK(onoma::cut_words(spans{{0, 9}, {9, 9}, {10, 13}, {14, 15}}, entities) ==
        spans{{0, 3}, {3, 5}, {5, 9}, {10, 12}, {12, 13}, {14, 15}});
  onoma::document d{.text = "Preinstall it"};
  d.spans = {span(3, 5, "X"), span(0, 10, "Y")};
  CHECK_THROWS_AS(static_cast<void>(onoma::make_sentence(d, spans{{0, 10}})), onoma::error);
  d.spans.pop_back();
  CHECK(onoma::make_sentence(d, spans{{0, 10}, {11, 13}}).words == strings{"Pre", "in", "stall", "it"});
}

TEST_CASE("nested spans are scored as they are") {
  std::vector<onoma::document> gold(2, onoma::document{.text = "University of Oslo"});
  gold[0].spans = {span(0, 18, "ORG"), span(14, 18, "LOC"), span(14, 18, "GPE")};
  gold[1].spans = {span(14, 18, "LOC")};
  auto found = gold;
  found[0].spans = {span(14, 18, "GPE"), span(14, 18, "LOC")};
  found[1].spans = {span(13, 18, "LOC")};
  const auto report = onoma::evaluate(std::span<const onoma::document>(gold), found);
  CHECK(report.micro.correct == 2);
  CHECK(report.micro.support == 4);
  CHECK(report.micro.predicted == 3);
  CHECK(report.sentences == 2);
  found[1].text += ".";
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate(std::span<const onoma::document>(gold), found)),
                  onoma::error);
  found.pop_back();
  CHECK_THROWS_AS(static_cast<void>(onoma::evaluate(std::span<const onoma::document>(gold), found)),
                  onoma::error);
}

TEST_CASE("sentences of corpora are documents without loss") {
  ONOMA_REQUIRE_DATA_DIR(data);
  for (const char* file :
       {"ewt/dev.conll", "btc/train_dev_test_conll/btc.dev", "uner/zh-gsd/zh_gsd-ud-dev.iob2"}) {
    index_t changed = 0;
    for (const auto& s : onoma::read_conll(data / "corpora" / file)) {
      const auto back = onoma::to_sentence(onoma::to_document(s));
      REQUIRE(back.words == s.words);
      REQUIRE(onoma::lenient_entities(back.tags) == onoma::lenient_entities(s.tags));
      changed += back.tags == s.tags ? 0 : 1;
    }
    CHECK(changed == 0);
  }
}

}  // namespace test::document_tests
