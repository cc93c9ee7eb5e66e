/// Normalised text that knows where each of its bytes came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/utf8.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// UTF-8 after normalisation; byte i stands for the bytes `origin[i]` of the original text. All
/// bytes of one code point have the same origin.
struct aligned_text {
  std::string bytes;
  std::vector<byte_span> origin;

  void clear() {
    bytes.clear();
    origin.clear();
  }
  void push(std::uint32_t c, byte_span from) {
    append_utf8(bytes, c);
    origin.resize(bytes.size(), from);
  }
  [[nodiscard]] index size() const { return static_cast<index>(bytes.size()); }
};

/// Bytes that must be readable behind a word, so that keys are loaded without a loop.
inline constexpr std::size_t word_padding = 16;

/// A word as a model sees it. `word_padding` bytes behind it are readable, with any content.
/// Byte i stands for `origin[i]`, or without `origin` for [base + i, base + i + 1).
struct word_view {
  const char* data = nullptr;
  std::uint32_t size = 0;
  index base = 0;
  const byte_span* origin = nullptr;

  [[nodiscard]] std::string_view text() const { return {data, size}; }
  /// What bytes [begin, end) stand for; the range is not empty.
  [[nodiscard]] byte_span span(std::uint32_t begin, std::uint32_t end) const {
    if (origin == nullptr) return {base + begin, base + end};
    return {origin[begin].begin, origin[end - 1].end};
  }
};

/// Bytes [begin, end) of a normalised text that are a word.
struct word_range {
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

/// Piece `id` of the vocabulary covers bytes [begin, end) of its word.
struct placed_piece {
  std::int32_t id = 0;
  std::uint32_t begin = 0;
  std::uint32_t end = 0;
};

}  // namespace onoma::inline ONOMA_ABI
