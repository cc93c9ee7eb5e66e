/// The tensors of a model folder, in whichever files the Hub has them: safetensors or PyTorch's,
/// one file or several with an index.
#pragma once

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/io/pytorch.hpp>
#include <onoma/io/safetensors.hpp>

#include <algorithm>
#include <filesystem>
#include <map>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Opened weights: the tensors view the files, which stay mapped (or in memory) as long as this object lives.
class model_weights {
 public:
  /// Opens the first that is there of model.safetensors, its shards, pytorch_model.bin, its shards:
  /// the order of transformers (modeling_utils.py, `_get_resolved_checkpoint_files`).
  /// @throws onoma::error (file_not_found, io, unsupported, parse, format) naming the file.
  [[nodiscard]] static model_weights open(const std::filesystem::path& folder,
                                          file_access access = file_access::mapped) {
    model_weights weights;
    weights.access_ = access;
    const auto open_first = [&](const char* file, auto&& open_it) {
      if (!weights.name_.empty() || !is_there(folder / file)) return;
      weights.name_ = file;
      open_it();
    };
    open_first("model.safetensors", [&] { weights.add<safetensors_file>(folder / weights.name_); });
    open_first("model.safetensors.index.json",
               [&] { weights.add_shards<safetensors_file>(folder, ".safetensors"); });
    open_first("pytorch_model.bin", [&] { weights.add<pytorch_file>(folder / weights.name_); });
    open_first("pytorch_model.bin.index.json",
               [&] { weights.add_shards<pytorch_file>(folder, ".bin"); });
    if (weights.name_.empty()) refuse(folder);
    std::sort(weights.tensors_.begin(), weights.tensors_.end(),
              [](const tensor_view& a, const tensor_view& b) { return a.name < b.name; });
    return weights;
  }

  /// By name.
  [[nodiscard]] const std::vector<tensor_view>& tensors() const noexcept { return tensors_; }
  /// The tensor of this name, or null.
  [[nodiscard]] const tensor_view* find(std::string_view name) const {
    const auto place = std::lower_bound(
        tensors_.begin(), tensors_.end(), name,
        [](const tensor_view& tensor, std::string_view key) { return tensor.name < key; });
    return place != tensors_.end() && place->name == name ? &*place : nullptr;
  }
  /// Says that a tensor has been read for now. It stays readable; its pages no longer count.
  void release(const tensor_view& tensor) const noexcept {
    std::apply(
        [&](const auto&... lists) {
          (std::for_each(lists.begin(), lists.end(),
                         [&](const auto& file) { file.release(tensor); }),
           ...);
        },
        files_);
  }
  /// The name of the file that was opened; of shards, of their index.
  [[nodiscard]] const std::string& file_name() const noexcept { return name_; }
  /// The entry of this name in the metadata of model.safetensors; null where there is none.
  [[nodiscard]] const std::string* metadata(const std::string& key) const {
    const auto& files = std::get<std::vector<safetensors_file>>(files_);
    if (files.size() != 1) return nullptr;
    const auto entry = files.front().metadata().find(key);
    return entry == files.front().metadata().end() ? nullptr : &entry->second;
  }
  /// How the files were asked for.
  [[nodiscard]] file_access access() const noexcept { return access_; }
  /// Whether the tensors view the files themselves: else copies, which are in memory as a whole.
  [[nodiscard]] bool are_mapped() const noexcept { return ONOMA_HAS_MMAP != 0 && access_ == file_access::mapped; }
  /// The files that hold tensors.
  [[nodiscard]] const std::vector<std::filesystem::path>& paths() const noexcept { return paths_; }

 private:
  [[noreturn]] static void refuse(const std::filesystem::path& folder) {
    constexpr const char* expected = "model.safetensors or pytorch_model.bin, or their shards";
    const std::string where = "opening model folder " + folder.string();
    for (const char* other : {"tf_model.h5", "flax_model.msgpack", "model.ckpt.index"}) {
      if (is_there(folder / other)) {
        fail(error_code::unsupported, where, expected, other);
      }
    }
    fail(error_code::file_not_found, where, expected, "no weights");
  }

  template <class File>
  const File& add(const std::filesystem::path& path) {
    auto& file = std::get<std::vector<File>>(files_).emplace_back(File::open(path, access_));
    paths_.push_back(path);
    tensors_.insert(tensors_.end(), file.tensors().begin(), file.tensors().end());
    return file;
  }

  /// The name of a file of this folder: an index must not reach out of it.
  static std::string shard_name(const json& value, std::string_view ending,
                                const std::string& where) {
    const auto name = value.is_string() ? value.get<std::string>() : std::string();
    if (name.size() <= ending.size() || !name.ends_with(ending) || name.front() == '.' ||
        name.find_first_of(std::string_view("/\\:\0", 4)) != std::string::npos) {
      fail(error_code::format, where, "a file name that ends in " + std::string(ending),
           describe(value));
    }
    return name;
  }

  /// The index says which shard has which tensor: {"weight_map": {tensor: file}}. Its other entry,
  /// the total size, is not checked: published ones count in other number formats.
  template <class File>
  void add_shards(const std::filesystem::path& folder, std::string_view ending) {
    const std::string where = "reading " + (folder / name_).string();
    const auto index_file =
        parse_json(open_model_file(folder / name_).text(), (folder / name_).string());
    const auto map = index_file.is_object() ? index_file.find("weight_map") : index_file.end();
    if (map == index_file.end() || !map->is_object() || map->empty()) {
      fail(error_code::format, where, "an object weight_map with entries", "none");
    }
    std::map<std::string, std::size_t> shards;  // file: tensors that the index gives it
    for (const auto& [tensor, file] : map->items()) {
      ++shards[shard_name(file, ending, where + ": '" + tensor + "'")];
    }
    for (const auto& [name, count] : shards) {
      const auto& shard = add<File>(folder / name);
      for (const auto& tensor : shard.tensors()) {
        const auto entry = map->find(tensor.name);
        if (entry != map->end() && *entry == name) continue;
        fail(error_code::format, where, "an entry for tensor '" + tensor.name + "' of " + name,
             entry == map->end() ? "none" : describe(*entry));
      }
      // The names of a shard differ and each is in the index: only too few can be there.
      if (shard.tensors().size() != count) {
        fail(error_code::format, where, std::to_string(count) + " tensors in " + name,
             std::to_string(shard.tensors().size()));
      }
    }
  }

  file_access access_ = file_access::mapped;
  std::string name_;
  std::tuple<std::vector<safetensors_file>, std::vector<pytorch_file>> files_;
  std::vector<std::filesystem::path> paths_;
  std::vector<tensor_view> tensors_;
};

}  // namespace onoma::inline ONOMA_ABI
