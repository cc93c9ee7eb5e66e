/// The kernels that a CPU backend uses unless it is told others.
#pragma once

#include <onoma/exec/tiles.hpp>
#include <onoma/kernels/cpu/amx_table.hpp>
#include <onoma/kernels/cpu/table.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/arch.hpp>

namespace onoma::inline ONOMA_ABI {

/// The kernels of the instruction set that this translation unit is compiled for. With AVX-512, the
/// tile unit takes the products where the machine has one: it needs no flags of the compiler.
[[nodiscard]] inline const kernel_table& default_kernels() {
#if defined(ONOMA_HAS_AMX)
  if (request_tiles()) return cpu::amx::table;
#endif
  return cpu::table<simd::default_arch>;
}

}  // namespace onoma::inline ONOMA_ABI
