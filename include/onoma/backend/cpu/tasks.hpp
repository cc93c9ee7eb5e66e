/// How products are split into tasks, blocks of rows times groups of panels, and who runs which.
#pragma once

#include <onoma/core/arena.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <new>
#include <type_traits>

namespace onoma::inline ONOMA_ABI::cpu {

/// Blocks of at most `most` rows. Where the panels are too few for three tasks per thread there are more
/// blocks, of 32 rows at least, with which reading a panel still takes little of the time.
[[nodiscard]] constexpr index_t row_blocks(index_t rows, index_t most, index_t panels, index_t threads) {
  const index_t needed = (rows + most - 1) / most;
  if (threads == 1) return needed;
  const index_t wanted = (3 * threads + panels - 1) / panels;
  return std::max(needed, std::min(wanted, rows / 32));
}

/// Groups of at most `most` of `panels`, so that each thread has about `each` tasks.
[[nodiscard]] constexpr index_t panel_groups(index_t panels, index_t most, index_t blocks, index_t each,
                                           index_t threads) {
  const index_t needed = (panels - 1) / most + 1;
  const index_t wanted = threads == 1 ? 1 : (each * threads + blocks - 1) / blocks;
  return std::min(panels, std::max(needed, wanted));
}

inline constexpr index_t cache_line = arena::alignment;  ///< bytes

/// Bytes of memory that `for_each_in_lanes` takes, with so much scratch for each lane.
[[nodiscard]] inline index_t lanes_size(executor_ref executor, index_t count, index_t scratch_bytes) {
  return std::min(count, executor.concurrency()) * (cache_line + arena::whole_lines(scratch_bytes));
}

/// f(i, previous, scratch) for i in [0, count). A lane runs its tasks one after another, so that scratch,
/// which belongs to the lane, does not grow with the number of tasks; `previous` is the task that used it
/// before, -1 at first. Each lane has a range of neighbours, which share what is prepared or was fetched
/// ahead, and then helps the others with theirs. `memory`: `lanes_size` bytes, on a cache line.
template <class F>
void for_each_in_lanes(executor_ref executor, index_t count, std::byte* memory, index_t scratch_bytes,
                       F f) {
  const index_t lanes = std::min(count, executor.concurrency());
  const index_t each = arena::whole_lines(scratch_bytes);
  // A cache line for the counter of each lane, then the scratch.
  using counter_type = std::atomic<index_t>;
  static_assert(sizeof(counter_type) <= cache_line && std::is_trivially_destructible_v<counter_type>);
  for (index_t lane = 0; lane < lanes; ++lane) {
    new (memory + lane * cache_line) counter_type(count * lane / lanes);
  }
  const auto counter = [memory](index_t lane) -> counter_type& {
    return *std::launder(reinterpret_cast<counter_type*>(memory + lane * cache_line));
  };
  executor.parallel_for(lanes, [&](index_t lane) {
    std::byte* scratch = memory + lanes * cache_line + lane * each;
    index_t previous = -1;
    for (index_t l = 0; l < lanes; ++l) {
      const index_t from = (lane + l) % lanes;
      const index_t end = count * (from + 1) / lanes;
      for (index_t i = counter(from).fetch_add(1); i < end; i = counter(from).fetch_add(1)) {
        f(i, previous, scratch);
        previous = i;
      }
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
