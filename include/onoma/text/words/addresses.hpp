/// Addresses of web pages and of mail in running text.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/words/word_atoms.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string_view>

namespace onoma::inline ONOMA_ABI::word_parts {

/// Finds addresses in one stretch of text without white space: `scheme://...`, `www....`,
/// `name@host.top` and `host.top/...`. They end before closing punctuation.
class address_finder {
 public:
  address_finder(std::string_view text, std::span<const atom> atoms) : text_(text), atoms_(atoms) {}

  /// The end of the address that begins at atom `first`, or `first`. `looked`: where it is of use
  /// to look again.
  [[nodiscard]] std::size_t find(std::size_t first, std::size_t& looked) const {
    looked = first + 1;
    if (!is_run(first)) return first;
    const std::size_t label = host_end(first);  // a name with dots and hyphens inside
    looked = label;
    if (is(label, ":") && is(label + 1, "/") && is(label + 2, "/") && label + 3 < atoms_.size()) {
      return rest_end(label + 3);
    }
    const bool www =
        text_of(text_, atoms_[first].bytes) == "www" && is(first + 1, ".") && is_run(first + 2);
    if (www) return rest_end(first + 2);
    if (is(label, "@") && is_run(label + 1)) {
      const std::size_t host = host_end(label + 1);
      if (ends_in_top_level(label + 1, host)) return host;
    }
    if (is(label, "/") && is_run(label + 1) && ends_in_top_level(first, label))
      return rest_end(label + 1);
    return first;
  }

 private:
  [[nodiscard]] bool is_run(std::size_t i) const {
    return i < atoms_.size() && atoms_[i].what == atom::kind::run;
  }
  [[nodiscard]] bool is(std::size_t i, std::string_view sign) const {
    return i < atoms_.size() && text_of(text_, atoms_[i].bytes) == sign;
  }
  /// The end of run ([.-_+] run)*.
  [[nodiscard]] std::size_t host_end(std::size_t first) const {
    std::size_t end = first + 1;
    while (is_run(end + 1) && (is(end, ".") || is(end, "-") || is(end, "_") || is(end, "+")))
      end += 2;
    return end;
  }
  /// Whether a host ends in a dot and two to six small letters.
  [[nodiscard]] bool ends_in_top_level(std::size_t first, std::size_t end) const {
    if (end < first + 3 || !is(end - 2, ".")) return false;
    const auto top = text_of(text_, atoms_[end - 1].bytes);
    return top.size() >= 2 && top.size() <= 6 &&
           std::all_of(top.begin(), top.end(), [](char c) { return c >= 'a' && c <= 'z'; });
  }
  /// The end of an address whose path goes on from `at`: up to a quote or bracket, without closing
  /// punctuation.
  [[nodiscard]] std::size_t rest_end(std::size_t at) const {
    std::size_t end = at;
    bool open = false;
    for (; end < atoms_.size(); ++end) {
      if (atoms_[end].what == atom::kind::script) break;
      if (atoms_[end].what != atom::kind::sign) continue;
      const auto sign = text_of(text_, atoms_[end].bytes);
      if (sign == "\"" || sign == "<" || sign == ">" || sign == "\u201C" || sign == "\u201D") break;
      open = open || sign == "(";
      if (sign == ")" && !open) break;
    }
    while (end > at && atoms_[end - 1].what == atom::kind::sign) {
      const auto sign = text_of(text_, atoms_[end - 1].bytes);
      if (sign == "/" || sign == "=" || sign == "-" || sign == "_" || sign == "#" || sign == "&")
        break;
      if (sign == ")" && open) break;
      --end;
    }
    return end;
  }

  std::string_view text_;
  std::span<const atom> atoms_;
};

/// Makes one run of the atoms of each address; the number of atoms that are left.
inline std::size_t merge_addresses(std::string_view text, std::span<atom> atoms) {
  // Each kind of address has an @ or a / or begins with www.
  const bool any = std::any_of(atoms.begin(), atoms.end(), [&](const atom& part) {
    const char c = text[static_cast<std::size_t>(part.bytes.begin)];
    return c == '@' || c == '/' || (c == 'w' && text_of(text, part.bytes) == "www");
  });
  if (!any) return atoms.size();
  const address_finder finder(text, atoms);
  std::size_t size = 0;
  std::size_t looked = 0;
  for (std::size_t i = 0; i < atoms.size();) {
    const std::size_t end = i < looked ? i : finder.find(i, looked);
    atom merged = atoms[i];
    if (end > i) {
      merged.bytes.end = atoms[end - 1].bytes.end;
      merged.single = merged.number = merged.ends_in_digit = merged.ends_in_hebrew = false;
    }
    // What is written lies before what is still read.
    atoms[size++] = merged;
    i = std::max(end, i + 1);
  }
  return size;
}

}  // namespace onoma::inline ONOMA_ABI::word_parts
