/// The pieces of words that were split lately, so that a word is split once and not in every line.
#pragma once

#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A direct-mapped table of fixed size: a new word takes the place of an old one with the same
/// hash. What it returns is what was stored under exactly that word, so results never depend on
/// what was encoded before. Words over `piece_key::whole_bytes` bytes or `most_pieces` are not kept.
class word_cache {
 public:
  static constexpr std::size_t most_pieces = 7;  ///< of a word that is kept

  /// 2^`bits` words, 64 bytes each.
  explicit word_cache(unsigned bits) : slots_(std::size_t{1} << bits) {}

  /// One word with its pieces, in a cache line.
  struct slot {
    std::uint64_t low = 0;                           ///< of the word's key
    std::uint64_t high = 0;                          ///< likewise
    std::uint8_t size = 0;                           ///< of the word in bytes; 0: free
    std::uint8_t count = 0;                          ///< of pieces
    std::array<std::uint8_t, most_pieces> begins{};  ///< in bytes of the word
    std::array<std::uint8_t, most_pieces> ends{};    ///< likewise
    std::array<std::int32_t, most_pieces> ids{};     ///< of the pieces
  };

  /// The slot of a whole key, or null.
  [[nodiscard]] const slot* find(const piece_key& key) const {
    const slot& place = slots_[position(key)];
    const bool same = place.low == key.low && place.high == key.high && place.size == key.size;
    return same ? &place : nullptr;
  }
  /// Keeps a word; one that had the same slot is forgotten.
  void store(const piece_key& key, std::span<const placed_piece> pieces) {
    if (pieces.size() > most_pieces) return;
    slot& place = slots_[position(key)];
    place.low = key.low;
    place.high = key.high;
    place.size = static_cast<std::uint8_t>(key.size);
    place.count = static_cast<std::uint8_t>(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      place.begins[i] = static_cast<std::uint8_t>(pieces[i].begin);
      place.ends[i] = static_cast<std::uint8_t>(pieces[i].end);
      place.ids[i] = pieces[i].id;
    }
  }

 private:
  [[nodiscard]] std::size_t position(const piece_key& key) const {
    return static_cast<std::size_t>(key.hash(hash_) >> 20) & (slots_.size() - 1);
  }

  hash_key hash_ = hash_key::of_process();
  std::vector<slot> slots_;
};

}  // namespace onoma::inline ONOMA_ABI
