/// A look at data: labels with counts, schemes, mistyped tags and what other data lack.
#include "support/data_dir.hpp"
#include "support/random.hpp"

#include <onoma/data/check.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/ner/convert.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace test::check_tests {
namespace {

using strings = std::vector<std::string>;
using onoma::tag_scheme;

/// Sentences of one word per tag, in lines of a file.
std::vector<onoma::sentence> tagged(const std::vector<strings>& sentences) {
  std::vector<onoma::sentence> all;
  index_t line = 1;
  for (const auto& tags : sentences) {
    all.push_back({strings(tags.size(), "w"), tags, false, line});
    line += static_cast<index_t>(tags.size()) + 1;
  }
  return all;
}

/// As many sentences of "O" and each of these tags.
std::vector<onoma::sentence> many(index_t count, const strings& tags) {
  return tagged(std::vector<strings>(static_cast<std::size_t>(count), tags));
}

bool says(const strings& remarks, const char* part) {
  return std::any_of(remarks.begin(), remarks.end(),
                     [&](const auto& remark) { return remark.find(part) != std::string::npos; });
}

}  // namespace

TEST_CASE("labels are counted, by tag and by type") {
  const auto check = onoma::check_corpus(tagged({{"O", "B-PER", "I-PER", "B-PER"}, {"O"}, {"I-LOC"}}));
  CHECK(check.sentences == 3);
  CHECK(check.words == 6);
  CHECK(check.tags.at("O").words == 2);
  CHECK(check.tags.at("I-LOC").line == 8);
  CHECK(check.types.at("PER").entities == 2);
  CHECK(check.types.at("PER").words == 3);
  CHECK(check.types.at("PER").line == 2);
  CHECK(says(check.remarks, "1 tag is not where IOB2 has it"));
  CHECK(onoma::check_corpus({}).remarks.empty());
  CHECK(onoma::check_corpus({{{"a"}, {}}}).words == 1);
}

TEST_CASE("good data have no remarks") {
  auto data = many(3, {"O", "B-PER", "I-PER", "B-LOC"});
  CHECK(onoma::check_corpus(data).remarks.empty());
  // Types may differ in a digit, be short, or be as frequent as their neighbours.
  for (const auto& types :
       {strings{"L1", "L2"}, strings{"AGE1", "AGE2"}, strings{"a", "b"}, strings{"FAC", "FAX"}}) {
    data = many(2, {"B-" + types[0]});
    const auto more = many(9, {"B-" + types[1]});
    if (types[0] != "FAC") data.insert(data.end(), more.begin(), more.end());
    data.push_back({{"w"}, {"B-" + types[1]}});
    INFO(types[0]);
    CHECK(onoma::check_corpus(data).remarks.empty());
  }
}

TEST_CASE("mistyped tags and types are named, with what may be meant and where") {
  const auto with = [](const strings& odd) {
    auto data = many(30, {"B-GPE", "I-GPE", "O"});
    data.push_back({odd, odd, false, 200});
    return onoma::check_corpus(data).remarks;
  };
  CHECK(says(with({"B-GEP"}), "the type 'GEP' (1 word, first in line 200) may be meant as 'GPE' (60 words)"));
  for (const char* type : {"GPE1", "GP"}) CHECK_FALSE(says(with({std::string("B-") + type}), "meant"));
  for (const char* type : {"GPX", "GPEE", "GGPE", "gpe", "Gpe", "G-PE"}) {
    INFO(type);
    CHECK(says(with({std::string("B-") + type}), "may be meant as 'GPE'"));
  }
  CHECK(says(with({"O", "B_GPE"}), "the tag 'B_GPE' (1 word, first in line 201) may be meant as 'B-GPE'"));
  CHECK(says(with({"b-GPE"}), "may be meant as 'B-GPE'"));
  CHECK(says(with({"o"}), "the tag 'o' (1 word, first in line 200) may be meant as 'O'"));
  CHECK(says(with({"0"}), "may be meant as 'O'"));
  CHECK(says(with({"GPE", "DATE"}), "2 words have labels without a prefix (DATE, GPE)"));
  CHECK(with({"O"}).empty());
}

