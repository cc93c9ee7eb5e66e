/// Sequences of different lengths, packed one after another: the batch shape used everywhere.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <algorithm>
#include <cstdint>
#include <span>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Where each of B sequences begins in packed rows: `offsets[b]` to `offsets[b + 1]`.
/// There is no padding, so that N = offsets[B] rows are all real tokens and no mask exists.
///
/// What a backend is handed has its offsets in backend memory: on the host, only `count` and `longest`
/// may be asked for then.
struct sequences {
  vec<const std::int32_t> offsets;  ///< [B + 1], non-decreasing, offsets[0] == 0
  index_t longest = 0;  ///< the length of the longest sequence: it sizes scratch and numbers dropout masks

  sequences() = default;
  /// Of offsets that may lie in device memory.
  sequences(vec<const std::int32_t> offsets_, index_t longest_) noexcept
      : offsets(offsets_), longest(longest_) {}
  /// Finds the longest sequence in offsets that lie in host memory.
  [[nodiscard]] static sequences of(vec<const std::int32_t> offsets) {
    sequences all{offsets, 0};
    for (index_t b = 0; b < all.count(); ++b) all.longest = std::max(all.longest, all.length(b));
    return all;
  }

  /// B, the number of sequences.
  [[nodiscard]] index_t count() const noexcept { return offsets.size > 0 ? offsets.size - 1 : 0; }
  /// N, the tokens of all sequences together.
  [[nodiscard]] index_t tokens() const noexcept {
    return offsets.size > 0 ? offsets[offsets.size - 1] : 0;
  }
  /// The row where sequence b begins.
  [[nodiscard]] index_t begin(index_t b) const { return offsets[b]; }
  /// Tokens of sequence b.
  [[nodiscard]] index_t length(index_t b) const { return offsets[b + 1] - offsets[b]; }
};

/// An owning batch of token-id sequences. `clear` keeps the memory for the next batch.
class token_batch {
 public:
  /// Takes all sequences out.
  void clear() {
    ids_.clear();
    offsets_.assign(1, 0);
    longest_ = 0;
  }

  /// Appends one sequence.
  void add(std::span<const std::int32_t> ids) {
    ids_.insert(ids_.end(), ids.begin(), ids.end());
    offsets_.push_back(static_cast<std::int32_t>(ids_.size()));
    longest_ = std::max(longest_, static_cast<index_t>(ids.size()));
  }

  /// B, the number of sequences.
  [[nodiscard]] index_t count() const noexcept { return static_cast<index_t>(offsets_.size()) - 1; }
  /// N, the tokens of all sequences together.
  [[nodiscard]] index_t tokens() const noexcept { return static_cast<index_t>(ids_.size()); }
  /// Where each sequence begins; a view of this batch, until it changes.
  [[nodiscard]] sequences layout() const noexcept {
    return {{offsets_.data(), static_cast<index_t>(offsets_.size())}, longest_};
  }
  /// [N] token ids, one sequence after another; a view likewise.
  [[nodiscard]] vec<const std::int32_t> ids() const noexcept { return {ids_.data(), tokens()}; }

 private:
  std::vector<std::int32_t> ids_;            // [N]
  std::vector<std::int32_t> offsets_ = {0};  // [B + 1]
  index_t longest_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
