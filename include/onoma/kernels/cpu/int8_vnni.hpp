/// Products of 8-bit integers with AVX-512 VNNI: four products added into 32 bits by one instruction.
#pragma once

#include <onoma/kernels/cpu/int8.hpp>
#include <onoma/simd/int8_features.hpp>

#if defined(ONOMA_TARGET_VNNI)

namespace onoma::inline ONOMA_ABI::cpu {

/// 6 rows x 4 strips: 24 vectors of sums, 4 of weights, one broadcast; 10 loads for 24 vpdpbusd.
/// Call only where simd::has_vnni().
template <class Arch>
struct int8_vnni {
  static constexpr index_t rows = 6;
  static constexpr index_t strips = 4;

  template <int S>
  ONOMA_TARGET_VNNI static void run(const int8_gemm_call& p, index_t row, index_t height, index_t strip,
                                    int8_fetch<strips> fetch) {
    switch (height) {
      case 1: tile<1, S>(p, row, strip, fetch); break;
      case 2: tile<2, S>(p, row, strip, fetch); break;
      case 3: tile<3, S>(p, row, strip, fetch); break;
      case 4: tile<4, S>(p, row, strip, fetch); break;
      case 5: tile<5, S>(p, row, strip, fetch); break;
      case 6: tile<6, S>(p, row, strip, fetch); break;
      default: break;
    }
  }

  static void multiply(const int8_gemm_call& p) { int8_multiply_tiles<int8_vnni>(p); }

 private:
  template <int R, int S>
  ONOMA_TARGET_VNNI static void tile(const int8_gemm_call& p, index_t row, index_t strip,
                                     int8_fetch<strips> fetch) {
    const std::uint8_t* a = p.a + row * p.depth;
    const std::int8_t* b = p.strips + strip * int8_strip * p.depth;
    const index_t b_stride = int8_strip * p.depth;
    __m512i sums[R][S];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) {
        sums[r][s] = _mm512_setzero_si512();
        __builtin_prefetch(p.c + (row + r) * p.c_stride + (strip + s) * int8_strip, 1);
      }
    }
    for (index_t k = 0; k < p.depth; k += int8_group) {
      __m512i line[S];
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) line[s] = _mm512_loadu_si512(b + s * b_stride);
      b += int8_strip * int8_group;
      fetch.step();
#pragma GCC unroll 8
      for (int r = 0; r < R; ++r) {
        std::int32_t four = 0;
        std::memcpy(&four, a + r * p.depth + k, sizeof(four));
        const __m512i x = _mm512_set1_epi32(four);
#pragma GCC unroll 4
        for (int s = 0; s < S; ++s) sums[r][s] = _mm512_dpbusd_epi32(sums[r][s], x, line[s]);
      }
    }
    // High tiles, the most of a large product, are finished where they are unless that takes long:
    // through memory it costs 3 % more.
    if constexpr (R >= 4 && S == strips) {
      const auto from_registers = [&](const auto& finish) {
#pragma GCC unroll 8
        for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
          for (int s = 0; s < S; ++s) {
            int8_finish_vector<Arch>(p, simd::words<Arch>(sums[r][s]), row + r, (strip + s) * int8_strip,
                                     int8_strip, finish);
          }
        }
      };
      const bool whole = (strip + S) * int8_strip <= p.columns;
      if (whole && p.finish.kind == epilogue_kind::none) return from_registers(finish_nothing{});
      if (whole && p.finish.kind == epilogue_kind::bias) return from_registers(finish_bias{p.finish.bias});
    }
    alignas(64) std::int32_t stored[R * S * int8_strip];
#pragma GCC unroll 8
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 4
      for (int s = 0; s < S; ++s) {
        _mm512_store_si512(stored + (r * S + s) * int8_strip, sums[r][s]);
      }
    }
    int8_finish<Arch>(p, stored, R, S * int8_strip, row, strip);
  }
};

}  // namespace onoma::inline ONOMA_ABI::cpu

#endif
