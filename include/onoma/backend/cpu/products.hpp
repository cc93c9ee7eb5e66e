/// Matrix products on the CPU, split into tasks.
#pragma once

#include <onoma/backend/cpu/tasks.hpp>
#include <onoma/backend/cpu/weight.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstddef>

namespace onoma::inline ONOMA_ABI::cpu {

/// B of a product: packed, or rows `stride` apart.
struct b_operand {
  const float* data = nullptr;
  index_t stride = 0;
};

/// The forward's w^T.
[[nodiscard]] inline const float* forward_panels(const cpu_weight& w) noexcept {
  return w.mapped != nullptr ? w.mapped : floats(w.forward);
}
/// The backward's w.
[[nodiscard]] inline b_operand rows_of(const cpu_weight& w) {
  if (w.transposed.size() > 0) return {floats(w.transposed)};
  return {w.source.data, w.source.stride};
}

[[nodiscard]] inline index_t panels_of(const kernel_table& kernels, index_t columns) {
  return (columns + kernels.panel_width - 1) / kernels.panel_width;
}

/// How many groups of panels make a few tasks per thread, which evens out their speeds: eight where a
/// task has nothing to prepare, else two, since a task begins with work that its products do not hide;
/// four where rows are few and most of the time goes into reading B.
[[nodiscard]] inline index_t groups_of(const workbench& own, index_t panels, index_t blocks, index_t rows) {
  const index_t each = own.kernels->gemm_prepare == nullptr ? 8 : rows > 64 ? 2 : 4;
  return panel_groups(panels, own.kernels->panel_block, blocks, each, own.executor.concurrency());
}

struct ignore_done {
  void operator()(index_t, index_t, index_t, index_t) const noexcept {}
};

/// y (= | +=) x B, then the epilogue: tasks are blocks of rows times groups of panels. Few rows: many
/// groups, so that every thread streams its own part of the weights. After each task, done(row, rows,
/// column, columns) finds its part of y in the cache.
template <class Done = ignore_done>
void multiply(workbench& own, mat<const float> x, b_operand b, bool accumulate, mat<float> y,
              const epilogue& finish, Done done = {}) {
  if (x.rows == 0) return;
  const kernel_table& kernels = *own.kernels;
  const index_t panels = panels_of(kernels, y.cols);
  const index_t blocks = row_blocks(x.rows, kernels.row_block, panels, own.executor.concurrency());
  const index_t groups = groups_of(own, panels, blocks, x.rows);
  const index_t scratch_bytes = kernels.gemm_scratch((x.rows + blocks - 1) / blocks, x.cols,
                                                   (panels + groups - 1) / groups);
  own.for_each_with_scratch(
      blocks * groups, scratch_bytes, [&](index_t i, index_t previous, std::byte* scratch) {
        const index_t block = i / groups;
        const index_t group = i % groups;
        const index_t first = x.rows * block / blocks;
        gemm_call call;
        call.rows = x.rows * (block + 1) / blocks - first;
        call.depth = x.cols;
        call.columns = y.cols;
        call.a = x.row_data(first);
        call.a_stride = x.stride;
        call.b = b.data;
        call.b_stride = b.stride;
        call.first_panel = panels * group / groups;
        call.last_panel = panels * (group + 1) / groups;
        call.accumulate = accumulate;
        call.c = y.row_data(first);
        call.c_stride = y.stride;
        call.finish = finish;
        call.row = first;
        call.scratch = scratch;
        const bool same_rows = previous >= 0 && previous / groups == block;
        if (kernels.gemm_prepare != nullptr && !same_rows) kernels.gemm_prepare(call);
        kernels.gemm(call);
        const index_t column = call.first_panel * kernels.panel_width;
        done(first, call.rows, column,
             std::min(y.cols, call.last_panel * kernels.panel_width) - column);
      });
}

/// y [N, M] = x [N, K] w^T, then the epilogue.
inline void multiply_forward(workbench& own, mat<const float> x, const cpu_weight& w, mat<float> y,
                             const epilogue& finish) {
  if (w.int8.empty()) return multiply(own, x, {forward_panels(w)}, false, y, finish);
  const index_t size = int8_weight::workspace(x.rows, x.cols, own.executor);
  w.int8.multiply(x, y, finish, {own.workspace(0, size), size}, *own.kernels, own.executor);
}

/// dw [M, K] += dy [N, M]^T x [N, K], db [M] += column sums of dy (null: no bias).
class weight_gradient {
 public:
  weight_gradient(workbench& own, mat<const float> x, mat<const float> dy)
      : own_(own),
        kernels_(*own.kernels),
        x_(x),
        dy_(dy),
        tiles_((dy.cols + kernels_.tile_rows - 1) / kernels_.tile_rows),
        group_(std::max<index_t>(1, 48 / kernels_.tile_rows)),
        a_(own.workspace(1, kernels_.packed_rows_size(x.rows, dy.cols))),
        b_(kernels_.reads_rows ? nullptr : own.workspace(2, kernels_.packed_size(x.rows, x.cols))) {}

