/// Numbers as text for people. Not printf, which writes the host's locale.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/error.hpp>

#include <algorithm>
#include <charconv>
#include <string>
#include <system_error>

namespace onoma::inline ONOMA_ABI {

/// With `digits` after the point, 0 to 40.
[[nodiscard]] inline std::string fixed_text(double value, int digits) {
  char buffer[400];  // the largest double has 309 digits before the point
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::fixed,
                                 std::clamp(digits, 0, 40));
  check(end.ec == std::errc{}, error_code::out_of_range, "a number as text", "one that fits its buffer");
  return {buffer, end.ptr};
}

/// With this many significant digits, 1 to 40.
[[nodiscard]] inline std::string significant_text(double value, int digits) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, value, std::chars_format::general,
                                 std::clamp(digits, 1, 40));
  check(end.ec == std::errc{}, error_code::out_of_range, "a number as text", "one that fits its buffer");
  return {buffer, end.ptr};
}

}  // namespace onoma::inline ONOMA_ABI
