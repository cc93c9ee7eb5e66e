/// Vector functions against double over their whole range: the stated error bounds hold.
#include <onoma/kernels/ref/activation.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/simd/math.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <vector>

namespace test::math_tests {
namespace {

using onoma::index_t;
using arch = onoma::simd::default_arch;
using batch = onoma::simd::floats<arch>;

/// The largest of error(found, x) over `count` points of [low, high].
template <class F, class Error>
double worst(double low, double high, int count, F f, Error error) {
  double most = 0.0;
  std::vector<float> x(static_cast<std::size_t>(batch::size));
  std::vector<float> y(x.size());
  for (int i = 0; i < count; i += static_cast<int>(x.size())) {
    for (std::size_t j = 0; j < x.size(); ++j) {
      x[j] = static_cast<float>(low + (high - low) * (i + static_cast<int>(j)) / count);
    }
    onoma::simd::store<arch>(y.data(), f(onoma::simd::load<arch>(x.data())));
    for (std::size_t j = 0; j < x.size(); ++j) {
      most = std::max(most, error(static_cast<double>(y[j]), static_cast<double>(x[j])));
    }
  }
  return most;
}

}  // namespace

TEST_CASE("exp: at most 2 ulp, and the ends of its range") {
  const auto ulps = [](double found, double x) {
    const double expected = std::exp(x);
    const auto as_float = static_cast<float>(expected);
    const double ulp = static_cast<double>(std::nextafter(as_float, INFINITY)) - static_cast<double>(as_float);
    return std::abs(found - expected) / ulp;
  };
  const double error = worst(-87.0, 88.0, 4'000'000,
                             [](batch x) { return onoma::simd::exp<arch>(x); }, ulps);
  MESSAGE("exp: " << error << " ulp");
  CHECK(error <= 2.0);
  const auto at = [](float x) {
    float y[static_cast<std::size_t>(batch::size)];
    onoma::simd::store<arch>(y, onoma::simd::exp<arch>(batch(x)));
    return y[0];
  };
  CHECK(at(0.0F) == 1.0F);
  CHECK(at(-1000.0F) < 1e-44F);
  CHECK(at(-std::numeric_limits<float>::infinity()) < 1e-44F);
  CHECK(std::isfinite(at(1000.0F)));
}

TEST_CASE("log: at most 1 ulp from 1/2 on, of every binade") {
  const auto ulps = [](double found, double x) {
    const double expected = std::log(x);
    const auto size = static_cast<float>(std::max(std::abs(expected), 0.5));
    const double ulp = static_cast<double>(std::nextafter(size, INFINITY)) - static_cast<double>(size);
    return std::abs(found - expected) / ulp;
  };
  const auto log = [](batch x) { return onoma::simd::log<arch>(x); };
  double error = worst(0.5, 2.5, 8'000'000, log, ulps);
  for (int exponent = -126; exponent < 128; ++exponent) {
    error = std::max(error, worst(std::ldexp(1.0, exponent), std::ldexp(1.99999, exponent), 4096, log, ulps));
  }
  MESSAGE("log: " << error << " ulp");
  CHECK(error <= 1.0);
  float one[static_cast<std::size_t>(batch::size)];
  onoma::simd::store<arch>(one, log(batch(1.0F)));
  CHECK(one[0] == 0.0F);
}

TEST_CASE("GELU and its derivatives: the stated absolute errors") {
  const auto against = [](double (*expected)(double)) {
    return [expected](double found, double x) { return std::abs(found - expected(x)); };
  };
  CHECK(worst(-10, 10, 2'000'000, [](batch x) { return onoma::simd::gelu<arch>(x); },
              against(onoma::ref::gelu<double>)) <= 5e-7);
  CHECK(worst(-10, 10, 2'000'000, [](batch x) { return onoma::simd::gelu_derivative<arch>(x); },
              against(onoma::ref::gelu_derivative<double>)) <= 5e-7);
  CHECK(worst(-10, 10, 2'000'000, [](batch x) { return onoma::simd::gelu_tanh<arch>(x); },
              against(onoma::ref::gelu_tanh<double>)) <= 1e-6);
  CHECK(worst(-10, 10, 2'000'000, [](batch x) { return onoma::simd::gelu_tanh_derivative<arch>(x); },
              against(onoma::ref::gelu_tanh_derivative<double>)) <= 2.5e-6);
}

TEST_CASE("GELU keeps digits in its negative tail, and NaN") {
  CHECK(worst(-5.5, 0, 1'000'000, [](batch x) { return onoma::simd::gelu<arch>(x); },
              [](double found, double x) {
                return x == 0 ? std::abs(found) : std::abs(found / onoma::ref::gelu<double>(x) - 1);
              }) <= 2e-4);
  const batch nan(std::numeric_limits<float>::quiet_NaN());
  CHECK(xsimd::all(xsimd::isnan(onoma::simd::gelu<arch>(nan))));
  CHECK(xsimd::all(xsimd::isnan(onoma::simd::gelu_derivative<arch>(nan))));
}

TEST_CASE("vectors of dropout keep and drop what the generator says, from any place") {
  const std::vector<float> ones(300, 1.0F);
  std::vector<float> out(ones.size());
  for (const std::uint64_t key : {0ULL, 7ULL, ~0ULL}) {
    for (const float p : {0.1F, 0.5F, 0.99F}) {
      const onoma::dropout_spec spec{p, key};
      for (const index_t first : {index_t{0}, index_t{1}, index_t{63}, index_t{1000}, index_t{1} << 36}) {
        for (const index_t count : {index_t{1}, index_t{15}, index_t{16}, index_t{64}, index_t{300}}) {
          std::fill(out.begin(), out.end(), -1.0F);
          onoma::cpu::dropout_row<arch>(spec, first, count, ones.data(), out.data());
          index_t wrong = 0;
          for (index_t i = 0; i < 300; ++i) {
            const bool kept = spec.keeps(static_cast<std::uint64_t>(first + i));
            const float expected = i >= count ? -1.0F : kept ? spec.scale() : 0.0F;
            wrong += out[static_cast<std::size_t>(i)] == expected ? 0 : 1;
          }
          CHECK(wrong == 0);
        }
      }
    }
  }
}

}  // namespace test::math_tests
