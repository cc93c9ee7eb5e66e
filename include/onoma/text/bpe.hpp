/// Byte-level BPE: the bytes of a word are merged pair by pair, the pair that was learned first first.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/byte_level.hpp>
#include <onoma/text/vocabulary.hpp>

#include <algorithm>
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

/// Source of the behaviour: Sennrich et al., "Neural machine translation of rare words with subword
/// units", ACL 2016; Hugging Face tokenizers, models/bpe.
class bpe {
 public:
  struct options {
    std::vector<std::pair<std::string, std::string>> merges;  ///< in the order of learning
    std::string unknown;         ///< piece of bytes that have none; empty: such bytes are dropped
    bool fuse_unknown = false;   ///< neighbouring unknown bytes are one piece
    bool ignore_merges = false;  ///< a word of the vocabulary is a piece, whatever the merges say
  };

  /// @throws onoma::error (missing) if the vocabulary lacks a part or the result of a merge, or the
  /// unknown piece.
  bpe(const vocabulary& pieces, const options& settings)
      : fuse_unknown_(settings.fuse_unknown), whole_(pieces.size()) {
    const auto require = [&pieces](const std::string& piece, const char* what) {
      const auto id = pieces.id(piece);
      if (!id) {
        fail(error_code::missing, "BPE vocabulary", std::string(what) + " '" + piece + "'",
             "no such piece");
      }
      return *id;
    };
    if (!settings.unknown.empty()) unknown_ = require(settings.unknown, "the unknown piece");
    std::size_t capacity = 16;
    while (capacity < 2 * settings.merges.size()) capacity *= 2;
    merges_.resize(capacity);
    for (std::size_t rank = 0; rank < settings.merges.size(); ++rank) {
      const auto& [left, right] = settings.merges[rank];
      const std::int32_t first = require(left, "the part of a merge");
      const std::int32_t second = require(right, "the part of a merge");
      merges_[position(first, second)] = {first, second, static_cast<std::int32_t>(rank),
                                          require(left + right, "the result of a merge")};
    }
    read_pieces(pieces, settings.ignore_merges);
  }
  // `whole_` views `bytes_`, whose memory a move hands on.
  bpe(const bpe&) = delete;
  bpe& operator=(const bpe&) = delete;
  bpe(bpe&&) noexcept = default;
  bpe& operator=(bpe&&) noexcept = default;
  ~bpe() = default;

  /// -1 if there is none.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }
  /// The id of a word that is one piece, or -1: then `split` knows more. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const { return whole_.find(word); }

  /// Appends the pieces of a word that is not empty; bytes that have no piece give none.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    if (const auto id = whole_.find_padded(word.data, word.size); id >= 0) {
      out.push_back({id, 0, word.size});
      return;
    }
    merge_bytes(word.text(), out);
  }

 private:
  struct merge {
    std::int32_t left = -1;
    std::int32_t right = -1;
    std::int32_t rank = 0;
    std::int32_t result = -1;
  };
  static constexpr std::int32_t no_rank = INT32_MAX;

  void read_pieces(const vocabulary& pieces, bool ignore_merges) {
    single_.fill(-1);
    const byte_alphabet alphabet;
    std::vector<std::pair<std::size_t, std::int32_t>> places;  // in bytes_, and the id
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto bytes = alphabet.decode(pieces.piece(id));
      if (!bytes || bytes->empty() || pieces.id(pieces.piece(id)) != id) continue;
      if (bytes->size() == 1) single_[static_cast<unsigned char>(bytes->front())] = id;
      places.emplace_back(bytes_.size(), id);
      bytes_.insert(bytes_.end(), bytes->begin(), bytes->end());
    }
    std::vector<placed_piece> found;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto [begin, id] = places[i];
      const std::size_t end = i + 1 < places.size() ? places[i + 1].first : bytes_.size();
      const std::string_view bytes(bytes_.data() + begin, end - begin);
      if (!ignore_merges) {
        // A piece that merges do not lead to is not what a word like it becomes.
        found.clear();
        merge_bytes(bytes, found);
        if (found.size() != 1 || found.front().id != id || found.front().end != bytes.size()) {
          continue;
        }
      }
      whole_.insert(bytes, id);
    }
  }

  [[nodiscard]] std::size_t position(std::int32_t left, std::int32_t right) const {
    std::uint64_t h = (static_cast<std::uint64_t>(static_cast<std::uint32_t>(left)) << 32 |
                       static_cast<std::uint32_t>(right)) * 0x9E3779B97F4A7C15U;
    h ^= h >> 32;
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

  void merge_bytes(std::string_view word, std::vector<placed_piece>& out) const {
    const std::size_t first = out.size();
    for (std::uint32_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = single_[static_cast<unsigned char>(word[i])];
      if (id >= 0) {
        out.push_back({id, i, i + 1});
      } else if (unknown_ >= 0) {
        const bool fuse = fuse_unknown_ && out.size() > first && out.back().id == unknown_ &&
                          out.back().end == i;
        if (fuse) {
          out.back().end = i + 1;
        } else {
          out.push_back({unknown_, i, i + 1});
        }
      }
    }
    // Looking for the best pair again after each merge is fastest for words, and quadratic.
    constexpr std::size_t longest_scanned = 48;
    if (out.size() - first <= longest_scanned) {
      merge_by_scan(out, first);
    } else {
      merge_by_queue(out, first);
    }
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

  std::array<std::int32_t, 256> single_{};
  std::int32_t unknown_ = -1;
  bool fuse_unknown_;
  std::vector<merge> merges_;
  std::vector<char> bytes_;
  piece_table whole_;
};

}  // namespace onoma::inline ONOMA_ABI
