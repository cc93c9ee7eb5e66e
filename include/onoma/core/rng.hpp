/// Counter-based random numbers: the value depends on (key, counter) alone, never on history.
#pragma once

#include <onoma/core/types.hpp>

#include <array>
#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// Philox4x32-10: four 32-bit outputs for a 64-bit key and a 128-bit counter (here its low half).
/// Source: Salmon, Moraes, Dror, Shaw, "Parallel random numbers: as easy as 1, 2, 3", SC 2011.
[[nodiscard]] constexpr std::array<std::uint32_t, 4> philox4x32(std::uint64_t key,
                                                                std::uint64_t counter_low,
                                                                std::uint64_t counter_high = 0) {
  auto c0 = static_cast<std::uint32_t>(counter_low);
  auto c1 = static_cast<std::uint32_t>(counter_low >> 32);
  auto c2 = static_cast<std::uint32_t>(counter_high);
  auto c3 = static_cast<std::uint32_t>(counter_high >> 32);
  auto k0 = static_cast<std::uint32_t>(key);
  auto k1 = static_cast<std::uint32_t>(key >> 32);
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53U} * c0;
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57U} * c2;
    const auto n0 = static_cast<std::uint32_t>(p1 >> 32) ^ c1 ^ k0;
    const auto n2 = static_cast<std::uint32_t>(p0 >> 32) ^ c3 ^ k1;
    c1 = static_cast<std::uint32_t>(p1);
    c3 = static_cast<std::uint32_t>(p0);
    c0 = n0;
    c2 = n2;
    k0 += 0x9E3779B9U;
    k1 += 0xBB67AE85U;
  }
  return {c0, c1, c2, c3};
}

/// The 32 random bits of element `i` under `key`: lane i mod 4 of block i / 4.
[[nodiscard]] constexpr std::uint32_t random_bits(std::uint64_t key, std::uint64_t i) {
  return philox4x32(key, i / 4)[i % 4];
}

/// A key for one use of randomness: seed, training step and a number that names the place.
/// Distinct triples give unrelated streams (the mixing is one Philox block).
[[nodiscard]] constexpr std::uint64_t derive_key(std::uint64_t seed, std::uint64_t step,
                                                 std::uint64_t place) {
  const auto block = philox4x32(seed, step, place);
  return (std::uint64_t{block[0]} << 32) | block[1];
}

/// Dropout of one tensor. The mask is never stored: backward computes it again.
///
/// Every element has 16 random bits, half of what a 32-bit number would need and enough: p is rounded
/// to 1 / 65536 and the scale is that of the rounded p, so that means are kept exactly. Element i is
/// dropped where its number is below `threshold()`. Numbers lie in groups of 32 elements, so that
/// vectors of any width can unpack them: word 16 g + r holds element 32 g + r in its low half and
/// element 32 g + 16 + r in its high half.
struct dropout_spec {
  float probability = 0.0F;  ///< p in [0, 1); 0 switches dropout off
  std::uint64_t key = 0;     ///< names the stream of numbers (`derive_key`)

  static constexpr index_t group = 32;  ///< elements whose numbers lie together

  /// Whether anything is dropped.
  [[nodiscard]] constexpr bool active() const noexcept { return probability > 0.0F; }
  /// p * 65536 rounded, from 0 to 65535.
  [[nodiscard]] constexpr std::uint32_t threshold() const noexcept {
    const auto rounded = static_cast<std::uint32_t>(probability * 65536.0F + 0.5F);
    return rounded < 65535U ? rounded : 65535U;
  }
  /// 1 / (1 - p).
  [[nodiscard]] constexpr float scale() const noexcept {
    return 65536.0F / static_cast<float>(65536U - threshold());
  }
  /// Whether element i survives.
  [[nodiscard]] constexpr bool keeps(std::uint64_t i) const {
    constexpr std::uint64_t half = group / 2;
    const std::uint32_t word = random_bits(key, i / group * half + i % half);
    return (i % group < half ? word & 0xFFFFU : word >> 16) >= threshold();
  }
};

/// A small sequential generator over the counter-based one, for shuffles and initial weights:
/// equal results on every platform, unlike the distributions of the standard library.
class random_stream {
 public:
  /// The stream that `key` names, from its beginning.
  explicit constexpr random_stream(std::uint64_t key) : key_(key) {}

  /// 32 random bits.
  [[nodiscard]] constexpr std::uint32_t next() { return random_bits(key_, position_++); }

  /// Uniform in [0, bound), without modulo bias. `bound` > 0.
  [[nodiscard]] constexpr std::uint32_t below(std::uint32_t bound) {
    // Lemire, "Fast random integer generation in an interval", ACM TOMACS 2019.
    std::uint64_t product = std::uint64_t{next()} * bound;
    auto low = static_cast<std::uint32_t>(product);
    if (low < bound) {
      const std::uint32_t limit = (0U - bound) % bound;
      while (low < limit) {
        product = std::uint64_t{next()} * bound;
        low = static_cast<std::uint32_t>(product);
      }
    }
    return static_cast<std::uint32_t>(product >> 32);
  }

  /// Uniform in [0, 1) with 24 random bits: every value is a float exactly.
  [[nodiscard]] constexpr float uniform() { return static_cast<float>(next() >> 8) * 0x1p-24F; }

 private:
  std::uint64_t key_;
  std::uint64_t position_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
