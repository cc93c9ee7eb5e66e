/// A report of scores as a table for people and as JSON for programs.
#pragma once

#include <onoma/core/utf8.hpp>
#include <onoma/ner/metrics.hpp>

#include <algorithm>
#include <charconv>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Right-aligned in `width` columns; one code point counts as one, as in Python.
inline std::string padded_left(std::string_view text, index width) {
  const index gap = std::max<index>(0, width - count_code_points(text));
  return std::string(static_cast<std::size_t>(gap), ' ') + std::string(text);
}

/// A number with `digits` after the point. Not printf, which writes the host's locale.
inline std::string fixed(double value, int digits) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 std::clamp(digits, 0, 40));
  return {buffer, end.ptr};
}

/// A number with this many significant digits.
inline std::string significant(double value, int digits) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general,
                                 std::clamp(digits, 1, 40));
  return {buffer, end.ptr};
}

/// A number with as many digits as tell it from its neighbours.
inline std::string exact(double value) {
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, value).ptr};
}

inline std::string json_string(std::string_view text) {
  constexpr char digits[] = "0123456789abcdef";
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out.append(1, '\\').append(1, c);
    } else if (byte < 0x20) {
      out.append("\\u00").append(1, digits[byte >> 4]).append(1, digits[byte & 15]);
    } else {
      out += c;
    }
  }
  return out + "\"";
}

/// {"key": value, ...} from (key, JSON value) pairs.
template <class Items, class Write>
std::string json_object(const Items& items, Write write) {
  std::string text = "{";
  for (const auto& [key, value] : items) {
    if (text.size() > 1) text += ", ";
    text += json_string(key) + ": " + write(value);
  }
  return text + "}";
}

inline std::string to_json(const entity_score& s) {
  return "{\"precision\": " + exact(s.precision) + ", \"recall\": " + exact(s.recall) +
         ", \"f1\": " + exact(s.f1) + ", \"support\": " + std::to_string(s.support) +
         ", \"predicted\": " + std::to_string(s.predicted) +
         ", \"correct\": " + std::to_string(s.correct) + "}";
}

inline std::string to_json(const confusion_table& table) {
  return json_object(table, [](const auto& row) {
    return json_object(row, [](index count) { return std::to_string(count); });
  });
}

inline std::string confusion_text(const confusion_table& table) {
  std::set<std::string> names;
  for (const auto& [gold, row] : table) {
    names.insert(gold);
    for (const auto& [predicted, count] : row) names.insert(predicted);
  }
  index width = 6;
  for (const auto& name : names) width = std::max(width, count_code_points(name));
  std::string text = padded_left("gold \\ predicted", width + 10);
  for (const auto& name : names) text += "  " + padded_left(name, width);
  text += "\n";
  for (const auto& gold : names) {
    text += padded_left(gold, width + 10);
    const auto row = table.find(gold);
    for (const auto& predicted : names) {
      index count = 0;
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
  index width = std::max<index>(12, digits);
  for (const auto& [name, score] : report.types) {
    width = std::max(width, count_code_points(name));
  }
  const auto row = [&](std::string_view name, const entity_score& s) {
    std::string line = detail::padded_left(name, width) + " ";
    for (const double value : {s.precision, s.recall, s.f1}) {
      line += " " + detail::padded_left(detail::fixed(value, digits), 9);
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
  std::string text = "entities compared in seqeval's " + report.mode + " mode; " +
                     std::to_string(report.sentences) + " sentences, " +
                     std::to_string(report.tokens) + " words, word accuracy " +
                     detail::fixed(report.token_accuracy, 4);
  if (report.skipped_words > 0) {
    text += "; " + std::to_string(report.skipped_words) +
            (report.skipped_words == 1 ? " word" : " words") + " without any piece left out";
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

/// All numbers of the report as one JSON object.
[[nodiscard]] inline std::string to_json(const ner_report& report) {
  const auto score = [](const entity_score& s) { return detail::to_json(s); };
  const std::pair<std::string_view, std::string> members[] = {
      {"mode", detail::json_string(report.mode)},
      {"sentences", std::to_string(report.sentences)},
      {"tokens", std::to_string(report.tokens)},
      {"token_accuracy", detail::exact(report.token_accuracy)},
      {"skipped_words", std::to_string(report.skipped_words)},
      {"misread_tags", std::to_string(report.misread_tags)},
      {"micro", detail::to_json(report.micro)},
      {"macro", detail::to_json(report.macro)},
      {"weighted", detail::to_json(report.weighted)},
      {"types", detail::json_object(report.types, score)},
      {"confusion", detail::to_json(report.word_confusion)},
      {"entity_confusion", detail::to_json(report.entity_confusion)}};
  return detail::json_object(members, [](const std::string& member) { return member; });
}

}  // namespace onoma::inline ONOMA_ABI
