/// What the processor that the program runs on can do.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/exec/tiles.hpp>

#include <cstdint>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// Instruction sets for which there are kernels. A set counts only if the operating system saves
/// its registers.
struct cpu_features {
  bool sse2 = false;    ///< x86-64 always has it
  bool avx2 = false;    ///< with FMA3
  bool avx512 = false;  ///< F, BW, CD, DQ and VL
  bool amx = false;     ///< AVX-512, and tiles of bfloat16 that the process may use
  bool neon = false;    ///< AArch64 always has it
};

/// Asks the processor: CPUID leaves 1 and 7 and XGETBV (Intel SDM volume 1, chapter 14 "Detection of
/// AVX instructions", chapter 15 "Detection of AVX-512 foundation instructions"); tiles are asked
/// for (exec/tiles.hpp). AArch64 always has NEON.
[[nodiscard]] inline cpu_features detect_cpu_features() noexcept {
  cpu_features found;
#if defined(__aarch64__)
  found.neon = true;
#elif defined(__x86_64__) || defined(__i386__)
  const auto has = [](unsigned word, int bit) { return (word >> bit & 1U) != 0; };
  unsigned a = 0;
  unsigned b = 0;
  unsigned c = 0;
  unsigned d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0) return found;
  found.sse2 = has(d, 26);
  const bool fma = has(c, 12);
  const bool saves = has(c, 27);  // OSXSAVE: XGETBV may be called
  if (!saves || !has(c, 28) || __get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  std::uint32_t low = 0;
  std::uint32_t high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  const std::uint32_t ymm = 0x6;   // XMM and YMM registers
  const std::uint32_t zmm = 0xe6;  // and masks and ZMM
  found.avx2 = (low & ymm) == ymm && fma && has(b, 5);
  found.avx512 = found.avx2 && (low & zmm) == zmm && has(b, 16) && has(b, 17) && has(b, 28) &&
                 has(b, 30) && has(b, 31);
  found.amx = found.avx512 && request_tiles();
#endif
  return found;
}

}  // namespace onoma::inline ONOMA_ABI
