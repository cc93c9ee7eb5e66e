/// A non-owning reference to a callable: two pointers, no allocation.
#pragma once

#include <onoma/core/config.hpp>

#include <memory>
#include <type_traits>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// See `function_ref<Result(Args...)>`.
template <class Signature>
class function_ref;

/// Refers to a callable that must outlive the reference (P0792, `std::function_ref` in C++26).
template <class Result, class... Args>
class function_ref<Result(Args...)> {
 public:
  /// Refers to `callable`: a temporary must not be kept beyond its full expression.
  template <class F>
    requires(!std::is_same_v<std::remove_cvref_t<F>, function_ref> &&
             std::is_invocable_r_v<Result, F&, Args...>)
  function_ref(F&& callable) noexcept  // NOLINT: converts implicitly, as std::function_ref does
      : object_(const_cast<void*>(static_cast<const void*>(std::addressof(callable)))),
        call_([](void* object, Args... args) -> Result {
          return (*static_cast<std::remove_reference_t<F>*>(object))(std::forward<Args>(args)...);
        }) {}

  /// Calls it.
  Result operator()(Args... args) const { return call_(object_, std::forward<Args>(args)...); }

 private:
  void* object_;
  Result (*call_)(void*, Args...);
};

/// A callable that does nothing.
inline constexpr auto do_nothing = [] {};

}  // namespace onoma::inline ONOMA_ABI
