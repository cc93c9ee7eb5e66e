/// Decoding of spans against every set of spans, and thresholds against every threshold.
#include "support/random.hpp"

#include <onoma/core/error.hpp>
#include <onoma/ner/span_decode.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace test::span_decode_tests {
namespace {

using onoma::decode_spans;
using onoma::judged_span;
using onoma::scored_span;
using onoma::span_decoding;

constexpr span_decoding decodings[] = {span_decoding::flat, span_decoding::nested, span_decoding::free};

/// By the definition of each decoding.
bool may_stand_beside(const scored_span& a, const scored_span& b, span_decoding decoding) {
  const bool share = a.begin < b.end && b.begin < a.end;
  const bool holds = (a.begin <= b.begin && b.end <= a.end) || (b.begin <= a.begin && a.end <= b.end);
  return decoding == span_decoding::free || !share || (decoding == span_decoding::nested && holds);
}

bool ranks_before(const scored_span& a, const scored_span& b) {
  if (a.score != b.score) return a.score > b.score;
  if (a.begin != b.begin) return a.begin < b.begin;
  if (a.end != b.end) return a.end > b.end;
  return a.label < b.label;
}

/// Of all sets whose spans may stand beside each other, the one that has the first span in which it differs from
/// another, in the order of ranks.
std::vector<scored_span> best_set(std::vector<scored_span> spans, span_decoding decoding) {
  std::sort(spans.begin(), spans.end(), ranks_before);
  std::uint32_t best = 0;
  const auto count = static_cast<std::uint32_t>(spans.size());
  for (std::uint32_t set = 0; set < (1U << count); ++set) {
    bool fits = true;
    for (std::uint32_t a = 0; a < count; ++a) {
      for (std::uint32_t b = 0; b < a; ++b) {
        const bool both = (set >> (count - 1 - a) & 1U) != 0 && (set >> (count - 1 - b) & 1U) != 0;
        fits = fits && (!both || may_stand_beside(spans[a], spans[b], decoding));
      }
    }
    if (fits) best = std::max(best, set);  // the first rank is the highest bit
  }
  std::vector<scored_span> kept;
  for (std::uint32_t a = 0; a < count; ++a) {
    if ((best >> (count - 1 - a) & 1U) != 0) kept.push_back(spans[a]);
  }
  std::sort(kept.begin(), kept.end(), [](const scored_span& a, const scored_span& b) {
    if (a.begin != b.begin) return a.begin < b.begin;
    return a.end != b.end ? a.end > b.end : a.label < b.label;
  });
  return kept;
}

}  // namespace

TEST_CASE("decoding keeps the best of all sets of spans, whatever their order") {
  generator g(81);
  for (int round = 0; round < 300; ++round) {
    std::vector<scored_span> spans;
    for (index_t i = g.between(0, 9); i > 0; --i) {
      const index_t begin = g.between(0, 7);
      scored_span s{begin, begin + g.between(1, 5), static_cast<std::int32_t>(g.between(0, 2)),
                    static_cast<double>(g.between(1, 4)) / 4.0};  // with ties
      const auto same = [&](const scored_span& o) {
        return o.begin == s.begin && o.end == s.end && o.label == s.label;
      };
      if (std::none_of(spans.begin(), spans.end(), same)) spans.push_back(s);
    }
    for (const auto decoding : decodings) {
      INFO("round " << round << " " << onoma::to_string(decoding));
      const auto expected = best_set(spans, decoding);
      CHECK(decode_spans(spans, decoding) == expected);
      auto turned = spans;
      std::reverse(turned.begin(), turned.end());
      CHECK(decode_spans(turned, decoding) == expected);
    }
  }
}

