/// White space as Unicode has it, and texts without it at their ends.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

namespace unicode {

/// The property White_Space (Unicode, PropList.txt), as Rust's char::is_whitespace.
[[nodiscard]] constexpr bool is_whitespace(std::uint32_t c) {
  if (c < 0x80U) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85U || c == 0xA0U || c == 0x1680U || (c >= 0x2000U && c <= 0x200AU) ||
         c == 0x2028U || c == 0x2029U || c == 0x202FU || c == 0x205FU || c == 0x3000U;
}

}  // namespace unicode

/// `range` of a text without the White_Space at its ends; empty at its begin if there is nothing else.
[[nodiscard]] inline byte_span trim_white_space(std::string_view text, byte_span range) {
  byte_span trimmed{range.begin, range.begin};
  for (index_t at = range.begin; at < range.end;) {
    const auto c = decode_utf8(text, at);
    const index_t next = at + std::max<index_t>(c.length, 1);  // length 0: a part of a character
    if (c.length == 0 || !unicode::is_whitespace(c.code_point)) {
      if (trimmed.empty()) trimmed.begin = at;
      trimmed.end = std::min(next, range.end);
    }
    at = next;
  }
  return trimmed;
}

/// A text without the White_Space at its ends.
[[nodiscard]] inline std::string_view trim_white_space(std::string_view text) {
  const byte_span kept = trim_white_space(text, {0, static_cast<index_t>(text.size())});
  return text.substr(static_cast<std::size_t>(kept.begin), static_cast<std::size_t>(kept.size()));
}

}  // namespace onoma::inline ONOMA_ABI
