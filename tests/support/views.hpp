/// Vectors as the library's views.
#pragma once

#include <onoma/core/view.hpp>

#include <vector>

namespace test {

template <class T>
onoma::vec<T> view(std::vector<T>& v) {
  return {v.data(), static_cast<onoma::index_t>(v.size())};
}
template <class T>
onoma::vec<const T> view(const std::vector<T>& v) {
  return {v.data(), static_cast<onoma::index_t>(v.size())};
}

}  // namespace test
