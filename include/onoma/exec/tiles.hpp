/// Whether this process may use the AMX tile unit.
#pragma once

#include <onoma/core/config.hpp>

#if defined(__linux__) && defined(__x86_64__) && defined(__GNUC__)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// True if the processor has tiles of bfloat16 and Linux grants their registers to this process. The
/// first call asks for them: 8 KiB more are then saved when a thread that used tiles is interrupted.
/// Source: Linux, Documentation/arch/x86/xstate.rst.
[[nodiscard]] inline bool request_tiles() noexcept {
#if defined(__linux__) && defined(__x86_64__) && defined(__GNUC__)
  static const bool granted = [] {
    unsigned a = 0;
    unsigned b = 0;
    unsigned c = 0;
    unsigned d = 0;
    if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
    constexpr unsigned bf16_and_tiles = (1U << 22) | (1U << 24);
    if ((d & bf16_and_tiles) != bf16_and_tiles) return false;
    constexpr long request_permission = 0x1023;  // ARCH_REQ_XCOMP_PERM
    constexpr long tile_data = 18;               // XFEATURE_XTILEDATA
    return syscall(SYS_arch_prctl, request_permission, tile_data) == 0;
  }();
  return granted;
#else
  return false;
#endif
}

}  // namespace onoma::inline ONOMA_ABI
