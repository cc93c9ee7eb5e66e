/// A stable sort.
#pragma once

#include <onoma/core/config.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Sorts [begin, end) by `less`; what is equal keeps its order. O(n log n), with a copy of the items where
/// they are not in order already. As std::stable_sort, whose buffer is deprecated in libstdc++ 12: clang 17
/// and newer warn of it in every unit that calls it.
template <class Iterator, class Less>
void sort_stably(Iterator begin, Iterator end, Less less) {
  if (std::is_sorted(begin, end, less)) return;
  std::vector<std::pair<std::iter_value_t<Iterator>, std::size_t>> items;
  items.reserve(static_cast<std::size_t>(std::distance(begin, end)));
  for (auto i = begin; i != end; ++i) items.emplace_back(std::move(*i), items.size());
  std::sort(items.begin(), items.end(), [&less](const auto& a, const auto& b) {
    if (less(a.first, b.first)) return true;
    return !less(b.first, a.first) && a.second < b.second;
  });
  for (auto& item : items) *begin++ = std::move(item.first);
}

}  // namespace onoma::inline ONOMA_ABI
