/// Residual addition, dropout and layer normalisation of rows, forward and backward.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/simd/batch.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::cpu {

struct row_statistics {
  float mean;
  float reciprocal_stddev;
};

/// One row of H: x = z = residual + dropout(x); y = gamma (z - mean) r + beta, r = 1 / sqrt(var + eps).
/// Two passes over the row, which is in L1 by then (kernels/ref/norm.hpp says why).
template <class Arch>
inline row_statistics add_norm_row(float* x, const float* residual, const dropout_spec& spec,
                                   index number, const float* gamma, const float* beta, float eps,
                                   index hidden, float* y) {
  using batch = simd::floats<Arch>;
  if (spec.active()) dropout_row<Arch>(spec, number, hidden, x, x);
  if (residual != nullptr) {
    simd::map_row<Arch>(hidden, x, [](batch a, batch b) { return a + b; },
                        static_cast<const float*>(x), residual);
  }
  const auto width = static_cast<float>(hidden);
  const float mean = simd::sum_row<Arch>(hidden, [](batch a) { return a; }, x) / width;
  const batch m(mean);
  const float squares = simd::sum_row<Arch>(
      hidden, [m](batch a) { return (a - m) * (a - m); }, static_cast<const float*>(x));
  const float r = 1.0F / std::sqrt(squares / width + eps);
  const batch scale(r);
  simd::map_row<Arch>(
      hidden, y,
      [m, scale](batch a, batch g, batch b) { return xsimd::fma((a - m) * scale, g, b); },
      static_cast<const float*>(x), gamma, beta);
  return {mean, r};
}

/// One row of the backward: dz = r (g - average(g) - xhat average(g xhat)), g = dy gamma.
/// dz may be dy. dx (may be null) = dropout(dz).
template <class Arch>
inline void add_norm_backward_row(const float* z, row_statistics kept, const float* gamma,
                                  const float* dy, const dropout_spec& spec, index number,
                                  index hidden, float* dz, float* dx) {
  using batch = simd::floats<Arch>;
  const batch m(kept.mean);
  const batch r(kept.reciprocal_stddev);
  const auto width = static_cast<float>(hidden);
  const float sum_g = simd::sum_row<Arch>(
      hidden, [](batch d, batch g) { return d * g; }, dy, gamma);
  const float sum_g_xhat = simd::sum_row<Arch>(
      hidden, [m, r](batch d, batch g, batch a) { return d * g * ((a - m) * r); }, dy, gamma, z);
  const batch mean_g(sum_g / width);
  const batch mean_g_xhat(sum_g_xhat / width);
  simd::map_row<Arch>(
      hidden, dz,
      [=](batch d, batch g, batch a) {
        return r * (d * g - mean_g - (a - m) * r * mean_g_xhat);
      },
      dy, gamma, z);
  if (dx == nullptr) return;
  if (spec.active()) {
    dropout_row<Arch>(spec, number, hidden, dz, dx);
  } else if (dx != dz) {
    simd::map_row<Arch>(hidden, dx, [](batch a) { return a; }, static_cast<const float*>(dz));
  }
}

/// dgamma += dy xhat, dbeta += dy for columns [0, count) of one row.
template <class Arch>
inline void add_norm_parameters_row(const float* z, row_statistics kept, const float* dy,
                                    index count, float* dgamma, float* dbeta) {
  using batch = simd::floats<Arch>;
  const batch m(kept.mean);
  const batch r(kept.reciprocal_stddev);
  simd::map_row<Arch>(
      count, dgamma,
      [m, r](batch sum, batch d, batch a) { return xsimd::fma(d, (a - m) * r, sum); },
      static_cast<const float*>(dgamma), dy, z);
  simd::map_row<Arch>(count, dbeta, [](batch sum, batch d) { return sum + d; },
                      static_cast<const float*>(dbeta), dy);
}

}  // namespace onoma::inline ONOMA_ABI::cpu
