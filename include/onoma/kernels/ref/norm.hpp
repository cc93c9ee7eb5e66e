/// Residual addition with dropout, then layer or RMS normalisation.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/dropout.hpp>

#include <cmath>
#include <type_traits>

namespace onoma::inline ONOMA_ABI::ref {

/// z = residual + dropout(x), stored in x [N, H]; `residual` [N, H] may be null.
template <class T>
void add_residual(mat<T> x, mat<const T> residual, const dropout_spec& spec) {
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t h = 0; h < x.cols; ++h) {
      T z = dropped(spec, n * x.cols + h, x(n, h));
      if (residual) z += residual(n, h);
      x(n, h) = z;
    }
  }
}

/// The sum of f(h) over a row of `width` elements.
template <class T, class F>
[[nodiscard]] T sum_over(index_t width, F f) {
  T sum = T(0);
  for (index_t h = 0; h < width; ++h) sum += f(h);
  return sum;
}

/// z = residual + dropout(x), stored in x; y = gamma (z - mean) / sqrt(variance + eps) + beta.
///
/// x, residual, y [N, H]; `residual`, beta and the kept mean and 1/stddev [N] may be null. The variance is
/// that of the population and takes a second pass over the row: the one-pass form loses half of the digits
/// where |mean| is large against the deviation.
/// Source: Ba, Kiros, Hinton, "Layer normalization", arXiv 1607.06450.
template <class T>
void add_norm(mat<T> x, std::type_identity_t<mat<const T>> residual, const dropout_spec& spec,
              const layer_norm_weights<T>& w, mat<T> y, const norm_statistics<T>& kept) {
  using std::sqrt;
  add_residual(x, residual, spec);
  const T width = T(static_cast<double>(x.cols));
  for (index_t n = 0; n < x.rows; ++n) {
    const T mu = sum_over<T>(x.cols, [&](index_t h) { return x(n, h); }) / width;
    const T squares =
        sum_over<T>(x.cols, [&](index_t h) { return (x(n, h) - mu) * (x(n, h) - mu); });
    const T r = T(1) / sqrt(squares / width + w.eps);
    for (index_t h = 0; h < x.cols; ++h) {
      const T scaled = (x(n, h) - mu) * r * w.gamma[h];
      y(n, h) = w.beta ? scaled + w.beta[h] : scaled;
    }
    if (kept.mean) kept.mean[n] = mu;
    if (kept.reciprocal_stddev) kept.reciprocal_stddev[n] = r;
  }
}

/// z = residual + dropout(x), stored in x; y = gamma z / sqrt(mean of z^2 + eps).
/// Source: Zhang and Sennrich, "Root mean square layer normalization", arXiv 1910.07467.
template <class T>
void add_norm(mat<T> x, std::type_identity_t<mat<const T>> residual, const dropout_spec& spec,
              const rms_norm_weights<T>& w, mat<T> y, const norm_statistics<T>& kept) {
  using std::sqrt;
  add_residual(x, residual, spec);
  const T width = T(static_cast<double>(x.cols));
  for (index_t n = 0; n < x.rows; ++n) {
    const T squares = sum_over<T>(x.cols, [&](index_t h) { return x(n, h) * x(n, h); });
    const T r = T(1) / sqrt(squares / width + w.eps);
    for (index_t h = 0; h < x.cols; ++h) y(n, h) = x(n, h) * r * w.gamma[h];
    if (kept.reciprocal_stddev) kept.reciprocal_stddev[n] = r;
  }
}

/// Where the gradient of z goes: dz [N, H] is set, or added to if `accumulate`; dx = dropout(dz), the
/// gradient of x, is set unless null. dz may be dy where it is set.
template <class T>
struct add_norm_targets {
  bool accumulate = false;  ///< adds to dz
  mat<T> dz;                ///< [N, H]
  mat<T> dx;                ///< [N, H], or null

  /// Writes one element of both.
  void put(const dropout_spec& spec, index_t n, index_t h, T value) const {
    dz(n, h) = accumulate ? dz(n, h) + value : value;
    if (dx) dx(n, h) = dropped(spec, n * dz.cols + h, dz(n, h));
  }
};

/// With xhat = (z - mean) r and g = dy gamma:
///   dz = r (g - average(g) - xhat average(g xhat)),  dgamma += sum dy xhat,  dbeta += sum dy.
template <class T>
void add_norm_backward(std::type_identity_t<mat<const T>> z, const norm_statistics<T>& kept,
                       const layer_norm_weights<T>& w, std::type_identity_t<mat<const T>> dy,
                       const dropout_spec& spec, const add_norm_targets<T>& to,
                       const norm_gradients<T>& d) {
  const T width = T(static_cast<double>(z.cols));
  for (index_t n = 0; n < z.rows; ++n) {
    const T r = kept.reciprocal_stddev[n];
    const auto xhat = [&](index_t h) { return (z(n, h) - kept.mean[n]) * r; };
    const auto g = [&](index_t h) { return dy(n, h) * w.gamma[h]; };
    const T sum_g = sum_over<T>(z.cols, g);
    const T sum_g_xhat = sum_over<T>(z.cols, [&](index_t h) { return g(h) * xhat(h); });
    for (index_t h = 0; h < z.cols; ++h) {
      d.dgamma[h] += dy(n, h) * xhat(h);
      if (d.dbeta) d.dbeta[h] += dy(n, h);
      to.put(spec, n, h, r * (g(h) - sum_g / width - xhat(h) * (sum_g_xhat / width)));
    }
  }
}

/// With xhat = z r and g = dy gamma:  dz = r (g - xhat average(g xhat)),  dgamma += sum dy xhat.
template <class T>
void add_norm_backward(std::type_identity_t<mat<const T>> z, const norm_statistics<T>& kept,
                       const rms_norm_weights<T>& w, std::type_identity_t<mat<const T>> dy,
                       const dropout_spec& spec, const add_norm_targets<T>& to,
                       const norm_gradients<T>& d) {
  const T width = T(static_cast<double>(z.cols));
  for (index_t n = 0; n < z.rows; ++n) {
    const T r = kept.reciprocal_stddev[n];
    const auto xhat = [&](index_t h) { return z(n, h) * r; };
    const auto g = [&](index_t h) { return dy(n, h) * w.gamma[h]; };
    const T sum_g_xhat = sum_over<T>(z.cols, [&](index_t h) { return g(h) * xhat(h); });
    for (index_t h = 0; h < z.cols; ++h) {
      d.dgamma[h] += dy(n, h) * xhat(h);
      to.put(spec, n, h, r * (g(h) - xhat(h) * (sum_g_xhat / width)));
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
