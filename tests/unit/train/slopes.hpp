/// Gradients of a model against differences of its loss.
#pragma once

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace test {

/// Compares the largest gradient of each parameter of a model in double with a difference quotient. Dropout is on.
/// A third derivative times step^2 and the rounding of a loss of order 1 over the step are below 1e-8; for other losses
/// `bound` says how far a gradient may be off.
template <class Model, class Batch, class Bound>
void check_slopes(Model& m, const Batch& batch, Bound bound) {
  const auto loss = [&] {
    m.set_dropout(11, 4);
    return m.forward_loss(batch).mean();
  };
  loss();
  m.backward();
  auto& parameters = m.parameters();
  const double step = 1e-5;
  for (const auto& entry : parameters.layout().entries()) {
    INFO(entry.name);
    const auto gradient = parameters.download_gradient(entry);
    const auto largest = std::max_element(gradient.begin(), gradient.end(),
                                          [](double a, double b) { return std::abs(a) < std::abs(b); });
    const auto at = static_cast<std::size_t>(largest - gradient.begin());
    auto values = parameters.download_value(entry);
    const double before = values[at];
    double slope = 0.0;
    for (const int sign : {1, -1}) {
      values[at] = before + sign * step;
      parameters.upload(entry, values.data());
      slope += sign * loss() / (2.0 * step);
    }
    values[at] = before;
    parameters.upload(entry, values.data());
    CHECK(std::abs(slope - *largest) < bound(*largest));
  }
}

template <class Model, class Batch>
void check_slopes(Model& m, const Batch& batch) {
  check_slopes(m, batch, [](double) { return 1e-8; });
}

}  // namespace test
