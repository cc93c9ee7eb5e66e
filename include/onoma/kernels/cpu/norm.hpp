/// Residual addition, dropout and normalisation (layer or RMS) of rows, forward and backward.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::cpu {

/// Layer normalisation takes the mean off a row, RMS normalisation does not.
template <class Arch>
struct centered {
  simd::floats<Arch> mean;
  [[nodiscard]] simd::floats<Arch> operator()(simd::floats<Arch> z) const { return z - mean; }
};
template <class Arch>
struct not_centered {
  [[nodiscard]] simd::floats<Arch> operator()(simd::floats<Arch> z) const { return z; }
};

/// x = z = residual + dropout(x), one row.
template <class Arch>
inline void add_residual_row(const add_norm_call& c, index_t n) {
  using batch = simd::floats<Arch>;
  float* x = c.x + n * c.x_stride;
  const dropout_spec spec{c.dropout.probability, c.dropout.key};
  if (spec.active()) dropout_row<Arch>(spec, c.number + n * c.hidden, c.hidden, x, x);
  if (c.residual == nullptr) return;
  simd::map_row<Arch>(c.hidden, x, [](batch a, batch b) { return a + b; },
                      static_cast<const float*>(x), c.residual + n * c.residual_stride);
}

/// y = gamma (z - mean) r + beta, r = 1 / sqrt(mean square of z - mean + eps), one row; beta may be null.
template <class Arch, class Center>
inline float normalise_row(const add_norm_call& c, index_t n, Center center) {
  using batch = simd::floats<Arch>;
  const float* z = c.x + n * c.x_stride;
  float* y = c.y + n * c.y_stride;
  const float squares = simd::sum_row<Arch>(
      c.hidden, [center](batch a) { return center(a) * center(a); }, z);
  const float r = 1.0F / std::sqrt(squares / static_cast<float>(c.hidden) + c.eps);
  const batch scale(r);
  if (c.beta != nullptr) {
    simd::map_row<Arch>(
        c.hidden, y,
        [=](batch a, batch g, batch b) { return xsimd::fma(center(a) * scale, g, b); }, z, c.gamma,
        c.beta);
  } else {
    simd::map_row<Arch>(
        c.hidden, y, [=](batch a, batch g) { return center(a) * scale * g; }, z, c.gamma);
  }
  return r;
}

/// Two passes over each row, which is in L1 by then (kernels/ref/norm.hpp says why).
template <class Arch>
inline void add_norm_rows(const add_norm_call& c) {
  using batch = simd::floats<Arch>;
  for (index_t n = 0; n < c.rows; ++n) {
    add_residual_row<Arch>(c, n);
    const float mean = simd::sum_row<Arch>(
                           c.hidden, [](batch a) { return a; },
                           static_cast<const float*>(c.x + n * c.x_stride)) /
                       static_cast<float>(c.hidden);
    const float r = normalise_row<Arch>(c, n, centered<Arch>{batch(mean)});
    if (c.mean != nullptr) c.mean[n] = mean;
    if (c.reciprocal_stddev != nullptr) c.reciprocal_stddev[n] = r;
  }
}

template <class Arch>
inline void add_rms_norm_rows(const add_norm_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    add_residual_row<Arch>(c, n);
    const float r = normalise_row<Arch>(c, n, not_centered<Arch>{});
    if (c.reciprocal_stddev != nullptr) c.reciprocal_stddev[n] = r;
  }
}

/// dz (= | +=) gradient(dy, gamma, z), one row; then dx = dropout(dz) unless it is null.
template <class Arch, class Gradient>
inline void put_norm_gradient(const add_norm_backward_call& c, index_t n, Gradient gradient) {
  using batch = simd::floats<Arch>;
  const float* z = c.z + n * c.z_stride;
  const float* dy = c.dy + n * c.dy_stride;
  float* dz = c.dz + n * c.dz_stride;
  if (c.accumulate) {
    simd::map_row<Arch>(
        c.hidden, dz,
        [=](batch d, batch g, batch a, batch before) { return before + gradient(d, g, a); }, dy,
        c.gamma, z, static_cast<const float*>(dz));
  } else {
    simd::map_row<Arch>(c.hidden, dz, gradient, dy, c.gamma, z);
  }
  if (c.dx == nullptr) return;
  float* dx = c.dx + n * c.dx_stride;
  const dropout_spec spec{c.dropout.probability, c.dropout.key};
  if (spec.active()) {
    dropout_row<Arch>(spec, c.number + n * c.hidden, c.hidden, dz, dx);
  } else if (dx != dz) {
    simd::map_row<Arch>(c.hidden, dx, [](batch a) { return a; }, static_cast<const float*>(dz));
  }
}

