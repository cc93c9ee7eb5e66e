/// UTF-8: strict decoding, encoding and checks, counted in code points where Python would.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// U+FEFF at the start of a file: says that it is UTF-8 and is no part of the text.
inline constexpr std::string_view byte_order_mark = "\xEF\xBB\xBF";

/// A decoded code point and its length in bytes; length 0 means that the bytes are not UTF-8.
struct decoded {
  std::uint32_t code_point = 0;  ///< its Unicode scalar value
  index_t length = 0;              ///< bytes; 0: not UTF-8
};

/// The code point at `text[at]`. Overlong forms, surrogates, values above U+10FFFF and truncated
/// sequences have length 0 (Unicode 15, table 3-7, "Well-formed UTF-8 byte sequences").
[[nodiscard]] constexpr decoded decode_utf8(std::string_view text, index_t at) {
  const auto byte = [&](index_t i) {
    return at + i < static_cast<index_t>(text.size())
               ? static_cast<std::uint32_t>(static_cast<unsigned char>(text[static_cast<std::size_t>(at + i)]))
               : 0U;
  };
  const auto follows = [](std::uint32_t b) { return (b & 0xC0U) == 0x80U; };
  const std::uint32_t b0 = byte(0);
  if (b0 < 0x80U) return {b0, 1};
  const std::uint32_t b1 = byte(1);
  if (b0 < 0xC2U || !follows(b1)) return {};
  if (b0 < 0xE0U) return {(b0 & 0x1FU) << 6 | (b1 & 0x3FU), 2};
  const std::uint32_t b2 = byte(2);
  if (!follows(b2)) return {};
  if (b0 < 0xF0U) {
    const std::uint32_t c = (b0 & 0x0FU) << 12 | (b1 & 0x3FU) << 6 | (b2 & 0x3FU);
    if (c < 0x800U || (c >= 0xD800U && c < 0xE000U)) return {};
    return {c, 3};
  }
  const std::uint32_t b3 = byte(3);
  if (b0 > 0xF4U || !follows(b3)) return {};
  const std::uint32_t c =
      (b0 & 0x07U) << 18 | (b1 & 0x3FU) << 12 | (b2 & 0x3FU) << 6 | (b3 & 0x3FU);
  if (c < 0x10000U || c > 0x10FFFFU) return {};
  return {c, 4};
}

/// Whether a byte of UTF-8 goes on with a code point and does not begin one.
[[nodiscard]] constexpr bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

/// How many bytes a code point of valid UTF-8 has, by its first byte.
[[nodiscard]] constexpr index_t utf8_length(char first) {
  const auto byte = static_cast<unsigned char>(first);
  return byte < 0x80U ? 1 : byte < 0xE0U ? 2 : byte < 0xF0U ? 3 : 4;
}

/// Code points of valid UTF-8: Python's len(text).
[[nodiscard]] constexpr index_t count_code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return !is_continuation(c); });
}

/// Valid UTF-8 without its first code point: Python's text[1:].
[[nodiscard]] constexpr std::string_view behind_first_code_point(std::string_view text) {
  std::size_t size = text.empty() ? 0 : 1;
  while (size < text.size() && is_continuation(text[size])) ++size;
  return text.substr(size);
}

/// Where the code point begins that ends before byte `at` of valid UTF-8; `at` is not 0.
[[nodiscard]] constexpr index_t previous_utf8(std::string_view text, index_t at) {
  do {
    --at;
  } while (at > 0 && is_continuation(text[static_cast<std::size_t>(at)]));
  return at;
}

/// Appends the UTF-8 form of a valid code point.
constexpr void append_utf8(std::string& out, std::uint32_t c) {
  const auto put = [&out](std::uint32_t byte) { out.push_back(static_cast<char>(byte)); };
  if (c < 0x80U) {
    put(c);
  } else if (c < 0x800U) {
    put(0xC0U | c >> 6);
    put(0x80U | (c & 0x3FU));
  } else if (c < 0x10000U) {
    put(0xE0U | c >> 12);
    put(0x80U | (c >> 6 & 0x3FU));
    put(0x80U | (c & 0x3FU));
  } else {
    put(0xF0U | c >> 18);
    put(0x80U | (c >> 12 & 0x3FU));
    put(0x80U | (c >> 6 & 0x3FU));
    put(0x80U | (c & 0x3FU));
  }
}

/// Where the first byte lies that is not UTF-8, or -1.
[[nodiscard]] inline index_t find_invalid_utf8(std::string_view text) {
  const auto size = static_cast<index_t>(text.size());
  for (index_t i = 0; i < size;) {
    const auto at = static_cast<std::size_t>(i);
    i += static_cast<index_t>(ascii::ascii_prefix(text.data() + at, text.size() - at));
    if (i == size) break;
    const auto c = decode_utf8(text, i);
    if (c.length == 0) return i;
    i += c.length;
  }
  return -1;
}

/// @throws onoma::error (parse) that names the first byte which is not UTF-8.
inline void validate_utf8(std::string_view text, std::string_view operation) {
  const index_t at = find_invalid_utf8(text);
  if (at < 0) return;
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(text[static_cast<std::size_t>(at)]);
  fail(error_code::parse, std::string(operation), "UTF-8",
       std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15] + " at position " +
           std::to_string(at));
}

}  // namespace onoma::inline ONOMA_ABI
