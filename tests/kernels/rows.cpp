/// Norms, gates, rotary positions, softmax and loss against the specification in double.
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

namespace test::rows_tests {
namespace {

using onoma::activation;
using onoma::mat;
using onoma::vec;

using reference = onoma::reference_backend<double>;

/// The weights of one norm and their gradients. A bias that is empty is none.
template <template <class> class Weights, class T>
struct norm_data {
  std::vector<T> gamma, beta, dgamma, dbeta, mean, r;

  norm_data(generator& g, index_t tokens, index_t hidden, bool with_beta)
      : gamma(g.normals<T>(hidden)),
        beta(g.normals<T>(with_beta ? hidden : 0)),
        dgamma(g.normals<T>(hidden)),
        dbeta(g.normals<T>(with_beta ? hidden : 0)),
        mean(static_cast<std::size_t>(tokens)),
        r(mean.size()) {}
  template <class U>
  explicit norm_data(const norm_data<Weights, U>& o)
      : gamma(o.gamma.begin(), o.gamma.end()),
        beta(o.beta.begin(), o.beta.end()),
        dgamma(o.dgamma.begin(), o.dgamma.end()),
        dbeta(o.dbeta.begin(), o.dbeta.end()),
        mean(o.mean.size()),
        r(o.r.size()) {}

  static constexpr bool has_mean = std::is_same_v<Weights<T>, onoma::layer_norm_weights<T>>;

