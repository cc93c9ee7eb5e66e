/// Products of 8-bit integers: packing, quantisation of rows, and what every instruction set shares.
/// kernels/table.hpp has the layout of the operands.
#pragma once

#include <onoma/core/quantize.hpp>
#include <onoma/core/types.hpp>
#include <onoma/kernels/cpu/epilogue.hpp>
#include <onoma/kernels/cpu/fetch.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/integer.hpp>

#include <bit>
#include <cstdint>
#include <cstring>

namespace onoma::inline ONOMA_ABI::cpu {

/// Steps of depth that lie together.
inline constexpr index_t int8_group = 4;

[[nodiscard]] constexpr index_t int8_padded_depth(index_t depth) {
  return (depth + int8_depth - 1) / int8_depth * int8_depth;
}

/// One strip of weights, with its surplus.
inline void int8_pack_strip(const int8_pack_call& c) {
  const index_t padded = int8_padded_depth(c.depth);
  for (index_t j = 0; j < int8_strip; ++j) {
    const std::int8_t* from = c.channels[j];
    const index_t given = from != nullptr ? c.depth : 0;
    std::int32_t sum = 0;
    for (index_t k = 0; k < padded; ++k) {
      const std::int8_t code = k < given ? from[k] : std::int8_t{0};
      sum += code;
      c.strip[(k / int8_group * int8_strip + j) * int8_group + k % int8_group] = code;
    }
    c.surplus[j] = 128 * sum;
  }
}

/// One row of activations to out[int8_padded_depth(count)] = code + 128; returns its scale, exactly as
/// quantize_row.
template <class Arch>
[[nodiscard]] inline float int8_quantize_row(const float* x, index_t count, std::uint8_t* out) {
  using integers = simd::words<Arch>;
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  constexpr std::int32_t magnitude = 0x7fffffff;
  constexpr std::int32_t infinity = 0x7f800000;
  // Magnitudes of floats compare as integers, in which NaN is above infinity.
  integers m0(0);
  integers m1(0);
  const auto magnitudes = [&](batch v) {
    return xsimd::bitwise_cast<integers>(v) & integers(magnitude);
  };
  index_t i = 0;
  for (; i + 2 * w <= count; i += 2 * w) {
    m0 = xsimd::max(m0, magnitudes(simd::load<Arch>(x + i)));
    m1 = xsimd::max(m1, magnitudes(simd::load<Arch>(x + i + w)));
  }
  for (; i + w <= count; i += w) m0 = xsimd::max(m0, magnitudes(simd::load<Arch>(x + i)));
  if (i < count) m0 = xsimd::max(m0, magnitudes(simd::load_partial<Arch>(x + i, count - i)));
  std::int32_t lanes[static_cast<std::size_t>(w)];
  xsimd::max(m0, m1).store_unaligned(lanes);
  std::int32_t bits = 0;
  for (index_t l = 0; l < w; ++l) bits = lanes[l] > bits ? lanes[l] : bits;

  const index_t padded = int8_padded_depth(count);
  const float largest = std::bit_cast<float>(bits);
  if (!(largest >= smallest_magnitude) || bits >= infinity) {
    std::memset(out, 128, static_cast<std::size_t>(padded));
    return bits >= infinity ? std::bit_cast<float>(0x7fc00000) : 0.0F;
  }
  const batch factor(largest_code / largest);
  for (i = 0; i + w <= count; i += w) {
    simd::store_codes<Arch>(out + i, simd::load<Arch>(x + i) * factor);
  }
  if (i < count) {
    std::uint8_t last[static_cast<std::size_t>(w)];
    simd::store_codes<Arch>(last, simd::load_partial<Arch>(x + i, count - i) * factor);
    std::memcpy(out + i, last, static_cast<std::size_t>(count - i));
  }
  std::memset(out + count, 128, static_cast<std::size_t>(padded - count));
  return largest / largest_code;
}

/// One vector of sums of row `r` at `column`: scaled, finished and stored.
template <class Arch, class Finish>
inline void int8_finish_vector(const int8_gemm_call& p, simd::words<Arch> sum, index_t r, index_t column,
                               index_t count, const Finish& finish) {
  const auto exact = sum - simd::words<Arch>::load_unaligned(p.surplus + column);
  const auto scale = simd::floats<Arch>(p.a_scales[r]) * simd::load<Arch>(p.scales + column);
  const auto scaled = simd::rounded<Arch>(xsimd::batch_cast<float>(exact) * scale);
  const auto value = finish.template apply<Arch>(scaled, p.row + r, column, count);
  simd::store_some<Arch>(p.c + r * p.c_stride + column, value, count);
}

/// The same for sums [rows, width] in memory (width: columns of whole strips), the first of them of row `row`
/// and strip `strip`: what follows a register tile.
template <class Arch>
[[gnu::noinline]] void int8_finish(const int8_gemm_call& p, const std::int32_t* sums, index_t rows,
                                   index_t width, index_t row, index_t strip) {
  constexpr index_t w = simd::width<Arch>;
  const index_t first = strip * int8_strip;
  const index_t columns = p.columns - first < width ? p.columns - first : width;
  with_epilogue(p.finish, [&](const auto& finish) {
    for (index_t j = 0; j < columns; j += w) {
      const index_t count = columns - j < w ? columns - j : w;
      for (index_t r = 0; r < rows; ++r) {
        int8_finish_vector<Arch>(p, simd::words<Arch>::load_unaligned(sums + r * width + j), row + r, first + j,
                                 count, finish);
      }
    }
  });
}

/// For tiles of so many strips, which read a group of each in a step.
template <index_t Strips>
using int8_fetch = fetch_ahead<Strips * int8_strip * int8_group>;

/// A register tile per call: rows split evenly into heights of at most `Tile::rows`, `Tile::strips`
/// strips at a time.
template <class Tile>
inline void int8_multiply_tiles(const int8_gemm_call& p) {
  const index_t tiles = (p.rows + Tile::rows - 1) / Tile::rows;
  for (index_t s = p.first_strip; s < p.last_strip; s += Tile::strips) {
    const bool whole = s + Tile::strips <= p.last_strip;
    auto fetch = int8_fetch<Tile::strips>::shared(
        p.strips + (s + Tile::strips) * int8_strip * p.depth, tiles);
    for (index_t t = 0; t < tiles; ++t) {
      const index_t first = p.rows * t / tiles;
      const index_t height = p.rows * (t + 1) / tiles - first;
      if (whole) {
        Tile::template run<Tile::strips>(p, first, height, s, fetch);
        fetch.skip(p.depth / int8_group);
      } else {
        for (index_t one = s; one < p.last_strip; ++one) {
          Tile::template run<1>(p, first, height, one, fetch);
        }
      }
    }
  }
}

/// Plain loops: for instruction sets without a kernel of their own, and for tests.
template <class Arch>
struct int8_plain {
  static constexpr index_t rows = 1;
  static constexpr index_t strips = 1;

  template <int S>
  static void run(const int8_gemm_call& p, index_t row, index_t /*height*/, index_t strip,
                  int8_fetch<strips> /*fetch*/) {
    std::int32_t sums[int8_strip] = {};
    const std::uint8_t* a = p.a + row * p.depth;
    const std::int8_t* b = p.strips + strip * int8_strip * p.depth;
    for (index_t k = 0; k < p.depth; k += int8_group) {
      for (index_t j = 0; j < int8_strip; ++j) {
        for (index_t g = 0; g < int8_group; ++g) sums[j] += a[k + g] * b[j * int8_group + g];
      }
      b += int8_strip * int8_group;
    }
    int8_finish<Arch>(p, sums, 1, int8_strip, row, strip);
  }

  static void multiply(const int8_gemm_call& p) { int8_multiply_tiles<int8_plain>(p); }
};

}  // namespace onoma::inline ONOMA_ABI::cpu
