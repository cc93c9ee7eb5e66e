/// Every layer: forward against plain computations in double, backward against differences of a
/// loss.
#include "layer_cases.hpp"
#include "layer_harness.hpp"
#include "plain.hpp"
#include "support/compare.hpp"
#include "support/inference_only.hpp"
#include "support/random.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace test::layers_tests {
namespace {

using onoma::mat;
using plain::table;

using exact = onoma::reference_backend<double>;
using fast = onoma::cpu_backend;
using guarded = onoma::guarded_backend<fast>;
using for_inference = inference_only<fast>;
static_assert(onoma::inference_backend<for_inference>);
static_assert(!onoma::training_backend<for_inference>);

// Running a case.

/// One forward; with `weight`, whose elements the loss multiplies y by, its backward too.
struct outcome {
  table y;
  table dx;
  std::map<std::string, std::vector<double>> gradients;
};

template <class B, class Case>
outcome run_case(const Case& c, harness<B, typename Case::layer>& h, const table& x,
                 const layer_options& options, const table* weight) {
  typename Case::saved saved{};
  outcome result;
  mat<typename B::scalar> input;
  h.run(true, options, [&](const onoma::pass<B>& run) {
    input = h.upload(run, x);
    result.y = h.download(c.forward(h.layer(), {run, input}, saved));
  });
  if constexpr (onoma::training_backend<B>) {
    if (weight == nullptr) return result;
    h.run(false, options, [&](const onoma::pass<B>& run) {
      const auto d = run.scratch.template take<typename B::scalar>(weight->rows, weight->cols);
      const auto dx = run.scratch.template take<typename B::scalar>(x.rows, x.cols);
      const std::vector<typename B::scalar> values(weight->values.begin(), weight->values.end());
      run.device.upload(values.data(), {d.data, d.rows * d.cols});
      c.backward(h.layer(), {run, input}, d, dx, saved);
      if (x.cols > 0) result.dx = h.download(dx);
    });
    for (const auto& [name, value] : h.values()) result.gradients[name] = h.gradient(name);
  }
  return result;
}

/// d(sum of weight * y) by central differences: the error is the step squared and rounding over the
/// step, some 1e-9 of values around 1.
constexpr double step = 1e-5;
constexpr double difference_bound = 1e-7;

template <class Case>
double loss_of(const Case& c, harness<exact, typename Case::layer>& h, const table& x,
               const layer_options& options, const table& weight) {
  const auto y = run_case(c, h, x, options, nullptr).y;
  double loss = 0.0;
  for (std::size_t i = 0; i < y.values.size(); ++i) loss += weight.values[i] * y.values[i];
  return loss;
}

/// The gradients of a case on the exact backend are differences of its loss.
template <class Case>
void check_differences(const Case& c, const table& x, const table& weight,
                       const layer_options& options) {
  harness<exact, typename Case::layer> h(c.make(), 17);
  const auto found = run_case(c, h, x, options, &weight);
  const auto numeric = [&](auto&& set, double value) {
    set(value + step);
    const double above = loss_of(c, h, x, options, weight);
    set(value - step);
    const double below = loss_of(c, h, x, options, weight);
    set(value);
    return (above - below) / (2.0 * step);
  };
  const values_by_name values = h.values();
  for (const auto& [name, value] : values) {
    INFO(name);
    std::vector<double> expected;
    for (std::size_t i = 0; i < value.values.size(); ++i) {
      expected.push_back(numeric([&](double v) { h.set(name, i, v); }, value.values[i]));
    }
    CHECK(difference(found.gradients.at(name), expected, difference_bound, 1.0) == "");
  }
  if (x.values.empty()) return;
  std::vector<double> expected;
  for (std::size_t i = 0; i < x.values.size(); ++i) {
    auto moved = x;
    const auto at = [&](double v) {
      moved.values[i] = v;
      return loss_of(c, h, moved, options, weight);
    };
    expected.push_back((at(x.values[i] + step) - at(x.values[i] - step)) / (2.0 * step));
  }
  CHECK(difference(found.dx.values, expected, difference_bound, 1.0) == "");
}

/// `make(tag of a backend)` is the case on that backend.
template <class Make>
void check_case(Make make) {
  const auto on = [&]<class B>(B*) { return make(std::type_identity<B>{}); };
  const auto c = on(static_cast<exact*>(nullptr));
  using exact_case = std::remove_const_t<decltype(c)>;
  generator g(23);
  const table x(tokens, exact_case::width, g.normals<double>(tokens * exact_case::width));

  harness<exact, typename exact_case::layer> h(c.make(), 17);
  const auto y = run_case(c, h, x, {}, nullptr).y;
  const auto expected = c.expected(h.values(), x);
  REQUIRE(y.rows == expected.rows);
  // Angles of rotary positions are float numbers: 1e-7 of a turn or two; all else is double.
  CHECK(difference(y.values, expected.values, 1e-6, 1.0) == "");

  const table weight(y.rows, y.cols, g.normals<double>(y.rows * y.cols));
  for (const float p : {0.0F, 0.3F}) {
    for (const bool recompute : {false, true}) {
      INFO("dropout " << p << " recompute " << recompute);
      check_differences(c, x, weight, {p, recompute});
    }
  }

  // The fast backend agrees, and every way to run it gives the same bits.
  const auto fast_case = on(static_cast<fast*>(nullptr));
  harness<fast, typename decltype(fast_case)::layer> training(fast_case.make(), 17);
  const layer_options dropping{0.3F};
  const auto slow_result = [&] {
    harness<exact, typename exact_case::layer> again(c.make(), 17);
    return run_case(c, again, x, dropping, &weight);
  }();
  const auto result = run_case(fast_case, training, x, dropping, &weight);
  // Sums of some tens of products, three or four behind one another.
  const double tolerance = 20.0 * sum_tolerance(40);
  CHECK(difference(result.y.values, slow_result.y.values, tolerance, 1.0) == "");
  CHECK(difference(result.dx.values, slow_result.dx.values, tolerance, 1.0) == "");
  for (const auto& [name, gradient] : result.gradients) {
    INFO(name);
    CHECK(difference(gradient, slow_result.gradients.at(name), tolerance, 1.0) == "");
  }
  const auto guarded_case = on(static_cast<guarded*>(nullptr));
  harness<guarded, typename decltype(guarded_case)::layer> behind_guard(guarded_case.make(), 17);
  const auto guarded_result = run_case(guarded_case, behind_guard, x, dropping, &weight);
  CHECK(guarded_result.y.values == result.y.values);
  CHECK(guarded_result.dx.values == result.dx.values);
  CHECK(guarded_result.gradients == result.gradients);

  const auto trained = run_case(fast_case, training, x, {}, nullptr).y;
  const auto inferred = run_case(fast_case, training, x, {0.0F, false, false}, nullptr).y;
  CHECK(inferred.values == trained.values);
  const auto small_case = on(static_cast<for_inference*>(nullptr));
  harness<for_inference, typename decltype(small_case)::layer> small(small_case.make(), 17, false);
  CHECK(run_case(small_case, small, x, {}, nullptr).y.values == trained.values);
}

const std::vector<std::int32_t> some = {0, 2, 3, 7};

}  // namespace

