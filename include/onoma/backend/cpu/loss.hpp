/// Softmax and cross-entropy on the CPU: rows split over the executor.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstdint>
#include <vector>

namespace onoma::inline ONOMA_ABI::cpu {

/// Rows of a task: some microseconds of exponentials.
[[nodiscard]] inline index_t softmax_rows_per_task(index_t columns) {
  return std::max<index_t>(1, 16384 / std::max<index_t>(1, columns));
}

inline void softmax(const workbench& own, mat<const float> x, mat<float> y) {
  own.for_rows(
      x.rows,
      [&](index_t n, index_t rows) {
        own.kernels->softmax({rows, x.cols, x.row_data(n), x.stride, y.row_data(n), y.stride});
      },
      softmax_rows_per_task(x.cols));
}

/// The sum over labelled rows, in their order.
[[nodiscard]] inline loss_result sum_losses(const double* losses, vec<const std::int32_t> labels, index_t rows) {
  loss_result loss;
  for (index_t n = 0; n < rows; ++n) {
    if (labels[n] == ignored_label) continue;
    loss.sum += losses[n];
    ++loss.count;
  }
  return loss;
}

/// Losses are added up in double, row by row.
[[nodiscard]] inline loss_result cross_entropy(workbench& own, mat<const float> logits,
                                               vec<const std::int32_t> labels, float scale,
                                               mat<float> dlogits) {
  auto* losses = reinterpret_cast<double*>(own.workspace(0, 2 * logits.rows));
  own.for_rows(
      logits.rows,
      [&](index_t n, index_t rows) {
        cross_entropy_call call;
        call.rows = rows;
        call.columns = logits.cols;
        call.x = logits.row_data(n);
        call.x_stride = logits.stride;
        call.labels = labels.data + n;
        call.ignored = ignored_label;
        call.losses = losses + n;
        call.scale = scale;
        call.dx = dlogits ? dlogits.row_data(n) : nullptr;
        call.dx_stride = dlogits.stride;
        own.kernels->cross_entropy(call);
      },
      softmax_rows_per_task(logits.cols));
  return sum_losses(losses, labels, logits.rows);
}

/// The same by a rule. Rows are few beside the products of a step, so each is the specification's, in double: the same
/// bits with every instruction set.
[[nodiscard]] inline loss_result cross_entropy(workbench& own, mat<const float> logits,
                                               vec<const std::int32_t> labels,
                                               const cross_entropy_rule<float>& rule, float scale,
                                               mat<float> dlogits) {
  auto* losses = reinterpret_cast<double*>(own.workspace(0, 2 * logits.rows));
  own.for_rows(
      logits.rows,
      [&](index_t first, index_t rows) {
        for (index_t n = first; n < first + rows; ++n) {
          const auto drow = dlogits ? vec<float>{dlogits.row_data(n), dlogits.cols} : vec<float>{};
          if (labels[n] == ignored_label) {
            std::fill(drow.begin(), drow.end(), 0.0F);
          } else {
            losses[n] = ref::cross_entropy_of_row<double, float>({logits.row_data(n), logits.cols}, labels[n], rule, n,
                                                                 scale, drow);
          }
        }
      },
      std::max<index_t>(1, softmax_rows_per_task(logits.cols) / 16));
  std::vector<index_t> dropped;
  ref::find_dropped_rows({losses, logits.rows}, labels, rule.dropped, dropped);
  for (const index_t n : dropped) {
    losses[n] = 0.0;
    if (dlogits) std::fill_n(dlogits.row_data(n), dlogits.cols, 0.0F);
  }
  return sum_losses(losses, labels, logits.rows);
}

}  // namespace onoma::inline ONOMA_ABI::cpu
