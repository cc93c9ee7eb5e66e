/// The instruction sets that kernels are written for: the one list of xsimd tags.
#pragma once

#include <onoma/core/config.hpp>

#include <xsimd/xsimd.hpp>

namespace onoma::inline ONOMA_ABI::simd {

// Static mode: the flags of the translation unit choose. ONOMA_ABI (core/config.hpp) follows the
// same conditions, so that differently compiled units do not share code.
#if defined(__AVX512F__) && defined(__AVX512BW__) && defined(__AVX512DQ__) && defined(__AVX512VL__)
using default_arch = xsimd::avx512bw;
#elif defined(__AVX2__) && defined(__FMA__)
using default_arch = xsimd::fma3<xsimd::avx2>;
#elif defined(__aarch64__)
using default_arch = xsimd::neon64;
#else
using default_arch = xsimd::default_arch;  ///< what the flags of the unit allow
#endif

/// What users and kernel tables call it.
template <class Arch>
inline constexpr const char* arch_name = "other";
template <>
inline constexpr const char* arch_name<xsimd::sse2> = "sse2";
template <>
inline constexpr const char* arch_name<xsimd::avx512bw> = "avx512";
template <>
inline constexpr const char* arch_name<xsimd::fma3<xsimd::avx2>> = "avx2";
template <>
inline constexpr const char* arch_name<xsimd::neon64> = "neon";

/// The shape of the register tile of the matrix product: `rows` x (`vectors` * width).
/// Accumulators, one row of B and one broadcast of A must fit the register file.
template <class Arch>
struct tile {  // 16 registers: 12 accumulators + 2 + 1
  static constexpr int rows = 6;     ///< of a tile
  static constexpr int vectors = 2;  ///< of a row of a tile
};

/// 32 registers: 24 accumulators + 4 + 1.
template <>
struct tile<xsimd::avx512bw> {  // 32 registers: 24 accumulators + 4 + 1
  static constexpr int rows = 6;     ///< of a tile
  static constexpr int vectors = 4;  ///< of a row of a tile
};

/// 32 registers: 24 accumulators + 4 + 1.
template <>
struct tile<xsimd::neon64> {  // 32 registers: 24 accumulators + 4 + 1
  static constexpr int rows = 6;     ///< of a tile
  static constexpr int vectors = 4;  ///< of a row of a tile
};

}  // namespace onoma::inline ONOMA_ABI::simd
