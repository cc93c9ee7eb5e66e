/// What this machine can do, as one line of JSON: the bounds that bench/compare/run_all.py reports.
#include "support.hpp"

#include <onoma/exec/memory.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <chrono>
#include <cstdio>

namespace {

using onoma::index_t;

/// Bytes per second of reading memory far larger than the caches, in one stream per thread.
double read_rate(index_t threads) {
  constexpr index_t floats = index_t{128} << 20;  // 512 MiB
  const onoma::aligned_memory memory(static_cast<std::size_t>(floats) * sizeof(float));
  auto* data = reinterpret_cast<float*>(memory.data());
  onoma::thread_pool pool(threads);
  const index_t part = floats / threads;
  pool.parallel_for(threads, [&](index_t t) {
    for (index_t i = 0; i < part; ++i) data[t * part + i] = static_cast<float>(i & 7);
  });
  using batch = onoma::simd::floats<onoma::simd::default_arch>;
  constexpr index_t width = onoma::simd::width<onoma::simd::default_arch>;
  double best = 0.0;
  for (int round = 0; round < 5; ++round) {
    const auto start = std::chrono::steady_clock::now();
    pool.parallel_for(threads, [&](index_t t) {
      const float* from = data + t * part;
      batch sums[4] = {batch(0.0F), batch(0.0F), batch(0.0F), batch(0.0F)};
      for (index_t i = 0; i + 4 * width <= part; i += 4 * width) {
        for (index_t v = 0; v < 4; ++v) {
          sums[v] += onoma::simd::load<onoma::simd::default_arch>(from + i + v * width);
        }
      }
      float total = xsimd::hadd(sums[0] + sums[1] + sums[2] + sums[3]);
      benchmark::DoNotOptimize(total);
    });
    const std::chrono::duration<double> t = std::chrono::steady_clock::now() - start;
    best = std::max(best, static_cast<double>(floats) * sizeof(float) / t.count());
  }
  return best;
}

}  // namespace

int main() {
  std::printf("{\"peak_gflops\": %.1f, \"dram_gb_s\": [%.2f, %.2f]}\n", bench::peak_flops() / 1e9,
              read_rate(1) / 1e9, read_rate(onoma::available_cpus()) / 1e9);
}
