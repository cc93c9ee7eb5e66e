/// A weight of 8-bit integers as the CPU backend keeps it, and its product split into tasks.
#pragma once

#include <onoma/backend/cpu/tasks.hpp>
#include <onoma/core/arena.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/core/view.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

namespace onoma::inline ONOMA_ABI {

/// A weight [M, K] in strips of codes, with a scale and a surplus for each channel: kernels/table.hpp
/// has the layout. Empty by default.
class int8_weight {
 public:
  int8_weight() = default;

  /// `pieces` below one another are the weight: I8, each row with its scale.
  int8_weight(index_t rows, index_t cols, std::span<const stored_matrix> pieces,
              const kernel_table& kernels, executor_ref executor)
      : depth_(padded(cols)),
        strips_((rows + int8_strip - 1) / int8_strip),
        codes_(static_cast<std::size_t>(strips_ * int8_strip * depth_)),
        scales_(static_cast<std::size_t>(strips_ * int8_strip) * sizeof(float)),
        surplus_(static_cast<std::size_t>(strips_ * int8_strip) * sizeof(std::int32_t)) {
    executor.parallel_for(strips_, [&](index_t s) {
      int8_pack_call call;
      call.depth = cols;
      call.strip = reinterpret_cast<std::int8_t*>(codes_.data()) + s * int8_strip * depth_;
      call.surplus = reinterpret_cast<std::int32_t*>(surplus_.data()) + s * int8_strip;
      auto* scales = reinterpret_cast<float*>(scales_.data()) + s * int8_strip;
      for (index_t j = 0; j < std::min(int8_strip, rows - s * int8_strip); ++j) {
        index_t row = s * int8_strip + j;
        const stored_matrix* piece = pieces.data();
        while (row >= piece->rows) row -= (piece++)->rows;
        call.channels[j] = reinterpret_cast<const std::int8_t*>(piece->data) + row * cols;
        scales[j] = scale_of(*piece, row);
      }
      kernels.int8_pack(call);
    });
  }

  /// Whether nothing is packed yet.
  [[nodiscard]] bool empty() const noexcept { return strips_ == 0; }

  /// Floats of memory that `multiply` needs for so many rows of x.
  [[nodiscard]] static index_t workspace(index_t rows, index_t cols, executor_ref executor) {
    arena counted;
    (void)carve(counted, rows, cols, executor);
    return counted.peak() / static_cast<index_t>(sizeof(float));
  }

  /// y [N, M] = x [N, K] B, then the epilogue. The rows of x are quantised once. `memory`: `workspace`
  /// floats, on a cache line.
  void multiply(mat<const float> x, mat<float> y, const epilogue& finish, vec<float> memory,
                const kernel_table& kernels, executor_ref executor) const {
    if (x.rows == 0) return;
    arena whole(reinterpret_cast<std::byte*>(memory.data),
                memory.size * static_cast<index_t>(sizeof(float)));
    const scratch own = carve(whole, x.rows, x.cols, executor);
    constexpr index_t few = 16;  // rows: some microseconds
    executor.parallel_for((x.rows + few - 1) / few, [&](index_t i) {
      const index_t n = i * few;
      kernels.int8_quantize({std::min(few, x.rows - n), x.cols, x.row_data(n), x.stride,
                             own.codes.data + n * depth_, own.row_scales.data + n});
    });
    // Whole tiles of rows, and as many as leave room in an L2 of 1 MiB for the weights beside them; four
    // strips at least, which a register tile takes at most. Eight tasks per thread even out their speeds.
    constexpr index_t tile = 32;
    constexpr index_t block_bytes = index_t{640} << 10;
    const index_t most = std::max(tile, block_bytes / depth_ / tile * tile);
    const index_t quads = (strips_ + 3) / 4;
    const index_t threads = executor.concurrency();
    const index_t blocks = cpu::row_blocks(x.rows, most, quads, threads);
    const index_t groups = cpu::panel_groups(quads, quads, blocks, 8, threads);
    const index_t tiles = (x.rows + tile - 1) / tile;
    cpu::for_each_in_lanes(executor, blocks * groups, own.lanes.data, 0, [&](index_t i, index_t, std::byte*) {
      const index_t block = i / groups;
      const index_t group = i % groups;
      const index_t first = tiles * block / blocks * tile;
      int8_gemm_call call;
      call.rows = std::min(x.rows, tiles * (block + 1) / blocks * tile) - first;
      call.depth = depth_;
      call.columns = y.cols;
      call.a = own.codes.data + first * depth_;
      call.a_scales = own.row_scales.data + first;
      call.strips = reinterpret_cast<const std::int8_t*>(codes_.data());
      call.scales = reinterpret_cast<const float*>(scales_.data());
      call.surplus = reinterpret_cast<const std::int32_t*>(surplus_.data());
      call.first_strip = 4 * (quads * group / groups);
      call.last_strip = std::min(strips_, 4 * (quads * (group + 1) / groups));
      call.c = y.row_data(first);
      call.c_stride = y.stride;
      call.finish = finish;
      call.row = first;
      kernels.int8_gemm(call);
    });
  }

 private:
  static index_t padded(index_t depth) {
    return (depth + int8_depth - 1) / int8_depth * int8_depth;
  }
  /// What `multiply` works on: the codes of x and the scales of its rows, and the lanes of its tasks.
  struct scratch {
    vec<std::uint8_t> codes;
    vec<float> row_scales;
    vec<std::byte> lanes;
  };
  static scratch carve(arena& memory, index_t rows, index_t cols, executor_ref executor) {
    return {memory.take<std::uint8_t>((rows + int8_spare_rows) * padded(cols)),
            memory.take<float>(rows),
            memory.take<std::byte>(cpu::lanes_size(executor, executor.concurrency(), 0))};
  }

  index_t depth_ = 0;   // padded
  index_t strips_ = 0;
  aligned_memory codes_;
  aligned_memory scales_;
  aligned_memory surplus_;
};

}  // namespace onoma::inline ONOMA_ABI
