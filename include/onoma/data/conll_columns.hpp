/// Which columns of a CoNLL file hold its words and its tags: said by the caller, or guessed from what they
/// hold.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/conll_rows.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a CoNLL file is read. What is not said is guessed, by `guess_conll_options`.
struct conll_options {
  std::optional<index_t> word_column{};  ///< from 0; negative: from the last (-1)
  std::optional<index_t> tag_column{};   ///< likewise
  /// Whether lines "# ..." at the start of a sentence are skipped (CoNLL-U); "#" is a word elsewhere.
  std::optional<bool> comments{};
  conll_separator separator = conll_separator::automatic;  ///< between columns
};

namespace detail {

/// Looks at all rows of a file and chooses its columns: `guess_conll_options`.
class conll_column_guess {
 public:
  /// @throws onoma::error (parse) as `conll_rows`.
  conll_column_guess(std::string_view text, std::string_view name, const conll_options& given)
      : text_(text), name_(name), given_(given) {
    conll_rows rows(text, name, given.separator);
    bool begins = true;
    for (auto kind = rows.next(); kind != conll_rows::kind::end; kind = rows.next()) {
      if (kind == conll_rows::kind::hash && given.comments != false) {
        if (given.comments != true) hashes_.push_back(rows.line());
      } else if (kind == conll_rows::kind::row || kind == conll_rows::kind::hash) {
        add(rows.columns(), begins);
        begins = false;
      } else {
        begins = true;
      }
    }
    separator_ = rows.separator();
  }

  /// The columns of tags, one for each layer: see `guess_conll_layers`.
  [[nodiscard]] std::vector<index_t> layers() const {
    if (given_.tag_column) return {*given_.tag_column};
    auto found = tag_columns(given_.word_column ? at(*given_.word_column) : -1).entities;
    if (found.empty()) found.push_back(*choose().tag_column);
    return found;
  }

  /// @throws onoma::error (format) where the columns do not look like words and tags.
  [[nodiscard]] conll_options choose() const {
    conll_options chosen = given_;
    if (columns_.empty()) {  // no row: there is nothing to read
      chosen.word_column = given_.word_column.value_or(0);
      chosen.tag_column = given_.tag_column.value_or(-1);
      chosen.comments = given_.comments.value_or(false);
      return chosen;
    }
    const index_t avoided = given_.word_column ? at(*given_.word_column) : -1;
    const index_t tag = given_.tag_column ? at(*given_.tag_column) : choose_tags(avoided);
    const index_t word = given_.word_column ? at(*given_.word_column) : choose_words(tag);
    // A column that is said and not there is refused with the first row.
    chosen.tag_column = given_.tag_column.value_or(tag);
    chosen.word_column = given_.word_column.value_or(word);
    chosen.separator = separator_;
    chosen.comments = given_.comments.value_or(are_comments(tag));
    return chosen;
  }

 private:
  /// What is known of a column.
  struct facts {
    index_t outside = 0;   // rows with "O"
    index_t chunks = 0;    // rows with the tag of a phrase ("B-NP")
    index_t entities = 0;  // rows with any other formed tag
    index_t numbers = 0;   // rows of digits
    index_t blanks = 0;    // rows with a space inside
    bool counts = true;  // the numbers go up by one, and may begin again with a sentence
    std::size_t last = 0;
    std::string_view sample;  // the first value that is no tag
    [[nodiscard]] index_t tags() const noexcept { return outside + chunks + entities; }
  };

  /// Columns that hold tags in at least half of the rows.
  struct tags_found {
    std::vector<index_t> entities;  // of entities
    std::vector<index_t> others;    // phrases, or nothing but "O"
  };

  [[nodiscard]] index_t at(index_t column) const {
    return column < 0 ? static_cast<index_t>(columns_.size()) + column : column;
  }

  void add(const std::vector<std::string_view>& row, bool begins) {
    columns_.resize(row.size());
    ++rows_;
    for (std::size_t i = 0; i < row.size(); ++i) {
      auto& column = columns_[i];
      const auto value = trim_invisible(row[i]);
      if (!is_formed_tag(value)) {
        if (column.sample.empty()) column.sample = value;
      } else if (value == "O") {
        ++column.outside;
      } else {
        ++(is_phrase(value.substr(2)) ? column.chunks : column.entities);
      }
      column.blanks += value.find(' ') != std::string_view::npos ? 1 : 0;
      count(column, value, begins);
    }
  }

  void count(facts& column, std::string_view value, bool begins) const {
    const bool number = !value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos;
    column.numbers += number ? 1 : 0;
    // Words of several tokens in CoNLL-U: "3-4", between 2 and 3.
    const bool range = value.find_first_not_of("0123456789-.") == std::string_view::npos;
    if (!number) {
      column.counts = column.counts && range && !value.empty();
      return;
    }
    std::size_t now = 0;
    for (const char digit : value.substr(0, 9)) now = 10 * now + static_cast<std::size_t>(digit - '0');
    const bool first = begins && now <= 1;
    column.counts = column.counts && (first || rows_ == 1 || now == column.last + 1);
    column.last = now;
  }

  /// Types of phrases in CoNLL-2000 and 2003, English and German: no entities.
  static bool is_phrase(std::string_view type) {
    constexpr std::string_view phrases[] = {"NP",   "VP",    "PP",  "ADVP", "ADJP", "SBAR", "PRT",
                                            "INTJ", "CONJP", "LST", "UCP",  "NC",   "PC",   "VC"};
    return std::find(std::begin(phrases), std::end(phrases), type) != std::end(phrases);
  }

