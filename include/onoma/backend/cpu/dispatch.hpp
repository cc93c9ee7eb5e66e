/// The kernels that a CPU backend uses unless it is told others: those of its translation unit's own
/// instruction set (static mode), or the best that the machine can run (dispatched mode,
/// docs/dispatch.md).
#pragma once

#include <onoma/kernels/table.hpp>

#if defined(ONOMA_DISPATCH)
#include <onoma/core/error.hpp>

#include <string>
#else
#include <onoma/exec/tiles.hpp>
#include <onoma/kernels/cpu/amx_table.hpp>
#include <onoma/kernels/cpu/table.hpp>
#include <onoma/simd/arch.hpp>
#endif

#if defined(ONOMA_DISPATCH)

namespace onoma::inline ONOMA_SEAM {

/// What the units of onoma_add_dispatch() found when they were first asked.
struct dispatched_kernels {
  const kernel_table* const* available;  ///< what this machine can run, the best last
  index_t count;                           ///< > 0
  const char* forced;                    ///< value of ONOMA_FORCE_ARCH, empty if unset
  const kernel_table* picked;            ///< null if `forced` is not available
};

/// Defined by onoma_add_dispatch(target) alone: a link error here means that the target was compiled
/// with ONOMA_DISPATCH by other means. Thread-safe.
__attribute__((visibility("hidden"))) const dispatched_kernels& find_dispatched_kernels() noexcept;

}  // namespace onoma::inline ONOMA_SEAM

namespace onoma::inline ONOMA_ABI {

/// The kernels of the best instruction set that this machine has, or of the one that the environment
/// variable ONOMA_FORCE_ARCH names. Decided once per process.
/// @throws onoma::error (unsupported) if ONOMA_FORCE_ARCH names none that can run here; the message
/// lists those that can.
[[nodiscard]] inline const kernel_table& default_kernels() {
  const dispatched_kernels& found = find_dispatched_kernels();
  if (found.picked == nullptr) {
    std::string names;
    for (index_t i = 0; i < found.count; ++i) {
      names.append(names.empty() ? "one of " : ", ").append(found.available[i]->name);
    }
    fail(error_code::unsupported, "ONOMA_FORCE_ARCH", names,
         "'" + std::string(found.forced) + "'");
  }
  return *found.picked;
}

}  // namespace onoma::inline ONOMA_ABI

#else

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

#endif
