/// Attention against the specification in double: lengths, grouped heads, reaches, kept keys,
/// dropout.
#include "support/compare.hpp"
#include "support/random.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

namespace test::attention_tests {
namespace {

using onoma::attention_reach;
using onoma::mat;
using onoma::vec;

using reference = onoma::reference_backend<double>;

struct attention_case {
  std::vector<index_t> queries;
  std::vector<index_t> keys;  // empty: as many as queries
  index_t heads, kv_heads, width;
  attention_reach reach{};
};

/// A name for messages.
std::string name_of(const attention_case& c, float p, bool bias) {
  std::string text = "queries";
  for (const auto n : c.queries) text += " " + std::to_string(n);
  text += ", keys";
  for (const auto n : c.keys) text += " " + std::to_string(n);
  return text + ", heads " + std::to_string(c.heads) + " of " + std::to_string(c.kv_heads) +
         ", width " + std::to_string(c.width) + ", before " + std::to_string(c.reach.before) +
         ", after " + std::to_string(c.reach.after) + ", p " + std::to_string(p) + ", bias " +
         std::to_string(bias);
}

/// Operands, results and gradients of one call. Gaps between rows differ from matrix to matrix.
template <class T>
struct attention_data {
  std::vector<std::int32_t> query_offsets, key_offsets;
  index_t heads, kv_heads;
  T scale;
  attention_reach reach;
  onoma::dropout_spec dropout;
  matrix<T> q, k, v, bias, out, lse, dout, dq, dk, dv, dbias;
  bool with_bias;

  attention_data(generator& g, const attention_case& c, float p, bool has_bias)
      : query_offsets(offsets_of(c.queries)),
        key_offsets(offsets_of(c.keys.empty() ? c.queries : c.keys)),
        heads(c.heads),
        kv_heads(c.kv_heads),
        scale(static_cast<T>(1.0F / std::sqrt(static_cast<float>(c.width)))),
        reach(c.reach),
        dropout{p, 99},
        q(matrix<T>::random(g, query_offsets.back(), c.heads * c.width, 4, 2.0F)),
        k(matrix<T>::random(g, key_offsets.back(), c.kv_heads * c.width, 1, 2.0F)),
        v(matrix<T>::random(g, key_offsets.back(), c.kv_heads * c.width, 2, 2.0F)),
        // A head is a column of the bias.
        bias(matrix<T>::random(g, onoma::relative_position_buckets, c.heads, 1, 2.0F)),
        out(q.rows, q.cols, 1),
        lse(c.heads, q.rows),
        dout(matrix<T>::random(g, q.rows, q.cols, 3)),
        dq(q.rows, q.cols, 2),
        dk(k.rows, k.cols, 3),
        dv(k.rows, k.cols, 1),
        dbias(matrix<T>::random(g, onoma::relative_position_buckets, c.heads, 2)),
        with_bias(has_bias) {}

  template <class U>
  explicit attention_data(const attention_data<U>& o)
      : query_offsets(o.query_offsets),
        key_offsets(o.key_offsets),
        heads(o.heads),
        kv_heads(o.kv_heads),
        scale(static_cast<T>(o.scale)),
        reach(o.reach),
        dropout(o.dropout),
        q(o.q.template as<T>()),
        k(o.k.template as<T>()),
        v(o.v.template as<T>()),
        bias(o.bias.template as<T>()),
        out(o.out.template as<T>()),
        lse(o.lse.template as<T>()),
        dout(o.dout.template as<T>()),
        dq(o.dq.template as<T>()),
        dk(o.dk.template as<T>()),
        dv(o.dv.template as<T>()),
        dbias(o.dbias.template as<T>()),
        with_bias(o.with_bias) {}

  [[nodiscard]] onoma::attention_shape<T> shape() const {
    const auto layout = [](const std::vector<std::int32_t>& offsets) {
      return onoma::sequences::of({offsets.data(), static_cast<index_t>(offsets.size())});
    };
    return {layout(query_offsets),
            layout(key_offsets),
            heads,
            kv_heads,
            scale,
            reach,
            dropout,
            with_bias ? bias.view() : mat<const T>{}};
  }
  [[nodiscard]] onoma::attention_operands<T> operands() const {
    return {q.view(), k.view(), v.view()};
  }

