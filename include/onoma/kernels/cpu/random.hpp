/// Dropout masks for many consecutive elements: the same bits as core/rng.hpp, a vector of blocks at
/// a time.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/integer.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu {

/// Elements whose numbers are drawn together: two groups of `dropout_spec`, 8 blocks of Philox.
inline constexpr index random_chunk = 2 * dropout_spec::group;

/// out[0 .. random_chunk): the 16-bit numbers of elements random_chunk * `chunk` and following, as floats.
///
/// Each 64-bit lane computes one block. Only the low halves of c0 .. c3 count: `multiply_low` ignores
/// what the steps leave in the high ones.
template <class Arch>
inline void random_numbers(std::uint64_t key, std::uint64_t chunk, float* out) {
  using batch = simd::long_words<Arch>;
  constexpr auto lanes = static_cast<index>(batch::size);
  constexpr index blocks = random_chunk / 8;
  alignas(64) std::uint64_t counters[blocks];
  alignas(64) std::uint64_t c01[blocks];  // numbers 0 and 1 of each block
  alignas(64) std::uint64_t c23[blocks];
  for (index i = 0; i < blocks; ++i) {
    counters[i] = chunk * static_cast<std::uint64_t>(blocks) + static_cast<std::uint64_t>(i);
  }
  for (index i = 0; i < blocks; i += lanes) {
    batch c0 = batch::load_aligned(counters + i);
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
    ((c0 & low) | (c1 << 32)).store_aligned(c01 + i);
    ((c2 & low) | (c3 << 32)).store_aligned(c23 + i);
  }
  // 16 numbers of 32 bits are a group: low halves for its first 16 elements, high halves for the rest.
  alignas(64) std::int32_t drawn[4 * blocks];
  for (index b = 0; b < blocks; ++b) {
    drawn[4 * b] = static_cast<std::int32_t>(c01[b]);
    drawn[4 * b + 1] = static_cast<std::int32_t>(c01[b] >> 32);
    drawn[4 * b + 2] = static_cast<std::int32_t>(c23[b]);
    drawn[4 * b + 3] = static_cast<std::int32_t>(c23[b] >> 32);
  }
  using integers = simd::words<Arch>;
  constexpr index half = dropout_spec::group / 2;
  for (index g = 0; g < random_chunk / dropout_spec::group; ++g) {
    for (index i = 0; i < half; i += simd::width<Arch>) {
      const auto pair = integers::load_unaligned(drawn + g * half + i);
      float* to = out + g * dropout_spec::group + i;
      simd::store<Arch>(to, xsimd::batch_cast<float>(pair & 0xFFFF));
      simd::store<Arch>(to + half, xsimd::batch_cast<float>((pair >> 16) & 0xFFFF));
    }
  }
}

/// y[i] = dropout(x[i]) for elements numbered first, first + 1, ... (see dropout_spec).
template <class Arch>
inline void dropout_row(const dropout_spec& spec, index first, index count, const float* x,
                        float* y) {
  using batch = simd::floats<Arch>;
  constexpr index w = simd::width<Arch>;
  const batch threshold(static_cast<float>(spec.threshold()));
  const batch scale(spec.scale());
  alignas(64) float numbers[random_chunk + w] = {};  // the last vector may read beyond
  for (index i = 0; i < count;) {
    const index number = first + i;
    const index offset = number % random_chunk;
    random_numbers<Arch>(spec.key, static_cast<std::uint64_t>(number / random_chunk), numbers);
    const index left = random_chunk - offset;
    const index n = count - i < left ? count - i : left;
    for (index j = 0; j < n; j += w) {
      const auto kept = simd::load<Arch>(numbers + offset + j) >= threshold;
      const auto drop = [&](batch value) {
        return xsimd::select(kept, value * scale, batch(0.0F));
      };
      if (n - j >= w) {
        simd::store<Arch>(y + i + j, drop(simd::load<Arch>(x + i + j)));
      } else {
        simd::store_partial<Arch>(y + i + j, drop(simd::load_partial<Arch>(x + i + j, n - j)),
                                  n - j);
      }
    }
    i += n;
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
