/// A batch of token ids as an encoder reads it: checked, with positions, in backend memory.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/models/encoder.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Prepares batches one after another; its host memory is used again.
class batch_input {
 public:
  /// Checks what comes from outside. The batch must stay as it is until the last `upload`.
  /// @throws onoma::error (out_of_range) for an id outside the vocabulary, or a sequence that is too long.
  void set(const token_batch& batch, const encoder_spec& config) {
    for (const auto id : batch.ids()) {
      if (id < 0 || id >= config.vocabulary) {
        fail(error_code::out_of_range, "token id", "0 to " + std::to_string(config.vocabulary - 1),
             std::to_string(id));
      }
    }
    const auto layout = batch.layout();
    positions_.resize(static_cast<std::size_t>(batch.tokens()));
    for (index_t b = 0; b < layout.count(); ++b) {
      if (layout.length(b) > config.max_length()) {
        fail(error_code::out_of_range, "length of sequence " + std::to_string(b),
             "at most " + std::to_string(config.max_length()) + " tokens",
             std::to_string(layout.length(b)));
      }
      auto position = static_cast<std::int32_t>(config.first_position());
      for (index_t n = layout.begin(b); n < layout.begin(b) + layout.length(b); ++n) {
        // A padding token that a text spells out stays at the row of the padding token.
        const bool padding =
            config.positions_follow_padding && batch.ids()[n] == config.padding_id;
        positions_[static_cast<std::size_t>(n)] =
            padding ? static_cast<std::int32_t>(config.padding_id) : position++;
      }
    }
    batch_ = &batch;
  }

  /// The whole batch.
  template <inference_backend B>
  [[nodiscard]] encoder_input upload(const pass<B>& run) {
    return upload(run, 0, batch_->count());
  }
  /// Sequences first to last.
  template <inference_backend B>
  [[nodiscard]] encoder_input upload(const pass<B>& run, index_t first, index_t last) {
    const auto all = batch_->layout();
    const index_t begin = all.begin(first);
    offsets_.clear();
    for (index_t b = first; b <= last; ++b) offsets_.push_back(all.offsets[b] - all.offsets[first]);
    const index_t tokens = offsets_.back();
    const vec<const std::int32_t> offsets{offsets_.data(), static_cast<index_t>(offsets_.size())};
    return {{run.upload({batch_->ids().data + begin, tokens}),
             run.upload({positions_.data() + begin, tokens})},
            {run.upload(offsets), sequences::of(offsets).longest}};
  }

 private:
  const token_batch* batch_ = nullptr;
  std::vector<std::int32_t> positions_;  // [N]
  std::vector<std::int32_t> offsets_;    // of the sequences that are computed together
};

}  // namespace onoma::inline ONOMA_ABI
