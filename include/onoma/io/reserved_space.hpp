/// Disk space that is set aside for a file which is written later.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/temporary.hpp>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <filesystem>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#if ONOMA_HAS_MMAP
#include <sys/resource.h>
#include <sys/statvfs.h>
#endif

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// The folder of a path, or the nearest one above it that is there.
[[nodiscard]] inline std::filesystem::path folder_above(const std::filesystem::path& path) {
  std::error_code problem;
  auto place = std::filesystem::absolute(path, problem).lexically_normal();
  if (place.filename().empty()) place = place.parent_path();
  do {
    place = place.parent_path();
  } while (!std::filesystem::is_directory(place, problem) && place.has_relative_path());
  return place;
}

/// Bytes that this user may still write in a folder; the largest number where the system does not
/// say.
[[nodiscard]] inline std::uintmax_t free_space(const std::filesystem::path& folder) {
#if ONOMA_HAS_MMAP
  struct statvfs status {};
  if (::statvfs(folder.c_str(), &status) != 0 || status.f_blocks == 0) return UINTMAX_MAX;
  const auto blocks = ::geteuid() == 0 ? status.f_bfree : status.f_bavail;
  return static_cast<std::uintmax_t>(blocks) * static_cast<std::uintmax_t>(status.f_frsize);
#else
  std::error_code problem;
  const auto space = std::filesystem::space(folder, problem);
  return problem ? UINTMAX_MAX : space.available;
#endif
}

}  // namespace detail

/// @throws onoma::error (io) if fewer bytes are free beside `target` than these, naming both numbers.
inline void check_free_space(const std::filesystem::path& target, std::uintmax_t bytes) {
  const auto folder = detail::folder_above(target);
  const auto free = detail::free_space(folder);
  if (free >= bytes) return;
  fail(error_code::io, "reserving disk space for " + target.string(),
       std::to_string(bytes) + " bytes in " + folder.string(), std::to_string(free) + " bytes that are free");
}

/// Space on the disk of a file or folder that will be written: taken when this object is made,
/// given back by `release`, just before the writing, and when the process ends. It has no name, so
/// that nothing is left behind.
///
/// Where the file system takes no space in advance (fallocate(2), Linux alone), it is only looked
/// whether there is enough now: `is_held` is then false.
class reserved_space {
 public:
  reserved_space() = default;
  /// `bytes` beside `target`, or in the nearest folder above it that is there.
  /// @throws onoma::error (io) if there is not so much, naming what is needed and what is free, or
  /// if a file may not be so large (RLIMIT_FSIZE).
  reserved_space(const std::filesystem::path& target, std::uintmax_t bytes) : bytes_(bytes) {
    if (bytes == 0) return;
    const auto folder = detail::folder_above(target);
    const auto refuse = [&](const std::string& found) {
      fail(error_code::io, "reserving disk space for " + target.string(),
           std::to_string(bytes) + " bytes in " + folder.string(), found);
    };
#if ONOMA_HAS_MMAP
    struct rlimit limit {};
    if (::getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY && limit.rlim_cur < bytes) {
      refuse("a limit of " + std::to_string(limit.rlim_cur) + " bytes per file");
    }
#endif
    const int reason = hold(folder / target.filename());
    if (reason == 0) return;
    check_free_space(target, bytes);
    if (reason == ENOSPC) refuse("a disk that is full");
#if ONOMA_HAS_MMAP
    if (reason == EDQUOT) refuse("a quota that is used up");
#endif
  }
  /// Takes what the other one holds.
  reserved_space(reserved_space&& other) noexcept
      : bytes_(std::exchange(other.bytes_, 0)),
        descriptor_(std::exchange(other.descriptor_, -1)),
        owner_(other.owner_) {}
  /// Exchanges what both hold.
  reserved_space& operator=(reserved_space&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(descriptor_, other.descriptor_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  reserved_space(const reserved_space&) = delete;
  reserved_space& operator=(const reserved_space&) = delete;
  ~reserved_space() { release(); }

  /// How much was asked for; 0 once it is released.
  [[nodiscard]] std::uintmax_t bytes() const noexcept { return bytes_; }
  /// Whether the space is taken, and nobody else can write there.
  [[nodiscard]] bool is_held() const noexcept { return descriptor_ >= 0; }

  /// Gives the space back.
  void release() noexcept {
    bytes_ = 0;
#if ONOMA_HAS_MMAP
    if (descriptor_ < 0) return;
    // A child that was forked has the file open too, and must not give the space back.
    if (owner_.is_this()) static_cast<void>(::ftruncate(descriptor_, 0) == 0);
    ::close(std::exchange(descriptor_, -1));
#endif
  }

 private:
  /// 0, or why the space could not be taken.
  int hold(const std::filesystem::path& target) {
#if defined(__linux__)
    const auto name = temporary_path(target);
    descriptor_ = ::open(name.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
    if (descriptor_ < 0) return errno;
    ::unlink(name.c_str());
    int reason = 0;
    do {
      reason = ::fallocate(descriptor_, 0, 0, static_cast<off_t>(bytes_)) == 0 ? 0 : errno;
    } while (reason == EINTR);
    if (reason != 0) ::close(std::exchange(descriptor_, -1));
    return reason;
#else
    static_cast<void>(target);
    return ENOTSUP;
#endif
  }

  std::uintmax_t bytes_ = 0;
  int descriptor_ = -1;
  owner_process owner_;
};

/// Space for a folder that `folder_replacement` will put in the place of `target`: it is built
/// beside it, and where `target` is another disk's root, copied into it.
[[nodiscard]] inline std::vector<reserved_space> reserve_for_folder(
    const std::filesystem::path& target, std::uintmax_t bytes) {
  std::error_code problem;
  auto place = std::filesystem::absolute(target, problem).lexically_normal();
  if (std::filesystem::is_symlink(place, problem))
    place = std::filesystem::canonical(place, problem);
  std::vector<reserved_space> spaces;
  spaces.emplace_back(place, bytes);
#if ONOMA_HAS_MMAP
  struct stat inside {};
  struct stat beside {};
  if (::stat(place.c_str(), &inside) == 0 &&
      ::stat(detail::folder_above(place).c_str(), &beside) == 0 && inside.st_dev != beside.st_dev) {
    spaces.emplace_back(place / ".onoma", bytes);
  }
#endif
  return spaces;
}

}  // namespace onoma::inline ONOMA_ABI
