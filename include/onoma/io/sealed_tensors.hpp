/// Tensors of the library's own files, with digests that tell when a bit of them changed.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/safetensors.hpp>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

inline constexpr const char* seal_key = "onoma digests";

/// A digest for each tensor, and one of the rest of the metadata.
[[nodiscard]] inline json seal_of(const std::vector<tensor_view>& tensors,
                                  const std::map<std::string, std::string>& metadata, executor_ref executor,
                                  function_ref<void()> meanwhile = do_nothing) {
  json digests = json::object();
  const auto of_tensors = digests_of(tensors, executor, meanwhile);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    digests["tensors"][tensors[i].name] = digest_text(of_tensors[i]);
  }
  std::uint64_t rest = 0;
  for (const auto& [key, value] : metadata) {
    if (key != seal_key) rest = digest_of(value, digest_of(key, rest));
  }
  digests["metadata"] = digest_text(rest);
  return digests;
}

}  // namespace detail

/// As `write_safetensors`, with digests in the metadata, which are computed on the threads of the executor.
inline void write_sealed_tensors(const std::filesystem::path& path, std::vector<tensor_view> tensors,
                                 std::map<std::string, std::string> metadata, executor_ref executor = {}) {
  metadata[detail::seal_key] = detail::seal_of(tensors, metadata, executor).dump();
  write_safetensors(path, std::move(tensors), metadata);
}

/// Looks at every byte of a file that `write_sealed_tensors` wrote, on the threads of the executor, one of which
/// does `meanwhile` (`digests_of`).
/// @throws onoma::error (format) for one that was changed since, naming the tensor, and for one without digests.
inline void check_seal(const safetensors_file& file, const std::string& where, executor_ref executor = {},
                       function_ref<void()> meanwhile = do_nothing) {
  const auto seal = file.metadata().find(detail::seal_key);
  if (seal == file.metadata().end()) fail(error_code::format, where, "a file with digests", "one without");
  const json written = parse_json(seal->second, where + ": its digests");
  const json found = detail::seal_of(file.tensors(), file.metadata(), executor, meanwhile);
  if (written == found) return;
  for (const auto& tensor : file.tensors()) {
    if (member(member(written, "tensors"), tensor.name.c_str()) != found["tensors"][tensor.name]) {
      fail(error_code::format, where, "the bytes that were written", "others in '" + tensor.name + "'");
    }
  }
  fail(error_code::format, where, "what was written", "another description or other tensors");
}

}  // namespace onoma::inline ONOMA_ABI
