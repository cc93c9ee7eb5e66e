/// A folder for the files of one test.
#pragma once

#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

namespace test {

/// An empty folder of this process's own, removed with all that is in it.
struct temporary_folder {
  std::filesystem::path path = make();
  temporary_folder() = default;
  temporary_folder(const temporary_folder&) = delete;
  temporary_folder& operator=(const temporary_folder&) = delete;
  ~temporary_folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }

 private:
  static std::filesystem::path make() {
    static int count = 0;
    auto place = std::filesystem::temp_directory_path() /
                 ("onoma-" + std::to_string(::getpid()) + "-" + std::to_string(count++));
    std::filesystem::create_directories(place);
    return place;
  }
};

}  // namespace test
