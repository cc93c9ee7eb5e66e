/// CoNLL columns: one word and its tag per line, a blank line between sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/mapped_file.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct conll_options {
  index word_column = 0;  ///< from 0; negative: from the last (-1)
  index tag_column = -1;
  bool comments = false;  ///< skip lines "# ..." at the start of a sentence (CoNLL-U)
};

namespace detail {

/// Tab-separated where there is a tab (a word may then hold spaces), else runs of spaces.
inline std::vector<std::string_view> columns_of(std::string_view line) {
  std::vector<std::string_view> columns;
  if (line.find('\t') != std::string_view::npos) {
    for (;;) {
      const auto tab = line.find('\t');
      columns.push_back(line.substr(0, tab));
      if (tab == std::string_view::npos) return columns;
      line.remove_prefix(tab + 1);
    }
  }
  while (!line.empty()) {
    const auto space = line.find(' ');
    if (space != 0) columns.push_back(line.substr(0, space));
    if (space == std::string_view::npos) break;
    line.remove_prefix(space + 1);
  }
  return columns;
}

/// Checks UTF-8 without the text layer: data/ stands below it.
inline bool is_utf8(std::string_view s) {
  for (std::size_t i = 0; i < s.size();) {
    const auto b = [&](std::size_t k) {
      return i + k < s.size() ? static_cast<unsigned char>(s[i + k]) : 0U;
    };
    const auto follows = [&](std::size_t k) { return (b(k) & 0xC0U) == 0x80U; };
    if (b(0) < 0x80U) {
      i += 1;
    } else if (b(0) >= 0xC2U && b(0) < 0xE0U && follows(1)) {
      i += 2;
    } else if ((b(0) & 0xF0U) == 0xE0U && follows(1) && follows(2) &&
               (b(0) != 0xE0U || b(1) >= 0xA0U) && (b(0) != 0xEDU || b(1) < 0xA0U)) {
      i += 3;
    } else if (b(0) >= 0xF0U && b(0) <= 0xF4U && follows(1) && follows(2) && follows(3) &&
               (b(0) != 0xF0U || b(1) >= 0x90U) && (b(0) != 0xF4U || b(1) < 0x90U)) {
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace detail

/// Parses the text of a CoNLL file; `name` appears in messages.
///
/// A line of white space only separates sentences (corpora have lines with a tab alone), a line
/// -DOCSTART- begins a document, CRLF and a byte order mark are accepted, the last line need not
/// end. Tags are kept as they stand. Every row of a file has the same number of columns.
/// @throws onoma::error (parse) with file and line: too few or other columns, an empty tag, bytes
/// that are not UTF-8. An empty word is kept: some corpora have rows whose character was lost.
[[nodiscard]] inline std::vector<sentence> parse_conll(std::string_view text, std::string_view name,
                                                       const conll_options& options = {}) {
  std::vector<sentence> sentences;
  sentence current;
  current.begins_document = true;
  bool next_begins_document = true;
  const auto finish = [&] {
    if (current.words.empty()) return;
    current.begins_document = std::exchange(next_begins_document, false);
    sentences.push_back(std::move(current));
    current = {};
  };
  if (text.substr(0, 3) == "\xEF\xBB\xBF") text.remove_prefix(3);
  index line_number = 0;
  std::size_t width = 0;
  const auto refuse = [&](std::string expected, std::string found) {
    fail(error_code::parse, std::string(name) + ":" + std::to_string(line_number),
         std::move(expected), std::move(found));
  };
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    ++line_number;
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
      finish();
      continue;
    }
    if (!detail::is_utf8(line)) refuse("UTF-8", "other bytes");
    if (options.comments && current.words.empty() && line.substr(0, 2) == "# ") continue;
    const auto columns = detail::columns_of(line);
    if (columns.front() == "-DOCSTART-") {
      finish();
      next_begins_document = true;
      continue;
    }
    const auto count = static_cast<index>(columns.size());
    const auto at = [&](index column) { return column < 0 ? count + column : column; };
    const index word = at(options.word_column);
    const index tag = at(options.tag_column);
    if (count < 2 || word < 0 || word >= count || tag < 0 || tag >= count) {
      refuse("a word and a tag in columns", std::to_string(count) + " column(s)");
    }
    if (width != 0 && columns.size() != width) {
      refuse(std::to_string(width) + " columns, as in the lines before", std::to_string(count));
    }
    width = columns.size();
    if (columns[static_cast<std::size_t>(tag)].empty()) refuse("a tag", "an empty column");
    current.words.emplace_back(columns[static_cast<std::size_t>(word)]);
    current.tags.emplace_back(columns[static_cast<std::size_t>(tag)]);
  }
  finish();
  return sentences;
}

/// Reads a CoNLL file. @throws onoma::error (file_not_found, io, parse); (format) for a file without
/// any sentence.
[[nodiscard]] inline std::vector<sentence> read_conll(const std::filesystem::path& path,
                                                      const conll_options& options = {}) {
  const mapped_file file(path);
  auto sentences = parse_conll(file.text(), path.string(), options);
  if (sentences.empty()) {
    fail(error_code::format, "reading " + path.string(), "at least one sentence", "none");
  }
  return sentences;
}

/// word<TAB>tag lines, a blank line after each sentence, -DOCSTART- before each document but the
/// first.
[[nodiscard]] inline std::string format_conll(const std::vector<sentence>& sentences) {
  std::string text;
  for (const auto& s : sentences) {
    if (s.begins_document && !text.empty()) text += "-DOCSTART-\tO\n\n";
    for (std::size_t i = 0; i < s.words.size(); ++i) {
      text += s.words[i] + "\t" + (s.tags.empty() ? "O" : s.tags[i]) + "\n";
    }
    text += "\n";
  }
  return text;
}

/// Writes the file as a whole or not at all. @throws onoma::error (io).
inline void write_conll(const std::filesystem::path& path,
                        const std::vector<sentence>& sentences) {
  write_file_atomically(path, format_conll(sentences));
}

}  // namespace onoma::inline ONOMA_ABI
