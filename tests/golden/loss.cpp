/// Cross-entropies with class weights, label smoothing and focus against torch: means and gradients.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/core/targets.hpp>

#include <doctest/doctest.h>
#include <golden/golden.hpp>
#include <support/compare.hpp>
#include <support/views.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace test::loss_tests {
namespace {

using onoma::index_t;

constexpr int cases = 6;

std::vector<double> numbers(const golden& file, const std::string& name) {
  const auto* tensor = file.file().find(name);
  if (tensor == nullptr) return {};
  std::vector<double> values(static_cast<std::size_t>(tensor->elements()));
  REQUIRE(tensor->bytes.size() == values.size() * sizeof(double));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

/// `relative`: of the mean, and of the largest gradient.
template <class B>
void check_case(int number, double relative) {
  using T = typename B::scalar;
  INFO("case " << number);
  const golden file("loss");
  const auto prefix = std::to_string(number) + ".";
  const auto exact = numbers(file, prefix + "logits");
  const std::vector<T> logits(exact.begin(), exact.end());
  const auto labels = file.ids(prefix + "labels");
  const auto rows = static_cast<index_t>(labels.size());
  const auto columns = static_cast<index_t>(logits.size()) / rows;
  const auto given = numbers(file, prefix + "weights");
  const std::vector<T> weights(given.begin(), given.end());
  onoma::cross_entropy_rule<T> rule;
  rule.smoothing = numbers(file, prefix + "smoothing").at(0);
  rule.focus = numbers(file, prefix + "focus").at(0);
  if (!weights.empty()) rule.class_weights = view(weights);
  double divisor = 0.0;
  index_t counted = 0;
  for (const auto label : labels) {
    if (label == onoma::ignored_label) continue;
    ++counted;
    divisor += given.empty() ? 1.0 : given[static_cast<std::size_t>(label)];
  }
  std::vector<T> gradient(logits.size(), T(9));
  B device;
  const onoma::mat<const T> x(logits.data(), rows, columns);
  const auto loss = device.softmax_cross_entropy(x, view(labels), rule, static_cast<T>(1.0 / divisor),
                                                 {gradient.data(), rows, columns});
  CHECK(loss.count == counted);
  const auto mean = numbers(file, prefix + "mean");
  CHECK(difference(std::vector<double>{loss.sum / divisor}, mean, relative, 1.0) == "");
  CHECK(difference(gradient, numbers(file, prefix + "gradient"), relative, 1.0) == "");
  CHECK(device.softmax_cross_entropy(x, view(labels), rule, T(1), {}).sum == loss.sum);
}

}  // namespace

TEST_CASE("losses with weights, smoothing and focus are torch's") {
  for (int number = 0; number < cases; ++number) {
    // Double on both sides, sums of some ten terms.
    check_case<onoma::reference_backend<double>>(number, 1e-13);
    // The logits are exact in float, and so is all of the rest but weights and the result: a few units in the last
    // place.
    check_case<onoma::cpu_backend>(number, 1e-6);
  }
}

}  // namespace test::loss_tests
