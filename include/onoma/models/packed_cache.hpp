/// A file of packed weights, from which a second start maps them instead of packing them again.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/manifest.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/safetensors.hpp>
#include <onoma/io/sealed_tensors.hpp>
#include <onoma/io/weights.hpp>
#include <onoma/models/checkpoint.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Packed weights as a safetensors file: a tensor for each linear layer whose weight the checkpoint has, with
/// digests of them (io/sealed_tensors.hpp), and in the metadata what they were made from: names, types and shapes
/// of the tensors, and the digest of all of their numbers.
///
/// Whether the weights are still those is told by size, time and place of their files (device, inode, and the time
/// of the last change of either, which copying tools cannot set); where these differ, the digest is computed anew.
/// A file that others may write to is not believed, as ssh believes no such key.
class packed_cache {
 public:
  /// Opens the file, mapped or copied as the weights are, if it was made by `layout` from these weights; else this
  /// cache is empty. Digests are computed on the threads of the executor; if the bytes of a file are looked at, one
  /// of them does `meanwhile`, which must not throw.
  /// @throws onoma::error (invalid_argument) for another file of that name, which a cache would replace;
  /// (io) if it cannot be read.
  packed_cache(std::filesystem::path path, const std::string& layout, const model_weights& weights,
               const checkpoint_match& match, executor_ref executor = {}, function_ref<void()> meanwhile = do_nothing)
      : path_(std::move(path)), weights_(&weights), executor_(executor), source_(describe_source(layout, match)) {
    if (!is_there(path_)) return;
    auto found = read(path_, weights.access());
    if (const auto reason = why_not(found, meanwhile); reason.empty()) {
      file_ = std::move(found);
    } else {
      remarks_.push_back("the packed cache " + path_.string() + " was not used and is written anew: " + reason);
    }
  }

  /// Whether there is no file to read from.
  [[nodiscard]] bool is_empty() const noexcept { return !file_; }
  /// The bytes of one layer's packed weight; null if the checkpoint does not have it.
  [[nodiscard]] const tensor_view* find(const std::string& name) const {
    return file_ ? file_->find(name) : nullptr;
  }

  /// Why a file that is there was not used, for people; else empty.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }

  /// Replaces the file. @throws onoma::error (io, file_not_found); it is then as it was.
  void write(std::vector<tensor_view> packed) const {
    write_sealed_tensors(path_, std::move(packed),
                         {{key, source_}, {files_key, describe_files()}, {digest_key, digest_of_source()}}, executor_);
    // Whatever the umask: a file that others may write to is not used.
    std::error_code ignored;
    namespace fs = std::filesystem;
    fs::permissions(path_, fs::perms::group_write | fs::perms::others_write, fs::perm_options::remove, ignored);
  }

  /// The mapping, for the model that reads it.
  [[nodiscard]] std::optional<safetensors_file> take() && noexcept { return std::move(file_); }

 private:
  static constexpr const char* key = "onoma packed weights";
  static constexpr const char* files_key = "onoma packed from files";
  static constexpr const char* digest_key = "onoma packed from numbers";
  static constexpr int version = 2;  // of all layouts

  /// Why this file of packed weights cannot be used; "" if it can.
  [[nodiscard]] std::string why_not(const safetensors_file& found, function_ref<void()> meanwhile) const {
    const auto& metadata = found.metadata();
    const auto entry = [&](const char* name) {
      const auto place = metadata.find(name);
      return place == metadata.end() ? std::string() : place->second;
    };
    if (others_may_write()) return "others may write to it";
    if (entry(key) != source_) return "it was made for other weights, another machine or version";
    if (entry(files_key) != describe_files() && entry(digest_key) != digest_of_source()) {
      return "the weights changed";
    }
    try {
      check_seal(found, "it", executor_, meanwhile);
    } catch (const error& problem) {
      return "it is damaged (" + problem.found() + ")";
    }
    return {};
  }

  [[nodiscard]] bool others_may_write() const {
#if ONOMA_HAS_MMAP
    struct stat status {};
    if (::stat(path_.c_str(), &status) != 0) return true;
    const bool owned = status.st_uid == 0 || status.st_uid == ::geteuid();
    return !owned || (status.st_mode & (S_IWGRP | S_IWOTH)) != 0;
#else
    return false;
#endif
  }

  [[nodiscard]] static safetensors_file read(const std::filesystem::path& path, file_access access) {
    const auto refuse = [&](const std::string& found) {
      fail(error_code::invalid_argument, "the packed cache " + path.string(),
           "a file that onoma wrote for this, or none", found);
    };
    std::optional<safetensors_file> file;
    try {
      file = safetensors_file::open(path, access);
    } catch (const error& problem) {
      if (problem.code() == error_code::io || problem.code() == error_code::file_not_found) throw;
      refuse(problem.what());
    }
    if (file->metadata().count(key) == 0) refuse("another safetensors file");
    return *std::move(file);
  }

  [[nodiscard]] static std::string describe_source(const std::string& layout, const checkpoint_match& match) {
    json tensors = json::array();
    for (const auto& source : match.found) {
      if (source.entry->reading != read_as::packed) continue;
      for (const auto* tensor : source.tensors) {
        tensors.push_back({source.entry->name, tensor->name, to_string(tensor->type), tensor->shape});
      }
    }
    return json{{"version", version}, {"layout", layout}, {"tensors", tensors}}.dump();
  }

  /// Which files these are, as far as the system tells without reading them.
  [[nodiscard]] std::string describe_files() const {
    json files = json::array();
    for (const auto& path : weights_->paths()) {
#if ONOMA_HAS_MMAP
      struct stat status {};
      if (::stat(path.c_str(), &status) != 0) fail_errno("looking at", path);
#if defined(__APPLE__)
      const auto modified = status.st_mtimespec;
      const auto changed = status.st_ctimespec;
#else
      const auto modified = status.st_mtim;
      const auto changed = status.st_ctim;
#endif
      files.push_back({path.filename().string(), status.st_size, status.st_dev, status.st_ino, modified.tv_sec,
                       modified.tv_nsec, changed.tv_sec, changed.tv_nsec});
#else
      std::error_code problem;
      const auto size = std::filesystem::file_size(path, problem);
      const auto time = problem ? std::filesystem::file_time_type() : std::filesystem::last_write_time(path, problem);
      if (problem) fail(error_code::io, "looking at " + path.string(), "", problem.message());
      files.push_back({path.filename().string(), size, time.time_since_epoch().count()});
#endif
    }
    return files.dump();
  }

  /// Of all tensors; of a folder with a manifest it stands there.
  [[nodiscard]] std::string digest_of_source() const {
    if (const auto* manifest = weights_->metadata(manifest_key)) {
      const json parsed = parse_json(*manifest, "the manifest in model.safetensors");
      if (const auto& digest = member(parsed, "weights"); digest.is_string()) return digest.get<std::string>();
    }
    const auto digest = digest_of_tensors(weights_->tensors(), executor_);
    for (const auto& tensor : weights_->tensors()) weights_->release(tensor);
    return digest;
  }

  std::filesystem::path path_;
  const model_weights* weights_;
  executor_ref executor_;
  std::string source_;
  std::optional<safetensors_file> file_;
  std::vector<std::string> remarks_;
};

}  // namespace onoma::inline ONOMA_ABI
