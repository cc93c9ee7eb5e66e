/// What the benchmarks share: random operands, the machine's peak, and counters against it.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>
#include <onoma/simd/batch.hpp>

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdint>
#include <ctime>
#include <vector>

namespace bench {

using onoma::index_t;

/// Roughly normal values, mean 0 and variance 1: zeros would be faster than real data.
inline std::vector<float> normals(index_t count, std::uint64_t key) {
  onoma::random_stream random(key);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& v : values) {
    v = (random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2.0F) *
        1.7320508F;
  }
  return values;
}

/// Floating-point operations per second of CPU time that one core does in multiply-adds from
/// registers, in 24 independent chains where there are registers for them.
inline double peak_flops() {
  using batch = onoma::simd::floats<onoma::simd::default_arch>;
  constexpr int chains = onoma::simd::tile<onoma::simd::default_arch>::rows *
                         onoma::simd::tile<onoma::simd::default_arch>::vectors;
  static const double best = [] {
    double most = 0.0;
    for (int round = 0; round < 9; ++round) {
      batch sums[chains];
      for (int i = 0; i < chains; ++i) sums[i] = batch(1.0F + 0.01F * static_cast<float>(i));
      const batch a(0.999F);
      const batch b(0.001F);
      constexpr int steps = 1'000'000;
      const std::clock_t start = std::clock();
      for (int s = 0; s < steps; ++s) {
#pragma GCC unroll 24
        for (int i = 0; i < chains; ++i) sums[i] = xsimd::fma(sums[i], a, b);
      }
      const double seconds = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
      float total = 0.0F;
      for (const auto& s : sums) total += xsimd::hadd(s);
      benchmark::DoNotOptimize(total);
      most = std::max(most, 2.0 * chains * steps * static_cast<double>(batch::size) / seconds);
    }
    return most;
  }();
  return best;
}

/// GFLOP/s per core and its share of the peak. Both are rates over CPU time of all threads (the
/// benchmark must say MeasureProcessCPUTime): a neighbour on the machine slows the clock on the
/// wall and leaves these as they are. The column Time is the wall's.
inline void count_flops(benchmark::State& state, double flops) {
  const double total = flops * static_cast<double>(state.iterations());
  state.counters["GFLOP/s/core"] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate);
  state.counters["of_peak"] = benchmark::Counter(total / peak_flops(), benchmark::Counter::kIsRate);
}

}  // namespace bench
