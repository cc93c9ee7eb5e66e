/// Transposition of matrices of float by square blocks that stay in registers.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/simd/batch.hpp>

#include <cstddef>

namespace onoma::inline ONOMA_ABI::simd {

#if defined(__AVX512F__)
/// Pairs of rows, pairs of pairs, then 128-bit lanes of four and of eight rows.
inline void transpose_registers(__m512 (&x)[16]) {
  __m512 t[16];
#pragma GCC unroll 4
  for (int i = 0; i < 16; i += 4) {
    const __m512d a = _mm512_castps_pd(_mm512_unpacklo_ps(x[i], x[i + 1]));
    const __m512d b = _mm512_castps_pd(_mm512_unpackhi_ps(x[i], x[i + 1]));
    const __m512d c = _mm512_castps_pd(_mm512_unpacklo_ps(x[i + 2], x[i + 3]));
    const __m512d d = _mm512_castps_pd(_mm512_unpackhi_ps(x[i + 2], x[i + 3]));
    t[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(a, c));
    t[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(a, c));
    t[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(b, d));
    t[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(b, d));
  }
  // Lane l of t[i + r] holds rows i .. i + 3 of column 4 l + r.
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    const __m512 a = _mm512_shuffle_f32x4(t[r], t[4 + r], 0x88);  // lanes 0 and 2 of both
    const __m512 b = _mm512_shuffle_f32x4(t[8 + r], t[12 + r], 0x88);
    const __m512 c = _mm512_shuffle_f32x4(t[r], t[4 + r], 0xDD);  // lanes 1 and 3
    const __m512 d = _mm512_shuffle_f32x4(t[8 + r], t[12 + r], 0xDD);
    x[r] = _mm512_shuffle_f32x4(a, b, 0x88);
    x[8 + r] = _mm512_shuffle_f32x4(a, b, 0xDD);
    x[4 + r] = _mm512_shuffle_f32x4(c, d, 0x88);
    x[12 + r] = _mm512_shuffle_f32x4(c, d, 0xDD);
  }
}
#endif

#if defined(__AVX2__)
inline void transpose_registers(__m256 (&x)[8]) {
  __m256 t[8];
#pragma GCC unroll 2
  for (int i = 0; i < 8; i += 4) {
    const __m256d a = _mm256_castps_pd(_mm256_unpacklo_ps(x[i], x[i + 1]));
    const __m256d b = _mm256_castps_pd(_mm256_unpackhi_ps(x[i], x[i + 1]));
    const __m256d c = _mm256_castps_pd(_mm256_unpacklo_ps(x[i + 2], x[i + 3]));
    const __m256d d = _mm256_castps_pd(_mm256_unpackhi_ps(x[i + 2], x[i + 3]));
    t[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(a, c));
    t[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(a, c));
    t[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(b, d));
    t[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(b, d));
  }
#pragma GCC unroll 4
  for (int r = 0; r < 4; ++r) {
    x[r] = _mm256_permute2f128_ps(t[r], t[4 + r], 0x20);
    x[4 + r] = _mm256_permute2f128_ps(t[r], t[4 + r], 0x31);
  }
}
#endif

/// x[i][j] <-> x[j][i] for a square of vectors.
template <class Arch>
inline void transpose_square(floats<Arch> (&x)[static_cast<std::size_t>(width<Arch>)]) {
  constexpr index_t w = width<Arch>;
  typename floats<Arch>::register_type registers[static_cast<std::size_t>(w)];
  if constexpr (requires { transpose_registers(registers); }) {
#pragma GCC unroll 16
    for (index_t i = 0; i < w; ++i) registers[i] = x[i];
    transpose_registers(registers);
#pragma GCC unroll 16
    for (index_t i = 0; i < w; ++i) x[i] = floats<Arch>(registers[i]);
  } else {
    float from[static_cast<std::size_t>(w)][static_cast<std::size_t>(w)];
    float to[static_cast<std::size_t>(w)][static_cast<std::size_t>(w)];
    for (index_t i = 0; i < w; ++i) store<Arch>(from[i], x[i]);
    for (index_t i = 0; i < w; ++i) {
      for (index_t j = 0; j < w; ++j) to[j][i] = from[i][j];
    }
    for (index_t i = 0; i < w; ++i) x[i] = load<Arch>(to[i]);
  }
}

/// to[c * to_stride + r] = from[r * stride + c] for a matrix [rows, columns]. Rows of `to` are written
/// as whole vectors, with zeros from `rows` up to `padded(rows)`.
template <class Arch>
inline void transpose(const float* from, index_t stride, index_t rows, index_t columns, float* to,
                      index_t to_stride) {
  constexpr index_t w = width<Arch>;
  for (index_t r = 0; r < rows; r += w) {
    for (index_t c = 0; c < columns; c += w) {
      const index_t count = columns - c < w ? columns - c : w;
      floats<Arch> square[static_cast<std::size_t>(w)];
#pragma GCC unroll 16
      for (index_t i = 0; i < w; ++i) {
        square[i] = r + i < rows ? load_some<Arch>(from + (r + i) * stride + c, count)
                                 : floats<Arch>(0.0F);
      }
      transpose_square<Arch>(square);
      for (index_t i = 0; i < count; ++i) store<Arch>(to + (c + i) * to_stride + r, square[i]);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::simd