  /// The numbers of words in their sentence, in a column of at least two rows.
  [[nodiscard]] bool is_index(index_t column) const {
    const auto& c = columns_[static_cast<std::size_t>(column)];
    return rows_ > 1 && c.counts && c.numbers > 0;
  }

  [[nodiscard]] tags_found tag_columns(index_t avoided) const {
    tags_found found;
    for (index_t i = 0; i < static_cast<index_t>(columns_.size()); ++i) {
      const auto& column = columns_[static_cast<std::size_t>(i)];
      if (i == avoided || 2 * column.tags() < rows_) continue;
      (column.entities > 0 ? found.entities : found.others).push_back(i);
    }
    return found;
  }

  [[nodiscard]] index_t choose_tags(index_t avoided) const {
    const auto width = static_cast<index_t>(columns_.size());
    const auto [entities, others] = tag_columns(avoided);
    if (entities.size() > 1) {
      std::string list;
      for (const index_t i : entities) list += (list.empty() ? "" : " and ") + std::to_string(i + 1);
      refuse("one column of tags (or to be told which)", "tags in columns " + list);
    }
    if (!entities.empty()) return entities.front();
    if (!others.empty()) return others.back();
    // Mistyped tags are the reader's to judge, but no tag at all makes no column of tags.
    const index_t last = avoided == width - 1 ? width - 2 : width - 1;
    const auto& column = columns_[static_cast<std::size_t>(last)];
    if (column.tags() == 0) {
      refuse("tags such as O, B-... and I-... in column " + std::to_string(last + 1) +
                 " (or to be told where they are)",
             "'" + std::string(column.sample) + "' and no tag");
    }
    return last;
  }

  [[nodiscard]] index_t choose_words(index_t tag) const {
    const auto width = static_cast<index_t>(columns_.size());
    index_t word = 0;
    while (word < width && (word == tag || (is_index(word) && width > 2))) ++word;
    if (word == width) refuse("a column of words (or to be told which)", "none");
    const auto& column = columns_[static_cast<std::size_t>(word)];
    const std::string place = "column " + std::to_string(word + 1);
    if (rows_ > 1 && column.numbers == rows_) {
      refuse("words in " + place + " (or to be told where they are)", "numbers in all rows");
    }
    // Spaces in every word are a column more, where the first row has a tab somewhere.
    if (rows_ > 1 && column.blanks == rows_ && given_.separator == conll_separator::automatic) {
      refuse("words without spaces in " + place + " (or to be told the separator, tabs or spaces)",
             "'" + std::string(column.sample) + "', and a space in every row");
    }
    return word;
  }

  /// Whether the lines "# ..." are comments: none of them reads as a row, with a tag or a label that rows
  /// have.
  [[nodiscard]] bool are_comments(index_t tag) const {
    if (hashes_.empty() || tag < 0 || tag >= static_cast<index_t>(columns_.size())) return false;
    const auto at = static_cast<std::size_t>(tag);
    std::vector<std::string_view> row;
    std::set<std::string_view> labels;  // without the form of a tag
    for (const auto line : hashes_) {
      conll_rows::split(line, separator_, row);
      if (row.size() != columns_.size()) continue;
      const auto value = trim_invisible(row[at]);
      if (is_formed_tag(value)) return false;
      labels.insert(value);
    }
    conll_rows rows(text_, name_, separator_);
    for (auto kind = rows.next(); kind != conll_rows::kind::end && !labels.empty(); kind = rows.next()) {
      if (kind == conll_rows::kind::row && labels.count(trim_invisible(rows.columns()[at])) != 0)
        return false;
    }
    return true;
  }

  [[noreturn]] void refuse(std::string expected, std::string found) const {
    fail(error_code::format, "columns of " + std::string(name_) + ", counted from 1", std::move(expected),
         std::move(found));
  }

  std::string_view text_;
  std::string_view name_;
  conll_options given_;
  std::vector<facts> columns_;
  std::vector<std::string_view> hashes_;
  index_t rows_ = 0;
  conll_separator separator_ = conll_separator::automatic;
};

}  // namespace detail

/// The options with everything that they leave open, guessed from the whole text; `name` is for messages.
///
/// Tags stand in the one column at least half of whose values have the form of tags; phrases (B-NP) and
/// columns of nothing but O give way to entities; failing that, in the last column. Words stand in the
/// first other column that does not count them. So word POS chunk tag, word tag, tag word and Universal
/// NER's number word tag source annotator are each read as they are meant. Lines "# ..." are comments if
/// none of them reads as a row.
/// @throws onoma::error (parse) as `parse_conll`; (format) for a guess that looks wrong, saying what to say:
/// two columns of tags, none with any tag, words that are all numbers, or with a space in every row.
[[nodiscard]] inline conll_options guess_conll_options(std::string_view text, std::string_view name,
                                                       const conll_options& given = {}) {
  if (given.word_column && given.tag_column && given.comments) return given;
  return detail::conll_column_guess(text, name, given).choose();
}

/// The columns of tags of a text whose words have several layers of them: all in which tags of entities stand, as
/// `guess_conll_options` tells these, or the one that it would choose where none has any. `given.tag_column` is the
/// only one where it is said.
/// @throws onoma::error as `guess_conll_options`.
[[nodiscard]] inline std::vector<index_t> guess_conll_layers(std::string_view text, std::string_view name,
                                                             const conll_options& given = {}) {
  return detail::conll_column_guess(text, name, given).layers();
}

}  // namespace onoma::inline ONOMA_ABI
