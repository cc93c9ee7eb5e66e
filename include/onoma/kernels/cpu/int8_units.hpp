/// Which instructions multiply 8-bit integers: the best that the machine has.
#pragma once

#include <onoma/kernels/cpu/int8.hpp>
#include <onoma/kernels/cpu/int8_amx.hpp>
#include <onoma/kernels/cpu/int8_avx2.hpp>
#include <onoma/kernels/cpu/int8_vnni.hpp>
#include <onoma/simd/int8_features.hpp>

namespace onoma::inline ONOMA_ABI::cpu {

enum class int8_unit { plain, avx2, vnni, amx };

/// Asks the machine once: beyond the flags of this unit, AVX-512 may come with VNNI. Results do not
/// depend on the answer.
template <class Arch>
[[nodiscard]] inline int8_unit int8_best_unit() {
#if defined(ONOMA_TARGET_VNNI)
  static const bool vnni = simd::has_vnni();
  return vnni ? int8_unit::vnni : int8_unit::avx2;
#elif defined(__AVX2__)
  return int8_unit::avx2;
#else
  return int8_unit::plain;
#endif
}

/// The same where tiles may be used (exec/tiles.hpp).
template <class Arch>
[[nodiscard]] inline int8_unit int8_best_unit_with_tiles() {
#if defined(ONOMA_TARGET_AMX)
  static const bool tiles = simd::has_int8_tiles();
  if (tiles) return int8_unit::amx;
#endif
  return int8_best_unit<Arch>();
}

/// C = call.finish((A B) scales) by the given unit, which the machine must have.
template <class Arch>
inline void int8_multiply(int8_unit unit, const int8_gemm_call& call) {
  switch (unit) {
#if defined(ONOMA_TARGET_AMX)
    case int8_unit::amx: return int8_amx<Arch>::multiply(call);
#endif
#if defined(ONOMA_TARGET_VNNI)
    case int8_unit::vnni: return int8_vnni<Arch>::multiply(call);
#endif
#if defined(__AVX2__)
    case int8_unit::avx2: return int8_avx2<Arch>::multiply(call);
#endif
    default: return int8_plain<Arch>::multiply(call);
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
