/// Noticing that this process is the child of a fork, in which the threads of its parent are not.
#pragma once

#include <onoma/core/config.hpp>

#include <atomic>

#if defined(__unix__) || defined(__APPLE__)
#include <pthread.h>
#endif

namespace onoma::inline ONOMA_ABI {

namespace detail {

inline std::atomic<unsigned> fork_count{0};

}  // namespace detail

/// How many forks lie between the first process that asked and this one: threads that were started under another
/// number do not exist. Costs a load.
[[nodiscard]] inline unsigned forks() noexcept {
#if defined(__unix__) || defined(__APPLE__)
  // In the child, whose only thread this is.
  static const int registered = ::pthread_atfork(
      nullptr, nullptr, [] { detail::fork_count.fetch_add(1, std::memory_order_relaxed); });
  static_cast<void>(registered);
#endif
  return detail::fork_count.load(std::memory_order_relaxed);
}

}  // namespace onoma::inline ONOMA_ABI
