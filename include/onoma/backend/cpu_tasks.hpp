/// How products are split into tasks: blocks of rows times groups of panels.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>

namespace onoma::inline ONOMA_ABI::detail {

/// Blocks of at most `most` rows. Where the panels are too few for three tasks per thread there are more
/// blocks, of 32 rows at least, with which reading a panel still takes little of the time.
[[nodiscard]] constexpr index row_blocks(index rows, index most, index panels, index threads) {
  const index needed = (rows + most - 1) / most;
  if (threads == 1) return needed;
  const index wanted = (3 * threads + panels - 1) / panels;
  return std::max(needed, std::min(wanted, rows / 32));
}

/// Groups of at most `most` of `panels`, so that each thread has about `each` tasks.
[[nodiscard]] constexpr index panel_groups(index panels, index most, index blocks, index each,
                                           index threads) {
  const index needed = (panels - 1) / most + 1;
  const index wanted = threads == 1 ? 1 : (each * threads + blocks - 1) / blocks;
  return std::min(panels, std::max(needed, wanted));
}

}  // namespace onoma::inline ONOMA_ABI::detail
