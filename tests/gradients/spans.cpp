/// The specification of span scores against their definition, and its gradients against duals.
#include "support/dual.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/kernels/ref/spans.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstdint>
#include <vector>

namespace test::span_tests {
namespace {

constexpr index_t labels = 3, widths = 4, size = 5;

/// A batch with all that its spans are scored from.
template <class T>
struct small_case {
  std::vector<std::int32_t> offsets = {0, 2, 3, 9};
  std::vector<T> begin, end, bias, width;

  explicit small_case(generator& g)
      : begin(g.normals<T>(9 * labels * size)), end(g.normals<T>(9 * size)), bias(g.normals<T>(9 * labels)),
        width(g.normals<T>(widths * labels)) {}
  template <class U>
  explicit small_case(const small_case<U>& o)
      : begin(o.begin.begin(), o.begin.end()), end(o.end.begin(), o.end.end()), bias(o.bias.begin(), o.bias.end()),
        width(o.width.begin(), o.width.end()) {}

  [[nodiscard]] onoma::span_operands<T> operands() const {
    return {{begin.data(), 9, labels * size}, {end.data(), 9, size}, {bias.data(), 9, labels}, view(width)};
  }
  [[nodiscard]] std::vector<T> scores() const {
    std::vector<T> all(9 * widths * labels, T(7.0));
    onoma::ref::span_scores<T>(operands(), onoma::sequences::of(view(offsets)), {all.data(), 9, widths * labels});
    return all;
  }
};

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

}  // namespace

TEST_CASE("the score of a span is what its definition says") {
  generator g(71);
  const small_case<double> c(g);
  const auto found = c.scores();
  for (index_t n = 0; n < 9; ++n) {
    const index_t behind = n < 2 ? 2 : n < 3 ? 3 : 9;
    for (index_t w = 0; w < widths; ++w) {
      for (index_t l = 0; l < labels; ++l) {
        double expected = 0.0;
        if (n + w < behind) {
          expected = c.bias[at(n * labels + l)] + c.width[at(w * labels + l)];
          for (index_t d = 0; d < size; ++d) {
            expected += c.begin[at((n * labels + l) * size + d)] * c.end[at((n + w) * size + d)];
          }
        }
        CHECK(std::abs(found[at((n * widths + w) * labels + l)] - expected) <= 1e-13);  // of seven terms below 10
      }
    }
  }
}

TEST_CASE("the gradients of span scores: duals") {
  generator g(72);
  const small_case<double> c(g);
  const auto dscores = g.normals<double>(9 * widths * labels);
  std::vector<double> dbegin(c.begin.size(), 3.0), dend(c.end.size(), 3.0), dbias(c.bias.size(), 3.0);
  auto dwidth = c.width;  // whatever is there is added to
  onoma::ref::span_scores_backward<double>(
      c.operands(), onoma::sequences::of(view(c.offsets)), {dscores.data(), 9, widths * labels},
      {{dbegin.data(), 9, labels * size}, {dend.data(), 9, size}, {dbias.data(), 9, labels}, view(dwidth)});
  small_case<dual> lifted(c);
  const auto slope = [&](dual& input) {
    input.slope = 1.0;
    const auto scores = lifted.scores();
    input.slope = 0.0;
    double sum = 0.0;
    for (std::size_t i = 0; i < scores.size(); ++i) sum += dscores[i] * scores[i].slope;
    return sum;
  };
  const auto check = [&](std::vector<dual>& inputs, const std::vector<double>& found,
                         const std::vector<double>& initial) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double added = found[i] - (initial.empty() ? 0.0 : initial[i]);
      CHECK(std::abs(added - slope(inputs[i])) <= 1e-12);  // 30 terms below 10
    }
  };
  check(lifted.begin, dbegin, {});
  check(lifted.end, dend, {});
  check(lifted.bias, dbias, {});
  check(lifted.width, dwidth, c.width);
}

}  // namespace test::span_tests
