/// Every fast operation against the specification in double, over random shapes, tails and strides.
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstring>
#include <span>
#include <string>
#include <type_traits>
#include <utility>

namespace test::cpu_backend_tests {
namespace {

using onoma::activation;
using onoma::mat;
using onoma::vec;

using reference = onoma::reference_backend<double>;

template <class To, class From>
std::vector<To> as(const std::vector<From>& v) {
  return {v.begin(), v.end()};
}

/// Shapes with whole tiles, tails in every direction, one row, more than one block of depth, and
/// more columns than are packed together.
struct linear_shape {
  index_t tokens, in, out;
};
const std::vector<linear_shape> linear_shapes = {
    {1, 8, 3},    {2, 40, 72},   {5, 17, 65},    {6, 64, 64},   {7, 384, 9},  {13, 100, 130},
    {16, 384, 384}, {23, 385, 63}, {97, 800, 129}, {200, 33, 200}, {390, 64, 48},
    {9, 1100, 70}};

/// Values as a file has them: in `type`, beginning `shift` bytes behind a multiple of 64.
std::vector<std::byte> stored_as(onoma::dtype type, const std::vector<float>& values, index_t shift) {
  const auto size = static_cast<std::size_t>(onoma::size_of(type));
  std::vector<std::byte> bytes(values.size() * size + static_cast<std::size_t>(shift));
  std::byte* to = bytes.data() + shift;
  for (const float value : values) {
    const auto put = [&](auto x) { std::memcpy(to, &x, sizeof(x)); };
    switch (type) {
      case onoma::dtype::f32: put(value); break;
      case onoma::dtype::f64: put(static_cast<double>(value)); break;
      case onoma::dtype::f16: put(onoma::float_to_f16(value)); break;
      default: put(onoma::float_to_bf16(value)); break;
    }
    to += size;
  }
  return bytes;
}

}  // namespace

TEST_CASE("weights packed from a file's bytes are those packed from memory, bit for bit") {
  generator g(11);
  onoma::thread_pool pool(3);
  onoma::cpu_backend fast(pool);
  // Rows of the pieces: whole panels, panels that several pieces share, pieces smaller than one.
  const std::vector<std::vector<index_t>> pieces = {{64}, {65}, {3}, {128, 128, 128}, {40, 40, 40},
                                                  {5, 1, 200}, {312, 312, 312}};
  for (const auto type : {onoma::dtype::f32, onoma::dtype::f64, onoma::dtype::f16,
                          onoma::dtype::bf16}) {
    for (const auto& rows : pieces) {
      for (const index_t cols : {1, 63, 64, 130}) {
        for (const index_t shift : {0, 1}) {
          INFO(std::string(onoma::to_string(type)) << " cols " << cols << " shift " << shift
                                                   << " pieces " << rows.size());
          std::vector<std::vector<std::byte>> bytes;
          std::vector<onoma::stored_matrix> stored;
          std::vector<float> plain;
          index_t total = 0;
          for (const index_t count : rows) {
            bytes.push_back(stored_as(type, g.normals<float>(count * cols), shift));
            stored.push_back({bytes.back().data() + shift, type, count, cols});
            std::vector<float> values(static_cast<std::size_t>(count * cols));
            onoma::convert(stored.back(), 0, count * cols, values.data());
            plain.insert(plain.end(), values.begin(), values.end());
            total += count;
          }
          auto direct = fast.make_packed(total, cols, false);
          auto copied = fast.make_packed(total, cols, false);
          fast.pack(std::span<const onoma::stored_matrix>(stored), direct);
          fast.pack(mat<const float>{plain.data(), total, cols}, copied);
          const auto x = g.normals<float>(7 * cols);
          std::vector<float> a(static_cast<std::size_t>(7 * total)), b(a.size());
          fast.linear({x.data(), 7, cols}, direct, {}, {a.data(), 7, total});
          fast.linear({x.data(), 7, cols}, copied, {}, {b.data(), 7, total});
          CHECK(a == b);
          std::vector<float> uploaded(static_cast<std::size_t>(stored[0].size()));
          fast.upload(stored[0], view(uploaded));
          CHECK(std::equal(uploaded.begin(), uploaded.end(), plain.begin()));
        }
      }
    }
  }
}

TEST_CASE("the comparison rejects what is wrong") {
  const std::vector<double> a = {1.0, 2.0, 3.0};
  CHECK(difference(std::vector<double>{1.0, 2.0, 3.0}, a, 1e-12).empty());
  CHECK_FALSE(difference(std::vector<double>{1.0, 2.001, 3.0}, a, 1e-6).empty());
  CHECK_FALSE(difference(std::vector<double>{1.0, std::nan(""), 3.0}, a, 1e9).empty());
  CHECK_FALSE(difference(std::vector<double>{1.0, 2.0}, a, 1.0).empty());
}

TEST_CASE("linear: forward, activation, both gradients") {
  generator g(1);
  onoma::thread_pool pool(3);
  onoma::cpu_backend fast(pool);
  reference slow;
  for (const auto& s : linear_shapes) {
    for (const index_t gap : {0, 5}) {
      INFO("tokens " << s.tokens << " in " << s.in << " out " << s.out << " gap " << gap);
      const auto x = matrix<float>::random(g, s.tokens, s.in, gap);
      const auto w = matrix<float>::random(g, s.out, s.in, gap);
      const auto dy = matrix<float>::random(g, s.tokens, s.out, gap);
      const auto bias = g.normals<float>(s.out);
      const auto xd = x.as<double>();
      const auto wd = w.as<double>();
      const auto dyd = dy.as<double>();
      const auto biasd = as<double>(bias);
      auto packed = fast.make_packed(s.out, s.in, true);
      fast.pack(w.view(), packed);
      auto packedd = slow.make_packed(s.out, s.in, true);
      slow.pack(wd.view(), packedd);

      matrix<float> y(s.tokens, s.out, gap);
      matrix<double> yd(s.tokens, s.out, gap);
      fast.linear(x.view(), packed, view(bias), y.view());
      slow.linear(xd.view(), packedd, view(biasd), yd.view());
      CHECK(difference(y, yd, sum_tolerance(s.in)) == "");
      CHECK(y.gaps_untouched());
      fast.linear(x.view(), packed, {}, y.view());
      slow.linear(xd.view(), packedd, {}, yd.view());
      CHECK(difference(y, yd, sum_tolerance(s.in)) == "");

      for (const auto act : {activation::gelu, activation::gelu_tanh, activation::relu}) {
        matrix<float> pre(s.tokens, s.out, gap);
        matrix<double> pred(s.tokens, s.out, gap);
        fast.linear_activation(x.view(), packed, view(bias), act, pre.view(), y.view());
        slow.linear_activation(xd.view(), packedd, view(biasd), act, pred.view(), yd.view());
        // GELU's own error (5e-7 absolute) counts on top of the sum's.
        CHECK(difference(y, yd, sum_tolerance(s.in) + 1e-6, 1.0) == "");
        CHECK(difference(pre, pred, sum_tolerance(s.in)) == "");
        CHECK(pre.gaps_untouched());
        matrix<float> only(s.tokens, s.out, gap);
        fast.linear_activation(x.view(), packed, view(bias), act, {}, only.view());
        CHECK(only.data == y.data);
        auto dpre = dy;
        auto dpred = dyd;
        fast.kernels().activation_backward(act, s.tokens, s.out, pre.view().data, pre.view().stride,
                                           dpre.view().data, dpre.view().stride);
        onoma::ref::activation_backward<double>(act, pre.as<double>().view(), dpred.view());
        CHECK(difference(dpre, dpred, 2e-6) == "");
        const auto at = matrix<float>::random(g, s.tokens, s.in, gap);
        auto d = matrix<float>::random(g, s.tokens, s.in, gap);
        auto dd = d.as<double>();
        fast.linear_dx(dy.view(), packed, act, at.view(), d.view());
        slow.linear_dx(dyd.view(), packedd, act, at.as<double>().view(), dd.view());
        // The derivative's own error counts on top of the sum's; it is 1.13 at most.
        CHECK(difference(d, dd, 1.13 * sum_tolerance(s.out) + 2e-6) == "");
        CHECK(d.gaps_untouched());
      }

      auto dx = matrix<float>::random(g, s.tokens, s.in, gap);
      auto dxd = dx.as<double>();
      fast.linear_dx(dy.view(), packed, onoma::add, dx.view());
      slow.linear_dx(dyd.view(), packedd, onoma::add, dxd.view());
      CHECK(difference(dx, dxd, sum_tolerance(s.out)) == "");
      fast.linear_dx(dy.view(), packed, onoma::set, dx.view());
      slow.linear_dx(dyd.view(), packedd, onoma::set, dxd.view());
      CHECK(difference(dx, dxd, sum_tolerance(s.out)) == "");
      CHECK(dx.gaps_untouched());

      auto dw = matrix<float>::random(g, s.out, s.in, gap);
      auto dwd = dw.as<double>();
      auto db = g.normals<float>(s.out);
      auto dbd = as<double>(db);
      fast.linear_dw(x.view(), dy.view(), dw.view(), view(db));
      slow.linear_dw(xd.view(), dyd.view(), dwd.view(), view(dbd));
      CHECK(difference(dw, dwd, sum_tolerance(s.tokens)) == "");
      CHECK(difference(db, dbd, sum_tolerance(s.tokens)) == "");
      CHECK(dw.gaps_untouched());
    }
  }
}

TEST_CASE("dropout draws the specified mask") {
  generator g(3);
  onoma::cpu_backend fast;
  onoma::reference_backend<float> slow;
  for (const index_t cols : {1, 3, 64, 100, 257}) {
    auto a = matrix<float>::random(g, 7, cols, 2);
    auto b = a;
    fast.dropout(a.view(), {0.1F, 5});
    slow.dropout(b.view(), {0.1F, 5});
    CHECK(a.data == b.data);  // one product: no rounding differs
  }
}

TEST_CASE("rows by number: taken, and put back among zeros") {
  generator g(21);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  const index_t all = 301;
  for (const index_t every : {1, 2, 7, 300}) {
    INFO(every);
    std::vector<std::int32_t> rows;
    for (index_t n = every - 1; n < all; n += every) rows.push_back(static_cast<std::int32_t>(n));
    const auto some = static_cast<index_t>(rows.size());
    const auto x = matrix<float>::random(g, all, 70, 3);
    const auto xd = x.as<double>();
    matrix<float> y(some, 70, 2);
    matrix<double> yd(some, 70, 2);
    fast.gather(x.view(), view(std::as_const(rows)), y.view());
    slow.gather(xd.view(), view(std::as_const(rows)), yd.view());
    CHECK(y.data == yd.as<float>().data);
    CHECK(y.view().row(some - 1)[69] == x.view().row(rows.back())[69]);
    matrix<float> z(all, 70, 1);
    matrix<double> zd(all, 70, 1);
    fast.scatter(std::as_const(y).view(), view(std::as_const(rows)), z.view());
    slow.scatter(std::as_const(yd).view(), view(std::as_const(rows)), zd.view());
    CHECK(z.data == zd.as<float>().data);
    double sum = 0.0;
    for (const double value : zd.values()) sum += std::abs(value);
    for (const double value : yd.values()) sum -= std::abs(value);
    CHECK(std::abs(sum) < 1e-9);  // 20,000 doubles of order 1: the others are zero
  }
}

TEST_CASE("embedding, optimizer, norms") {
  generator g(5);
  onoma::thread_pool pool(2);
  onoma::cpu_backend fast(pool);
  reference slow;
  const index_t tokens = 37;
  const index_t hidden = 70;
  const auto word = matrix<float>::random(g, 50, hidden);
  const auto position = matrix<float>::random(g, 40, hidden);
  const auto type = matrix<float>::random(g, 2, hidden);
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> positions;
  std::vector<std::int32_t> types;
  for (index_t n = 0; n < tokens; ++n) {
    ids.push_back(static_cast<std::int32_t>(g.between(0, 9)));
    positions.push_back(static_cast<std::int32_t>(n));
    types.push_back(static_cast<std::int32_t>(g.between(0, 1)));
  }
  const auto wordd = word.as<double>();
  const auto positiond = position.as<double>();
  const auto typed = type.as<double>();
  for (const bool typed_tokens : {true, false}) {
    const onoma::embedding_rows rows{view(std::as_const(ids)), view(std::as_const(positions)),
                                     typed_tokens ? view(std::as_const(types))
                                                  : vec<const std::int32_t>{}};
    matrix<float> y(tokens, hidden);
    matrix<double> yd(tokens, hidden);
    fast.embed(rows, {word.view(), position.view(), type.view()}, y.view());
    slow.embed(rows, {wordd.view(), positiond.view(), typed.view()}, yd.view());
    CHECK(difference(y, yd, 1e-6) == "");
    auto dword = matrix<float>::random(g, 50, hidden);
    auto dposition = matrix<float>::random(g, 40, hidden);
    auto dtype = matrix<float>::random(g, 2, hidden);
    std::vector<std::uint8_t> used(50);
    std::vector<std::uint8_t> usedd(50);
    auto dwordd = dword.as<double>();
    auto dpositiond = dposition.as<double>();
    auto dtyped = dtype.as<double>();
    fast.embed_backward(rows, std::as_const(y).view(),
                        {{dword.view(), view(used)}, {dposition.view(), {}}, {dtype.view(), {}}});
    for (index_t row = 0; row < 50; ++row) {
      const bool is_word = std::find(ids.begin(), ids.end(), row) != ids.end();
      CHECK((used[static_cast<std::size_t>(row)] != 0) == is_word);
    }
    slow.embed_backward(rows, std::as_const(yd).view(),
                        {{dwordd.view(), view(usedd)}, {dpositiond.view(), {}}, {dtyped.view(), {}}});
    CHECK(used == usedd);
    CHECK(difference(dword, dwordd, sum_tolerance(tokens)) == "");
    CHECK(difference(dposition, dpositiond, sum_tolerance(tokens)) == "");
    CHECK(difference(dtype, dtyped, sum_tolerance(tokens)) == "");
  }

  for (const index_t size : {1, 100, 40001}) {
    auto w = g.normals<float>(size);
    auto grad = g.normals<float>(size);
    auto m = g.normals<float>(size, 0.1F);
    auto v = g.normals<float>(size, 0.1F);
    for (auto& value : v) value = value * value;
    auto wd = as<double>(w);
    auto gradd = as<double>(grad);
    auto md = as<double>(m);
    auto vd = as<double>(v);
    CHECK(fast.squared_norm(view(std::as_const(grad))) ==
          doctest::Approx(slow.squared_norm(view(std::as_const(gradd)))).epsilon(1e-12));
    onoma::adamw_step<float> step;
    step.learning_rate = 0.01F;
    step.weight_decay = 0.1F;
    step.gradient_scale = 0.7F;
    step.bias_correction1 = 1 - std::pow(0.9, 3);
    step.bias_correction2 = 1 - std::pow(0.999, 3);
    const onoma::adamw_step<double> stepd{
        static_cast<double>(step.learning_rate), static_cast<double>(step.beta1),
        static_cast<double>(step.beta2),         static_cast<double>(step.eps),
        static_cast<double>(step.weight_decay),  static_cast<double>(step.gradient_scale),
        step.bias_correction1,                   step.bias_correction2};
    fast.adamw(step, view(w), view(grad), view(m), view(v));
    slow.adamw(stepd, view(wd), view(gradd), view(md), view(vd));
    CHECK(difference(w, wd, 2e-6) == "");
    CHECK(difference(m, md, 1e-6) == "");
    CHECK(difference(v, vd, 1e-6) == "");
    CHECK(grad == std::vector<float>(grad.size(), 0.0F));
  }
}

TEST_CASE_TEMPLATE("a table that few rows are used of is updated as a flat range", B,
                   onoma::cpu_backend, onoma::reference_backend<double>) {
  using scalar = typename B::scalar;
  generator g(12);
  // One row per task and many; more than one task.
  for (const auto& [rows, cols] : {std::pair<index_t, index_t>{3, 20000}, {2000, 17}, {1, 1}, {70, 400}}) {
    INFO(rows << " x " << cols);
    const index_t size = rows * cols;
    onoma::thread_pool pool(3);
    B device;
    if constexpr (std::is_same_v<B, onoma::cpu_backend>) device = B(pool);
    const auto values = g.template normals<scalar>(size);
    // Values, gradient and moments.
    std::vector<scalar> flat[] = {values, std::vector<scalar>(values.size()),
                                  std::vector<scalar>(values.size()),
                                  std::vector<scalar>(values.size())};
    std::vector<scalar> of_table[] = {flat[0], flat[1], flat[2], flat[3]};
    std::vector<std::uint8_t> used(static_cast<std::size_t>(rows));
    std::vector<std::uint8_t> seen(static_cast<std::size_t>(rows));
    std::vector<std::uint8_t> ever(static_cast<std::size_t>(rows));
    const auto matrix_of = [&](std::vector<scalar>& v) { return mat<scalar>(v.data(), rows, cols); };
    for (int time = 1; time <= 4; ++time) {
      for (index_t row = 0; row < rows; ++row) {
        if (g.between(0, 3) != 0) continue;
        const auto r = static_cast<std::size_t>(row);
        used[r] = ever[r] = 1;
        for (index_t j = row * cols; j < (row + 1) * cols; ++j) {
          const auto i = static_cast<std::size_t>(j);
          of_table[1][i] = flat[1][i] = static_cast<scalar>(g.between(-9, 9));
        }
      }
      const onoma::table_gradient<scalar> gradient{matrix_of(of_table[1]), view(used)};
      // Sums of whole numbers: exact in any order.
      CHECK(device.squared_norm(gradient) == device.squared_norm(view(std::as_const(flat[1]))));
      onoma::adamw_step<scalar> step;
      step.learning_rate = scalar(0.01);
      step.weight_decay = time == 2 ? scalar(0) : scalar(0.1);
      step.bias_correction1 = 1 - std::pow(0.9, time);
      step.bias_correction2 = 1 - std::pow(0.999, time);
      device.adamw(step, view(flat[0]), view(flat[1]), view(flat[2]), view(flat[3]));
      device.adamw(step, matrix_of(of_table[0]), gradient, matrix_of(of_table[2]),
                   matrix_of(of_table[3]), view(seen));
      for (int part = 0; part < 4; ++part) CHECK(of_table[part] == flat[part]);
      CHECK(seen == ever);
      CHECK(used == std::vector<std::uint8_t>(used.size()));
    }
  }
}

TEST_CASE_TEMPLATE("a weight is updated as a flat range and then packed", B, onoma::cpu_backend,
                   onoma::reference_backend<double>) {
  using scalar = typename B::scalar;
  generator g(13);
  // Less than a panel, tails in both directions, more columns than are packed together.
  for (const auto& [rows, cols] : {std::pair<index_t, index_t>{1, 1}, {70, 33}, {130, 2100}, {5, 1024}}) {
    INFO(rows << " x " << cols);
    const index_t size = rows * cols;
    onoma::thread_pool pool(3);
    B device;
    if constexpr (std::is_same_v<B, onoma::cpu_backend>) device = B(pool);
    // Values, gradient and moments.
    std::vector<scalar> flat[] = {g.template normals<scalar>(size), g.template normals<scalar>(size),
                                  g.template normals<scalar>(size), g.template normals<scalar>(size)};
    for (auto& v : flat[3]) v *= v;
    std::vector<scalar> matrix[] = {flat[0], flat[1], flat[2], flat[3]};
    const auto matrix_of = [&](std::vector<scalar>& v) { return mat<scalar>(v.data(), rows, cols); };
    onoma::adamw_step<scalar> step;
    step.learning_rate = scalar(0.01);
    step.weight_decay = scalar(0.1);
    step.bias_correction1 = 0.1;
    step.bias_correction2 = 0.001;
    auto expected = device.make_packed(rows, cols, true);
    device.adamw(step, view(flat[0]), view(flat[1]), view(flat[2]), view(flat[3]));
    device.pack(matrix_of(flat[0]), expected);
    auto packed = device.make_packed(rows, cols, true);
    device.adamw(step, matrix_of(matrix[0]), matrix_of(matrix[1]), matrix_of(matrix[2]),
                 matrix_of(matrix[3]), packed);
    for (int part = 0; part < 4; ++part) CHECK(matrix[part] == flat[part]);

    const auto x = g.template normals<scalar>(3 * cols);
    const auto dy = g.template normals<scalar>(3 * rows);
    const auto products = [&](const auto& weight) {
      std::vector<scalar> y(static_cast<std::size_t>(3 * rows));
      std::vector<scalar> dx(static_cast<std::size_t>(3 * cols));
      device.linear({x.data(), 3, cols}, weight, {}, {y.data(), 3, rows});
      device.linear_dx({dy.data(), 3, rows}, weight, onoma::set, {dx.data(), 3, cols});
      return std::pair(y, dx);
    };
    CHECK(products(packed) == products(expected));
  }
}

}  // namespace test::cpu_backend_tests
