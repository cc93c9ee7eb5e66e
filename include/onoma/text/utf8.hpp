/// UTF-8: strict decoding, and positions in bytes, code points and UTF-16 units.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/ascii.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A decoded code point and its length in bytes; length 0 means that the bytes are not UTF-8.
struct decoded {
  std::uint32_t code_point = 0;
  index length = 0;
};

/// The code point at `text[at]`. Overlong forms, surrogates, values above U+10FFFF and truncated
/// sequences have length 0 (Unicode 15, table 3-7, "Well-formed UTF-8 byte sequences").
[[nodiscard]] constexpr decoded decode_utf8(std::string_view text, index at) {
  const auto byte = [&](index i) {
    return at + i < static_cast<index>(text.size())
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

/// Where the code point begins that ends before byte `at` of valid UTF-8; `at` is not 0.
[[nodiscard]] constexpr index previous_utf8(std::string_view text, index at) {
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
[[nodiscard]] inline index find_invalid_utf8(std::string_view text) {
  const auto size = static_cast<index>(text.size());
  for (index i = 0; i < size;) {
    const auto at = static_cast<std::size_t>(i);
    i += static_cast<index>(ascii::ascii_prefix(text.data() + at, text.size() - at));
    if (i == size) break;
    const auto c = decode_utf8(text, i);
    if (c.length == 0) return i;
    i += c.length;
  }
  return -1;
}

/// @throws onoma::error (parse) that names the first byte which is not UTF-8.
inline void validate_utf8(std::string_view text, std::string_view operation) {
  const index at = find_invalid_utf8(text);
  if (at < 0) return;
  constexpr char digits[] = "0123456789abcdef";
  const auto byte = static_cast<unsigned char>(text[static_cast<std::size_t>(at)]);
  fail(error_code::parse, std::string(operation), "UTF-8",
       std::string("byte 0x") + digits[byte >> 4] + digits[byte & 15] + " at position " +
           std::to_string(at));
}

/// Turns places in bytes of a text into places in code points and UTF-16 units. It keeps one entry per
/// non-ASCII code point, so that ASCII text costs nothing to look up.
class offset_map {
 public:
  /// @throws onoma::error (parse) if the text is not UTF-8.
  explicit offset_map(std::string_view text) {
    index code_points = 0;
    index utf16 = 0;
    for (index i = 0; i < static_cast<index>(text.size());) {
      const auto at = static_cast<std::size_t>(i);
      const auto plain = static_cast<index>(ascii::ascii_prefix(text.data() + at, text.size() - at));
      if (plain > 0) {
        i += plain;
        code_points += plain;
        utf16 += plain;
        continue;
      }
      const auto c = decode_utf8(text, i);
      if (c.length == 0) validate_utf8(text, "offset_map");
      i += c.length;
      code_points += 1;
      utf16 += c.code_point >= 0x10000U ? 2 : 1;
      if (c.length > 1) marks_.push_back({i, i - code_points, i - utf16});
    }
  }

  /// How many code points begin before this byte.
  [[nodiscard]] index code_point_at(index byte) const { return byte - before(byte).code_points; }
  /// How many UTF-16 units the text before this byte has.
  [[nodiscard]] index utf16_at(index byte) const { return byte - before(byte).utf16; }
  [[nodiscard]] text_span span(byte_span bytes) const {
    return {bytes,
            {code_point_at(bytes.begin), code_point_at(bytes.end)},
            {utf16_at(bytes.begin), utf16_at(bytes.end)}};
  }

 private:
  /// After `byte`, positions are smaller than bytes by these amounts.
  struct mark {
    index byte = 0;
    index code_points = 0;
    index utf16 = 0;
  };
  [[nodiscard]] mark before(index byte) const {
    const auto next = std::upper_bound(marks_.begin(), marks_.end(), byte,
                                       [](index b, const mark& m) { return b < m.byte; });
    return next == marks_.begin() ? mark{} : *(next - 1);
  }

  std::vector<mark> marks_;
};

}  // namespace onoma::inline ONOMA_ABI
