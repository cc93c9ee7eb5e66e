/// Oniguruma's notation of regular expressions, which tokenizer.json uses, in PCRE2's.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The two differ in what `\s`, `\w`, `\d` and `\b` mean, in the letters of options and in a few constructs,
/// which are refused. Classes of characters are spelt out from the tables of Unicode that Hugging
/// Face has, so that they do not depend on PCRE2's.
class regex_syntax {
 public:
  /// `lacking(property)` lists what `\p{L}` and `\p{N}` have there and not in PCRE2.
  using lacking = std::function<std::string(char property)>;

  /// For a pattern; `where` names it in messages.
  regex_syntax(std::string_view source, std::string_view where, lacking properties)
      : source_(source), where_(where), properties_(std::move(properties)) {}

  /// @throws onoma::error (unsupported) for a construct that PCRE2 would understand otherwise.
  [[nodiscard]] std::string translated() {
    out_.clear();
    for (at_ = 0; at_ < source_.size();) {
      const char c = source_[at_];
      if (c == '\\') {
        escape(false);
      } else if (c == '[') {
        character_class();
      } else if (c == '(' && source_.substr(at_, 2) == "(?") {
        group();
      } else if (c == '{') {
        interval();
      } else {
        out_ += c;
        ++at_;
      }
    }
    return out_;
  }
  using ranges = std::vector<unicode::code_point_range>;  ///< ascending and apart
  /// Adds a code point that is greater than all in `to`.
  static void add(ranges& to, std::uint32_t c) {
    if (!to.empty() && to.back().last + 1 == c) {
      to.back().last = c;
    } else {
      to.push_back({c, c});
    }
  }
  /// Items of a class, like `\x{41}-\x{5a}`.
  [[nodiscard]] static std::string items(std::span<const unicode::code_point_range> ranges) {
    std::string text;
    for (const auto& range : ranges) {
      append(text, range.first);
      if (range.last != range.first) append(text += '-', range.last);
    }
    return text;
  }

 private:
  static void append(std::string& text, std::uint32_t c) {
    constexpr char digits[] = "0123456789abcdef";
    text += "\\x{";
    for (int shift = 20; shift >= 0; shift -= 4) text += digits[c >> shift & 15U];
    text += '}';
  }
  [[noreturn]] void refuse(std::string_view construct) const {
    fail(error_code::unsupported, std::string(where_), "a regular expression without " + std::string(construct),
         "'" + std::string(source_) + "'");
  }
  [[nodiscard]] char ahead(std::size_t n) const {
    return at_ + n < source_.size() ? source_[at_ + n] : '\0';
  }

  [[nodiscard]] static ranges others(const ranges& of) {
    ranges found;
    std::uint32_t next = 0;
    for (const auto& range : of) {
      if (range.first > next) found.push_back({next, range.first - 1});
      next = range.last + 1;
    }
    found.push_back({next, 0x10FFFFU});
    return found;
  }
  [[nodiscard]] static ranges spaces() {
    ranges found;
    for (std::uint32_t c = 0; c <= 0x3000U; ++c) {  // the last one
      if (unicode::is_whitespace(c)) add(found, c);
    }
    return found;
  }
  [[nodiscard]] static ranges words() {
    ranges found;
    for (const auto& range : unicode::word_ranges) {
      // Oniguruma does not count the joiners; of Latin-1 it also has the superscripts and fractions.
      if (range.first <= 0x200CU && range.last >= 0x200DU) continue;
      found.push_back(range);
    }
    for (const unicode::code_point_range more : {unicode::code_point_range{0xB2, 0xB3}, {0xB9, 0xB9}, {0xBC, 0xBE}}) {
      found.push_back(more);
    }
    std::sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
    return found;
  }
  [[nodiscard]] static ranges all(std::span<const unicode::code_point_range> table) {
    return {table.begin(), table.end()};
  }

  /// A class that is spelt out: alone in brackets, or as items of the class that it stands in.
  void set(const ranges& of, bool inside) {
    const std::string text = items(of);
    out_ += inside ? text : "[" + text + "]";
  }

