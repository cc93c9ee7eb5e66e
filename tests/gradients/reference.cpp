/// Every backward of the specification against derivatives that dual numbers carry through its forward.
#include "support/compare.hpp"
#include "support/dual.hpp"
#include "support/random.hpp"

#include <onoma/kernels/ref/activation.hpp>
#include <onoma/kernels/ref/attention.hpp>
#include <onoma/kernels/ref/dropout.hpp>
#include <onoma/kernels/ref/embedding.hpp>
#include <onoma/kernels/ref/gate.hpp>
#include <onoma/kernels/ref/linear.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/kernels/ref/norm.hpp>
#include <onoma/kernels/ref/rotary.hpp>

#include <doctest/doctest.h>

#include <functional>
#include <iterator>
#include <type_traits>
#include <utility>
#include <vector>

namespace test::reference_tests {
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
mat<const T> as_mat(const std::vector<T>& v, index_t rows, index_t cols) {
  return {v.data(), rows, cols};
}
template <class T>
mat<T> as_mat(std::vector<T>& v, index_t rows, index_t cols) {
  return {v.data(), rows, cols};
}
template <class T>
vec<const T> as_vec(const std::vector<T>& v) {
  return {v.data(), static_cast<index_t>(v.size())};
}
template <class T>
vec<T> as_vec(std::vector<T>& v) {
  return {v.data(), static_cast<index_t>(v.size())};
}

values random_values(generator& g, index_t n) { return g.normals<double>(n); }

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
  const index_t n = 5, k = 7, m = 4;
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

namespace {

template <template <class> class Weights, class T>
Weights<T> weights(vec<const T> gamma, vec<const T> beta, T eps) {
  if constexpr (std::is_same_v<Weights<T>, onoma::layer_norm_weights<T>>) {
    return {gamma, beta, eps};
  } else {
    return {gamma, eps};
  }
}

/// Shapes, operands and gradients of one norm; what it computes, and what duals say.
template <template <class> class Weights>
void check_norm(float p, bool with_residual, bool with_beta, bool accumulate) {
  INFO("p " << p << " residual " << with_residual << " beta " << with_beta << " add "
            << accumulate);
  generator g(3);
  const index_t n = 4, h = 9;
  const auto x = random_values(g, n * h);
  const auto residual = with_residual ? random_values(g, n * h) : values{};
  const auto gamma = random_values(g, h);
  const auto beta = with_beta ? random_values(g, h) : values{};
  const auto dy = random_values(g, n * h);
  const onoma::dropout_spec spec{p, 5};
  const auto residual_of = [&](const auto& v) {
    return v.empty() ? decltype(as_mat(v, n, h)){} : as_mat(v, n, h);
  };
  const auto beta_of = [](const auto& v) { return v.empty() ? decltype(as_vec(v)){} : as_vec(v); };
  const auto forward = [&](duals xi, const duals& ri, const duals& gi, const duals& bi) {
    duals y(xi.size());
    onoma::ref::add_norm(as_mat(xi, n, h), residual_of(ri), spec,
                         weights<Weights>(as_vec(gi), beta_of(bi), dual(1e-5)), as_mat(y, n, h),
                         onoma::norm_statistics<dual>{});
    return y;
  };
  auto z = x;
  values y(x.size());
  values mean(static_cast<std::size_t>(n));
  values r(static_cast<std::size_t>(n));
  const auto w = weights<Weights>(as_vec(gamma), beta_of(beta), 1e-5);
  onoma::ref::add_norm(as_mat(z, n, h), residual_of(residual), spec, w, as_mat(y, n, h),
                       onoma::norm_statistics<double>{as_vec(mean), as_vec(r)});
  auto dz = accumulate ? random_values(g, n * h) : values(x.size());
  const auto before = dz;
  values dx(x.size());
  values dgamma(gamma.size(), 0.0);
  values dbeta(beta.size(), 0.0);
  onoma::ref::add_norm_backward(
      as_mat(std::as_const(z), n, h), onoma::norm_statistics<double>{as_vec(mean), as_vec(r)}, w,
      as_mat(dy, n, h), spec,
      onoma::ref::add_norm_targets<double>{accumulate, as_mat(dz, n, h), as_mat(dx, n, h)},
      onoma::norm_gradients<double>{as_vec(dgamma), with_beta ? as_vec(dbeta) : vec<double>{}});
  const auto x_ = lift(x), r_ = lift(residual), g_ = lift(gamma), b_ = lift(beta);
  // What was in dz before passes through the same mask on its way to x.
  auto expected_dx = derivative(x, dy, [&](const duals& v) { return forward(v, r_, g_, b_); });
  if (accumulate) {
    for (std::size_t i = 0; i < dx.size(); ++i) {
      expected_dx[i] += onoma::ref::dropped(spec, static_cast<index_t>(i), before[i]);
      dz[i] -= before[i];
    }
  }
  CHECK(difference(dx, expected_dx, bound) == "");
  if (with_residual) {
    CHECK(difference(
              dz, derivative(residual, dy, [&](const duals& v) { return forward(x_, v, g_, b_); }),
              bound) == "");
  }
  CHECK(difference(dgamma,
                   derivative(gamma, dy, [&](const duals& v) { return forward(x_, r_, v, b_); }),
                   bound) == "");
  if (with_beta) {
    CHECK(difference(dbeta,
                     derivative(beta, dy, [&](const duals& v) { return forward(x_, r_, g_, v); }),
                     bound) == "");
  }
}

}  // namespace

TEST_CASE("add, dropout and normalise") {
  for (const float p : {0.0F, 0.3F}) {
    for (const bool residual : {true, false}) {
      for (const bool accumulate : {true, false}) {
        for (const bool beta : {true, false}) {
          check_norm<onoma::layer_norm_weights>(p, residual, beta, accumulate);
        }
        check_norm<onoma::rms_norm_weights>(p, residual, false, accumulate);
      }
    }
  }
}

TEST_CASE("gates") {
  generator g(7);
  const index_t n = 5, f = 7;
  const auto pre = g.normals<double>(n * 2 * f, 2.0F);
  const auto dy = random_values(g, n * f);
  for (const auto act : {activation::gelu, activation::gelu_tanh, activation::relu}) {
    values dpre(pre.size());
    onoma::ref::gate_backward(as_mat(pre, n, 2 * f), act, as_mat(dy, n, f), as_mat(dpre, n, 2 * f));
    CHECK(difference(dpre,
                     derivative(pre, dy,
                                [&](const duals& v) {
                                  duals y(dy.size());
                                  onoma::ref::gate(as_mat(v, n, 2 * f), act, as_mat(y, n, f));
                                  return y;
                                }),
                     bound) == "");
  }
}

TEST_CASE("rotary positions") {
  generator g(8);
  const index_t n = 6, heads = 3, d = 8;
  const std::vector<std::int32_t> positions = {0, 1, 2, 17, 8191, 3};
  values cosine(static_cast<std::size_t>(n * d / 2)), sine(cosine.size());
  onoma::ref::rotary(
      as_vec(positions), 160000.0,
      onoma::rotary_angles<double>{as_mat(cosine, n, d / 2), as_mat(sine, n, d / 2)});
  const duals cosine_ = lift(cosine), sine_ = lift(sine);
  const auto x = random_values(g, n * heads * d);
  const auto dy = random_values(g, n * heads * d);
  auto dx = dy;
  onoma::ref::rotate_backward(as_mat(dx, n, heads * d), onoma::rotary_angles<const double>{
                                                            as_mat(std::as_const(cosine), n, d / 2),
                                                            as_mat(std::as_const(sine), n, d / 2)});
  CHECK(difference(dx,
                   derivative(x, dy,
                              [&](duals v) {
                                onoma::ref::rotate(
                                    as_mat(v, n, heads * d),
                                    onoma::rotary_angles<const dual>{as_mat(cosine_, n, d / 2),
                                                                     as_mat(sine_, n, d / 2)});
                                return v;
                              }),
                   bound) == "");
}

namespace {

struct attention_case {
  std::vector<index_t> queries, keys;
  index_t heads, kv_heads;
  onoma::attention_reach reach;
  float dropout;
  bool bias;
};

/// The operands one behind the other, so that duals can be carried through all of them.
struct attention_layout {
  const attention_case& c;
  index_t width = 4;
  std::vector<std::int32_t> query_offsets = offsets_of(c.queries);
  std::vector<std::int32_t> key_offsets = offsets_of(c.keys);
  index_t n = query_offsets.back();
  index_t s = key_offsets.back();
  index_t buckets = onoma::relative_position_buckets;