TEST_CASE("differences of a loss see a wrong gradient") {
  const linear_case<exact> c{true, false};
  generator g(1);
  const table x(tokens, 6, g.normals<double>(tokens * 6));
  const table weight(tokens, 5, g.normals<double>(tokens * 5));
  harness<exact, onoma::linear<exact>> h(c.make(), 17);
  auto found = run_case(c, h, x, {}, &weight).gradients.at("bias");
  std::vector<double> sums(5);
  for (index_t n = 0; n < tokens; ++n) {
    for (index_t m = 0; m < 5; ++m) sums[static_cast<std::size_t>(m)] += weight(n, m);
  }
  CHECK(difference(found, sums, difference_bound, 1.0) == "");
  found[2] += 1e-5;
  CHECK(difference(found, sums, difference_bound, 1.0) != "");
}

TEST_CASE("a linear layer, with and without bias, and on top of a residual") {
  for (const bool bias : {true, false}) {
    for (const bool residual : {false, true}) {
      INFO("bias " << bias << " residual " << residual);
      check_case([&]<class B>(std::type_identity<B>) { return linear_case<B>{bias, residual}; });
    }
  }
}

TEST_CASE("norms") {
  for (const bool bias : {true, false}) {
    check_case([&]<class B>(std::type_identity<B>) {
      return norm_case<B, onoma::layer_norm<B>, true>{bias};
    });
  }
  check_case(
      []<class B>(std::type_identity<B>) { return norm_case<B, onoma::rms_norm<B>, false>{}; });
}

TEST_CASE("attention: heads, grouped heads, windows, rotary positions, wanted rows") {
  const std::vector<attention_variant> variants = {{2, 2, 4, -1, true, false},
                                                   {2, 2, 4, -1, true, false, some},
                                                   {4, 2, 6, -1, false, true},
                                                   {3, 1, 2, 1, true, true, some}};
  for (const auto& v : variants) {
    INFO("heads " << v.heads << " of " << v.kv_heads << " radius " << v.radius);
    check_case([&]<class B>(std::type_identity<B>) { return attention_case<B>{v}; });
  }
}

TEST_CASE("feed-forward blocks, plain and gated") {
  check_case([]<class B>(std::type_identity<B>) { return feed_forward_case<B>{}; });
  for (const bool bias : {true, false}) {
    check_case([&]<class B>(std::type_identity<B>) { return gated_case<B>{bias}; });
  }
}

TEST_CASE("embeddings: tables that are there, norms, projection") {
  for (const auto& v : std::vector<embedding_variant>{
           {8, 2, 6, true}, {8, 0, 6, true}, {8, 2, 5, true}, {0, 0, 6, false}, {0, 2, 6, true}}) {
    INFO("positions " << v.positions << " types " << v.types << " hidden " << v.hidden);
    check_case([&]<class B>(std::type_identity<B>) { return embedding_case<B>{v}; });
  }
}

TEST_CASE("the layer that normalises after its blocks") {
  for (const auto& wanted : {std::vector<std::int32_t>{}, some}) {
    check_case([&]<class B>(std::type_identity<B>) { return post_norm_case<B>{wanted}; });
  }
}

TEST_CASE("the layer that normalises before its blocks") {
  using onoma::layer_norm;
  using onoma::no_norm;
  using onoma::rms_norm;
  for (const auto& wanted : {std::vector<std::int32_t>{}, some}) {
    check_case([&]<class B>(std::type_identity<B>) {
      return pre_norm_case<B, layer_norm<B>, layer_norm<B>>{wanted};
    });
    check_case([&]<class B>(std::type_identity<B>) {
      return pre_norm_case<B, no_norm<B>, layer_norm<B>>{wanted};
    });
    check_case([&]<class B>(std::type_identity<B>) {
      return pre_norm_case<B, rms_norm<B>, rms_norm<B>>{wanted};
    });
  }
}

}  // namespace test::layers_tests
