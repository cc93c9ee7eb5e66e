/// Scored spans to entities: which of them may stand beside each other, and from which score on.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A span of words with a label and how sure a model is of it.
struct scored_span {
  index_t begin = 0;       ///< first word
  index_t end = 0;         ///< behind the last word; above `begin`
  std::int32_t label = 0;  ///< id
  double score = 0.0;      ///< probability, say: the higher the surer

  bool operator==(const scored_span&) const = default;  ///< all of them
};

/// Which spans may stand beside each other.
enum class span_decoding {
  flat,    ///< no two share a word
  nested,  ///< two share words only where one holds all words of the other
  free,    ///< any
};

/// "flat", "nested" or "free".
[[nodiscard]] constexpr std::string_view to_string(span_decoding decoding) noexcept {
  switch (decoding) {
    case span_decoding::flat: return "flat";
    case span_decoding::nested: return "nested";
    case span_decoding::free: return "free";
  }
  return "?";
}

/// The other way. @throws onoma::error (invalid_argument) for another name.
[[nodiscard]] inline span_decoding span_decoding_from_name(std::string_view name) {
  for (const auto decoding : {span_decoding::flat, span_decoding::nested, span_decoding::free}) {
    if (name == to_string(decoding)) return decoding;
  }
  fail(error_code::invalid_argument, "decoding of spans", "flat, nested or free", "'" + std::string(name) + "'");
}

namespace detail {

/// Which spans were kept, as far as it says whether one more may stand beside them.
class kept_spans {
 public:
  kept_spans(span_decoding decoding, index_t words) : decoding_(decoding) {
    const auto size = static_cast<std::size_t>(words);
    if (decoding == span_decoding::flat) taken_.assign(size, false);
    if (decoding != span_decoding::nested) return;
    farthest_.assign(size, 0);
    nearest_.assign(size + 1, std::numeric_limits<index_t>::max());
  }

  /// Time in proportion to the words of the span.
  [[nodiscard]] bool allow(const scored_span& s) const {
    const auto at = [](const auto& values, index_t i) { return values[static_cast<std::size_t>(i)]; };
    if (decoding_ == span_decoding::flat) {
      for (index_t i = s.begin; i < s.end; ++i) {
        if (at(taken_, i)) return false;
      }
    } else if (decoding_ == span_decoding::nested) {
      for (index_t i = s.begin + 1; i < s.end; ++i) {
        // One begins inside and ends behind; or begins before and ends inside.
        if (at(farthest_, i) > s.end || at(nearest_, i) < s.begin) return false;
      }
    }
    return true;
  }
  void add(const scored_span& s) {
    if (decoding_ == span_decoding::flat) {
      std::fill(taken_.begin() + s.begin, taken_.begin() + s.end, true);
    } else if (decoding_ == span_decoding::nested) {
      auto& end = farthest_[static_cast<std::size_t>(s.begin)];
      auto& begin = nearest_[static_cast<std::size_t>(s.end)];
      end = std::max(end, s.end);
      begin = std::min(begin, s.begin);
    }
  }

 private:
  span_decoding decoding_;
  std::vector<bool> taken_;        // flat: by word
  std::vector<index_t> farthest_;  // nested: the last end of those that begin with a word
  std::vector<index_t> nearest_;   // nested: the first begin of those that end before a word
};

}  // namespace detail

/// Keeps spans in the order of their scores, each that may stand beside those that were kept before (as Yu et al.,
/// ACL 2020, section 3.2, do). Of equal scores, the span that begins first, then the longer one, then the lower label
/// comes first. A span that is there twice counts once. The result is in the order of the text, longer spans first,
/// and does not depend on the order of `candidates`.
/// @throws onoma::error (invalid_argument) for a span without words, or a score that is no number.
[[nodiscard]] inline std::vector<scored_span> decode_spans(std::vector<scored_span> candidates,
                                                           span_decoding decoding) {
  index_t words = 0;
  for (const auto& s : candidates) {
    check(s.begin >= 0 && s.begin < s.end && s.score == s.score, error_code::invalid_argument, "decoding of spans",
          "spans of words with a score", "another");
    words = std::max(words, s.end);
  }
  const auto place = [](const scored_span& s) { return std::tuple(s.begin, -s.end, s.label); };
  std::sort(candidates.begin(), candidates.end(), [&](const scored_span& a, const scored_span& b) {
    return a.score != b.score ? a.score > b.score : place(a) < place(b);
  });
  detail::kept_spans beside(decoding, words);
  std::vector<scored_span> kept;
  for (const auto& s : candidates) {
    if (!beside.allow(s)) continue;
    beside.add(s);
    kept.push_back(s);
  }
  // Of a span that is there twice, the one with the higher score comes first.
  std::sort(kept.begin(), kept.end(), [&](const scored_span& a, const scored_span& b) {
    return place(a) != place(b) ? place(a) < place(b) : a.score > b.score;
  });
  const auto same = [&](const scored_span& a, const scored_span& b) { return place(a) == place(b); };
  kept.erase(std::unique(kept.begin(), kept.end(), same), kept.end());
  return kept;
}

/// A span that was found, and whether it is right.
struct judged_span {
  std::int32_t label = 0;  ///< id
  double score = 0.0;      ///< as that of a `scored_span`
  bool right = false;      ///< whether it is one of those that should be found
};

/// For each label, the score from which on its spans should be kept: the one that gives the label's F1 its maximum on
/// these spans. `gold[l]` is how many spans of label l should be found. The threshold lies in the middle between
/// the last score that is kept and the first that is not (or 0); of several best ones, the highest. A label of which
/// no span is right gets `otherwise`. Each label is judged by itself: what one label's spans keep out of another's
/// was settled before, with whatever thresholds there were then.
/// @throws onoma::error (out_of_range) for a label that `gold` does not have.
[[nodiscard]] inline std::vector<double> best_thresholds(std::vector<judged_span> found, std::span<const index_t> gold,
                                                         double otherwise) {
  for (const auto& s : found) {
    check(s.label >= 0 && s.label < std::ssize(gold), error_code::out_of_range, "thresholds of labels",
          "ids of labels", "another");
  }
  std::sort(found.begin(), found.end(), [](const judged_span& a, const judged_span& b) {
    return std::tuple(a.label, -a.score) < std::tuple(b.label, -b.score);
  });
  std::vector<double> thresholds(gold.size(), otherwise);
  for (auto first = found.begin(); first != found.end();) {
    const auto label = first->label;
    const auto last = std::find_if(first, found.end(), [&](const auto& s) { return s.label != label; });
    double best = 0.0;
    index_t right = 0;
    for (auto s = first; s != last; ++s) {
      right += s->right ? 1 : 0;
      const double next = s + 1 == last ? 0.0 : (s + 1)->score;
      if (s + 1 != last && next == s->score) continue;  // both are kept, or neither
      const auto all = static_cast<double>(s - first + 1 + gold[static_cast<std::size_t>(label)]);
      const double f1 = 2.0 * static_cast<double>(right) / all;
      if (f1 <= best) continue;
      best = f1;
      thresholds[static_cast<std::size_t>(label)] = 0.5 * (s->score + next);
    }
    first = last;
  }
  return thresholds;
}

}  // namespace onoma::inline ONOMA_ABI