  void escape(bool inside) {
    const char c = ahead(1);
    at_ += 2;
    switch (c) {
      case '\0': refuse("a backslash at its end");
      case 's': return set(spaces(), inside);
      case 'S': return set(others(spaces()), inside);
      case 'w': return set(words(), inside);
      case 'W': return set(others(words()), inside);
      case 'd': return set(all(unicode::digit_ranges), inside);
      case 'D': return set(others(all(unicode::digit_ranges)), inside);
      case 'h': return set({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}, inside);
      case 'H': return set(others({{'0', '9'}, {'A', 'F'}, {'a', 'f'}}), inside);
      case 'p':
      case 'P': return property(c == 'P', inside);
      case 'u': {
        if (at_ + 4 > source_.size()) refuse("an incomplete \\u");
        out_ += "\\x{" + std::string(source_.substr(at_, 4)) + "}";
        at_ += 4;
        return;
      }
      case 'b':
      case 'B': {
        if (inside) break;
        const std::string word = "[" + items(words()) + "]";
        const std::string between = "(?<=" + word + ")(?!" + word + ")|(?<!" + word + ")(?=" + word + ")";
        out_ += c == 'b' ? "(?:" + between + ")" : "(?!" + between + ")";
        return;
      }
      case 'R':
      case 'X':
      case 'K':
      case 'G':
      case 'g':
      case 'k':
      case 'C':
      case 'M':
      case 'c':
      case 'y':
      case 'Y':
      case 'O':
      case 'N':
      case 'o':
      case 'E':
      case 'Q': refuse("\\" + std::string(1, c));
      default: break;
    }
    // The rest means the same in both. What follows a \x is copied as it is.
    out_ += '\\';
    out_ += c;
  }

  void property(bool negated, bool inside) {
    const auto end = source_.find('}', at_);
    if (ahead(0) != '{' || end == std::string_view::npos) refuse("a property without braces");
    auto name = source_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    if (!name.empty() && name.front() == '^') {
      negated = !negated;
      name.remove_prefix(1);
    }
    const bool known = name == "L" || name == "N" || name == "Letter" || name == "Number";
    if (!known) {
      out_ += (negated ? "\\P{" : "\\p{") + std::string(name) + "}";
      return;
    }
    const char letter = name.front();
    if (negated && inside) {
      return set(others(letter == 'L' ? all(unicode::letter_ranges) : all(unicode::number_ranges)), true);
    }
    // PCRE2's own property is faster than ranges.
    const std::string text = std::string("\\p{") + letter + "}" + properties_(letter);
    out_ += inside ? text : (negated ? "[^" : "[") + text + "]";
  }

  void character_class() {
    out_ += '[';
    ++at_;
    if (ahead(0) == '^') out_ += source_[at_++];
    if (ahead(0) == ']') refuse("a class that begins with ]");
    while (ahead(0) != ']') {
      if (at_ >= source_.size()) refuse("an open class");
      if (source_[at_] == '[') refuse("a class in a class");
      if (source_.substr(at_, 2) == "&&") refuse("an intersection of classes");
      if (source_[at_] == '\\') {
        escape(true);
      } else {
        out_ += source_[at_++];
      }
    }
    out_ += ']';
    ++at_;
  }

  /// Options: what Ruby's m means, PCRE2 calls s.
  void group() {
    const auto end = source_.find_first_not_of("imx-", at_ + 2);
    const char last = end == std::string_view::npos ? '\0' : source_[end];
    if (end != at_ + 2 && (last == ':' || last == ')')) {
      // An option that stands alone reaches to the end of its group in both.
      for (; at_ < end; ++at_) out_ += source_[at_] == 'm' ? 's' : source_[at_];
      return;
    }
    constexpr std::string_view same = ":=!>#";
    const bool behind = source_.substr(at_, 4) == "(?<=" || source_.substr(at_, 4) == "(?<!";
    if (same.find(ahead(2)) == std::string_view::npos && !behind) {
      refuse("groups of the kind '" + std::string(source_.substr(at_, 4)) + "'");
    }
    const std::size_t length = behind ? 4 : 3;
    out_ += source_.substr(at_, length);
    at_ += length;
  }

  /// {2,3}+ is possessive to PCRE2 and repeated to Oniguruma; {2}? is lazy here, optional there.
  void interval() {
    const auto end = source_.find_first_not_of("0123456789,", at_ + 1);
    const bool closed = end != std::string_view::npos && source_[end] == '}' && end > at_ + 1;
    if (!closed) {
      out_ += "\\{";
      ++at_;
      return;
    }
    const auto text = source_.substr(at_, end + 1 - at_);
    const char next = end + 1 < source_.size() ? source_[end + 1] : '\0';
    const bool exact = text.find(',') == std::string_view::npos;
    if (next == '+' || next == '*' || (next == '?' && exact)) refuse("a repeated repetition");
    if (text[1] == ',') refuse("a repetition without its lower bound");
    out_ += text;
    at_ = end + 1;
  }

  std::string_view source_;
  std::string_view where_;
  lacking properties_;
  std::string out_;
  std::size_t at_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
