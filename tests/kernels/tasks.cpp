/// How products are split into tasks.
#include <onoma/backend/cpu/tasks.hpp>

#include <doctest/doctest.h>

#include <initializer_list>

namespace test::tasks_tests {

using onoma::index_t;
using onoma::cpu::panel_groups;
using onoma::cpu::row_blocks;

TEST_CASE("products of all shapes give every thread something to do") {
  constexpr index_t row_block = 192;
  for (const index_t threads : {1, 2, 3, 8, 16, 64}) {
    for (const index_t rows : {1, 16, 31, 32, 33, 128, 193, 512, 2048}) {
      for (const index_t panels : {1, 6, 12, 36, 48}) {
        CAPTURE(threads);
        CAPTURE(rows);
        CAPTURE(panels);
        const index_t blocks = row_blocks(rows, row_block, panels, threads);
        const index_t groups = panel_groups(panels, panels, blocks, 8, threads);
        CHECK(blocks * row_block >= rows);
        CHECK(groups >= 1);
        CHECK(groups <= panels);
        const bool split_for_threads = (blocks - 1) * row_block >= rows;
        if (split_for_threads) CHECK(rows / blocks >= 32);
        if (threads == 1) {
          CHECK_FALSE(split_for_threads);
          CHECK(groups == 1);
        } else if (rows / 32 * panels >= 3 * threads) {
          CHECK(blocks * groups >= 3 * threads);
        }
      }
    }
  }
}

TEST_CASE("groups of panels have a largest size") {
  CHECK(panel_groups(48, 16, 1, 2, 1) == 3);
  CHECK(panel_groups(49, 16, 1, 2, 1) == 4);
  CHECK(panel_groups(1, 16, 1, 8, 4) == 1);
}

}  // namespace test::tasks_tests
