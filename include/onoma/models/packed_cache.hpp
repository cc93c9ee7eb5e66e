/// A file of packed weights, from which a second start maps them instead of packing them again.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/safetensors.hpp>
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

/// Packed weights as a safetensors file: a tensor for each linear layer whose weight the checkpoint has,
/// and in the metadata what they were made from. Files of weights count by name, size and time of their
/// last change, their tensors by name, type, shape and some of their bytes.
class packed_cache {
 public:
  /// Opens the file if it was made by `layout` from these weights; else this cache is empty.
  /// @throws onoma::error (invalid_argument) for another file of that name, which a cache would replace;
  /// (io) if it cannot be read.
  packed_cache(std::filesystem::path path, const std::string& layout, const model_weights& weights,
               const checkpoint_match& match)
      : path_(std::move(path)), source_(describe_source(layout, weights, match)) {
    if (!is_there(path_)) return;
    auto found = read(path_);
    if (found.metadata().at(key) == source_) file_ = std::move(found);
  }

  /// Whether there is no file to read from.
  [[nodiscard]] bool is_empty() const noexcept { return !file_; }
  /// The bytes of one layer's packed weight; null if the checkpoint does not have it.
  [[nodiscard]] const tensor_view* find(const std::string& name) const {
    return file_ ? file_->find(name) : nullptr;
  }

  /// Replaces the file. @throws onoma::error (io, file_not_found); it is then as it was.
  void write(std::vector<tensor_view> weights) const {
    write_safetensors(path_, std::move(weights), {{key, source_}});
  }

  /// The mapping, for the model that reads it.
  [[nodiscard]] std::optional<safetensors_file> take() && noexcept { return std::move(file_); }

 private:
  static constexpr const char* key = "onoma packed weights";
  static constexpr int version = 1;  // of all layouts

  [[nodiscard]] static safetensors_file read(const std::filesystem::path& path) {
    const auto refuse = [&](const std::string& found) {
      fail(error_code::invalid_argument, "the packed cache " + path.string(),
           "a file that onoma wrote for this, or none", found);
    };
    std::optional<safetensors_file> file;
    try {
      file = safetensors_file::open(path);
    } catch (const error& problem) {
      if (problem.code() == error_code::io || problem.code() == error_code::file_not_found) throw;
      refuse(problem.what());
    }
    if (file->metadata().count(key) == 0) refuse("another safetensors file");
    return *std::move(file);
  }

  [[nodiscard]] static std::string describe_source(const std::string& layout,
                                                   const model_weights& weights,
                                                   const checkpoint_match& match) {
    namespace fs = std::filesystem;
    json files = json::object();
    for (const auto& path : weights.paths()) {
      std::error_code problem;
      const auto size = fs::file_size(path, problem);
      const auto time = problem ? fs::file_time_type() : fs::last_write_time(path, problem);
      if (problem) fail(error_code::io, "looking at " + path.string(), "", problem.message());
      files[path.filename().string()] = {size, time.time_since_epoch().count()};
    }
    json tensors = json::array();
    for (const auto& source : match.found) {
      if (source.entry->reading != read_as::packed) continue;
      for (const auto* tensor : source.tensors) {
        tensors.push_back({source.entry->name, tensor->name, to_string(tensor->type), tensor->shape,
                           sample(tensor->bytes)});
        weights.release(*tensor);  // reading a line maps the pages around it
      }
    }
    return json{{"version", version}, {"layout", layout}, {"files", files}, {"tensors", tensors}}.dump();
  }

  /// A hash (FNV-1a) of 16 lines spread over the bytes: fine-tuning changes all of them, and clocks of
  /// file systems and container images cannot be relied on alone.
  [[nodiscard]] static std::uint64_t sample(std::span<const std::byte> bytes) {
    constexpr std::size_t line = 64;
    constexpr std::size_t lines = 16;
    std::uint64_t hash = 14695981039346656037U;
    for (std::size_t i = 0; i < lines; ++i) {
      const std::size_t first = (bytes.size() - std::min(bytes.size(), line)) / (lines - 1) * i;
      for (const auto byte : bytes.subspan(first, std::min(bytes.size(), line))) {
        hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211U;
      }
    }
    return hash;
  }

  std::filesystem::path path_;
  std::string source_;
  std::optional<safetensors_file> file_;
};

}  // namespace onoma::inline ONOMA_ABI
