/// Softmax and cross-entropy on the CPU: rows split over the executor.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstdint>

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
  loss_result loss;
  for (index_t n = 0; n < logits.rows; ++n) {
    if (labels[n] == ignored_label) continue;
    loss.sum += losses[n];
    ++loss.count;
  }
  return loss;
}

}  // namespace onoma::inline ONOMA_ABI::cpu
