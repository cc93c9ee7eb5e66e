/// Buckets of relative positions: near ones have one each, far ones share.
#pragma once

#include <onoma/core/types.hpp>

#include <bit>
#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// Half for keys up to the query, half for keys behind it.
inline constexpr index_t relative_position_buckets = 32;

/// The bucket of `distance` = position of the key - position of the query, in
/// [0, relative_position_buckets). Of each half, eight are for the distances 0 to 7 and eight for
/// ranges that grow by the root of 2, the last from 91 on.
/// Source: Raffel et al., "Exploring the limits of transfer learning", JMLR 2020, section 2.1;
/// transformers, MPNetEncoder.relative_position_bucket, whose 8 + floor(8 log(n / 8) / log(16))
/// is computed in integers here, so that every machine agrees: floor(2 log2(n / 8)) is the number
/// of n^2's leading bit less 6.
[[nodiscard]] constexpr index_t relative_position_bucket(index_t distance) noexcept {
  constexpr index_t half = relative_position_buckets / 2;
  constexpr index_t exact = half / 2;
  const index_t behind = distance > 0 ? half : 0;
  const index_t n = distance > 0 ? distance : -distance;
  if (n < exact) return behind + n;
  if (n >= 128) return behind + half - 1;
  const auto square = static_cast<std::uint32_t>(n * n);
  return behind + exact + static_cast<index_t>(std::bit_width(square)) - 1 - 6;
}

}  // namespace onoma::inline ONOMA_ABI
