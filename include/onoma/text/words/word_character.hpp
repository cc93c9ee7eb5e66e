/// A character of a text as finding words looks at it.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/unicode/graphemes.hpp>

#include <array>
#include <cstdint>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// One character with its classes.
struct word_character {
  std::uint32_t code_point = 0;                                       ///< which it is
  index_t length = 0;                                                 ///< bytes
  unicode::word_class kind = unicode::word_class::other;              ///< Word_Break, and U+200B a space
  unicode::grapheme_class grapheme = unicode::grapheme_class::other;  ///< Grapheme_Cluster_Break
};

/// The character at byte `at`. @throws onoma::error (parse).
[[nodiscard]] inline word_character read_word_character(std::string_view text, index_t at) {
  static constexpr auto ascii = [] {
    std::array<unicode::segmentation, 0x80> table{};
    for (std::uint32_t c = 0; c < table.size(); ++c) table[c] = unicode::find_segmentation(c);
    return table;
  }();
  const auto c = decode_utf8(text, at);
  if (c.length == 0) validate_utf8(text, "find_words");
  const auto classes =
      c.code_point < ascii.size() ? ascii[c.code_point] : unicode::find_segmentation(c.code_point);
  // Thai and Khmer mark words with the space that has no width; it is no White_Space.
  const bool zero_width_space = c.code_point == 0x200BU;
  return {c.code_point, c.length, zero_width_space ? unicode::word_class::space : classes.word, classes.grapheme};
}

}  // namespace onoma::inline ONOMA_ABI
