/// Whole passes from backend functions, as the layers chain them: a forward pass of an encoder and
/// a training step, with their share of the machine's peak.
///
/// Random weights of the true shapes. The work counted is that of the products alone (linear layers
/// and attention), so that the share says how much of the time everything else takes.
#include "support.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace bench {
namespace {

using onoma::mat;
using onoma::vec;

constexpr double eps = 1e-12;

struct encoder_shape {
  index_t layers, hidden, heads, inner;
};
constexpr encoder_shape shapes[] = {{12, 768, 12, 3072}, {6, 384, 12, 1536}};

/// A matrix that owns its elements.
struct tensor {
  std::vector<float> values;
  index_t rows, cols;

  tensor(index_t r, index_t c) : values(static_cast<std::size_t>(r * c)), rows(r), cols(c) {}
  tensor(index_t r, index_t c, std::uint64_t key, float scale)
      : values(normals(r * c, key)), rows(r), cols(c) {
    for (auto& v : values) v *= scale;
  }
  mat<float> view() { return {values.data(), rows, cols}; }
  vec<float> flat() { return {values.data(), rows * cols}; }
};

/// One weight [M, K] with its packed form and, for training, gradient and moments.
struct weight {
  tensor value, gradient, moment1, moment2;
  onoma::cpu_backend::packed_weight packed;

  weight(const onoma::cpu_backend& device, index_t m, index_t k, std::uint64_t key, bool training)
      : value(m, k, key, 0.02F),
        gradient(training ? m : 0, k),
        moment1(training ? m : 0, k),
        moment2(training ? m : 0, k),
        packed(device.make_packed(m, k, training)) {
    pack(device);
  }
  void pack(const onoma::cpu_backend& device) { device.pack(value.view(), packed); }
};

struct layer {
  weight qkv, output, expand, contract;
  std::vector<float> bias, gamma, beta, dbias, dgamma, dbeta;

