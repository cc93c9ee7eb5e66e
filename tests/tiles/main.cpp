/// The entry point of the tests of AMX kernels under emulated tiles.
#define DOCTEST_CONFIG_IMPLEMENT
#define DOCTEST_CONFIG_NO_POSIX_SIGNALS  // SIGILL is ours
#include <doctest/doctest.h>

#include "tiles/emulator.hpp"

#include <onoma/backend/cpu/backend.hpp>

#include <iostream>

namespace onoma::inline ONOMA_SEAM {

extern __attribute__((visibility("hidden"))) const kernel_table sse2_kernels;
extern __attribute__((visibility("hidden"))) const kernel_table amx_kernels;

/// In the place of the unit that asks the processor.
const dispatched_kernels& find_dispatched_kernels() noexcept {
  static const kernel_table* const tables[] = {&sse2_kernels, &amx_kernels};
  static const dispatched_kernels found{tables, 2, "amx", &amx_kernels};
  return found;
}

}  // namespace onoma::inline ONOMA_SEAM

int main(int argc, char** argv) {
  // Not detect_cpu_features(), which asks for tiles: where a processor has them, the system refuses them to who
  // did not ask, with the same signal.
  __builtin_cpu_init();
  if (!__builtin_cpu_supports("avx512f") || !__builtin_cpu_supports("avx512bw") ||
      !__builtin_cpu_supports("avx512cd") || !__builtin_cpu_supports("avx512dq") ||
      !__builtin_cpu_supports("avx512vl")) {
    std::cout << "skipped: the kernels around the emulated tiles need AVX-512\n";
    return 77;  // what CTest is told to count as skipped
  }
  test::emulate_tiles();
  const int result = doctest::Context(argc, argv).run();
  const long count = test::emulated_tile_instructions();
  std::cout << "tile instructions emulated: " << count << '\n';
  return result != 0 || count > 0 ? result : 1;
}
