/// Replacing a folder so that a reader sees the old one whole or the new one whole.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/folder_entries.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/temporary.hpp>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#if defined(__linux__)
#include <linux/fs.h>
#include <sys/syscall.h>
#endif

namespace onoma::inline ONOMA_ABI {

/// What is left beside the place of a folder where a process was killed between the two renames that replace it: the
/// old folder (.old), and the new one (.tmp). Empty if no old one is there, or the place cannot be listed.
[[nodiscard]] inline std::vector<std::filesystem::path> halves_of(const std::filesystem::path& target) {
  std::vector<std::filesystem::path> halves;
  bool cut_short = false;
  try {
    for (auto& entry : folder_entries(target.has_parent_path() ? target.parent_path() : ".")) {
      auto name = entry.filename().string();
      const bool old = name.ends_with(".old");
      if (old) name.replace(name.size() - 4, 4, ".tmp");
      if (target_of_temporary(name) != target.filename().string()) continue;
      cut_short = cut_short || old;
      halves.push_back(std::move(entry));
    }
  } catch (const error&) {
    return {};
  }
  std::sort(halves.begin(), halves.end());
  return cut_short ? halves : std::vector<std::filesystem::path>();
}

/// A folder that is built beside its place and put there with `commit`, in one step, in the place of what is
/// there. Entries of the old folder that the new one lacks move along unless they are dropped: files as hard
/// links (or copies, where a file system has none), folders with what is in them, links as links.
///
/// Without a commit the old folder stays as it was, and what was built is removed; where the process was killed, by
/// the next one that saves there. A link in the folder's place stays, and the folder that it leads to is replaced. Of
/// a folder that cannot be renamed (a mount point, or one whose parent may not be written to) or must not be (the
/// working folder of this process, whose shell would stand in a folder that is gone) the files are replaced one by one.
class folder_replacement {
 public:
  /// Whether an entry of the old folder, which the new one does not have, goes.
  using drop = std::function<bool(std::string_view)>;

  /// @throws onoma::error (io, invalid_argument) if there is a file of that name, or no folder can be made.
  explicit folder_replacement(const std::filesystem::path& path) : target_(real_place(path)) {
    namespace fs = std::filesystem;
    std::error_code problem;
    exists_ = fs::is_directory(target_, problem);
    if (!exists_ && fs::exists(target_, problem)) {
      fail(error_code::invalid_argument, "saving folder " + target_.string(), "a folder", "a file of that name");
    }
    if (target_.has_parent_path()) {
      fs::create_directories(target_.parent_path(), problem);
      refuse(problem, "creating", target_.parent_path());
    }
    sweep();
    const bool beside = !(exists_ && is_working_folder());
    if (beside && make(target_, problem)) {
      if (exists_) fs::permissions(place(), fs::status(target_, problem).permissions(), problem);
      return;
    }
    const auto first = problem;
    inside_ = exists_ && make(target_ / ".onoma", problem);
    if (!inside_) refuse(beside ? first : problem, "creating", temporary_path(target_));
  }
  folder_replacement(const folder_replacement&) = delete;
  folder_replacement& operator=(const folder_replacement&) = delete;

  /// Where files are written to before `commit`.
  [[nodiscard]] const std::filesystem::path& place() const noexcept { return place_.path; }

  /// Puts the folder in its place.
  /// @throws onoma::error (io, unsupported: an old entry that is no file, folder or link); after one step that
  /// failed the old folder is as it was.
  void commit(const drop& dropped) {
    if (inside_ || !commit_beside(dropped)) commit_inside(dropped);
  }

 private:
  /// A folder that is removed with its owner.
  struct owned_folder {
    owned_folder() = default;
    owned_folder(owned_folder&& other) noexcept : path(std::exchange(other.path, {})), owner(other.owner) {}
    owned_folder& operator=(owned_folder&&) = delete;
    ~owned_folder() { remove(); }
    void remove() noexcept {
      if (!path.empty() && owner.is_this()) remove_folder(path);
      path.clear();
    }
    std::filesystem::path path;
    owner_process owner;
  };

  static std::filesystem::path real_place(const std::filesystem::path& path) {
    std::error_code problem;
    auto place = std::filesystem::absolute(path, problem).lexically_normal();
    if (place.filename().empty()) place = place.parent_path();
    if (std::filesystem::is_symlink(place, problem)) place = std::filesystem::canonical(place, problem);
    refuse(problem == std::errc::no_such_file_or_directory ? std::error_code() : problem, "saving folder", path);
    return place;
  }
  static void refuse(const std::error_code& problem, const char* what, const std::filesystem::path& path) {
    if (problem) fail(error_code::io, std::string(what) + " " + path.string(), "", problem.message());
  }
  /// Whether the working folder of this process is the target or inside it.
  [[nodiscard]] bool is_working_folder() const {
    std::error_code problem;
    const auto here = std::filesystem::canonical(std::filesystem::current_path(problem), problem);
    const auto target = std::filesystem::canonical(target_, problem);
    if (problem) return false;
    return std::mismatch(target.begin(), target.end(), here.begin(), here.end()).first == target.end();
  }
  /// Makes the folder to build in. Until it is locked, another process may take it for one that was left.
  bool make(const std::filesystem::path& target, std::error_code& problem) {
    for (int tries = 0; tries < 100; ++tries) {
      auto place = temporary_path(target);
      if (!std::filesystem::create_directory(place, problem)) return false;
      place_.path = std::move(place);
      const auto got = lock_.try_to_lock(place_.path);
      if (got != file_lock::outcome::busy && got != file_lock::outcome::gone) return true;
      place_.path.clear();
    }
    problem = std::make_error_code(std::errc::resource_unavailable_try_again);
    return false;
  }
  /// Removes what processes left that were killed; but not where one of them ended between the two steps of
  /// `replace_in_two_steps`: the new folder is then one of two that have the only models.
  void sweep() const {
    sweep_temporaries(target_ / ".onoma");
    if (exists_ || halves_of(target_).empty()) sweep_temporaries(target_);
  }

