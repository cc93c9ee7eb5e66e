/// Vector forms of exp, the normal distribution and GELU, with stated error bounds.
#pragma once

#include <onoma/simd/batch.hpp>
#include <onoma/simd/gelu_tables.hpp>

namespace onoma::inline ONOMA_ABI::simd {

/// exp(x) with at most 2 ulp of error for x in [-87, 88]; 0 below -103, x is clamped to 88.7 above.
///
/// x = n ln 2 + r with |r| <= ln 2 / 2 (Cody and Waite: ln 2 in two parts, n times the first part
/// is exact); exp(r) by a polynomial of degree 6 (relative error 3.1e-9, a minimax fit made for
/// this file); 2^n through the exponent bits, in two factors so that subnormal results are right.
template <class Arch>
[[nodiscard]] inline floats<Arch> exp(floats<Arch> x) {
  using batch = floats<Arch>;
  using integers = xsimd::batch<std::int32_t, Arch>;
  x = xsimd::min(xsimd::max(x, batch(-104.0F)), batch(88.7228F));
  const batch n = xsimd::nearbyint(x * batch(1.44269504F));
  batch r = xsimd::fma(n, batch(-0.693359375F), x);
  r = xsimd::fma(n, batch(2.12194440e-4F), r);
  batch p(0.0013814615811645F);
  p = xsimd::fma(p, r, batch(0.00836871336140646F));
  p = xsimd::fma(p, r, batch(0.04166838757955803F));
  p = xsimd::fma(p, r, batch(0.16666520661050793F));
  p = xsimd::fma(p, r, batch(0.49999993450081415F));
  p = xsimd::fma(p, r, batch(1.0F));
  p = xsimd::fma(p, r, batch(1.0F));
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) return _mm512_scalef_ps(p, n);  // the same in one instruction
#endif
  const integers exponent = xsimd::batch_cast<std::int32_t>(n);
  const integers half = exponent >> 1;
  const batch scale1 = xsimd::bitwise_cast<batch>((half + 127) << 23);
  const batch scale2 = xsimd::bitwise_cast<batch>((exponent - half + 127) << 23);
  return (p * scale1) * scale2;
}

/// log(x) for normal x > 0, with an error of at most 1 ulp of the larger of |log(x)| and 1/2.
///
/// x = 2^n m with m in [sqrt(1/2), sqrt 2): the bits of x less those of sqrt(1/2) have n above the fraction. For
/// f = m - 1, log m = f - f^2 / 2 + f^3 P(f) with the polynomial of Moshier's Cephes (logf.c), and n ln 2 in the
/// two parts of `exp`.
template <class Arch>
[[nodiscard]] inline floats<Arch> log(floats<Arch> x) {
  using batch = floats<Arch>;
  using integers = xsimd::batch<std::int32_t, Arch>;
  const integers bits = xsimd::bitwise_cast<integers>(x);
  const integers exponent = (bits - integers(0x3F3504F3)) >> 23;
  const batch f = xsimd::bitwise_cast<batch>(bits - (exponent << 23)) - batch(1.0F);
  const batch n = xsimd::batch_cast<float>(exponent);
  batch p(7.0376836292e-2F);
  p = xsimd::fma(p, f, batch(-1.1514610310e-1F));
  p = xsimd::fma(p, f, batch(1.1676998740e-1F));
  p = xsimd::fma(p, f, batch(-1.2420140846e-1F));
  p = xsimd::fma(p, f, batch(1.4249322787e-1F));
  p = xsimd::fma(p, f, batch(-1.6668057665e-1F));
  p = xsimd::fma(p, f, batch(2.0000714765e-1F));
  p = xsimd::fma(p, f, batch(-2.4999993993e-1F));
  p = xsimd::fma(p, f, batch(3.3333331174e-1F));
  const batch square = f * f;
  batch tail = p * f * square;
  tail = xsimd::fma(n, batch(-2.12194440e-4F), tail);
  tail = xsimd::fma(square, batch(-0.5F), tail);
  return xsimd::fma(n, batch(0.693359375F), f + tail);
}

/// The standard normal distribution function Phi(x) and exp(-x^2 / 2), which its derivative needs.
///
/// Phi(-t) = erfc(t / sqrt 2) / 2 and erfc(z) = exp(-z^2) P(u), u = 1 / (1 + 0.4 z): the scaled
/// complementary error function is smooth in u. P has degree 8; the fit, made for this file,
/// minimises the absolute error of erfc (1.9e-9; the relative error stays below 5e-6 up to z = 6,
/// where forms with 1 + erf lose every digit). In float: |error of Phi| <= 1.5e-7. Below, 0.4 / sqrt 2
/// is one factor, and P is halved.
template <class Arch>
struct normal {
  floats<Arch> distribution;  ///< Phi(x)
  floats<Arch> exponential;   ///< exp(-x^2 / 2)
};

