/// Where parallel work runs: a reference to the host's own executor, or none.
#pragma once

#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <atomic>
#include <concepts>
#include <exception>
#include <memory>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// What onoma asks of a host's thread pool: call `task(i)` once for each i in [0, count), in any
/// order and on any thread, and return when all calls have returned. Tasks that onoma passes do not throw
/// (`executor_ref` catches what they throw) and do not start further parallel work. `concurrency()` is how
/// many may run at once, the same at every call; fewer than 1 count as 1.
template <class E>
concept executor = requires(E& e, index_t count, function_ref<void(index_t)> task) {
  { e.concurrency() } -> std::convertible_to<index_t>;
  e.parallel_for(count, task);
};

/// Runs tasks and keeps the first exception for the caller: what another thread throws would end the process.
/// Tasks that begin after it are left out.
class task_guard {
 public:
  /// Of one task.
  void run(function_ref<void(index_t)> task, index_t i) noexcept {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      task(i);
    } catch (...) {
      if (!failed_.exchange(true, std::memory_order_relaxed)) first_ = std::current_exception();
    }
  }
  /// When all tasks have returned. @throws what the first one that threw did.
  void rethrow() {
    if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(first_, nullptr));
  }

 private:
  std::atomic<bool> failed_{false};
  std::exception_ptr first_;
};

/// Runs everything on the calling thread.
class inline_executor {
 public:
  /// One call at a time.
  [[nodiscard]] index_t concurrency() const noexcept { return 1; }
  /// Calls `task(i)` for 0, 1, ... in this order.
  void parallel_for(index_t count, function_ref<void(index_t)> task) const {
    for (index_t i = 0; i < count; ++i) task(i);
  }
};

/// A type-erased reference to an executor, which must outlive it. Default: the calling thread.
class executor_ref {
 public:
  /// The calling thread.
  executor_ref() noexcept = default;

  /// Refers to `e`.
  template <executor E>
    requires(!std::same_as<E, executor_ref>)
  executor_ref(E& e) noexcept  // NOLINT: a reference type, converts implicitly
      : object_(std::addressof(e)),
        concurrency_([](void* o) { return static_cast<index_t>(static_cast<E*>(o)->concurrency()); }),
        run_([](void* o, index_t count, function_ref<void(index_t)> task) {
          static_cast<E*>(o)->parallel_for(count, task);
        }) {}

  /// Whether it refers to one.
  [[nodiscard]] explicit operator bool() const noexcept { return object_ != nullptr; }
  /// As that of the executor, at least 1.
  [[nodiscard]] index_t concurrency() const {
    return object_ == nullptr ? 1 : std::max<index_t>(1, concurrency_(object_));
  }
  /// As that of the executor; a single call is made on the calling thread.
  /// @throws what a task threw, once all that began have returned.
  void parallel_for(index_t count, function_ref<void(index_t)> task) const {
    if (object_ == nullptr || count <= 1) {
      for (index_t i = 0; i < count; ++i) task(i);
    } else {
      task_guard guard;
      const auto guarded = [&](index_t i) { guard.run(task, i); };
      run_(object_, count, guarded);
      guard.rethrow();
    }
  }

 private:
  void* object_ = nullptr;
  index_t (*concurrency_)(void*) = nullptr;
  void (*run_)(void*, index_t, function_ref<void(index_t)>) = nullptr;
};

/// The executor of something that may have one, as a backend; else the calling thread.
template <class T>
[[nodiscard]] executor_ref executor_of(const T& owner) {
  if constexpr (requires { { owner.executor() } -> std::convertible_to<executor_ref>; }) {
    return owner.executor();
  } else {
    return {};
  }
}

}  // namespace onoma::inline ONOMA_ABI
