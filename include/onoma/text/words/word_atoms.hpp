/// What words are made of: runs of letters and digits, and the signs between them.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/unicode/graphemes.hpp>
#include <onoma/text/unicode/unicode.hpp>
#include <onoma/text/words/word_character.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI::word_parts {

/// A part of a text that is never cut, but for the n of "don't".
struct atom {
  enum class kind : std::uint8_t {
    run,     ///< letters, digits and the marks on them; or an address, see `merge_addresses`
    sign,    ///< one grapheme cluster: punctuation, a symbol, an emoji sequence
    script,  ///< of a script without spaces, cut as `find_words` cuts it: always a word of its own
  };
  byte_span bytes;  ///< of the text
  kind what = kind::sign;
  unicode::word_class first = unicode::word_class::other;  ///< of its first character
  bool ends_in_digit = false;
  bool ends_in_hebrew = false;
  bool upper = false;   ///< begins with a capital letter
  bool single = false;  ///< a run of one character, with its marks
  bool number = false;  ///< a run of digits alone
};

/// What stands behind a stretch of text without white space.
enum class stretch_end : std::uint8_t { lower, upper, digit, sign, text_end };

/// Calls `sink(std::span<atom>, stretch_end)` for each stretch of a text between two white spaces,
/// in order. The atoms may be changed. @throws onoma::error (parse) if the text is not UTF-8.
template <class Sink>
class atom_scanner {
 public:
  atom_scanner(std::string_view text, std::vector<atom>& atoms, Sink sink)
      : text_(text), atoms_(atoms), sink_(std::move(sink)) {}

  void run() {
    atoms_.clear();
    const auto size = static_cast<index_t>(text_.size());
    index_t newlines = 0;
    bool pending = false;  // atoms_ is a whole stretch
    for (index_t i = 0; i < size;) {
      const character next = read_word_character(text_, i);
      const bool clusters = !cluster_.begins(next.grapheme);
      const bool space = next.kind == word::space || next.kind == word::newline;
      if (space) {
        pending = !atoms_.empty();
        if (next.code_point == '\n') ++newlines;
        before_ = word::space;
      } else {
        if (pending) flush(newlines > 1 ? stretch_end::text_end : class_of(next));
        pending = false;
        newlines = 0;
        add(next, i, clusters);
      }
      i += next.length;
    }
    if (!atoms_.empty()) flush(stretch_end::text_end);
  }

 private:
  using word = unicode::word_class;
  using character = word_character;

  [[nodiscard]] static bool is_run(word what) {
    return what == word::letter || what == word::hebrew || what == word::numeric;
  }
  [[nodiscard]] static bool is_upper(std::uint32_t c) { return unicode::to_lower(c) != c; }

  [[nodiscard]] static stretch_end class_of(const character& next) {
    if (next.kind == word::numeric) return stretch_end::digit;
    if (!is_run(next.kind)) return stretch_end::sign;
    return is_upper(next.code_point) ? stretch_end::upper : stretch_end::lower;
  }

  void add(const character& next, index_t at, bool clusters) {
    const index_t end = at + next.length;
    // Marks and joiners belong to the character before them, and so does what its cluster takes.
    if (!atoms_.empty() && (next.kind == word::extend || (clusters && before_ != word::space))) {
      atoms_.back().bytes.end = end;
      if (next.kind != word::extend) before_ = next.kind;
      return;
    }
    if (!atoms_.empty() && joins(next)) {
      auto& open = atoms_.back();
      open.bytes.end = end;
      open.single = false;
      open.number = open.number && next.kind == word::numeric;
      open.ends_in_digit = next.kind == word::numeric;
      open.ends_in_hebrew = next.kind == word::hebrew;
    } else {
      atom made;
      made.bytes = {at, end};
      made.first = next.kind;
      if (is_run(next.kind)) {
        const bool digit = next.kind == word::numeric;
        made.what = atom::kind::run;
        made.single = true;
        made.number = digit;
        made.ends_in_digit = digit;
        made.ends_in_hebrew = next.kind == word::hebrew;
        made.upper = !digit && is_upper(next.code_point);
      } else if (next.kind == word::han || next.kind == word::hiragana ||
                 next.kind == word::katakana || next.kind == word::complex) {
        made.what = atom::kind::script;
      }
      atoms_.push_back(made);
    }
    const bool long_vowel = next.code_point == 0x30FCU && before_ == word::hiragana;
    before_ = long_vowel ? word::hiragana : next.kind;
  }

  [[nodiscard]] bool joins(const character& next) const {
    if (is_run(next.kind)) return is_run(before_);
    if (next.kind == word::katakana) {  // the long vowel sign stands in both syllabaries
      return before_ == word::katakana || (next.code_point == 0x30FCU && before_ == word::hiragana);
    }
    return next.kind == word::hiragana && before_ == word::hiragana;
  }

  void flush(stretch_end behind) {
    sink_(std::span<atom>(atoms_), behind);
    atoms_.clear();
  }

  std::string_view text_;
  std::vector<atom>& atoms_;
  Sink sink_;
  grapheme_state cluster_;
  word before_ = word::space;  // class of the last character that is not an extender
};

[[nodiscard]] inline std::string_view text_of(std::string_view text, byte_span bytes) {
  return text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
}

}  // namespace onoma::inline ONOMA_ABI::word_parts
