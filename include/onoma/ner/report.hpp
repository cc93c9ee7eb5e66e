/// A report of scores as tables for people.
#pragma once

#include <onoma/core/number_text.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/ner/metrics.hpp>

#include <algorithm>
#include <set>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Right-aligned in `width` columns; one code point counts as one, as in Python.
inline std::string padded_left(std::string_view text, index_t width) {
  const index_t gap = std::max<index_t>(0, width - count_code_points(text));
  return std::string(static_cast<std::size_t>(gap), ' ') + std::string(text);
}

inline std::string confusion_text(const confusion_table& table) {
  std::set<std::string> names;
  for (const auto& [gold, row] : table) {
    names.insert(gold);
    for (const auto& [predicted, count] : row) names.insert(predicted);
  }
  index_t width = 6;
  for (const auto& name : names) width = std::max(width, count_code_points(name));
  std::string text = padded_left("gold \\ predicted", width + 10);
  for (const auto& name : names) text += "  " + padded_left(name, width);
  text += "\n";
  for (const auto& gold : names) {
    text += padded_left(gold, width + 10);
    const auto row = table.find(gold);
    for (const auto& predicted : names) {
      index_t count = 0;
      if (row != table.end()) {
        const auto cell = row->second.find(predicted);
        if (cell != row->second.end()) count = cell->second;
      }
      text += "  " + padded_left(count == 0 ? "." : std::to_string(count), width);
    }
    text += "\n";
  }
  return text;
}

}  // namespace detail

/// The table that seqeval's `classification_report` prints, to the letter: types, then the three
/// averages. `digits` after the point.
[[nodiscard]] inline std::string to_text(const ner_report& report, int digits = 2) {
  index_t width = std::max<index_t>(12, digits);
  for (const auto& [name, score] : report.types) {
    width = std::max(width, count_code_points(name));
  }
  const auto row = [&](std::string_view name, const entity_score& s) {
    std::string line = detail::padded_left(name, width) + " ";
    for (const double value : {s.precision, s.recall, s.f1}) {
      line += " " + detail::padded_left(fixed_text(value, digits), 9);
    }
    return line + " " + detail::padded_left(std::to_string(s.support), 9) + "\n";
  };
  std::string text = detail::padded_left("", width) + " ";
  for (const char* head : {"precision", "recall", "f1-score", "support"}) {
    text += " " + detail::padded_left(head, 9);
  }
  text += "\n\n";
  for (const auto& [name, score] : report.types) text += row(name, score);
  return text + "\n" + row("micro avg", report.micro) + row("macro avg", report.macro) +
         row("weighted avg", report.weighted);
}

/// One line that says what was measured and how: mode, sentences, tokens, accuracy.
[[nodiscard]] inline std::string summary(const ner_report& report) {
  if (report.mode == "spans") {
    return "spans compared by place and label; " + std::to_string(report.sentences) + " texts";
  }
  std::string text = "entities compared in seqeval's " + report.mode + " mode; " +
                     std::to_string(report.sentences) + " sentences, " + std::to_string(report.tokens) +
                     " words, word accuracy " + fixed_text(report.token_accuracy, 4);
  if (report.skipped_words > 0) {
    text += "; " + std::to_string(report.skipped_words) +
            (report.skipped_words == 1 ? " word" : " words") + " without any piece left out";
  }
  if (report.unknown_words > 0) {
    text += "; " + std::to_string(report.unknown_words) + (report.unknown_words == 1 ? " word" : " words") +
            " of unknown tag left out";
  }
  if (report.misread_tags > 0) {
    text += "; " + std::to_string(report.misread_tags) +
            " tags have prefixes that this mode misreads: use strict mode with their scheme";
  }
  return text;
}

/// Words by gold type (rows) and predicted type (columns).
[[nodiscard]] inline std::string confusion_text(const ner_report& report) {
  return detail::confusion_text(report.word_confusion);
}

/// Entities by gold type (rows) and predicted type (columns) of the same words; missed ones in the
/// column, spurious ones in the row of `ner_report::no_entity`.
[[nodiscard]] inline std::string entity_confusion_text(const ner_report& report) {
  return detail::confusion_text(report.entity_confusion);
}

}  // namespace onoma::inline ONOMA_ABI
