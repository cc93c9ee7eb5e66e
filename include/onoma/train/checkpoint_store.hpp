/// Where a training run keeps its states: one file, or a folder of the last few.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/folder_entries.hpp>
#include <onoma/io/reserved_space.hpp>
#include <onoma/io/temporary.hpp>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The states of one run. Where one is kept, it is the file `path`, and each state replaces the one before. Where
/// more are kept, `path` is a folder of files "step-000000123.safetensors"; once a state is on the disk for good,
/// those of later steps go (of a run that went on from an earlier one), and the oldest beyond the number to keep.
/// Other files in the folder stay. Each state has the best weights so far beside the last ones.
///
/// A run that is on its way holds a lock, the file `path` with ".lock" behind it, and the disk space that its further
/// states will need. Devices and pipes in the place of a file are written to, and neither locked nor reserved.
class checkpoint_store {
 public:
  /// An empty path: nothing is kept.
  checkpoint_store(std::filesystem::path path, index_t keep) : path_(std::move(path)), keep_(keep) {}

  /// Whether nothing is kept.
  [[nodiscard]] bool is_none() const noexcept { return path_.empty(); }
  /// Whether the run has no state here yet: those that are there are another's, and its first one replaces them.
  [[nodiscard]] bool is_new() const noexcept { return is_new_; }
  /// Says that the run goes on from one of these states.
  void continues() noexcept { is_new_ = false; }
  /// Whether a state is one of these.
  [[nodiscard]] bool has(const std::filesystem::path& state) const {
    std::error_code problem;
    if (is_none()) return false;
    const auto folder = state.has_parent_path() ? state.parent_path() : std::filesystem::path(".");
    return std::filesystem::equivalent(keep_ > 1 ? folder : state, path_, problem);
  }
  /// Where the state after so many steps is written.
  [[nodiscard]] std::filesystem::path place(index_t step) const {
    if (keep_ == 1) return path_;
    const auto digits = std::to_string(step);
    return path_ / (std::string(prefix) + std::string(digits.size() < 9 ? 9 - digits.size() : 0, '0') + digits +
                    std::string(ending));
  }

  /// The states at `path`, newest first: those of a folder, or the file itself, or none if nothing is there.
  [[nodiscard]] static std::vector<std::filesystem::path> states(const std::filesystem::path& path) {
    std::error_code problem;
    std::vector<std::filesystem::path> paths;
    if (!std::filesystem::is_directory(path, problem)) {
      if (std::filesystem::exists(path, problem)) paths.push_back(path);
      return paths;
    }
    for (auto& [step, place] : list(path)) paths.push_back(std::move(place));
    return paths;
  }

  /// Keeps other processes from using the states, until the run ends.
  /// @throws onoma::error (invalid_argument) if another one does; (io, file_not_found) if there can be no lock.
  void lock() {
    if (is_none() || lock_ || is_written_through()) return;
    const auto target = atomic_file::real_target(path_);
    lock_.emplace(target.string() + ".lock", "training with checkpoint " + path_.string());
  }

  /// While it lives, the states are locked and their space is reserved.
  class opened {
   public:
    /// Makes the folder if there is none. `bytes` is what a state takes at most.
    /// @throws onoma::error as `lock`, and (io) if the disk has no place for the states.
    opened(checkpoint_store& store, std::uintmax_t bytes) : store_(store) {
      store.lock();
      try {
        store.open(bytes);
      } catch (...) {
        store.close();
        throw;
      }
    }
    ~opened() { store_.close(); }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;

   private:
    checkpoint_store& store_;
  };

  /// Gives back the space of one state, just before it is written.
  void make_room() noexcept { try_to_hold(reserved() - std::min(reserved(), bytes_)); }
  /// After a state was written: removes those that are no longer kept, and takes the space for the next one.
  void saved(index_t step) {
    if (keep_ > 1) {
      index_t kept = 1;
      for (const auto& [other, place] : list(path_)) {
        std::error_code ignored;
        const bool goes = other != step && (is_new_ || other > step || ++kept > keep_);
        if (goes) std::filesystem::remove(place, ignored);
      }
    }
    is_new_ = false;
    try_to_hold(missing());
  }

