/// A flag by which one thread asks another to end a call.
#pragma once

#include <onoma/core/error.hpp>

#include <atomic>
#include <memory>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// Copies are the same flag. Whoever does long work looks at it between its parts.
class cancellation {
 public:
  cancellation() : flag_(std::make_shared<std::atomic<bool>>(false)) {}

  /// Asks for the end of what looks at this flag, from any thread; it stays set until `reset`.
  void cancel() const noexcept { flag_->store(true, std::memory_order_relaxed); }
  /// Takes that back, for the next call.
  void reset() const noexcept { flag_->store(false, std::memory_order_relaxed); }
  /// Whether someone asked.
  [[nodiscard]] bool is_cancelled() const noexcept { return flag_->load(std::memory_order_relaxed); }
  /// @throws onoma::error (cancelled) naming the operation, if someone asked.
  void check(const char* operation) const {
    if (is_cancelled()) fail(error_code::cancelled, operation, "", "a request to stop");
  }

 private:
  std::shared_ptr<std::atomic<bool>> flag_;
};

}  // namespace onoma::inline ONOMA_ABI
