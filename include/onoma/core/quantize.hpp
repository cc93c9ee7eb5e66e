/// Rows of floats as 8-bit integers with one scale: the number format of int8 weights and activations.
#pragma once

#include <onoma/core/types.hpp>

#include <bit>
#include <cmath>
#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// Codes lie in [-127, 127]: symmetric, so that zero is exact and needs no zero point, and without
/// -128, so that the sum of two products of codes fits into 16 bits (AVX2 adds them there).
inline constexpr float largest_code = 127.0F;

/// Rows whose largest magnitude is below this count as zero: the reciprocal of a scale would
/// overflow.
inline constexpr float smallest_magnitude = 1e-30F;

/// The longest row whose product with another fits into 32 bits: 127 * 127 * 2^17 < 2^31.
inline constexpr index_t longest_quantized_row = index_t{1} << 17;

/// codes[i] = round(x[i] 127 / max |x|), halves to even; returns the scale max |x| / 127, so that
/// x[i] is about scale * codes[i], with an error of at most scale / 2. A row of zeros has scale 0.
/// A row with an infinity or a NaN has codes 0 and scale NaN: what it is multiplied with becomes
/// NaN too, as in float.
///
/// Weights are quantised so once per row (output channel), activations for each product and token:
/// one outlier costs the precision of its own row only.
inline float quantize_row(const float* x, index_t count, std::int8_t* codes) {
  // Magnitudes compare as integers, in which NaN is above infinity.
  std::uint32_t bits = 0;
  for (index_t i = 0; i < count; ++i) {
    const std::uint32_t magnitude = std::bit_cast<std::uint32_t>(x[i]) & 0x7fffffffU;
    bits = magnitude > bits ? magnitude : bits;
  }
  const float largest = std::bit_cast<float>(bits);
  const bool usable = largest >= smallest_magnitude && bits < 0x7f800000U;
  const float factor = usable ? largest_code / largest : 0.0F;
  for (index_t i = 0; i < count; ++i) {
    codes[i] = usable ? static_cast<std::int8_t>(std::nearbyint(x[i] * factor)) : std::int8_t{0};
  }
  if (bits >= 0x7f800000U) return std::bit_cast<float>(0x7fc00000U);
  return usable ? largest / largest_code : 0.0F;
}

}  // namespace onoma::inline ONOMA_ABI
