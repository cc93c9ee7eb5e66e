/// Every backward of the specification against derivatives that dual numbers carry through its forward.
#include "support/compare.hpp"
#include "support/dual.hpp"
#include "support/random.hpp"

#include <onoma/kernels/ref/activation.hpp>
#include <onoma/kernels/ref/attention.hpp>
#include <onoma/kernels/ref/dropout.hpp>
#include <onoma/kernels/ref/embedding.hpp>
#include <onoma/kernels/ref/linear.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/kernels/ref/norm.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <vector>

namespace test {
namespace {

using onoma::activation;
using onoma::mat;
using onoma::vec;
using values = std::vector<double>;
using duals = std::vector<dual>;

/// Duals and the backward both compute in double, in sums of a few hundred terms: 1e-10 of the
/// gradient's scale leaves five digits of room and shows any wrong term.
constexpr double bound = 1e-10;

duals lift(const values& x) { return {x.begin(), x.end()}; }

/// d(sum of weight * forward(x)) / dx, one input at a time: `forward` maps duals to duals.
values derivative(const values& x, const values& weight,
                  const std::function<duals(const duals&)>& forward) {
  values gradient;
  duals input = lift(x);
  for (auto& element : input) {
    element.slope = 1.0;
    const duals y = forward(input);
    element.slope = 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < y.size(); ++i) sum += weight[i] * y[i].slope;
    gradient.push_back(sum);
  }
  return gradient;
}

template <class T>
mat<const T> as_mat(const std::vector<T>& v, index rows, index cols) {
  return {v.data(), rows, cols};
}
template <class T>
mat<T> as_mat(std::vector<T>& v, index rows, index cols) {
  return {v.data(), rows, cols};
}
template <class T>
vec<const T> as_vec(const std::vector<T>& v) {
  return {v.data(), static_cast<index>(v.size())};
}
template <class T>
vec<T> as_vec(std::vector<T>& v) {
  return {v.data(), static_cast<index>(v.size())};
}

values random_values(generator& g, index n) { return g.normals<double>(n); }

}  // namespace

TEST_CASE("the comparison sees a wrong derivative") {
  const values x = {0.3, -1.2};
  const auto square = [](const duals& v) { return duals{v[0] * v[0], v[1] * v[1]}; };
  const auto d = derivative(x, {1.0, 1.0}, square);
  CHECK(difference(d, values{0.6, -2.4}, bound) == "");
  CHECK(difference(d, values{0.6, 2.4}, bound) != "");
}

TEST_CASE("linear") {
  generator g(1);
  const index n = 5, k = 7, m = 4;
  const auto x = random_values(g, n * k);
  const auto w = random_values(g, m * k);
  const auto b = random_values(g, m);
  const auto dy = random_values(g, n * m);
  const auto forward = [&](const duals& xi, const duals& wi, const duals& bi) {
    duals y(static_cast<std::size_t>(n * m));
    onoma::ref::linear(as_mat(xi, n, k), as_mat(wi, m, k), as_vec(bi), as_mat(y, n, m));
    return y;
  };
  auto dx = random_values(g, n * k);
  const auto before = dx;
  onoma::ref::linear_dx(as_mat(dy, n, m), as_mat(w, m, k), true, as_mat(dx, n, k));
  for (std::size_t i = 0; i < dx.size(); ++i) dx[i] -= before[i];
  CHECK(difference(dx, derivative(x, dy, [&](const duals& v) { return forward(v, lift(w), lift(b)); }),
                   bound) == "");
  onoma::ref::linear_dx(as_mat(dy, n, m), as_mat(w, m, k), false, as_mat(dx, n, k));
  CHECK(difference(dx, derivative(x, dy, [&](const duals& v) { return forward(v, lift(w), lift(b)); }),
                   bound) == "");
  values dw(w.size(), 0.0);
  values db(b.size(), 0.0);
  onoma::ref::linear_dw(as_mat(x, n, k), as_mat(dy, n, m), as_mat(dw, m, k), as_vec(db));
  CHECK(difference(dw, derivative(w, dy, [&](const duals& v) { return forward(lift(x), v, lift(b)); }),
                   bound) == "");
  CHECK(difference(db, derivative(b, dy, [&](const duals& v) { return forward(lift(x), lift(w), v); }),
                   bound) == "");
}

