/// Eigen maps of onoma's views, for hosts that compute with Eigen. Not part of the umbrella header.
#pragma once

#include <onoma/core/view.hpp>

#include <Eigen/Core>

#include <type_traits>

namespace onoma::inline ONOMA_ABI {

namespace detail {

template <class T, class Plain>
using eigen_constness = std::conditional_t<std::is_const_v<T>, const Plain, Plain>;

template <class T>
using eigen_matrix = eigen_constness<
    T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>>;

template <class T>
using eigen_vector = eigen_constness<T, Eigen::Matrix<std::remove_const_t<T>, Eigen::Dynamic, 1>>;

}  // namespace detail

/// The same [rows, cols] elements as an Eigen matrix; no copy, the row stride is kept.
template <class T>
[[nodiscard]] auto as_eigen(mat<T> m) {
  return Eigen::Map<detail::eigen_matrix<T>, Eigen::Unaligned, Eigen::OuterStride<>>(
      m.data, m.rows, m.cols, Eigen::OuterStride<>(m.stride));
}

/// The same `size` elements as an Eigen column vector; no copy.
template <class T>
[[nodiscard]] auto as_eigen(vec<T> v) {
  return Eigen::Map<detail::eigen_vector<T>>(v.data, v.size);
}

/// A view of a row-major Eigen matrix (or map) whose inner stride is 1.
template <class Derived>
[[nodiscard]] auto as_mat(Eigen::PlainObjectBase<Derived>& m) {
  static_assert(Derived::IsRowMajor, "onoma's matrices are row-major");
  return mat<typename Derived::Scalar>{m.data(), m.rows(), m.cols(), m.outerStride()};
}

}  // namespace onoma::inline ONOMA_ABI
