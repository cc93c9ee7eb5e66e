/// Temporary files and folders: names that nobody guesses, owners that end with their process, and
/// the removal of what processes left that were killed.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/folder_entries.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

inline constexpr std::string_view temporary_digits = "0123456789abcdefghijklmnopqrstuv";
inline constexpr std::size_t temporary_length = 16;

}  // namespace detail

/// A name beside `target` that no one can guess, "<target>.<16 digits of base 32>.tmp": of a file
/// or folder that will be renamed to it. Who makes it must still fail where the name is taken.
[[nodiscard]] inline std::filesystem::path temporary_path(const std::filesystem::path& target) {
  std::random_device
      source;  // the system's: other processes and containers may have our process id
  std::string ending = ".";
  for (std::size_t i = 0; i < detail::temporary_length / 4; ++i) {
    for (std::uint32_t bits = source(), n = 0; n < 4; ++n, bits >>= 5) {
      ending += detail::temporary_digits[bits % 32];
    }
  }
  return target.string() + ending + ".tmp";
}

/// The target's name, of a name that `temporary_path` gave; else empty.
[[nodiscard]] inline std::string_view target_of_temporary(std::string_view name) {
  constexpr std::string_view ending = ".tmp";
  constexpr std::size_t added = 1 + detail::temporary_length + ending.size();
  if (name.size() <= added || !name.ends_with(ending)) return {};
  const auto target = name.substr(0, name.size() - added);
  const auto digits = name.substr(target.size() + 1, detail::temporary_length);
  const bool ours = name[target.size()] == '.' &&
                    digits.find_first_not_of(detail::temporary_digits) == std::string_view::npos;
  return ours ? target : std::string_view();
}

/// Removes the temporary files and folders in `folder` whose targets' names are wanted, that belong
/// to this user and whose owner, which had locked them, is no more. Those of living processes stay,
/// and so do links, and all where the file system has no locks. Never fails.
inline void sweep_temporaries(const std::filesystem::path& folder,
                              const std::function<bool(std::string_view)>& wanted) {
#if ONOMA_HAS_MMAP
  std::vector<std::filesystem::path> entries;
  try {
    entries = folder_entries(folder);
  } catch (const error&) {
    return;  // a folder that cannot be listed cannot be swept
  }
  for (const auto& entry : entries) {
    const auto name = entry.filename().string();
    const auto target = target_of_temporary(name);
    if (target.empty() || !wanted(target)) continue;
    file_lock lock;
    if (lock.try_to_lock(entry) != file_lock::outcome::held) continue;
    struct stat status {};
    if (::fstat(lock.descriptor(), &status) != 0 || status.st_uid != ::geteuid()) continue;
    if (S_ISREG(status.st_mode)) ::unlink(entry.c_str());
    if (S_ISDIR(status.st_mode)) remove_folder(entry);
  }
#else
  static_cast<void>(folder);
  static_cast<void>(wanted);
#endif
}

/// Those of one target.
inline void sweep_temporaries(const std::filesystem::path& target) {
  const auto name = target.filename().string();
  sweep_temporaries(target.has_parent_path() ? target.parent_path() : ".",
                    [&](std::string_view other) { return other == name; });
}

}  // namespace onoma::inline ONOMA_ABI
