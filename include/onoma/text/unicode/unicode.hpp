/// Classes and lower case of code points, as Hugging Face's tokenizers see them.
#pragma once

#include <onoma/core/white_space.hpp>
#include <onoma/text/unicode/unicode_tables.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>

namespace onoma::inline ONOMA_ABI::unicode {

/// Whether a code point is in a table of ascending ranges.
template <std::size_t N>
[[nodiscard]] constexpr bool contains(const code_point_range (&table)[N], std::uint32_t c) {
  const auto* next = std::upper_bound(
      std::begin(table), std::end(table), c,
      [](std::uint32_t value, const code_point_range& range) { return value < range.first; });
  return next != std::begin(table) && c <= (next - 1)->last;
}

/// The CJK blocks of BertNormalizer. The fifth begins at 2B920 there and at 2B820 in the original
/// Python; equality with the checkpoints' own tokenizer decides.
[[nodiscard]] constexpr bool is_chinese(std::uint32_t c) {
  return (c >= 0x4E00U && c <= 0x9FFFU) || (c >= 0x3400U && c <= 0x4DBFU) ||
         (c >= 0x20000U && c <= 0x2A6DFU) || (c >= 0x2A700U && c <= 0x2B73FU) ||
         (c >= 0x2B740U && c <= 0x2B81FU) || (c >= 0x2B920U && c <= 0x2CEAFU) ||
         (c >= 0xF900U && c <= 0xFAFFU) || (c >= 0x2F800U && c <= 0x2FA1FU);
}

/// Dropped by clean_text.
[[nodiscard]] constexpr bool is_removed(std::uint32_t c) {
  if (c < 0x80U) return (c < 0x20U && c != '\t' && c != '\n' && c != '\r') || c == 0x7FU;
  return contains(removed_ranges, c);
}

/// A word of its own for BertPreTokenizer.
[[nodiscard]] constexpr bool is_punctuation(std::uint32_t c) {
  if (c < 0x80U) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
  }
  return contains(punctuation_ranges, c);
}

/// The single-code-point lower case; U+0130 has a second code point, U+0307.
[[nodiscard]] inline std::uint32_t to_lower(std::uint32_t c) {
  if (c < 0x80U) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  for (const auto& run : lower_case_runs) {
    if (c >= run.first && c <= run.last && (c - run.first) % run.step == 0) {
      return run.lower + (c - run.first);
    }
  }
  return static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

/// `\w`: letters, marks, digits, connectors and joiners (Unicode Technical Standard 18, annex C).
[[nodiscard]] inline bool is_word(std::uint32_t c) {
  if (c < 0x80U) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
  }
  return contains(word_ranges, c);
}

}  // namespace onoma::inline ONOMA_ABI::unicode