TEST_CASE("schemes are told by prefixes and transitions") {
  generator g(3);
  const char* types[] = {"PER", "LOC"};
  for (const auto scheme : {tag_scheme::iob1, tag_scheme::iob2, tag_scheme::ioe1, tag_scheme::ioe2,
                            tag_scheme::iobes, tag_scheme::bilou, tag_scheme::bmewo}) {
    std::vector<onoma::sentence> data;
    for (int s = 0; s < 50; ++s) {
      std::vector<onoma::entity_span> entities;
      for (index_t at = g.between(0, 2); at < 10; at += g.between(0, 2)) {
        const index_t end = std::min<index_t>(10, at + g.between(1, 3));
        entities.push_back({at, end, types[g.between(0, 1)]});
        at = end;
      }
      data.push_back({strings(10, "w"), onoma::encode_tags(entities, 10, scheme)});
    }
    const auto guess = onoma::guess_scheme(data);
    INFO(onoma::to_string(scheme));
    REQUIRE(guess.scheme.has_value());
    CHECK(onoma::to_string(*guess.scheme) == onoma::to_string(scheme));
    CHECK(guess.misplaced == 0);
    CHECK(guess.foreign == 0);
    const auto remarks = onoma::check_corpus(data).remarks;
    CHECK(says(remarks, "convert them") == (scheme != tag_scheme::iob2));
    CHECK(remarks.size() == (scheme != tag_scheme::iob2 ? 1 : 0));
    CHECK(onoma::convert_corpus(data, *guess.scheme, onoma::tag_scheme::iob2).repairs == 0);
    CHECK(onoma::check_corpus(data).remarks.empty());
  }
}

TEST_CASE("what a scheme does not have is counted") {
  auto data = many(9, {"B-A", "I-A", "O"});
  data.push_back({{"w", "w", "w"}, {"I-A", "S-A", "x"}});
  auto guess = onoma::guess_scheme(data);
  CHECK(guess.scheme == tag_scheme::iobes);  // an S- is no slip of BIO
  data.back().tags = {"I-A", "O", "x"};
  guess = onoma::guess_scheme(data);
  CHECK(guess.scheme == tag_scheme::iob2);
  CHECK(guess.misplaced == 1);
  CHECK(guess.foreign == 1);
  CHECK_FALSE(onoma::guess_scheme(tagged({{"PER", "O"}})).scheme.has_value());
  CHECK_FALSE(onoma::guess_scheme(tagged({{"O"}})).scheme.has_value());
  const auto bmes = onoma::check_corpus(tagged({{"B-A", "M-A", "E-A", "S-A"}}));
  CHECK_FALSE(bmes.scheme.scheme.has_value());
  CHECK(says(bmes.remarks, "BMES"));
}

TEST_CASE("labels of other data that training data lack are named") {
  const auto train = onoma::check_corpus(many(9, {"B-GPE", "O"}));
  CHECK(onoma::compare_corpora(train, train).empty());
  const auto dev = onoma::check_corpus(tagged({{"O", "B-GEP"}, {"B-DATE", "I-DATE"}}));
  const auto remarks = onoma::compare_corpora(train, dev);
  REQUIRE(remarks.size() == 2);
  CHECK(remarks[0].find("the type 'DATE' (2 words, first in line 4) is not in the training data") == 0);
  CHECK(remarks[1].find("may be meant as 'GPE'") != std::string::npos);
  const auto other = onoma::check_corpus(many(3, {"I-GPE", "O"}));
  CHECK(says(onoma::compare_corpora(train, other), "IOB1, those of the training data in IOB2"));
}

TEST_CASE("a table of counts") {
  const auto train = onoma::check_corpus(many(12, {"B-GPE", "O"}));
  const auto dev = onoma::check_corpus(tagged({{"O", "B-DATE"}}));
  CHECK(onoma::count_table({{"train", train}, {"dev", dev}}) ==
        "entities     train      dev\n"
        "DATE             .        1\n"
        "GPE             12        .\n"
        "sentences       12        1\n");
}

TEST_CASE("corpora are what their descriptions say") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto check = [&](const char* file) {
    return onoma::check_corpus(onoma::read_conll(data / "corpora" / file));
  };
  CHECK(check("ewt/train.conll").remarks.empty());
  CHECK(check("btc/train_dev_test_conll/btc.train").remarks.empty());
  CHECK(check("crossner/ner_data/ai/train.txt").remarks.empty());
  CHECK(check("sec-filings/CONLL-format/data/train/FIN5.txt").scheme.scheme == tag_scheme::iob1);
  index_t orphans = 0;
  for (const char* part : {"cyner/train.txt", "cyner/valid.txt", "cyner/test.txt"}) {
    orphans += check(part).scheme.misplaced;
  }
  CHECK(orphans == 321);
}

}  // namespace test::check_tests
