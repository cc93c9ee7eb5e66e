/// The pieces of a tokenizer and their ids, in one block of memory with a hash table beside it.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A byte string as a key: short ones whole, in two words; of longer ones the size alone.
struct piece_key {
  static constexpr std::size_t whole_bytes = 16;  ///< texts up to this size are keys as they are

  std::uint64_t low = 0;   ///< the first eight bytes of a short text
  std::uint64_t high = 0;  ///< the next eight bytes
  std::uint32_t size = 0;  ///< bytes of the text

  /// `whole_bytes` bytes from `data` on must be readable, whatever the size.
  [[nodiscard]] static piece_key of_padded(const char* data, std::size_t size) {
    if (size > whole_bytes) return {0, 0, static_cast<std::uint32_t>(size)};
    // Sixteen bytes of ones, then zeros: read from 16 - size, a mask of `size` bytes.
    static constexpr std::array<unsigned char, 32> masks = {255, 255, 255, 255, 255, 255, 255, 255,
                                                            255, 255, 255, 255, 255, 255, 255, 255};
    std::uint64_t bytes[2];
    std::uint64_t mask[2];
    std::memcpy(bytes, data, 16);
    std::memcpy(mask, masks.data() + (whole_bytes - size), 16);
    return {bytes[0] & mask[0], bytes[1] & mask[1], static_cast<std::uint32_t>(size)};
  }
  /// The key of a text, of which no byte is read that is not its own.
  [[nodiscard]] static piece_key of(std::string_view text) {
    const std::size_t size = text.size();
    piece_key key{0, 0, static_cast<std::uint32_t>(size)};
    if (size > whole_bytes) return key;
    if constexpr (std::endian::native != std::endian::little) {
      char padded[whole_bytes] = {};
      text.copy(padded, size);
      return of_padded(padded, size);
    }
    // Parts that overlap: a copy of so many bytes would be a call, and waiting for it.
    const auto part = [&]<class Word>(Word word, std::size_t at) {
      std::memcpy(&word, text.data() + at, sizeof word);
      return std::uint64_t{word};
    };
    if (size >= 8) {
      key.low = part(std::uint64_t{}, 0);
      if (size > 8) key.high = part(std::uint64_t{}, size - 8) >> 8 * (16 - size);
    } else if (size >= 4) {
      key.low = part(std::uint32_t{}, 0) | part(std::uint32_t{}, size - 4) << 8 * (size - 4);
    } else if (size > 0) {
      for (const std::size_t at : {std::size_t{0}, size / 2, size - 1}) key.low |= part(std::uint8_t{}, at) << 8 * at;
    }
    return key;
  }

  /// This key of `text`; of a long one, with its hash in the place of its first bytes.
  [[nodiscard]] piece_key completed(std::string_view text, const hash_key& key) const {
    return is_whole() ? *this : piece_key{keyed_hash(text, key), 0, size};
  }

  /// Whether equal keys are equal texts.
  [[nodiscard]] bool is_whole() const noexcept { return size <= whole_bytes; }
  /// Of a completed key, for tables.
  [[nodiscard]] std::uint64_t hash(const hash_key& key) const noexcept {
    return keyed_hash(low ^ size, high, key);
  }
  /// Equal in all parts.
  friend bool operator==(const piece_key&, const piece_key&) = default;
};

/// An open-addressing map from byte strings to ids, filled once. Long keys are views into memory
/// that the owner keeps; short ones are in the table, one cache line away. Where a key lies depends on the process
/// (`hash_key`), what is found does not.
class piece_table {
 public:
  /// With room for `expected` pieces.
  explicit piece_table(index_t expected = 0) {
    std::size_t capacity = 16;
    while (capacity < 2 * static_cast<std::size_t>(expected)) capacity *= 2;
    slots_.assign(capacity, {});
  }

  /// A key that is there already gets the new id, as later lines of a vocab.txt win. Returns whether it is new.
  bool insert(std::string_view text, std::int32_t id) {
    const piece_key key = piece_key::of(text).completed(text, hash_);
    slot& place = slots_[position(key, text)];
    place.low = key.low;
    if (key.is_whole()) {
      place.high = key.high;
    } else {
      place.text = text.data();
    }
    place.size = key.size;
    const bool is_new = std::exchange(place.id, id) < 0;
    longest_ = std::max(longest_, text.size());
    return is_new;
  }
  /// The id, or -1.
  [[nodiscard]] std::int32_t find(std::string_view text) const {
    return slots_[position(piece_key::of(text).completed(text, hash_), text)].id;
  }
  /// The same for a text with `piece_key::whole_bytes` readable bytes from its begin.
  [[nodiscard]] std::int32_t find_padded(const char* data, std::size_t size) const {
    const std::string_view text(data, size);
    return slots_[position(piece_key::of_padded(data, size).completed(text, hash_), text)].id;
  }
  /// The same for a key that is whole: no text is looked at.
  [[nodiscard]] std::int32_t find(const piece_key& key) const {
    return slots_[position(key, {})].id;
  }
  /// Bytes of the longest key: no longer candidate needs a look.
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

 private:
  struct slot {
    std::uint64_t low = 0;  // of a long key: its hash
    union {
      std::uint64_t high = 0;  // of a whole key
      const char* text;        // of a long one
    };
    std::uint32_t size = 0;
    std::int32_t id = -1;
  };