  void add_to(mat<float> dw, vec<float> db) {
    pack(db);
    multiply_into(dw);
  }

 private:
  /// Both operands; who packs columns of dy has them at hand for db.
  void pack(vec<float> db) {
    const index_t tile = kernels_.tile_rows;
    const index_t tokens = x_.rows;
    const index_t groups = (tiles_ + group_ - 1) / group_;
    const index_t panels_to_pack = b_ == nullptr ? 0 : panels_of(kernels_, x_.cols);
    own_.executor.parallel_for(groups + panels_to_pack, [&](index_t i) {
      if (i >= groups) {
        const index_t p = i - groups;
        kernels_.pack({x_.data, x_.stride, tokens, x_.cols, false, p, p + 1, b_});
        return;
      }
      kernels_.pack_rows({dy_.data, dy_.stride, tokens, dy_.cols, i * group_,
                          std::min(tiles_, (i + 1) * group_), a_});
      if (!db) return;
      const index_t first = i * group_ * tile;
      kernels_.add_rows(tokens, std::min(dy_.cols - first, group_ * tile), dy_.data + first,
                        dy_.stride, db.data + first);
    });
  }

  /// Tiles of rows in blocks, panels in groups.
  void multiply_into(mat<float> dw) {
    const index_t tile = kernels_.tile_rows;
    const index_t tokens = x_.rows;
    const index_t panels = panels_of(kernels_, x_.cols);
    const index_t block = std::max(group_, kernels_.row_block / tile / group_ * group_);
    const index_t blocks = (tiles_ + block - 1) / block;
    const index_t groups = groups_of(own_, panels, blocks, dy_.cols);
    const index_t most_panels = (panels + groups - 1) / groups;
    const index_t scratch_bytes =
        kernels_.gemm_packed_scratch(std::min(dy_.cols, block * tile), tokens, most_panels);
    own_.for_each_with_scratch(
        blocks * groups, scratch_bytes, [&](index_t i, index_t /*previous*/, std::byte* scratch) {
          const index_t p = i / blocks;
          const index_t first = i % blocks * block * tile;
          gemm_call call;
          call.rows = std::min(dy_.cols - first, block * tile);
          call.depth = tokens;
          call.columns = x_.cols;
          call.a = a_;
          call.b = b_ != nullptr ? b_ : x_.data;
          call.b_stride = b_ != nullptr ? 0 : x_.stride;
          call.first_panel = panels * p / groups;
          call.last_panel = panels * (p + 1) / groups;
          call.accumulate = true;
          call.c = dw.row_data(first);
          call.c_stride = dw.stride;
          call.row = first;
          call.scratch = scratch;
          kernels_.gemm_packed(call);
        });
  }

  workbench& own_;
  const kernel_table& kernels_;
  mat<const float> x_;
  mat<const float> dy_;
  index_t tiles_;
  index_t group_;  // tiles of a task: one alone is a few microseconds
  float* a_;     // dy^T, packed
  float* b_;     // x, packed; null where kernels read its rows
};

}  // namespace onoma::inline ONOMA_ABI::cpu
