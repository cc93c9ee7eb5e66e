/// CoNLL columns: one word and its tag per line, a blank line between sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/conll_columns.hpp>
#include <onoma/data/conll_rows.hpp>
#include <onoma/data/format.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/mapped_file.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Whether a tag has no white space at its ends or beside its hyphen, and no zero-width space or byte order
/// mark inside: they would be a part of the type, which nobody sees.
inline bool is_clean_tag(std::string_view tag) {
  const auto is_trimmed = [](std::string_view part) { return trim_invisible(part).size() == part.size(); };
  const auto hyphen = std::min(tag.find('-'), tag.size());
  constexpr std::string_view zero_width_space = "\xE2\x80\x8B";
  return !tag.empty() && is_trimmed(tag) && is_trimmed(tag.substr(0, hyphen)) &&
         (hyphen == tag.size() || is_trimmed(tag.substr(hyphen + 1))) &&
         tag.find(zero_width_space) == std::string_view::npos &&
         tag.find(byte_order_mark) == std::string_view::npos;
}

/// Reads with options that leave nothing open.
inline std::vector<sentence> parse_conll_rows(std::string_view text, std::string_view name,
                                              const conll_options& options) {
  std::vector<sentence> sentences;
  sentence current;
  bool begins_document = true;
  const auto finish = [&] {
    if (current.words.empty()) return;
    current.begins_document = std::exchange(begins_document, false);
    sentences.push_back(std::exchange(current, {}));
  };
  conll_rows rows(text, name, options.separator);
  for (auto kind = rows.next(); kind != conll_rows::kind::end; kind = rows.next()) {
    if (kind == conll_rows::kind::gap || kind == conll_rows::kind::document) {
      finish();
      begins_document = begins_document || kind == conll_rows::kind::document;
      continue;
    }
    if (kind == conll_rows::kind::hash && *options.comments) continue;
    const auto& columns = rows.columns();
    const auto at = [&](index_t column) {
      const auto count = static_cast<index_t>(columns.size());
      const index_t place = column < 0 ? count + column : column;
      if (place < 0 || place >= count) {
        rows.refuse(column < 0 ? "a column " + std::to_string(-column) + " from the last"
                               : "a column " + std::to_string(column + 1) + ", counted from 1",
                    std::to_string(count) + " columns");
      }
      return columns[static_cast<std::size_t>(place)];
    };
    if (current.words.empty()) current.line = rows.number();
    current.words.emplace_back(at(*options.word_column));
    const auto tag = trim_invisible(at(*options.tag_column));
    if (tag.empty()) rows.refuse("a tag", "an empty column");
    if (!is_clean_tag(tag)) rows.refuse("a tag without white space in it", "'" + std::string(tag) + "'");
    current.tags.emplace_back(tag);
  }
  finish();
  return sentences;
}

}  // namespace detail

/// Parses the text of a CoNLL file; `name` appears in messages.
///
/// A line of white space only separates sentences, a line -DOCSTART- begins a document, and so does a byte
/// order mark at the start of a line, where files were joined. CRLF is accepted, the last line need not end.
/// Tags are kept as they stand, without white space around them. Every row has the same number of columns;
/// those that `options` do not name are guessed (`guess_conll_options`).
/// @throws onoma::error (parse) with file and line: too few or other columns, a tag that is empty or has
/// white space beside its hyphen, a CR that ends no line, bytes that are not UTF-8. An empty word is kept:
/// some corpora have rows whose character was lost. (format) for columns that do not look like words and
/// tags, and for a text in another format, naming it.
[[nodiscard]] inline std::vector<sentence> parse_conll(std::string_view text, std::string_view name,
                                                       const conll_options& options = {}) {
  const auto format = guess_format(text);
  const auto refuse = [&] {
    fail(error_code::format, "reading " + std::string(name), "CoNLL columns, a word and a tag on each line",
         "what looks like " + std::string(to_string(format)));
  };
  if (format != data_format::unknown && format != data_format::csv) refuse();
  try {
    return detail::parse_conll_rows(text, name, guess_conll_options(text, name, options));
  } catch (const error&) {
    if (format == data_format::csv) refuse();
    throw;
  }
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
/// first. Sentences without tags get "O"; those without words leave no trace. Read with word_column 0 and
/// tag_column 1, it gives the same sentences (a guess may refuse words that are all numbers).
/// @throws onoma::error (invalid_argument) for what a reader could not read back: other numbers of
/// tags than words, a tag that is empty or has white space around it, a tab or line break inside a column, a
/// word -DOCSTART- or one that begins with a byte order mark, other bytes than UTF-8.
[[nodiscard]] inline std::string format_conll(const std::vector<sentence>& sentences) {
  std::string text;
  for (std::size_t n = 0; n < sentences.size(); ++n) {
    const sentence& s = sentences[n];
    const auto refuse = [&](std::string expected, std::string found) {
      fail(error_code::invalid_argument, "writing sentence " + std::to_string(n + 1), std::move(expected),
           std::move(found));
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
      if (is_document_line(s.words[i])) refuse("words that begin no document", s.words[i]);
      if (!detail::is_clean_tag(tag)) refuse("a tag without white space around it", "'" + tag + "'");
      if (s.words[i].starts_with(byte_order_mark)) {
        refuse("words that do not begin with a byte order mark", s.words[i]);
      }
      text.append(s.words[i]).append(1, '\t').append(tag).append(1, '\n');
    }
    text += "\n";
  }
  return text;
}

/// Writes the file as a whole or not at all. @throws onoma::error (io), and as `format_conll`.
inline void write_conll(const std::filesystem::path& path, const std::vector<sentence>& sentences) {
  write_file_atomically(path, format_conll(sentences));
}

}  // namespace onoma::inline ONOMA_ABI
