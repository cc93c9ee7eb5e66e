/// Instructions for 8-bit integers that a machine may have on top of AVX-512: VNNI and AMX tiles.
#pragma once

#include <onoma/core/config.hpp>

// Functions that use them are compiled with a target attribute, whatever the flags of the unit, and
// called where the machine has them: units that differ in these flags alone share all code.
#if defined(__AVX512BW__) && defined(__x86_64__) && (defined(__GNUC__) || defined(__clang__))
#define ONOMA_TARGET_VNNI __attribute__((target("avx512vnni")))

#include <cstdint>

#include <cpuid.h>
#include <immintrin.h>

#if defined(__linux__)
#define ONOMA_TARGET_AMX __attribute__((target("amx-tile,amx-int8")))
#endif

namespace onoma::inline ONOMA_ABI::simd {

/// Whether this machine has vpdpbusd on 512-bit vectors. The unit needs AVX-512 anyway, which includes
/// that the operating system keeps its registers.
[[nodiscard]] inline bool has_vnni() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (c >> 11 & 1U) != 0;
}

#if defined(ONOMA_TARGET_AMX)
/// Whether this machine's tiles multiply 8-bit integers. Who calls such kernels has asked the operating
/// system for tiles (exec/tiles.hpp).
[[nodiscard]] inline bool has_int8_tiles() noexcept {
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  constexpr unsigned tile_and_int8 = 3U << 24;
  return __get_cpuid_count(7, 0, &a, &b, &c, &d) != 0 && (d & tile_and_int8) == tile_and_int8;
}

/// What _tile_loadconfig reads: eight tiles of 16 rows of 64 bytes.
struct alignas(64) amx_configuration {
  std::uint8_t palette = 1;
  std::uint8_t start_row = 0;
  std::uint8_t reserved[14] = {};
  std::uint16_t row_bytes[16] = {64, 64, 64, 64, 64, 64, 64, 64};
  std::uint8_t rows[16] = {16, 16, 16, 16, 16, 16, 16, 16};
};
#endif

}  // namespace onoma::inline ONOMA_ABI::simd

#endif
