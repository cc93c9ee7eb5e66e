/// Finding out that two threads use at once what serves one at a time.
#pragma once

#include <onoma/core/error.hpp>

#include <atomic>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// A mark on what serves one caller at a time. A copy or a moved one is free.
class exclusive {
 public:
  exclusive() = default;
  /// Free.
  exclusive(const exclusive& /*other*/) noexcept {}
  /// Stays as it is.
  exclusive& operator=(const exclusive& /*other*/) noexcept { return *this; }

  /// Takes the mark for a scope.
  class use {
   public:
    /// @throws onoma::error (invalid_argument) with `what` and `instead`, where somebody has it.
    use(exclusive& mark, const char* what, const char* instead) : mark_(mark) {
      if (mark.taken_.exchange(true, std::memory_order_acquire)) {
        fail(error_code::invalid_argument, what, std::string("one call at a time: ") + instead,
             "a call during another");
      }
    }
    ~use() { mark_.taken_.store(false, std::memory_order_release); }
    use(const use&) = delete;
    use& operator=(const use&) = delete;

   private:
    exclusive& mark_;
  };

  /// Gives the mark back whoever has it: in the child of a fork, where that thread is not.
  void reset() noexcept { taken_.store(false, std::memory_order_relaxed); }

 private:
  std::atomic<bool> taken_{false};
};

}  // namespace onoma::inline ONOMA_ABI
