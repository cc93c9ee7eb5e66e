/// Products of 8-bit integers: every implementation gives the integers of the specification.
#include "support/compare.hpp"
#include "support/random.hpp"
#include "tiles/emulator.hpp"

#include <onoma/exec/tiles.hpp>
#include <onoma/kernels/cpu/epilogue.hpp>
#include <onoma/kernels/cpu/int8_units.hpp>
#include <onoma/kernels/ref/activation.hpp>
#include <onoma/kernels/ref/quantized.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <utility>
#include <vector>

namespace test::int8_tests {
namespace {

namespace cpu = onoma::cpu;
using arch = onoma::simd::default_arch;
using onoma::int8_strip;
using unit = cpu::int8_unit;

/// What this machine can run, and tiles in any case.
std::vector<unit> units() {
  std::vector<unit> all = {unit::plain};
#if defined(__AVX2__)
  all.push_back(unit::avx2);
#endif
#if defined(ONOMA_TARGET_VNNI)
  if (onoma::simd::has_vnni()) all.push_back(unit::vnni);
#endif
#if defined(ONOMA_TARGET_AMX)
  if (!onoma::simd::has_int8_tiles() || !onoma::request_tiles()) emulate_tiles();
  all.push_back(unit::amx);
#endif
  return all;
}

/// Any codes, with the extremes often: sums of pairs are then largest.
std::vector<std::int8_t> codes(generator& g, index_t count) {
  std::vector<std::int8_t> values;
  for (index_t i = 0; i < count; ++i) {
    const index_t kind = g.between(0, 3);
    values.push_back(static_cast<std::int8_t>(kind == 0   ? 127
                                              : kind == 1 ? -127
                                                          : g.between(-127, 127)));
  }
  return values;
}

/// The operands of one product, in the layout of the kernels.
struct product {
  index_t tokens, depth, columns, padded, strips;
  std::vector<std::int8_t> a, w;  // [tokens, depth], [columns, depth]
  std::vector<std::uint8_t> packed_a;
  std::vector<std::int8_t> packed_w;
  std::vector<std::int32_t> surplus;
  std::vector<float> a_scales, w_scales;

  product(generator& g, index_t n, index_t k, index_t m)
      : tokens(n),
        depth(k),
        columns(m),
        padded(cpu::int8_padded_depth(k)),
        strips((m + int8_strip - 1) / int8_strip),
        a(codes(g, n * k)),
        w(codes(g, m * k)),
        // Whatever lies beside the codes of A must not matter.
        packed_a(static_cast<std::size_t>((n + onoma::int8_spare_rows) * padded), 77),
        packed_w(static_cast<std::size_t>(strips * int8_strip * padded)),
        surplus(static_cast<std::size_t>(strips * int8_strip)),
        a_scales(static_cast<std::size_t>(n), 1.0F),
        w_scales(static_cast<std::size_t>(strips * int8_strip), 1.0F) {
    for (index_t i = 0; i < n; ++i) {
      for (index_t j = 0; j < k; ++j) {
        packed_a[static_cast<std::size_t>(i * padded + j)] =
            static_cast<std::uint8_t>(a[static_cast<std::size_t>(i * k + j)] + 128);
      }
    }
    pack();
  }

  void pack() {
    for (index_t s = 0; s < strips; ++s) {
      onoma::int8_pack_call call;
      for (index_t j = 0; j < std::min(int8_strip, columns - s * int8_strip); ++j) {
        call.channels[j] = w.data() + (s * int8_strip + j) * depth;
      }
      call.depth = depth;
      call.strip = packed_w.data() + s * int8_strip * padded;
      call.surplus = surplus.data() + s * int8_strip;
      cpu::int8_pack_strip(call);
    }
  }