/// Both for each lane.
template <class Arch>
[[nodiscard]] inline normal<Arch> normal_distribution(floats<Arch> x) {
  using batch = floats<Arch>;
  const batch u = batch(1.0F) / xsimd::fma(batch(0.28284271F), xsimd::abs(x), batch(1.0F));
  batch p(0.07552729096210786F / 2);
  p = xsimd::fma(p, u, batch(-0.3986325285142857F / 2));
  p = xsimd::fma(p, u, batch(0.6884133029924664F / 2));
  p = xsimd::fma(p, u, batch(-0.3731119850637877F / 2));
  p = xsimd::fma(p, u, batch(0.4043456794416324F / 2));
  p = xsimd::fma(p, u, batch(0.1430166266253662F / 2));
  p = xsimd::fma(p, u, batch(0.23536292389975783F / 2));
  p = xsimd::fma(p, u, batch(0.2250786878221244F / 2));
  const batch exponential = exp<Arch>(x * x * batch(-0.5F));
  const batch tail = u * p * exponential;
  return {xsimd::select(x < batch(0.0F), tail, batch(1.0F) - tail), exponential};
}

#if defined(__AVX512F__)
/// The polynomial of `table`, [coefficient][interval], for each t >= 0; 0 beyond the intervals. One
/// instruction looks up a coefficient for 16 lanes: GELU and its derivative take 16 cycles per vector on
/// a Zen 4 instead of the 28 of `normal_distribution`.
template <class Arch>
[[nodiscard]] inline floats<Arch> by_intervals(const float (&table)[6][16], floats<Arch> t) {
  using batch = floats<Arch>;
  t = xsimd::min(batch(15.0F * gelu_step), t);  // in this order NaN stays
  // Beside 1.5 * 2^23 a float has no fraction left: its low bits are the number of the interval.
  const batch shift(12582912.0F);
  const batch number = xsimd::fma(t, batch(1.0F / gelu_step), shift);
  const batch d = xsimd::fnma(number - shift, batch(gelu_step), t);
  const auto coefficient = [&table, &number](int k) {
    return batch(_mm512_permutexvar_ps(_mm512_castps_si512(number), _mm512_load_ps(table[k])));
  };
  batch p = coefficient(5);
#pragma GCC unroll 5
  for (int k = 4; k >= 0; --k) p = xsimd::fma(p, d, coefficient(k));
  return p;
}
#endif

/// x Phi(x); absolute error <= 5e-7 on [-10, 10], relative error <= 2e-4 on [-5.5, 0].
template <class Arch>
[[nodiscard]] inline floats<Arch> gelu(floats<Arch> x) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) {
    const auto tail = x * by_intervals<Arch>(normal_tail, xsimd::abs(x));
    return xsimd::select(x < floats<Arch>(0.0F), tail, x - tail);
  }
#endif
  return x * normal_distribution<Arch>(x).distribution;
}

/// Phi(x) + x phi(x); absolute error <= 5e-7 on [-10, 10].
template <class Arch>
[[nodiscard]] inline floats<Arch> gelu_derivative(floats<Arch> x) {
#if defined(__AVX512F__)
  if constexpr (width<Arch> == 16) {
    const auto tail = by_intervals<Arch>(gelu_derivative_tail, xsimd::abs(x));
    return xsimd::select(x < floats<Arch>(0.0F), tail, floats<Arch>(1.0F) - tail);
  }
#endif
  const auto n = normal_distribution<Arch>(x);
  return xsimd::fma(x * floats<Arch>(0.39894228F), n.exponential, n.distribution);
}

/// 1 / (1 + exp(-x)).
template <class Arch>
[[nodiscard]] inline floats<Arch> sigmoid(floats<Arch> x) {
  using batch = floats<Arch>;
  return batch(1.0F) / (batch(1.0F) + exp<Arch>(batch(0.0F) - x));
}

/// The tanh form of GELU: since (1 + tanh u) / 2 = sigmoid(2 u), it is x sigmoid(2 u) with
/// u = sqrt(2 / pi) (x + 0.044715 x^3). Absolute error <= 1e-6 on [-10, 10].
template <class Arch>
[[nodiscard]] inline floats<Arch> gelu_tanh(floats<Arch> x) {
  using batch = floats<Arch>;
  const batch cubic = xsimd::fma(x * x, batch(0.044715F), batch(1.0F));
  return x * sigmoid<Arch>(x * cubic * batch(2.0F * 0.79788456F));
}

/// s + x s (1 - s) 2 u', s = sigmoid(2 u). Absolute error <= 2.5e-6 on [-10, 10]: x 2 u' reaches 100
/// where 1 - s cancels.
template <class Arch>
[[nodiscard]] inline floats<Arch> gelu_tanh_derivative(floats<Arch> x) {
  using batch = floats<Arch>;
  const batch square = x * x;
  const batch cubic = xsimd::fma(square, batch(0.044715F), batch(1.0F));
  const batch s = sigmoid<Arch>(x * cubic * batch(2.0F * 0.79788456F));
  const batch slope =
      xsimd::fma(square, batch(3.0F * 0.044715F), batch(1.0F)) * batch(2.0F * 0.79788456F);
  return xsimd::fma(x * slope * s, batch(1.0F) - s, s);
}

}  // namespace onoma::inline ONOMA_ABI::simd
