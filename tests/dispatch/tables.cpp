/// The kernels of each instruction set that this machine has against those of the baseline: random
/// shapes, tails in every direction, operands at any alignment.
#include "support/compare.hpp"
#include "support/random.hpp"

#include <onoma/backend/cpu/backend.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <string>
#include <utility>
#include <vector>

namespace test {
namespace {

using onoma::activation;
using onoma::kernel_table;
using onoma::mat;
using onoma::vec;

std::vector<const kernel_table*> available() {
  const auto& found = onoma::find_dispatched_kernels();
  return {found.available, found.available + found.count};
}

/// Runs `f(baseline backend, other backend)` for every other instruction set.
template <class F>
void against_baseline(F f) {
  const auto tables = available();
  for (std::size_t i = 1; i < tables.size(); ++i) {
    CAPTURE(tables[i]->name);
    onoma::cpu_backend baseline({}, *tables[0]);
    onoma::cpu_backend other({}, *tables[i]);
    f(baseline, other);
  }
}

/// A matrix that begins `shift` floats behind an allocation's start, rows with a gap: no row is
/// aligned to anything.
struct unaligned {
  index_t shift;
  matrix<float> data;

  unaligned(generator& g, index_t rows, index_t cols)
      : shift(g.between(0, 5)),
        data(matrix<float>::random(g, rows, cols + shift, g.between(0, 3))) {}
  [[nodiscard]] mat<float> view() { return data.view().cols_slice(shift, data.cols - shift); }
  [[nodiscard]] mat<const float> view() const {
    return data.view().cols_slice(shift, data.cols - shift);
  }
};

/// Both results lie within `tolerance` of the true one, so that they may differ by twice as much.
/// Elements outside the views are equal from the start and must stay so: they are compared as well.
std::string differ(const unaligned& found, const unaligned& expected, double tolerance) {
  return difference(found.data.data, expected.data.data, 2.0 * tolerance, 1.0);
}
std::string differ(const std::vector<float>& found, const std::vector<float>& expected,
                   double tolerance) {
  return difference(found, expected, 2.0 * tolerance, 1.0);
}

template <class T>
vec<T> all(std::vector<T>& v) {
  return {v.data(), static_cast<index_t>(v.size())};
}
template <class T>
vec<const T> all(const std::vector<T>& v) {
  return {v.data(), static_cast<index_t>(v.size())};
}

constexpr int rounds = 25;

}  // namespace

TEST_CASE("the instruction sets of this machine are found") {
  std::vector<std::string> names;
  for (const auto* table : available()) names.emplace_back(table->name);
#if defined(__x86_64__)
  // An independent answer: the compiler's run-time library.
  __builtin_cpu_init();
  std::vector<std::string> expected = {"sse2"};
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) expected.push_back("avx2");
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl")) {
    expected.push_back("avx512");
  }
  // Tiles: the processor has them and the kernel, which may refuse them, says so.
  std::ifstream file("/proc/cpuinfo");
  const std::string flags{std::istreambuf_iterator<char>(file), {}};
  if (flags.find(" amx_bf16") != std::string::npos && names.back() == "amx") {
    expected.push_back("amx");
  }
  CHECK(names == expected);
#else
  CHECK(names == std::vector<std::string>{"neon"});
#endif
}

TEST_CASE("unforced, the best instruction set is active") {
  const auto& found = onoma::find_dispatched_kernels();
  if (found.forced[0] == 0) CHECK(&onoma::default_kernels() == available().back());
  CHECK(&onoma::cpu_backend{}.kernels() == &onoma::default_kernels());
}

