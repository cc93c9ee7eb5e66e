/// Comparison of results with tolerances that are computed, not guessed.
#pragma once

#include <onoma/core/types.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <sstream>
#include <string>
#include <vector>

namespace test {

/// The error that a sum of `terms` products may have in float: each addition rounds once, and
/// rounding errors of a sum grow like its length at worst, like its root in practice. `c` = 4 root
/// of the length leaves room for the operations around the sum.
inline double sum_tolerance(onoma::index_t terms) {
  return 4.0 * std::sqrt(static_cast<double>(terms) + 16.0) *
         static_cast<double>(std::numeric_limits<float>::epsilon());
}

/// Empty if every element agrees within `relative` of the largest expected magnitude (at least
/// `floor`); else the first element that does not. NaN agrees with nothing.
template <class A, class B>
std::string difference(const std::vector<A>& found, const std::vector<B>& expected,
                       double relative, double floor = 1e-30) {
  if (found.size() != expected.size()) return "sizes differ";
  double scale = floor;
  for (const B& value : expected) {
    scale = std::max(scale, std::abs(static_cast<double>(value)));
  }
  for (std::size_t i = 0; i < found.size(); ++i) {
    const double error =
        std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i]));
    if (!(error <= relative * scale)) {
      std::ostringstream text;
      text.precision(9);
      text << "element " << i << ": found " << static_cast<double>(found[i]) << ", expected "
           << static_cast<double>(expected[i]) << ", error / scale " << error / scale << " > "
           << relative;
      return text.str();
    }
  }
  return {};
}

template <class T>
struct matrix;

/// The same for matrices: their elements, not the gaps between rows.
template <class A, class B>
std::string difference(const matrix<A>& found, const matrix<B>& expected, double relative,
                       double floor = 1e-30) {
  return difference(found.values(), expected.values(), relative, floor);
}

}  // namespace test
