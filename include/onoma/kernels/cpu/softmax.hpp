/// Softmax of rows, and the cross-entropy of labels with its gradient.
#pragma once

#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/math.hpp>

#include <cmath>
#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

/// The largest of `length` > 0 elements.
template <class Arch>
[[nodiscard]] inline float largest_of_row(const float* row, index_t length) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  if (length < w) {
    float most = -std::numeric_limits<float>::infinity();
    for (index_t j = 0; j < length; ++j) most = row[j] > most ? row[j] : most;
    return most;
  }
  batch largest = simd::load<Arch>(row);
  for (index_t j = w; j + w <= length; j += w) {
    largest = xsimd::max(largest, simd::load<Arch>(row + j));
  }
  // The last vector overlaps the one before: no tail.
  return simd::largest<Arch>(xsimd::max(largest, simd::load<Arch>(row + length - w)));
}

/// The sum of exp(scale x[j] - shift) for j < length; store(j, terms, count) takes each vector of terms.
template <class Arch, class Store>
[[nodiscard]] inline float sum_of_exponentials(const float* x, index_t length, float scale,
                                               float shift, Store store) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  const batch a(scale);
  const batch b(-shift);
  batch sum(0.0F);
  index_t j = 0;
  for (; j + w <= length; j += w) {
    const batch p = simd::exp<Arch>(xsimd::fma(simd::load<Arch>(x + j), a, b));
    store(j, p, w);
    sum += p;
  }
  if (const index_t left = length - j; left > 0) {
    const batch p = simd::keep_first<Arch>(
        simd::exp<Arch>(xsimd::fma(simd::load_partial<Arch>(x + j, left), a, b)), left);
    store(j, p, left);
    sum += p;
  }
  return xsimd::hadd(sum);
}

/// y[j] = exp(scale x[j] - shift) for j < length; returns their sum. y may be x. The division by the sum
/// is left to the caller, who may have fewer elements to divide.
template <class Arch>
inline float exponential_row(const float* x, index_t length, float scale, float shift, float* y) {
  return sum_of_exponentials<Arch>(
      x, length, scale, shift, [y](index_t j, simd::floats<Arch> p, index_t count) {
        simd::store_some<Arch>(y + j, p, count);
      });
}

/// One row: y = exp(x - largest) / sum.
template <class Arch>
inline void softmax_row(const float* x, index_t columns, float* y) {
  using batch = simd::floats<Arch>;
  const batch sum(exponential_row<Arch>(x, columns, 1.0F, largest_of_row<Arch>(x, columns), y));
  simd::map_row<Arch>(columns, y, [sum](batch p) { return p / sum; }, static_cast<const float*>(y));
}

/// One row: the loss, largest + log(sum exp(x - largest)) - x[label], and unless it is null the gradient,
/// dx = scale (softmax(x) - onehot(label)).
template <class Arch>
[[nodiscard]] inline double cross_entropy_row(const float* x, index_t columns, index_t label,
                                              float scale, float* dx) {
  using batch = simd::floats<Arch>;
  const float largest = largest_of_row<Arch>(x, columns);
  const float sum =
      dx != nullptr
          ? exponential_row<Arch>(x, columns, 1.0F, largest, dx)
          : sum_of_exponentials<Arch>(x, columns, 1.0F, largest, [](index_t, batch, index_t) {});
  const double loss = static_cast<double>(largest + std::log(sum) - x[label]);
  if (dx == nullptr) return loss;
  const batch divisor(sum);
  const batch factor(scale);
  const float labelled = scale * (dx[label] / sum - 1.0F);
  simd::map_row<Arch>(
      columns, dx, [=](batch p) { return factor * (p / divisor); }, static_cast<const float*>(dx));
  dx[label] = labelled;
  return loss;
}

template <class Arch>
inline void softmax_rows(const softmax_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    softmax_row<Arch>(c.x + n * c.x_stride, c.columns, c.y + n * c.y_stride);
  }
}

template <class Arch>
inline void cross_entropy_rows(const cross_entropy_call& c) {
  for (index_t n = 0; n < c.rows; ++n) {
    const float* x = c.x + n * c.x_stride;
    float* dx = c.dx != nullptr ? c.dx + n * c.dx_stride : nullptr;
    const index_t label = c.labels[n];
    if (label == c.ignored) {
      c.losses[n] = 0.0;
      for (index_t l = 0; dx != nullptr && l < c.columns; ++l) dx[l] = 0.0F;
    } else {
      c.losses[n] = cross_entropy_row<Arch>(x, c.columns, label, c.scale, dx);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
