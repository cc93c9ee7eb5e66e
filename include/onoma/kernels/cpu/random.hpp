/// Dropout masks for many consecutive elements: the same bits as core/rng.hpp, a vector of blocks at
/// a time.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/integer.hpp>

#include <cstddef>
#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu {

/// Elements whose numbers are drawn together: two groups of `dropout_spec`, 8 blocks of Philox.
inline constexpr index_t random_chunk = 2 * dropout_spec::group;

/// out[0 .. random_chunk): the 16-bit numbers of elements random_chunk * `chunk` and following, as floats.
///
/// Each 64-bit lane computes one block. Only the low halves of c0 .. c3 count: `multiply_low` ignores
/// what the steps leave in the high ones.
template <class Arch>
inline void random_numbers(std::uint64_t key, std::uint64_t chunk, float* out) {
  using batch = simd::long_words<Arch>;
  using integers = simd::words<Arch>;
  constexpr auto lanes = static_cast<index_t>(batch::size);
  constexpr index_t blocks = random_chunk / 8;
  // Lanes 2 l and 2 l + 1 compute blocks l and lanes / 2 + l, so that zipping pairs of lanes at the end
  // leaves blocks in their order.
  alignas(64) std::uint64_t numbers[static_cast<std::size_t>(lanes)];
  for (index_t i = 0; i < lanes; ++i) {
    numbers[i] = static_cast<std::uint64_t>(i % 2 * (lanes / 2) + i / 2);
  }
  const batch first = batch::load_aligned(numbers) + batch(chunk * std::uint64_t{blocks});
  for (index_t i = 0; i < blocks; i += lanes) {
    batch c0 = first + batch(static_cast<std::uint64_t>(i));
    batch c1 = c0 >> 32;
    batch c2(std::uint64_t{0});
    batch c3(std::uint64_t{0});
    auto k0 = static_cast<std::uint32_t>(key);
    auto k1 = static_cast<std::uint32_t>(key >> 32);
    for (int round = 0; round < 10; ++round) {
      const batch p0 = simd::multiply_low<Arch>(c0, batch(std::uint64_t{0xD2511F53U}));
      const batch p1 = simd::multiply_low<Arch>(c2, batch(std::uint64_t{0xCD9E8D57U}));
      c0 = (p1 >> 32) ^ c1 ^ batch(std::uint64_t{k0});
      c2 = (p0 >> 32) ^ c3 ^ batch(std::uint64_t{k1});
      c1 = p1;
      c3 = p0;
      k0 += 0x9E3779B9U;
      k1 += 0xBB67AE85U;
    }
    const batch low(std::uint64_t{0xFFFFFFFFU});
    const batch c01 = (c0 & low) | (c1 << 32);
    const batch c23 = (c2 & low) | (c3 << 32);
    // 16 words of 32 bits are a group: low halves for its first 16 elements, high halves for the rest.
    constexpr index_t half = dropout_spec::group / 2;
    const auto unpack = [out](index_t word, batch words) {
      const auto pair = xsimd::bitwise_cast<integers>(words);
      float* to = out + word / half * dropout_spec::group + word % half;
      simd::store<Arch>(to, xsimd::batch_cast<float>(pair & 0xFFFF));
      simd::store<Arch>(to + half, xsimd::batch_cast<float>((pair >> 16) & 0xFFFF));
    };
    unpack(4 * i, xsimd::zip_lo(c01, c23));
    unpack(4 * i + 2 * lanes, xsimd::zip_hi(c01, c23));
  }
}

/// f(i, n, kept, scale) for vectors of elements i .. i + n of [0, count), which are numbered first + i:
/// the lanes that dropout keeps and their factor (see dropout_spec). n is the width but at the ends of
/// chunks and rows.
template <class Arch, class F>
inline void for_kept(const dropout_spec& spec, index_t first, index_t count, F f) {
  using batch = simd::floats<Arch>;
  constexpr index_t w = simd::width<Arch>;
  const batch threshold(static_cast<float>(spec.threshold()));
  const batch scale(spec.scale());
  alignas(64) float numbers[random_chunk + w] = {};  // the last vector may read beyond
  for (index_t i = 0; i < count;) {
    const index_t number = first + i;
    const index_t offset = number % random_chunk;
    random_numbers<Arch>(spec.key, static_cast<std::uint64_t>(number / random_chunk), numbers);
    const index_t left = random_chunk - offset;
    const index_t n = count - i < left ? count - i : left;
    for (index_t j = 0; j < n; j += w) {
      f(i + j, n - j < w ? n - j : w, simd::load<Arch>(numbers + offset + j) >= threshold, scale);
    }
    i += n;
  }
}

/// y[i] = x[i] scale for the lanes i < n <= width that are kept, 0 for the others.
template <class Arch>
inline void keep_some(xsimd::batch_bool<float, Arch> kept, simd::floats<Arch> scale, index_t n,
                      const float* x, float* y) {
  const simd::floats<Arch> scaled = simd::load_some<Arch>(x, n) * scale;
  simd::store_some<Arch>(y, xsimd::select(kept, scaled, simd::floats<Arch>(0.0F)), n);
}

/// y[i] = dropout(x[i]) for elements numbered first, first + 1, ...
template <class Arch>
inline void dropout_row(const dropout_spec& spec, index_t first, index_t count, const float* x,
                        float* y) {
  for_kept<Arch>(spec, first, count, [=](index_t i, index_t n, auto kept, simd::floats<Arch> scale) {
    keep_some<Arch>(kept, scale, n, x + i, y + i);
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
