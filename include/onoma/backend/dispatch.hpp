/// The kernels that a CPU backend uses unless it is told others.
#pragma once

#include <onoma/kernels/cpu/table.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/arch.hpp>

namespace onoma::inline ONOMA_ABI {

/// The kernels of the instruction set that this translation unit is compiled for.
[[nodiscard]] inline const kernel_table& default_kernels() {
  return cpu::table<simd::default_arch>;
}

}  // namespace onoma::inline ONOMA_ABI