  /// False where the folder cannot be renamed.
  [[nodiscard]] bool commit_beside(const drop& dropped) {
    if (exists_) {
      keep_modes();
      keep_entries(target_, place(), dropped);
    }
    atomic_file::sync_folder(place());
    if (exists_) {
      if (!exchange() && !replace_in_two_steps()) return false;
    } else {
      std::error_code problem;
      std::filesystem::rename(place(), target_, problem);
      refuse(problem, "saving folder", target_);
      place_.path.clear();
    }
    atomic_file::sync_folder(target_.has_parent_path() ? target_.parent_path() : ".");
    place_.remove();  // now the old one
    return true;
  }

  /// Each file is replaced as a whole. What is new is on the file system before the first one is.
  void commit_inside(const drop& dropped) {
    namespace fs = std::filesystem;
    std::error_code problem;
    if (!inside_) {
      const owned_folder built = std::move(place_);
      if (!make(target_ / ".onoma", problem)) refuse(problem, "saving folder", target_);
      fs::copy(built.path, place(), fs::copy_options::recursive | fs::copy_options::skip_existing, problem);
      refuse(problem, "saving folder", target_);
    }
    keep_modes();
    for (const auto& entry : folder_entries(target_)) {
      if (!dropped(entry.filename().string()) || fs::exists(place() / entry.filename(), problem)) continue;
      fs::remove(entry, problem);
      refuse(problem, "removing", entry);
    }
    for (const auto& entry : folder_entries(place())) {
      if (fs::is_directory(entry, problem)) continue;  // kept, and there already
      fs::rename(entry, target_ / entry.filename(), problem);
      refuse(problem, "saving", target_ / entry.filename());
    }
    atomic_file::sync_folder(target_);
    place_.remove();
  }

  /// New files get the modes of those that they replace.
  void keep_modes() const {
    namespace fs = std::filesystem;
    for (const auto& entry : folder_entries(place())) {
      std::error_code problem;
      const auto old = fs::symlink_status(target_ / entry.filename(), problem);
      if (old.type() == fs::file_type::regular) fs::permissions(entry, old.permissions(), problem);
    }
  }
  static void keep_entries(const std::filesystem::path& from, const std::filesystem::path& to,
                           const drop& dropped) {
    namespace fs = std::filesystem;
    for (const auto& entry : folder_entries(from)) {
      const auto copy = to / entry.filename();
      std::error_code problem;
      if (fs::exists(fs::symlink_status(copy, problem)) || dropped(entry.filename().string())) continue;
      const auto kind = fs::symlink_status(entry, problem).type();
      if (kind == fs::file_type::symlink) {
        fs::copy_symlink(entry, copy, problem);
      } else if (kind == fs::file_type::directory) {
        fs::create_directory(copy, entry, problem);
        if (!problem) keep_entries(entry, copy, [](std::string_view) { return false; });
      } else if (kind == fs::file_type::regular) {
        fs::create_hard_link(entry, copy, problem);
        if (problem) fs::copy_file(entry, copy, problem = {});
      } else {
        fail(error_code::unsupported, "saving over folder " + from.string(), "files, folders and links",
             entry.filename().string() + ", which is none of them and cannot be kept");
      }
      refuse(problem, "keeping", entry);
    }
  }

  /// Both names at once (Linux 3.15, renameat2(2)); false where the system cannot.
  [[nodiscard]] bool exchange() const {
#if defined(__linux__) && defined(SYS_renameat2) && defined(RENAME_EXCHANGE)
    if (::syscall(SYS_renameat2, AT_FDCWD, place().c_str(), AT_FDCWD, target_.c_str(), RENAME_EXCHANGE) == 0) {
      return true;
    }
    if (!cannot_be_renamed(errno)) fail_errno("saving folder", target_);
#endif
    return false;
  }
  /// The old folder goes aside and comes back if the new one cannot take its place. A process that ends between
  /// the two leaves no folder, and beside its place the old one (.old) and the new one (.tmp).
  [[nodiscard]] bool replace_in_two_steps() {
    std::error_code problem;
    auto aside = temporary_path(target_);
    aside.replace_extension(".old");
    std::filesystem::rename(target_, aside, problem);
    if (problem && cannot_be_renamed(problem.value())) return false;
    refuse(problem, "saving folder", target_);
    std::filesystem::rename(place(), target_, problem);
    if (problem) {
      std::error_code ignored;
      std::filesystem::rename(aside, target_, ignored);
      refuse(problem, "saving folder", target_);
    }
    // A temporary folder like others now: if this process is killed, the next one that saves here removes it.
    std::filesystem::rename(aside, place(), problem);
    if (problem) place_.path = std::move(aside);
    return true;
  }
  static bool cannot_be_renamed(int reason) {
    return reason == EINVAL || reason == ENOSYS || reason == ENOTSUP || reason == EBUSY || reason == EXDEV;
  }

  std::filesystem::path target_;
  owned_folder place_;
  file_lock lock_;  // of the folder that is built
  bool exists_ = false;
  bool inside_ = false;
};

}  // namespace onoma::inline ONOMA_ABI
