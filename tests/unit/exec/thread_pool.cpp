/// The thread pool runs every task once, from any number of threads, many times in a row.
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <thread>
#include <vector>

namespace test {

using onoma::index;

TEST_CASE("every index once, for many short calls") {
  for (const index threads : {1, 2, 4, 9}) {
    onoma::thread_pool pool(threads);
    CHECK(pool.concurrency() == threads);
    const onoma::executor_ref executor(pool);
    for (int round = 0; round < 2000; ++round) {
      const index count = round % 23;
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      executor.parallel_for(count, [&](index i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const auto& c : calls) REQUIRE(c == 1);
    }
  }
}

TEST_CASE("workers sleep and wake again") {
  onoma::thread_pool pool(3);
  std::atomic<int> sum{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.parallel_for(10, [&](index i) { sum += static_cast<int>(i); });
  }
  CHECK(sum == 5 * 45);
}

TEST_CASE("without an executor the calling thread does the work") {
  const onoma::executor_ref none;
  CHECK(none.concurrency() == 1);
  int sum = 0;
  none.parallel_for(4, [&](index i) { sum += static_cast<int>(i); });
  CHECK(sum == 6);
  CHECK_THROWS_AS(onoma::thread_pool(0), onoma::error);
}

}  // namespace test