  [[nodiscard]] std::size_t position(const piece_key& key, std::string_view text) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = static_cast<std::size_t>(key.hash(hash_)) & mask;
    while (slots_[i].id >= 0 && !holds(slots_[i], key, text)) i = (i + 1) & mask;
    return i;
  }
  [[nodiscard]] static bool holds(const slot& place, const piece_key& key, std::string_view text) {
    if (place.low != key.low || place.size != key.size) return false;
    return key.is_whole() ? place.high == key.high : std::string_view(place.text, key.size) == text;
  }

  hash_key hash_ = hash_key::of_process();
  std::vector<slot> slots_;
  std::size_t longest_ = 0;
};

/// Pieces by id and ids by piece.
class vocabulary {
 public:
  /// `pieces[id]`; the same piece twice: the later id wins for look-up. An empty one is a gap in the
  /// ids and never found.
  /// @throws onoma::error (format) if there is none, (parse) if one is not UTF-8.
  explicit vocabulary(const std::vector<std::string>& pieces) {
    if (pieces.empty()) fail(error_code::format, "vocabulary", "at least one piece", "none");
    std::size_t bytes = 0;
    for (const auto& piece : pieces) bytes += piece.size();
    text_.reserve(bytes);  // keys point into it: it must not move
    for (const auto& piece : pieces) {
      validate_utf8(piece, "vocabulary");
      text_ += piece;
      ends_.push_back(text_.size());
    }
    whole_ = piece_table(size());
    for (std::int32_t i = 0; i < size(); ++i) {
      if (!this->piece(i).empty()) whole_.insert(this->piece(i), i);
    }
  }

  // The tables view `text_`, which a move may relocate: a tokenizer keeps its vocabulary in place.
  vocabulary(const vocabulary&) = delete;
  vocabulary& operator=(const vocabulary&) = delete;

  /// V, the number of pieces.
  [[nodiscard]] index_t size() const noexcept { return static_cast<index_t>(ends_.size()); }
  /// @throws onoma::error (out_of_range).
  [[nodiscard]] std::string_view piece(std::int32_t id) const {
    if (id < 0 || id >= size()) {
      fail(error_code::out_of_range, "vocabulary::piece",
           "an id below " + std::to_string(size()), std::to_string(id));
    }
    const auto i = static_cast<std::size_t>(id);
    const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
    return std::string_view(text_).substr(begin, ends_[i] - begin);
  }
  /// The number of a piece, if there is one.
  [[nodiscard]] std::optional<std::int32_t> id(std::string_view piece) const {
    const auto found = whole_.find(piece);
    return found < 0 ? std::nullopt : std::optional(found);
  }

  /// The id of a piece that a model needs; `where` and `what` name both in the message.
  /// @throws onoma::error (missing).
  [[nodiscard]] std::int32_t require(std::string_view piece, const char* where,
                                     const char* what) const {
    const auto found = whole_.find(piece);
    if (found < 0) {
      fail(error_code::missing, where, std::string(what) + " '" + std::string(piece) + "'",
           "no such piece");
    }
    return found;
  }

  /// Every piece under its full text.
  [[nodiscard]] const piece_table& whole() const noexcept { return whole_; }
  /// The pieces that begin with `prefix`, under the text behind it. Views this vocabulary.
  [[nodiscard]] piece_table continuing(std::string_view prefix) const {
    piece_table table(size());
    for (std::int32_t i = 0; i < size(); ++i) {
      const auto text = piece(i);
      if (text.size() > prefix.size() && text.substr(0, prefix.size()) == prefix) {
        table.insert(text.substr(prefix.size()), i);
      }
    }
    return table;
  }

 private:
  std::string text_;
  std::vector<std::size_t> ends_;
  piece_table whole_;
};

/// The pieces <0x00> to <0xFF>, which stand for bytes of characters that have no piece.
class byte_pieces {
 public:
  /// `wanted` false: none of them.
  byte_pieces(const piece_table& pieces, bool wanted) {
    ids_.fill(-1);
    for (std::size_t byte = 0; wanted && byte < 256; ++byte) {
      constexpr char digits[] = "0123456789ABCDEF";
      const char name[] = {'<', '0', 'x', digits[byte >> 4], digits[byte & 15], '>'};
      ids_[byte] = pieces.find(std::string_view(name, sizeof name));
    }
  }
  /// The id, or -1.
  [[nodiscard]] std::int32_t id(char byte) const { return ids_[static_cast<unsigned char>(byte)]; }
  /// Whether every byte of a text has a piece.
  [[nodiscard]] bool have(std::string_view text) const {
    return std::all_of(text.begin(), text.end(), [this](char byte) { return id(byte) >= 0; });
  }

 private:
  std::array<std::int32_t, 256> ids_{};
};

/// Reads a vocab.txt: one piece per line, id = line number from 0, trailing white space trimmed.
/// @throws onoma::error (parse: not UTF-8) with `name` and the line, from 1.
[[nodiscard]] inline std::vector<std::string> read_vocab_txt(std::string_view text,
                                                             std::string_view name = "vocab.txt") {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    if (find_invalid_utf8(line) >= 0) {
      validate_utf8(line, std::string(name) + ": line " + std::to_string(pieces.size() + 1));
    }
    pieces.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

}  // namespace onoma::inline ONOMA_ABI
