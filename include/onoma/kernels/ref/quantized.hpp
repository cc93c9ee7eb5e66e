/// Linear layers on 8-bit integers: the product of quantised weights and activations.
#pragma once

#include <onoma/core/quantize.hpp>
#include <onoma/core/view.hpp>

#include <cstdint>
#include <vector>

namespace onoma::inline ONOMA_ABI::ref {

/// The exact sum over k of a[k] w[k]; in range for up to `longest_quantized_row` elements.
inline std::int32_t dot(const std::int8_t* a, const std::int8_t* w, index_t count) {
  std::int32_t sum = 0;
  for (index_t k = 0; k < count; ++k) sum += static_cast<std::int32_t>(a[k]) * w[k];
  return sum;
}

/// y [N, M] = (sum over k of a w) (a_scales [N] w_scales [M]) + bias, with a [N, K], w [M, K];
/// bias [M] may be null. The sums are exact integers; the rest is computed in T.
template <class T>
void quantized_linear(mat<const std::int8_t> a, vec<const float> a_scales,
                      mat<const std::int8_t> w, vec<const float> w_scales, vec<const T> bias,
                      mat<T> y) {
  for (index_t n = 0; n < a.rows; ++n) {
    for (index_t m = 0; m < w.rows; ++m) {
      const T sum = static_cast<T>(dot(a.row_data(n), w.row_data(m), a.cols));
      const T scaled = sum * static_cast<T>(a_scales[n] * w_scales[m]);
      y(n, m) = bias ? scaled + bias[m] : scaled;
    }
  }
}

/// The same from activations x [N, K] that are not quantised yet: each row is, as float.
template <class T>
void quantized_linear(mat<const T> x, mat<const std::int8_t> w, vec<const float> w_scales,
                      vec<const T> bias, mat<T> y) {
  std::vector<float> row(static_cast<std::size_t>(x.cols));
  std::vector<std::int8_t> codes(row.size());
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t k = 0; k < x.cols; ++k) {
      row[static_cast<std::size_t>(k)] = static_cast<float>(static_cast<double>(x(n, k)));
    }
    const float scale = quantize_row(row.data(), x.cols, codes.data());
    quantized_linear<T>({codes.data(), 1, x.cols}, {&scale, 1}, w, w_scales, bias,
                        y.rows_slice(n, 1));
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