TEST_CASE("nested spans stay, crossing ones do not") {
  const std::vector<scored_span> spans = {
      {0, 4, 1, 0.9}, {1, 3, 2, 0.8}, {3, 6, 1, 0.7}, {1, 3, 3, 0.6}, {5, 6, 1, 0.5}};
  const auto kept = [&](span_decoding decoding) {
    std::string text;
    for (const auto& s : decode_spans(spans, decoding)) {
      text += std::to_string(s.begin) + "-" + std::to_string(s.end) + ":" + std::to_string(s.label) + " ";
    }
    return text;
  };
  CHECK(kept(span_decoding::flat) == "0-4:1 5-6:1 ");
  CHECK(kept(span_decoding::nested) == "0-4:1 1-3:2 1-3:3 5-6:1 ");
  CHECK(kept(span_decoding::free) == "0-4:1 1-3:2 1-3:3 3-6:1 5-6:1 ");
}

TEST_CASE("a span that is there twice counts once, with its higher score") {
  for (const auto decoding : decodings) {
    CHECK(decode_spans({{2, 3, 1, 0.4}, {2, 3, 1, 0.6}}, decoding) == std::vector<scored_span>{{2, 3, 1, 0.6}});
  }
}

TEST_CASE("decodings have names, and what is no span is refused") {
  for (const auto decoding : decodings) CHECK(onoma::span_decoding_from_name(to_string(decoding)) == decoding);
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::span_decoding_from_name("deep")),
                       "decoding of spans: invalid argument: expected flat, nested or free, found 'deep'",
                       onoma::error);
  const std::vector<scored_span> wrong[] = {{{1, 1, 0, 0.5}}, {{-1, 1, 0, 0.5}}, {{0, 1, 0, 0.0 / 0.0}}};
  for (const auto& spans : wrong) {
    CHECK_THROWS_AS(static_cast<void>(decode_spans(spans, span_decoding::flat)), onoma::error);
  }
}

TEST_CASE("thresholds give each label its best F1 of all thresholds") {
  generator g(82);
  for (int round = 0; round < 200; ++round) {
    constexpr index_t labels = 3;
    std::vector<judged_span> found;
    std::vector<index_t> gold(labels);
    for (auto& count : gold) count = g.between(0, 3);
    for (index_t i = g.between(0, 20); i > 0; --i) {
      judged_span s{static_cast<std::int32_t>(g.between(0, labels - 1)), static_cast<double>(g.between(1, 8)) / 10.0,
                    g.between(0, 2) == 0};
      gold[static_cast<std::size_t>(s.label)] += s.right ? 1 : 0;
      found.push_back(s);
    }
    const auto kept = [&](index_t label, double threshold) {
      return std::count_if(found.begin(), found.end(),
                           [&](const auto& s) { return s.label == label && s.score >= threshold; });
    };
    const auto f1 = [&](index_t label, double threshold) {
      const auto right = std::count_if(found.begin(), found.end(), [&](const auto& s) {
        return s.label == label && s.score >= threshold && s.right;
      });
      const auto sum = static_cast<double>(kept(label, threshold) + gold[static_cast<std::size_t>(label)]);
      return sum > 0.0 ? 2.0 * static_cast<double>(right) / sum : 0.0;
    };
    const auto chosen = onoma::best_thresholds(found, gold, 0.37);
    for (index_t label = 0; label < labels; ++label) {
      const double threshold = chosen[static_cast<std::size_t>(label)];
      double best = 0.0;
      double highest = 0.0;
      for (int step = 19; step >= 0; --step) {
        const double at = static_cast<double>(step) / 20.0 + 0.001;  // between all scores
        if (f1(label, at) <= best) continue;
        best = f1(label, at);
        highest = at;
      }
      INFO("round " << round << " label " << label << " threshold " << threshold);
      if (best == 0.0) {
        CHECK(threshold == 0.37);
      } else {
        CHECK(f1(label, threshold) == best);
        CHECK(kept(label, threshold) == kept(label, highest));
      }
    }
  }
  CHECK(onoma::best_thresholds({{0, 0.8, true}, {0, 0.4, false}}, std::vector<index_t>{1}, 0.5) ==
        std::vector<double>{0.5 * (0.8 + 0.4)});
  CHECK_THROWS_AS(static_cast<void>(onoma::best_thresholds({{2, 0.5, true}}, std::vector<index_t>{1}, 0.5)),
                  onoma::error);
}

}  // namespace test::span_decode_tests
