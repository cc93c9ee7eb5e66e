/// Non-owning views of vectors and row-major matrices: pointer, extents, row stride.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <type_traits>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// An element of a view. One without data, as where an arena only counts, has parts without data.
template <class T>
[[nodiscard]] constexpr T* element(T* data, index_t offset) noexcept {
  return data == nullptr ? nullptr : data + offset;
}

}  // namespace detail

/// `size` consecutive elements. A null view (no data) stands for an absent operand.
template <class T>
struct vec {
  T* data = nullptr;  ///< the first element, or null
  index_t size = 0;     ///< how many elements

  /// Whether there are no elements.
  [[nodiscard]] constexpr bool empty() const noexcept { return size == 0; }
  /// Whether there is data.
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return data != nullptr; }
  /// Element i, unchecked.
  [[nodiscard]] constexpr T& operator[](index_t i) const { return data[i]; }
  /// The first element.
  [[nodiscard]] constexpr T* begin() const noexcept { return data; }
  /// Behind the last element.
  [[nodiscard]] constexpr T* end() const noexcept { return data + size; }
  /// Elements `first` to `first + count`.
  [[nodiscard]] constexpr vec slice(index_t first, index_t count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= size, "vec::slice", "a range inside");
    return {detail::element(data, first), count};
  }
  /// The same elements, read only.
  constexpr operator vec<const T>() const noexcept  // NOLINT: views widen to const implicitly
    requires(!std::is_const_v<T>)
  {
    return {data, size};
  }
};

/// Row-major `rows` x `cols` elements; row i begins at `data + i * stride`.
template <class T>
struct mat {
  T* data = nullptr;  ///< the first element, or null
  index_t rows = 0;     ///< how many rows
  index_t cols = 0;     ///< elements in a row
  index_t stride = 0;   ///< elements from the begin of a row to that of the next

  /// No data.
  constexpr mat() = default;
  /// r rows of c elements, one behind another.
  constexpr mat(T* d, index_t r, index_t c) noexcept : data(d), rows(r), cols(c), stride(c) {}
  /// r rows of c elements, whose begins are s apart.
  constexpr mat(T* d, index_t r, index_t c, index_t s) noexcept : data(d), rows(r), cols(c), stride(s) {}

  /// Whether there is data.
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return data != nullptr; }
  /// The element of row i and column j, unchecked.
  [[nodiscard]] constexpr T& operator()(index_t i, index_t j) const { return data[i * stride + j]; }
  /// Where row i begins.
  [[nodiscard]] constexpr T* row_data(index_t i) const { return detail::element(data, i * stride); }
  /// Row i.
  [[nodiscard]] constexpr vec<T> row(index_t i) const { return {detail::element(data, i * stride), cols}; }
  /// Rows `first` to `first + count`, all columns.
  [[nodiscard]] constexpr mat rows_slice(index_t first, index_t count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= rows, "mat::rows_slice",
                "a range inside");
    return {detail::element(data, first * stride), count, cols, stride};
  }
  /// Columns `first` to `first + count`, all rows; the stride stays.
  [[nodiscard]] constexpr mat cols_slice(index_t first, index_t count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= cols, "mat::cols_slice",
                "a range inside");
    return {detail::element(data, first), rows, count, stride};
  }
  /// The same elements, read only.
  constexpr operator mat<const T>() const noexcept  // NOLINT: views widen to const implicitly
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }
};

}  // namespace onoma::inline ONOMA_ABI
