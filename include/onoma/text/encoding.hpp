/// What a tokenizer returns: one window of tokens and where each came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>

#include <cstdint>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Token i has id `ids[i]`, stands for `offsets[i]` of its text and belongs to word `word_ids[i]`.
/// The five vectors have one entry per token, special tokens included.
struct encoding {
  std::vector<std::int32_t> ids;       ///< pieces, special ones included
  std::vector<std::int32_t> type_ids;  ///< 0 for all: one sequence
  std::vector<std::int32_t> word_ids;  ///< -1 for special tokens
  std::vector<byte_span> offsets;      ///< bytes; of the text, or of the word for pre-split words
  std::vector<std::uint8_t> special;   ///< 1 for tokens that the tokenizer added

  /// How many pieces.
  [[nodiscard]] index_t size() const noexcept { return static_cast<index_t>(ids.size()); }
};

/// How to encode. Nothing is ever cut off: what does not fit into one window goes on in the next.
struct encode_options {
  index_t max_length = 0;            ///< tokens per window with special tokens; 0: one window without limit
  index_t stride = 0;                ///< tokens that a window repeats from the one before
  bool add_special_tokens = true;  ///< those in front of a text and behind it
};

}  // namespace onoma::inline ONOMA_ABI
