/// The merges of byte-pair encoding: neighbouring pieces become one, the pair that was learned first first.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <queue>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Pairs of pieces in the order of learning, as texts.
using merge_list = std::vector<std::pair<std::string, std::string>>;

/// Merges of a vocabulary: which pairs of pieces become one, and in which order.
class bpe_merges {
 public:
  /// The first `prefix` bytes of a right part are not in the result.
  /// @throws onoma::error (missing) if the vocabulary lacks a part or the result of a merge,
  /// (format) if a right part is shorter than the prefix.
  bpe_merges(const vocabulary& pieces, const merge_list& merges, std::size_t prefix = 0) {
    std::size_t capacity = 16;
    while (capacity < 2 * merges.size()) capacity *= 2;
    merges_.resize(capacity);
    for (std::size_t rank = 0; rank < merges.size(); ++rank) {
      const auto& [left, right] = merges[rank];
      const std::int32_t first = pieces.require(left, "BPE vocabulary", "the part of a merge");
      const std::int32_t second = pieces.require(right, "BPE vocabulary", "the part of a merge");
      if (right.size() < prefix) {
        fail(error_code::format, "BPE merges", "right parts that begin with the prefix",
             "'" + right + "'");
      }
      merges_[position(first, second)] = {
          first, second, static_cast<std::int32_t>(rank),
          pieces.require(left + right.substr(prefix), "BPE vocabulary", "the result of a merge")};
    }
  }

  /// Merges the pieces from `first` on, which follow one another.
  void apply(std::vector<placed_piece>& pieces, std::size_t first) const {
    // Looking for the best pair again after each merge is fastest for words, and quadratic.
    constexpr std::size_t longest_scanned = 48;
    if (pieces.size() - first <= longest_scanned) {
      merge_by_scan(pieces, first);
    } else {
      merge_by_queue(pieces, first);
    }
  }

 private:
  struct merge {
    std::int32_t left = -1;
    std::int32_t right = -1;
    std::int32_t rank = 0;
    std::int32_t result = -1;
  };
  static constexpr std::int32_t no_rank = INT32_MAX;

  [[nodiscard]] std::size_t position(std::int32_t left, std::int32_t right) const {
    const std::uint64_t h =
        keyed_hash(static_cast<std::uint32_t>(left), static_cast<std::uint32_t>(right), hash_);
    std::size_t i = static_cast<std::size_t>(h) & (merges_.size() - 1);
    while (merges_[i].result >= 0 && (merges_[i].left != left || merges_[i].right != right)) {
      i = (i + 1) & (merges_.size() - 1);
    }
    return i;
  }
  [[nodiscard]] const merge* find(std::int32_t left, std::int32_t right) const {
    const merge& found = merges_[position(left, right)];
    return found.result >= 0 ? &found : nullptr;
  }

  void merge_by_scan(std::vector<placed_piece>& out, std::size_t first) const {
    std::array<const merge*, 64> pairs{};  // pairs[i]: of pieces i and i + 1
    placed_piece* pieces = out.data() + first;
    std::size_t count = out.size() - first;
    for (std::size_t i = 0; i + 1 < count; ++i) pairs[i] = find(pieces[i].id, pieces[i + 1].id);
    while (count > 1) {
      std::size_t best = 0;
      std::int32_t rank = no_rank;
      for (std::size_t i = 0; i + 1 < count; ++i) {
        if (pairs[i] != nullptr && pairs[i]->rank < rank) {
          rank = pairs[i]->rank;
          best = i;
        }
      }
      if (rank == no_rank) break;
      pieces[best].id = pairs[best]->result;
      pieces[best].end = pieces[best + 1].end;
      for (std::size_t i = best + 1; i + 1 < count; ++i) {
        pieces[i] = pieces[i + 1];
        pairs[i] = pairs[i + 1];
      }
      --count;
      pairs[best] = best + 1 < count ? find(pieces[best].id, pieces[best + 1].id) : nullptr;
      if (best > 0) pairs[best - 1] = find(pieces[best - 1].id, pieces[best].id);
    }
    out.resize(first + count);
  }

  /// n log n: pairs wait in a queue; one whose pieces have changed since is passed over.
  void merge_by_queue(std::vector<placed_piece>& out, std::size_t first) const {
    struct node {
      std::int32_t previous;
      std::int32_t next;  // -1: the last; -2: merged away
    };
    struct waiting {
      std::int32_t rank;
      std::int32_t at;
      std::int32_t result;
      bool operator>(const waiting& o) const { return rank != o.rank ? rank > o.rank : at > o.at; }
    };
    placed_piece* pieces = out.data() + first;
    const auto count = static_cast<std::int32_t>(out.size() - first);
    std::vector<node> nodes(static_cast<std::size_t>(count));
    std::priority_queue<waiting, std::vector<waiting>, std::greater<>> queue;
    const auto pair_at = [&](std::int32_t i) -> const merge* {
      const auto next = nodes[static_cast<std::size_t>(i)].next;
      return next < 0 ? nullptr : find(pieces[i].id, pieces[next].id);
    };
    const auto push = [&](std::int32_t i) {
      if (const merge* found = pair_at(i)) queue.push({found->rank, i, found->result});
    };
    for (std::int32_t i = 0; i < count; ++i) {
      nodes[static_cast<std::size_t>(i)] = {i - 1, i + 1 < count ? i + 1 : -1};
    }
    for (std::int32_t i = 0; i < count; ++i) push(i);
    while (!queue.empty()) {
      const waiting top = queue.top();
      queue.pop();
      node& left = nodes[static_cast<std::size_t>(top.at)];
      const merge* found = pair_at(top.at);
      if (found == nullptr || found->result != top.result) continue;
      node& right = nodes[static_cast<std::size_t>(left.next)];
      pieces[top.at].id = top.result;
      pieces[top.at].end = pieces[left.next].end;
      left.next = std::exchange(right.next, -2);
      if (left.next >= 0) nodes[static_cast<std::size_t>(left.next)].previous = top.at;
      if (left.previous >= 0) push(left.previous);
      push(top.at);
    }
    std::size_t kept = first;
    for (std::int32_t i = 0; i < count; ++i) {
      if (nodes[static_cast<std::size_t>(i)].next != -2) out[kept++] = pieces[i];
    }
    out.resize(kept);
  }

  hash_key hash_ = hash_key::of_process();
  std::vector<merge> merges_;
};

}  // namespace onoma::inline ONOMA_ABI