 private:
  static constexpr std::string_view prefix = "step-";
  static constexpr std::string_view ending = ".safetensors";

  [[nodiscard]] bool is_written_through() const { return keep_ == 1 && atomic_file::is_written_through(path_); }

  /// The step in the name of a state's file.
  [[nodiscard]] static std::optional<index_t> step_of(std::string_view name) {
    if (!name.starts_with(prefix) || !name.ends_with(ending) || name.size() < prefix.size() + ending.size() + 9) {
      return std::nullopt;
    }
    const auto digits = name.substr(prefix.size(), name.size() - prefix.size() - ending.size());
    index_t step = 0;
    const auto [end, problem] = std::from_chars(digits.data(), digits.data() + digits.size(), step);
    if (problem != std::errc() || end != digits.data() + digits.size() || step < 0) return std::nullopt;
    return step;
  }
  /// Steps and paths of the states in a folder, newest first.
  [[nodiscard]] static std::vector<std::pair<index_t, std::filesystem::path>> list(
      const std::filesystem::path& folder) {
    namespace fs = std::filesystem;
    std::vector<std::pair<index_t, fs::path>> found;
    for (auto& entry : folder_entries(folder)) {
      std::error_code ignored;
      const auto step = step_of(entry.filename().string());
      if (step && fs::symlink_status(entry, ignored).type() == fs::file_type::regular) {
        found.emplace_back(*step, std::move(entry));
      }
    }
    std::sort(found.begin(), found.end(), std::greater<>());
    return found;
  }

  void open(std::uintmax_t bytes) {
    if (is_none() || is_written_through()) return;
    bytes_ = bytes;
    if (keep_ > 1) {
      std::error_code problem;
      std::filesystem::create_directory(path_, problem);
      if (problem || !std::filesystem::is_directory(path_, problem)) {
        fail(error_code::io, "making folder " + path_.string() + " for training states", "a new or another folder",
             problem ? problem.message() : "a file");
      }
      atomic_file::sync_folder(path_.has_parent_path() ? path_.parent_path() : ".");
      sweep_temporaries(path_, [](std::string_view name) { return step_of(name).has_value(); });
    } else {
      sweep_temporaries(atomic_file::real_target(path_));
    }
    check_free_space(target(), missing());
    hold(missing());
  }
  void close() noexcept {
    spaces_.clear();
    bytes_ = 0;
    lock_.reset();
  }

  /// Bytes that all states and the one that is written beside them take, less those that are there.
  [[nodiscard]] std::uintmax_t missing() const {
    const auto all = (static_cast<std::uintmax_t>(keep_) + 1) * bytes_;
    std::uintmax_t there = 0;
    for (const auto& state : states(path_)) {
      std::error_code problem;
      const auto size = std::filesystem::file_size(state, problem);
      if (!problem) there += std::min(size, bytes_);
    }
    return all - std::min(all, there);
  }
  [[nodiscard]] std::uintmax_t reserved() const {
    std::uintmax_t bytes = 0;
    for (const auto& space : spaces_) bytes += space.bytes();
    return bytes;
  }
  /// What lies on the disk on which states are written.
  [[nodiscard]] std::filesystem::path target() const {
    return keep_ > 1 ? place(0) : atomic_file::real_target(path_);
  }
  /// Reserves so many bytes in all, in pieces no larger than a state: where files may not be larger, this holds too.
  void hold(std::uintmax_t bytes) {
    while (reserved() > bytes) spaces_.pop_back();
    while (reserved() < bytes) spaces_.emplace_back(target(), std::min(bytes_, bytes - reserved()));
  }
  /// If somebody was faster, the states that are there are good, and the next one may find place again.
  void try_to_hold(std::uintmax_t bytes) noexcept {
    try {
      hold(bytes);
    } catch (const std::exception&) {
    }
  }

  std::filesystem::path path_;
  index_t keep_;
  bool is_new_ = true;
  std::uintmax_t bytes_ = 0;  // of a state, at most; 0: the states are not open
  std::optional<process_lock> lock_;
  std::vector<reserved_space> spaces_;
};

}  // namespace onoma::inline ONOMA_ABI
