/// A weight in the layouts that the CPU kernels read, and packing it straight from a file.
#pragma once

#include <onoma/backend/cpu/int8_weight.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/core/view.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A weight [M, K] in panels: `forward` for x w^T and, in training, `transposed` for dy w, unless
/// the kernels read `source` for it, the matrix that was packed last. For backends with the
/// kernels of the one that made it.
struct cpu_weight {
  index_t rows = 0;                 ///< M
  index_t cols = 0;                 ///< K
  aligned_memory forward;         ///< panels for products with W^T
  const float* mapped = nullptr;  ///< instead of `forward`: the same panels in memory of the caller's
  aligned_memory transposed;      ///< panels for products with W
  mat<const float> source;        ///< the values, where they are read as they lie
  int8_weight int8;               ///< instead of both, for weights stored as I8
};

namespace detail {

/// Panel p of the forward layout: from the bytes of the file where they are aligned floats of one
/// piece, else from a copy of the rows. Returns whether they are finite: looked at here, they come into the
/// cache for packing, and nothing is read twice from memory.
[[nodiscard]] inline bool pack_stored_panel(std::span<const stored_matrix> pieces, cpu_weight& packed, index_t p,
                              const kernel_table& kernels) {
  const index_t cols = packed.cols;
  const index_t first = p * kernels.panel_width;
  const index_t count = std::min(kernels.panel_width, packed.rows - first);
  std::vector<float> copy;
  const float* w = rows_as_floats(pieces, first, count);
  if (w == nullptr) {
    copy.resize(static_cast<std::size_t>(count * cols));
    convert_rows(pieces, first, count, copy.data());
    w = copy.data();
  }
  // The sum is finite where all squares are, and kernels add faster than bits can be compared.
  const std::span<const float> values(w, static_cast<std::size_t>(count * cols));
  const bool finite = std::isfinite(kernels.sum_of_squares(count * cols, w)) || all_finite(values);
  kernels.pack({w, cols, cols, count, true, 0, 1,
                reinterpret_cast<float*>(packed.forward.data()) + kernels.packed_size(cols, first)});
  return finite;
}

}  // namespace detail

/// A weight [rows, cols] whose layout of the forward lies in `bytes`.
/// @throws onoma::error (format) for another number of bytes, or bytes that are not aligned.
[[nodiscard]] inline cpu_weight view_packed(index_t rows, index_t cols, std::span<const std::byte> bytes,
                                            const kernel_table& kernels) {
  const auto expected =
      static_cast<std::size_t>(kernels.packed_size(cols, rows)) * sizeof(float);
  // Kernels read whole vectors of a panel's row.
  const auto alignment = std::min<std::size_t>(
      64, static_cast<std::size_t>(kernels.panel_width) * sizeof(float));
  if (bytes.size() != expected ||
      reinterpret_cast<std::uintptr_t>(bytes.data()) % alignment != 0) {
    fail(error_code::format, "a packed weight",
         std::to_string(expected) + " bytes, aligned to " + std::to_string(alignment),
         std::to_string(bytes.size()) + " bytes");
  }
  cpu_weight packed;
  packed.rows = rows;
  packed.cols = cols;
  packed.mapped = reinterpret_cast<const float*>(bytes.data());
  return packed;
}

/// Packs the values of a weight [M, K], block by block so that each is read from memory once. First,
/// compute(row, rows, column, columns) may set the values of the block that its thread packs next.
template <class Compute>
void pack_values(mat<const float> w, cpu_weight& packed, const kernel_table& kernels,
                 executor_ref executor, Compute compute) {
  const index_t width = kernels.panel_width;
  // A panel of rows, in parts of at most 256 KiB that stay in the L2 cache.
  const index_t most_columns = 1024 / width * width;
  const index_t parts = (w.cols + most_columns - 1) / most_columns;
  auto* const forward = reinterpret_cast<float*>(packed.forward.data());
  auto* const transposed = reinterpret_cast<float*>(packed.transposed.data());
  packed.source = w;
  executor.parallel_for((w.rows + width - 1) / width * parts, [&](index_t i) {
    const index_t row = i / parts * width;
    const index_t rows = std::min(width, w.rows - row);
    const index_t column = i % parts * most_columns;
    const index_t columns = std::min(most_columns, w.cols - column);
    compute(row, rows, column, columns);
    const float* block = w.row_data(row) + column;
    kernels.pack({block, w.stride, columns, rows, true, 0, 1,
                  forward + kernels.packed_size(w.cols, row) + column * width});
    if (transposed == nullptr) return;
    for (index_t c = 0; c < columns; c += width) {
      kernels.pack({block + c, w.stride, rows, std::min(width, columns - c), false, 0, 1,
                    transposed + kernels.packed_size(w.rows, column + c) + row * width});
    }
  });
}

/// Packs float values [M, K], on the threads of the executor.
inline void pack_values(mat<const float> w, cpu_weight& packed, const kernel_table& kernels,
                        executor_ref executor) {
  pack_values(w, packed, kernels, executor, [](index_t, index_t, index_t, index_t) {});
}

/// The layout of the forward, from `pieces` below one another: float formats, or I8 with scales. Returns
/// whether all numbers are finite; scales are checked where they are read (models/checkpoint.hpp).
[[nodiscard]] inline bool pack_stored(std::span<const stored_matrix> pieces, cpu_weight& packed,
                        const kernel_table& kernels, executor_ref executor) {
  if (pieces.front().type == dtype::i8) {
    packed.forward = {};
    packed.int8 = int8_weight(packed.rows, packed.cols, pieces, kernels, executor);
    return true;
  }
  const index_t panels = (packed.rows + kernels.panel_width - 1) / kernels.panel_width;
  std::atomic<bool> finite{true};
  executor.parallel_for(panels, [&](index_t p) {
    if (!detail::pack_stored_panel(pieces, packed, p, kernels)) finite = false;
  });
  return finite;
}

}  // namespace onoma::inline ONOMA_ABI
