/// Transitions of tag schemes against reading and writing every short sequence of tags.
#include <onoma/kernels/ref/crf.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/transitions.hpp>
#include <support/random.hpp>
#include <support/views.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

namespace test::transitions_tests {
namespace {

using onoma::tag_scheme;
using tags = std::vector<std::string>;

/// All tags of a scheme for two types, O first.
onoma::tag_set all_tags(tag_scheme scheme) {
  tags labels = {"O"};
  for (const char prefix : onoma::prefixes_of(scheme)) {
    if (prefix == 'O') continue;
    for (const char* type : {"-A", "-B"}) labels.push_back(prefix + std::string(type));
  }
  return onoma::tag_set(labels);
}

/// f(ids) for every sequence of `length` of so many tags.
template <class F>
void for_each_sequence(index_t labels, std::size_t length, F f) {
  std::vector<std::int32_t> ids(length, 0);
  for (;;) {
    f(ids);
    std::size_t at = 0;
    while (at < length && ++ids[at] == labels) ids[at++] = 0;
    if (at == length) return;
  }
}

tags names(const onoma::tag_set& set, const std::vector<std::int32_t>& ids) {
  tags found;
  for (const auto id : ids) found.push_back(set.label(id));
  return found;
}

bool allowed(const onoma::crf_rules& rules, const std::vector<std::int32_t>& ids) {
  bool all = rules.starts(ids.front()) && rules.ends(ids.back());
  for (std::size_t i = 1; i < ids.size(); ++i) all = all && rules.follows(ids[i - 1], ids[i]);
  return all;
}

}  // namespace

TEST_CASE("transitions allow just the sequences that a scheme writes") {
  for (const auto scheme : onoma::tag_schemes) {
    INFO(onoma::to_string(scheme));
    const auto set = all_tags(scheme);
    const auto transitions = onoma::transitions_of(set, scheme);
    index_t valid = 0;
    for (std::size_t length = 1; length <= 4; ++length) {
      for_each_sequence(set.size(), length, [&](const std::vector<std::int32_t>& ids) {
        const auto sequence = names(set, ids);
        // What a scheme writes is read without repairs.
        const bool expected = onoma::convert_tags(sequence, scheme, scheme).repairs == 0;
        valid += expected ? 1 : 0;
        if (allowed(transitions.rules(), ids) != expected) CHECK_MESSAGE(false, length << " " << sequence.back());
      });
    }
    CHECK(valid > 100);
  }
}

TEST_CASE("a chain that obeys the transitions of a scheme finds no invalid tags") {
  generator g(61);
  for (const auto scheme : onoma::tag_schemes) {
    const auto set = all_tags(scheme);
    const index_t labels = set.size();
    const auto transitions = onoma::transitions_of(set, scheme);
    const auto between = g.normals<double>(labels * labels);
    const auto border = g.normals<double>(labels);
    for (index_t words = 1; words < 12; ++words) {
      const auto emissions = g.normals<double>(words * labels, 3.0F);
      const onoma::ref::crf_sequence<double> sequence{
          {emissions.data(), words, labels},
          {{{between.data(), labels, labels}, view(border), view(border)}, transitions.rules()}, {}};
      std::vector<std::int32_t> ids(static_cast<std::size_t>(words));
      std::vector<double> score(1);
      onoma::ref::crf_n_best<double>(sequence, {ids.data(), 1, words}, view(score));
      CHECK(onoma::convert_tags(names(set, ids), scheme, scheme).repairs == 0);
    }
  }
}

TEST_CASE("schemes become one another; borders that are lost are counted") {
  // Every valid sequence of four words, from every scheme to every other and back.
  for (const auto from : onoma::tag_schemes) {
    const auto set = all_tags(from);
    const auto rules = onoma::transitions_of(set, from);
    for (const auto to : onoma::tag_schemes) {
      INFO(onoma::to_string(from) << " to " << onoma::to_string(to));
      index_t wrong = 0;
      for_each_sequence(set.size(), 4, [&](const std::vector<std::int32_t>& ids) {
        if (!allowed(rules.rules(), ids)) return;
        const auto sequence = names(set, ids);
        const auto there = onoma::convert_tags(sequence, from, to);
        const auto back = onoma::convert_tags(there.tags, to, from);
        wrong += there.repairs + back.repairs;
        wrong += (there.lost == 0) != (back.tags == sequence) ? 1 : 0;
        wrong += to != tag_scheme::io && there.lost != 0 ? 1 : 0;
      });
      CHECK(wrong == 0);
    }
  }
  const auto io = onoma::convert_tags(tags{"B-A", "B-A", "B-B", "B-A", "I-A", "O", "B-A"}, tag_scheme::iob2,
                                      tag_scheme::io);
  CHECK(io.tags == tags{"I-A", "I-A", "I-B", "I-A", "I-A", "O", "I-A"});
  CHECK(io.lost == 1);
}

TEST_CASE("entities of the schemes that seqeval does not have") {
  const std::vector<onoma::entity_span> expected = {{0, 1, "A"}, {1, 4, "A"}, {5, 7, "B"}};
  CHECK(onoma::strict_entities(tags{"W-A", "B-A", "M-A", "E-A", "O", "B-B", "E-B"}, tag_scheme::bmewo) == expected);
  CHECK(onoma::strict_entities(tags{"B-A", "M-A", "O"}, tag_scheme::bmewo).empty());
  const std::vector<onoma::entity_span> merged = {{0, 2, "A"}, {2, 3, "B"}};
  CHECK(onoma::strict_entities(tags{"I-A", "I-A", "I-B", "O"}, tag_scheme::io) == merged);
}

TEST_CASE("tags that a scheme does not have are refused, and labels that leave no path") {
  const auto message = [](tags labels, tag_scheme scheme) -> std::string {
    try {
      static_cast<void>(onoma::transitions_of(onoma::tag_set(std::move(labels)), scheme));
    } catch (const onoma::error& e) {
      return e.what();
    }
    return "no error";
  };
  CHECK(message({"O", "S-A"}, tag_scheme::iob2) ==
        "transitions of IOB2: invalid argument: expected O, or a prefix of IOB, a hyphen and a type, found 'S-A'");
  CHECK(message({"O", "PER"}, tag_scheme::iob2).find("found 'PER'") != std::string::npos);
  CHECK(message({"O", "PER"}, tag_scheme::io) == "no error");
  CHECK(message({"B-A", "E-A"}, tag_scheme::iobes) ==
        "transitions of IOBES: invalid argument: expected a tag that can stand alone, such as O, found none");
  CHECK(message({"S-A", "B-A"}, tag_scheme::iobes) == "no error");  // B- never stands in a path
}

TEST_CASE("beside words of unknown tag a tag is converted where all that these may have agree, else it is unknown") {
  const std::string unknown(onoma::unknown_tag);
  for (const auto from : onoma::tag_schemes) {
    const auto set = all_tags(from);
    const auto transitions = onoma::transitions_of(set, from);
    for (const auto to : onoma::tag_schemes) {
      INFO(onoma::to_string(from), " to ", onoma::to_string(to));
      // What each word becomes in all sequences of the scheme that agree with the known tags.
      std::map<tags, std::vector<std::set<std::string>>> possible;
      for_each_sequence(set.size(), 3, [&](const std::vector<std::int32_t>& ids) {
        if (!allowed(transitions.rules(), ids)) return;
        const auto whole = names(set, ids);
        const auto converted = onoma::convert_tags(whole, from, to).tags;
        for (unsigned mask = 0; mask < 8; ++mask) {
          auto some = whole;
          for (std::size_t i = 0; i < some.size(); ++i) {
            if ((mask >> i & 1U) != 0) some[i] = unknown;
          }
          auto& found = possible[some];
          found.resize(some.size());
          for (std::size_t i = 0; i < some.size(); ++i) found[i].insert(converted[i]);
        }
      });
      for (const auto& [some, found] : possible) {
        tags expected;
        index_t became_unknown = 0;
        for (std::size_t i = 0; i < some.size(); ++i) {
          const bool is_known = some[i] != unknown;
          expected.push_back(is_known && found[i].size() == 1 ? *found[i].begin() : unknown);
          became_unknown += is_known && found[i].size() > 1 ? 1 : 0;
        }
        const auto converted = onoma::convert_tags(some, from, to);
        INFO(some[0], " ", some[1], " ", some[2]);
        CHECK(converted.tags == expected);
        CHECK(converted.unknown == became_unknown);
        CHECK(converted.repairs == 0);
      }
    }
  }
  // No tag of the unknown word makes this one right.
  CHECK(onoma::convert_tags(tags{"O", "I-A", unknown}, tag_scheme::iob2, tag_scheme::iob2).repairs == 1);
}

TEST_CASE("words of unknown tag do not change what scheme a corpus is in") {
  struct with_tags {
    test::transitions_tests::tags tags;
  };
  const std::vector<with_tags> iob2 = {{{"-", "I-A", "O", "B-A"}}, {{"-", "I-A", "-", "I-A", "-"}}};
  const auto guess = onoma::guess_scheme(iob2);
  CHECK(guess.scheme == tag_scheme::iob2);
  CHECK(guess.foreign == 0);
  CHECK(guess.misplaced == 0);
}

TEST_CASE("words are decoded to the entities that a scheme wrote, and what breaks its rules is counted") {
  for (const auto scheme : onoma::tag_schemes) {
    const auto set = all_tags(scheme);
    const auto transitions = onoma::transitions_of(set, scheme);
    for_each_sequence(set.size(), 3, [&](const std::vector<std::int32_t>& ids) {
      const auto written = names(set, ids);
      INFO(onoma::to_string(scheme), " ", written[0], " ", written[1], " ", written[2]);
      onoma::aggregate_options how;
      how.rules = &transitions;
      onoma::aggregator entities("a b c", set, how);
      for (index_t w = 0; w < 3; ++w) {
        entities.add(onoma::word_label{w, ids[static_cast<std::size_t>(w)], 0.5F, {2 * w, 2 * w + 1}});
      }
      const auto found = std::move(entities).finish();
      const bool valid = allowed(transitions.rules(), ids);
      CHECK((found.repairs == 0) == valid);
      if (!valid) return;
      const auto bio = onoma::convert_tags(written, scheme, tag_scheme::iob2).tags;
      const auto expected = onoma::strict_entities(bio, tag_scheme::iob2);
      REQUIRE(found.entities.size() == expected.size());
      for (std::size_t e = 0; e < expected.size(); ++e) {
        CHECK(found.entities[e].first == expected[e].begin);
        CHECK(found.entities[e].last == expected[e].end - 1);
        CHECK(found.entities[e].label == expected[e].type);
      }
    });
  }
}

}  // namespace test::transitions_tests
