/// Integer vectors, where xsimd lacks an operation.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/simd/arch.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::simd {

template <class Arch>
using words = xsimd::batch<std::int32_t, Arch>;  ///< 32-bit integers, as many as floats

template <class Arch>
using long_words = xsimd::batch<std::uint64_t, Arch>;  ///< 64-bit integers, half as many

/// Products of the low 32 bits of each element, in 64 bits; the high halves are ignored.
template <class Arch>
[[nodiscard]] inline long_words<Arch> multiply_low(long_words<Arch> a, long_words<Arch> b) {
#if defined(__AVX512F__)
  if constexpr (sizeof(a) == 64) return _mm512_mul_epu32(a, b);
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(a) == 32) return _mm256_mul_epu32(a, b);
#endif
#if defined(__SSE2__)
  if constexpr (sizeof(a) == 16) return _mm_mul_epu32(a, b);
#elif defined(__aarch64__)
  if constexpr (sizeof(a) == 16) return vmull_u32(vmovn_u64(a), vmovn_u64(b));
#endif
}

/// out[i] = round(x[i]) + 128 for a vector of values in [-127.5, 127.5], halves to even.
template <class Arch>
inline void store_codes(std::uint8_t* out, xsimd::batch<float, Arch> x) {
#if defined(__AVX512F__)
  if constexpr (sizeof(x) == 64) {
    const __m512i codes = _mm512_add_epi32(_mm512_cvtps_epi32(x), _mm512_set1_epi32(128));
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm512_cvtepi32_epi8(codes));
    return;
  }
#endif
#if defined(__AVX2__)
  if constexpr (sizeof(x) == 32) {
    const __m256i codes = _mm256_add_epi32(_mm256_cvtps_epi32(x), _mm256_set1_epi32(128));
    const __m128i words16 =
        _mm_packus_epi32(_mm256_castsi256_si128(codes), _mm256_extracti128_si256(codes, 1));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out), _mm_packus_epi16(words16, words16));
    return;
  }
#endif
  constexpr std::size_t size = xsimd::batch<float, Arch>::size;
  float values[size];
  xsimd::nearbyint(x).store_unaligned(values);
  for (std::size_t i = 0; i < size; ++i) {
    out[i] = static_cast<std::uint8_t>(static_cast<std::int32_t>(values[i]) + 128);
  }
}

}  // namespace onoma::inline ONOMA_ABI::simd
