/// The thread pool runs every task once, from any number of threads, many times in a row.
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#if defined(__linux__)
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <thread>
#include <utility>
#include <vector>

namespace test::thread_pool_tests {

using onoma::index_t;

TEST_CASE("every index once, for many short calls") {
  for (const index_t threads : {1, 2, 4, 9}) {
    onoma::thread_pool pool(threads);
    CHECK(pool.concurrency() == threads);
    const onoma::executor_ref executor(pool);
    for (int round = 0; round < 2000; ++round) {
      const index_t count = round % 23;
      std::vector<std::atomic<int>> calls(static_cast<std::size_t>(count));
      executor.parallel_for(count, [&](index_t i) { ++calls[static_cast<std::size_t>(i)]; });
      for (const auto& c : calls) REQUIRE(c == 1);
    }
  }
}

TEST_CASE("a host without threads to name still runs everything") {
  struct {
    [[nodiscard]] int concurrency() const { return 0; }  // as std::thread::hardware_concurrency may
    void parallel_for(index_t count, onoma::function_ref<void(index_t)> task) const {
      for (index_t i = 0; i < count; ++i) task(i);
    }
  } host;
  const onoma::executor_ref executor(host);
  CHECK(executor);
  CHECK_FALSE(onoma::executor_ref());
  CHECK(executor.concurrency() == 1);
}

TEST_CASE("workers sleep and wake again") {
  onoma::thread_pool pool(3);
  std::atomic<int> sum{0};
  for (int round = 0; round < 5; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
    pool.parallel_for(10, [&](index_t i) { sum += static_cast<int>(i); });
  }
  CHECK(sum == 5 * 45);
}

TEST_CASE("more threads than CPUs: calls neither wait for workers that sleep nor lose one") {
  onoma::thread_pool pool(4 * onoma::available_cpus() + 1);
  for (index_t round = 0; round < 3000; ++round) {
    std::atomic<index_t> sum{0};  // gone when the call is over: a late worker would write to it
    const index_t count = 2 + round % 40;
    pool.parallel_for(count, [&](index_t i) {
      std::this_thread::yield();  // the caller runs out of indices while others are still at it
      sum += i;
    });
    REQUIRE(sum == count * (count - 1) / 2);
  }
}

#if defined(__linux__) && !defined(__SANITIZE_ADDRESS__)  // whose shadow takes more
TEST_CASE("a pool whose threads the system does not start is an error") {
  const auto child = ::fork();
  if (child == 0) {
    // Room for the stacks of a few threads.
    const ::rlimit room{rlim_t{1} << 30, rlim_t{1} << 30};
    ::setrlimit(RLIMIT_AS, &room);
    try {
      onoma::thread_pool pool(1024);
    } catch (const onoma::error& problem) {
      ::_exit(problem.code() == onoma::error_code::unsupported ? 0 : 2);
    }
    ::_exit(3);
  }
  int status = -1;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 0);
}
#endif

TEST_CASE("memory is zero and aligned, small blocks and mapped ones") {
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{4096}, std::size_t{2} << 20,
                                  (std::size_t{5} << 20) + 3}) {
    onoma::aligned_memory memory(bytes);
    CHECK(memory.size() == bytes);
    CHECK(reinterpret_cast<std::uintptr_t>(memory.data()) %
              (bytes < (std::size_t{2} << 20) ? 64 : std::size_t{2} << 20) == 0);
    bool zero = true;
    for (std::size_t i = 0; i < bytes; ++i) zero = zero && memory.data()[i] == std::byte{0};
    CHECK(zero);
    memory.data()[bytes - 1] = std::byte{7};
    onoma::aligned_memory other = std::move(memory);
    CHECK(other.data()[bytes - 1] == std::byte{7});
    other = onoma::aligned_memory(64);
    CHECK(other.size() == 64);
  }
}

TEST_CASE("without an executor the calling thread does the work") {
  const onoma::executor_ref none;
  CHECK(none.concurrency() == 1);
  int sum = 0;
  none.parallel_for(4, [&](index_t i) { sum += static_cast<int>(i); });
  CHECK(sum == 6);
  CHECK_THROWS_AS(onoma::thread_pool(0), onoma::error);
}

TEST_CASE("what a task throws, on whichever thread, comes out of the call when no task runs any more") {
  onoma::thread_pool pool(3);
  const auto caller = std::this_thread::get_id();
  for (int round = 0; round < 200; ++round) {
    auto data = std::make_unique<std::vector<long>>(400, 1);
    const bool mine = round % 2 == 0;
    std::atomic<bool> thrown{false};
    const auto call = [&, p = data.get()] {
      pool.parallel_for(400, [&, p](index_t i) {
        if (i > 20 && (std::this_thread::get_id() == caller) == mine) {
          thrown = true;
          throw std::bad_alloc();
        }
        (*p)[static_cast<std::size_t>(i)]++;
      });
    };
    bool caught = false;
    try {
      call();
    } catch (const std::bad_alloc&) {
      caught = true;
    }
    CHECK(caught == thrown);
    data.reset();  // and nobody counts in it
  }
  // An executor of the host's, which must not see it.
  struct host {
    static index_t concurrency() { return 2; }
    void parallel_for(index_t count, onoma::function_ref<void(index_t)> task) {
      for (index_t i = 0; i < count; ++i) task(i);
      ++returned;
    }
    int returned = 0;
  } executor;
  CHECK_THROWS_AS(onoma::executor_ref(executor).parallel_for(3, [](index_t) { throw std::bad_alloc(); }),
                  std::bad_alloc);
  CHECK(executor.returned == 1);
}

TEST_CASE("a pool that is called by a task or by two threads says so") {
  onoma::thread_pool pool(2);
  CHECK_THROWS_WITH_AS(pool.parallel_for(8, [&](index_t) { pool.parallel_for(8, [](index_t) {}); }),
                       doctest::Contains("found a call during another"), onoma::error);
  std::atomic<index_t> sum{0};
  std::atomic<index_t> refused{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int round = 0; round < 200; ++round) {
        try {
          pool.parallel_for(16, [&](index_t i) { sum += i; });
        } catch (const onoma::error&) {
          ++refused;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(sum == 120 * (800 - refused));
}

TEST_CASE("pools survive a fork: in the child they start their workers anew, or are destroyed") {
  for (int round = 0; round < 100; ++round) {
    auto pool = std::make_unique<onoma::thread_pool>(4);
    pool->parallel_for(8, [](index_t) {});
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      std::atomic<int> count{0};
      if (round % 2 == 0) pool->parallel_for(8, [&](index_t) { ++count; });
      pool.reset();
      ::_exit(round % 2 == 0 && count != 8 ? 1 : 0);
    }
    int status = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    CHECK(status == 0);
    pool->parallel_for(8, [](index_t) {});
  }
}

}  // namespace test::thread_pool_tests
