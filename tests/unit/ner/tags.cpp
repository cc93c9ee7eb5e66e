/// Label sets, alignment with word pieces, decoding and conversion of tag schemes.
#include "support/random.hpp"

#include <onoma/data/sentence.hpp>
#include <onoma/ner/align.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::tags_tests {

using tags = std::vector<std::string>;

TEST_CASE("label sets are sorted, checked, and name what they do not know") {
  const std::vector<tags> sequences = {{"O", "B-PER"}, {"I-PER", "B-LOC", "O"}};
  const auto set = onoma::tag_set::from_tags(sequences);
  CHECK(set.labels() == tags{"B-LOC", "B-PER", "I-PER", "O"});
  CHECK(onoma::tag_set::from_tags(sequences, true).labels() ==
        tags{"B-LOC", "B-PER", "I-LOC", "I-PER", "O"});
  CHECK(set.id("I-PER") == 2);
  CHECK_FALSE(set.find("I-LOC").has_value());
  CHECK_THROWS_AS(static_cast<void>(set.id("B-X")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(set.label(4)), onoma::error);
  CHECK_THROWS_AS(onoma::tag_set(tags{}), onoma::error);
  CHECK_THROWS_AS(onoma::tag_set(tags{"O", ""}), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::tag_set::bio(tags{"A", "A"})), onoma::error);
}

TEST_CASE("two ids may have one name; the name stands for the later one") {
  const onoma::tag_set set(tags{"O", "B-A", "O"});
  CHECK(set.label(0) == "O");
  CHECK(set.label(2) == "O");
  CHECK(set.id("O") == 2);
  CHECK(set.size() == 3);
}

TEST_CASE("the first piece of a word gets its label") {
  const onoma::tag_set set(tags{"O", "B-PER", "I-PER", "B-X"});
  const std::vector<std::int32_t> labels = {1, 0, 3};
  const std::vector<std::int32_t> words = {-1, 0, 0, 1, 2, 2, -1};
  CHECK(onoma::align_labels(labels, words, set) ==
        std::vector<std::int32_t>{-100, 1, -100, 0, 3, -100, -100});
  // I-PER for the second piece of a B-PER word; B-X stays, since there is no I-X.
  CHECK(onoma::align_labels(labels, words, set, {.label_all_tokens = true}) ==
        std::vector<std::int32_t>{-100, 1, 2, 0, 3, 3, -100});
  CHECK_THROWS_AS(static_cast<void>(onoma::align_labels(labels, std::vector<std::int32_t>{3}, set)),
                  onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::align_labels(std::vector<std::int32_t>{4},
                                                        std::vector<std::int32_t>{0}, set)),
                  onoma::error);
}

TEST_CASE("decoding repairs and counts") {
  const tags sequence = {"I-PER", "I-PER", "O", "B-LOC", "I-PER", "B-PER", "I-PER", "B-PER"};
  const auto decoded = onoma::decode_bio(sequence);
  CHECK(decoded.repairs == 2);
  CHECK(decoded.entities == std::vector<onoma::entity_span>{
                                {0, 2, "PER"}, {3, 4, "LOC"}, {4, 5, "PER"}, {5, 7, "PER"}, {7, 8, "PER"}});
  CHECK(onoma::decode_bio(tags{"B-creative-work", "I-creative-work"}).entities.front().type ==
        "creative-work");
  // Heads of other schemes decode as well.
  CHECK(onoma::decode_bio(tags{"S-A", "S-A", "B-A", "E-A", "I-A"}).entities ==
        std::vector<onoma::entity_span>{{0, 1, "A"}, {1, 2, "A"}, {2, 4, "A"}, {4, 5, "A"}});
}

