/// Activations, AdamW and sums of squares over flat ranges.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/math.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::cpu {

/// One vector of the activation; `A` is a template parameter so that a tile holds one branch less.
template <class Arch, activation A>
[[nodiscard]] inline simd::floats<Arch> activate(simd::floats<Arch> x) {
  if constexpr (A == activation::gelu) return simd::gelu<Arch>(x);
  if constexpr (A == activation::gelu_tanh) return simd::gelu_tanh<Arch>(x);
  if constexpr (A == activation::relu) return xsimd::max(x, simd::floats<Arch>(0.0F));
}

template <class Arch, activation A>
[[nodiscard]] inline simd::floats<Arch> activation_derivative(simd::floats<Arch> x) {
  using batch = simd::floats<Arch>;
  if constexpr (A == activation::gelu) return simd::gelu_derivative<Arch>(x);
  if constexpr (A == activation::gelu_tanh) return simd::gelu_tanh_derivative<Arch>(x);
  if constexpr (A == activation::relu) {
    return xsimd::select(x > batch(0.0F), batch(1.0F), batch(0.0F));
  }
}

/// d *= act'(pre), one row.
template <class Arch, activation A>
inline void activation_backward_row(const float* pre, index_t count, float* d) {
  using batch = simd::floats<Arch>;
  simd::map_row<Arch>(
      count, d, [](batch g, batch x) { return g * activation_derivative<Arch, A>(x); },
      static_cast<const float*>(d), pre);
}

/// One row of the gate: y = act(pre's left half) times its right half.
template <class Arch, activation A>
inline void gate_row(const float* pre, index_t count, float* y) {
  using batch = simd::floats<Arch>;
  simd::map_row<Arch>(
      count, y, [](batch x, batch g) { return activate<Arch, A>(x) * g; }, pre, pre + count);
}

/// One row of its backward, for both halves of dpre.
template <class Arch, activation A>
inline void gate_backward_row(const float* pre, const float* dy, index_t count, float* dpre) {
  using batch = simd::floats<Arch>;
  simd::map_row<Arch>(
      count, dpre,
      [](batch d, batch x, batch g) { return d * g * activation_derivative<Arch, A>(x); }, dy, pre,
      pre + count);
  simd::map_row<Arch>(
      count, dpre + count, [](batch d, batch x) { return d * activate<Arch, A>(x); }, dy, pre);
}

/// One pass over parameter, gradient and both moments, which is all the memory traffic there is.
template <class Arch>
inline void adamw_range(const adamw_call& k, index_t count, float* w, float* g, float* m,
                        float* v) {
  using batch = simd::floats<Arch>;
  const auto update = [&k](batch& wi, batch gi, batch& mi, batch& vi) {
    gi = gi * batch(k.gradient_scale);
    mi = xsimd::fma(batch(k.one_minus_beta1), gi - mi, mi);
    vi = xsimd::fma(batch(k.one_minus_beta2) * gi, gi, batch(k.beta2) * vi);
    const batch denominator =
        xsimd::fma(xsimd::sqrt(vi), batch(k.reciprocal_root), batch(k.eps));
    wi = wi * batch(k.decay) - batch(k.step_size) * mi / denominator;
  };
  constexpr index_t width = simd::width<Arch>;
  index_t i = 0;
  for (; i + width <= count; i += width) {
    batch wi = simd::load<Arch>(w + i);
    batch mi = simd::load<Arch>(m + i);
    batch vi = simd::load<Arch>(v + i);
    update(wi, simd::load<Arch>(g + i), mi, vi);
    simd::store<Arch>(w + i, wi);
    simd::store<Arch>(m + i, mi);
    simd::store<Arch>(v + i, vi);
    simd::store<Arch>(g + i, batch(0.0F));
  }
  if (const index_t left = count - i; left > 0) {
    batch wi = simd::load_partial<Arch>(w + i, left);
    batch mi = simd::load_partial<Arch>(m + i, left);
    batch vi = simd::load_partial<Arch>(v + i, left);
    update(wi, simd::load_partial<Arch>(g + i, left), mi, vi);
    simd::store_partial<Arch>(w + i, wi, left);
    simd::store_partial<Arch>(m + i, mi, left);
    simd::store_partial<Arch>(v + i, vi, left);
    simd::store_partial<Arch>(g + i, batch(0.0F), left);
  }
}

/// Sum of squares of a range in double. Eight partial sums: the order depends on `count` alone.
inline double squares_range(index_t count, const float* x) {
  double sums[8] = {};
  index_t i = 0;
  for (; i + 8 <= count; i += 8) {
    for (int j = 0; j < 8; ++j) {
      const double value = static_cast<double>(x[i + j]);
      sums[j] += value * value;
    }
  }
  for (; i < count; ++i) sums[0] += static_cast<double>(x[i]) * static_cast<double>(x[i]);
  return ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
}

}  // namespace onoma::inline ONOMA_ABI::cpu
