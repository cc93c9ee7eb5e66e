/// What a word looks like, by the rules of Python's str and of spaCy's lexical attributes.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/match/lexical_tables.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI::lexical {

/// The attributes that are true or false, as bits.
enum flag : std::uint32_t {
  is_alpha = 1U << 0,         ///< str.isalpha: letters alone
  is_ascii = 1U << 1,         ///< ASCII alone
  is_digit = 1U << 2,         ///< str.isdigit: digits alone, superscripts too
  is_lower = 1U << 3,         ///< str.islower
  is_upper = 1U << 4,         ///< str.isupper
  is_title = 1U << 5,         ///< str.istitle
  is_punct = 1U << 6,         ///< the categories P* alone
  is_space = 1U << 7,         ///< str.isspace
  is_bracket = 1U << 8,       ///< one of spaCy's brackets
  is_quote = 1U << 9,         ///< one of spaCy's quotes
  is_left_punct = 1U << 10,   ///< one of spaCy's opening signs
  is_right_punct = 1U << 11,  ///< one of spaCy's closing signs
  is_currency = 1U << 12,     ///< the category Sc alone
  like_num = 1U << 13,        ///< looks like a number
  like_url = 1U << 14,        ///< looks like an address of the web
  like_email = 1U << 15,      ///< begins like an address of mail
};

namespace detail {

[[nodiscard]] inline utf8proc_category_t category(std::uint32_t c) {
  return utf8proc_category(static_cast<utf8proc_int32_t>(c));
}

}  // namespace detail

/// A letter: the categories L*.
[[nodiscard]] inline bool is_letter(std::uint32_t c) {
  if (c < 0x80U) return (c | 0x20U) - 'a' < 26;
  const auto category = detail::category(c);
  return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_LO;
}
/// The property Lowercase.
[[nodiscard]] inline bool is_lower_case(std::uint32_t c) {
  if (c < 0x80U) return c - 'a' < 26;
  return detail::category(c) == UTF8PROC_CATEGORY_LL || unicode::contains(other_lower_case, c);
}
/// The property Uppercase.
[[nodiscard]] inline bool is_upper_case(std::uint32_t c) {
  if (c < 0x80U) return c - 'A' < 26;
  return detail::category(c) == UTF8PROC_CATEGORY_LU || unicode::contains(other_upper_case, c);
}
/// A digit of any kind: Numeric_Type Decimal or Digit.
[[nodiscard]] inline bool is_any_digit(std::uint32_t c) {
  if (c < 0x80U) return c - '0' < 10;
  return detail::category(c) == UTF8PROC_CATEGORY_ND || unicode::contains(other_digits, c);
}
/// White space of str.isspace: White_Space and four separators of ASCII.
[[nodiscard]] constexpr bool is_python_space(std::uint32_t c) {
  return (c >= 0x1CU && c <= 0x1FU) || unicode::is_whitespace(c);
}

/// The code points of valid UTF-8.
inline void code_points_of(std::string_view text, std::vector<std::uint32_t>& out) {
  out.clear();
  for (index_t i = 0; i < static_cast<index_t>(text.size());) {
    const auto c = decode_utf8(text, i);
    out.push_back(c.code_point);
    i += std::max<index_t>(c.length, 1);
  }
}

namespace detail {

/// A cased character, or one that does not count where case is looked at (Unicode, D135 and D136).
[[nodiscard]] inline bool is_cased(std::uint32_t c) {
  return is_lower_case(c) || is_upper_case(c) || category(c) == UTF8PROC_CATEGORY_LT;
}
[[nodiscard]] inline bool is_case_ignorable(std::uint32_t c) {
  switch (category(c)) {
    case UTF8PROC_CATEGORY_MN:
    case UTF8PROC_CATEGORY_ME:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_SK: return true;
    default:
      return std::find(std::begin(signs_inside_words), std::end(signs_inside_words), c) !=
             std::end(signs_inside_words);
  }
}
/// Whether the sigma at `at` ends a word (Unicode, Final_Sigma).
[[nodiscard]] inline bool is_final_sigma(const std::vector<std::uint32_t>& text, std::size_t at) {
  std::size_t before = at;
  while (before > 0 && is_case_ignorable(text[before - 1])) --before;
  if (before == 0 || !is_cased(text[before - 1])) return false;
  std::size_t behind = at + 1;
  while (behind < text.size() && is_case_ignorable(text[behind])) ++behind;
  return behind == text.size() || !is_cased(text[behind]);
}

}  // namespace detail

/// str.lower(): full lower case, with final sigmas.
[[nodiscard]] inline std::string lower(const std::vector<std::uint32_t>& text) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto c = text[i];
    if (c == 0x130U) {
      append_utf8(out, 'i');
      append_utf8(out, 0x307U);
    } else if (c == 0x3A3U) {
      append_utf8(out, detail::is_final_sigma(text, i) ? 0x3C2U : 0x3C3U);
    } else {
      append_utf8(out, unicode::to_lower(c));
    }
  }
  return out;
}

