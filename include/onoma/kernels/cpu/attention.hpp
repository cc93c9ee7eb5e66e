/// Attention of one head over one sequence, forward and backward, from small matrix products.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/kernels/cpu/gemm.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/simd/math.hpp>
#include <onoma/simd/transpose.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

/// One (sequence, head): pointers to its first row and column. Rows are `stride` floats apart.
struct attention_head {
  const float* q;
  const float* k;
  const float* v;
  index stride;     ///< of q, k and v
  index length;     ///< tokens of the sequence
  index width;      ///< D, head size
  float scale;
  dropout_spec dropout;
  index first_number;   ///< number of probability (query 0, key 0) of this head and sequence
  index number_stride;  ///< from one query to the next: the batch's longest sequence
  const float* bias = nullptr;  ///< element j - i is added to q_i k_j; null: none
};

inline constexpr index most_attention_rows = 96;

/// Query rows whose scores are held at once: 12 to 96, so that the block of scores stays in L2 (and,
/// for sentences, in L1).
[[nodiscard]] constexpr index attention_rows(index length) {
  const index fit = 16384 / (length > 0 ? length : 1);
  const index rows = fit < 12 ? 12 : (fit > most_attention_rows ? most_attention_rows : fit);
  return rows < length ? rows : length;
}

/// Floats of scratch that the forward takes.
template <class Arch>
[[nodiscard]] constexpr index attention_scratch(index length, index width) {
  const index columns = simd::padded<Arch>(length);
  const index depth = simd::padded<Arch>(width);
  return depth * columns + length * depth + attention_rows(length) * columns;
}

/// Floats of scratch that the backward takes.
template <class Arch>
[[nodiscard]] constexpr index attention_backward_scratch(index length, index width) {
  const index columns = simd::padded<Arch>(length);
  const index depth = simd::padded<Arch>(width);
  const index rows = attention_rows(length);
  // k^T and v^T; copies of q, k, dout where rows are not whole vectors; p, dp and a dropped p.
  return 2 * depth * columns + 3 * length * depth + 3 * rows * columns;
}

/// Where rows are whole vectors, B can be read in place; else it is copied with zeros at the end.
template <class Arch>
inline const float* whole_vectors(const float* rows, index stride, index length, index width,
                                  float* copy, index& out_stride) {
  out_stride = stride;
  if (width % simd::width<Arch> == 0) return rows;
  out_stride = simd::padded<Arch>(width);
  for (index j = 0; j < length; ++j) {
    for (index c = 0; c < out_stride; ++c) {
      copy[j * out_stride + c] = c < width ? rows[j * stride + c] : 0.0F;
    }
  }
  return copy;
}

/// to[j] += from[j]
template <class Arch>
inline void add_to_row(index length, float* to, const float* from) {
  using batch = simd::floats<Arch>;
  simd::map_row<Arch>(length, to, [](batch a, batch b) { return a + b; },
                      static_cast<const float*>(to), from);
}

/// What `exponential_row` found: softmax is its row divided by `sum`.
struct row_sum {
  float sum;      ///< of the row that was written
  float largest;  ///< of scale times the row that was read
  /// Of scale times the row that was read.
  [[nodiscard]] float log_sum_exp() const { return largest + std::log(sum); }
};

/// row[j] = exp(scale (row[j] - largest)) for j < length, in one pass after that for the largest. The
/// division by the sum is left to the caller, who may have fewer elements to divide.
template <class Arch>
inline row_sum exponential_row(float* row, index length, float scale) {
  using batch = simd::floats<Arch>;
  constexpr index w = simd::width<Arch>;
  float most = -std::numeric_limits<float>::infinity();
  index j = 0;
  if (length >= w) {
    batch largest = simd::load<Arch>(row);
    for (j = w; j + w <= length; j += w) largest = xsimd::max(largest, simd::load<Arch>(row + j));
    // The last vector overlaps the one before: no tail.
    most = simd::largest<Arch>(xsimd::max(largest, simd::load<Arch>(row + length - w)));
  } else {
    for (; j < length; ++j) most = std::max(most, row[j]);
  }
  // The scale is positive, so the largest score has the largest product.
  const batch a(scale);
  const batch b(-most * scale);
  batch sum(0.0F);
  for (j = 0; j + w <= length; j += w) {
    const batch p = simd::exp<Arch>(xsimd::fma(simd::load<Arch>(row + j), a, b));
    simd::store<Arch>(row + j, p);
    sum += p;
  }
  if (const index left = length - j; left > 0) {
    const batch p = simd::keep_first<Arch>(
        simd::exp<Arch>(xsimd::fma(simd::load_partial<Arch>(row + j, left), a, b)), left);
    simd::store_partial<Arch>(row + j, p, left);
    sum += p;
  }
  return {xsimd::hadd(sum), most * scale};
}

