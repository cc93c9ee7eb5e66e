/// How fast one core of this machine multiplies and adds in registers: the bound of other speeds.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <chrono>
#include <string_view>

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

namespace command {

namespace detail {

constexpr onoma::index_t peak_steps = 1'000'000;
constexpr int peak_chains = 12;  // independent: more than a multiply-add's latency times the units

// Each runs `peak_steps` steps of `peak_chains` multiply-adds and returns a number that depends on all.
#if defined(__x86_64__)
__attribute__((target("avx512f"))) inline float multiply_add_avx512() {
  __m512 sums[peak_chains];
  for (int i = 0; i < peak_chains; ++i) sums[i] = _mm512_set1_ps(1.0F + 0.01F * static_cast<float>(i));
  const __m512 a = _mm512_set1_ps(0.999F);
  const __m512 b = _mm512_set1_ps(0.001F);
  for (onoma::index_t s = 0; s < peak_steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < peak_chains; ++i) sums[i] = _mm512_fmadd_ps(sums[i], a, b);
  }
  for (int i = 1; i < peak_chains; ++i) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

__attribute__((target("avx2,fma"))) inline float multiply_add_avx2() {
  __m256 sums[peak_chains];
  for (int i = 0; i < peak_chains; ++i) sums[i] = _mm256_set1_ps(1.0F + 0.01F * static_cast<float>(i));
  const __m256 a = _mm256_set1_ps(0.999F);
  const __m256 b = _mm256_set1_ps(0.001F);
  for (onoma::index_t s = 0; s < peak_steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < peak_chains; ++i) sums[i] = _mm256_fmadd_ps(sums[i], a, b);
  }
  for (int i = 1; i < peak_chains; ++i) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

inline float multiply_add_sse2() {
  __m128 sums[peak_chains];
  for (int i = 0; i < peak_chains; ++i) sums[i] = _mm_set1_ps(1.0F + 0.01F * static_cast<float>(i));
  const __m128 a = _mm_set1_ps(0.999F);
  const __m128 b = _mm_set1_ps(0.001F);
  for (onoma::index_t s = 0; s < peak_steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < peak_chains; ++i) sums[i] = _mm_add_ps(_mm_mul_ps(sums[i], a), b);
  }
  for (int i = 1; i < peak_chains; ++i) sums[0] = _mm_add_ps(sums[0], sums[i]);
  return _mm_cvtss_f32(sums[0]);
}
#elif defined(__aarch64__)
inline float multiply_add_neon() {
  float32x4_t sums[peak_chains];
  for (int i = 0; i < peak_chains; ++i) sums[i] = vdupq_n_f32(1.0F + 0.01F * static_cast<float>(i));
  const float32x4_t a = vdupq_n_f32(0.999F);
  const float32x4_t b = vdupq_n_f32(0.001F);
  for (onoma::index_t s = 0; s < peak_steps; ++s) {
#pragma GCC unroll 12
    for (int i = 0; i < peak_chains; ++i) sums[i] = vfmaq_f32(b, sums[i], a);
  }
  for (int i = 1; i < peak_chains; ++i) sums[0] = vaddq_f32(sums[0], sums[i]);
  return vgetq_lane_f32(sums[0], 0);
}
#endif

}  // namespace detail

/// Floating-point operations per second of one core in multiply-adds of the instruction set that kernels are
/// named after: the best of 9 rounds. With "amx", whose products run on tiles, that of AVX-512: shares may
/// then be above 1. In builds that are not optimised it is too low.
inline double measure_peak(std::string_view kernels) {
  float (*run)() = nullptr;
  double width = 4.0;
#if defined(__x86_64__)
  run = detail::multiply_add_sse2;
  if (kernels == "avx2") run = detail::multiply_add_avx2, width = 8.0;
  if (kernels == "avx512" || kernels == "amx") run = detail::multiply_add_avx512, width = 16.0;
#elif defined(__aarch64__)
  static_cast<void>(kernels);
  run = detail::multiply_add_neon;
#endif
  if (run == nullptr) return 0.0;
  double best = 0.0;
  volatile float kept = 0.0F;
  for (int round = 0; round < 9; ++round) {
    const auto start = std::chrono::steady_clock::now();
    kept = run();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    const double operations = 2.0 * width * detail::peak_chains * static_cast<double>(detail::peak_steps);
    best = std::max(best, operations / time.count());
  }
  static_cast<void>(kept);
  return best;
}

}  // namespace command