TEST_CASE("activations") {
  generator g(2);
  const auto pre = g.normals<double>(60, 2.0F);
  const auto dy = random_values(g, 60);
  for (const auto act : {activation::gelu, activation::gelu_tanh, activation::relu}) {
    auto d = dy;
    onoma::ref::activation_backward(act, as_mat(pre, 6, 10), as_mat(d, 6, 10));
    CHECK(difference(d, derivative(pre, dy, [&](const duals& v) {
                       duals y(v.size());
                       onoma::ref::activate(act, as_mat(v, 6, 10), as_mat(y, 6, 10));
                       return y;
                     }),
                     bound) == "");
  }
}

TEST_CASE("add, dropout and normalise") {
  generator g(3);
  const index n = 4, h = 9;
  const auto x = random_values(g, n * h);
  const auto residual = random_values(g, n * h);
  const auto gamma = random_values(g, h);
  const auto beta = random_values(g, h);
  const auto dy = random_values(g, n * h);
  for (const float p : {0.0F, 0.3F}) {
    const onoma::dropout_spec spec{p, 5};
    const auto forward = [&](duals xi, const duals& ri, const duals& gi, const duals& bi) {
      duals y(xi.size());
      onoma::ref::add_norm(as_mat(xi, n, h), as_mat(ri, n, h), spec, as_vec(gi), as_vec(bi),
                           dual(1e-5), as_mat(y, n, h), vec<dual>{}, vec<dual>{});
      return y;
    };
    auto z = x;
    values y(x.size());
    values mean(static_cast<std::size_t>(n));
    values r(static_cast<std::size_t>(n));
    onoma::ref::add_norm(as_mat(z, n, h), as_mat(residual, n, h), spec, as_vec(gamma), as_vec(beta),
                         1e-5, as_mat(y, n, h), as_vec(mean), as_vec(r));
    values dz(x.size());
    values dx(x.size());
    values dgamma(gamma.size(), 0.0);
    values dbeta(beta.size(), 0.0);
    onoma::ref::add_norm_backward(as_mat(std::as_const(z), n, h), as_vec(std::as_const(mean)),
                                  as_vec(std::as_const(r)), as_vec(gamma), as_mat(dy, n, h), spec,
                                  as_mat(dz, n, h), as_mat(dx, n, h), as_vec(dgamma), as_vec(dbeta));
    const auto x_ = lift(x), r_ = lift(residual), g_ = lift(gamma), b_ = lift(beta);
    CHECK(difference(dx, derivative(x, dy, [&](const duals& v) { return forward(v, r_, g_, b_); }),
                     bound) == "");
    CHECK(difference(dz, derivative(residual, dy,
                                    [&](const duals& v) { return forward(x_, v, g_, b_); }),
                     bound) == "");
    CHECK(difference(dgamma, derivative(gamma, dy,
                                        [&](const duals& v) { return forward(x_, r_, v, b_); }),
                     bound) == "");
    CHECK(difference(dbeta, derivative(beta, dy,
                                       [&](const duals& v) { return forward(x_, r_, g_, v); }),
                     bound) == "");
  }
}

TEST_CASE("attention") {
  generator g(4);
  const auto offsets = offsets_of({3, 1, 6});
  const index n = 10, heads = 2, h = 8;
  const auto batch = onoma::sequences::of(as_vec(offsets));
  const auto qkv = random_values(g, n * 3 * h);
  const auto dout = random_values(g, n * h);
  for (const float p : {0.0F, 0.4F}) {
    const onoma::dropout_spec spec{p, 9};
    values out(static_cast<std::size_t>(n * h));
    values lse(static_cast<std::size_t>(heads * n));
    onoma::ref::attention(as_mat(qkv, n, 3 * h), batch, heads, 0.5, spec, as_mat(out, n, h),
                          as_mat(lse, heads, n));
    values dqkv(qkv.size());
    onoma::ref::attention_backward(as_mat(qkv, n, 3 * h), batch, heads, 0.5, spec,
                                   as_mat(std::as_const(out), n, h),
                                   as_mat(std::as_const(lse), heads, n), as_mat(dout, n, h),
                                   as_mat(dqkv, n, 3 * h));
    CHECK(difference(dqkv, derivative(qkv, dout, [&](const duals& v) {
                       duals y(static_cast<std::size_t>(n * h));
                       onoma::ref::attention(as_mat(v, n, 3 * h), batch, heads, dual(0.5), spec,
                                             as_mat(y, n, h), mat<dual>{});
                       return y;
                     }),
                     bound) == "");
  }
}

