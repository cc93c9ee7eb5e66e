/// Which dropout masks a training step uses: a key for each place of the model.
#pragma once

#include <onoma/core/random_places.hpp>
#include <onoma/core/rng.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// The masks of one step; default: no dropout anywhere. Forward and backward of a step ask for the
/// same specs and so recompute the same masks (Srivastava et al., JMLR 2014; inverted scaling).
struct dropout_masks {
  bool active = false;     ///< false in inference
  std::uint64_t seed = 0;  ///< of the run
  std::uint64_t step = 0;  ///< of the run: each has masks of its own

  /// The dropout of one place (core/random_places.hpp).
  [[nodiscard]] dropout_spec at(std::uint64_t place, float probability) const {
    if (!active || probability <= 0.0F) return {};
    return {probability, derive_key(seed, step, place)};
  }
};

}  // namespace onoma::inline ONOMA_ABI
