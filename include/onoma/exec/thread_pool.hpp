/// A small thread pool for programs that have none of their own.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/exclusive.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/forks.hpp>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <new>
#include <string>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <sched.h>
#endif
#if defined(__x86_64__) || defined(_M_X64)
#include <immintrin.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// CPUs that this process may run on now, at least 1.
[[nodiscard]] inline index_t available_cpus() {
#if defined(__linux__)
  cpu_set_t cpus;
  if (sched_getaffinity(0, sizeof(cpus), &cpus) == 0) {
    return std::max<index_t>(1, CPU_COUNT(&cpus));
  }
#endif
  return std::max<index_t>(1, static_cast<index_t>(std::thread::hardware_concurrency()));
}

/// `threads` threads including the caller, who takes part in every `parallel_for`.
///
/// Workers spin for a bounded time after each task, because the next call of a forward pass comes
/// microseconds later, and then sleep, so that an idle pool costs nothing. Indices are handed out
/// by one counter: uneven tasks balance themselves. A call waits for the workers that have joined it
/// and for no others, so that it is never slower than the caller alone by more than a wake-up where
/// the machine is busy or gives fewer CPUs than threads; in the latter case nobody spins. One
/// `parallel_for` runs at a time: a second one, of another thread or of a task, is refused. Nothing is
/// allocated after construction. In the child of a fork, where the workers are not, the first call starts
/// them anew.
class thread_pool {
 public:
  /// @throws onoma::error (invalid_argument) unless 1 <= threads <= 1024, (unsupported) if the system does
  /// not start as many.
  explicit thread_pool(index_t threads)
      : threads_(threads), spin_limit_(threads <= available_cpus() ? longest_spin : 0) {
    if (threads < 1 || threads > 1024) {
      fail(error_code::invalid_argument, "thread_pool", "1 to 1024 threads",
           std::to_string(threads));
    }
    start();
  }

  ~thread_pool() { stop(); }

  thread_pool(const thread_pool&) = delete;
  thread_pool& operator=(const thread_pool&) = delete;

  /// The number of threads, with the caller.
  [[nodiscard]] index_t concurrency() const noexcept { return threads_; }

  /// Calls `task(i)` once for every i in [0, count); returns when all calls have returned.
  /// @throws what a task threw, once all that began have returned; onoma::error (invalid_argument) during another
  /// call, (unsupported) if the child of a fork cannot start the threads.
  void parallel_for(index_t count, function_ref<void(index_t)> task) {
    if (threads_ == 1 || count <= 1) {
      for (index_t i = 0; i < count; ++i) task(i);
      return;
    }
    if (process_ != forks()) restart();
    const exclusive::use used(exclusive_, "thread_pool::parallel_for",
                              "a pool for each thread that calls, and no parallel work in tasks");
    task_guard guard;
    guard_ = &guard;
    task_ = &task;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    joined_.store(open, std::memory_order_release);
    // In one order with the workers' `sleepers_`: either they see this or we see them.
    generation_.fetch_add(1, std::memory_order_seq_cst);
    if (sleepers_.load(std::memory_order_seq_cst) > 0) generation_.notify_all();
    run_tasks();
    // Who has not joined by now finds the door closed: only then may `task` go away.
    joined_.fetch_sub(open, std::memory_order_acq_rel);
    for (int spins = 0; joined_.load(std::memory_order_acquire) != 0; ++spins) {
      if (spins < spin_limit_) {
        pause();
      } else {
        std::this_thread::yield();
      }
    }
    guard.rethrow();
  }

 private:
  void start() {
    process_ = forks();
    workers_.reserve(static_cast<std::size_t>(threads_ - 1));
    try {
      for (index_t i = 1; i < threads_; ++i) workers_.emplace_back([this] { work(); });
    } catch (const std::system_error& problem) {
      const auto started = workers_.size() + 1;
      stop();
      workers_.clear();
      fail(error_code::unsupported, "thread_pool", std::to_string(threads_) + " threads",
           std::to_string(started) + ", then: " + problem.what());
    }
  }
  /// In the child of a fork: as after construction. What is left of the parent's workers are their handles, which
  /// must be neither joined nor destroyed.
  void restart() {
    static_cast<void>(new std::vector<std::thread>(std::move(workers_)));  // for ever
    exclusive_.reset();
    joined_.store(0, std::memory_order_relaxed);
    generation_.store(0, std::memory_order_relaxed);
    sleepers_.store(0, std::memory_order_relaxed);
    stop_.store(false, std::memory_order_relaxed);
    start();
  }
  void stop() noexcept {
    if (process_ != forks()) {
      static_cast<void>(new (std::nothrow) std::vector<std::thread>(std::move(workers_)));
      return;
    }
    stop_.store(true, std::memory_order_relaxed);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    for (auto& worker : workers_) worker.join();
  }

  // About 50 microseconds of pauses: longer than the gap between two operations of a layer,
  // shorter than anyone would notice as load.
  static constexpr int longest_spin = 2000;
  // Added to `joined_` while a call takes workers in; above any number of workers.
  static constexpr std::int32_t open = 1 << 16;

  static void pause() noexcept {
#if defined(__x86_64__) || defined(_M_X64)
    _mm_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  void run_tasks() {
    for (;;) {
      const index_t i = next_.fetch_add(1, std::memory_order_relaxed);
      if (i >= count_) return;
      guard_->run(*task_, i);
    }
  }

  /// Whether the calling worker is now part of a running call.
  bool join_call() {
    std::int32_t joined = joined_.load(std::memory_order_relaxed);
    while (joined >= open) {
      if (joined_.compare_exchange_weak(joined, joined + 1, std::memory_order_acquire,
                                        std::memory_order_relaxed)) {
        return true;
      }
    }
    return false;
  }

  void work() {
    std::uint32_t seen = 0;
    for (;;) {
      for (int spins = 0; generation_.load(std::memory_order_acquire) == seen; ++spins) {
        if (spins < spin_limit_) {
          pause();
          continue;
        }
        sleepers_.fetch_add(1, std::memory_order_seq_cst);
        generation_.wait(seen, std::memory_order_seq_cst);
        sleepers_.fetch_sub(1, std::memory_order_relaxed);
      }
      // The call that woke this worker may be over, and a later one may be joined instead.
      seen = generation_.load(std::memory_order_acquire);
      // After that: who has seen the last generation, and would wait for another, sees `stop_` too.
      if (stop_.load(std::memory_order_relaxed)) return;
      if (!join_call()) continue;
      run_tasks();
      joined_.fetch_sub(1, std::memory_order_release);
    }
  }

  const index_t threads_;
  const int spin_limit_;
  unsigned process_ = 0;  // of which the workers are
  exclusive exclusive_;
  task_guard* guard_ = nullptr;
  std::vector<std::thread> workers_;
  const function_ref<void(index_t)>* task_ = nullptr;
  index_t count_ = 0;
  // On cache lines of their own: the counter is written by all threads.
  alignas(64) std::atomic<index_t> next_{0};
  alignas(64) std::atomic<std::int32_t> joined_{0};
  alignas(64) std::atomic<std::uint32_t> generation_{0};
  std::atomic<std::int32_t> sleepers_{0};
  std::atomic<bool> stop_{false};
};

}  // namespace onoma::inline ONOMA_ABI
