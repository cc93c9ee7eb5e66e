/// Writing files so that a reader sees the old content or the new one, never a part.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/mapped_file.hpp>

#include <atomic>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <system_error>

namespace onoma::inline ONOMA_ABI {

/// A name beside `target` that no other writer takes: of a file or folder that will be renamed to it.
[[nodiscard]] inline std::filesystem::path temporary_path(const std::filesystem::path& target) {
  static std::atomic<unsigned> count{0};
  std::string ending = "." + std::to_string(count++) + ".tmp";
#if ONOMA_HAS_MMAP
  ending = "." + std::to_string(::getpid()) + ending;
#endif
  return target.string() + ending;
}

/// Collects a file beside its target and puts it in place with `commit`: write, sync, rename, sync of
/// the folder. Without a commit (an exception on the way) the target stays as it was and the
/// temporary file is removed.
class atomic_file {
 public:
  /// @throws onoma::error (io, file_not_found) if the folder cannot be written to.
  explicit atomic_file(std::filesystem::path target)
      : target_(std::move(target)), temporary_(temporary_path(target_)) {
    file_ = std::fopen(temporary_.string().c_str(), "wb");
    if (file_ == nullptr) fail_errno("writing", target_);
  }
  ~atomic_file() {
    if (file_ == nullptr) return;
    std::fclose(file_);
    std::error_code ignored;
    std::filesystem::remove(temporary_, ignored);
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

  /// @throws onoma::error (io); the target is then unchanged.
  void commit() {
    if (std::fflush(file_) != 0) fail_errno("writing", target_);
#if ONOMA_HAS_MMAP
    if (::fsync(::fileno(file_)) != 0) fail_errno("writing", target_);
#endif
    std::FILE* closing = std::exchange(file_, nullptr);
    std::error_code problem;
    if (std::fclose(closing) == 0) {
      std::filesystem::rename(temporary_, target_, problem);
    } else {
      problem = std::error_code(errno, std::generic_category());
    }
    if (problem) {
      std::error_code ignored;
      std::filesystem::remove(temporary_, ignored);
      fail(error_code::io, "writing " + target_.string(), "", problem.message());
    }
    sync_folder();
  }

 private:
  void sync_folder() const noexcept {
#if ONOMA_HAS_MMAP
    // The rename is durable once the folder is. Where folders cannot be synced, nothing is lost
    // but the guarantee after a power cut.
    const auto folder = target_.has_parent_path() ? target_.parent_path() : ".";
    const int descriptor = ::open(folder.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) return;
    static_cast<void>(::fsync(descriptor));
    ::close(descriptor);
#endif
  }

  std::filesystem::path target_;
  std::filesystem::path temporary_;
  std::FILE* file_ = nullptr;
};

/// Replaces a file's content. @throws onoma::error (io, file_not_found).
inline void write_file_atomically(const std::filesystem::path& path, std::string_view text) {
  atomic_file file(path);
  file.write(text);
  file.commit();
}

}  // namespace onoma::inline ONOMA_ABI
