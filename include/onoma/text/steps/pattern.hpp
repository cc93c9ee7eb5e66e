/// Patterns that Replace and Split look for: literal text, or a regular expression.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/steps/regex.hpp>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Bytes [begin, end) of a text, which match a pattern or stand between matches.
struct text_stretch {
  std::uint32_t begin = 0;  ///< first byte
  std::uint32_t end = 0;    ///< behind the last byte
  bool match = false;       ///< else what stands between two matches
};
/// Stretches that follow one another and together are a text.
using text_stretches = std::vector<text_stretch>;

/// Memory of one thread.
struct match_buffers {
  text_stretches found;  ///< of the text at hand
  regex::search search;  ///< memory of regular expressions
};

/// Immutable, and cheap to copy.
class text_pattern {
 public:
  /// Every occurrence, from left to right.
  [[nodiscard]] static text_pattern literal(std::string text) {
    text_pattern made;
    made.literal_ = std::move(text);
    return made;
  }
  /// @throws onoma::error as `regex`.
  [[nodiscard]] static text_pattern expression(std::string_view source, std::string_view where) {
    text_pattern made;
    // The one that most SentencePiece tokenizers have; it needs no PCRE2.
    if (source == " {2,}") {
      made.spaces_ = true;
      return made;
    }
    made.regex_ = std::make_shared<const regex>(source, where);
    return made;
  }

  /// Appends the stretches of a valid UTF-8 text. Empty matches are found between characters, but not
  /// right behind a match (the crate onig, find_iter).
  void find(std::string_view text, match_buffers& b) const {
    text_stretches& out = b.found;
    if (text.empty()) return;
    if (regex_) b.search.add(text.size());
    const auto size = static_cast<std::uint32_t>(text.size());
    std::uint32_t done = 0;
    std::uint32_t from = 0;
    bool matched = false;
    while (from <= size) {
      text_stretch found{size, size, true};
      if (!next(text, from, found, b.search)) break;
      if (found.begin == found.end && matched && found.begin == done) {
        from += from < size ? static_cast<std::uint32_t>(decode_utf8(text, from).length) : 1;
        continue;
      }
      if (done != found.begin) out.push_back({done, found.begin, false});
      out.push_back(found);
      done = from = found.end;
      matched = true;
    }
    if (done != size) out.push_back({done, size, false});
  }

 private:
  bool next(std::string_view text, std::uint32_t from, text_stretch& found, regex::search& search) const {
    if (regex_) return regex_->find(text, from, found.begin, found.end, search);
    if (spaces_) return next_spaces(text, from, found);
    const auto at = text.find(literal_, from);
    if (at == std::string_view::npos) return false;
    found.begin = static_cast<std::uint32_t>(at);
    found.end = static_cast<std::uint32_t>(at + literal_.size());
    return true;
  }

  /// Two spaces or more.
  static bool next_spaces(std::string_view text, std::uint32_t from, text_stretch& found) {
    const auto at = text.find("  ", from);
    if (at == std::string_view::npos) return false;
    found.begin = static_cast<std::uint32_t>(at);
    found.end = static_cast<std::uint32_t>(std::min(text.find_first_not_of(' ', at), text.size()));
    return true;
  }

  bool spaces_ = false;
  std::string literal_;
  std::shared_ptr<const regex> regex_;
};

}  // namespace onoma::inline ONOMA_ABI
