/// Products of 8-bit integers with AMX tiles: 16 x 16 sums over 64 products by one instruction.
#pragma once

#include <onoma/kernels/cpu/int8.hpp>
#include <onoma/simd/int8_features.hpp>

#if defined(ONOMA_TARGET_AMX)

namespace onoma::inline ONOMA_ABI::cpu {

/// 2 x 2 tiles of sums, so that two loads of A and two of B feed four products. The sums leave the
/// tiles through a buffer in L1, from which vectors take them.
///
/// Call only where simd::has_int8_tiles(), after request_tiles() (exec/tiles.hpp) has said yes.
template <class Arch>
struct int8_amx {
  static constexpr index_t rows = 32;
  static constexpr index_t strips = 2;

  ONOMA_TARGET_AMX static void multiply(const int8_gemm_call& p) {
    const simd::amx_configuration tiles;
    _tile_loadconfig(&tiles);
    for (index_t s = p.first_strip; s < p.last_strip; s += strips) {
      for (index_t r = 0; r < p.rows; r += rows) {
        const bool high = p.rows - r > 16;
        const bool wide = p.last_strip - s > 1;
        if (high && wide) block<true, true>(p, r, s);
        if (high && !wide) block<true, false>(p, r, s);
        if (!high && wide) block<false, true>(p, r, s);
        if (!high && !wide) block<false, false>(p, r, s);
      }
    }
    // Unused tiles need not be saved when the operating system switches threads.
    _tile_release();
  }

 private:
  /// Rows beyond p.rows are computed from whatever lies there (int8_spare_rows) and dropped.
  template <bool High, bool Wide>
  ONOMA_TARGET_AMX static void block(const int8_gemm_call& p, index_t row, index_t strip) {
    constexpr index_t line = Wide ? 32 : 16;  // columns of the buffer
    alignas(64) std::int32_t sums[32 * line];
    const std::uint8_t* a = p.a + row * p.depth;
    const std::int8_t* b = p.strips + strip * int8_strip * p.depth;
    const index_t next_strip = int8_strip * p.depth;
    _tile_zero(0);
    if constexpr (Wide) _tile_zero(1);
    if constexpr (High) _tile_zero(2);
    if constexpr (High && Wide) _tile_zero(3);
    for (index_t k = 0; k < p.depth; k += int8_depth) {
      _tile_loadd(4, a + k, p.depth);
      _tile_loadd(6, b, 64);
      _tile_dpbusd(0, 4, 6);
      if constexpr (Wide) {
        _tile_loadd(7, b + next_strip, 64);
        _tile_dpbusd(1, 4, 7);
      }
      if constexpr (High) {
        _tile_loadd(5, a + 16 * p.depth + k, p.depth);
        _tile_dpbusd(2, 5, 6);
        if constexpr (Wide) _tile_dpbusd(3, 5, 7);
      }
      b += int8_strip * int8_depth;
    }
    constexpr index_t bytes = line * static_cast<index_t>(sizeof(std::int32_t));
    _tile_stored(0, sums, bytes);
    if constexpr (Wide) _tile_stored(1, sums + 16, bytes);
    if constexpr (High) _tile_stored(2, sums + 16 * line, bytes);
    if constexpr (High && Wide) _tile_stored(3, sums + 16 * line + 16, bytes);

    const index_t left = p.rows - row;
    const index_t height = left < rows ? left : rows;
    int8_finish<Arch>(p, sums, height, Wide ? 32 : 16, row, strip);
  }
};

}  // namespace onoma::inline ONOMA_ABI::cpu

#endif
