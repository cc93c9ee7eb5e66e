/// Scores of spans and their gradients over batches against the specification in double.
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <vector>

namespace test::span_tests {
namespace {

/// What spans of a batch are scored from, and a gradient of the scores, which is not 0 where there is no span.
template <class T>
struct span_case {
  std::vector<std::int32_t> offsets;
  matrix<T> begin, end, bias, dscores;
  std::vector<T> width;

  span_case(generator& g, const std::vector<index_t>& lengths, index_t labels, index_t widths, index_t size)
      : offsets(offsets_of(lengths)),
        begin(matrix<T>::random(g, offsets.back(), labels * size, 3)),
        end(matrix<T>::random(g, offsets.back(), size, 1)),
        bias(matrix<T>::random(g, offsets.back(), labels, 2)),
        dscores(matrix<T>::random(g, offsets.back(), widths * labels, 5)),
        width(g.normals<T>(widths * labels)) {}
  template <class U>
  explicit span_case(const span_case<U>& o)
      : offsets(o.offsets), begin(o.begin.template as<T>()), end(o.end.template as<T>()),
        bias(o.bias.template as<T>()), dscores(o.dscores.template as<T>()), width(o.width.begin(), o.width.end()) {}

  [[nodiscard]] onoma::span_operands<T> operands() const {
    return {begin.view(), end.view(), bias.view(), view(width)};
  }
  [[nodiscard]] onoma::sequences layout() const { return onoma::sequences::of(view(offsets)); }
};

template <class T>
struct span_results {
  matrix<T> scores, dbegin, dend, dbias;
  std::vector<T> dwidth;

  template <class B>
  span_results(B&& device, const span_case<T>& c)
      : scores(c.end.rows, c.dscores.cols, 2),
        dbegin(c.end.rows, c.begin.cols, 1),
        dend(c.end.rows, c.end.cols, 4),
        dbias(c.end.rows, c.bias.cols, 1),
        dwidth(c.width.size(), T(0.5)) {
    device.span_scores(c.operands(), c.layout(), scores.view());
    device.span_scores_backward(c.operands(), c.layout(), c.dscores.view(),
                                {dbegin.view(), dend.view(), dbias.view(), view(dwidth)});
  }
};

bool operator==(const span_results<float>& a, const span_results<float>& b) {
  return a.scores.data == b.scores.data && a.dbegin.data == b.dbegin.data && a.dend.data == b.dend.data &&
         a.dbias.data == b.dbias.data && a.dwidth == b.dwidth;
}

}  // namespace

TEST_CASE("scores of spans and their gradients of every shape") {
  generator g(61);
  for (const index_t labels : {1, 2, 5, 16, 17}) {
    for (const index_t size : {1, 3, 8, 31, 64, 128, 150}) {
      const index_t widths = g.between(1, 14);
      const span_case<float> c(g, {1, g.between(1, 30), 2, g.between(1, 12)}, labels, widths, size);
      INFO("labels " << labels << " size " << size << " widths " << widths);
      onoma::thread_pool pool(2);
      const span_results<float> found{onoma::cpu_backend(pool), c};
      const span_results<double> expected{onoma::reference_backend<double>(), span_case<double>(c)};
      const index_t words = c.end.rows;
      CHECK(difference(found.scores, expected.scores, sum_tolerance(size)) == "");
      CHECK(difference(found.dbegin, expected.dbegin, sum_tolerance(widths)) == "");
      CHECK(difference(found.dend, expected.dend, sum_tolerance(widths * labels)) == "");
      CHECK(difference(found.dbias, expected.dbias, sum_tolerance(widths), 1.0) == "");
      CHECK(difference(found.dwidth, expected.dwidth, sum_tolerance(words), 1.0) == "");
      for (const auto* m : {&found.scores, &found.dbegin, &found.dend, &found.dbias}) CHECK(m->gaps_untouched());
    }
  }
}

TEST_CASE("a span beyond its sequence scores 0") {
  generator g(62);
  const span_case<float> c(g, {3, 1}, 2, 4, 5);
  const span_results<float> found{onoma::cpu_backend(), c};
  for (index_t n = 0; n < 4; ++n) {
    const index_t fit = n < 3 ? 3 - n : 1;
    for (index_t w = 0; w < 4; ++w) CHECK((found.scores.view()(n, 2 * w) == 0.0F) == (w >= fit));
  }
}

TEST_CASE("scores of spans have the same bits in every batch, on any number of threads") {
  generator g(63);
  const span_case<float> c(g, {7, 1, 40, 13, 25, 2, 9}, 11, 12, 70);
  const span_results<float> one{onoma::cpu_backend(), c};
  for (const index_t threads : {2, 3, 7}) {
    onoma::thread_pool pool(threads);
    CHECK((span_results<float>{onoma::cpu_backend(pool), c} == one));
  }
  auto alone = c;
  alone.offsets = {0, 13};
  for (auto* m : {&alone.begin, &alone.end, &alone.bias, &alone.dscores}) {
    m->data.erase(m->data.begin(), m->data.begin() + 48 * m->stride);
    m->data.resize(static_cast<std::size_t>(13 * m->stride));
    m->rows = 13;
  }
  const span_results<float> found{onoma::cpu_backend(), alone};
  CHECK(found.scores.values() == one.scores.rows_of(48, 13));
  CHECK(found.dbegin.values() == one.dbegin.rows_of(48, 13));
  CHECK(found.dend.values() == one.dend.rows_of(48, 13));
}

TEST_CASE("scores of spans: no sequence, and extents that do not fit") {
  generator g(64);
  const span_case<float> none(g, {}, 3, 2, 4);
  const span_results<float> nothing{onoma::cpu_backend(), none};
  CHECK(nothing.dwidth == std::vector<float>(6, 0.5F));
  const span_case<float> c(g, {3}, 2, 2, 4);
  matrix<float> scores(3, 5);
  CHECK_THROWS_WITH_AS(onoma::cpu_backend().span_scores(c.operands(), c.layout(), scores.view()),
                       "span scores: shape mismatch: expected begin [N, L D], end [N, D], bias [N, L], width [W L], "
                       "scores [N, W L], found 3 x 8, 3 x 4, 3 x 2, 4, 3 x 5",
                       onoma::error);
}

}  // namespace test::span_tests
