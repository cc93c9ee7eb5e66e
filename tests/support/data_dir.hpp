/// The folder with external corpora and conformance files, where the environment names one.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>

namespace test {

/// ONOMA_DATA_DIR, if it is set.
inline std::optional<std::filesystem::path> data_dir() {
  const char* folder = std::getenv("ONOMA_DATA_DIR");
  if (folder == nullptr || *folder == '\0') return std::nullopt;
  return folder;
}

}  // namespace test

/// Declares `name` as the data folder. Without one the test says so and returns: CTest then counts it
/// as skipped (tests/CMakeLists.txt).
#define ONOMA_REQUIRE_DATA_DIR(name)                        \
  const auto name##_found = test::data_dir();               \
  if (!name##_found) {                                      \
    std::puts("skipped: ONOMA_DATA_DIR is not set");        \
    return;                                                 \
  }                                                         \
  const std::filesystem::path name = *name##_found
