/// Forward-mode dual numbers: exact derivatives of any code that is a template over its scalar.
#pragma once

#include <cmath>

namespace test {

/// value + slope * epsilon with epsilon^2 = 0: every operation carries the derivative along.
struct dual {
  double value = 0.0;
  double slope = 0.0;

  constexpr dual() = default;
  constexpr dual(double v) : value(v) {}  // NOLINT: constants convert implicitly
  constexpr dual(double v, double s) : value(v), slope(s) {}
  constexpr explicit operator double() const { return value; }

  constexpr dual& operator+=(dual b) { return *this = *this + b; }
  constexpr dual& operator-=(dual b) { return *this = *this - b; }

  friend constexpr dual operator+(dual a, dual b) { return {a.value + b.value, a.slope + b.slope}; }
  friend constexpr dual operator-(dual a, dual b) { return {a.value - b.value, a.slope - b.slope}; }
  friend constexpr dual operator-(dual a) { return {-a.value, -a.slope}; }
  friend constexpr dual operator*(dual a, dual b) {
    return {a.value * b.value, a.slope * b.value + a.value * b.slope};
  }
  friend constexpr dual operator/(dual a, dual b) {
    return {a.value / b.value, (a.slope * b.value - a.value * b.slope) / (b.value * b.value)};
  }
  friend constexpr bool operator>(dual a, dual b) { return a.value > b.value; }
  friend constexpr bool operator<(dual a, dual b) { return a.value < b.value; }
};

inline dual exp(dual a) { return {std::exp(a.value), std::exp(a.value) * a.slope}; }
inline dual expm1(dual a) { return {std::expm1(a.value), std::exp(a.value) * a.slope}; }
inline dual log(dual a) { return {std::log(a.value), a.slope / a.value}; }
inline dual sqrt(dual a) {
  const double root = std::sqrt(a.value);
  return {root, a.slope / (2.0 * root)};
}
inline dual tanh(dual a) {
  const double t = std::tanh(a.value);
  return {t, (1.0 - t * t) * a.slope};
}
inline dual erf(dual a) {
  return {std::erf(a.value), 1.12837916709551257390 * std::exp(-a.value * a.value) * a.slope};
}

}  // namespace test
