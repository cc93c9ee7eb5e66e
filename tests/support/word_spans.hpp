/// What words of a text always are, whatever rules cut it.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/text/unicode/graphemes.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace test {

/// Spans cover exactly what is no white space, in order, and cut neither characters nor clusters.
inline bool is_exact(std::string_view text, std::span<const onoma::byte_span> words) {
  std::vector<char> covered(text.size(), 0);
  onoma::index_t before = 0;
  for (const auto word : words) {
    if (word.begin < before || word.end <= word.begin) return false;
    before = word.end;
    for (auto i = word.begin; i < word.end; ++i) covered[static_cast<std::size_t>(i)] = 1;
    covered[static_cast<std::size_t>(word.begin)] = 2;
  }
  onoma::grapheme_state clusters;
  bool after_space = true;
  for (onoma::index_t i = 0; i < static_cast<onoma::index_t>(text.size());) {
    const auto c = onoma::decode_utf8(text, i);
    if (c.length == 0) return false;
    const bool space = onoma::unicode::is_whitespace(c.code_point) || c.code_point == 0x200B;
    const bool begins = clusters.begins(onoma::unicode::find_segmentation(c.code_point).grapheme);
    const char here = covered[static_cast<std::size_t>(i)];
    if ((here != 0) == space) return false;
    if (here == 2 && !begins && !after_space) return false;
    for (onoma::index_t k = 1; k < c.length; ++k) {
      if (covered[static_cast<std::size_t>(i + k)] != (here != 0 ? 1 : 0)) return false;
    }
    after_space = space;
    i += c.length;
  }
  return true;
}

/// Words with "|" between them.
inline std::string show_words(std::string_view text, std::span<const onoma::byte_span> words) {
  std::string result;
  for (const auto word : words) {
    if (!result.empty()) result += '|';
    result +=
        text.substr(static_cast<std::size_t>(word.begin), static_cast<std::size_t>(word.size()));
  }
  return result;
}

}  // namespace test
