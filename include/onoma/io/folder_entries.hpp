/// What is in a folder, and its removal, also where memory runs out.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/mapped_file.hpp>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <vector>

#if ONOMA_HAS_MMAP
#include <dirent.h>
#endif
#if defined(__linux__)
#include <sys/syscall.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// The entries of a folder, as paths that begin with `folder`, in no order. (The standard library's iterators end the
/// program where memory runs out.) @throws onoma::error (io).
[[nodiscard]] inline std::vector<std::filesystem::path> folder_entries(const std::filesystem::path& folder) {
  std::vector<std::filesystem::path> entries;
#if ONOMA_HAS_MMAP
  struct closing {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, closing> open(::opendir(folder.c_str()));
  if (!open) fail_errno("listing", folder);
  for (;;) {
    errno = 0;
    const auto* entry = ::readdir(open.get());
    if (entry == nullptr && errno != 0) fail_errno("listing", folder);
    if (entry == nullptr) return entries;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") entries.push_back(folder / name);
  }
#else
  try {
    for (const auto& entry : std::filesystem::directory_iterator(folder)) entries.push_back(entry.path());
  } catch (const std::filesystem::filesystem_error& problem) {
    fail(error_code::io, "listing " + folder.string(), "", problem.code().message());
  }
  return entries;
#endif
}

#if defined(__linux__) && defined(SYS_getdents64)

namespace detail {

/// Removes what is in an open folder, which it closes. Links are removed, not followed.
inline void empty_folder(int descriptor) noexcept {
  // The records of getdents64(2): number of the file, place of the next one, size, kind, name.
  struct record {
    std::uint64_t number;
    std::int64_t next;
    std::uint16_t size;
    unsigned char kind;
  };
  constexpr std::size_t name_at = 8 + 8 + 2 + 1;
  alignas(record) std::array<char, 2048> records{};
  for (bool removed = true; removed;) {  // what is removed moves the places of the rest
    removed = false;
    if (::lseek(descriptor, 0, SEEK_SET) < 0) break;
    for (;;) {
      const auto bytes = ::syscall(SYS_getdents64, descriptor, records.data(), records.size());
      if (bytes <= 0) break;
      for (std::size_t at = 0; at < static_cast<std::size_t>(bytes);) {
        record entry{};
        std::memcpy(&entry, records.data() + at, name_at);
        const char* name = records.data() + at + name_at;
        at += entry.size;
        if (std::strcmp(name, ".") == 0 || std::strcmp(name, "..") == 0) continue;
        if (::unlinkat(descriptor, name, 0) == 0) {
          removed = true;
          continue;
        }
        const int inner = ::openat(descriptor, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (inner < 0) continue;
        empty_folder(inner);
        removed = ::unlinkat(descriptor, name, AT_REMOVEDIR) == 0 || removed;
      }
    }
  }
  ::close(descriptor);
}

}  // namespace detail

/// Removes a folder and all that is in it, as far as the system lets it, without asking for memory.
inline void remove_folder(const std::filesystem::path& folder) noexcept {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
  if (descriptor < 0) return;
  detail::empty_folder(descriptor);
  ::rmdir(folder.c_str());
}

#else

/// Removes a folder and all that is in it, as far as the system lets it.
inline void remove_folder(const std::filesystem::path& folder) noexcept {
  try {
    std::error_code ignored;
    std::filesystem::remove_all(folder, ignored);
  } catch (...) {
    // without memory it stays
  }
}

#endif

}  // namespace onoma::inline ONOMA_ABI
