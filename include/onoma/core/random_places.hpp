/// Which streams of random numbers there are: with the seed and the step, a place names a stream
/// (`derive_key`), so that no two uses of randomness share one.
#pragma once

#include <onoma/core/types.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::random_place {

// The places of an encoder that drop activations are small numbers: two for the model and three a layer.
inline constexpr std::uint64_t embeddings_dropout = 0;  ///< Behind the embeddings.
inline constexpr std::uint64_t head_dropout = 1;        ///< On what a head reads.
/// On the attention probabilities of a layer.
[[nodiscard]] constexpr std::uint64_t attention_probabilities_dropout(index_t layer) {
  return 2 + 3 * static_cast<std::uint64_t>(layer);
}
/// Behind the output projection of a layer's attention.
[[nodiscard]] constexpr std::uint64_t attention_output_dropout(index_t layer) {
  return 3 + 3 * static_cast<std::uint64_t>(layer);
}
/// Behind the feed-forward block of a layer.
[[nodiscard]] constexpr std::uint64_t feed_forward_output_dropout(index_t layer) {
  return 4 + 3 * static_cast<std::uint64_t>(layer);
}
/// A layer drops either the output of its feed-forward block or the inner values.
[[nodiscard]] constexpr std::uint64_t feed_forward_inner_dropout(index_t layer) {
  return feed_forward_output_dropout(layer);
}

/// New weights: the parameter whose first element is number `element` of all.
[[nodiscard]] constexpr std::uint64_t initial_values(index_t element) {
  return (std::uint64_t{1} << 40) + static_cast<std::uint64_t>(element);
}

/// The order of a data set's examples.
inline constexpr std::uint64_t example_order = std::uint64_t{1} << 41;

/// Which spans without a label a step learns from.
inline constexpr std::uint64_t negative_spans = example_order + 1;

/// How often an example comes in an epoch.
inline constexpr std::uint64_t example_repeats = example_order + 2;

}  // namespace onoma::inline ONOMA_ABI::random_place
