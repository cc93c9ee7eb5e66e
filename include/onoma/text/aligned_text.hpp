/// Normalised text that knows where each of its bytes came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// UTF-8 after normalisation; byte i stands for the bytes `origin[i]` of the original text. All
/// bytes of one code point have the same origin. Origins never go back; one that is empty belongs to
/// a character that nothing became.
struct aligned_text {
  std::string bytes;              ///< UTF-8
  std::vector<byte_span> origin;  ///< of each byte
  index_t base = 0;                 ///< where in the original the stretch begins that this was made of

  /// An empty text; the memory stays.
  void clear() {
    bytes.clear();
    origin.clear();
  }
  /// Appends a code point that stands for `from`.
  void push(std::uint32_t c, byte_span from) {
    append_utf8(bytes, c);
    origin.resize(bytes.size(), from);
  }
  /// Text that stands for `from` as a whole.
  void append(std::string_view text, byte_span from) {
    bytes += text;
    origin.resize(bytes.size(), from);
  }
  /// Bytes [begin, end) of another text, with their origins.
  void append(const aligned_text& text, std::size_t begin, std::size_t end) {
    bytes.append(text.bytes, begin, end - begin);
    origin.insert(origin.end(), text.origin.begin() + static_cast<std::ptrdiff_t>(begin),
                  text.origin.begin() + static_cast<std::ptrdiff_t>(end));
  }
  /// Valid UTF-8 that stands for itself and whose first byte is `first` of the original.
  void assign(std::string_view text, index_t first) {
    bytes = text;
    base = first;
    origin.resize(bytes.size());
    for (std::size_t i = 0; i < bytes.size();) {
      const auto length = static_cast<std::size_t>(decode_utf8(bytes, static_cast<index_t>(i)).length);
      const byte_span from{base + static_cast<index_t>(i), base + static_cast<index_t>(i + length)};
      for (const auto end = i + length; i < end; ++i) origin[i] = from;
    }
  }
  /// Bytes.
  [[nodiscard]] index_t size() const { return static_cast<index_t>(bytes.size()); }
};

/// The most bytes that may become of a text: files whose rules blow texts up are hostile.
[[nodiscard]] inline std::size_t largest_growth(std::size_t size) {
  return std::min<std::size_t>(64 * size + 65536, INT32_MAX);
}

/// A character of a text that is rewritten. `change` says how it came to be: 0, it takes the place
/// of the next character of the old text; -n, the same, and n more of them go; 1, it is new.
struct rewritten {
  std::uint32_t code_point = 0;  ///< what stands there now
  std::int32_t change = 0;       ///< how it came to be
};

/// The old text, of which the first `dropped` characters go, becomes `characters`. Replacements get
/// the origins of what they replace, new characters that of the old one before them (tokenizers,
/// tokenizer/normalizer.rs, transform).
inline void rewrite(const aligned_text& old, std::span<const rewritten> characters, index_t dropped,
                    aligned_text& out) {
  out.clear();
  out.base = old.base;
  std::size_t at = 0;
  const auto next = [&] {
    if (at < old.bytes.size()) {
      at += static_cast<std::size_t>(decode_utf8(old.bytes, static_cast<index_t>(at)).length);
    }
  };
  for (index_t i = 0; i < dropped; ++i) next();
  for (const auto& character : characters) {
    const std::size_t source = character.change > 0 || at == old.origin.size() ? at - 1 : at;
    const byte_span nothing{old.base, old.base};
    out.push(character.code_point, source < old.origin.size() ? old.origin[source] : nothing);
    for (auto i = character.change; i <= 0; ++i) next();
  }
}

/// Bytes that must be readable behind a word, so that keys are loaded without a loop.
inline constexpr std::size_t word_padding = 16;

/// A word as a model sees it. `word_padding` bytes behind it are readable, with any content.
/// Byte i stands for `origin[i]`, or without `origin` for [base + i, base + i + 1).
struct word_view {
  const char* data = nullptr;         ///< its first byte
  std::uint32_t size = 0;             ///< bytes
  index_t base = 0;                     ///< where it stands in the original, without `origin`
  const byte_span* origin = nullptr;  ///< of each byte, or null

  /// The word.
  [[nodiscard]] std::string_view text() const { return {data, size}; }
  /// What bytes [begin, end) stand for; the range is not empty.
  [[nodiscard]] byte_span span(std::uint32_t begin, std::uint32_t end) const {
    if (origin == nullptr) return {base + begin, base + end};
    return {origin[begin].begin, origin[end - 1].end};
  }
};

/// Bytes [begin, end) of a normalised text that are a word.
struct word_range {
  std::uint32_t begin = 0;  ///< first byte
  std::uint32_t end = 0;    ///< behind the last byte
};

/// Piece `id` of the vocabulary covers bytes [begin, end) of its word.
struct placed_piece {
  std::int32_t id = 0;      ///< of the piece
  std::uint32_t begin = 0;  ///< first byte
  std::uint32_t end = 0;    ///< behind the last byte
};

}  // namespace onoma::inline ONOMA_ABI
