/// Random bits for many consecutive numbers: the same bits as core/rng.hpp, sixteen blocks at a time.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu {

/// Blocks of Philox that are computed side by side; each gives four numbers.
inline constexpr index random_lanes = 16;

/// out[0 .. 4 * random_lanes) = random_bits(key, 4 * block + i). The loops over lanes have a fixed
/// length and no branches: compilers turn them into vector code.
inline void random_blocks(std::uint64_t key, std::uint64_t block, std::uint32_t* out) {
  std::uint32_t c0[random_lanes];
  std::uint32_t c1[random_lanes];
  std::uint32_t c2[random_lanes];
  std::uint32_t c3[random_lanes];
  for (index l = 0; l < random_lanes; ++l) {
    const std::uint64_t counter = block + static_cast<std::uint64_t>(l);
    c0[l] = static_cast<std::uint32_t>(counter);
    c1[l] = static_cast<std::uint32_t>(counter >> 32);
    c2[l] = 0;
    c3[l] = 0;
  }
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    for (index l = 0; l < random_lanes; ++l) {
      const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c0[l];
      const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c2[l];
      c0[l] = static_cast<std::uint32_t>(p1 >> 32) ^ c1[l] ^ k0;
      c2[l] = static_cast<std::uint32_t>(p0 >> 32) ^ c3[l] ^ k1;
      c1[l] = static_cast<std::uint32_t>(p1);
      c3[l] = static_cast<std::uint32_t>(p0);
    }
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  for (index l = 0; l < random_lanes; ++l) {
    out[4 * l] = c0[l];
    out[4 * l + 1] = c1[l];
    out[4 * l + 2] = c2[l];
    out[4 * l + 3] = c3[l];
  }
}

/// x[i] = dropout(x[i]) for elements numbered first, first + 1, ... (see dropout_spec).
inline void dropout_row(const dropout_spec& spec, index first, index count, const float* x,
                        float* y) {
  constexpr index chunk = 4 * random_lanes;
  const std::uint32_t threshold = spec.threshold();
  const float scale = spec.scale();
  std::uint32_t bits[chunk];
  index i = 0;
  while (i < count) {
    const index number = first + i;
    const index offset = number % 4;
    random_blocks(spec.key, static_cast<std::uint64_t>(number / 4), bits);
    const index n = count - i < chunk - offset ? count - i : chunk - offset;
    for (index j = 0; j < n; ++j) {
      y[i + j] = bits[offset + j] >= threshold ? x[i + j] * scale : 0.0F;
    }
    i += n;
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