TEST_CASE("attention with a bias of relative positions") {
  generator g(6);
  // Distances up to 24 reach buckets that several distances share.
  const auto offsets = offsets_of({2, 25});
  const index n = 27, heads = 2, h = 4, buckets = onoma::relative_position_buckets;
  const auto batch = onoma::sequences::of(as_vec(offsets));
  const auto qkv = random_values(g, n * 3 * h);
  const auto bias = random_values(g, buckets * heads);
  const auto dout = random_values(g, n * h);
  const onoma::dropout_spec spec{0.3F, 9};
  const auto forward = [&](const duals& qkv_, const duals& bias_) {
    duals y(static_cast<std::size_t>(n * h));
    onoma::ref::attention(as_mat(qkv_, n, 3 * h), batch, heads, dual(0.5), spec, as_mat(y, n, h),
                          mat<dual>{}, as_mat(bias_, buckets, heads));
    return y;
  };
  values out(static_cast<std::size_t>(n * h));
  values lse(static_cast<std::size_t>(heads * n));
  onoma::ref::attention(as_mat(qkv, n, 3 * h), batch, heads, 0.5, spec, as_mat(out, n, h),
                        as_mat(lse, heads, n), as_mat(bias, buckets, heads));
  values dqkv(qkv.size());
  values dbias(bias.size(), 0.0);
  onoma::ref::attention_backward(as_mat(qkv, n, 3 * h), batch, heads, 0.5, spec,
                                 as_mat(std::as_const(out), n, h),
                                 as_mat(std::as_const(lse), heads, n), as_mat(dout, n, h),
                                 as_mat(dqkv, n, 3 * h), as_mat(bias, buckets, heads),
                                 as_mat(dbias, buckets, heads));
  CHECK(difference(dqkv,
                   derivative(qkv, dout, [&](const duals& v) { return forward(v, lift(bias)); }),
                   bound) == "");
  CHECK(difference(dbias,
                   derivative(bias, dout, [&](const duals& v) { return forward(lift(qkv), v); }),
                   bound) == "");
}

TEST_CASE("embedding, dropout, cross-entropy") {
  generator g(5);
  const index n = 6, h = 5;
  const std::vector<std::int32_t> words = {2, 0, 2, 1, 3, 2};
  const std::vector<std::int32_t> positions = {0, 1, 2, 0, 1, 0};
  const auto word = random_values(g, 4 * h);
  const auto position = random_values(g, 3 * h);
  const auto type = random_values(g, 2 * h);
  const auto dy = random_values(g, n * h);
  const auto forward = [&](const duals& a, const duals& b, const duals& c) {
    duals y(static_cast<std::size_t>(n * h));
    onoma::ref::embed(as_vec(words), as_vec(positions), {}, as_mat(a, 4, h), as_mat(b, 3, h),
                      as_mat(c, 2, h), as_mat(y, n, h));
    return y;
  };
  values dword(word.size(), 0.0), dposition(position.size(), 0.0), dtype(type.size(), 0.0);
  onoma::ref::embed_backward(as_vec(words), as_vec(positions), {}, as_mat(dy, n, h),
                             as_mat(dword, 4, h), as_mat(dposition, 3, h), as_mat(dtype, 2, h));
  const auto w = lift(word), p = lift(position), t = lift(type);
  CHECK(difference(dword, derivative(word, dy, [&](const duals& v) { return forward(v, p, t); }),
                   bound) == "");
  CHECK(difference(dposition,
                   derivative(position, dy, [&](const duals& v) { return forward(w, v, t); }),
                   bound) == "");
  CHECK(difference(dtype, derivative(type, dy, [&](const duals& v) { return forward(w, p, v); }),
                   bound) == "");

  auto d = dy;
  onoma::ref::dropout(as_mat(d, n, h), {0.5F, 3});
  CHECK(difference(d, derivative(random_values(g, n * h), dy, [&](duals v) {
                     onoma::ref::dropout(as_mat(v, n, h), {0.5F, 3});
                     return v;
                   }),
                   bound) == "");

  const auto logits = g.normals<double>(n * h, 3.0F);
  const std::vector<std::int32_t> labels = {0, -100, 4, 2, -100, 1};
  values dlogits(logits.size());
  index count = 0;
  static_cast<void>(onoma::ref::softmax_cross_entropy<double>(
      as_mat(logits, n, h), as_vec(labels), 0.25, as_mat(dlogits, n, h), count));
  CHECK(count == 4);
  CHECK(difference(dlogits, derivative(logits, {0.25}, [&](const duals& v) {
                     index ignored = 0;
                     return duals{onoma::ref::softmax_cross_entropy<dual>(
                         as_mat(v, n, h), as_vec(labels), dual(1.0), mat<dual>{}, ignored)};
                   }),
                   bound) == "");
}

}  // namespace test
