/// Which words of a sentence stood side by side without a space.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/unicode/graphemes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI::word_parts {

/// Columns of words do not tell where spaces were; this is how English and its like are typed.
/// Where that is open, as with quotes, words are held for apart.
class typing_habits {
 public:
  /// Whether words i - 1 and i had no space between them.
  [[nodiscard]] static bool touches(std::span<const std::string> words, std::size_t i) {
    if (i == 0 || words[i - 1].empty() || words[i].empty()) return false;
    const std::string_view a = words[i - 1];
    const std::string_view b = words[i];
    if (is_clitic(b)) return ends_in_letter(a);
    if (is_one_of(b, apostrophes) && i + 1 < words.size() &&
        is_one_of(words[i + 1], clitic_letters)) {
      return ends_in_letter(a);  // John ' s
    }
    if (is_one_of(a, apostrophes) && is_one_of(b, clitic_letters)) {
      return i > 1 && ends_in_letter(words[i - 2]);
    }
    if (begins_with_any(b, closing) && !is_emoticon(b)) return true;
    if (ends_with_any(a, opening)) return true;
    if (is_one_of(a, currencies) && is_digit(b.front())) return true;
    // A quote behind a stop closes.
    if (is_one_of(b, quotes) && is_one_of(a, stops)) return true;
    return is_inside(words, i) || (ends_in_script(a) && begins_in_script(b));
  }

  /// Whether word i is a sign that may have joined the words around it: "A" "-" "League". Dashes
  /// look the same.
  [[nodiscard]] static bool is_joiner(std::span<const std::string> words, std::size_t i) {
    return i > 0 && i + 1 < words.size() && is_one_of(words[i], joiners) &&
           ends_in_letter(words[i - 1]) && begins_in_letter(words[i + 1]);
  }

  /// Letters and digits. Whatever is not ASCII counts, since signs that matter are listed.
  [[nodiscard]] static bool begins_in_letter(std::string_view word) {
    return !word.empty() && is_letter_or_digit(word.front());
  }
  [[nodiscard]] static bool ends_in_letter(std::string_view word) {
    return !word.empty() && is_letter_or_digit(word.back());
  }

 private:
  using list = std::span<const std::string_view>;
  static constexpr std::string_view closing[] = {
      ".", ",", ";",      ":",      "!",      "?",      ")",      "]",
      "}", "%", "\u201D", "\u2019", "\u2026", "\u00BB", "\u3002", "\uFF0C"};
  static constexpr std::string_view opening[] = {"(",      "[",      "{",      "\u201C",
                                                 "\u2018", "\u00AB", "\u00BF", "\u00A1"};
  static constexpr std::string_view quotes[] = {"\"", "'"};
  static constexpr std::string_view stops[] = {".", ",", "!", "?"};
  static constexpr std::string_view currencies[] = {"$", "US$", "\u20AC", "\u00A3", "\u00A5"};
  static constexpr std::string_view joiners[] = {"-",      "/",      "&", "'", "\u2019", "\u2010",
                                                 "\u2011", "\u2013", "+", "*", "_",      "@"};
  static constexpr std::string_view apostrophes[] = {"'", "\u2019"};
  static constexpr std::string_view clitic_letters[] = {"s", "m", "d", "t", "re", "ve", "ll", "S"};
  static constexpr std::string_view clitics[] = {"'s",  "'m",  "'d",  "'t",
                                                 "'re", "'ve", "'ll", "n't"};

  [[nodiscard]] static bool is_one_of(std::string_view word, list words) {
    return std::find(words.begin(), words.end(), word) != words.end();
  }
  [[nodiscard]] static bool begins_with_any(std::string_view word, list signs) {
    return std::any_of(signs.begin(), signs.end(),
                       [&](std::string_view s) { return word.starts_with(s); });
  }
  [[nodiscard]] static bool ends_with_any(std::string_view word, list signs) {
    return std::any_of(signs.begin(), signs.end(),
                       [&](std::string_view s) { return word.ends_with(s); });
  }
  [[nodiscard]] static constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
  [[nodiscard]] static constexpr bool is_letter_or_digit(char c) {
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           (static_cast<unsigned char>(c) & 0x80U) != 0;
  }
  [[nodiscard]] static bool is_script(std::uint32_t c) {
    using word = unicode::word_class;
    const auto kind = unicode::find_segmentation(c).word;
    return kind == word::han || kind == word::hiragana || kind == word::katakana ||
           kind == word::complex;
  }
  [[nodiscard]] static bool begins_in_script(std::string_view word) {
    return is_script(decode_utf8(word, 0).code_point);
  }
  [[nodiscard]] static bool ends_in_script(std::string_view word) {
    return is_script(
        decode_utf8(word, previous_utf8(word, static_cast<index_t>(word.size()))).code_point);
  }

  /// 's, 'll, n't and the like, in capitals too.
  [[nodiscard]] static bool is_clitic(std::string_view word) {
    constexpr std::string_view typographic = "\u2019";
    if (word.size() > 3 + typographic.size()) return false;
    std::string plain;
    for (std::size_t i = 0; i < word.size(); ++i) {
      if (word.substr(i).starts_with(typographic)) {
        plain += '\'';
        i += typographic.size() - 1;
      } else {
        plain += word[i] >= 'A' && word[i] <= 'Z' ? static_cast<char>(word[i] + 32) : word[i];
      }
    }
    return is_one_of(plain, clitics);
  }
  /// :) ;-) :D, which have a space before them.
  [[nodiscard]] static bool is_emoticon(std::string_view word) {
    return word.size() > 1 && (word[0] == ':' || word[0] == ';') && word[1] != word[0];
  }
  /// Whether word i goes on with a number or an abbreviation that is cut at its signs: 3 . 5, U . S
  /// .
  [[nodiscard]] static bool is_inside(std::span<const std::string> words, std::size_t i) {
    if (i < 2 || words[i - 2].empty()) return false;
    const std::string_view sign = words[i - 1];
    const std::string_view a = words[i - 2];
    const std::string_view b = words[i];
    const auto is_letter = [](std::string_view w) {
      return w.size() == 1 && w[0] >= 'A' && w[0] <= 'Z';
    };
    if (sign == "." && is_letter(a) && is_letter(b)) return true;
    if (!is_digit(a.back()) || !is_digit(b.front())) return false;
    return sign == "." || sign == ":" || (sign == "," && b.size() == 3);
  }
};

}  // namespace onoma::inline ONOMA_ABI::word_parts
