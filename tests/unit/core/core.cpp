/// The small types that everything rests on.
#include <onoma/core/activation.hpp>
#include <onoma/core/arena.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/number_text.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace test::core_tests {

using onoma::index_t;

TEST_CASE("Philox gives the published vectors") {
  // Random123's known answers for philox4x32-10: zeros, and all bits set.
  CHECK(onoma::philox4x32(0, 0) ==
        std::array<std::uint32_t, 4>{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
  constexpr std::uint64_t ones = ~std::uint64_t{0};
  CHECK(onoma::philox4x32(ones, ones, ones) ==
        std::array<std::uint32_t, 4>{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
}

TEST_CASE("numbers as text are whole, whatever their size") {
  using limits = std::numeric_limits<double>;
  CHECK(onoma::fixed_text(limits::lowest(), 99).size() == 1 + 309 + 1 + 40);
  CHECK(onoma::fixed_text(limits::denorm_min(), 40) == "0." + std::string(40, '0'));
  CHECK(onoma::fixed_text(-0.25, -1) == "-0");
  CHECK(onoma::significant_text(limits::lowest(), 99).size() == 1 + 1 + 1 + 39 + 5);  // -d.ddde+308
  CHECK(onoma::significant_text(0.0001, 40).substr(0, 24) == "0.0001000000000000000047");
  CHECK(onoma::fixed_text(limits::infinity(), 3) == "inf");
  CHECK(onoma::significant_text(limits::quiet_NaN(), 3) == "nan");
}

TEST_CASE("dropout drops the share that it is asked for") {
  const onoma::dropout_spec spec{0.3F, 42};
  int dropped = 0;
  constexpr int count = 20000;
  for (std::uint64_t i = 0; i < count; ++i) dropped += spec.keeps(i) ? 0 : 1;
  // Five standard deviations of a binomial count.
  CHECK(std::abs(dropped - 0.3 * count) < 5 * std::sqrt(0.3 * 0.7 * count));
  CHECK_FALSE(onoma::dropout_spec{}.active());
  CHECK(onoma::derive_key(1, 2, 3) != onoma::derive_key(1, 3, 2));
}

TEST_CASE("uniform numbers below a bound reach all of it") {
  onoma::random_stream random(1);
  std::array<int, 7> seen{};
  for (int i = 0; i < 7000; ++i) ++seen[random.below(7)];
  for (const int n : seen) CHECK(std::abs(n - 1000) < 5 * std::sqrt(1000.0));
}

TEST_CASE("every half-precision number survives float and back") {
  for (std::uint32_t bits = 0; bits < 0x10000U; ++bits) {
    const auto half = static_cast<std::uint16_t>(bits);
    const float f16 = onoma::f16_to_float(half);
    const float bf16 = onoma::bf16_to_float(half);
    if (!std::isnan(f16) && onoma::float_to_f16(f16) != half) FAIL("f16 " << bits);
    if (!std::isnan(bf16) && onoma::float_to_bf16(bf16) != half) FAIL("bf16 " << bits);
    if (std::isnan(f16)) CHECK(std::isnan(onoma::f16_to_float(onoma::float_to_f16(f16))));
    if (std::isnan(bf16)) CHECK(std::isnan(onoma::bf16_to_float(onoma::float_to_bf16(bf16))));
  }
  CHECK(onoma::f16_to_float(0x3C00) == 1.0F);
  CHECK(onoma::f16_to_float(0x0001) == 0x1p-24F);
  CHECK(onoma::float_to_f16(65520.0F) == 0x7C00);  // halfway to 65536: rounds to infinity
  CHECK(onoma::float_to_f16(65519.0F) == 0x7BFF);
  CHECK(onoma::float_to_f16(1.0F + 0x1p-11F) == 0x3C00);  // a tie goes to even
  CHECK(onoma::float_to_bf16(1.0F + 0x1p-8F) == 0x3F80);
}

TEST_CASE("an arena measures, hands out, and refuses") {
  onoma::arena measuring;
  static_cast<void>(measuring.take<float>(3));
  const auto mark = measuring.mark();
  CHECK(measuring.take<double>(10).data == nullptr);
  measuring.release(mark);
  static_cast<void>(measuring.take<char>(1));
  CHECK(measuring.peak() == 64 + 128);
  alignas(64) std::byte block[192];
  onoma::arena real(block, 192);
  const auto a = real.take<float>(3);
  {
    const onoma::arena_scope scope(real);
    const auto m = real.take<float>(2, 3, 8);
    CHECK(m.stride == 8);
    CHECK(static_cast<void*>(m.data) == block + 64);
  }
  CHECK(static_cast<void*>(real.take<float>(1).data) == block + 64);
  CHECK(static_cast<void*>(a.data) == block);
  CHECK_THROWS_AS(static_cast<void>(real.take<char>(65)), onoma::error);
}

TEST_CASE("views slice without copying") {
  std::vector<int> data = {0, 1, 2, 3, 4, 5, 6, 7};
  const onoma::mat<int> m{data.data(), 2, 3, 4};
  CHECK(m(1, 2) == 6);
  CHECK(m.cols_slice(1, 2)(1, 0) == 5);
  CHECK(m.rows_slice(1, 1)(0, 0) == 4);
  CHECK(m.row(1).slice(1, 2)[1] == 6);
  CHECK_FALSE(static_cast<bool>(onoma::vec<int>{}));
}

TEST_CASE("batches pack sequences") {
  onoma::token_batch batch;
  batch.add(std::vector<std::int32_t>{1, 2, 3});
  batch.add(std::vector<std::int32_t>{4});
  CHECK(batch.count() == 2);
  CHECK(batch.tokens() == 4);
  CHECK(batch.layout().longest == 3);
  CHECK(onoma::sequences::of(batch.layout().offsets).longest == 3);
  CHECK(batch.ids()[3] == 4);
  batch.clear();
  CHECK(batch.count() == 0);
  CHECK(batch.layout().longest == 0);
}

TEST_CASE("errors say what was expected and what was found") {
  const onoma::error e(onoma::error_code::missing, "loading x", "a key", "none");
  CHECK(std::string(e.what()) == "loading x: missing: expected a key, found none");
  CHECK(e.code() == onoma::error_code::missing);
  CHECK(e.operation() == "loading x");
  CHECK_THROWS_AS(onoma::check(false, onoma::error_code::io, "a", "b"), onoma::error);
  CHECK(onoma::activation_from_name("gelu_new") == onoma::activation::gelu_tanh);
  CHECK_THROWS_AS(static_cast<void>(onoma::activation_from_name("swish")), onoma::error);
  CHECK(onoma::dtype_from_name("BF16") == onoma::dtype::bf16);
  CHECK_FALSE(onoma::dtype_from_name("X").has_value());
}

TEST_CASE("buckets of relative positions begin where transformers' do") {
  // MPNetEncoder.relative_position_bucket, in float32: the first distance of each bucket from 8 on.
  const onoma::index_t first[] = {8, 12, 16, 23, 32, 46, 64, 91};
  onoma::index_t bucket = 7;
  for (onoma::index_t n = 0; n < 1'000'000; n = n < 300 ? n + 1 : 2 * n) {
    if (n < 8) {
      CHECK(onoma::relative_position_bucket(-n) == n);
    } else {
      if (bucket < 15 && n == first[bucket - 7]) ++bucket;
      CHECK(onoma::relative_position_bucket(-n) == bucket);
    }
    if (n > 0) {
      CHECK(onoma::relative_position_bucket(n) == onoma::relative_position_bucket(-n) + 16);
    }
  }
  CHECK(bucket == 15);
}

TEST_CASE("a stable sort keeps the order of what is equal") {
  std::vector<std::pair<int, int>> items;
  for (int i = 0; i < 200; ++i) items.emplace_back(i * 7 % 5, i);
  auto expected = items;
  std::sort(expected.begin(), expected.end());
  onoma::sort_stably(items.begin(), items.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  CHECK(items == expected);
}

}  // namespace test::core_tests
