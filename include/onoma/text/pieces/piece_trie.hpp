/// A byte trie over the pieces of a vocabulary: all pieces that begin at a place, in one walk.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A double array (Aoe, "An efficient digital search algorithm by using a double-array structure",
/// 1989): the child of a node for a byte stands at the node's base XOR the byte, and names its parent.
/// Children of one node lie in one block of 256 units, so that a step is one look at memory.
class piece_trie {
 public:
  /// Where a walk stands. The root is where it begins.
  using node = std::uint32_t;
  static constexpr node root = 0;              ///< where no byte is read yet
  static constexpr node nowhere = UINT32_MAX;  ///< no piece begins so

  /// Of equal pieces the last is found; empty ones never.
  explicit piece_trie(const vocabulary& pieces) {
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto text = pieces.piece(id);
      if (text.empty() || pieces.id(text) != id) continue;
      keys_.push_back({text, id});
      longest_ = std::max(longest_, text.size());
    }
    std::sort(keys_.begin(), keys_.end(), [](const key& a, const key& b) { return a.text < b.text; });
    add_block();
    units_[root].parent = root;  // taken, and no child's place
    take(root);
    build();
    keys_ = {};
    free_ = {};
  }

  /// The child for a byte, or `nowhere`.
  [[nodiscard]] node step(node from, char byte) const {
    const node to = units_[from].base ^ static_cast<unsigned char>(byte);
    return units_[to].parent == from && to != root ? to : nowhere;
  }
  /// The id of the piece that ends here, or -1.
  [[nodiscard]] std::int32_t id(node at) const { return units_[at].id; }
  /// Bytes of the longest piece.
  [[nodiscard]] std::size_t longest() const noexcept { return longest_; }

 private:
  struct unit {
    std::uint32_t base = 0;         // of the children; a node without any: 0, whose units name others
    std::uint32_t parent = nowhere;  // of a free unit: nowhere
    std::int32_t id = -1;
  };
  struct key {
    std::string_view text;
    std::int32_t id;
  };
  /// Sorted keys [begin, end) have the first `depth` bytes in common, which lead to `at`.
  struct task {
    std::size_t begin;
    std::size_t end;
    std::size_t depth;
    node at;
  };
  static constexpr std::size_t block_size = 256;
  using places = std::array<std::uint64_t, 4>;  // a set of places in a block
  /// Blocks that are tried for new children: older ones are nearly full, and trying them takes long.
  static constexpr std::size_t open_blocks = 16;

  void add_block() {
    if (units_.size() > UINT32_MAX / 2) {
      fail(error_code::unsupported, "vocabulary", "less than 2^31 bytes of distinct beginnings",
           "more");
    }
    units_.resize(units_.size() + block_size);
    free_.push_back({~0ULL, ~0ULL, ~0ULL, ~0ULL});
  }

  void build() {
    std::vector<task> tasks{{0, keys_.size(), 0, root}};  // no recursion: keys may be long
    std::vector<std::pair<unsigned char, std::size_t>> children;  // and where their keys begin
    while (!tasks.empty()) {
      auto [begin, end, depth_here, at] = tasks.back();
      const std::size_t depth = depth_here;  // to capture
      tasks.pop_back();
      if (begin < end && keys_[begin].text.size() == depth) units_[at].id = keys_[begin++].id;
      if (begin == end) continue;
      children.clear();
      for (std::size_t i = begin; i < end;) {
        const auto byte = static_cast<unsigned char>(keys_[i].text[depth]);
        children.emplace_back(byte, i);
        i = static_cast<std::size_t>(
            std::partition_point(keys_.begin() + static_cast<std::ptrdiff_t>(i),
                                 keys_.begin() + static_cast<std::ptrdiff_t>(end),
                                 [&](const key& k) {
                                   return static_cast<unsigned char>(k.text[depth]) == byte;
                                 }) -
            keys_.begin());
      }
      const std::uint32_t base = find_base(children);
      units_[at].base = base;
      for (std::size_t i = children.size(); i-- > 0;) {
        const auto [byte, first] = children[i];
        const node child = base ^ byte;
        units_[child].parent = at;
        take(child);
        tasks.push_back({first, i + 1 < children.size() ? children[i + 1].second : end, depth + 1, child});
      }
    }
  }

  /// A base whose places for these children are free.
  [[nodiscard]] std::uint32_t find_base(
      const std::vector<std::pair<unsigned char, std::size_t>>& children) {
    const std::size_t count = free_.size();
    for (std::size_t block = count > open_blocks ? count - open_blocks : 0; block < count; ++block) {
      places fitting{~0ULL, ~0ULL, ~0ULL, ~0ULL};
      for (const auto& child : children) {
        const places bases = moved(free_[block], child.first);
        for (std::size_t i = 0; i < bases.size(); ++i) fitting[i] &= bases[i];
        if (fitting == places{}) break;
      }
      for (std::size_t i = 0; i < fitting.size(); ++i) {
        if (fitting[i] == 0) continue;
        const auto low = 64 * i + static_cast<std::size_t>(std::countr_zero(fitting[i]));
        return static_cast<std::uint32_t>(block * block_size + low);
      }
    }
    add_block();
    return static_cast<std::uint32_t>(count * block_size);
  }
  /// The set {place XOR byte}: of a child's free places, the bases that lead to them.
  [[nodiscard]] static places moved(const places& found, unsigned char byte) {
    places result{};
    for (std::size_t i = 0; i < found.size(); ++i) {
      std::uint64_t bits = found[i ^ (byte >> 6U)];
      if (byte & 1U) bits = (bits & 0x5555555555555555U) << 1 | (bits >> 1 & 0x5555555555555555U);
      if (byte & 2U) bits = (bits & 0x3333333333333333U) << 2 | (bits >> 2 & 0x3333333333333333U);
      if (byte & 4U) bits = (bits & 0x0F0F0F0F0F0F0F0FU) << 4 | (bits >> 4 & 0x0F0F0F0F0F0F0F0FU);
      if (byte & 8U) bits = (bits & 0x00FF00FF00FF00FFU) << 8 | (bits >> 8 & 0x00FF00FF00FF00FFU);
      if (byte & 16U) bits = (bits & 0x0000FFFF0000FFFFU) << 16 | (bits >> 16 & 0x0000FFFF0000FFFFU);
      if (byte & 32U) bits = bits << 32 | bits >> 32;
      result[i] = bits;
    }
    return result;
  }
  void take(node at) {
    free_[at / block_size][at % block_size / 64] &= ~(std::uint64_t{1} << at % 64);
  }

  std::vector<unit> units_;
  std::vector<places> free_;  // by block, while the trie is built
  std::vector<key> keys_;     // the same
  std::size_t longest_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
