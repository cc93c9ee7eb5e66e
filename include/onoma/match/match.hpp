/// What rules and gazetteers find, which of it is kept, and how it goes together with what a model
/// found.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/ner/entity.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A place in a document where a rule or an entry of a gazetteer matches.
struct match {
  byte_span bytes;           ///< of the document's text
  index_t length = 0;        ///< words that it touches; bytes where the document has no words
  index_t first = 0;         ///< the first word that it touches, with `length`
  std::string_view label{};  ///< lives as long as what found it
  std::string_view id{};     ///< the rule's or entry's name; may be empty
  entity_source source = entity_source::unstated;  ///< what found it
};

/// What becomes of matches where a model's entities are.
enum class match_policy {
  before,  ///< matches as if no model had run; of the model's entities those stay that touch none
  after,   ///< the model's entities stay; matches that touch one are not there
  overriding,  ///< matches as after the model; its entities that touch one are dropped
  only,        ///< matches, and none of the model's entities
};

/// "before", "after", "override" or "only". @throws onoma::error (invalid_argument) naming these.
[[nodiscard]] inline match_policy match_policy_from_name(std::string_view name) {
  if (name == "before") return match_policy::before;
  if (name == "after") return match_policy::after;
  if (name == "override") return match_policy::overriding;
  if (name == "only") return match_policy::only;
  fail(error_code::invalid_argument, "the policy of rules", "before, after, override or only",
       "'" + std::string(name) + "'");
}

/// Fills in the lengths of matches of `d` that have none: how many of its words each touches, or
/// its bytes.
inline void measure_matches(const document& d, std::vector<match>& matches) {
  for (auto& m : matches) {
    if (m.length != 0) continue;
    m.length = m.bytes.size();
    if (d.words.empty()) continue;
    const auto first = std::partition_point(
        d.words.begin(), d.words.end(), [&](byte_span word) { return word.end <= m.bytes.begin; });
    const auto behind = std::partition_point(
        first, d.words.end(), [&](byte_span word) { return word.begin < m.bytes.end; });
    m.first = first - d.words.begin();
    m.length = behind - first;
  }
}

/// Keeps the longest match, of equally long ones the first in the text, of several at one place the
/// one that comes first in `matches`; then the longest of those that do not overlap it, and so on:
/// spaCy's `filter_spans` (spacy/util.py). Those that touch one of `taken` are dropped first. The
/// result is in the order of the text. Precondition: 0 <= begin <= end for each.
inline void choose_matches(std::vector<match>& matches, const std::vector<entity>& taken = {}) {
  sort_stably(matches.begin(), matches.end(), [](const match& a, const match& b) {
    return a.length != b.length ? a.length > b.length : a.bytes.begin < b.bytes.begin;
  });
  index_t size = 0;
  for (const auto& m : matches) size = std::max(size, m.bytes.end);
  std::vector<char> used(static_cast<std::size_t>(size), 0);  // bytes of what is taken or kept
  const auto at = [&](index_t byte) { return used.begin() + std::min(byte, size); };
  for (const auto& e : taken) std::fill(at(e.span.bytes.begin), at(e.span.bytes.end), char{1});
  std::size_t kept = 0;
  for (const auto& m : matches) {
    const auto end = at(m.bytes.end);
    if (m.bytes.empty() || std::find(at(m.bytes.begin), end, char{1}) != end) continue;
    std::fill(at(m.bytes.begin), end, char{1});
    matches[kept++] = m;
  }
  matches.resize(kept);
  std::sort(matches.begin(), matches.end(),
            [](const match& a, const match& b) { return a.bytes.begin < b.bytes.begin; });
}

/// Puts what rules and gazetteers found in a document beside the entities that stand there, which
/// are a model's: chosen by `choose_matches`, together by the policy. Each entity says what found
/// it; a match has the score 1. The result is in the order of the text, and overlaps only where the
/// model's own entities do. `matches` become those that are kept.
/// @throws onoma::error (out_of_range) for a match that is not of the text; as `complete_spans`.
inline void add_matches(document& d, std::vector<match>& matches, match_policy policy) {
  for (const auto& m : matches) {
    if (m.bytes.begin >= 0 && m.bytes.begin <= m.bytes.end &&
        m.bytes.end <= static_cast<index_t>(d.text.size())) {
      continue;
    }
    fail(error_code::out_of_range, "adding matches", "places of the document's text",
         std::to_string(m.bytes.begin) + " to " + std::to_string(m.bytes.end));
  }
  if (policy == match_policy::only) d.spans.clear();
  for (auto& e : d.spans) {
    if (e.source == entity_source::unstated) e.source = entity_source::model;
  }
  measure_matches(d, matches);
  choose_matches(matches, policy == match_policy::after ? d.spans : std::vector<entity>{});
  std::erase_if(d.spans, [&](const entity& e) {
    const auto next = std::partition_point(matches.begin(), matches.end(), [&](const match& m) {
      return m.bytes.end <= e.span.bytes.begin;
    });
    return next != matches.end() && next->bytes.begin < e.span.bytes.end;
  });
  const bool with_others = !d.spans.empty();
  d.spans.reserve(d.spans.size() + matches.size());
  const offset_map places(matches.empty() ? std::string_view() : std::string_view(d.text));
  for (const auto& m : matches) {
    auto& e = d.spans.emplace_back();
    e.text.assign(d.text, static_cast<std::size_t>(m.bytes.begin),
                  static_cast<std::size_t>(m.bytes.size()));
    e.label = m.label;
    e.id = m.id;
    e.source = m.source;
    e.score = 1.0;
    e.span = places.span(m.bytes);
    if (d.words.empty()) continue;
    e.first = m.first;
    e.last = m.first + m.length - 1;
  }
  if (!with_others) return;
  sort_stably(d.spans.begin(), d.spans.end(), [](const entity& a, const entity& b) {
    return a.span.bytes.begin < b.span.bytes.begin;
  });
  if (!matches.empty()) complete_spans(d);
}

}  // namespace onoma::inline ONOMA_ABI
