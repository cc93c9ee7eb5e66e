/// Integer vectors, where xsimd lacks an operation.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/simd/arch.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::simd {

template <class Arch>
using words = xsimd::batch<std::int32_t, Arch>;

template <class Arch>
using long_words = xsimd::batch<std::uint64_t, Arch>;

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

}  // namespace onoma::inline ONOMA_ABI::simd
