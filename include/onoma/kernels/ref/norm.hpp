/// Residual addition with dropout, then layer normalisation.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/dropout.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::ref {

/// z = residual + dropout(x), stored in x; y = gamma (z - mean) / sqrt(variance + eps) + beta.
///
/// x, residual, y [N, H], gamma, beta [H]; `residual` and the kept mean and 1/stddev [N] may be
/// null. The variance is that of the population and takes a second pass over the row: the one-pass
/// form loses half of the digits where |mean| is large against the deviation.
/// Source: Ba, Kiros, Hinton, "Layer normalization", arXiv 1607.06450.
template <class T>
void add_norm(mat<T> x, mat<const T> residual, const dropout_spec& spec, vec<const T> gamma,
              vec<const T> beta, T eps, mat<T> y, vec<T> mean, vec<T> reciprocal_stddev) {
  using std::sqrt;
  const T width = T(static_cast<double>(x.cols));
  for (index n = 0; n < x.rows; ++n) {
    T sum = T(0);
    for (index h = 0; h < x.cols; ++h) {
      T z = dropped(spec, n * x.cols + h, x(n, h));
      if (residual) z += residual(n, h);
      x(n, h) = z;
      sum += z;
    }
    const T mu = sum / width;
    T squares = T(0);
    for (index h = 0; h < x.cols; ++h) squares += (x(n, h) - mu) * (x(n, h) - mu);
    const T r = T(1) / sqrt(squares / width + eps);
    for (index h = 0; h < x.cols; ++h) y(n, h) = (x(n, h) - mu) * r * gamma[h] + beta[h];
    if (mean) mean[n] = mu;
    if (reciprocal_stddev) reciprocal_stddev[n] = r;
  }
}

/// With xhat = (z - mean) r and g = dy gamma:
///   dz = r (g - average(g) - xhat average(g xhat)),  dgamma += sum dy xhat,  dbeta += sum dy.
/// dz [N, H] is set and is the residual's gradient; dx = dropout(dz) is set unless null.
template <class T>
void add_norm_backward(mat<const T> z, vec<const T> mean, vec<const T> reciprocal_stddev,
                       vec<const T> gamma, mat<const T> dy, const dropout_spec& spec, mat<T> dz,
                       mat<T> dx, vec<T> dgamma, vec<T> dbeta) {
  const T width = T(static_cast<double>(z.cols));
  for (index n = 0; n < z.rows; ++n) {
    const T mu = mean[n];
    const T r = reciprocal_stddev[n];
    T sum_g = T(0);
    T sum_g_xhat = T(0);
    for (index h = 0; h < z.cols; ++h) {
      const T xhat = (z(n, h) - mu) * r;
      const T g = dy(n, h) * gamma[h];
      sum_g += g;
      sum_g_xhat += g * xhat;
      dgamma[h] += dy(n, h) * xhat;
      dbeta[h] += dy(n, h);
    }
    for (index h = 0; h < z.cols; ++h) {
      const T xhat = (z(n, h) - mu) * r;
      const T g = dy(n, h) * gamma[h];
      dz(n, h) = r * (g - sum_g / width - xhat * (sum_g_xhat / width));
      if (dx) dx(n, h) = dropped(spec, n * z.cols + h, dz(n, h));
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