TEST_CASE("random entities survive BIO and back") {
  generator g(11);
  const char* types[] = {"PER", "LOC", "a-b"};
  for (int round = 0; round < 200; ++round) {
    std::vector<onoma::entity_span> entities;
    index_t at = 0;
    const index_t size = g.between(1, 20);
    while (at < size) {
      const index_t begin = at + g.between(0, 2);
      const index_t end = begin + g.between(1, 3);
      if (end > size) break;
      entities.push_back({begin, end, types[g.between(0, 2)]});
      at = end;
    }
    const auto bio = onoma::bio_tags(entities, size);
    const auto decoded = onoma::decode_bio(bio);
    CHECK(decoded.entities == entities);
    CHECK(decoded.repairs == 0);
    CHECK(onoma::strict_entities(bio, onoma::tag_scheme::iob2) == entities);
    CHECK(onoma::lenient_entities(bio) == entities);
  }
  const std::vector<onoma::entity_span> overlapping = {{0, 2, "A"}, {1, 3, "B"}};
  CHECK_THROWS_AS(static_cast<void>(onoma::bio_tags(overlapping, 3)), onoma::error);
}

TEST_CASE("other schemes become BIO, and nothing is lost") {
  const auto bio = [](const tags& from, onoma::tag_scheme scheme, index_t repairs) {
    const auto converted = onoma::to_bio(from, scheme);
    CHECK(converted.repairs == repairs);
    return converted.tags;
  };
  CHECK(bio({"I-A", "I-A", "B-A", "O", "I-B"}, onoma::tag_scheme::iob1, 0) ==
        tags{"B-A", "I-A", "B-A", "O", "B-B"});
  CHECK(bio({"U-A", "U-A", "B-B", "I-B", "L-B", "O"}, onoma::tag_scheme::bilou, 0) ==
        tags{"B-A", "B-A", "B-B", "I-B", "I-B", "O"});
  CHECK(bio({"S-A", "B-B", "E-B"}, onoma::tag_scheme::iobes, 0) == tags{"B-A", "B-B", "I-B"});
  // An entity that its scheme calls invalid stays one; the changed tags are counted.
  CHECK(bio({"B-A", "O", "I-B"}, onoma::tag_scheme::iobes, 2) == tags{"B-A", "O", "B-B"});
  CHECK_THROWS_AS(static_cast<void>(onoma::to_bio(tags{"S-A"}, onoma::tag_scheme::iob2)),
                  onoma::error);

  std::vector<onoma::sentence> data = {{{"a", "b"}, {"I-X", "I-X"}}, {{"c"}, {"O"}}};
  CHECK(onoma::convert_corpus(data, onoma::tag_scheme::iob1, onoma::tag_scheme::iob2).repairs == 0);
  CHECK(data[0].tags == tags{"B-X", "I-X"});
  data[1].tags = {"Z-X"};
  CHECK_THROWS_AS(onoma::convert_corpus(data, onoma::tag_scheme::iob2, onoma::tag_scheme::iob2), onoma::error);
  CHECK(data[0].tags == tags{"B-X", "I-X"});
}

TEST_CASE("schemes have names") {
  CHECK(onoma::tag_scheme_from_name("BIO") == onoma::tag_scheme::iob2);
  CHECK(onoma::tag_scheme_from_name("BILOU") == onoma::tag_scheme::bilou);
  CHECK_THROWS_AS(static_cast<void>(onoma::tag_scheme_from_name("bio")), onoma::error);
  for (const auto scheme : onoma::tag_schemes) CHECK(onoma::tag_scheme_from_name(onoma::to_string(scheme)) == scheme);
}

TEST_CASE("every scheme reads what it wrote") {
  const std::vector<onoma::entity_span> entities = {{0, 1, "A"}, {1, 3, "A"}, {4, 5, "B"}};
  for (const auto scheme : onoma::tag_schemes) {
    if (scheme == onoma::tag_scheme::io) continue;  // it cannot say that there are two As
    INFO(onoma::to_string(scheme));
    const auto converted = onoma::to_bio(onoma::encode_tags(entities, 6, scheme), scheme);
    CHECK(converted.tags == onoma::bio_tags(entities, 6));
    CHECK(converted.repairs == 0);
  }
}

}  // namespace test::tags_tests