  [[nodiscard]] index_t size() const {
    return n * c.heads * width + 2 * s * c.kv_heads * width + (c.bias ? buckets * c.heads : 0);
  }
  template <class T>
  [[nodiscard]] onoma::attention_operands<T> operands(const std::vector<T>& all) const {
    const T* k = all.data() + n * c.heads * width;
    const T* v = k + s * c.kv_heads * width;
    return {
        {all.data(), n, c.heads * width}, {k, s, c.kv_heads * width}, {v, s, c.kv_heads * width}};
  }
  template <class T>
  [[nodiscard]] onoma::attention_gradients<T> gradients(std::vector<T>& all) const {
    T* k = all.data() + n * c.heads * width;
    T* v = k + s * c.kv_heads * width;
    T* bias = v + s * c.kv_heads * width;
    return {{all.data(), n, c.heads * width},
            {k, s, c.kv_heads * width},
            {v, s, c.kv_heads * width},
            c.bias ? mat<T>(bias, buckets, c.heads) : mat<T>{}};
  }
  template <class T>
  [[nodiscard]] onoma::attention_shape<T> shape(const std::vector<T>& all) const {
    const T* bias = all.data() + n * c.heads * width + 2 * s * c.kv_heads * width;
    return {onoma::sequences::of(as_vec(query_offsets)),
            onoma::sequences::of(as_vec(key_offsets)),
            c.heads,
            c.kv_heads,
            T(0.5),
            c.reach,
            {c.dropout, 9},
            c.bias ? mat<const T>(bias, buckets, c.heads) : mat<const T>{}};
  }
};

void check_attention(const attention_case& c) {
  generator g(4);
  const attention_layout layout{c};
  const auto all = random_values(g, layout.size());
  const index_t columns = c.heads * layout.width;
  const auto dout = random_values(g, layout.n * columns);
  values out(dout.size());
  values lse(static_cast<std::size_t>(c.heads * layout.n));
  onoma::ref::attention(layout.operands(all), layout.shape(all),
                        {as_mat(out, layout.n, columns), as_mat(lse, c.heads, layout.n)});
  values d(all.size(), 0.0);
  onoma::ref::attention_backward(layout.operands(all), layout.shape(all),
                                 {as_mat(std::as_const(out), layout.n, columns),
                                  as_mat(std::as_const(lse), c.heads, layout.n)},
                                 as_mat(dout, layout.n, columns), layout.gradients(d));
  CHECK(difference(d,
                   derivative(all, dout,
                              [&](const duals& v) {
                                duals y(dout.size());
                                onoma::ref::attention(layout.operands(v), layout.shape(v),
                                                      {as_mat(y, layout.n, columns), {}});
                                return y;
                              }),
                   bound) == "");
}

}  // namespace

TEST_CASE("attention") {
  using onoma::attention_reach;
  // Distances up to 24 reach buckets of the bias that several distances share.
  const std::vector<index_t> lengths = {3, 1, 6}, long_ones = {2, 25};
  const attention_case cases[] = {
      {lengths, lengths, 2, 2, {}, 0.0F, false},
      {lengths, lengths, 2, 2, {}, 0.4F, false},
      {long_ones, long_ones, 2, 2, {}, 0.3F, true},
      {lengths, lengths, 4, 2, {}, 0.4F, false},
      {lengths, lengths, 3, 1, attention_reach::causal(), 0.3F, true},
      {lengths, lengths, 2, 2, attention_reach::window(1), 0.3F, false},
      {long_ones, long_ones, 2, 1, {3, 0}, 0.3F, true},
      {{1, 2, 0}, {4, 2, 3}, 2, 1, attention_reach::causal(), 0.3F, true},
      {{2, 3}, {9, 3}, 2, 2, attention_reach::window(2), 0.0F, false},
  };
  for (std::size_t i = 0; i < std::size(cases); ++i) {
    INFO("case " << i);
    check_attention(cases[i]);
  }
}

TEST_CASE("embedding, dropout, cross-entropy") {
  generator g(5);
  const index_t n = 6, h = 5;
  const std::vector<std::int32_t> words = {2, 0, 2, 1, 3, 2};
  const std::vector<std::int32_t> positions = {0, 1, 2, 0, 1, 0};
  const auto word = random_values(g, 4 * h);
  const auto position = random_values(g, 3 * h);
  const auto type = random_values(g, 2 * h);
  const auto dy = random_values(g, n * h);
  const auto forward = [&](const duals& a, const duals& b, const duals& c) {
    duals y(static_cast<std::size_t>(n * h));
    onoma::ref::embed(
        {as_vec(words), as_vec(positions), {}},
        onoma::embedding_tables<const dual>{as_mat(a, 4, h), as_mat(b, 3, h), as_mat(c, 2, h)},
        as_mat(y, n, h));
    return y;
  };
  values dword(word.size(), 0.0), dposition(position.size(), 0.0), dtype(type.size(), 0.0);
  onoma::ref::embed_backward(
      {as_vec(words), as_vec(positions), {}}, as_mat(dy, n, h),
      onoma::embedding_gradients<double>{
          {as_mat(dword, 4, h), {}}, {as_mat(dposition, 3, h), {}}, {as_mat(dtype, 2, h), {}}});
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
  index_t count = 0;
  static_cast<void>(onoma::ref::softmax_cross_entropy<double>(
      as_mat(logits, n, h), as_vec(labels), 0.25, as_mat(dlogits, n, h), count));
  CHECK(count == 4);
  CHECK(difference(dlogits, derivative(logits, {0.25}, [&](const duals& v) {
                     index_t ignored = 0;
                     return duals{onoma::ref::softmax_cross_entropy<dual>(
                         as_mat(v, n, h), as_vec(labels), dual(1.0), mat<dual>{}, ignored)};
                   }),
                   bound) == "");

  // With weights, smoothing and focus: each alone and all together; one row is certain of its label.
  auto certain = logits;
  certain[static_cast<std::size_t>(2 * h + 4)] = 60.0;
  const auto sure = certain;
  const auto positive = [&](index_t size) {
    auto weights = random_values(g, size);
    for (auto& weight : weights) weight = std::abs(weight);
    return weights;
  };
  const values class_weights = positive(h);
  const values row_weights = positive(n);
  for (const bool weighted : {false, true}) {
    for (const double smoothing : {0.0, 0.1}) {
      for (const double focus : {0.0, 0.5, 2.0}) {
        onoma::cross_entropy_rule<double> rule;
        onoma::cross_entropy_rule<dual> dual_rule;
        rule.smoothing = dual_rule.smoothing = smoothing;
        rule.focus = dual_rule.focus = focus;
        const duals class_duals(class_weights.begin(), class_weights.end());
        const duals row_duals(row_weights.begin(), row_weights.end());
        if (weighted) {
          rule.class_weights = as_vec(class_weights);
          rule.row_weights = as_vec(row_weights);
          dual_rule.class_weights = as_vec(class_duals);
          dual_rule.row_weights = as_vec(row_duals);
        }
        const double loss = onoma::ref::softmax_cross_entropy<double>(
            as_mat(sure, n, h), as_vec(labels), rule, 0.25, as_mat(dlogits, n, h), count);
        CHECK(count == 4);
        CHECK(loss > 0.0);
        CHECK(difference(dlogits, derivative(sure, {0.25}, [&](const duals& v) {
                           index_t ignored = 0;
                           return duals{onoma::ref::softmax_cross_entropy<dual>(
                               as_mat(v, n, h), as_vec(labels), dual_rule, dual(1.0), mat<dual>{}, ignored)};
                         }),
                         bound) == "");
        if (weighted || smoothing > 0.0 || focus > 0.0) continue;
        // A rule that says nothing is the plain loss.
        CHECK(std::abs(loss - onoma::ref::softmax_cross_entropy<double>(as_mat(sure, n, h), as_vec(labels), 0.25,
                                                                        mat<double>{}, count)) <= 1e-12 * loss);
      }
    }
  }
}

}  // namespace test::reference_tests