  layer(const onoma::cpu_backend& d, const encoder_shape& s, std::uint64_t key, bool training)
      : qkv(d, 3 * s.hidden, s.hidden, key, training),
        output(d, s.hidden, s.hidden, key + 1, training),
        expand(d, s.inner, s.hidden, key + 2, training),
        contract(d, s.hidden, s.inner, key + 3, training),
        bias(static_cast<std::size_t>(std::max(3 * s.hidden, s.inner)), 0.01F),
        gamma(static_cast<std::size_t>(s.hidden), 1.0F),
        beta(gamma.size(), 0.0F),
        dbias(bias.size()),
        dgamma(gamma.size()),
        dbeta(gamma.size()) {}
};

/// What one layer keeps for the backward; inference shares one set among all layers.
struct kept {
  tensor x, qkv, context, lse, a, h, pre, activated, f;
  tensor mean1, r1, mean2, r2;
  kept(const encoder_shape& s, index_t n)
      : x(n, s.hidden),
        qkv(n, 3 * s.hidden),
        context(n, s.hidden),
        lse(s.heads, n),
        a(n, s.hidden),
        h(n, s.hidden),
        pre(n, s.inner),
        activated(n, s.inner),
        f(n, s.hidden),
        mean1(1, n),
        r1(1, n),
        mean2(1, n),
        r2(1, n) {}
};

double forward_flops(const encoder_shape& s, const std::vector<std::int32_t>& offsets) {
  double attended = 0.0;
  for (std::size_t b = 1; b < offsets.size(); ++b) {
    attended += std::pow(static_cast<double>(offsets[b] - offsets[b - 1]), 2);
  }
  const auto h = static_cast<double>(s.hidden), f = static_cast<double>(s.inner);
  return static_cast<double>(s.layers) *
         (2.0 * offsets.back() * (4.0 * h * h + 2.0 * h * f) + 4.0 * attended * h);
}

onoma::attention_operands<float> operands_of(mat<const float> qkv) {
  const index_t hidden = qkv.cols / 3;
  return {qkv.cols_slice(0, hidden), qkv.cols_slice(hidden, hidden), qkv.cols_slice(2 * hidden, hidden)};
}

onoma::layer_norm_weights<float> norm_of(const layer& w) {
  const auto hidden = static_cast<index_t>(w.gamma.size());
  return {{w.gamma.data(), hidden}, {w.beta.data(), hidden}, static_cast<float>(eps)};
}

onoma::attention_shape<float> shape_of(const std::vector<std::int32_t>& offsets, const encoder_shape& s,
                                       float dropout) {
  const auto batch = onoma::sequences::of({offsets.data(), static_cast<index_t>(offsets.size())});
  return {.queries = batch,
          .keys = batch,
          .heads = s.heads,
          .kv_heads = s.heads,
          .scale = 1.0F / std::sqrt(static_cast<float>(s.hidden / s.heads)),
          .dropout = {dropout, 17}};
}

void forward_layer(onoma::cpu_backend& d, layer& w, kept& k,
                   const onoma::attention_shape<float>& shape, const onoma::dropout_spec& drop,
                   bool training, mat<float> y) {
  const index_t hidden = k.x.cols;
  const auto statistics = [&](tensor& mean, tensor& r) {
    return training ? onoma::norm_statistics<float>{mean.flat(), r.flat()}
                    : onoma::norm_statistics<float>{};
  };
  const auto bias = [&](index_t n) { return vec<const float>{w.bias.data(), n}; };
  const auto norm = norm_of(w);
  d.linear(k.x.view(), w.qkv.packed, bias(3 * hidden), k.qkv.view());
  d.attention(operands_of(k.qkv.view()), shape,
              {k.context.view(), training ? k.lse.view() : mat<float>{}});
  d.linear(k.context.view(), w.output.packed, bias(hidden), k.a.view());
  d.add_norm(k.a.view(), k.x.view(), drop, norm, k.h.view(), statistics(k.mean1, k.r1));
  d.linear_activation(k.h.view(), w.expand.packed, bias(k.pre.cols), onoma::activation::gelu,
                      training ? k.pre.view() : mat<float>{}, k.activated.view());
  d.linear(k.activated.view(), w.contract.packed, bias(hidden), k.f.view());
  d.add_norm(k.f.view(), k.h.view(), drop, norm, y, statistics(k.mean2, k.r2));
}

/// dy becomes the gradient of the layer's input.
void backward_layer(onoma::cpu_backend& d, layer& w, kept& k,
                    const onoma::attention_shape<float>& shape, const onoma::dropout_spec& drop,
                    mat<float> dy, mat<float> dh, mat<float> dinner, mat<float> dqkv) {
  const index_t hidden = k.x.cols;
  const auto db = [&](index_t n) { return vec<float>{w.dbias.data(), n}; };
  const auto norm = norm_of(w);
  const onoma::norm_gradients<float> dnorm{{w.dgamma.data(), hidden}, {w.dbeta.data(), hidden}};
  d.add_norm_backward(k.f.view(), {k.mean2.flat(), k.r2.flat()}, norm, dy, drop, onoma::set, dy, dh,
                      dnorm);
  d.linear_dw(k.activated.view(), dh, w.contract.gradient.view(), db(hidden));
  d.linear_dx(dh, w.contract.packed, onoma::activation::gelu, k.pre.view(), dinner);
  d.linear_dw(k.h.view(), dinner, w.expand.gradient.view(), db(dinner.cols));
  d.linear_dx(dinner, w.expand.packed, onoma::add, dy);
  d.add_norm_backward(k.a.view(), {k.mean1.flat(), k.r1.flat()}, norm, dy, drop, onoma::set, dy, dh,
                      dnorm);
  d.linear_dw(k.context.view(), dh, w.output.gradient.view(), db(hidden));
  const mat<float> dcontext{dinner.data, dh.rows, hidden};  // dinner is read no more
  d.linear_dx(dh, w.output.packed, onoma::set, dcontext);
  const auto part = [&](index_t i) { return dqkv.cols_slice(i * hidden, hidden); };
  d.attention_backward(operands_of(k.qkv.view()), shape, {k.context.view(), k.lse.view()}, dcontext,
                       {part(0), part(1), part(2)});
  d.linear_dw(k.x.view(), dqkv, w.qkv.gradient.view(), db(3 * hidden));
  d.linear_dx(dqkv, w.qkv.packed, onoma::add, dy);
}

std::vector<std::int32_t> offsets_of(index_t count, index_t length) {
  std::vector<std::int32_t> offsets = {0};
  for (index_t b = 0; b < count; ++b)
    offsets.push_back(offsets.back() + static_cast<std::int32_t>(length));
  return offsets;
}

/// Sequences x tokens through the layers of one encoder (embeddings and head left out: < 1 %).
void forward(benchmark::State& state) {
  const auto& shape = shapes[state.range(0)];
  const auto offsets = offsets_of(state.range(1), state.range(2));
  const index_t threads = state.range(3);
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  std::vector<layer> layers;
  for (index_t i = 0; i < shape.layers; ++i) layers.emplace_back(device, shape, 10 * i, false);
  kept memory(shape, offsets.back());
  const tensor input(offsets.back(), shape.hidden, 999, 1.0F);
  const auto heads = shape_of(offsets, shape, 0.0F);
  const auto run = [&] {
    memory.x.values = input.values;
    for (auto& w : layers) forward_layer(device, w, memory, heads, {}, false, memory.x.view());
  };
  run();
  for (auto _ : state) run();
  count_flops(state, forward_flops(shape, offsets));
}

/// Forward, backward, clipping and AdamW of MiniLM over 16 ragged sentences of 400 tokens in all.
void training_step(benchmark::State& state) {
  const auto& shape = shapes[1];
  const float p = state.range(0) != 0 ? 0.1F : 0.0F;
  const index_t threads = state.range(1);
  // Lengths as word pieces of short posts have them: 10 to 46.
  std::vector<std::int32_t> offsets = {0};
  for (const int length : {25, 31, 10, 18, 46, 22, 27, 35, 12, 29, 24, 19, 33, 21, 28, 20}) {
    offsets.push_back(offsets.back() + length);
  }
  const index_t tokens = offsets.back();
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  std::vector<layer> layers;
  std::vector<kept> memory;
  for (index_t i = 0; i < shape.layers; ++i) {
    layers.emplace_back(device, shape, 10 * i, true);
    memory.emplace_back(shape, tokens);
  }
  tensor dy(tokens, shape.hidden), dh(tokens, shape.hidden), dinner(tokens, shape.inner);
  tensor dqkv(tokens, 3 * shape.hidden), last(tokens, shape.hidden);
  const tensor seed(tokens, shape.hidden, 4, 1e-3F);
  // The word table: AdamW touches all of its rows.
  weight table(device, 30522, shape.hidden, 5, true);
  memory[0].x = tensor(tokens, shape.hidden, 6, 1.0F);
  const auto heads = shape_of(offsets, shape, p);
  const onoma::dropout_spec drop{p, 18};
  onoma::adamw_step<float> step;
  step.learning_rate = 1e-5F;
  step.bias_correction1 = 0.1;
  step.bias_correction2 = 0.001;
  double norm = 0.0;
  const auto run = [&] {
    for (std::size_t i = 0; i < layers.size(); ++i) {
      forward_layer(device, layers[i], memory[i], heads, drop, true,
                    i + 1 < layers.size() ? memory[i + 1].x.view() : last.view());
    }
    dy.values = seed.values;
    for (std::size_t i = layers.size(); i-- > 0;) {
      backward_layer(device, layers[i], memory[i], heads, drop, dy.view(), dh.view(), dinner.view(),
                     dqkv.view());
    }
    const auto each = [&](auto&& f) {
      for (auto& w : layers) f(w.qkv), f(w.output), f(w.expand), f(w.contract);
    };
    norm = device.squared_norm(table.gradient.flat());
    each([&](weight& w) { norm += device.squared_norm(w.gradient.flat()); });
    const auto update = [&](weight& w) {
      device.adamw(step, w.value.view(), w.gradient.view(), w.moment1.view(), w.moment2.view(),
                   w.packed);
    };
    device.adamw(step, table.value.flat(), table.gradient.flat(), table.moment1.flat(),
                 table.moment2.flat());
    each(update);
  };
  run();
  for (auto _ : state) run();
  benchmark::DoNotOptimize(norm);
  count_flops(state, 3.0 * forward_flops(shape, offsets));
  state.counters["tokens/s"] = benchmark::Counter(static_cast<double>(tokens * state.iterations()),
                                                  benchmark::Counter::kIsRate);
}

BENCHMARK(forward)
    ->ArgNames({"model", "sequences", "tokens", "threads"})
    ->ArgsProduct({{0, 1}, {1}, {16, 128}, {1, 2}})
    ->Args({0, 16, 128, 2})
    ->Args({0, 4, 512, 2})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(training_step)
    ->ArgNames({"dropout", "threads"})
    ->ArgsProduct({{0, 1}, {1, 2}})
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