/// out [length, D] (rows `out_stride` apart) = dropout(softmax(scale q k^T)) v;
/// log_sum_exp [length] unless null.
template <class Arch>
inline void attention_forward(const attention_head& h, float* scratch, float* out,
                              index out_stride, float* log_sum_exp) {
  const index columns = simd::padded<Arch>(h.length);
  const index depth = simd::padded<Arch>(h.width);
  float* kt = scratch;
  float* copy = kt + depth * columns;
  float* scores = copy + h.length * depth;
  simd::transpose<Arch>(h.k, h.stride, h.length, h.width, kt, columns);
  index v_stride = 0;
  const float* v = whole_vectors<Arch>(h.v, h.stride, h.length, h.width, copy, v_stride);
  const index block = attention_rows(h.length);
  float reciprocals[most_attention_rows];
  for (index i = 0; i < h.length; i += block) {
    const index rows = std::min(block, h.length - i);
    multiply_in_place<Arch, a_layout::rows>(rows, h.width, h.length, h.q + i * h.stride, h.stride,
                                            kt, columns, false, scores, columns);
    for (index r = 0; r < rows; ++r) {
      float* row = scores + r * columns;
      if (h.bias != nullptr) add_to_row<Arch>(h.length, row, h.bias - (i + r));
      const row_sum found = exponential_row<Arch>(row, h.length, h.scale);
      reciprocals[r] = 1.0F / found.sum;
      if (log_sum_exp != nullptr) log_sum_exp[i + r] = found.log_sum_exp();
      if (h.dropout.active()) {
        dropout_row<Arch>(h.dropout, h.first_number + (i + r) * h.number_stride, h.length, row, row);
      }
    }
    multiply_in_place<Arch, a_layout::rows>(rows, h.length, h.width, scores, columns, v, v_stride,
                                            false, out + i * out_stride, out_stride);
    for (index r = 0; r < rows; ++r) {
      float* row = out + (i + r) * out_stride;
      const simd::floats<Arch> scale(reciprocals[r]);
      simd::map_row<Arch>(h.width, row, [scale](simd::floats<Arch> x) { return x * scale; },
                          static_cast<const float*>(row));
    }
  }
}

/// Gradients of one head, each set; rows `gradient_stride` apart.
struct attention_gradients {
  float* dq;
  float* dk;
  float* dv;
  index gradient_stride;
  float* dbias = nullptr;  ///< as attention_head::bias, added to; null: not wanted
};

/// See kernels/ref/attention.hpp for the formulas; probabilities are recomputed from log_sum_exp.
template <class Arch>
inline void attention_backward(const attention_head& h, const float* log_sum_exp, const float* out,
                               index out_stride, const float* dout, index dout_stride,
                               float* scratch, const attention_gradients& g) {
  using batch = simd::floats<Arch>;
  const index columns = simd::padded<Arch>(h.length);
  const index depth = simd::padded<Arch>(h.width);
  const index block = attention_rows(h.length);
  float* kt = scratch;
  float* vt = kt + depth * columns;
  float* copies = vt + depth * columns;
  float* p = copies + 3 * h.length * depth;
  float* dp = p + block * columns;
  float* dropped = dp + block * columns;
  simd::transpose<Arch>(h.k, h.stride, h.length, h.width, kt, columns);
  simd::transpose<Arch>(h.v, h.stride, h.length, h.width, vt, columns);
  index q_stride = 0;
  index k_stride = 0;
  index d_stride = 0;
  const float* q = whole_vectors<Arch>(h.q, h.stride, h.length, h.width, copies, q_stride);
  const float* k = whole_vectors<Arch>(h.k, h.stride, h.length, h.width,
                                       copies + h.length * depth, k_stride);
  const float* d = whole_vectors<Arch>(dout, dout_stride, h.length, h.width,
                                       copies + 2 * h.length * depth, d_stride);
  const batch scale(h.scale);
  for (index i = 0; i < h.length; i += block) {
    const index rows = std::min(block, h.length - i);
    multiply_in_place<Arch, a_layout::rows>(rows, h.width, h.length, h.q + i * h.stride, h.stride,
                                            kt, columns, false, p, columns);
    multiply_in_place<Arch, a_layout::rows>(rows, h.width, h.length, dout + i * dout_stride,
                                            dout_stride, vt, columns, false, dp, columns);
    float* kept = h.dropout.active() ? dropped : p;
    for (index r = 0; r < rows; ++r) {
      float* p_row = p + r * columns;
      float* dp_row = dp + r * columns;
      if (h.bias != nullptr) add_to_row<Arch>(h.length, p_row, h.bias - (i + r));
      const batch lse(-log_sum_exp[i + r]);
      simd::map_row<Arch>(h.length, p_row,
                          [=](batch s) { return simd::exp<Arch>(xsimd::fma(s, scale, lse)); },
                          static_cast<const float*>(p_row));
      if (h.dropout.active()) {
        float* dropped_row = dropped + r * columns;
        for_kept<Arch>(h.dropout, h.first_number + (i + r) * h.number_stride, h.length,
                       [=](index j, index n, auto mask, batch factor) {
                         keep_some<Arch>(mask, factor, n, p_row + j, dropped_row + j);
                         keep_some<Arch>(mask, factor, n, dp_row + j, dp_row + j);
                       });
      }
    }
    // dv += dropped(p)^T dout: before p is turned into ds.
    multiply_in_place<Arch, a_layout::columns>(h.length, rows, h.width, kept, columns,
                                               d + i * d_stride, d_stride, i > 0, g.dv,
                                               g.gradient_stride);
    for (index r = 0; r < rows; ++r) {
      const batch shift(simd::sum_row<Arch>(h.width, [](batch a, batch b) { return a * b; },
                                            dout + (i + r) * dout_stride, out + (i + r) * out_stride));
      simd::map_row<Arch>(h.length, p + r * columns,
                          [=](batch a, batch b) { return a * (b - shift) * scale; },
                          static_cast<const float*>(p + r * columns),
                          static_cast<const float*>(dp + r * columns));
      if (g.dbias != nullptr) add_to_row<Arch>(h.length, g.dbias - (i + r), p + r * columns);
    }
    multiply_in_place<Arch, a_layout::rows>(rows, h.length, h.width, p, columns, k, k_stride,
                                            false, g.dq + i * g.gradient_stride,
                                            g.gradient_stride);
    multiply_in_place<Arch, a_layout::columns>(h.length, rows, h.width, p, columns,
                                               q + i * q_stride, q_stride, i > 0, g.dk,
                                               g.gradient_stride);
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
