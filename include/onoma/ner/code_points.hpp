/// Text as Python counts it: in code points.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>

namespace onoma::inline ONOMA_ABI::detail {

/// Whether a byte of valid UTF-8 begins a code point: it is no continuation byte.
[[nodiscard]] constexpr bool begins_code_point(char c) noexcept {
  return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
}

/// Code points of valid UTF-8.
[[nodiscard]] inline index code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), begins_code_point);
}

/// Valid UTF-8 without its first code point: text[1:].
[[nodiscard]] inline std::string_view behind_first(std::string_view text) {
  std::size_t size = text.empty() ? 0 : 1;
  while (size < text.size() && !begins_code_point(text[size])) ++size;
  return text.substr(size);
}

}  // namespace onoma::inline ONOMA_ABI::detail
