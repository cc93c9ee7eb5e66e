/// Rotary positions: heads of rows turn by the angles of their tokens.
#pragma once

#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>

namespace onoma::inline ONOMA_ABI::cpu {

/// One head of one row: x1' = x1 cos - x2 sin, x2' = x2 cos + x1 sin; back, with -sin.
template <class Arch>
inline void rotate_head(index_t pairs, const float* cosine, const float* sine, bool back, float* x) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  for (index_t c = 0; c < pairs; c += w) {
    const index_t count = pairs - c < w ? pairs - c : w;
    const batch first = simd::load_some<Arch>(x + c, count);
    const batch second = simd::load_some<Arch>(x + pairs + c, count);
    const batch cos = simd::load_some<Arch>(cosine + c, count);
    const batch angle = simd::load_some<Arch>(sine + c, count);
    const batch sin = back ? batch(0.0F) - angle : angle;
    simd::store_some<Arch>(x + c, first * cos - second * sin, count);
    simd::store_some<Arch>(x + pairs + c, second * cos + first * sin, count);
  }
}

template <class Arch>
inline void rotate_rows(const rotate_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    for (index_t head = 0; head < c.heads; ++head) {
      rotate_head<Arch>(c.pairs, c.cosine + n * c.cosine_stride, c.sine + n * c.sine_stride, c.back,
                        c.x + n * c.x_stride + 2 * head * c.pairs);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
