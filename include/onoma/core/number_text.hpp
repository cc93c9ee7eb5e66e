/// Numbers as text for people. Not printf, which writes the host's locale.
#pragma once

#include <onoma/core/config.hpp>

#include <algorithm>
#include <charconv>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// With `digits` after the point, 0 to 40.
[[nodiscard]] inline std::string fixed_text(double value, int digits) {
  char buffer[400];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 std::clamp(digits, 0, 40));
  return {buffer, end.ptr};
}

/// With this many significant digits, 1 to 40.
[[nodiscard]] inline std::string significant_text(double value, int digits) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general,
                                 std::clamp(digits, 1, 40));
  return {buffer, end.ptr};
}

}  // namespace onoma::inline ONOMA_ABI
