/// Rotary positions: the angles that a batch's tokens turn by, for all layers with the same base.
#pragma once

#include <onoma/nn/pass.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// Computed once per pass and kept with what backward reads. `positions` [N] in backend memory; `base` of
/// the wave lengths, "theta" in configurations; heads are `width` wide.
/// Source: Su et al., "RoFormer", arXiv 2104.09864.
template <inference_backend B>
[[nodiscard]] rotary_angles<typename B::scalar> angles_of(const pass<B>& run,
                                                          vec<const std::int32_t> positions,
                                                          double base, index_t width) {
  const rotary_angles<typename B::scalar> angles{run.keep(positions.size, width / 2),
                                                 run.keep(positions.size, width / 2)};
  run.device.rotary(positions, base, angles);
  return angles;
}

}  // namespace onoma::inline ONOMA_ABI
