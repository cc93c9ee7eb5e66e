/// GPT-2's byte alphabet and its split of text into words, as a scanner.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Each byte stands in vocabularies as a character that can be printed: itself in Latin-1 where that
/// can be, else one from U+0100 on, in order (GPT-2, encoder.py, bytes_to_unicode).
class byte_alphabet {
 public:
  byte_alphabet() {
    std::uint32_t next = 0x100;
    bytes_.fill(-1);
    for (std::uint32_t byte = 0; byte < 256; ++byte) {
      const bool prints = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) ||
                          byte >= 0xAE;
      characters_[byte] = static_cast<std::uint16_t>(prints ? byte : next++);
      bytes_[characters_[byte]] = static_cast<std::int16_t>(byte);
    }
  }
  /// The character that stands for a byte.
  [[nodiscard]] std::uint32_t character(unsigned char byte) const { return characters_[byte]; }
  /// The bytes of a piece, or nothing if a character is not of the alphabet. `piece` is UTF-8.
  [[nodiscard]] std::optional<std::string> decode(std::string_view piece) const {
    std::string bytes;
    for (index_t i = 0; i < static_cast<index_t>(piece.size());) {
      const auto c = decode_utf8(piece, i);
      i += c.length;
      if (c.code_point >= bytes_.size() || bytes_[c.code_point] < 0) return std::nullopt;
      bytes.push_back(static_cast<char>(bytes_[c.code_point]));
    }
    return bytes;
  }

 private:
  std::array<std::int16_t, 0x144> bytes_{};
  std::array<std::uint16_t, 256> characters_{};
};

/// Characters of white space at the ends of a piece, in the byte alphabet or plain.
struct outer_spaces {
  index_t leading = 0;   ///< at the beginning
  index_t trailing = 0;  ///< at the end
};

/// Of a piece of the vocabulary.
[[nodiscard]] inline outer_spaces spaces_of(std::string_view piece) {
  outer_spaces found;
  index_t run = 0;
  bool only_spaces = true;
  for (index_t i = 0; i < static_cast<index_t>(piece.size());) {
    const auto c = decode_utf8(piece, i);
    i += c.length;
    const bool blank = c.code_point == 0x120U || unicode::is_whitespace(c.code_point);
    only_spaces = only_spaces && blank;
    run = blank ? run + 1 : 0;
    if (only_spaces) found.leading = run;
  }
  found.trailing = run;
  return found;
}

/// `offset` without that many characters of `text` at its ends, never turned around. Nothing goes at
/// the end if that many do not stand before it (tokenizers, pre_tokenizers/byte_level.rs,
/// process_offsets).
[[nodiscard]] inline byte_span without_spaces(std::string_view text, byte_span offset,
                                              outer_spaces spaces) {
  const auto inside = [text](index_t i) {
    return i < static_cast<index_t>(text.size()) && is_continuation(text[static_cast<std::size_t>(i)]);
  };
  for (index_t i = 0; i < spaces.leading && offset.begin < offset.end; ++i) {
    do {
      ++offset.begin;
    } while (inside(offset.begin));
  }
  index_t end = offset.end;
  for (index_t i = 0; i < spaces.trailing; ++i) {
    if (end == 0) return offset;
    do {
      --end;
    } while (inside(end));
  }
  offset.end = std::max(end, offset.begin);
  return offset;
}

/// The words of GPT-2's regular expression:
/// `'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
class gpt2_scanner {
 public:
  gpt2_scanner() : classes_(limit, other) {
    const auto fill = [this](const auto& ranges, char_class what) {
      for (const auto& range : ranges) {
        for (auto c = range.first; c <= std::min(range.last, limit - 1); ++c) classes_[c] = what;
      }
    };
    fill(unicode::letter_ranges, letter);
    fill(unicode::number_ranges, number);
    for (std::uint32_t c = 0; c < limit; ++c) {
      if (unicode::is_whitespace(c)) classes_[c] = space;
    }
  }

  /// Where the word ends that begins at `begin`, in a text that ends with a word.
  [[nodiscard]] std::uint32_t word_end(std::string_view text, std::uint32_t begin) const {
    if (text[begin] == '\'') {
      for (const std::string_view tail : {"s", "t", "re", "ve", "m", "ll", "d"}) {
        if (text.substr(begin + 1, tail.size()) == tail) {
          return begin + 1 + static_cast<std::uint32_t>(tail.size());
        }
      }
    }
    const bool blank = text[begin] == ' ' && begin + 1 < text.size();
    const auto first = at(text, begin + (blank ? 1 : 0));
    if (first.what != space) return run_end(text, begin + (blank ? 1 : 0), first.what);
    // White space: all of it at the end of the text, else all but the last character, which may
    // begin the next word; a single one is a word.
    std::uint32_t end = begin;
    std::uint32_t last = begin;
    while (end < text.size()) {
      const auto c = at(text, end);
      if (c.what != space) break;
      last = end;
      end += c.length;
    }
    return end == text.size() || last == begin ? end : last;
  }

