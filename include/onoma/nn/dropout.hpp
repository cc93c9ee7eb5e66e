/// Which dropout masks a training step uses: a key for each place of the model.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// The places of an encoder that drop activations, numbered once and for all: with the seed and the
/// step they determine every mask, whatever the backend, the threads, or what ran before.
namespace dropout_place {
inline constexpr std::uint64_t embeddings = 0;
inline constexpr std::uint64_t classifier = 1;
[[nodiscard]] constexpr std::uint64_t attention_probabilities(index layer) {
  return 2 + 3 * static_cast<std::uint64_t>(layer);
}
[[nodiscard]] constexpr std::uint64_t attention_output(index layer) {
  return 3 + 3 * static_cast<std::uint64_t>(layer);
}
[[nodiscard]] constexpr std::uint64_t feed_forward_output(index layer) {
  return 4 + 3 * static_cast<std::uint64_t>(layer);
}
}  // namespace dropout_place

/// The masks of one step; default: no dropout anywhere. Forward and backward of a step ask for the
/// same specs and so recompute the same masks (Srivastava et al., JMLR 2014; inverted scaling).
struct dropout_masks {
  bool active = false;
  std::uint64_t seed = 0;
  std::uint64_t step = 0;

  [[nodiscard]] dropout_spec at(std::uint64_t place, float probability) const {
    if (!active || probability <= 0.0F) return {};
    return {probability, derive_key(seed, step, place)};
  }
};

}  // namespace onoma::inline ONOMA_ABI