/// spaCy's SHAPE (lex_attrs.py, word_shape): X, x, d for letters and digits, at most four of a kind
/// in a row.
[[nodiscard]] inline std::string shape(const std::vector<std::uint32_t>& text) {
  if (text.size() >= 100) return "LONG";
  std::string out;
  std::uint32_t last = 0;
  int run = 0;
  for (const auto c : text) {
    const std::uint32_t sign = is_letter(c)      ? (is_upper_case(c) ? 'X' : 'x')
                               : is_any_digit(c) ? std::uint32_t{'d'}
                                                 : c;
    run = sign == last ? run + 1 : 0;
    last = sign;
    if (run < 4) append_utf8(out, sign);
  }
  return out;
}

namespace detail {

[[nodiscard]] inline bool is_one_of(std::string_view word, std::span<const std::string_view> list) {
  return std::find(list.begin(), list.end(), word) != list.end();
}

template <class Test>
[[nodiscard]] bool all_of(const std::vector<std::uint32_t>& text, Test test) {
  return !text.empty() && std::all_of(text.begin(), text.end(), test);
}

[[nodiscard]] inline std::uint32_t case_flags(const std::vector<std::uint32_t>& text) {
  bool any_lower = false;
  bool any_upper = false;
  bool any_title = false;
  bool title = true;
  bool before = false;  // the character before is cased
  for (const auto c : text) {
    const bool titled = category(c) == UTF8PROC_CATEGORY_LT;
    const bool upper = is_upper_case(c);
    const bool small = !upper && !titled && is_lower_case(c);
    title = title && !((upper || titled) && before) && !(small && !before);
    any_lower = any_lower || small;
    any_upper = any_upper || upper;
    any_title = any_title || titled;
    before = upper || titled || small;
  }
  const bool cased = any_lower || any_upper || any_title;
  return (any_lower && !any_upper && !any_title ? is_lower : 0U) |
         (any_upper && !any_lower && !any_title ? is_upper : 0U) | (title && cased ? is_title : 0U);
}

[[nodiscard]] inline bool are_digits(std::string_view text) {
  std::vector<std::uint32_t> characters;
  code_points_of(text, characters);
  return all_of(characters, is_any_digit);
}

}  // namespace detail

/// spaCy's LIKE_NUM: `english` knows number words and ordinals too (lang/en/lex_attrs.py).
[[nodiscard]] inline bool looks_like_number(std::string_view word, bool english) {
  for (const std::string_view sign : {"+", "-", "\xC2\xB1", "~"}) {
    if (!word.starts_with(sign)) continue;
    word.remove_prefix(sign.size());
    break;
  }
  std::string text(word);
  std::erase_if(text, [](char c) { return c == ',' || c == '.'; });
  if (detail::are_digits(text)) return true;
  if (std::count(text.begin(), text.end(), '/') == 1) {
    const auto slash = text.find('/');
    if (detail::are_digits(text.substr(0, slash)) && detail::are_digits(text.substr(slash + 1)))
      return true;
  }
  if (!english) return false;
  std::vector<std::uint32_t> characters;
  code_points_of(text, characters);
  const std::string small = lower(characters);
  if (detail::is_one_of(small, number_words)) return true;
  for (const std::string_view ending : {"st", "nd", "rd", "th"}) {
    if (small.ends_with(ending))
      return detail::are_digits(std::string_view(small).substr(0, small.size() - 2));
  }
  return false;
}

/// spaCy's LIKE_EMAIL: whether a word begins with an address.
[[nodiscard]] inline bool looks_like_email(std::string_view word) {
  const auto is_plain = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
  };
  std::size_t at = 0;
  const auto skip = [&](std::string_view more) {
    const std::size_t from = at;
    while (at < word.size() &&
           (is_plain(word[at]) || more.find(word[at]) != std::string_view::npos))
      ++at;
    return at > from;
  };
  if (!skip("_.+") || at == word.size() || word[at++] != '@') return false;
  if (!skip("") || at == word.size() || word[at++] != '.') return false;
  return skip(".");
}

/// The flags of a word but for those that begin with `like_`. The word is not empty.
[[nodiscard]] inline std::uint32_t flags_of(std::string_view word,
                                            const std::vector<std::uint32_t>& text) {
  const auto if_all = [&](auto test, flag bit) {
    return detail::all_of(text, test) ? std::uint32_t{bit} : 0U;
  };
  std::uint32_t found = detail::case_flags(text);
  found |= if_all(is_letter, is_alpha);
  found |= if_all([](std::uint32_t c) { return c < 0x80U; }, is_ascii);
  found |= if_all(is_any_digit, is_digit);
  found |= if_all(is_python_space, is_space);
  found |= if_all(
      [](std::uint32_t c) {
        const auto category = detail::category(c);
        return category >= UTF8PROC_CATEGORY_PC && category <= UTF8PROC_CATEGORY_PO;
      },
      is_punct);
  found |= if_all([](std::uint32_t c) { return detail::category(c) == UTF8PROC_CATEGORY_SC; },
                  is_currency);
  found |= detail::is_one_of(word, brackets) ? std::uint32_t{is_bracket} : 0U;
  found |= detail::is_one_of(word, quotes) ? std::uint32_t{is_quote} : 0U;
  found |= detail::is_one_of(word, left_signs) ? std::uint32_t{is_left_punct} : 0U;
  found |= detail::is_one_of(word, right_signs) ? std::uint32_t{is_right_punct} : 0U;
  return found;
}

}  // namespace onoma::inline ONOMA_ABI::lexical
