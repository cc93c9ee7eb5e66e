/// What becomes of signs in text: the tables of word rules.
#pragma once

#include <onoma/core/config.hpp>

#include <cstdint>
#include <functional>
#include <map>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// Which neighbours a sign shares a word with.
enum class joins : std::uint8_t { none = 0, left = 1, right = 2, both = 3 };

/// How text without spaces is cut at its signs. Tables map a place to what becomes of the sign
/// there; a place is written as
///
///     class before, sign, class behind      "a-a": a hyphen between letters
///     text before, sign, '|', class behind  "No.|d": No. before a number
///     text before, sign                     "Mr."
///     sign, text behind                     "'s"
///
/// Classes before: `^` nothing, white space or a sign; `a` letters, more exactly `i` one letter,
/// `c` one letter of an abbreviation (the S of U.S.), `w` a word; `9` digits, more exactly `n` a
/// number of one or two digits.
///
/// Classes behind: `a` letters, more exactly `i` one letter, `l` lower case, `U` upper case; `9`
/// digits, more exactly `n` one or two; `$` neither, more exactly `,` a comma, semicolon or colon,
/// `s` another sign; and where white space follows, by what comes next: `m` lower case, `M` upper
/// case, `d` a digit, `p` a sign, `e` the end of the text or an empty line.
///
/// A sign is one character (grapheme cluster), or two of the same for a row of any length ("--"),
/// or signs that `pairs` keeps together. What no table has joins by annex 29 of the Unicode
/// Standard.
struct word_rules {
  /// From a place, as it is written above, to what becomes of the sign there.
  using place_table = std::map<std::string, joins, std::less<>>;

  place_table signs;   ///< by classes on both sides
  place_table before;  ///< by the text before the sign
  place_table behind;  ///< by the text behind the sign
  /// Two signs side by side that are one word (true) or two. Without an entry, the same sign of
  /// ASCII again is one word with it, but for brackets and quotes; others are two.
  std::map<std::string, bool, std::less<>> pairs;
  bool splits_negations = true;  ///< "do" "n't", not "don't"
  bool keeps_addresses = true;   ///< addresses of web pages and of mail are one word
  bool joins_scripts =
      false;  ///< neighbours in a script without spaces (Han, kana, Thai) are one word

  /// The same tables and switches.
  friend bool operator==(const word_rules&, const word_rules&) = default;
};

}  // namespace onoma::inline ONOMA_ABI