/// dz = r (g - average(g) - xhat average(g xhat)), g = dy gamma.
template <class Arch>
inline void add_norm_backward_rows(const add_norm_backward_call& c) {
  using batch = simd::floats<Arch>;
  const auto width = static_cast<float>(c.hidden);
  for (index_t n = 0; n < c.rows; ++n) {
    const float* z = c.z + n * c.z_stride;
    const float* dy = c.dy + n * c.dy_stride;
    const batch m(c.mean[n]);
    const batch r(c.reciprocal_stddev[n]);
    const float sum_g = simd::sum_row<Arch>(
        c.hidden, [](batch d, batch g) { return d * g; }, dy, c.gamma);
    const float sum_g_xhat = simd::sum_row<Arch>(
        c.hidden, [m, r](batch d, batch g, batch a) { return d * g * ((a - m) * r); }, dy, c.gamma,
        z);
    const batch mean_g(sum_g / width);
    const batch mean_g_xhat(sum_g_xhat / width);
    put_norm_gradient<Arch>(c, n, [=](batch d, batch g, batch a) {
      return r * (d * g - mean_g - (a - m) * r * mean_g_xhat);
    });
  }
}

/// dz = r (g - xhat average(g xhat)), g = dy gamma, xhat = z r.
template <class Arch>
inline void add_rms_norm_backward_rows(const add_norm_backward_call& c) {
  using batch = simd::floats<Arch>;
  const auto width = static_cast<float>(c.hidden);
  for (index_t n = 0; n < c.rows; ++n) {
    const batch r(c.reciprocal_stddev[n]);
    const float sum_g_xhat = simd::sum_row<Arch>(
        c.hidden, [r](batch d, batch g, batch a) { return d * g * (a * r); },
        c.dy + n * c.dy_stride, c.gamma, c.z + n * c.z_stride);
    const batch mean_g_xhat(sum_g_xhat / width);
    put_norm_gradient<Arch>(c, n, [=](batch d, batch g, batch a) {
      return r * (d * g - a * r * mean_g_xhat);
    });
  }
}

/// dgamma += dy xhat, dbeta += dy (unless null) for columns [0, count) of one row.
template <class Arch, class Center>
inline void add_norm_parameters_row(const float* z, Center center, float reciprocal_stddev,
                                    const float* dy, index_t count, float* dgamma, float* dbeta) {
  using batch = simd::floats<Arch>;
  const batch r(reciprocal_stddev);
  simd::map_row<Arch>(
      count, dgamma, [=](batch sum, batch d, batch a) { return xsimd::fma(d, center(a) * r, sum); },
      static_cast<const float*>(dgamma), dy, z);
  if (dbeta == nullptr) return;
  simd::map_row<Arch>(count, dbeta, [](batch sum, batch d) { return sum + d; },
                      static_cast<const float*>(dbeta), dy);
}

template <class Arch>
inline void add_norm_parameters_rows(const add_norm_parameters_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    add_norm_parameters_row<Arch>(c.z + n * c.z_stride,
                                  centered<Arch>{simd::floats<Arch>(c.mean[n])},
                                  c.reciprocal_stddev[n], c.dy + n * c.dy_stride, c.columns,
                                  c.dgamma, c.dbeta);
  }
}

template <class Arch>
inline void add_rms_norm_parameters_rows(const add_norm_parameters_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    add_norm_parameters_row<Arch>(c.z + n * c.z_stride, not_centered<Arch>{},
                                  c.reciprocal_stddev[n], c.dy + n * c.dy_stride, c.columns,
                                  c.dgamma, c.dbeta);
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
