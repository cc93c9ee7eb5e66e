/// Orders and parts of data sets; random ones are the same on every platform for one key.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>

#include <cstdint>
#include <numeric>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The numbers 0 .. count - 1 in random order (Fisher and Yates), by key alone.
/// @throws onoma::error (invalid_argument) for a negative count.
[[nodiscard]] inline std::vector<index_t> shuffled_order(index_t count, std::uint64_t key) {
  check(count >= 0, error_code::invalid_argument, "shuffled_order", "a count of at least 0",
        "a negative one");
  std::vector<index_t> order(static_cast<std::size_t>(count));
  std::iota(order.begin(), order.end(), index_t{0});
  random_stream random(key);
  for (std::size_t i = order.size(); i > 1; --i) {
    std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
  }
  return order;
}

/// Two parts of a data set: a random `fraction` as the second. Both keep the original order.
/// @throws onoma::error (invalid_argument) unless 0 <= fraction <= 1.
template <class T>
[[nodiscard]] std::pair<std::vector<T>, std::vector<T>> split(const std::vector<T>& items,
                                                              double fraction, std::uint64_t key) {
  check(fraction >= 0.0 && fraction <= 1.0, error_code::invalid_argument, "split",
        "a fraction from 0 to 1", "another number");
  const auto count = static_cast<index_t>(items.size());
  const auto taken = static_cast<index_t>(fraction * static_cast<double>(count) + 0.5);
  std::vector<bool> second(items.size(), false);
  const auto order = shuffled_order(count, key);
  for (index_t i = 0; i < taken; ++i) {
    second[static_cast<std::size_t>(order[static_cast<std::size_t>(i)])] = true;
  }
  std::pair<std::vector<T>, std::vector<T>> parts;
  for (std::size_t i = 0; i < items.size(); ++i) {
    (second[i] ? parts.second : parts.first).push_back(items[i]);
  }
  return parts;
}

}  // namespace onoma::inline ONOMA_ABI
