/// The rows of a text in CoNLL columns, line by line: shared by reading such a file and guessing its columns.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
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

/// White_Space, and characters without a width: U+200B to U+200F, U+2060 to U+2064, U+00AD, U+180E, U+FEFF.
[[nodiscard]] constexpr bool is_invisible(std::uint32_t c) {
  return unicode::is_whitespace(c) || c == 0xADU || c == 0x180EU || (c >= 0x200BU && c <= 0x200FU) ||
         (c >= 0x2060U && c <= 0x2064U) || c == 0xFEFFU;
}

/// Valid UTF-8 without invisible characters at its ends.
[[nodiscard]] constexpr std::string_view trim_invisible(std::string_view text) {
  while (!text.empty()) {
    const auto first = decode_utf8(text, 0);
    if (!is_invisible(first.code_point)) break;
    text.remove_prefix(static_cast<std::size_t>(std::max<index_t>(first.length, 1)));
  }
  while (!text.empty()) {
    const auto at = previous_utf8(text, static_cast<index_t>(text.size()));
    if (!is_invisible(decode_utf8(text, at).code_point)) break;
    text.remove_suffix(text.size() - static_cast<std::size_t>(at));
  }
  return text;
}

/// "-DOCSTART-" as the first column, whatever separates it from the next.
[[nodiscard]] constexpr bool is_document_line(std::string_view line) {
  constexpr std::string_view mark = "-DOCSTART-";
  return line.substr(0, mark.size()) == mark &&
         (line.size() == mark.size() || line[mark.size()] == ' ' || line[mark.size()] == '\t');
}

/// Goes through the lines of a text once. Lines end with LF or CRLF, the last need not end. A line of
/// nothing visible is a gap between sentences (corpora have lines with a tab alone). A byte order mark at
/// the start of a line begins a file that was joined to another, and with it a document.
class conll_rows {
 public:
  /// What a line is.
  enum class kind {
    row,       ///< `columns` has them
    hash,      ///< likewise, but the line begins a sentence with "# ": it may be a comment
    gap,       ///< the sentence ends, if there is one
    document,  ///< so it does, and the next begins a document
    end,
  };

  /// `text` must outlive this; `name` is for messages.
  conll_rows(std::string_view text, std::string_view name,
             conll_separator separator = conll_separator::automatic)
      : text_(text), name_(name), separator_(separator) {}

  /// Goes to the next line. @throws onoma::error (parse) for a CR that ends no line, or bytes that are not
  /// UTF-8.
  [[nodiscard]] kind next() {
    if (text_.empty()) return kind::end;
    if (text_.starts_with(byte_order_mark)) {
      text_.remove_prefix(byte_order_mark.size());
      return begin_document();
    }
    const auto end = std::min(text_.find('\n'), text_.size());
    line_ = text_.substr(0, end);
    text_.remove_prefix(std::min(end + 1, text_.size()));
    ++number_;
    if (!line_.empty() && line_.back() == '\r') line_.remove_suffix(1);
    // What stands behind one would look like a column, or be taken into the tag.
    if (const auto cr = line_.find('\r'); cr != std::string_view::npos) {
      refuse("lines that end with LF or CRLF", "a CR alone, byte " + std::to_string(cr + 1) + " of the line");
    }
    if (const index_t bad = find_invalid_utf8(line_); bad >= 0) {
      refuse("UTF-8", "other bytes from byte " + std::to_string(bad + 1) + " of the line on");
    }
    if (trim_invisible(line_).empty()) {
      inside_ = false;
      return kind::gap;
    }
    if (is_document_line(line_)) return begin_document();
    return !inside_ && line_.starts_with("# ") ? kind::hash : kind::row;
  }

  /// The columns of the line, which is a row from now on. @throws onoma::error (parse) for less than two
  /// columns, or another number than the rows before have.
  [[nodiscard]] const std::vector<std::string_view>& columns() {
    inside_ = true;
    if (separator_ == conll_separator::automatic) {
      const bool tabs = line_.find('\t') != std::string_view::npos;
      separator_ = tabs ? conll_separator::tab : conll_separator::space;
    }
    split(line_, separator_, columns_);
    const auto count = std::to_string(columns_.size());
    if (columns_.size() < 2) {
      refuse("a word and a tag in columns separated by " +
                 std::string(separator_ == conll_separator::tab ? "tabs" : "spaces"),
             count + " column(s)");
    }
    if (width_ != 0 && columns_.size() != width_) {
      refuse(std::to_string(width_) + " columns, as in the lines before", count);
    }
    width_ = columns_.size();
    return columns_;
  }

  /// The line as it stands, without its end.
  [[nodiscard]] std::string_view line() const noexcept { return line_; }
  /// Its number, from 1.
  [[nodiscard]] index_t number() const noexcept { return number_; }
  /// Never `automatic` behind the first row.
  [[nodiscard]] conll_separator separator() const noexcept { return separator_; }
  /// Columns of a row; 0 before the first.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }

  /// @throws onoma::error (parse) that names the file and the line.
  [[noreturn]] void refuse(std::string expected, std::string found) const {
    fail(error_code::parse, std::string(name_) + ":" + std::to_string(number_), std::move(expected),
         std::move(found));
  }

  /// The columns of any line; not `automatic`.
  static void split(std::string_view line, conll_separator separator,
                    std::vector<std::string_view>& columns) {
    columns.clear();
    const bool tabs = separator == conll_separator::tab;
    for (;;) {
      const auto end = tabs ? line.find('\t') : line.find_first_of(" \t");
      if (tabs || end != 0) columns.push_back(line.substr(0, end));
      if (end == std::string_view::npos) break;
      line.remove_prefix(end + 1);
    }
    // Spaces at the end of a row separate it from nothing.
    if (!tabs && columns.back().empty()) columns.pop_back();
  }

 private:
  [[nodiscard]] kind begin_document() {
    inside_ = false;
    return kind::document;
  }

  std::string_view text_;  // what is left
  std::string_view name_;
  std::string_view line_;
  std::vector<std::string_view> columns_;
  index_t number_ = 0;
  std::size_t width_ = 0;
  bool inside_ = false;  // a sentence has a row
  conll_separator separator_;
};

}  // namespace onoma::inline ONOMA_ABI