 private:
  enum char_class : std::uint8_t { other, letter, number, space };
  static constexpr std::uint32_t limit = 0x10000;

  struct character {
    char_class what;
    std::uint32_t length;
  };
  [[nodiscard]] character at(std::string_view text, std::uint32_t i) const {
    const auto byte = static_cast<unsigned char>(text[i]);
    if (byte < 0x80U) return {classes_[byte], 1};
    const auto c = decode_utf8(text, i);
    const auto length = static_cast<std::uint32_t>(c.length);
    if (c.code_point < limit) return {classes_[c.code_point], length};
    if (unicode::contains(unicode::letter_ranges, c.code_point)) return {letter, length};
    if (unicode::contains(unicode::number_ranges, c.code_point)) return {number, length};
    return {other, length};
  }
  [[nodiscard]] std::uint32_t run_end(std::string_view text, std::uint32_t i, char_class what) const {
    while (i < text.size()) {
      const auto c = at(text, i);
      if (c.what != what) break;
      i += c.length;
    }
    return i;
  }

  std::vector<char_class> classes_;
};

/// ByteLevel in one pass over the text: words as raw bytes.
class byte_level_words {
 public:
  /// Those of ByteLevel in tokenizer.json.
  struct options {
    bool add_prefix_space = false;  ///< a stretch that does not begin with a space gets one
    bool use_regex = true;          ///< false: a stretch is one word
  };
  /// Memory of one thread.
  struct buffers {
    std::string bytes;              ///< of a stretch, with the space before it
    std::vector<byte_span> origin;  ///< of each byte
  };

  /// With these options.
  explicit byte_level_words(options settings) : options_(settings) {}

  /// Calls `sink(const word_view&)` for each word of `text`, valid UTF-8 whose first byte is `base`
  /// of the whole. Views are of raw bytes; a piece of a character stands for all of it.
  /// `spaced`: a space is added in front, whatever the options say, and stands for nothing.
  template <class Sink>
  void split(std::string_view text, index_t base, bool spaced, buffers& b, const Sink& sink) const {
    if (text.empty()) return;
    // The words near the end need readable bytes behind them, and an added space one in front.
    const bool prefix = spaced || (options_.add_prefix_space && text.front() != ' ');
    b.bytes.assign(prefix ? 1 : 0, ' ');
    b.bytes += text;
    const auto size = static_cast<std::uint32_t>(b.bytes.size());
    b.bytes.append(word_padding, '\0');
    const std::string_view all(b.bytes.data(), size);
    const auto emit = [&](std::uint32_t begin, std::uint32_t end) {
      word_view word{b.bytes.data() + begin, end - begin, base + begin - (prefix ? 1 : 0), nullptr};
      const auto* found = all.data() + begin;
      const bool plain = std::all_of(found, found + word.size, [](char c) {
        return static_cast<unsigned char>(c) < 0x80U;
      });
      if (!plain || (prefix && begin == 0)) {
        align(word, prefix && begin == 0 ? 1U : 0U, b);
        if (spaced && begin == 0) b.origin[0] = {base, base};
        word.origin = b.origin.data();
      }
      sink(word);
    };
    if (!options_.use_regex) {
      emit(0, size);
      return;
    }
    for (std::uint32_t begin = 0; begin < size;) {
      const std::uint32_t end = scanner_.word_end(all, begin);
      emit(begin, end);
      begin = end;
    }
  }

 private:
  /// Origins byte by byte. An added space stands for the character behind it.
  static void align(const word_view& word, std::uint32_t added, buffers& b) {
    b.origin.resize(word.size);
    for (std::uint32_t i = added; i < word.size;) {
      const auto length = static_cast<std::uint32_t>(decode_utf8(word.text(), i).length);
      const byte_span from{word.base + i, word.base + i + length};
      for (const auto end = i + length; i < end; ++i) b.origin[i] = from;
    }
    if (added != 0) b.origin[0] = word.size > 1 ? b.origin[1] : first_character(b, word);
  }
  /// A space that became a word of its own, as white space follows it.
  static byte_span first_character(const buffers& b, const word_view& word) {
    const auto length = decode_utf8(b.bytes, 1).length;
    return {word.base + 1, word.base + 1 + length};
  }

  options options_;
  gpt2_scanner scanner_;
};

}  // namespace onoma::inline ONOMA_ABI
