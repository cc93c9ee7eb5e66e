/// Python's notation of regular expressions (module re), in PCRE2's.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/utf8.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// The two agree in most things. What differs is written in PCRE2's way; what Python refuses, or
/// PCRE2 understands otherwise, is refused. Source of the behaviour: the documentation of
/// Python 3.11's re, for patterns of str.
class python_regex_syntax {
 public:
  /// For a pattern; `where` names it in messages. Both outlive this.
  python_regex_syntax(std::string_view source, std::string_view where)
      : source_(source), where_(where) {}

  /// @throws onoma::error (unsupported) for a construct that is not one of Python's, or is not
  /// supported.
  [[nodiscard]] std::string translated() {
    out_.clear();
    for (at_ = 0; at_ < source_.size();) {
      switch (source_[at_]) {
        case '\\': escape(false); break;
        case '[': character_class(); break;
        case '(': group(); break;
        case '{': interval(); break;
        default: out_ += source_[at_++];
      }
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(const std::string& construct) const {
    fail(error_code::unsupported, std::string(where_),
         "a regular expression of Python without " + construct, "'" + std::string(source_) + "'");
  }
  [[nodiscard]] char ahead(std::size_t n) const {
    return at_ + n < source_.size() ? source_[at_ + n] : '\0';
  }
  [[nodiscard]] static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  void escape(bool inside) {
    const char c = ahead(1);
    if (c == '\0') refuse("a backslash at its end");
    at_ += 2;
    switch (c) {
      // The tables of PCRE2 10.43 and newer have marks among the characters of words.
      case 'w': out_ += inside ? "\\p{L}\\p{N}_" : "[\\p{L}\\p{N}_]"; return;
      case 'W': out_ += inside ? "\\W" : "[^\\p{L}\\p{N}_]"; return;
      case 'd': out_ += "\\p{Nd}"; return;
      case 'D': out_ += "\\P{Nd}"; return;
      case 's': out_ += inside ? "\\s\\x1c-\\x1f" : "[\\s\\x1c-\\x1f]"; return;
      case 'S': out_ += inside ? "\\S" : "[^\\s\\x1c-\\x1f]"; return;
      case 'x': return hexadecimal(2);
      case 'u': return hexadecimal(4);
      case 'U': return hexadecimal(8);
      case 'a': out_ += "\\x07"; return;
      case 'v': out_ += "\\x0b"; return;
      case 'f':
      case 'n':
      case 'r':
      case 't': out_ += {'\\', c}; return;
      case 'b': out_ += inside ? "\\x08" : "\\b"; return;
      case 'A':
      case 'B':
      case 'Z':
        if (inside) refuse(std::string("\\") + c + " in brackets");
        out_ += c == 'Z' ? std::string("\\z") : std::string("\\") + c;
        return;
      default: break;
    }
    if (c == '0') refuse("octal numbers");
    if (is_digit(c)) {
      if (inside || is_digit(ahead(0))) refuse("octal numbers, or groups above 9");
      out_ += std::string("\\g{") + c + "}";
      return;
    }
    const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    if (letter) refuse(std::string("\\") + c);
    out_ += '\\';
    out_ += c;  // of a character of several bytes the first: a backslash changes nothing before it
    if (static_cast<unsigned char>(c) >= 0x80U) out_.erase(out_.size() - 2, 1);
  }

  void hexadecimal(std::size_t digits) {
    std::uint32_t value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const char c = ahead(0);
      const bool decimal = is_digit(c);
      const char lower = static_cast<char>(c | 0x20);
      if (!decimal && (lower < 'a' || lower > 'f')) refuse("a number with too few digits");
      value = value << 4 | static_cast<std::uint32_t>(decimal ? c - '0' : lower - 'a' + 10);
      ++at_;
    }
    if (value > 0x10FFFFU || (value >= 0xD800U && value < 0xE000U))
      refuse("a number that is no character");
    constexpr char names[] = "0123456789abcdef";
    out_ += "\\x{";
    for (int shift = 20; shift >= 0; shift -= 4) out_ += names[value >> shift & 15U];
    out_ += '}';
  }

  void character_class() {
    out_ += source_[at_++];
    if (ahead(0) == '^') out_ += source_[at_++];
    if (ahead(0) == ']') {
      out_ += "\\]";
      ++at_;
    }
    while (at_ < source_.size() && source_[at_] != ']') {
      if (source_[at_] == '\\') {
        escape(true);
      } else {
        if (source_[at_] == '[') out_ += '\\';  // no class of POSIX
        out_ += source_[at_++];
      }
    }
    if (at_ == source_.size()) refuse("a bracket that stays open");
    out_ += source_[at_++];
  }

  /// What stands behind "(".
  void group() {
    if (ahead(1) == '*') refuse("'(*'");
    if (ahead(1) != '?') {
      out_ += source_[at_++];
      return;
    }
    const auto rest = source_.substr(at_);
    for (const std::string_view same :
         {"(?:", "(?=", "(?!", "(?<=", "(?<!", "(?>", "(?P<", "(?P="}) {
      if (!rest.starts_with(same)) continue;
      out_ += same;
      at_ += same.size();
      return;
    }
    if (rest.starts_with("(?#")) {
      const auto end = rest.find(')');
      if (end == std::string_view::npos) refuse("a comment that stays open");
      at_ += end + 1;
      return;
    }
    flags(rest);
  }

  /// "(?ims)" at the begin, for all of the pattern; "(?i-s:" for a group.
  void flags(std::string_view rest) {
    std::size_t end = 2;
    while (end < rest.size() && std::string_view("imsx-").find(rest[end]) != std::string_view::npos)
      ++end;
    const char last = end < rest.size() ? rest[end] : '\0';
    const bool whole = last == ')' && at_ == 0 && rest.find('-') >= end;
    if (end == 2 || (last != ':' && !whole)) refuse("'" + std::string(rest.substr(0, 4)) + "'");
    if (rest.substr(2, end - 2).find('x') != std::string_view::npos) refuse("the flag x");
    out_ += rest.substr(0, end + 1);
    at_ += end + 1;
  }

  /// "{,3}" is no interval in PCRE2 before 10.43.
  void interval() {
    if (ahead(1) == ',' && is_digit(ahead(2))) {
      std::size_t end = 2;
      while (is_digit(ahead(end))) ++end;
      if (ahead(end) == '}') {
        out_ += "{0,";
        at_ += 2;
        return;
      }
    }
    if (ahead(1) == ',' && ahead(2) == '}') {  // Python: any number
      out_ += "{0,}";
      at_ += 3;
      return;
    }
    out_ += source_[at_++];
  }

  std::string_view source_;
  std::string_view where_;
  std::string out_;
  std::size_t at_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
