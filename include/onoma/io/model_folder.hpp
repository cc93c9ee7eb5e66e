/// A model as the Hugging Face Hub publishes it: a folder of configuration, weights and tokenizer.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/manifest.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/replace_folder.hpp>
#include <onoma/io/temporary.hpp>
#include <onoma/io/weights.hpp>

#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// An opened folder. The weights stay mapped as long as this object lives.
class model_folder {
 public:
  /// Needs config.json and weights (io/weights.hpp says which files); tokenizer files are noted where
  /// they are. A folder whose weights have a manifest is compared with it.
  /// `access` is that of the weights: the other files are small and copied. `executor` is for the weights' digests.
  /// @throws onoma::error (file_not_found, unsupported, parse, format) naming the file; in the place of a folder that
  /// a killed process was replacing, the two that it left.
  [[nodiscard]] static model_folder open(const std::filesystem::path& path,
                                         verification asked = verification::fast,
                                         file_access access = file_access::mapped, executor_ref executor = {}) {
    model_folder folder;
    folder.path_ = path;
    folder.config_ = read_config(path);
    folder.tensors_ = model_weights::open(path, access);
    folder.tokenizer_config_ = is_there(path / "tokenizer_config.json")
                                   ? read_json(path, "tokenizer_config.json")
                                   : json::object();
    const auto* manifest = folder.tensors_.metadata(manifest_key);
    if (manifest != nullptr && asked != verification::off) {
      folder.remarks_ = check_manifest(path, *manifest, folder.config_, folder.tensors_.tensors(), asked,
                                        executor);
    }
    return folder;
  }

  /// config.json of a folder, an object. Nothing else of it is looked at.
  /// @throws onoma::error (file_not_found, io, parse, format).
  [[nodiscard]] static json read_config(const std::filesystem::path& path) {
    std::error_code problem;  // a name that is too long, say
    if (!std::filesystem::is_directory(path, problem)) {
      fail(error_code::file_not_found, "opening model folder " + path.string(), "a folder",
           std::filesystem::exists(path, problem) ? "a file" : "nothing" + halves_beside(path));
    }
    return read_json(path, "config.json");
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
  /// What is odd about it and no error: a sentence each.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return remarks_; }

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

  /// For messages.
  [[nodiscard]] static std::string halves_beside(const std::filesystem::path& path) {
    std::string names;
    const auto place = path.filename().empty() ? path.parent_path() : path;
    for (const auto& half : halves_of(place)) names += (names.empty() ? "" : " and ") + half.string();
    if (names.empty()) return names;
    return ", but " + names + ": saving was cut short between two renames (.old is what was there before, .tmp what " +
           "was to be there; rename the one that you want)";
  }

  std::filesystem::path path_;
  json config_;
  model_weights tensors_;
  json tokenizer_config_;
  std::vector<std::string> remarks_;
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
  fs::path target = fs::absolute(path, problem);
  if (target.filename().empty()) target = target.parent_path();
  fs::path place = target;
  while (!fs::exists(place, problem) && place.has_relative_path()) place = place.parent_path();
  if (!fs::is_directory(place, problem)) {
    fail(error_code::invalid_argument, where, "a folder", "a file at " + place.string());
  }
  // Named as what saving builds: it removes what is left of a process that was killed here.
  const fs::path probe = temporary_path(place == target ? target / ".onoma" : place / target.filename());
  if (!fs::create_directory(probe, problem)) fail(error_code::io, where, "", problem.message());
  fs::remove(probe, problem);
}

/// Writes a model folder, beside its place and then into it as one (`folder_replacement`): a reader finds the old
/// model whole or the new one whole, whatever fails and whenever the process ends. Of the tokenizer's files those
/// that the new model does not have go; other files of an old folder stay. The weights carry a manifest
/// (io/manifest.hpp) that ties the files together.
/// @throws onoma::error (io, invalid_argument); what was there is then as it was, but in folders that cannot be
/// renamed, where the manifest tells a mixture from a model.
inline void save_model_folder(const std::filesystem::path& path, json config,
                              const std::vector<tensor_view>& tensors,
                              const std::map<std::string, std::string>& other_files) {
  folder_replacement folder(path);
  const auto manifest = make_manifest(config, tensors, other_files);
  // transformers refuses files without the entry "format" (modeling_utils.py, load_state_dict).
  write_safetensors(folder.place() / "model.safetensors", tensors,
                    {{"format", "pt"}, {manifest_key, manifest.dump()}});
  for (const auto& [name, content] : other_files) write_file_atomically(folder.place() / name, content);
  write_file_atomically(folder.place() / "config.json", config_text(config));
  // A tokenizer.json of the model before would be read in the place of a vocab.txt.
  const auto* const end = std::end(tokenizer_files);
  folder.commit([&](std::string_view name) {
    return !other_files.empty() && std::find(std::begin(tokenizer_files), end, name) != end;
  });
}

}  // namespace onoma::inline ONOMA_ABI