TEST_CASE("products of every instruction set agree") {
  against_baseline([](onoma::cpu_backend& a, onoma::cpu_backend& b) {
    generator g(11);
    for (int round = 0; round < rounds; ++round) {
      const index_t tokens = g.between(1, 70);
      const index_t in = g.between(1, 150) * (round % 5 == 0 ? 4 : 1);  // more than one depth block
      const index_t out = g.between(1, 150);
      INFO("tokens " << tokens << " in " << in << " out " << out);
      const unaligned x(g, tokens, in);
      const unaligned w(g, out, in);
      const unaligned dy(g, tokens, out);
      const auto bias = g.normals<float>(out);
      auto packed_a = a.make_packed(out, in, true);
      auto packed_b = b.make_packed(out, in, true);
      a.pack(w.view(), packed_a);
      b.pack(w.view(), packed_b);
      unaligned ya(g, tokens, out);
      unaligned yb = ya;
      a.linear(x.view(), packed_a, all(bias), ya.view());
      b.linear(x.view(), packed_b, all(bias), yb.view());
      CHECK(differ(yb, ya, sum_tolerance(in)) == "");
      unaligned prea = ya;
      unaligned preb = ya;
      const auto function = static_cast<activation>(round % 3);
      a.linear_activation(x.view(), packed_a, all(bias), function, prea.view(), ya.view());
      b.linear_activation(x.view(), packed_b, all(bias), function, preb.view(), yb.view());
      CHECK(differ(preb, prea, sum_tolerance(in)) == "");
      CHECK(differ(yb, ya, sum_tolerance(in) + 1e-6) == "");  // and GELU's own error, 5e-7
      unaligned dprea = dy;
      unaligned dpreb = dy;
      for (auto [backend, d] : {std::pair{&a, &dprea}, std::pair{&b, &dpreb}}) {
        backend->kernels().activation_backward(function, tokens, out, prea.view().data,
                                               prea.view().stride, d->view().data, d->view().stride);
      }
      // The bound of the tanh form's derivative, times dy, which stays below 4.
      CHECK(differ(dpreb, dprea, 4 * 2.5e-6) == "");
      const unaligned at(g, tokens, in);
      unaligned da(g, tokens, in);
      unaligned db = da;
      a.linear_dx(dy.view(), packed_a, function, at.view(), da.view());
      b.linear_dx(dy.view(), packed_b, function, at.view(), db.view());
      // The bound of the tanh form's derivative on top of the sum's.
      CHECK(differ(db, da, 1.13 * sum_tolerance(out) + 2.5e-6) == "");
      unaligned dxa(g, tokens, in);
      unaligned dxb = dxa;
      a.linear_dx(dy.view(), packed_a, onoma::add, dxa.view());
      b.linear_dx(dy.view(), packed_b, onoma::add, dxb.view());
      CHECK(differ(dxb, dxa, sum_tolerance(out)) == "");
      unaligned dwa(g, out, in);
      unaligned dwb = dwa;
      auto dba = g.normals<float>(out);
      auto dbb = dba;
      a.linear_dw(x.view(), dy.view(), dwa.view(), all(dba));
      b.linear_dw(x.view(), dy.view(), dwb.view(), all(dbb));
      CHECK(differ(dwb, dwa, sum_tolerance(tokens)) == "");
      CHECK(differ(dbb, dba, sum_tolerance(tokens)) == "");
    }
  });
}

