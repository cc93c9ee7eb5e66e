/// Fetching what comes next while register tiles compute.
#pragma once

#include <onoma/core/types.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu {

/// What a tile that reads `Bytes` of a panel in each step fetches into the L2 cache meanwhile: the lines
/// of `at` and of `at + second`, and then `at` moves on by `pace` bytes. Weights live in the last-level
/// cache or beyond; without this the first row tile of each panel runs at their latency.
///
/// 16 bytes, which travel in two registers. In memory, one load of what two stores have just written waits
/// until the tile's results have left for the cache: 220 cycles per tile on a Zen 4.
template <index_t Bytes>
struct fetch_ahead {
  static constexpr std::int32_t line = 64;  ///< bytes of a cache line
  const char* at = nullptr;                 ///< what is fetched next
  std::int32_t pace = 0;                    ///< bytes from one step to the next
  std::int32_t second = 0;                  ///< from the first line of a step to its second one; 0: none

  /// For `tiles` row tiles, which fetch `next` together, each a stretch of it and all at the same pace: a
  /// tile that fetched more would wait for memory, and the others would leave it idle. Two or three tiles
  /// fetch two lines in a step, which is all of `next`: with every other line, or three of four, 16 rows
  /// of BERT-base's weights run at 69 GFLOP/s on a Zen 4 core instead of 107 (of 118), and with none 16
  /// rows of int8 at 330 GOP/s instead of 433 (of 471). One tile has no time for more.
  [[nodiscard]] static fetch_ahead shared(const void* next, index_t tiles) {
    const auto pace = static_cast<std::int32_t>((Bytes + tiles - 1) / tiles);
    return {static_cast<const char*>(next), pace, tiles > 1 && pace > line ? line : 0};
  }

  /// Fetches, and moves on.
  void step() {
    __builtin_prefetch(at, 0, 2);
    if constexpr (Bytes > line) __builtin_prefetch(at + second, 0, 2);
    at += pace;
  }
  /// Moves on without fetching.
  void skip(index_t steps) { at += pace * steps; }
};

/// Where all operands are near.
struct fetch_nothing {
  /// Nothing.
  void step() {}
  /// Nothing.
  void skip(index_t /*steps*/) {}
};

}  // namespace onoma::inline ONOMA_ABI::cpu
