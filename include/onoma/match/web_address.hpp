/// What spaCy's LIKE_URL takes for an address of the web.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/match/lexical.hpp>
#include <onoma/match/lexical_tables.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI::lexical {

namespace detail {

/// spaCy's URL_MATCH (lang/tokenizer_exceptions.py, after Diego Perini), for words without "@". The
/// end of a host is lower case there by a list of scripts; here it is any letter that is not upper
/// or title case.
class url_pattern {
 public:
  using characters = std::span<const std::uint32_t>;

  [[nodiscard]] static bool matches(characters text) {
    if (!text.empty() && text.back() == '\n') text = text.first(text.size() - 1);  // as $ does
    if (const auto behind = scheme(text); behind > 0 && behind_scheme(text.subspan(behind)))
      return true;
    return behind_scheme(text);
  }

 private:
  /// The size of "name://" at the begin, or 0.
  [[nodiscard]] static std::size_t scheme(characters text) {
    std::size_t at = 0;
    const auto is_name = [](std::uint32_t c) {
      return is_letter(c) || is_number(c) || c == '_' || c == '+' || c == '-' || c == '.';
    };
    while (at < text.size() && is_name(text[at])) ++at;
    const bool signs = at >= 2 && at + 3 <= text.size() && text[at] == ':' && text[at + 1] == '/' &&
                       text[at + 2] == '/';
    return signs ? at + 3 : 0;
  }
  [[nodiscard]] static bool is_number(std::uint32_t c) {
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return category >= UTF8PROC_CATEGORY_ND && category <= UTF8PROC_CATEGORY_NO;
  }

  [[nodiscard]] static bool behind_scheme(characters text) {
    std::size_t end = 0;
    while (end < text.size() && text[end] != ':' && text[end] != '/' && text[end] != '?' &&
           text[end] != '#')
      ++end;
    const auto host = text.first(end);
    return (is_address(host) || is_host(host)) && is_rest(text.subspan(end));
  }

  /// Numbers from 1 to 223, two up to 255 and one from 1 to 254, but for private networks.
  [[nodiscard]] static bool is_address(characters host) {
    std::vector<std::pair<int, std::size_t>> parts{{0, 0}};  // value, digits
    for (const auto c : host) {
      if (c == '.') {
        parts.emplace_back(0, 0);
      } else if (c - '0' < 10 && parts.back().second < 3) {
        parts.back() = {10 * parts.back().first + static_cast<int>(c - '0'),
                        parts.back().second + 1};
      } else {
        return false;
      }
    }
    if (parts.size() != 4) return false;
    for (const auto& [value, digits] : parts) {
      if (digits == 0 || value > 255 || (digits == 3 && value < 100)) return false;
    }
    const bool padded = (parts[0].second > 1 && parts[0].first < 10) ||
                        (parts[3].second > 1 && parts[3].first < 10);
    const int first = parts[0].first;
    const int second = parts[1].first;
    const bool own = first == 10 || first == 127 || (first == 169 && second == 254) ||
                     (first == 192 && second == 168) ||
                     (first == 172 && second >= 16 && second <= 31);
    return !padded && !own && first >= 1 && first <= 223 && parts[3].first >= 1 &&
           parts[3].first <= 254;
  }

  [[nodiscard]] static bool is_host(characters host) {
    const auto is_plain = [](std::uint32_t c) {
      return (c | 0x20U) - 'a' < 26 || c - '0' < 10 || (c >= 0xA1U && c <= 0xFFFFU);
    };
    std::size_t begin = 0;
    for (std::size_t at = 0; at < host.size(); ++at) {
      if (host[at] != '.') continue;
      const auto label = host.subspan(begin, at - begin);
      if (label.empty() || label.size() > 64 || !is_plain(label.front()) || !is_plain(label.back()))
        return false;
      for (const auto c : label) {
        if (!is_plain(c) && c != '_' && c != '-') return false;
      }
      begin = at + 1;
    }
    const auto last = host.subspan(begin);
    return begin > 0 && last.size() >= 2 && last.size() <= 63 &&
           std::all_of(last.begin(), last.end(), [](auto c) {
             return is_letter(c) && !is_upper_case(c) &&
                    utf8proc_category(static_cast<utf8proc_int32_t>(c)) != UTF8PROC_CATEGORY_LT;
           });
  }

  /// A port, then a path; or one, or none.
  [[nodiscard]] static bool is_rest(characters text) {
    std::size_t at = 0;
    if (!text.empty() && text[0] == ':') {
      for (at = 1; at < text.size() && is_digit_of_number(text[at]);) ++at;
      if (at < 3 || at > 6) return false;
    }
    if (at == text.size()) return true;
    const auto sign = text[at];
    return (sign == '/' || sign == '?' || sign == '#') &&
           std::none_of(text.begin() + static_cast<std::ptrdiff_t>(at), text.end(),
                        is_python_space);
  }
  [[nodiscard]] static bool is_digit_of_number(std::uint32_t c) {
    return utf8proc_category(static_cast<utf8proc_int32_t>(c)) == UTF8PROC_CATEGORY_ND;
  }
};

}  // namespace detail

/// spaCy's LIKE_URL (lang/lex_attrs.py, like_url). `text` are the code points of `word`, which is
/// not empty.
[[nodiscard]] inline bool looks_like_url(std::string_view word,
                                         const std::vector<std::uint32_t>& text) {
  if (word.starts_with("http://") || word.starts_with("https://")) return true;
  if (word.starts_with("www.") && text.size() >= 5) return true;
  if (word.front() == '.' || word.back() == '.' || word.find('@') != std::string_view::npos)
    return false;
  const auto dot = word.rfind('.');
  if (dot == std::string_view::npos) return false;
  const auto behind = word.substr(dot + 1);
  const auto domain = behind.substr(0, behind.find(':'));
  if (domain.ends_with('/')) return true;
  if (std::binary_search(std::begin(top_level_domains), std::end(top_level_domains), domain))
    return true;
  return detail::url_pattern::matches(text);
}

}  // namespace onoma::inline ONOMA_ABI::lexical