  template <class B>
  void forward(B& device) {
    device.attention(operands(), shape(), {out.view(), lse.view()});
  }
  template <class B>
  void backward(B& device) {
    device.attention_backward(
        operands(), shape(), {std::as_const(out).view(), std::as_const(lse).view()},
        std::as_const(dout).view(),
        {dq.view(), dk.view(), dv.view(), with_bias ? dbias.view() : mat<T>{}});
  }
};

void check(const attention_case& c, float p, bool bias) {
  INFO(name_of(c, p, bias));
  generator g(4);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  attention_data<float> a(g, c, p, bias);
  attention_data<double> expected(a);
  a.forward(fast);
  expected.forward(slow);
  // Scores reach 20 here: an error of a few eps there is the relative error of p.
  const double tolerance = 20.0 * sum_tolerance(300);
  CHECK(difference(a.out, expected.out, tolerance, 1.0) == "");
  CHECK(difference(a.lse, expected.lse, tolerance) == "");
  CHECK(a.out.gaps_untouched());
  const auto kept = a.out;
  fast.attention(a.operands(), a.shape(), {a.out.view(), {}});
  CHECK(a.out.data == kept.data);

  a.backward(fast);
  expected.backward(slow);
  // A query that sees one key alone has no gradient, and what is found is rounding: of dp, which is
  // as large as dv.
  double floor = 0.0;
  for (const double value : expected.dv.values()) floor = std::max(floor, std::abs(value));
  CHECK(difference(a.dq, expected.dq, tolerance, floor) == "");
  CHECK(difference(a.dk, expected.dk, tolerance, floor) == "");
  CHECK(difference(a.dv, expected.dv, tolerance) == "");
  CHECK(difference(a.dbias, expected.dbias, tolerance) == "");
  for (const auto* m : {&a.dq, &a.dk, &a.dv, &a.dbias}) CHECK(m->gaps_untouched());
}

}  // namespace

TEST_CASE("attention over ragged sequences, and back") {
  const std::vector<attention_case> cases = {
      {{1}, {}, 1, 1, 8},          {{5, 1, 9}, {}, 5, 5, 8}, {{16, 33}, {}, 2, 2, 32},
      {{20, 7, 64}, {}, 3, 3, 64}, {{300}, {}, 1, 1, 64},    {{130, 3, 100}, {}, 2, 2, 32},
      {{12, 18}, {}, 2, 2, 20},    {{7, 0, 4}, {}, 2, 2, 16}};
  for (const auto& c : cases) {
    for (const float p : {0.0F, 0.2F}) {
      for (const bool bias : {false, true}) check(c, p, bias);
    }
  }
}

TEST_CASE("attention of grouped heads, of a reach, and with kept keys, and back") {
  const auto causal = attention_reach::causal();
  const auto window = [](index_t radius) { return attention_reach::window(radius); };
  const std::vector<attention_case> cases = {
      {{9, 40}, {}, 4, 2, 8},
      {{21}, {}, 6, 1, 20},
      {{30, 5, 70}, {}, 2, 2, 16, causal},
      {{150}, {}, 3, 1, 8, causal},
      // Narrow windows, blocks of 12 rows; none; windows that are wider than some sequences.
      {{64, 3, 200}, {}, 2, 2, 16, window(2)},
      {{50}, {}, 2, 1, 8, window(0)},
      {{300, 60, 129, 130}, {}, 2, 2, 32, window(64)},
      {{90, 200}, {}, 4, 2, 20, {70, 0}},
      {{200}, {}, 1, 1, 8, {3, 50}},
      // Keys of earlier calls: one new query, some, none; more keys than a window sees.
      {{1, 1, 1}, {5, 40, 1}, 4, 2, 16, causal},
      {{3, 0, 17}, {20, 6, 17}, 2, 2, 8, causal},
      {{2, 40}, {2, 333}, 2, 1, 20, window(16)},
      {{5}, {90}, 2, 2, 64}};
  for (const auto& c : cases) {
    for (const float p : {0.0F, 0.2F}) {
      for (const bool bias : {false, true}) check(c, p, bias);
    }
  }
}

TEST_CASE("attention over more keys than a block has, and back") {
  const std::vector<attention_case> cases = {{{513}, {}, 1, 1, 8},
                                             {{1100, 20}, {}, 1, 1, 16},
                                             {{700}, {}, 2, 1, 20, attention_reach::causal()},
                                             {{1030}, {}, 1, 1, 8, attention_reach::window(300)},
                                             {{4}, {1500}, 2, 2, 8},
                                             {{600}, {1025}, 1, 1, 8, {700, 40}}};
  for (const auto& c : cases) {
    check(c, 0.0F, false);
    check(c, 0.2F, true);
  }
}

TEST_CASE("attention does not depend on threads, on the batch, or on where q, k and v lie") {
  onoma::thread_pool pool(3);
  onoma::cpu_backend alone;
  onoma::cpu_backend many(pool);
  const std::vector<attention_case> cases = {
      {{20, 7, 64, 30}, {}, 4, 2, 16},
      {{300, 5, 90}, {}, 2, 2, 32, attention_reach::window(20)},
      {{496, 481}, {}, 2, 2, 32}};
  for (const auto& c : cases) {
    INFO(name_of(c, 0.0F, true));
    generator g(5);
    attention_data<float> one(g, c, 0.2F, true);
    attention_data<float> three(one);
    one.forward(alone);
    three.forward(many);
    one.backward(alone);
    three.backward(many);
    CHECK(one.out.data == three.out.data);
    CHECK(one.dq.data == three.dq.data);
    CHECK(one.dk.data == three.dk.data);
    CHECK(one.dv.data == three.dv.data);
    CHECK(one.dbias.data == three.dbias.data);

    // Without dropout, whose masks are numbered within the batch: the second sequence by itself,
    // its q, k and v in one matrix.
    attention_data<float> batch(g, c, 0.0F, true);
    batch.forward(many);
    const index_t first = batch.query_offsets[1];
    const index_t rows = batch.query_offsets[2] - first;
    const index_t q = batch.q.cols, k = batch.k.cols;
    matrix<float> qkv(rows, q + 2 * k);
    for (index_t n = 0; n < rows; ++n) {
      for (index_t j = 0; j < q; ++j) qkv.view()(n, j) = batch.q.view()(first + n, j);
      for (index_t j = 0; j < k; ++j) qkv.view()(n, q + j) = batch.k.view()(first + n, j);
      for (index_t j = 0; j < k; ++j) qkv.view()(n, q + k + j) = batch.v.view()(first + n, j);
    }
    const std::vector<std::int32_t> offsets = {0, static_cast<std::int32_t>(rows)};
    auto shape = batch.shape();
    shape.queries = shape.keys = onoma::sequences::of({offsets.data(), 2});
    matrix<float> out(rows, q);
    const auto all = std::as_const(qkv).view();
    alone.attention({all.cols_slice(0, q), all.cols_slice(q, k), all.cols_slice(q + k, k)}, shape,
                    {out.view(), {}});
    CHECK(out.values() == batch.out.rows_of(first, rows));
  }
}

TEST_CASE("scratch of attention is enough for every shorter sequence, and bounded") {
  const onoma::cpu_backend device;
  const auto& kernels = device.kernels();
  constexpr auto everything = attention_reach::everything;
  for (const index_t width : {8, 16, 32, 64, 100}) {
    for (const index_t reach : {index_t{2}, index_t{64}, index_t{200}, everything}) {
      index_t forward = 0, backward = 0;
      for (index_t keys = 1; keys < 1500; ++keys) {
        const onoma::attention_size size{keys, keys, width, reach, reach};
        const index_t f = kernels.attention_scratch(size),
                    b = kernels.attention_backward_scratch(size);
        INFO("width " << width << " reach " << reach << " keys " << keys);
        REQUIRE(f >= forward);
        REQUIRE(b >= backward);
        forward = f;
        backward = b;
      }
      CHECK(kernels.attention_scratch({100000, 100000, width, reach, reach}) == forward);
      CHECK(kernels.attention_backward_scratch({100000, 100000, width, reach, reach}) == backward);
    }
  }
}

}  // namespace test::attention_tests
