/// What ties the files of a model folder together, so that a mixture of two models is told from a model.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/safetensors.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Files that make up a tokenizer; they travel unchanged from the encoder to the saved model.
inline constexpr std::string_view tokenizer_files[] = {
    "tokenizer.json",    "vocab.txt",         "tokenizer_config.json",   "special_tokens_map.json",
    "added_tokens.json", "vocab.json",        "merges.txt",              "spiece.model",  "spm.model",
    "sentencepiece.model", "sentencepiece.bpe.model"};

/// The key of config.json under which onoma keeps what transformers does not know: an object of "head" and
/// "max_length" (`encoder_config`), of "weights" (below), and of what other parts of onoma add.
inline constexpr const char* own_key = "onoma";

/// How far the files of a folder that has a manifest are compared with it.
enum class verification {
  off,   ///< not at all
  fast,  ///< the small files, and that the weights belong to them
  full,  ///< every byte
};

/// @throws onoma::error (invalid_argument) for another name than off, fast and full.
[[nodiscard]] inline verification verification_from_name(std::string_view name) {
  if (name == "off") return verification::off;
  if (name == "fast") return verification::fast;
  if (name == "full") return verification::full;
  fail(error_code::invalid_argument, "verification", "off, fast or full", std::string(name));
}

/// The entry of the safetensors file's metadata.
inline constexpr const char* manifest_key = "onoma manifest";

/// The digest of all tensors, in the order of their names, on the threads of the executor.
[[nodiscard]] inline std::string digest_of_tensors(std::span<const tensor_view> tensors, executor_ref executor = {}) {
  std::vector<tensor_view> sorted(tensors.begin(), tensors.end());
  std::sort(sorted.begin(), sorted.end(), [](const tensor_view& a, const tensor_view& b) { return a.name < b.name; });
  std::string digests;
  for (const auto digest : digests_of(sorted, executor)) digests += digest_text(digest);
  return digest_text(digest_of(digests));
}

/// The text of config.json.
[[nodiscard]] inline std::string config_text(const json& config) { return config.dump(2) + "\n"; }

/// The manifest of a folder with these files: the digests of config.json, of the tokenizer's files among `files`,
/// and of the weights. config.json gets the latter too, as "weights" under `own_key`.
[[nodiscard]] inline json make_manifest(json& config, std::span<const tensor_view> tensors,
                                        const std::map<std::string, std::string>& files) {
  const auto weights = digest_of_tensors(tensors);
  config[own_key]["weights"] = weights;
  json manifest = {{"weights", weights}, {"files", {{"config.json", digest_text(digest_of(config_text(config)))}}}};
  for (const auto name : tokenizer_files) {
    const auto file = files.find(std::string(name));
    if (file != files.end()) manifest["files"][file->first] = digest_text(digest_of(file->second));
  }
  return manifest;
}

/// Compares a folder with the manifest of its weights. A config.json that was edited since is no error, as long
/// as it names these weights; it is a remark. Of a model that was saved without a tokenizer, one that was put
/// there since is none either. Every byte is looked at on the threads of the executor.
/// @throws onoma::error (format) for weights, configuration or a tokenizer's file of another model, or damaged ones.
[[nodiscard]] inline std::vector<std::string> check_manifest(const std::filesystem::path& folder,
                                                             std::string_view text, const json& config,
                                                             std::span<const tensor_view> tensors,
                                                             verification asked, executor_ref executor = {}) {
  const std::string where = "opening model folder " + folder.string();
  const json manifest = parse_json(text, where + ": the manifest in model.safetensors");
  const auto refuse = [&](const std::string& what, const std::string& found) {
    fail(error_code::format, where, what + " as saved with the weights (if it was meant to change, verification off)",
         found);
  };
  const auto weights = require<std::string>(manifest, "weights", where);
  const auto& own = member(config, own_key);
  if (!own.is_object() || member(own, "weights") != weights) {
    refuse("a config.json", "that of another model, or weights that were replaced");
  }
  const auto& files = member(manifest, "files");
  const auto differs = [&](const std::string& name) {
    const mapped_file content(folder / name, file_access::copied);
    return member(files, name.c_str()) != digest_text(digest_of(content.text()));
  };
  std::vector<std::string> remarks;
  if (differs("config.json")) remarks.emplace_back("config.json was changed since it was saved");
  for (const auto part : tokenizer_files) {
    const std::string name(part);
    const bool saved = !member(files, name.c_str()).is_null();
    const bool there = is_there(folder / name);
    if (saved && !there) refuse("a " + name, "none");
    if (!saved && there && files.size() > 1) refuse("no " + name, "one");
    if (saved && differs(name)) refuse("a " + name, "another content");
  }
  if (asked == verification::full && digest_of_tensors(tensors, executor) != weights) {
    refuse("weights", "other numbers");
  }
  return remarks;
}

}  // namespace onoma::inline ONOMA_ABI
