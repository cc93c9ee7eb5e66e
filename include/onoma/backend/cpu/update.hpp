/// Optimizer steps and norms on the CPU: passes over flat ranges, and over tables of which a step uses
/// few rows.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/weight.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <utility>

namespace onoma::inline ONOMA_ABI::cpu {

/// Elements of a flat range per task: 64 KiB, enough to hide the hand-over.
inline constexpr index_t flat_chunk = 16384;

/// Sums of parts, added in the order of the parts: `partial` has room for as many as `parts` says.
template <class Part>
[[nodiscard]] double sum_of_parts(index_t parts, double* partial, executor_ref executor, Part part) {
  executor.parallel_for(parts, [&](index_t i) { partial[i] = part(i); });
  double sum = 0.0;
  for (index_t i = 0; i < parts; ++i) sum += partial[i];
  return sum;
}

/// The rows of a table, which lie one behind the other, in chunks for tasks.
class row_chunks {
 public:
  /// Of the rows of `table`.
  explicit row_chunks(mat<const float> table)
      : rows_(table.rows), each_(std::max<index_t>(1, flat_chunk / std::max<index_t>(1, table.cols))) {}

  /// How many chunks.
  [[nodiscard]] index_t count() const noexcept { return (rows_ + each_ - 1) / each_; }

  /// f(is, row, rows) for the longest runs of alike rows of a chunk; is(row) is called once per row.
  template <class Is, class F>
  void for_runs(index_t chunk, Is is, F f) const {
    const index_t last = std::min(rows_, (chunk + 1) * each_);
    index_t first = chunk * each_;
    bool kind = is(first);
    for (index_t row = first + 1; row < last; ++row) {
      const bool other = is(row);
      if (other == kind) continue;
      f(kind, first, row - first);
      first = row;
      kind = other;
    }
    f(kind, first, last - first);
  }

 private:
  index_t rows_;
  index_t each_;
};

/// The number of doubles that `squared_norm` needs.
[[nodiscard]] inline index_t norm_parts(vec<const float> v) noexcept {
  return (v.size + flat_chunk - 1) / flat_chunk;
}
/// The same of a table's gradient.
[[nodiscard]] inline index_t norm_parts(const table_gradient<float>& gradient) {
  return row_chunks(gradient.values).count();
}

/// Sum of squares. `partial` has room for `norm_parts` numbers; their order does not depend on the threads.
[[nodiscard]] inline double squared_norm(vec<const float> v, double* partial,
                                         const kernel_table& kernels, executor_ref executor) {
  return sum_of_parts(norm_parts(v), partial, executor, [&](index_t i) {
    const index_t first = i * flat_chunk;
    return kernels.sum_of_squares(std::min(flat_chunk, v.size - first), v.data + first);
  });
}

/// The same of a table's gradient: marked rows alone.
[[nodiscard]] inline double squared_norm(const table_gradient<float>& gradient, double* partial,
                                         const kernel_table& kernels, executor_ref executor) {
  const row_chunks chunks(gradient.values);
  return sum_of_parts(chunks.count(), partial, executor, [&](index_t i) {
    double sum = 0.0;
    chunks.for_runs(
        i, [&](index_t row) { return gradient.used[row] != 0; },
        [&](bool used, index_t row, index_t rows) {
          if (!used) return;
          sum += kernels.sum_of_squares(rows * gradient.values.cols, gradient.values.row_data(row));
        });
    return sum;
  });
}

/// Sets all elements.
inline void fill(vec<float> v, float value, executor_ref executor) {
  executor.parallel_for((v.size + flat_chunk - 1) / flat_chunk, [&](index_t i) {
    const index_t first = i * flat_chunk;
    std::fill_n(v.data + first, std::min(flat_chunk, v.size - first), value);
  });
}

/// Zeroes the marked rows, and the marks.
inline void clear(const table_gradient<float>& gradient, executor_ref executor) {
  const row_chunks chunks(gradient.values);
  executor.parallel_for(chunks.count(), [&](index_t i) {
    const auto take_mark = [&](index_t row) { return std::exchange(gradient.used[row], 0) != 0; };
    chunks.for_runs(i, take_mark, [&](bool used, index_t row, index_t rows) {
      if (used) std::fill_n(gradient.values.row_data(row), rows * gradient.values.cols, 0.0F);
    });
  });
}

/// The numbers of a step as kernels take them.
[[nodiscard]] inline adamw_call kernel_call(const adamw_step<float>& step) {
  return {static_cast<float>(static_cast<double>(step.learning_rate) / step.bias_correction1),
          static_cast<float>(1.0 / std::sqrt(step.bias_correction2)),
          1.0F - step.learning_rate * step.weight_decay,
          1.0F - step.beta1,
          step.beta2,
          1.0F - step.beta2,
          step.eps,
          step.gradient_scale};
}

/// One step over elements that nothing packs.
inline void adamw(const adamw_step<float>& step, vec<float> parameter, vec<float> gradient,
                  vec<float> moment1, vec<float> moment2, const kernel_table& kernels,
                  executor_ref executor) {
  const auto call = kernel_call(step);
  executor.parallel_for((parameter.size + flat_chunk - 1) / flat_chunk, [&](index_t i) {
    const index_t first = i * flat_chunk;
    kernels.adamw(call, std::min(flat_chunk, parameter.size - first), parameter.data + first,
                  gradient.data + first, moment1.data + first, moment2.data + first);
  });
}

/// The same for a weight, each block of which is packed while it is in the cache.
inline void adamw(const adamw_step<float>& step, mat<float> parameter, mat<float> gradient,
                  mat<float> moment1, mat<float> moment2, cpu_weight& packed,
                  const kernel_table& kernels, executor_ref executor) {
  const auto call = kernel_call(step);
  pack_values(parameter, packed, kernels, executor,
              [&](index_t first, index_t rows, index_t column, index_t columns) {
                for (index_t row = first; row < first + rows; ++row) {
                  kernels.adamw(call, columns, parameter.row_data(row) + column,
                                gradient.row_data(row) + column, moment1.row_data(row) + column,
                                moment2.row_data(row) + column);
                }
              });
}

/// Rows that were never used are not read but for their values, and those only where they decay: on
/// real text most of a table is such rows, and an optimizer step is bound by memory.
inline void adamw(const adamw_step<float>& step, mat<float> parameter,
                  const table_gradient<float>& gradient, mat<float> moment1, mat<float> moment2,
                  vec<std::uint8_t> seen, const kernel_table& kernels, executor_ref executor) {
  const auto call = kernel_call(step);
  const row_chunks chunks(parameter);
  executor.parallel_for(chunks.count(), [&](index_t i) {
    const auto is_seen = [&](index_t row) {
      if (gradient.used[row] != 0) seen[row] = 1;
      gradient.used[row] = 0;
      return seen[row] != 0;
    };
    chunks.for_runs(i, is_seen, [&](bool update, index_t row, index_t rows) {
      const index_t count = rows * parameter.cols;
      float* w = parameter.row_data(row);
      if (update) {
        kernels.adamw(call, count, w, gradient.values.row_data(row), moment1.row_data(row),
                      moment2.row_data(row));
      } else if (call.decay != 1.0F) {
        for (index_t j = 0; j < count; ++j) w[j] *= call.decay;
      }
    });
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
