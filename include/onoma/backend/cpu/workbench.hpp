/// What the functions of the CPU backend compute with: kernels, threads, and memory that stays.
#pragma once

#include <onoma/backend/cpu/dispatch.hpp>
#include <onoma/backend/cpu/tasks.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <array>
#include <cstddef>

namespace onoma::inline ONOMA_ABI::cpu {

[[nodiscard]] inline std::size_t float_bytes(index_t count) {
  return static_cast<std::size_t>(count) * sizeof(float);
}
[[nodiscard]] inline float* floats(const aligned_memory& memory) {
  return reinterpret_cast<float*>(memory.data());
}

/// Belongs to one backend, which runs one function at a time.
class workbench {
 public:
  workbench() = default;
  explicit workbench(executor_ref threads) : executor(threads) {}
  workbench(executor_ref threads, const kernel_table& table) : kernels(&table), executor(threads) {}

  const kernel_table* kernels = &default_kernels();
  executor_ref executor;

  /// One of three blocks of memory, with room for `count` floats. They grow to the largest call and stay.
  [[nodiscard]] float* workspace(std::size_t which, index_t count) {
    auto& memory = workspaces_[which];
    if (memory.size() < float_bytes(count)) {
      // Half as much again: batches of slightly growing size do not allocate each time.
      memory = aligned_memory(float_bytes(count + count / 2));
    }
    return floats(memory);
  }

  /// f(n, count) for blocks of `block` rows.
  template <class F>
  void for_rows(index_t rows, F f, index_t block = 16) const {
    executor.parallel_for((rows + block - 1) / block,
                          [&](index_t i) { f(i * block, std::min(block, rows - i * block)); });
  }

  /// f(first, count) for blocks of 64 columns: one cache line of 16 and three to spare.
  template <class F>
  void for_columns(index_t columns, F f) const {
    for_rows(columns, f, 64);
  }

  /// cpu::for_each_in_lanes, with memory of workspace 0.
  template <class F>
  void for_each_with_scratch(index_t count, index_t scratch_bytes, F f) {
    const index_t bytes = lanes_size(executor, count, scratch_bytes);
    auto* memory = workspace(0, bytes / static_cast<index_t>(sizeof(float)));
    for_each_in_lanes(executor, count, reinterpret_cast<std::byte*>(memory), scratch_bytes, f);
  }

 private:
  std::array<aligned_memory, 3> workspaces_;
};

}  // namespace onoma::inline ONOMA_ABI::cpu
