/// Time of the CPU backend's functions at the shapes of real encoders, and their share of the peak.
///
/// Random normal operands; each product is compared with the reference once before it is timed. The
/// peak is that of a loop of multiply-adds in registers, measured at start on one core.
#include <onoma/backend/cpu.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <benchmark/benchmark.h>

#include <chrono>
#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

using onoma::index;
using onoma::mat;
using onoma::vec;

std::vector<float> normals(index count, std::uint64_t key) {
  onoma::random_stream random(key);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (auto& v : values) {
    v = (random.uniform() + random.uniform() + random.uniform() + random.uniform() - 2.0F) * 1.7F;
  }
  return values;
}

/// Multiply-adds per second that one core does from registers: twelve independent chains.
double peak_flops() {
  using batch = onoma::simd::floats<onoma::simd::default_arch>;
  static const double best = [] {
    double most = 0.0;
    for (int round = 0; round < 5; ++round) {
      batch sums[12];
      for (int i = 0; i < 12; ++i) sums[i] = batch(1.0F + 0.01F * static_cast<float>(i));
      const batch a(0.999F);
      const batch b(0.001F);
      constexpr int steps = 2'000'000;
      const auto start = std::chrono::steady_clock::now();
      for (int s = 0; s < steps; ++s) {
#pragma GCC unroll 12
        for (int i = 0; i < 12; ++i) sums[i] = xsimd::fma(sums[i], a, b);
      }
      const std::chrono::duration<double> t = std::chrono::steady_clock::now() - start;
      float total = 0.0F;
      for (const auto& s : sums) total += xsimd::hadd(s);
      benchmark::DoNotOptimize(total);
      most = std::max(most, 24.0 * steps * static_cast<double>(batch::size) / t.count());
    }
    return most;
  }();
  return best;
}

void count(benchmark::State& state, double flops, index threads) {
  const double total = flops * static_cast<double>(state.iterations());
  state.counters["GFLOP/s"] = benchmark::Counter(total / 1e9, benchmark::Counter::kIsRate);
  state.counters["of peak"] = benchmark::Counter(
      total / (peak_flops() * static_cast<double>(threads)), benchmark::Counter::kIsRate);
}

void linear(benchmark::State& state) {
  const index tokens = state.range(0), in = state.range(1), out = state.range(2);
  const index threads = state.range(3);
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  const auto x = normals(tokens * in, 1);
  const auto w = normals(out * in, 2);
  const auto bias = normals(out, 3);
  std::vector<float> y(static_cast<std::size_t>(tokens * out));
  auto packed = device.make_packed(out, in, false);
  device.pack({w.data(), out, in}, packed);
  const auto run = [&] {
    device.linear({x.data(), tokens, in}, packed, {bias.data(), out}, {y.data(), tokens, out});
  };
  run();
  for (index n = 0; n < tokens; n += 1 + tokens / 3) {  // a few elements against a plain sum
    const index m = (n * 7) % out;
    double sum = static_cast<double>(bias[static_cast<std::size_t>(m)]);
    for (index k = 0; k < in; ++k) {
      sum += static_cast<double>(x[static_cast<std::size_t>(n * in + k)]) *
             static_cast<double>(w[static_cast<std::size_t>(m * in + k)]);
    }
    const double error = std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(n * out + m)]));
    if (error > 1e-3 * std::sqrt(static_cast<double>(in))) throw std::runtime_error("wrong product");
  }
  for (auto _ : state) run();
  count(state, 2.0 * static_cast<double>(tokens * in * out), threads);
}

void attention(benchmark::State& state) {
  const index length = state.range(0), heads = state.range(1), width = state.range(2);
  onoma::cpu_backend device;
  const index hidden = heads * width;
  const auto qkv = normals(length * 3 * hidden, 4);
  std::vector<float> out(static_cast<std::size_t>(length * hidden));
  const std::vector<std::int32_t> offsets = {0, static_cast<std::int32_t>(length)};
  const onoma::attention_shape<float> shape{
      {{offsets.data(), 2}}, heads, 1.0F / std::sqrt(static_cast<float>(width)), {}};
  for (auto _ : state) {
    device.attention({qkv.data(), length, 3 * hidden}, shape, {out.data(), length, hidden}, {});
  }
  count(state, 4.0 * static_cast<double>(length * length * hidden), 1);
}

void add_norm(benchmark::State& state) {
  const index tokens = 128, hidden = state.range(0);
  onoma::cpu_backend device;
  auto x = normals(tokens * hidden, 5);
  const auto residual = normals(tokens * hidden, 6);
  const auto gamma = normals(hidden, 7);
  std::vector<float> y(x.size());
  for (auto _ : state) {
    device.add_norm({x.data(), tokens, hidden}, {residual.data(), tokens, hidden}, {},
                    {gamma.data(), hidden}, {gamma.data(), hidden}, 1e-12F,
                    {y.data(), tokens, hidden}, {});
  }
  state.SetItemsProcessed(state.iterations() * tokens * hidden);
}

void adamw(benchmark::State& state) {
  const index size = state.range(0);
  onoma::thread_pool pool(2);
  const onoma::cpu_backend device{onoma::executor_ref(pool)};
  auto w = normals(size, 8), g = normals(size, 9), m = normals(size, 10);
  std::vector<float> v(w.size(), 0.5F);
  onoma::adamw_step<float> step;
  step.learning_rate = 1e-4F;
  for (auto _ : state) {
    device.adamw(step, {w.data(), size}, {g.data(), size}, {m.data(), size}, {v.data(), size});
  }
  state.SetBytesProcessed(state.iterations() * size * 8 * 4);
}

void shapes(benchmark::internal::Benchmark* b) {
  for (const index threads : {1, 2}) {
    for (const index tokens : {16, 128, 512}) {
      for (const auto& [in, out] : {std::pair<index, index>{384, 1536}, {1536, 384}, {768, 2304},
                                    {768, 3072}, {3072, 768}}) {
        b->Args({tokens, in, out, threads});
      }
    }
  }
}

BENCHMARK(linear)->Apply(shapes)->UseRealTime();
BENCHMARK(attention)->Args({32, 12, 32})->Args({128, 12, 64})->Args({512, 12, 64});
BENCHMARK(add_norm)->Arg(384)->Arg(768);
BENCHMARK(adamw)->Arg(22'700'000)->UseRealTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
