/// A report of scores as a table for people and as JSON for programs.
#pragma once

#include <onoma/ner/metrics.hpp>

#include <algorithm>
#include <cstdio>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

namespace detail {

inline std::string padded_left(std::string_view text, std::size_t width) {
  return std::string(width > text.size() ? width - text.size() : 0, ' ') + std::string(text);
}

inline std::string fixed(double value, int digits) {
  char buffer[64];
  const int size = std::snprintf(buffer, sizeof buffer, "%.*f", digits, value);
  return std::string(buffer, static_cast<std::size_t>(std::clamp(size, 0, 63)));
}

inline std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (byte < 0x20) {
      char buffer[8];
      std::snprintf(buffer, sizeof buffer, "\\u%04x", static_cast<unsigned>(byte));
      out += buffer;
    } else {
      out += c;
    }
  }
  return out + "\"";
}

inline std::string to_json(const entity_score& s) {
  return "{\"precision\": " + fixed(s.precision, 6) + ", \"recall\": " + fixed(s.recall, 6) +
         ", \"f1\": " + fixed(s.f1, 6) + ", \"support\": " + std::to_string(s.support) +
         ", \"predicted\": " + std::to_string(s.predicted) +
         ", \"correct\": " + std::to_string(s.correct) + "}";
}

}  // namespace detail

/// The table that seqeval's `classification_report` prints, to the letter: types, then the three
/// averages. `digits` after the point.
[[nodiscard]] inline std::string to_text(const ner_report& report, int digits = 2) {
  std::size_t width = std::max<std::size_t>(12, static_cast<std::size_t>(digits));
  for (const auto& [name, score] : report.types) width = std::max(width, name.size());
  const auto row = [&](std::string_view name, const entity_score& s) {
    std::string line = detail::padded_left(name, width) + " ";
    for (const double value : {s.precision, s.recall, s.f1}) {
      line += " " + detail::padded_left(detail::fixed(value, digits), 9);
    }
    return line + " " + detail::padded_left(std::to_string(s.support), 9) + "\n";
  };
  std::string text = std::string(width, ' ') + " ";
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
  return "entities compared in seqeval's " + report.mode + " mode; " +
         std::to_string(report.sentences) + " sentences, " + std::to_string(report.tokens) +
         " words, word accuracy " + detail::fixed(report.token_accuracy, 4);
}

/// Words by gold type (rows) and predicted type (columns).
[[nodiscard]] inline std::string confusion_text(const ner_report& report) {
  std::set<std::string> names;
  for (const auto& [gold, row] : report.confusion) {
    names.insert(gold);
    for (const auto& [predicted, count] : row) names.insert(predicted);
  }
  std::size_t width = 6;
  for (const auto& name : names) width = std::max(width, name.size());
  std::string text = detail::padded_left("gold \\ predicted", width + 10);
  for (const auto& name : names) text += "  " + detail::padded_left(name, width);
  text += "\n";
  for (const auto& gold : names) {
    text += detail::padded_left(gold, width + 10);
    const auto row = report.confusion.find(gold);
    for (const auto& predicted : names) {
      index count = 0;
      if (row != report.confusion.end()) {
        const auto cell = row->second.find(predicted);
        if (cell != row->second.end()) count = cell->second;
      }
      text += "  " + detail::padded_left(count == 0 ? "." : std::to_string(count), width);
    }
    text += "\n";
  }
  return text;
}

/// All numbers of the report as one JSON object.
[[nodiscard]] inline std::string to_json(const ner_report& report) {
  std::string text = "{\"mode\": " + detail::json_string(report.mode) +
                     ", \"sentences\": " + std::to_string(report.sentences) +
                     ", \"tokens\": " + std::to_string(report.tokens) +
                     ", \"token_accuracy\": " + detail::fixed(report.token_accuracy, 6) +
                     ", \"micro\": " + detail::to_json(report.micro) +
                     ", \"macro\": " + detail::to_json(report.macro) +
                     ", \"weighted\": " + detail::to_json(report.weighted) + ", \"types\": {";
  const char* separator = "";
  for (const auto& [name, score] : report.types) {
    text += separator + detail::json_string(name) + ": " + detail::to_json(score);
    separator = ", ";
  }
  text += "}, \"confusion\": {";
  separator = "";
  for (const auto& [gold, row] : report.confusion) {
    text += separator + detail::json_string(gold) + ": {";
    separator = "";
    for (const auto& [predicted, count] : row) {
      text += separator + detail::json_string(predicted) + ": " + std::to_string(count);
      separator = ", ";
    }
    text += "}";
    separator = ", ";
  }
  return text + "}}";
}

}  // namespace onoma::inline ONOMA_ABI
