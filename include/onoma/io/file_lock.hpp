/// Locks of files and folders that end with the process which holds them.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/mapped_file.hpp>

#include <cerrno>
#include <filesystem>
#include <fstream>
#include <string>
#include <system_error>
#include <utility>

#if ONOMA_HAS_MMAP
#include <sys/file.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// A lock (flock(2)) on an open file or folder. The system takes it back when the process ends,
/// however it ends. It holds between the processes of one machine, containers included; on file
/// systems without flock, and on systems other than POSIX, it is never held.
class file_lock {
 public:
  file_lock() = default;
  /// Takes what the other one holds.
  file_lock(file_lock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}
  /// Exchanges what both hold.
  file_lock& operator=(file_lock&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  file_lock(const file_lock&) = delete;
  file_lock& operator=(const file_lock&) = delete;
  ~file_lock() {
#if ONOMA_HAS_MMAP
    if (descriptor_ >= 0) ::close(descriptor_);
#endif
  }

  /// What came of the wish for a lock.
  enum class outcome {
    held,     ///< this object has it
    busy,     ///< another one has it
    gone,     ///< the name now belongs to another file, or to none
    unknown,  ///< the file system or the system has no such locks, or the file cannot be opened
  };

  /// Locks what is at `path`, which is not followed if it is a link. Does not wait.
  outcome try_to_lock(const std::filesystem::path& path) {
#if ONOMA_HAS_MMAP
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (descriptor < 0) return errno == ENOENT ? outcome::gone : outcome::unknown;
    *this = file_lock(descriptor);
    return lock(path);
#else
    static_cast<void>(path);
    return outcome::unknown;
#endif
  }
#if ONOMA_HAS_MMAP
  /// Locks the file at `path`, which this descriptor has open. The descriptor stays with the
  /// caller.
  outcome try_to_lock(const std::filesystem::path& path, int open_file) {
    const int descriptor = ::fcntl(open_file, F_DUPFD_CLOEXEC, 0);
    if (descriptor < 0) return outcome::unknown;
    *this = file_lock(descriptor);
    return lock(path);
  }
  /// What is locked, or was to be; -1: nothing was opened.
  [[nodiscard]] int descriptor() const noexcept { return descriptor_; }
#endif

 private:
#if ONOMA_HAS_MMAP
  explicit file_lock(int descriptor) : descriptor_(descriptor) {}

  [[nodiscard]] outcome lock(const std::filesystem::path& path) const {
    if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0) {
      return errno == EWOULDBLOCK ? outcome::busy : outcome::unknown;
    }
    // Between opening and locking, whoever had the lock may have removed the file.
    struct stat mine {};
    struct stat named {};
    const bool same = ::fstat(descriptor_, &mine) == 0 && ::lstat(path.c_str(), &named) == 0 &&
                      mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
    return same ? outcome::held : outcome::gone;
  }
#endif

  int descriptor_ = -1;
};

/// The process that made something which ends with it. A child of a fork has a copy: that it ends must change nothing.
class owner_process {
 public:
  /// Whether this is the process that made it.
  [[nodiscard]] bool is_this() const noexcept { return id_ == current(); }

 private:
  [[nodiscard]] static long current() noexcept {
#if ONOMA_HAS_MMAP
    return static_cast<long>(::getpid());
#else
    return 0;
#endif
  }
  long id_ = current();
};

/// Keeps a second process from doing what this one does, by a lock on a file that is there as long
/// as this object is, in the process that made it: a child that it forks may go on or end, the lock is its parent's.
/// A file that a process left which was killed does not hinder. On file systems
/// without flock nothing is locked: then it is for their users to see that only one process runs.
class process_lock {
 public:
  process_lock() = default;
  /// `doing` says in the error what is locked, as in "training with checkpoint a".
  /// @throws onoma::error (invalid_argument) if another process has the lock, naming it and the
  /// file; (io, file_not_found) if the file cannot be made.
  process_lock(std::filesystem::path path, const std::string& doing) : path_(std::move(path)) {
#if ONOMA_HAS_MMAP
    for (int tries = 0; tries < 100; ++tries) {
      const int made =
          ::open(path_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0666);
      if (made < 0) fail_errno("locking", path_);
      const auto got = lock_.try_to_lock(path_, made);
      if (got == file_lock::outcome::held) name_holder(made);
      ::close(made);
      if (got == file_lock::outcome::gone) continue;
      if (got == file_lock::outcome::busy) refuse(doing);
      return;
    }
    refuse(doing);
#else
    static_cast<void>(doing);
#endif
  }
  /// Takes what the other one holds.
  process_lock(process_lock&& other) noexcept
      : path_(std::exchange(other.path_, {})), lock_(std::move(other.lock_)), owner_(other.owner_) {}
  /// Exchanges what both hold.
  process_lock& operator=(process_lock&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(lock_, other.lock_);
    std::swap(owner_, other.owner_);
    return *this;
  }
  process_lock(const process_lock&) = delete;
  process_lock& operator=(const process_lock&) = delete;
  ~process_lock() {
    std::error_code ignored;
    if (!path_.empty() && owner_.is_this()) std::filesystem::remove(path_, ignored);
  }

 private:
#if ONOMA_HAS_MMAP
  static void name_holder(int file) {
    char host[256] = {};
    const bool named = ::gethostname(host, sizeof host - 1) == 0;
    const auto text = std::to_string(::getpid()) + (named ? std::string(" on ") + host : "") + "\n";
    // For people: a lock without it is as good.
    if (::ftruncate(file, 0) == 0) static_cast<void>(::write(file, text.data(), text.size()) < 0);
  }
  [[noreturn]] void refuse(const std::string& doing) {
    std::string holder;
    std::getline(std::ifstream(path_), holder);
    const auto file = std::exchange(path_, {}).string();
    fail(error_code::invalid_argument, doing, "no other run that uses it",
         (holder.empty() ? "another process" : "process " + holder) + ", which holds " + file);
  }
#endif

  std::filesystem::path path_;
  file_lock lock_;
  owner_process owner_;
};

}  // namespace onoma::inline ONOMA_ABI
