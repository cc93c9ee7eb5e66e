/// Scores of spans that may overlap and nest: found documents against true ones.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/ner/metrics.hpp>

#include <cstddef>
#include <span>
#include <string>
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
  const auto add = [&](const document& d, std::vector<entity_span>& all) {
    for (const auto& e : d.spans)
      all.push_back({offset + e.span.bytes.begin, offset + e.span.bytes.end, e.label});
  };
  for (std::size_t i = 0; i < gold.size(); ++i) {
    if (gold[i].text != predicted[i].text) {
      fail(error_code::shape_mismatch, "evaluate: document " + std::to_string(i + 1),
           "the same text on both sides", "another one");
    }
    add(gold[i], expected);
    add(predicted[i], found);
    offset += static_cast<index_t>(gold[i].text.size()) + 1;
  }
  auto report = evaluate_entities(std::move(expected), std::move(found), zero_division);
  report.sentences = static_cast<index_t>(gold.size());
  return report;
}

}  // namespace onoma::inline ONOMA_ABI
