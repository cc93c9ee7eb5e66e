/// A file's bytes, read-only: mapped where the system can and the caller wants it, read otherwise.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/white_space.hpp>

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

/// @def ONOMA_HAS_MMAP
/// 1: files are mapped; 0: they are read into memory.
#if defined(__unix__) || defined(__APPLE__)
#define ONOMA_HAS_MMAP 1
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#else
#define ONOMA_HAS_MMAP 0
#endif

namespace onoma::inline ONOMA_ABI {

/// Throws the error that `errno` stands for, naming the file.
[[noreturn]] inline void fail_errno(const char* operation, const std::filesystem::path& path) {
  const int reason = errno;
  fail(reason == ENOENT ? error_code::file_not_found : error_code::io,
       std::string(operation) + " " + path.string(), "", std::strerror(reason));
}

/// Whether a file or folder of this name is there.
/// @throws onoma::error (io) if the system does not say, as for a name that is too long.
[[nodiscard]] inline bool is_there(const std::filesystem::path& path) {
  std::error_code problem;
  const bool found = std::filesystem::exists(path, problem);
  if (problem) fail(error_code::io, "looking for " + path.string(), "", problem.message());
  return found;
}

/// How a file comes into memory.
enum class file_access {
  mapped,  ///< as far as it is looked at; where the system cannot, as `copied`
  copied,  ///< as a whole, so that nothing that happens to the file later is seen
};

/// Owns the mapping of one regular file, or a copy of it. Movable; the bytes stay where they are.
///
/// A mapping shows the file itself: it outlives the file's name, so that a file which is replaced by a
/// rename or deleted changes nothing, but a file that is overwritten in place changes under its reader,
/// and reading beyond the end of one that was cut short is a SIGBUS. A copy has none of this, and takes memory.
class mapped_file {
 public:
  mapped_file() = default;

  /// @throws onoma::error (file_not_found, io) naming the path; (io) for a file that becomes shorter while it is
  /// copied.
  explicit mapped_file(const std::filesystem::path& path, file_access access = file_access::mapped) {
#if ONOMA_HAS_MMAP
    const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);  // of a pipe: no waiting
    if (descriptor < 0) fail_errno("opening", path);
    struct stat status {};
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor);
      fail(error_code::io, "opening " + path.string(), "a regular file", "something else");
    }
    size_ = static_cast<std::size_t>(status.st_size);
    if (size_ > 0 && access == file_access::copied) {
      const bool whole = read_all(descriptor);
      ::close(descriptor);
      if (!whole) fail(error_code::io, "reading " + path.string(), std::to_string(size_) + " bytes", "fewer");
      return;
    }
    if (size_ > 0) {
      void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (address == MAP_FAILED) {
        ::close(descriptor);
        fail_errno("mapping", path);
      }
      data_ = static_cast<const std::byte*>(address);
      is_mapping_ = true;
    }
    ::close(descriptor);
#else
    static_cast<void>(access);
    std::ifstream file(path, std::ios::binary | std::ios::ate);
    if (!file) fail(error_code::file_not_found, "opening " + path.string(), "a readable file");
    size_ = static_cast<std::size_t>(file.tellg());
    allocate_copy();
    file.seekg(0);
    file.read(reinterpret_cast<char*>(copy_.get()), static_cast<std::streamsize>(size_));
    if (!file) fail(error_code::io, "reading " + path.string(), "");
