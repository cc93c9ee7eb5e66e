/// Words of text in any script, for where a tokenizer's own words are none.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/unicode/graphemes.hpp>
#include <onoma/text/unicode/unicode.hpp>
#include <onoma/text/words/word_character.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Cuts a text by the rules that `find_words` states.
class word_scanner {
 public:
  explicit word_scanner(std::string_view text) : text_(text) {}

  [[nodiscard]] std::vector<byte_span> run() {
    std::vector<byte_span> words;
    index_t begin = -1;  // of the open word
    const auto close = [&](index_t end) {
      if (begin >= 0) words.push_back({begin, end});
      begin = -1;
    };
    const auto size = static_cast<index_t>(text_.size());
    for (index_t i = 0; i < size;) {
      const character next = read_word_character(text_, i);
      const bool clusters = !cluster_.begins(next.grapheme);
      if (next.kind == word::space || next.kind == word::newline) {
        close(i);
        before_ = word::space;
        bridge_ = word::other;
      } else if (next.kind == word::extend) {
        if (begin < 0) begin = i;  // else part of the character before it (WB4)
      } else {
        if (begin < 0 || (!joins(next, i) && !clusters)) {
          close(i);
          begin = i;
        }
        advance(next);
      }
      i += next.length;
    }
    close(size);
    return words;
  }

 private:
  using word = unicode::word_class;
  using character = word_character;

  [[nodiscard]] static bool is_letter(word what) { return what == word::letter || what == word::hebrew; }

  /// Whether the character at byte `at` goes on with the word; the rules of annex 29 by number.
  [[nodiscard]] bool joins(const character& next, index_t at) {
    const bool after_letter = is_letter(before_);
    switch (next.kind) {
      case word::letter:
      case word::hebrew:
        if (bridge_ == word::letter) return true;  // WB7, WB7c
        return after_letter || before_ == word::numeric || before_ == word::connector;  // WB5, 10, 13b
      case word::numeric:
        if (bridge_ == word::numeric) return true;  // WB11
        return after_letter || before_ == word::numeric || before_ == word::connector;  // WB8, 9, 13b
      case word::connector:  // WB13a
        return after_letter || before_ == word::numeric || before_ == word::katakana ||
               before_ == word::connector;
      case word::katakana:
        // The long vowel sign stands in both syllabaries.
        if (next.code_point == 0x30FCU && before_ == word::hiragana) return true;
        return before_ == word::katakana || before_ == word::connector;  // WB13, 13b
      case word::hiragana: return before_ == word::hiragana;
      case word::mid_letter:
      case word::mid_either:
      case word::mid_number:
      case word::double_quote: return is_inside(next, at);
      default: return false;  // WB999
    }
  }

  /// WB6, WB7a, WB7b, WB12: a sign between two letters or two numbers.
  [[nodiscard]] bool is_inside(const character& next, index_t at) {
    const bool apostrophe = next.code_point == '\'' || next.code_point == 0x2019U;
    const auto [behind, end] = read_behind(at + next.length);
    const bool letters = (next.kind == word::mid_letter && next.code_point != ':') ||
                         next.kind == word::mid_either;
    const bool numbers = next.kind == word::mid_number || next.kind == word::mid_either;
    if (letters && is_letter(before_) && is_letter(behind.kind)) {
      bridge_to_ = word::letter;
      // 's is a word that begins with a sign.
      if (apostrophe && before_ == word::letter && is_possessive(behind, end)) return false;
    } else if (numbers && before_ == word::numeric && behind.kind == word::numeric) {
      bridge_to_ = word::numeric;
    } else if (next.kind == word::double_quote && before_ == word::hebrew && behind.kind == word::hebrew) {
      bridge_to_ = word::letter;
    } else {
      return next.code_point == '\'' && before_ == word::hebrew;
    }
    return true;
  }

  /// The next character that is not part of the one before it, and where it ends.
  struct ahead {
    character what;
    index_t end = 0;
  };
  [[nodiscard]] ahead read_behind(index_t at) const {
    while (at < static_cast<index_t>(text_.size())) {
      const character next = read_word_character(text_, at);
      at += next.length;
      if (next.kind != word::extend) return {next, at};
    }
    return {{}, at};
  }
  /// 's at the end of a word.
  [[nodiscard]] bool is_possessive(const character& behind, index_t end) const {
    if (behind.code_point != 's' && behind.code_point != 'S') return false;
    if (end == static_cast<index_t>(text_.size())) return true;
    const character next = read_word_character(text_, end);
    return !is_letter(next.kind) && next.kind != word::numeric && next.kind != word::connector &&
           next.kind != word::extend;
  }

  void advance(const character& next) {
    const bool long_vowel = next.code_point == 0x30FCU && before_ == word::hiragana;
    before_ = long_vowel ? word::hiragana : next.kind;
    bridge_ = bridge_to_;
    bridge_to_ = word::other;
  }

  std::string_view text_;
  grapheme_state cluster_;
  word before_ = word::space;     // class of the last character that is not an extender
  word bridge_ = word::other;     // that one was a sign inside a word, before this class
  word bridge_to_ = word::other;  // of the character that is looked at
};

}  // namespace detail