TEST_CASE("norms, dropout and embeddings of every instruction set agree") {
  against_baseline([](onoma::cpu_backend& a, onoma::cpu_backend& b) {
    generator g(12);
    for (int round = 0; round < rounds; ++round) {
      const index_t tokens = g.between(1, 40);
      const index_t hidden = g.between(2, 200);
      INFO("tokens " << tokens << " hidden " << hidden);
      const onoma::dropout_spec spec{round % 2 == 0 ? 0.3F : 0.0F, 99};
      unaligned xa(g, tokens, hidden);
      unaligned xb = xa;
      a.dropout(xa.view(), spec);
      b.dropout(xb.view(), spec);
      CHECK(xa.data.data == xb.data.data);  // one product: no rounding differs

      const unaligned residual(g, tokens, hidden);
      const auto gamma = g.normals<float>(hidden);
      const auto beta = g.normals<float>(hidden);
      unaligned ya(g, tokens, hidden);
      unaligned yb = ya;
      std::vector<float> mean(static_cast<std::size_t>(tokens));
      std::vector<float> r(mean.size());
      auto mean_b = mean;
      auto r_b = r;
      const float eps = 1e-3F;  // two columns may be nearly equal: bounds 1 / stddev
      const onoma::layer_norm_weights<float> weights{all(std::as_const(gamma)),
                                                     all(std::as_const(beta)), eps};
      a.add_norm(xa.view(), residual.view(), spec, weights, ya.view(), {all(mean), all(r)});
      b.add_norm(xb.view(), residual.view(), spec, weights, yb.view(), {all(mean_b), all(r_b)});
      const double tolerance = 4 * sum_tolerance(hidden);  // two sums, a root, a product
      CHECK(differ(xb, xa, 1e-6) == "");
      CHECK(differ(yb, ya, tolerance) == "");
      CHECK(differ(mean_b, mean, tolerance) == "");
      CHECK(differ(r_b, r, tolerance) == "");

      const unaligned dy(g, tokens, hidden);
      unaligned dza(g, tokens, hidden);
      unaligned dzb = dza;
      unaligned dxa = dza;
      unaligned dxb = dza;
      auto dgamma = g.normals<float>(hidden);
      auto dbeta = g.normals<float>(hidden);
      auto dgamma_b = dgamma;
      auto dbeta_b = dbeta;
      a.add_norm_backward(xa.view(), {all(mean), all(r)}, weights, dy.view(), spec, onoma::set,
                          dza.view(), dxa.view(), {all(dgamma), all(dbeta)});
      b.add_norm_backward(xa.view(), {all(mean), all(r)}, weights, dy.view(), spec, onoma::set,
                          dzb.view(), dxb.view(), {all(dgamma_b), all(dbeta_b)});
      CHECK(differ(dzb, dza, tolerance) == "");
      CHECK(differ(dxb, dxa, tolerance) == "");
      CHECK(differ(dgamma_b, dgamma, tolerance + sum_tolerance(tokens)) == "");
      CHECK(differ(dbeta_b, dbeta, tolerance + sum_tolerance(tokens)) == "");

      const unaligned word(g, 20, hidden);
      const unaligned position(g, 40, hidden);
      const unaligned type(g, 2, hidden);
      std::vector<std::int32_t> ids;
      std::vector<std::int32_t> places;
      for (index_t n = 0; n < tokens; ++n) {
        ids.push_back(static_cast<std::int32_t>(g.between(0, 19)));
        places.push_back(static_cast<std::int32_t>(n));
      }
      const onoma::embedding_rows rows{all(std::as_const(ids)), all(std::as_const(places)), {}};
      const bool typed = round % 3 != 0;
      const onoma::embedding_tables<const float> tables{
          word.view(), position.view(), typed ? type.view() : mat<const float>{}};
      a.embed(rows, tables, ya.view());
      b.embed(rows, tables, yb.view());
      CHECK(ya.data.data == yb.data.data);  // the same additions in the same order
      unaligned dword = word;
      unaligned dposition = position;
      unaligned dtype = type;
      unaligned dword_b = word;
      unaligned dposition_b = position;
      unaligned dtype_b = type;
      a.embed_backward(rows, dy.view(),
                       {{dword.view(), {}}, {dposition.view(), {}}, {dtype.view(), {}}});
      b.embed_backward(rows, dy.view(),
                       {{dword_b.view(), {}}, {dposition_b.view(), {}}, {dtype_b.view(), {}}});
      CHECK(dword.data.data == dword_b.data.data);
      CHECK(dposition.data.data == dposition_b.data.data);
      CHECK(dtype.data.data == dtype_b.data.data);
    }
  });
}