  [[nodiscard]] onoma::int8_gemm_call call(matrix<float>& c) const {
    onoma::int8_gemm_call call;
    call.rows = tokens;
    call.depth = padded;
    call.columns = columns;
    call.a = packed_a.data();
    call.a_scales = a_scales.data();
    call.strips = packed_w.data();
    call.scales = w_scales.data();
    call.surplus = surplus.data();
    call.last_strip = strips;
    call.c = c.data.data();
    call.c_stride = c.stride;
    return call;
  }
};

struct shape {
  index_t tokens, depth, columns;
};
/// Whole tiles of every unit, tails in each direction, one row, one column, the depths of models.
const std::vector<shape> shapes = {{1, 1, 1},      {1, 64, 16},   {2, 63, 17},  {3, 65, 15},
                                   {5, 40, 72},    {6, 128, 64},  {7, 384, 9},  {13, 100, 130},
                                   {16, 384, 384}, {17, 64, 33},  {31, 200, 48}, {32, 768, 32},
                                   {33, 130, 31},  {48, 3072, 40}, {97, 800, 129}};

}  // namespace

TEST_CASE("int8: every implementation sums to the integers of the specification") {
  generator g(41);
  REQUIRE_FALSE(units().empty());
  for (const auto& s : shapes) {
    const product p(g, s.tokens, s.depth, s.columns);
    for (const auto u : units()) {
      INFO("tokens " << s.tokens << " depth " << s.depth << " columns " << s.columns << " unit "
                     << static_cast<int>(u));
      matrix<float> c(s.tokens, s.columns, 5);
      cpu::int8_multiply<arch>(u, p.call(c));
      index_t wrong = 0;
      for (index_t n = 0; n < s.tokens; ++n) {
        for (index_t m = 0; m < s.columns; ++m) {
          const auto sum = onoma::ref::dot(p.a.data() + n * s.depth, p.w.data() + m * s.depth,
                                           s.depth);
          // Scales are 1: the float is the integer, or the nearest to it, as for the reference.
          wrong += c.view()(n, m) != static_cast<float>(sum) ? 1 : 0;
        }
      }
      CHECK(wrong == 0);
      CHECK(c.gaps_untouched());
    }
  }
}

TEST_CASE("int8: parts of a product write their own columns and rows") {
  generator g(42);
  const product p(g, 40, 70, 100);
  for (const auto u : units()) {
    INFO("unit " << static_cast<int>(u));
    matrix<float> whole(40, 100);
    cpu::int8_multiply<arch>(u, p.call(whole));
    matrix<float> parts(40, 100);
    for (const auto& [first, last] : {std::pair<index_t, index_t>{0, 3}, {3, 4}, {4, 7}}) {
      for (const index_t row : {0, 32}) {
        auto call = p.call(parts);
        call.first_strip = first;
        call.last_strip = last;
        call.rows = row == 0 ? 32 : 8;
        call.a += row * p.padded;
        call.a_scales += row;
        call.c += row * parts.stride;
        call.row = row;
        cpu::int8_multiply<arch>(u, call);
      }
    }
    CHECK(parts.data == whole.data);
  }
}

TEST_CASE("int8: extreme codes at great depth do not overflow") {
  generator g(43);
  product p(g, 2, 65536, 16);
  std::fill(p.a.begin(), p.a.end(), std::int8_t{-127});
  std::fill(p.packed_a.begin(), p.packed_a.end(), std::uint8_t{1});
  std::fill(p.w.begin(), p.w.end(), std::int8_t{-127});
  p.pack();
  for (const auto u : units()) {
    matrix<float> c(2, 16);
    cpu::int8_multiply<arch>(u, p.call(c));
    for (const float value : c.values()) CHECK(value == 127.0F * 127.0F * 65536.0F);
  }
}

TEST_CASE("int8: scales, bias and activation follow the exact sums") {
  generator g(44);
  for (const auto& s : shapes) {
    product p(g, s.tokens, s.depth, s.columns);
    for (auto& x : p.a_scales) x = 1e-3F * (1.5F + g.normal() / 4.0F);
    for (auto& x : p.w_scales) x = 1e-3F * (1.5F + g.normal() / 4.0F);
    const auto bias = g.normals<float>(s.columns);
    const std::vector<double> exact_bias(bias.begin(), bias.end());
    matrix<double> expected(s.tokens, s.columns);
    onoma::ref::quantized_linear<double>(
        {p.a.data(), s.tokens, s.depth}, {p.a_scales.data(), s.tokens},
        {p.w.data(), s.columns, s.depth}, {p.w_scales.data(), s.columns},
        {exact_bias.data(), s.columns}, expected.view());
    matrix<double> activated(s.tokens, s.columns);
    onoma::ref::activate(onoma::activation::gelu, onoma::mat<const double>(expected.view()),
                         activated.view());
    for (const auto u : units()) {
      INFO("tokens " << s.tokens << " depth " << s.depth << " unit " << static_cast<int>(u));
      matrix<float> pre(s.tokens, s.columns, 1);
      matrix<float> c(s.tokens, s.columns, 2);
      auto call = p.call(c);
      call.finish = {onoma::epilogue_kind::activation, onoma::activation::gelu, bias.data(), pre.data.data(),
                     pre.stride};
      cpu::int8_multiply<arch>(u, call);
      // The sum becomes a float, is scaled, and the bias added: each step rounds once.
      const double rounding = 4.0 * std::numeric_limits<float>::epsilon();
      CHECK(difference(pre, expected, rounding) == "");
      // GELU's own error (5e-7 absolute) counts on top.
      CHECK(difference(c, activated, rounding + 1e-6, 1.0) == "");
      CHECK(pre.gaps_untouched());
      CHECK(c.gaps_untouched());
    }
  }
}

TEST_CASE("int8: rows are quantised as the specification says") {
  generator g(45);
  constexpr float infinity = std::numeric_limits<float>::infinity();
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  for (const index_t count : {1, 3, 8, 15, 16, 17, 33, 64, 100, 384, 777}) {
    std::vector<std::vector<float>> rows;
    for (const float scale : {1.0F, 1e-20F, 3e25F, 1e-33F, 1e-42F}) {
      rows.push_back(g.normals<float>(count, scale));
    }
    rows.emplace_back(static_cast<std::size_t>(count), 0.0F);
    rows.emplace_back(static_cast<std::size_t>(count), -0.0F);
    // Halves go to even: 127 steps of 2, and odd numbers between.
    rows.emplace_back();
    for (index_t i = 0; i < count; ++i) rows.back().push_back(static_cast<float>(i % 255) - 127.0F);
    rows.back().back() = 254.0F;
    for (const float bad : {infinity, -infinity, nan, -nan}) {
      rows.push_back(g.normals<float>(count));
      rows.back().back() = bad;
    }
    for (std::size_t r = 0; r < rows.size(); ++r) {
      INFO("count " << count << " row " << r);
      const auto padded = static_cast<std::size_t>(cpu::int8_padded_depth(count));
      std::vector<std::int8_t> expected(static_cast<std::size_t>(count));
      std::vector<std::uint8_t> found(padded, 9);
      const float scale = onoma::quantize_row(rows[r].data(), count, expected.data());
      const float fast = cpu::int8_quantize_row<arch>(rows[r].data(), count, found.data());
      CHECK(std::bit_cast<std::uint32_t>(fast) == std::bit_cast<std::uint32_t>(scale));
      index_t wrong = 0;
      for (std::size_t i = 0; i < padded; ++i) {
        const int code = i < expected.size() ? expected[i] : 0;
        wrong += found[i] != code + 128 ? 1 : 0;
      }
      CHECK(wrong == 0);
      if (r < 3) {
        for (std::size_t i = 0; i < expected.size(); ++i) {
          // Half a step, and the rounding of the product with the scale.
          CHECK(std::abs(scale * static_cast<float>(expected[i]) - rows[r][i]) <=
                scale * 0.50001F);
        }
      }
    }
  }
}

}  // namespace test::int8_tests