#endif
  }

  ~mapped_file() { release(); }
  mapped_file(const mapped_file&) = delete;
  mapped_file& operator=(const mapped_file&) = delete;
  /// Takes the mapping over; views of it stay valid.
  mapped_file(mapped_file&& other) noexcept { take(other); }
  /// Takes the mapping over, and gives the own one back.
  mapped_file& operator=(mapped_file&& other) noexcept {
    if (this != &other) {
      release();
      take(other);
    }
    return *this;
  }

  /// The whole file.
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, size_}; }
  /// The whole file, as characters.
  [[nodiscard]] std::string_view text() const noexcept {
    return {reinterpret_cast<const char*>(data_), size_};
  }

  /// Gives the pages of `part` back to the system, which keeps them in its cache: the memory of this
  /// process shrinks, and a later read brings them back. Bytes that are not this file's are ignored.
  void release_pages(std::span<const std::byte> part) const noexcept {
#if ONOMA_HAS_MMAP && defined(MADV_DONTNEED)
    const auto begin = reinterpret_cast<std::uintptr_t>(data_);
    const auto first = reinterpret_cast<std::uintptr_t>(part.data());
    // Anywhere else the same advice would erase memory.
    if (!is_mapping_ || part.empty() || first < begin ||
        first + part.size() > begin + size_) {
      return;
    }
    const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
    const auto start = first / page * page;
    static_cast<void>(::madvise(reinterpret_cast<void*>(start), first + part.size() - start,
                                MADV_DONTNEED));
#else
    static_cast<void>(part);
#endif
  }

 private:
  static constexpr std::align_val_t alignment{64};  // as the data of a mapped file of weights
  struct free_copy {
    void operator()(std::byte* copy) const noexcept { ::operator delete(copy, alignment); }
  };

  void allocate_copy() {
    copy_.reset(static_cast<std::byte*>(::operator new(size_, alignment)));
    data_ = copy_.get();
  }
#if ONOMA_HAS_MMAP
  /// `size_` bytes. False: there are fewer, or they cannot be read.
  bool read_all(int descriptor) {
    try {
      allocate_copy();
    } catch (...) {
      ::close(descriptor);
      throw;
    }
    for (std::size_t at = 0; at < size_;) {
      const auto count = ::read(descriptor, copy_.get() + at, size_ - at);
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) return false;
      at += static_cast<std::size_t>(count);
    }
    return true;
  }
#endif

  void release() noexcept {
#if ONOMA_HAS_MMAP
    if (is_mapping_) ::munmap(const_cast<std::byte*>(data_), size_);
#endif
    copy_.reset();
    data_ = nullptr;
    size_ = 0;
    is_mapping_ = false;
  }
  void take(mapped_file& other) noexcept {
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    is_mapping_ = std::exchange(other.is_mapping_, false);
    copy_ = std::move(other.copy_);
  }

  const std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  bool is_mapping_ = false;
  std::unique_ptr<std::byte, free_copy> copy_;
};

/// Small texts that a failed download leaves in the place of a file.
enum class stand_in {
  none,             ///< none of these: the file itself
  git_lfs_pointer,  ///< says where the file is (git-lfs, docs/spec.md)
  html,             ///< a web page: what a server answered for the file
};

/// What of them a file's content is.
[[nodiscard]] inline stand_in stand_in_of(std::string_view content) {
  if (content.starts_with("version https://git-lfs")) return stand_in::git_lfs_pointer;
  content = content.substr(0, 512);
  if (content.starts_with("\xEF\xBB\xBF")) content.remove_prefix(3);
  content = trim_white_space(content);
  const auto starts = [content](std::string_view lower) {
    return content.size() >= lower.size() &&
           std::equal(lower.begin(), lower.end(), content.begin(), [](char a, char b) {
             return a == b || (b >= 'A' && b <= 'Z' && b - 'A' + 'a' == a);
           });
  };
  return starts("<!doctype html") || starts("<html") ? stand_in::html : stand_in::none;
}

/// A file of a model folder. Folders that were not downloaded as a whole have small texts in the
/// place of files, which would else be refused for what they are not.
/// @throws onoma::error (format) if it is a pointer of Git LFS or a page of HTML; as `mapped_file`.
[[nodiscard]] inline mapped_file open_model_file(const std::filesystem::path& path,
                                                 file_access access = file_access::copied) {
  mapped_file file(path, access);
  const auto found = stand_in_of(file.text());
  if (found == stand_in::none) return file;
  fail(error_code::format, "opening " + path.string(), "the file itself",
       found == stand_in::html ? "a web page (HTML), as a download leaves that was refused"
                               : "a pointer of Git LFS to it, which 'git lfs pull' replaces");
}

/// A whole text file. @throws onoma::error (file_not_found, io).
[[nodiscard]] inline std::string read_text_file(const std::filesystem::path& path) {
  const mapped_file file(path, file_access::copied);
  return std::string(file.text());
}

}  // namespace onoma::inline ONOMA_ABI
