/// A model as the Hugging Face Hub publishes it: a folder of configuration, weights and tokenizer.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/weights.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Files that make up a tokenizer; they travel unchanged from the encoder to the saved model.
inline constexpr std::string_view tokenizer_files[] = {
    "tokenizer.json",    "vocab.txt",         "tokenizer_config.json",   "special_tokens_map.json",
    "added_tokens.json", "vocab.json",        "merges.txt",              "spiece.model",  "spm.model",
    "sentencepiece.model", "sentencepiece.bpe.model"};

/// An opened folder. The weights stay mapped as long as this object lives.
class model_folder {
 public:
  /// Needs config.json and weights (io/weights.hpp says which files); tokenizer files are noted where
  /// they are.
  /// @throws onoma::error (file_not_found, unsupported, parse, format) naming the file.
  [[nodiscard]] static model_folder open(const std::filesystem::path& path) {
    std::error_code problem;  // a name that is too long, say
    if (!std::filesystem::is_directory(path, problem)) {
      fail(error_code::file_not_found, "opening model folder " + path.string(), "a folder",
           std::filesystem::exists(path, problem) ? "a file" : "nothing");
    }
    model_folder folder;
    folder.path_ = path;
    folder.config_ = read_json(path, "config.json");
    folder.tensors_ = model_weights::open(path);
    folder.tokenizer_config_ = is_there(path / "tokenizer_config.json")
                                   ? read_json(path, "tokenizer_config.json")
                                   : json::object();
    return folder;
  }

  /// Of the folder.
  [[nodiscard]] const std::filesystem::path& path() const noexcept { return path_; }
  /// config.json, an object.
  [[nodiscard]] const json& config() const noexcept { return config_; }
  /// The weights, under the names of their files.
  [[nodiscard]] const model_weights& tensors() const& noexcept { return tensors_; }
  /// The tensors and what they view stay where they are.
  [[nodiscard]] model_weights tensors() && noexcept { return std::move(tensors_); }
  /// tokenizer_config.json; an empty object where there is none.
  [[nodiscard]] const json& tokenizer_config() const noexcept { return tokenizer_config_; }

  /// The path of one of `tokenizer_files`, if it is there.
  [[nodiscard]] std::optional<std::filesystem::path> tokenizer_file(std::string_view name) const {
    auto file = path_ / name;
    if (!is_there(file)) return std::nullopt;
    return file;
  }

 private:
  [[nodiscard]] static json read_json(const std::filesystem::path& folder, const char* name) {
    const auto path = folder / name;
    const mapped_file file = open_model_file(path);
    json value = parse_json(file.text(), path.string());
    if (!value.is_object()) {
      fail(error_code::format, "reading " + path.string(), "an object", describe(value));
    }
    return value;
  }

  std::filesystem::path path_;
  json config_;
  model_weights tensors_;
  json tokenizer_config_;
};

/// The content of the tokenizer files of a folder, by name: read once, so that a model can be saved
/// after its source is gone, or over it.
[[nodiscard]] inline std::map<std::string, std::string> read_tokenizer_files(
    const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto name : tokenizer_files) {
    const auto path = folder / name;
    if (is_there(path)) files.emplace(name, read_text_file(path));
  }
  return files;
}

/// Finds out before a long run whether a model folder can be saved at `path`; leaves nothing behind.
/// @throws onoma::error (io, invalid_argument) as `save_model_folder` would.
inline void check_can_save(const std::filesystem::path& path) {
  namespace fs = std::filesystem;
  const std::string where = "saving model folder " + path.string();
  std::error_code problem;
  // The folder itself, or the one in which it will be made.
  fs::path place = fs::absolute(path, problem);
  if (place.filename().empty()) place = place.parent_path();
  while (!fs::exists(place, problem) && place.has_relative_path()) place = place.parent_path();
  if (!fs::is_directory(place, problem)) {
    fail(error_code::invalid_argument, where, "a folder", "a file at " + place.string());
  }
  const fs::path probe = temporary_path(place / "onoma");
  if (!fs::create_directory(probe, problem)) fail(error_code::io, where, "", problem.message());
  fs::remove(probe, problem);
}

/// Writes a model folder. A new folder is built beside its place and renamed into it. In a folder
/// that exists each file is replaced as a whole, config.json last, and of the tokenizer's files those
/// that the new one does not have are removed: other files there stay.
/// @throws onoma::error (io, invalid_argument); a new folder then does not exist.
inline void save_model_folder(const std::filesystem::path& path, const json& config,
                              const std::vector<tensor_view>& tensors,
                              const std::map<std::string, std::string>& other_files) {
  namespace fs = std::filesystem;
  const fs::path target = path.filename().empty() ? path.parent_path() : path;
  std::error_code problem;
  if (fs::exists(target, problem) && !fs::is_directory(target)) {
    fail(error_code::invalid_argument, "saving model folder " + target.string(), "a folder",
         "a file of that name");
  }
  const bool fresh = !fs::exists(target, problem);
  fs::path place = target;
  while (fresh && (place == target || fs::exists(place, problem))) place = temporary_path(target);
  fs::create_directories(place, problem);
  if (problem) {
    fail(error_code::io, "creating " + place.string(), "", problem.message());
  }
  try {
    // transformers refuses files without this entry (modeling_utils.py, load_state_dict).
    write_safetensors(place / "model.safetensors", tensors, {{"format", "pt"}});
    for (const auto& [name, content] : other_files) write_file_atomically(place / name, content);
    // A tokenizer.json of the model before would be read in the place of a vocab.txt.
    for (const auto name : tokenizer_files) {
      if (!other_files.empty() && !other_files.contains(std::string(name))) fs::remove(place / name, problem);
    }
    write_file_atomically(place / "config.json", config.dump(2) + "\n");
    if (fresh) {
      fs::rename(place, target, problem);
      if (problem) fail(error_code::io, "saving " + target.string(), "", problem.message());
    }
  } catch (...) {
    if (fresh) fs::remove_all(place, problem);
    throw;
  }
}

}  // namespace onoma::inline ONOMA_ABI
