/// Scores of spans that may overlap and nest: found documents against true ones.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/ner/metrics.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Scores the spans of documents: one is right where its bytes and its label are those of a true span. No
/// tags are made, so nothing is lost that tags cannot say. `ner_report::sentences` counts documents.
/// @throws onoma::error (shape_mismatch) for another number of documents, or another text; (invalid_argument)
/// as `evaluate_entities`.
[[nodiscard]] inline ner_report evaluate(std::span<const document> gold, std::span<const document> predicted,
                                         double zero_division = 0.0) {
  if (gold.size() != predicted.size()) {
    fail(error_code::shape_mismatch, "evaluate", std::to_string(gold.size()) + " documents",
         std::to_string(predicted.size()));
  }
  std::vector<entity_span> expected;
  std::vector<entity_span> found;
  index_t offset = 0;
  const auto collect = [&](const document& d, std::vector<entity_span>& all) {
    for (const auto& e : d.spans)
      all.push_back({offset + e.span.bytes.begin, offset + e.span.bytes.end, e.label});
  };
  for (std::size_t i = 0; i < gold.size(); ++i) {
    if (gold[i].text != predicted[i].text) {
      fail(error_code::shape_mismatch, "evaluate: document " + std::to_string(i + 1),
           "the same text on both sides", "another one");
    }
    collect(gold[i], expected);
    collect(predicted[i], found);
    offset += static_cast<index_t>(gold[i].text.size()) + 1;
  }
  auto report = evaluate_entities(std::move(expected), std::move(found), zero_division);
  report.sentences = static_cast<index_t>(gold.size());
  return report;
}

/// How many of the spans that stand inside of others were found, and how many of those that do not.
struct nesting_recall {
  index_t inner = 0;        ///< true spans that stand inside of another true span, not of the same bytes
  index_t inner_found = 0;  ///< of these, found with their label
  index_t outer = 0;        ///< all other true spans
  index_t outer_found = 0;  ///< of these
};

/// Counts both. A span that is there twice counts once.
/// @throws onoma::error (shape_mismatch) for another number of documents.
[[nodiscard]] inline nesting_recall nesting_recall_of(std::span<const document> gold,
                                                      std::span<const document> predicted) {
  check(gold.size() == predicted.size(), error_code::shape_mismatch, "nesting_recall_of",
        "as many documents on both sides", "others");
  using place = std::tuple<index_t, index_t, std::string_view>;  // begin, minus the end, label: outer spans first
  const auto places = [](const document& d) {
    std::vector<place> all;
    for (const auto& e : d.spans) all.emplace_back(e.span.bytes.begin, -e.span.bytes.end, e.label);
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  };
  nesting_recall counts;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    const auto found = places(predicted[i]);
    index_t farthest = 0;  // end of the spans before, those of the same bytes left out
    index_t behind = 0;    // likewise with those
    std::pair<index_t, index_t> last{-1, 0};
    for (const auto& span : places(gold[i])) {
      const std::pair bytes{std::get<0>(span), std::get<1>(span)};
      if (bytes != std::exchange(last, bytes)) farthest = behind;
      const bool is_inner = farthest >= -bytes.second;
      behind = std::max(behind, -bytes.second);
      const index_t right = std::binary_search(found.begin(), found.end(), span) ? 1 : 0;
      (is_inner ? counts.inner : counts.outer) += 1;
      (is_inner ? counts.inner_found : counts.outer_found) += right;
    }
  }
  return counts;
}

}  // namespace onoma::inline ONOMA_ABI