/// The words of a text, in order. They cover exactly what is neither White_Space nor U+200B (zero-width
/// space), and cut no grapheme cluster. Rules: word boundaries of Unicode Standard Annex 29, but
/// - Han: each character is a word, since nothing in the text says which belong together;
/// - Hiragana and Katakana: runs of each, with the long vowel sign in both;
/// - Thai, Lao, Khmer, Myanmar and their like (Line_Break=SA): each grapheme cluster is a word;
/// - 's at the end of a word, with either apostrophe, is a word, as in spaCy and in Universal Dependencies:
///   "John's" is two. Other apostrophes stay inside: "don't", "O'Neil", "l'homme";
/// - a colon joins nothing.
///
/// By the annex: Hangul, Arabic, Hebrew (with marks, geresh, gershayim), Indic scripts (with viramas and
/// joiners), Latin, Cyrillic, Greek are runs of letters; "U.S", "example.com", "3.5kg", "foo_bar" and
/// "1,234.5" are one word; hyphens are words of their own ("Jean-Luc" is three), as is all other
/// punctuation, each sign by itself; an emoji sequence is one. URLs and addresses fall apart at other signs.
/// Time grows with the text, but for signs before long runs of marks.
/// @throws onoma::error (parse) if the text is not UTF-8.
[[nodiscard]] inline std::vector<byte_span> find_words(std::string_view text) {
  return detail::word_scanner(text).run();
}

/// Takes words without any text from their tokens: those whose tokens all are empty or cover White_Space
/// alone, as byte-level BPE makes of spaces and line ends, belong to no word (-1) then. Other words keep
/// their numbers, and all of their tokens: the first piece of a word may be an empty one.
/// `windows` are those of one text, with offsets into it.
inline void drop_blank_words(std::string_view text, std::span<encoding> windows) {
  const auto is_blank = [&](byte_span token) { return trim_white_space(text, token).empty(); };
  std::vector<std::int32_t> blank;  // words that have a blank token
  for (const auto& window : windows) {
    for (std::size_t i = 0; i < window.ids.size(); ++i) {
      if (window.word_ids[i] >= 0 && is_blank(window.offsets[i])) blank.push_back(window.word_ids[i]);
    }
  }
  if (blank.empty()) return;
  std::sort(blank.begin(), blank.end());
  std::vector<bool> has_text(blank.size(), false);
  const auto find = [&](std::int32_t word) {
    return static_cast<std::size_t>(std::lower_bound(blank.begin(), blank.end(), word) - blank.begin());
  };
  for (const auto& window : windows) {
    for (std::size_t i = 0; i < window.ids.size(); ++i) {
      const auto at = find(window.word_ids[i]);
      const bool listed = at < blank.size() && blank[at] == window.word_ids[i];
      if (listed && !is_blank(window.offsets[i])) has_text[at] = true;
    }
  }
  for (auto& window : windows) {
    for (auto& word : window.word_ids) {
      const auto at = find(word);
      if (at < blank.size() && blank[at] == word && !has_text[at]) word = -1;
    }
  }
}

/// Gives the tokens of a text the words of `find_words` instead of the tokenizer's. Words that share a
/// piece become one; `word_ids` count what is left. Offsets are cut to their words: without white space at
/// their ends. A piece of white space alone belongs to no word (-1).
/// `windows` are those of one text, with offsets into it. @throws onoma::error (parse).
inline void assign_words(std::string_view text, std::span<encoding> windows) {
  const auto words = find_words(text);
  struct range {
    std::size_t first;
    std::size_t end;
  };
  const auto words_of = [&](byte_span token) -> range {
    const auto first = std::upper_bound(words.begin(), words.end(), token.begin,
                                        [](index_t at, byte_span word) { return at < word.end; });
    auto end = first;
    // An empty token belongs to the word that it stands in.
    const index_t last = std::max(token.end, token.begin + 1);
    while (end != words.end() && end->begin < last) ++end;
    return {static_cast<std::size_t>(first - words.begin()), static_cast<std::size_t>(end - words.begin())};
  };
  std::vector<bool> continues(words.size(), false);  // the word before it
  for (const auto& window : windows) {
    for (std::size_t i = 0; i < window.ids.size(); ++i) {
      if (window.word_ids[i] < 0) continue;
      const auto [first, end] = words_of(window.offsets[i]);
      for (std::size_t w = first + 1; w < end; ++w) continues[w] = true;
    }
  }
  std::vector<std::int32_t> numbers(words.size());
  std::int32_t number = -1;
  for (std::size_t w = 0; w < words.size(); ++w) {
    if (!continues[w]) ++number;
    numbers[w] = number;
  }
  for (auto& window : windows) {
    for (std::size_t i = 0; i < window.ids.size(); ++i) {
      if (window.word_ids[i] < 0) continue;
      auto& token = window.offsets[i];
      const auto [first, end] = words_of(token);
      window.word_ids[i] = first < end ? numbers[first] : -1;
      if (first == end || token.empty()) continue;
      token = {std::max(token.begin, words[first].begin), std::min(token.end, words[end - 1].end)};
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI
