/// Lengths of text as Python counts them.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <string_view>

namespace onoma::inline ONOMA_ABI::detail {

/// Code points of valid UTF-8: its bytes without the continuation bytes.
[[nodiscard]] inline index code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
}

}  // namespace onoma::inline ONOMA_ABI::detail
