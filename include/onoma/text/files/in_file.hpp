/// Errors of functions that do not know which file they read say it.
#pragma once

#include <onoma/core/error.hpp>

#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// What `read()` returns. Its errors get `name` in front, a file's, unless it is there.
/// @throws onoma::error as `read`.
template <class Read>
auto in_file(std::string_view name, const Read& read) {
  try {
    return read();
  } catch (const error& problem) {
    if (problem.operation().starts_with(name)) throw;
    fail(problem.code(), std::string(name) + ": " + problem.operation(), problem.expected(), problem.found());
  }
}

}  // namespace onoma::inline ONOMA_ABI
