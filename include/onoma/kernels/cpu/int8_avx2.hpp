/// Products of 8-bit integers with AVX2: pairs of products added in 16 bits that cannot saturate.
#pragma once

#include <onoma/kernels/cpu/int8.hpp>

#if defined(__AVX2__)

#include <immintrin.h>

namespace onoma::inline ONOMA_ABI::cpu {

/// vpmaddubsw multiplies unsigned by signed bytes and adds pairs with saturation at 16 bits. With
/// |a| as the unsigned and sign(a) w as the signed operand a pair is at most 2 * 127 * 127 = 32258:
/// it never saturates, because codes stop at -127. (a + 128) w would.
///
/// Registers: 4 rows x 2 vectors of sums, 2 of weights, a, |a|, ones, and one product.
template <class Arch>
struct int8_avx2 {
  static constexpr index_t rows = 4;
  static constexpr index_t strips = 1;

  template <int S>
  static void run(const int8_gemm_call& p, index_t row, index_t height, index_t strip,
                  int8_fetch<strips> fetch) {
    switch (height) {
      case 1: tile<1>(p, row, strip, fetch); break;
      case 2: tile<2>(p, row, strip, fetch); break;
      case 3: tile<3>(p, row, strip, fetch); break;
      case 4: tile<4>(p, row, strip, fetch); break;
      default: break;
    }
  }

  static void multiply(const int8_gemm_call& p) { int8_multiply_tiles<int8_avx2>(p); }

 private:
  template <int R>
  static void tile(const int8_gemm_call& p, index_t row, index_t strip, int8_fetch<strips> fetch) {
    const std::uint8_t* a = p.a + row * p.depth;
    const std::int8_t* b = p.strips + strip * int8_strip * p.depth;
    const __m256i ones = _mm256_set1_epi16(1);
    __m256i sums[R][2];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) sums[r][0] = sums[r][1] = _mm256_setzero_si256();
    for (index_t k = 0; k < p.depth; k += int8_group) {
      const __m256i b0 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b));
      const __m256i b1 = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(b + 32));
      b += int8_strip * int8_group;
      fetch.step();
#pragma GCC unroll 4
      for (int r = 0; r < R; ++r) {
        std::uint32_t four = 0;
        std::memcpy(&four, a + r * p.depth + k, sizeof(four));
        // Flipping the top bit subtracts 128: the signed code.
        const __m256i x = _mm256_set1_epi32(static_cast<std::int32_t>(four ^ 0x80808080U));
        const __m256i magnitude = _mm256_abs_epi8(x);
        sums[r][0] = add(sums[r][0], magnitude, _mm256_sign_epi8(b0, x), ones);
        sums[r][1] = add(sums[r][1], magnitude, _mm256_sign_epi8(b1, x), ones);
      }
    }
    alignas(64) std::int32_t stored[R * int8_strip];
#pragma GCC unroll 4
    for (int r = 0; r < R; ++r) {
      // The shared epilogue takes the surplus off, which these sums do not have: put it in.
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
        const auto* surplus = reinterpret_cast<const __m256i*>(p.surplus + strip * int8_strip);
        _mm256_store_si256(reinterpret_cast<__m256i*>(stored) + 2 * r + half,
                           _mm256_add_epi32(sums[r][half], _mm256_loadu_si256(surplus + half)));
      }
    }
    int8_finish<Arch>(p, stored, R, int8_strip, row, strip);
  }

  static __m256i add(__m256i sum, __m256i magnitude, __m256i weights, __m256i ones) {
    const __m256i pairs = _mm256_maddubs_epi16(magnitude, weights);
    return _mm256_add_epi32(sum, _mm256_madd_epi16(pairs, ones));
  }
};

}  // namespace onoma::inline ONOMA_ABI::cpu

#endif