  [[nodiscard]] Weights<T> weights() const {
    const T eps = static_cast<T>(1e-6F);
    if constexpr (has_mean) {
      return {view(gamma), beta.empty() ? vec<const T>{} : view(beta), eps};
    } else {
      return {view(gamma), eps};
    }
  }
  [[nodiscard]] onoma::norm_statistics<T> statistics() {
    return {has_mean ? view(mean) : vec<T>{}, view(r)};
  }
  [[nodiscard]] onoma::norm_gradients<T> gradients() {
    return {view(dgamma), dbeta.empty() ? vec<T>{} : view(dbeta)};
  }
};

struct norm_case {
  index_t tokens, hidden;
  float p;
  bool residual, beta;
};

template <template <class> class Weights>
void check_norm(const norm_case& c) {
  INFO("hidden " << c.hidden << " tokens " << c.tokens << " p " << c.p << " residual " << c.residual
                 << " beta " << c.beta);
  generator g(2);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  const onoma::dropout_spec spec{c.p, 77};
  auto x = matrix<float>::random(g, c.tokens, c.hidden, 3);
  auto xd = x.as<double>();
  const auto residual = matrix<float>::random(g, c.tokens, c.hidden, 1);
  const auto residuald = residual.as<double>();
  norm_data<Weights, float> own(g, c.tokens, c.hidden, c.beta);
  norm_data<Weights, double> ownd(own);
  matrix<float> y(c.tokens, c.hidden, 2);
  matrix<double> yd(c.tokens, c.hidden, 2);
  fast.add_norm(x.view(), c.residual ? residual.view() : mat<const float>{}, spec, own.weights(),
                y.view(), own.statistics());
  slow.add_norm(xd.view(), c.residual ? residuald.view() : mat<const double>{}, spec,
                ownd.weights(), yd.view(), ownd.statistics());
  const double tolerance = 4 * sum_tolerance(c.hidden);  // two sums, a root, a product
  CHECK(difference(x, xd, 1e-6) == "");
  CHECK(difference(y, yd, tolerance) == "");
  CHECK(y.gaps_untouched());

  const auto dy = matrix<float>::random(g, c.tokens, c.hidden);
  const auto dyd = dy.as<double>();
  auto dz = matrix<float>::random(g, c.tokens, c.hidden, 1);
  auto dzd = dz.as<double>();
  const auto before = dz;
  matrix<float> dx(c.tokens, c.hidden, 4);
  matrix<double> dxd(c.tokens, c.hidden, 4);
  const auto once = own;
  fast.add_norm_backward(std::as_const(x).view(), own.statistics(), own.weights(), dy.view(), spec,
                         onoma::add, dz.view(), dx.view(), own.gradients());
  slow.add_norm_backward(std::as_const(xd).view(), ownd.statistics(), ownd.weights(), dyd.view(),
                         spec, onoma::add, dzd.view(), dxd.view(), ownd.gradients());
  CHECK(difference(dz, dzd, tolerance) == "");
  CHECK(difference(dx, dxd, tolerance) == "");
  CHECK(dz.gaps_untouched());
  CHECK(difference(own.dgamma, ownd.dgamma, tolerance + sum_tolerance(c.tokens)) == "");
  CHECK(difference(own.dbeta, ownd.dbeta, tolerance + sum_tolerance(c.tokens)) == "");

  // Set where it was added; dz may be dy then, and dx is optional.
  auto in_place = dy;
  auto own_again = once;
  fast.add_norm_backward(std::as_const(x).view(), own_again.statistics(), own_again.weights(),
                         std::as_const(in_place).view(), spec, onoma::set, in_place.view(), {},
                         own_again.gradients());
  CHECK(own_again.dgamma == own.dgamma);
  auto sum = before;
  for (index_t n = 0; n < c.tokens; ++n) {
    for (index_t h = 0; h < c.hidden; ++h) sum.view()(n, h) += in_place.view()(n, h);
  }
  CHECK(difference(sum, dz, 1e-6) == "");
}

}  // namespace

TEST_CASE("add, dropout and normalise, and back") {
  for (const index_t hidden : {4, 16, 40, 64, 100, 384, 768}) {
    for (const index_t tokens : {1, 17, 50}) {
      for (const float p : {0.0F, 0.25F}) {
        for (const bool residual : {true, false}) {
          check_norm<onoma::layer_norm_weights>({tokens, hidden, p, residual, true});
          check_norm<onoma::layer_norm_weights>({tokens, hidden, p, residual, false});
          check_norm<onoma::rms_norm_weights>({tokens, hidden, p, residual, false});
        }
      }
    }
  }
}

TEST_CASE("gates, and back") {
  generator g(6);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  for (const index_t inner : {1, 7, 16, 100, 1152}) {
    for (const auto act : {activation::gelu, activation::gelu_tanh, activation::relu}) {
      INFO("inner " << inner << " activation " << onoma::to_string(act));
      const auto pre = matrix<float>::random(g, 21, 2 * inner, 3, 2.0F);
      const auto pred = pre.as<double>();
      matrix<float> y(21, inner, 1);
      matrix<double> yd(21, inner, 1);
      fast.gate(pre.view(), act, y.view());
      slow.gate(pred.view(), act, yd.view());
      // The activation's own error, times a gate below 7.
      CHECK(difference(y, yd, 7e-6, 1.0) == "");
      CHECK(y.gaps_untouched());
      const auto dy = matrix<float>::random(g, 21, inner, 2);
      const auto dyd = dy.as<double>();
      matrix<float> dpre(21, 2 * inner, 2);
      matrix<double> dpred(21, 2 * inner, 2);
      fast.gate_backward(pre.view(), act, dy.view(), dpre.view());
      slow.gate_backward(pred.view(), act, dyd.view(), dpred.view());
      // That of the derivative, times a gate and a gradient.
      CHECK(difference(dpre, dpred, 2.5e-5, 1.0) == "");
      CHECK(dpre.gaps_untouched());
    }
  }
}

TEST_CASE("rotary positions, and back") {
  generator g(7);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  for (const index_t width : {2, 6, 20, 32, 64, 100}) {
    INFO("width " << width);
    const index_t tokens = 37, heads = 3;
    std::vector<std::int32_t> positions;
    for (index_t n = 0; n < tokens; ++n)
      positions.push_back(static_cast<std::int32_t>(g.between(0, 8191)));
    matrix<float> cosine(tokens, width / 2, 1), sine(tokens, width / 2, 2);
    matrix<double> cosined(tokens, width / 2), sined(tokens, width / 2);
    fast.rotary(view(std::as_const(positions)), 160000.0, {cosine.view(), sine.view()});
    slow.rotary(view(std::as_const(positions)), 160000.0, {cosined.view(), sined.view()});
    // The same numbers, rounded to float.
    CHECK(cosine.values() == cosined.as<float>().values());
    CHECK(sine.values() == sined.as<float>().values());
    CHECK(cosine.gaps_untouched());
    const auto x = matrix<float>::random(g, tokens, heads * width, 5);
    auto y = x;
    auto yd = x.as<double>();
    fast.rotate(y.view(), {std::as_const(cosine).view(), std::as_const(sine).view()});
    slow.rotate(yd.view(), {std::as_const(cosined).view(), std::as_const(sined).view()});
    // Two products and a sum.
    CHECK(difference(y, yd, 4e-7) == "");
    CHECK(y.gaps_untouched());
    fast.rotate_backward(y.view(), {std::as_const(cosine).view(), std::as_const(sine).view()});
    CHECK(difference(y, x, 6e-7) == "");  // a rotation back, and its rounding
  }
}

TEST_CASE("rotary angles are those of transformers") {
  // torch, float32: 1.0 / (base ** (torch.arange(0, 64, 2) / 64)), times the position.
  CHECK(onoma::ref::rotary_frequency(0, 32, 160000.0) == 1.0F);
  CHECK(onoma::ref::rotary_frequency(1, 32, 160000.0) == 0.687656045F);
  CHECK(onoma::ref::rotary_frequency(31, 32, 160000.0) == 9.08884704e-06F);
  CHECK(onoma::ref::rotary_frequency(1, 32, 10000.0) == 0.749894202F);
  CHECK(onoma::ref::rotary_angle(8191, 0.687656045F) == 5632.5908203125);
}

TEST_CASE("softmax and cross-entropy") {
  generator g(8);
  onoma::thread_pool pool(3);
  onoma::cpu_backend alone;
  onoma::cpu_backend many(pool);
  reference slow;
  for (const index_t labels : {1, 2, 7, 16, 33, 500}) {
    for (const index_t tokens : {1, 37, 4000}) {
      INFO("labels " << labels << " tokens " << tokens);
      if (labels * tokens > 200000) continue;
      const auto logits = matrix<float>::random(g, tokens, labels, 1, 3.0F);
      const auto logitsd = logits.as<double>();
      matrix<float> y(tokens, labels, 2);
      matrix<double> yd(tokens, labels, 2);
      many.softmax(logits.view(), y.view());
      slow.softmax(logitsd.view(), yd.view());
      // exp's own error of 2 ulp, the sum's and the division's.
      CHECK(difference(y, yd, sum_tolerance(labels)) == "");
      CHECK(y.gaps_untouched());
      auto in_place = logits;
      alone.softmax(std::as_const(in_place).view(), in_place.view());
      CHECK(in_place.values() == y.values());

      std::vector<std::int32_t> targets;
      for (index_t n = 0; n < tokens; ++n) {
        targets.push_back(n % 3 == 1 ? onoma::ignored_label
                                     : static_cast<std::int32_t>(g.between(0, labels - 1)));
      }
      const auto wanted = view(std::as_const(targets));
      matrix<float> d(tokens, labels, 2);
      matrix<float> again(tokens, labels, 2);
      matrix<double> dd(tokens, labels, 2);
      const auto loss = many.softmax_cross_entropy(logits.view(), wanted, 0.5F, d.view());
      const auto lossd = slow.softmax_cross_entropy(logitsd.view(), wanted, 0.5, dd.view());
      CHECK(loss.count == lossd.count);
      // Floats of order 3, each with an error of a few ulp, summed in double.
      CHECK(std::abs(loss.sum - lossd.sum) <= 1e-6 * 3.0 * static_cast<double>(loss.count));
      CHECK(difference(d, dd, sum_tolerance(labels)) == "");
      CHECK(d.gaps_untouched());
      // The same for every number of threads, and without a gradient.
      CHECK(alone.softmax_cross_entropy(logits.view(), wanted, 0.5F, again.view()).sum == loss.sum);
      CHECK(again.data == d.data);
      CHECK(alone.softmax_cross_entropy(logits.view(), wanted, 0.5F, {}).sum == loss.sum);
    }
  }
}

TEST_CASE("a product on top of a residual") {
  generator g(9);
  onoma::thread_pool pool(3);
  onoma::cpu_backend fast(pool);
  reference slow;
  for (const auto& [tokens, in, out] :
       {std::tuple<index_t, index_t, index_t>{1, 8, 3}, {7, 384, 65}, {97, 800, 129}}) {
    for (const bool quantised : {false, true}) {
      INFO("tokens " << tokens << " in " << in << " out " << out << " int8 " << quantised);
      const auto x = matrix<float>::random(g, tokens, in, 2);
      const auto xd = x.as<double>();
      const auto w = matrix<float>::random(g, out, in);
      const auto wd = w.as<double>();
      std::vector<std::int8_t> codes(w.data.size());
      std::vector<float> scales(static_cast<std::size_t>(out), 0.01F);
      for (auto& code : codes) code = static_cast<std::int8_t>(g.between(-127, 127));
      const onoma::stored_matrix stored{reinterpret_cast<const std::byte*>(codes.data()),
                                        onoma::dtype::i8, out, in,
                                        reinterpret_cast<const std::byte*>(scales.data())};
      auto packed = fast.make_packed(out, in, false);
      auto packedd = slow.make_packed(out, in, false);
      if (quantised) {
        fast.pack(std::span(&stored, 1), packed);
        slow.pack(std::span(&stored, 1), packedd);
      } else {
        fast.pack(w.view(), packed);
        slow.pack(wd.view(), packedd);
      }
      const auto bias = g.normals<float>(out);
      const std::vector<double> biasd(bias.begin(), bias.end());
      const auto residual = matrix<float>::random(g, tokens, out, 3);
      const auto residuald = residual.as<double>();
      for (const bool with_bias : {true, false}) {
        matrix<float> y(tokens, out, 1);
        matrix<double> yd(tokens, out, 1);
        fast.linear(x.view(), packed, with_bias ? view(bias) : vec<const float>{}, residual.view(),
                    y.view());
        slow.linear(xd.view(), packedd, with_bias ? view(biasd) : vec<const double>{},
                    residuald.view(), yd.view());
        CHECK(difference(y, yd, sum_tolerance(in)) == "");
        CHECK(y.gaps_untouched());
      }
    }
  }
}

}  // namespace test::rows_tests
