/// CoNLL columns: one word and its tag per line, a blank line between sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/mapped_file.hpp>

#include <algorithm>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What stands between columns.
enum class conll_separator {
  automatic,  ///< tabs if the file's first row has one, else spaces
  tab,        ///< one tab; words may hold spaces and columns may be empty
  space,      ///< any number of spaces and tabs
};

struct conll_options {
  index word_column = 0;  ///< from 0; negative: from the last (-1)
  index tag_column = -1;
  bool comments = false;  ///< skip lines "# ..." at the start of a sentence (CoNLL-U); "#" is a word
                          ///< elsewhere, and everywhere without this option
  conll_separator separator = conll_separator::automatic;
};

namespace detail {

inline std::vector<std::string_view> columns_of(std::string_view line, conll_separator separator) {
  std::vector<std::string_view> columns;
  const bool tabs = separator == conll_separator::tab;
  for (;;) {
    const auto end = tabs ? line.find('\t') : line.find_first_of(" \t");
    if (tabs || end != 0) columns.push_back(line.substr(0, end));
    if (end == std::string_view::npos) break;
    line.remove_prefix(end + 1);
  }
  // Spaces at the end of a row separate it from nothing.
  if (!tabs && columns.back().empty()) columns.pop_back();
  return columns;
}

/// Spaces or nothing: no tag.
inline bool is_blank(std::string_view column) {
  return column.find_first_not_of(' ') == std::string_view::npos;
}

/// "-DOCSTART-" as the first column, whatever separates it from the next.
inline bool starts_document(std::string_view line) {
  constexpr std::string_view mark = "-DOCSTART-";
  return line.substr(0, mark.size()) == mark &&
         (line.size() == mark.size() || line[mark.size()] == ' ' || line[mark.size()] == '\t');
}

}  // namespace detail

/// Parses the text of a CoNLL file; `name` appears in messages.
///
/// A line of white space only separates sentences (corpora have lines with a tab alone), a line
/// -DOCSTART- begins a document, CRLF and a byte order mark are accepted, the last line need not
/// end. Tags are kept as they stand. Every row of a file has the same number of columns.
/// @throws onoma::error (parse) with file and line: too few or other columns, a tag that is empty or
/// spaces, a CR that ends no line, bytes that are not UTF-8. An empty word is kept: some corpora have
/// rows whose character was lost.
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
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  index line_number = 0;
  std::size_t width = 0;
  auto separator = options.separator;
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
    // What stands behind one would look like a column, or be taken into the tag.
    if (const auto cr = line.find('\r'); cr != std::string_view::npos) {
      refuse("lines that end with LF or CRLF",
             "a CR alone, byte " + std::to_string(cr + 1) + " of the line");
    }
    if (line.find_first_not_of(" \t") == std::string_view::npos) {
      finish();
      continue;
    }
    if (const index bad = find_invalid_utf8(line); bad >= 0) {
      refuse("UTF-8", "other bytes from byte " + std::to_string(bad + 1) + " of the line on");
    }
    if (options.comments && current.words.empty() && line.substr(0, 2) == "# ") continue;
    if (detail::starts_document(line)) {
      finish();
      next_begins_document = true;
      continue;
    }
    if (separator == conll_separator::automatic) {
      const bool tabs = line.find('\t') != std::string_view::npos;
      separator = tabs ? conll_separator::tab : conll_separator::space;
    }
    const auto columns = detail::columns_of(line, separator);
    const auto count = static_cast<index>(columns.size());
    const auto at = [&](index column) { return column < 0 ? count + column : column; };
    const index word = at(options.word_column);
    const index tag = at(options.tag_column);
    if (count < 2 || word < 0 || word >= count || tag < 0 || tag >= count) {
      refuse("a word and a tag in columns separated by " +
                 std::string(separator == conll_separator::tab ? "tabs" : "spaces"),
             std::to_string(count) + " column(s)");
    }
    if (width != 0 && columns.size() != width) {
      refuse(std::to_string(width) + " columns, as in the lines before", std::to_string(count));
    }
    width = columns.size();
    if (detail::is_blank(columns[static_cast<std::size_t>(tag)])) refuse("a tag", "an empty column");
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
/// first. Sentences without tags get "O"; those without words leave no trace.
/// @throws onoma::error (invalid_argument) for what a reader could not read back: other numbers of
/// tags than words, a tag that is empty or spaces, a tab or line break inside a column, a word -DOCSTART-, a
/// first word that begins with a byte order mark, other bytes than UTF-8.
[[nodiscard]] inline std::string format_conll(const std::vector<sentence>& sentences) {
  std::string text;
  for (std::size_t n = 0; n < sentences.size(); ++n) {
    const sentence& s = sentences[n];
    const auto refuse = [&](std::string expected, std::string found) {
      fail(error_code::invalid_argument, "writing sentence " + std::to_string(n + 1),
           std::move(expected), std::move(found));
    };
    if (!s.tags.empty() && s.tags.size() != s.words.size()) {
      refuse(std::to_string(s.words.size()) + " tags", std::to_string(s.tags.size()));
    }
    if (s.words.empty()) continue;
    if (s.begins_document && !text.empty()) text += "-DOCSTART-\tO\n\n";
    for (std::size_t i = 0; i < s.words.size(); ++i) {
      const std::string& tag = s.tags.empty() ? "O" : s.tags[i];
      for (const std::string* column : {&s.words[i], &tag}) {
        if (column->find_first_of("\t\n\r") != std::string::npos) {
          refuse("columns without tabs and line breaks", "'" + *column + "'");
        }
        if (find_invalid_utf8(*column) >= 0) refuse("UTF-8", "other bytes");
      }
      if (detail::starts_document(s.words[i])) refuse("words that begin no document", s.words[i]);
      if (detail::is_blank(tag)) refuse("a tag", "an empty one");
      if (text.empty() && s.words[i].starts_with(byte_order_mark)) {
        refuse("a first word that does not begin with a byte order mark", s.words[i]);
      }
      text.append(s.words[i]).append(1, '\t').append(tag).append(1, '\n');
    }
    text += "\n";
  }
  return text;
}

/// Writes the file as a whole or not at all. @throws onoma::error (io), and as `format_conll`.
inline void write_conll(const std::filesystem::path& path,
                        const std::vector<sentence>& sentences) {
  write_file_atomically(path, format_conll(sentences));
}

}  // namespace onoma::inline ONOMA_ABI
