/// Non-owning views of vectors and row-major matrices: pointer, extents, row stride.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <type_traits>

namespace onoma::inline ONOMA_ABI {

/// `size` consecutive elements. A null view (no data) stands for an absent operand.
template <class T>
struct vec {
  T* data = nullptr;
  index size = 0;

  [[nodiscard]] constexpr bool empty() const noexcept { return size == 0; }
  [[nodiscard]] constexpr explicit operator bool() const noexcept { return data != nullptr; }
  [[nodiscard]] constexpr T& operator[](index i) const { return data[i]; }
  [[nodiscard]] constexpr T* begin() const noexcept { return data; }
  [[nodiscard]] constexpr T* end() const noexcept { return data + size; }
  [[nodiscard]] constexpr vec slice(index first, index count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= size, "vec::slice", "a range inside");
    return {data + first, count};
  }
  constexpr operator vec<const T>() const noexcept  // NOLINT: views widen to const implicitly
    requires(!std::is_const_v<T>)
  {
    return {data, size};
  }
};

/// Row-major `rows` x `cols` elements; row i begins at `data + i * stride`.
template <class T>
struct mat {
  T* data = nullptr;
  index rows = 0;
  index cols = 0;
  index stride = 0;

  constexpr mat() = default;
  constexpr mat(T* d, index r, index c) noexcept : data(d), rows(r), cols(c), stride(c) {}
  constexpr mat(T* d, index r, index c, index s) noexcept : data(d), rows(r), cols(c), stride(s) {}

  [[nodiscard]] constexpr explicit operator bool() const noexcept { return data != nullptr; }
  [[nodiscard]] constexpr T& operator()(index i, index j) const { return data[i * stride + j]; }
  [[nodiscard]] constexpr T* row_data(index i) const { return data + i * stride; }
  [[nodiscard]] constexpr vec<T> row(index i) const { return {data + i * stride, cols}; }
  /// Rows `first` to `first + count`, all columns.
  [[nodiscard]] constexpr mat rows_slice(index first, index count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= rows, "mat::rows_slice",
                "a range inside");
    return {data + first * stride, count, cols, stride};
  }
  /// Columns `first` to `first + count`, all rows; the stride stays.
  [[nodiscard]] constexpr mat cols_slice(index first, index count) const {
    debug_check(first >= 0 && count >= 0 && first + count <= cols, "mat::cols_slice",
                "a range inside");
    return {data + first, rows, count, stride};
  }
  constexpr operator mat<const T>() const noexcept  // NOLINT: views widen to const implicitly
    requires(!std::is_const_v<T>)
  {
    return {data, rows, cols, stride};
  }
};

}  // namespace onoma::inline ONOMA_ABI
