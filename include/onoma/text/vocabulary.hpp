/// The pieces of a tokenizer and their ids, in one block of memory with a hash table beside it.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/utf8.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// An open-addressing map from byte strings to ids, filled once. Keys are views into memory that
/// the owner keeps.
class piece_table {
 public:
  explicit piece_table(index expected = 0) {
    std::size_t capacity = 16;
    while (capacity < 2 * static_cast<std::size_t>(expected)) capacity *= 2;
    slots_.assign(capacity, {});
  }

  /// A key that is there already gets the new id, as later lines of a vocab.txt win.
  void insert(std::string_view key, std::int32_t id) {
    slot& place = slots_[position(key)];
    place = {key.data(), static_cast<std::uint32_t>(key.size()), id};
    longest_ = std::max(longest_, key.size());
  }
  /// The id, or -1.
  [[nodiscard]] std::int32_t find(std::string_view key) const {
    return slots_[position(key)].id;
  }
  /// Bytes of the longest key: no longer candidate needs a look.
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

 private:
  struct slot {
    const char* data = nullptr;
    std::uint32_t size = 0;
    std::int32_t id = -1;
  };

  [[nodiscard]] static std::uint64_t hash(std::string_view key) {
    // Eight bytes at a time, multiplied and folded: pieces are short, so this is one or two rounds.
    std::uint64_t h = key.size() * 0x9E3779B97F4A7C15U;
    std::size_t i = 0;
    for (; i + 8 <= key.size(); i += 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, key.data() + i, 8);
      h = (h ^ word) * 0xFF51AFD7ED558CCDU;
      h ^= h >> 32;
    }
    std::uint64_t rest = 0;
    for (std::size_t j = i; j < key.size(); ++j) {
      rest = rest << 8 | static_cast<unsigned char>(key[j]);
    }
    h = (h ^ rest) * 0xC4CEB9FE1A85EC53U;
    return h ^ (h >> 29);
  }
  [[nodiscard]] std::size_t position(std::string_view key) const {
    const std::size_t mask = slots_.size() - 1;
    std::size_t i = static_cast<std::size_t>(hash(key)) & mask;
    while (slots_[i].data != nullptr && std::string_view(slots_[i].data, slots_[i].size) != key) {
      i = (i + 1) & mask;
    }
    return i;
  }

  std::vector<slot> slots_;
  std::size_t longest_ = 0;
};

/// Pieces by id and ids by piece.
class vocabulary {
 public:
  vocabulary() = default;

  /// `pieces[id]`; the same piece twice: the later id wins for look-up.
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
    build();
  }

  vocabulary(const vocabulary& other) : text_(other.text_), ends_(other.ends_) { build(); }
  vocabulary& operator=(const vocabulary& other) {
    if (this != &other) *this = vocabulary(other);
    return *this;
  }
  // A moved string may lie in the object itself (short ones do): keys are made again.
  vocabulary(vocabulary&& other) noexcept
      : text_(std::move(other.text_)), ends_(std::move(other.ends_)) {
    build();
  }
  vocabulary& operator=(vocabulary&& other) noexcept {
    text_ = std::move(other.text_);
    ends_ = std::move(other.ends_);
    build();
    return *this;
  }
  ~vocabulary() = default;

  [[nodiscard]] index size() const noexcept { return static_cast<index>(ends_.size()); }
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
  [[nodiscard]] std::optional<std::int32_t> id(std::string_view piece) const {
    const auto found = whole_.find(piece);
    return found < 0 ? std::nullopt : std::optional(found);
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
  void build() {
    whole_ = piece_table(size());
    for (std::int32_t i = 0; i < size(); ++i) whole_.insert(piece(i), i);
  }

  std::string text_;
  std::vector<std::size_t> ends_;
  piece_table whole_;
};

/// Reads a vocab.txt: one piece per line, id = line number, trailing white space trimmed.
/// @throws onoma::error (format, parse).
[[nodiscard]] inline std::vector<std::string> read_vocab_txt(std::string_view text) {
  std::vector<std::string> pieces;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    while (!line.empty() && (line.back() == ' ' || line.back() == '\t' || line.back() == '\r')) {
      line.remove_suffix(1);
    }
    pieces.emplace_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pieces;
}

}  // namespace onoma::inline ONOMA_ABI
