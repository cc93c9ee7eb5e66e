/// Scores of spans of words and their gradients, one word at a time.
#pragma once

#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>

namespace onoma::inline ONOMA_ABI::cpu {

/// scores [W, L] of the spans that begin with one word: begin_l . end_w + bias_l + width_wl.
template <class Arch>
inline void span_scores_row(const span_scores_call& c) {
  using batch = simd::floats<Arch>;
  for (index_t w = 0; w < c.widths; ++w) {
    const float* end = c.end + w * c.end_stride;
    for (index_t l = 0; l < c.labels; ++l) {
      const float product =
          simd::sum_row<Arch>(c.size, [](batch a, batch b) { return a * b; }, c.begin + l * c.size, end);
      c.scores[w * c.labels + l] = product + (c.bias[l] + c.width[w * c.labels + l]);
    }
  }
}

/// y [columns] = or += sum_i weights_i x_i of the rows of x. Eight vectors of y stay in registers while the rows go by.
template <class Arch, bool Accumulate>
inline void weighted_rows(index_t rows, const float* weights, index_t weight_stride, const float* x, index_t x_stride,
                          index_t columns, float* y) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  constexpr index_t vectors = 8;
  index_t j = 0;
  for (; j + vectors * w <= columns; j += vectors * w) {
    batch sums[vectors];
    for (index_t v = 0; v < vectors; ++v) sums[v] = Accumulate ? simd::load<Arch>(y + j + v * w) : batch(0.0F);
    for (index_t i = 0; i < rows; ++i) {
      const batch weight(weights[i * weight_stride]);
      const float* row = x + i * x_stride + j;
      for (index_t v = 0; v < vectors; ++v) sums[v] = xsimd::fma(weight, simd::load<Arch>(row + v * w), sums[v]);
    }
    for (index_t v = 0; v < vectors; ++v) simd::store<Arch>(y + j + v * w, sums[v]);
  }
  for (; j < columns; j += w) {
    const index_t count = columns - j < w ? columns - j : w;
    batch sum = Accumulate ? simd::load_some<Arch>(y + j, count) : batch(0.0F);
    for (index_t i = 0; i < rows; ++i) {
      sum = xsimd::fma(batch(weights[i * weight_stride]), simd::load_some<Arch>(x + i * x_stride + j, count), sum);
    }
    simd::store_some<Arch>(y + j, sum, count);
  }
}

/// The gradients that belong to one word: as the first of spans, and as the last.
template <class Arch>
inline void span_scores_backward_row(const span_scores_backward_call& c) {
  for (index_t l = 0; l < c.labels; ++l) {
    float sum = 0.0F;
    for (index_t w = 0; w < c.widths; ++w) sum += c.dscores[w * c.labels + l];
    c.dbias[l] = sum;
    weighted_rows<Arch, false>(c.widths, c.dscores + l, c.labels, c.end, c.end_stride, c.size, c.dbegin + l * c.size);
  }
  // The spans of w + 1 words that end here begin w rows before.
  for (index_t w = 0; w < c.widths_before; ++w) {
    const float* weights = c.dscores - w * c.dscores_stride + w * c.labels;
    const float* begin = c.begin - w * c.begin_stride;
    if (w == 0) {
      weighted_rows<Arch, false>(c.labels, weights, 1, begin, c.size, c.size, c.dend);
    } else {
      weighted_rows<Arch, true>(c.labels, weights, 1, begin, c.size, c.size, c.dend);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