TEST_CASE("attention of every instruction set agrees") {
  against_baseline([](onoma::cpu_backend& a, onoma::cpu_backend& b) {
    generator g(13);
    for (int round = 0; round < rounds; ++round) {
      const index_t heads = g.between(1, 4);
      const index_t width = round % 2 == 0 ? 8 * g.between(1, 8) : g.between(1, 70);
      std::vector<index_t> lengths;
      for (index_t i = g.between(1, 3); i > 0; --i) lengths.push_back(g.between(1, 140));
      const auto offsets = offsets_of(lengths);
      const index_t tokens = offsets.back();
      INFO("tokens " << tokens << " heads " << heads << " width " << width);
      const auto batch = onoma::sequences::of(all(offsets));
      const onoma::attention_shape<float> shape{
          .queries = batch,
          .keys = batch,
          .heads = heads,
          .kv_heads = heads,
          .scale = 1.0F / std::sqrt(static_cast<float>(width)),
          .reach = round % 4 == 1 ? onoma::attention_reach::window(9) : onoma::attention_reach{},
          .dropout = {round % 3 == 0 ? 0.2F : 0.0F, 5}};
      const unaligned qkv(g, tokens, 3 * heads * width);
      unaligned out(g, tokens, heads * width);
      unaligned out_b = out;
      unaligned lse(g, heads, tokens);
      unaligned lse_b = lse;
      const index_t hidden = heads * width;
      const auto part = [hidden](auto all, index_t i) { return all.cols_slice(i * hidden, hidden); };
      const onoma::attention_operands<float> operands{part(qkv.view(), 0), part(qkv.view(), 1),
                                                      part(qkv.view(), 2)};
      a.attention(operands, shape, {out.view(), lse.view()});
      b.attention(operands, shape, {out_b.view(), lse_b.view()});
      // Scores reach 10: an error of a few eps there is the relative error of a probability.
      const double tolerance = 10.0 * sum_tolerance(140);
      CHECK(differ(out_b, out, tolerance) == "");
      CHECK(differ(lse_b, lse, tolerance) == "");
      const unaligned dout(g, tokens, heads * width);
      unaligned dqkv(g, tokens, 3 * heads * width);
      unaligned dqkv_b = dqkv;
      const onoma::attention_result<const float> result{out.view(), lse.view()};
      for (const auto& [backend, d] : {std::pair{&a, dqkv.view()}, std::pair{&b, dqkv_b.view()}}) {
        backend->attention_backward(operands, shape, result, dout.view(),
                                    {part(d, 0), part(d, 1), part(d, 2)});
      }
      CHECK(differ(dqkv_b, dqkv, tolerance) == "");
    }
  });
}

TEST_CASE("the optimizer of every instruction set agrees") {
  against_baseline([](onoma::cpu_backend& a, onoma::cpu_backend& b) {
    generator g(14);
    for (const index_t size : {1, 7, 16, 100, 16385, 40001}) {
      auto w = g.normals<float>(size);
      const auto gradient = g.normals<float>(size);
      auto m = g.normals<float>(size, 0.1F);
      auto v = g.normals<float>(size, 0.1F);
      for (auto& value : v) value *= value;
      auto w_b = w;
      auto m_b = m;
      auto v_b = v;
      CHECK(a.squared_norm(all(gradient)) == b.squared_norm(all(gradient)));  // specified order
      onoma::adamw_step<float> step;
      step.learning_rate = 0.01F;
      step.weight_decay = 0.1F;
      step.bias_correction1 = 0.3;
      step.bias_correction2 = 0.01;
      auto ga = gradient;
      auto gb = gradient;
      a.adamw(step, all(w), all(ga), all(m), all(v));
      b.adamw(step, all(w_b), all(gb), all(m_b), all(v_b));
      CHECK(differ(w_b, w, 2e-6) == "");  // a handful of operations, one rounding each
      CHECK(differ(m_b, m, 1e-6) == "");
      CHECK(differ(v_b, v, 1e-6) == "");
      CHECK(gb == std::vector<float>(gb.size(), 0.0F));
    }
  });
}

}  // namespace test
