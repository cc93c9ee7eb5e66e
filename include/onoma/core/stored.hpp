/// Numbers as files store them: any float format at any alignment, and their conversion.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>

namespace onoma::inline ONOMA_ABI {

/// Row-major numbers in host memory, not necessarily aligned: a tensor of a mapped file. Of I8, row i
/// stands for codes times the F32 number i of `scales` (core/quantize.hpp).
struct stored_matrix {
  const std::byte* data = nullptr;    ///< the first number
  dtype type = dtype::f32;            ///< the format of the numbers
  index_t rows = 0;                     ///< how many rows
  index_t cols = 0;                     ///< numbers in a row
  const std::byte* scales = nullptr;  ///< of I8 alone: one F32 number for each row

  /// How many numbers.
  [[nodiscard]] index_t size() const noexcept { return rows * cols; }
};

/// The scale of one row of an I8 matrix.
[[nodiscard]] inline float scale_of(const stored_matrix& m, index_t row) noexcept {
  float scale = 0.0F;
  std::memcpy(&scale, m.scales + row * static_cast<index_t>(sizeof(scale)), sizeof(scale));
  return scale;
}

/// Whether the format is one that `convert` reads.
[[nodiscard]] constexpr bool is_float(dtype type) noexcept {
  return type == dtype::f32 || type == dtype::f64 || type == dtype::f16 || type == dtype::bf16;
}

namespace detail {

template <class Stored, class T, class F>
void convert_each(const std::byte* from, index_t count, T* out, F f) {
  for (index_t i = 0; i < count; ++i) {
    Stored stored;
    std::memcpy(&stored, from + i * static_cast<index_t>(sizeof(Stored)), sizeof(Stored));
    out[i] = static_cast<T>(f(stored));
  }
}

}  // namespace detail

/// out[0 .. count) = the elements from number `first` on. Exact, but for F64 as float: rounded.
/// Precondition: `is_float(m.type)`.
template <class T>
void convert(const stored_matrix& m, index_t first, index_t count, T* out) {
  const std::byte* from = m.data + first * size_of(m.type);
  switch (m.type) {
    case dtype::f32:
      return detail::convert_each<float>(from, count, out, [](float x) { return x; });
    case dtype::f64:
      return detail::convert_each<double>(from, count, out, [](double x) { return x; });
    case dtype::f16: return detail::convert_each<std::uint16_t>(from, count, out, f16_to_float);
    case dtype::bf16: return detail::convert_each<std::uint16_t>(from, count, out, bf16_to_float);
    default: return;
  }
}

// Matrices of the same width below one another are one matrix: q, k and v of a checkpoint.

/// Rows `first` to `first + count` as they lie there, where they are aligned floats of one piece;
/// else null.
[[nodiscard]] inline const float* rows_as_floats(std::span<const stored_matrix> pieces, index_t first,
                                                 index_t count) noexcept {
  for (const auto& piece : pieces) {
    if (first < piece.rows) {
      const std::byte* from = piece.data + first * piece.cols * size_of(piece.type);
      const bool aligned = reinterpret_cast<std::uintptr_t>(from) % alignof(float) == 0;
      const bool in_place = piece.type == dtype::f32 && aligned && first + count <= piece.rows;
      return in_place ? reinterpret_cast<const float*>(from) : nullptr;
    }
    first -= piece.rows;
  }
  return nullptr;
}

/// out [count, cols] = rows `first` to `first + count`, converted.
template <class T>
void convert_rows(std::span<const stored_matrix> pieces, index_t first, index_t count, T* out) {
  for (const auto& piece : pieces) {
    const index_t here = std::min(count, piece.rows - first);
    if (here > 0) {
      convert(piece, first * piece.cols, here * piece.cols, out);
      out += here * piece.cols;
      count -= here;
    }
    first = std::max<index_t>(first - piece.rows, 0);
  }
}

}  // namespace onoma::inline ONOMA_ABI
