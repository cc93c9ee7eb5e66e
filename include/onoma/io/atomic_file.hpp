/// Writing files so that a reader sees the old content or the new one, never a part.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/temporary.hpp>

#include <cerrno>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// Collects a file beside its target and puts it in place with `commit`: write, sync, rename, sync of
/// the folder. Without a commit (an exception on the way) the target stays as it was and the
/// temporary file is removed. It gets the mode of the file that it replaces.
///
/// Where the target is a link, the file that it leads to is replaced and the link stays. The temporary file has a
/// name that no one can guess and must not exist before, and is locked: what a process left that was killed is
/// removed by the next one that writes the same target; a child that it forks removes nothing. A device or a pipe is
/// written to as it is, at once.
class atomic_file {
 public:
  /// @throws onoma::error (io, file_not_found) if the folder cannot be written to; (invalid_argument) for a
  /// folder in the target's place.
  explicit atomic_file(const std::filesystem::path& target) : target_(real_target(target)) {
#if ONOMA_HAS_MMAP
    struct stat status {};
    const bool exists = ::stat(target_.c_str(), &status) == 0;
    if (exists && S_ISDIR(status.st_mode)) {
      fail(error_code::invalid_argument, "writing " + target_.string(), "the name of a file", "a folder");
    }
    if ((exists && !S_ISREG(status.st_mode)) || is_open_file(target_)) {
      open_descriptor(target_, O_WRONLY | O_APPEND);
      return;
    }
    sweep_temporaries(target_);
    make_temporary();
    if (exists) static_cast<void>(::fchmod(::fileno(file_), status.st_mode & 07777));
#else
    temporary_ = temporary_path(target_);
    file_ = std::fopen(temporary_.string().c_str(), "wbx");
    if (file_ == nullptr) fail_errno("writing", target_);
#endif
  }
  ~atomic_file() {
    if (file_ == nullptr) return;
#if ONOMA_HAS_MMAP
    // What a forked child has in its copy of the buffer is the parent's to write.
    if (!owner_.is_this()) ::close(::fileno(file_));
#endif
    std::fclose(file_);
    if (owner_.is_this()) remove_temporary();
  }
  atomic_file(const atomic_file&) = delete;
  atomic_file& operator=(const atomic_file&) = delete;

  /// Appends. @throws onoma::error (io).
  void write(std::span<const std::byte> bytes) {
    if (!bytes.empty() && std::fwrite(bytes.data(), 1, bytes.size(), file_) != bytes.size()) {
      fail_errno("writing", target_);
    }
  }
  /// Appends. @throws onoma::error (io).
  void write(std::string_view text) { write(std::as_bytes(std::span(text.data(), text.size()))); }

  /// @throws onoma::error (io); a target that is replaced is then unchanged, unless only the folder could not be
  /// synced: the new file is then there, and may not outlive a power cut.
  void commit() {
    if (std::fflush(file_) != 0) fail_errno("writing", target_);
#if ONOMA_HAS_MMAP
    if (::fsync(::fileno(file_)) != 0 && !temporary_.empty()) fail_errno("writing", target_);
#endif
    if (std::fclose(std::exchange(file_, nullptr)) != 0) {
      const int reason = errno;
      remove_temporary();
      errno = reason;
      fail_errno("writing", target_);
    }
    if (temporary_.empty()) return;
    std::error_code problem;
    std::filesystem::rename(temporary_, target_, problem);
    if (problem) {
      remove_temporary();
      fail(error_code::io, "writing " + target_.string(), "", problem.message());
    }
    sync_folder(target_.has_parent_path() ? target_.parent_path() : ".");
  }

  /// Makes the names in a folder outlive a power cut. File systems that cannot do that for folders lose this
  /// guarantee and nothing else. @throws onoma::error (io) if the system tried and failed.
  static void sync_folder(const std::filesystem::path& folder) {
#if ONOMA_HAS_MMAP
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    const bool failed = ::fsync(descriptor) != 0 && errno != EINVAL && errno != ENOTSUP && errno != EROFS;
    const int reason = errno;
    ::close(descriptor);
    errno = reason;
    if (failed) fail_errno("syncing folder", folder);
#else
    static_cast<void>(folder);
#endif
  }

  /// What a link leads to, though nothing may be there yet. @throws onoma::error (io) for links that go round.
  [[nodiscard]] static std::filesystem::path real_target(const std::filesystem::path& target) {
    std::filesystem::path place = target;
    std::error_code problem;
    for (int links = 0; !is_open_file(place) && std::filesystem::is_symlink(place, problem); ++links) {
      if (links == 40) fail(error_code::io, "writing " + target.string(), "a file", "links that go round");
      place = place.parent_path() / std::filesystem::read_symlink(place, problem);
    }
    return place;
  }
  /// Whether a target is written to as it is: devices, pipes, and what this process has open under a name.
  [[nodiscard]] static bool is_written_through(const std::filesystem::path& target) {
    std::error_code problem;
    const auto kind = std::filesystem::status(target, problem).type();
    using std::filesystem::file_type;
    return is_open_file(target) || kind == file_type::character || kind == file_type::block ||
           kind == file_type::fifo || kind == file_type::socket;
  }

 private:
  /// The names that the system gives to open files: /dev/stdout, /dev/fd/3, /proc/self/fd/3.
  static bool is_open_file(const std::filesystem::path& target) {
    const std::string name = target.lexically_normal().string();
    return name.starts_with("/proc/") || name.starts_with("/dev/fd/") || name == "/dev/stdout" ||
           name == "/dev/stderr";
  }

#if ONOMA_HAS_MMAP
  /// Until it is locked, another process may take the file for one that was left, and remove it.
  void make_temporary() {
    for (int tries = 0;; ++tries) {
      temporary_ = temporary_path(target_);
      open_descriptor(temporary_, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW);
      const auto got = lock_.try_to_lock(temporary_, ::fileno(file_));
      if (got == file_lock::outcome::held || got == file_lock::outcome::unknown) return;
      std::fclose(std::exchange(file_, nullptr));
      remove_temporary();
      if (tries == 100) fail(error_code::io, "writing " + target_.string(), "a temporary file", "none that stays");
    }
  }
  void open_descriptor(const std::filesystem::path& path, int flags) {
    const int descriptor = ::open(path.c_str(), flags | O_CLOEXEC, 0666);
    if (descriptor < 0) fail_errno("writing", target_);
    file_ = ::fdopen(descriptor, "wb");
    if (file_ != nullptr) return;
    const int reason = errno;
    ::close(descriptor);
    remove_temporary();
    errno = reason;
    fail_errno("writing", target_);
  }
#endif
  void remove_temporary() noexcept {
    if (temporary_.empty()) return;
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
  }

  std::filesystem::path target_;
  std::filesystem::path temporary_;  // empty: written through
  std::FILE* file_ = nullptr;
  file_lock lock_;  // of the temporary file, until it is in its place
  owner_process owner_;
};

/// Replaces a file's content. @throws onoma::error (io, file_not_found).
inline void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

}  // namespace onoma::inline ONOMA_ABI
