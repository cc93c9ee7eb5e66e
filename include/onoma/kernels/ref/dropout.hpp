/// Dropout with masks that are computed, not stored.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>

namespace onoma::inline ONOMA_ABI::ref {

/// x / (1 - p) where element `i` is kept, 0 where it is dropped.
template <class T>
[[nodiscard]] T dropped(const dropout_spec& spec, index_t i, T x) {
  if (!spec.active()) return x;
  return spec.keeps(static_cast<std::uint64_t>(i)) ? x * T(spec.scale()) : T(0);
}

/// x [N, M] = dropout(x), element (n, m) having the number n M + m. The map is linear and
/// diagonal: applied to a gradient it is its own backward.
template <class T>
void dropout(mat<T> x, const dropout_spec& spec) {
  if (!spec.active()) return;
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t m = 0; m < x.cols; ++m) x(n, m) = dropped(spec, n * x.cols + m, x(n, m));
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
