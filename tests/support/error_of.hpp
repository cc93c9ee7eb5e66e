/// The error that a call throws.
#pragma once

#include <onoma/core/error.hpp>

#include <doctest/doctest.h>

#include <functional>

namespace test {

/// What the call throws, which must be an `onoma::error`; a call that throws none ends the test.
inline onoma::error error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const onoma::error& problem) {
    return problem;
  }
  FAIL("no error");
  return onoma::error(onoma::error_code::io, "", "");
}

}  // namespace test
