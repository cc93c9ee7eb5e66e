/// A report of scores as JSON, for programs.
#pragma once

#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>

namespace onoma::inline ONOMA_ABI {

/// Scores of one type or one average, under the names of their fields.
[[nodiscard]] inline json to_json(const entity_score& s) {
  return {{"precision", s.precision}, {"recall", s.recall},       {"f1", s.f1},
          {"support", s.support},     {"predicted", s.predicted}, {"correct", s.correct}};
}

/// All numbers of a report: scores under "micro", "macro", "weighted" and, by name, "types"; the tables
/// "confusion" (words) and "entity_confusion" as {gold: {predicted: count}}.
[[nodiscard]] inline json to_json(const ner_report& report) {
  auto types = json::object();
  for (const auto& [name, score] : report.types) types[name] = to_json(score);
  return {{"mode", report.mode},
          {"sentences", report.sentences},
          {"tokens", report.tokens},
          {"token_accuracy", report.token_accuracy},
          {"skipped_words", report.skipped_words},
          {"unknown_words", report.unknown_words},
          {"misread_tags", report.misread_tags},
          {"micro", to_json(report.micro)},
          {"macro", to_json(report.macro)},
          {"weighted", to_json(report.weighted)},
          {"types", std::move(types)},
          {"confusion", report.word_confusion},
          {"entity_confusion", report.entity_confusion}};
}

}  // namespace onoma::inline ONOMA_ABI
