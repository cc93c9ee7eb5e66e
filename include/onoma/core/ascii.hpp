/// ASCII text, many bytes at a time: how far it goes, its lower case and bit masks of its character classes.
#pragma once

#include <onoma/core/config.hpp>

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace onoma::inline ONOMA_ABI::ascii {

/// Bit i speaks of byte i of a block. A byte is in one class at most; in none, it is a letter, a
/// digit or another character of a word.
struct block_classes {
  std::uint64_t spaces = 0;       ///< ' ', `\t`, `\n`, `\r`
  std::uint64_t punctuation = 0;  ///< ! to /, : to @, [ to `, { to ~
  std::uint64_t odd = 0;          ///< other control characters, and every byte that is not ASCII
};

namespace detail {

inline constexpr std::uint64_t ones = 0x0101010101010101U;
inline constexpr std::uint64_t highs = 0x8080808080808080U;

/// The high bit of each byte of `low7` (each below 0x80) that is at least `limit`.
[[nodiscard]] constexpr std::uint64_t at_least(std::uint64_t low7, unsigned limit) {
  return (low7 + ones * (0x80U - limit)) & highs;
}
[[nodiscard]] constexpr std::uint64_t between(std::uint64_t low7, unsigned first, unsigned last) {
  return at_least(low7, first) & ~at_least(low7, last + 1);
}
/// The high bits of eight bytes as eight bits, that of the lowest byte first.
[[nodiscard]] constexpr std::uint64_t gather(std::uint64_t high_bits) {
  return ((high_bits >> 7) * 0x0102040810204080U) >> 56;
}
/// Byte 0 lowest, on any machine.
[[nodiscard]] inline std::uint64_t load(const char* at) {
  std::uint64_t word = 0;
  std::memcpy(&word, at, 8);
  if constexpr (std::endian::native == std::endian::big) {
    std::uint64_t turned = 0;
    for (int i = 0; i < 8; ++i) turned = turned << 8 | (word >> (8 * i) & 0xFFU);
    word = turned;
  }
  return word;
}
inline void store(char* at, std::uint64_t word) {
  if constexpr (std::endian::native == std::endian::big) {
    for (int i = 0; i < 8; ++i) at[i] = static_cast<char>(word >> (8 * i));
  } else {
    std::memcpy(at, &word, 8);
  }
}

}  // namespace detail

/// Classifies 64 bytes of `text`; `copy` gets them, in lower case if `lower`.
[[nodiscard]] inline block_classes scan_block(const char* text, char* copy, bool lower) {
  using namespace detail;
  block_classes found;
  for (unsigned i = 0; i < 64; i += 8) {
    const std::uint64_t word = load(text + i);
    const std::uint64_t low7 = word & ~highs;
    const std::uint64_t wide = word & highs;
    const std::uint64_t upper = between(low7, 'A', 'Z') & ~wide;
    store(copy + i, lower ? word + (upper >> 2) : word);  // 0x80 >> 2 is 'a' - 'A'
    const std::uint64_t space =
        (between(low7, ' ', ' ') | between(low7, '\t', '\n') | between(low7, '\r', '\r')) & ~wide;
    const std::uint64_t mark = (between(low7, 33, 47) | between(low7, 58, 64) |
                                between(low7, 91, 96) | between(low7, 123, 126)) & ~wide;
    const std::uint64_t control = ~at_least(low7, 32) | at_least(low7, 127);
    found.spaces |= gather(space) << i;
    found.punctuation |= gather(mark) << i;
    found.odd |= gather(((control & ~space) | wide) & highs) << i;
  }
  return found;
}

/// Bytes from the start of `text` that are ASCII for sure, a multiple of 8.
[[nodiscard]] inline std::size_t ascii_prefix(const char* text, std::size_t size) {
  std::size_t i = 0;
  std::uint64_t word = 0;
  for (; i + 8 <= size; i += 8) {
    std::memcpy(&word, text + i, 8);
    if ((word & detail::highs) != 0) break;
  }
  return i;
}

/// Whether a text has no other bytes than ASCII.
[[nodiscard]] inline bool is_ascii(std::string_view text) {
  std::size_t i = ascii_prefix(text.data(), text.size());
  while (i < text.size() && static_cast<unsigned char>(text[i]) < 0x80U) ++i;
  return i == text.size();
}

}  // namespace onoma::inline ONOMA_ABI::ascii
