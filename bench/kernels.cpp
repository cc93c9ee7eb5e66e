/// Time of the CPU backend's functions at the shapes of real encoders, and their share of the peak.
///
/// Random normal operands; each product is compared with the reference once before it is timed. The
/// peak is that of a loop of multiply-adds in registers (bench/support.hpp).
#include "support.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <cmath>
#include <cstdint>
#include <stdexcept>
#include <vector>

namespace bench {
namespace {

using onoma::mat;
using onoma::vec;

void linear(benchmark::State& state) {
  const index_t tokens = state.range(0), in = state.range(1), out = state.range(2);
  const index_t threads = state.range(3);
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
  for (index_t n = 0; n < tokens; n += 1 + tokens / 3) {  // a few elements against a plain sum
    const index_t m = (n * 7) % out;
    double sum = static_cast<double>(bias[static_cast<std::size_t>(m)]);
    for (index_t k = 0; k < in; ++k) {
      sum += static_cast<double>(x[static_cast<std::size_t>(n * in + k)]) *
             static_cast<double>(w[static_cast<std::size_t>(m * in + k)]);
    }
    const double error =
        std::abs(sum - static_cast<double>(y[static_cast<std::size_t>(n * out + m)]));
    if (error > 1e-3 * std::sqrt(static_cast<double>(in)))
      throw std::runtime_error("wrong product");
  }
  for (auto _ : state) run();
  count_flops(state, 2.0 * static_cast<double>(tokens * in * out));
}

/// dw [out, in] += dy^T x and db, as the backward of a linear computes them.
void linear_dw(benchmark::State& state) {
  const index_t tokens = state.range(0), in = state.range(1), out = state.range(2);
  onoma::thread_pool pool(state.range(3));
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  const auto x = normals(tokens * in, 1);
  const auto dy = normals(tokens * out, 2);
  std::vector<float> dw(static_cast<std::size_t>(out * in));
  std::vector<float> db(static_cast<std::size_t>(out));
  for (auto _ : state) {
    device.linear_dw({x.data(), tokens, in}, {dy.data(), tokens, out}, {dw.data(), out, in},
                     {db.data(), out});
  }
  count_flops(state, 2.0 * static_cast<double>(tokens * in * out));
}

/// One sequence; dropout in percent, backward or not, a window's radius or 0.
void attention(benchmark::State& state) {
  const index_t length = state.range(0), heads = state.range(1), width = state.range(2);
  const bool backward = state.range(4) != 0;
  onoma::cpu_backend device;
  const index_t hidden = heads * width;
  const auto qkv = normals(length * 3 * hidden, 4);
  const auto dout = normals(length * hidden, 5);
  std::vector<float> out(dout.size());
  std::vector<float> lse(static_cast<std::size_t>(length * heads));
  std::vector<float> dqkv(qkv.size());
  const std::vector<std::int32_t> offsets = {0, static_cast<std::int32_t>(length)};
  const auto batch = onoma::sequences::of({offsets.data(), 2});
  const index_t radius = state.range(5);  // 0: all keys are seen
  const onoma::attention_shape<float> shape{
      .queries = batch,
      .keys = batch,
      .heads = heads,
      .kv_heads = heads,
      .scale = 1.0F / std::sqrt(static_cast<float>(width)),
      .reach = radius > 0 ? onoma::attention_reach::window(radius) : onoma::attention_reach{},
      .dropout = {static_cast<float>(state.range(3)) / 100.0F, 3}};
  const auto part = [&](auto* all, index_t i) {
    return mat(all, length, 3 * hidden).cols_slice(i * hidden, hidden);
  };
  const onoma::attention_operands<float> operands{part(qkv.data(), 0), part(qkv.data(), 1),
                                                  part(qkv.data(), 2)};
  device.attention(operands, shape, {{out.data(), length, hidden}, {lse.data(), heads, length}});
  for (auto _ : state) {
    if (backward) {
      device.attention_backward(operands, shape,
                                {{out.data(), length, hidden}, {lse.data(), heads, length}},
                                {dout.data(), length, hidden},
                                {part(dqkv.data(), 0), part(dqkv.data(), 1), part(dqkv.data(), 2)});
    } else {
      device.attention(operands, shape, {{out.data(), length, hidden}, {}});
    }
  }
  // Pairs of query and key that count, not those that blocks compute beside them.
  double pairs = 0.0;
  for (index_t i = 0; i < length; ++i) {
    pairs += static_cast<double>(shape.reach.last(i, length) - shape.reach.first(i));
  }
  count_flops(state, (backward ? 10.0 : 4.0) * pairs * static_cast<double>(hidden));
}

void dropout(benchmark::State& state) {
  const index_t tokens = 128, hidden = state.range(0);
  onoma::cpu_backend device;
  auto x = normals(tokens * hidden, 5);
  for (auto _ : state) device.dropout({x.data(), tokens, hidden}, {0.1F, 7});
  state.SetItemsProcessed(state.iterations() * tokens * hidden);
}

void activation_backward(benchmark::State& state) {
  const index_t tokens = 128, hidden = state.range(0);
  onoma::cpu_backend device;
  const auto pre = normals(tokens * hidden, 5);
  auto d = normals(tokens * hidden, 6);
  for (auto _ : state) {
    device.kernels().activation_backward(onoma::activation::gelu, tokens, hidden, pre.data(), hidden,
                                         d.data(), hidden);
  }
  state.SetItemsProcessed(state.iterations() * tokens * hidden);
}

void add_norm(benchmark::State& state) {
  const index_t tokens = 128, hidden = state.range(0);
  onoma::cpu_backend device;
  auto x = normals(tokens * hidden, 5);
  const auto residual = normals(tokens * hidden, 6);
  const auto gamma = normals(hidden, 7);
  std::vector<float> y(x.size());
  const onoma::layer_norm_weights<float> weights{{gamma.data(), hidden}, {gamma.data(), hidden}, 1e-12F};
  for (auto _ : state) {
    device.add_norm({x.data(), tokens, hidden}, {residual.data(), tokens, hidden}, {}, weights,
                    {y.data(), tokens, hidden}, {});
  }
  state.SetItemsProcessed(state.iterations() * tokens * hidden);
}

void squared_norm(benchmark::State& state) {
  onoma::cpu_backend device;
  const auto v = normals(state.range(0), 8);
  for (auto _ : state) {
    benchmark::DoNotOptimize(device.squared_norm({v.data(), state.range(0)}));
  }
  state.SetBytesProcessed(state.iterations() * state.range(0) * 4);
}

void adamw(benchmark::State& state) {
  const index_t size = state.range(0);
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
  for (const index_t threads : {1, 2}) {
    for (const index_t tokens : {16, 128, 512}) {
      for (const auto& [in, out] : {std::pair<index_t, index_t>{384, 1536},
                                    {1536, 384},
                                    {768, 2304},
                                    {768, 3072},
                                    {3072, 768}}) {
        b->Args({tokens, in, out, threads});
      }
    }
  }
}

BENCHMARK(linear)->Apply(shapes)->MeasureProcessCPUTime();
BENCHMARK(linear_dw)
    ->Args({400, 384, 1536, 1})
    ->Args({400, 1536, 384, 1})
    ->Args({1024, 768, 3072, 1})
    ->Args({400, 384, 1536, 2})
    ->MeasureProcessCPUTime();
BENCHMARK(attention)
    ->ArgNames({"tokens", "heads", "width", "dropout", "backward", "radius"})
    ->ArgsProduct({{32, 128, 512}, {12}, {64}, {0, 10}, {0, 1}, {0}})
    ->ArgsProduct({{2048, 8192}, {12}, {64}, {0}, {0, 1}, {0, 64}})
    ->Args({32, 12, 32, 0, 0, 0})
    ->Args({32, 12, 32, 10, 1, 0})
    ->MeasureProcessCPUTime();
BENCHMARK(add_norm)->Arg(384)->Arg(768);
BENCHMARK(dropout)->Arg(768);
BENCHMARK(activation_backward)->Arg(3072);
BENCHMARK(squared_norm)->Arg(22'700'000)->Unit(benchmark::kMillisecond);
BENCHMARK(adamw)->Arg(22'700'000)->MeasureProcessCPUTime()->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
