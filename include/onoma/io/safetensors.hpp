/// The safetensors format: reading with every promise of the format checked, and writing.
///
/// Format: https://github.com/huggingface/safetensors, README: u64 little-endian header length N;
/// N bytes of JSON {name: {dtype, shape, data_offsets: [begin, end)}} with an optional
/// "__metadata__" map of strings; then the data, without holes or overlaps.
#pragma once

#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <limits>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

static_assert(std::endian::native == std::endian::little, "safetensors data is little-endian");

/// One tensor of a file: row-major, not necessarily aligned. Views the file's bytes.
struct tensor_view {
  std::string name;                  ///< as the file has it
  dtype type = dtype::f32;           ///< the format of its numbers
  std::vector<index_t> shape;          ///< extents, the slowest first
  std::span<const std::byte> bytes;  ///< of all numbers

  /// The product of the extents.
  [[nodiscard]] index_t elements() const {
    index_t count = 1;
    for (const index_t extent : shape) count *= extent;
    return count;
  }
};

/// "[2, 3]", for messages.
[[nodiscard]] inline std::string to_string(const std::vector<index_t>& shape) {
  std::string text = "[";
  for (std::size_t i = 0; i < shape.size(); ++i) {
    text.append(i == 0 ? "" : ", ").append(std::to_string(shape[i]));
  }
  return text + "]";
}

/// Of its name, type, shape and bytes.
[[nodiscard]] inline std::uint64_t digest_of(const tensor_view& tensor) {
  return digest_of(tensor.bytes,
                   digest_of(tensor.name + " " + std::string(to_string(tensor.type)) + " " + to_string(tensor.shape)));
}

/// Of each tensor, in their order, on the threads of the executor; one of them first does what else is to be done.
/// The first tensors are looked at last: they are in the cache when a model begins with them.
[[nodiscard]] inline std::vector<std::uint64_t> digests_of(std::span<const tensor_view> tensors,
                                                           executor_ref executor = {},
                                                           function_ref<void()> meanwhile = do_nothing) {
  std::vector<std::uint64_t> digests(tensors.size());
  executor.parallel_for(static_cast<index_t>(tensors.size()) + 1, [&](index_t i) {
    if (i == 0) return meanwhile();
    const auto place = tensors.size() - static_cast<std::size_t>(i);
    digests[place] = digest_of(tensors[place]);
  });
  return digests;
}

/// @throws onoma::error (format), with `where`, the name and the place, for a number that is not finite.
inline void refuse_not_finite(const std::string& where, const tensor_view& tensor) {
  if (!is_float(tensor.type)) return;
  const index_t rows = tensor.shape.size() > 1 ? std::max<index_t>(tensor.shape[0], 1) : 1;
  refuse_not_finite(where + ": tensor '" + tensor.name + "'",
                    stored_matrix{tensor.bytes.data(), tensor.type, rows, tensor.elements() / rows, nullptr});
}

/// out[0 .. elements) = the tensor's values as float. F64 is rounded, the others are exact.
/// @throws onoma::error (unsupported) for integer tensors.
inline void to_float(const tensor_view& tensor, float* out) {
  if (!is_float(tensor.type)) {
    fail(error_code::unsupported, "converting tensor '" + tensor.name + "' to float",
         "F32, F16, BF16 or F64", std::string(to_string(tensor.type)));
  }
  const index_t count = tensor.elements();
  convert(stored_matrix{tensor.bytes.data(), tensor.type, 1, count}, 0, count, out);
}

/// An open file: the tensors view its bytes, which live as long as this object.
class safetensors_file {
 public:
  /// @throws onoma::error (file_not_found, io, format, parse) naming the path and the tensor.
  [[nodiscard]] static safetensors_file open(const std::filesystem::path& path,
                                             file_access access = file_access::mapped) {
    safetensors_file result;
    result.file_ = open_model_file(path, access);
    result.parse(result.file_.bytes(), path.string());
    return result;
  }

  /// Parses bytes that the caller keeps alive.
  [[nodiscard]] static safetensors_file from_bytes(std::span<const std::byte> bytes,
                                                   const std::string& name) {
    safetensors_file result;
    result.parse(bytes, name);
    return result;
  }

  /// All tensors, by name.
  [[nodiscard]] const std::vector<tensor_view>& tensors() const noexcept { return tensors_; }
  /// What the file says of itself: `__metadata__`.
  [[nodiscard]] const std::map<std::string, std::string>& metadata() const noexcept {
    return metadata_;
  }
  /// Says that a tensor has been read for now. It stays readable; its pages no longer count.
  void release(const tensor_view& tensor) const noexcept { file_.release_pages(tensor.bytes); }
  /// The tensor of this name, or null.
  [[nodiscard]] const tensor_view* find(std::string_view name) const {
    const auto place = std::lower_bound(
        tensors_.begin(), tensors_.end(), name,
        [](const tensor_view& tensor, std::string_view key) { return tensor.name < key; });
    return place != tensors_.end() && place->name == name ? &*place : nullptr;
  }

 private:
  static constexpr std::uint64_t max_header = 100'000'000;  // the reference implementation's limit

  void parse(std::span<const std::byte> bytes, const std::string& name) {
    const std::string where = "reading " + name;
    if (bytes.size() < 8) {
      fail(error_code::format, where, "at least 8 bytes", std::to_string(bytes.size()));
    }
    std::uint64_t length = 0;
    std::memcpy(&length, bytes.data(), 8);
    if (length > max_header || length > bytes.size() - 8) {
      fail(error_code::format, where,
           "a header of at most " + std::to_string(std::min<std::uint64_t>(max_header, bytes.size() - 8)) +
               " bytes",
           std::to_string(length));
    }
    const auto header_bytes = bytes.subspan(8, static_cast<std::size_t>(length));
    const std::string_view text(reinterpret_cast<const char*>(header_bytes.data()),
                                header_bytes.size());
    if (text.empty() || text.front() != '{') {
      fail(error_code::format, where, "a header that begins with '{'", "another byte");
    }
    const json header = parse_json(text, "the header of " + name);
    const auto data = bytes.subspan(8 + static_cast<std::size_t>(length));
    for (const auto& [key, value] : header.items()) {
      if (key == "__metadata__") {
        read_metadata(value, where);
      } else {
        tensors_.push_back(read_tensor(key, value, data, where));
      }
    }
    check_layout(data, where);
  }

  void read_metadata(const json& value, const std::string& where) {
    const bool strings =
        value.is_object() && std::all_of(value.begin(), value.end(),
                                         [](const json& entry) { return entry.is_string(); });
    if (!strings) {
      fail(error_code::format, where, "__metadata__ as an object of strings", describe(value));
    }
    for (const auto& [key, entry] : value.items()) metadata_[key] = entry.get<std::string>();
  }

  static tensor_view read_tensor(const std::string& name, const json& value,
                                 std::span<const std::byte> data, const std::string& file) {
    const std::string where = file + ": tensor '" + name + "'";
    tensor_view tensor;
    tensor.name = name;
    const auto type_name = require<std::string>(value, "dtype", where);
    const auto type = dtype_from_name(type_name);
    if (!type) fail(error_code::unsupported, where, "a known dtype", "'" + type_name + "'");
    tensor.type = *type;
    if (value.size() != 3 || !value.contains("shape") || !value["shape"].is_array() ||
        !value.contains("data_offsets")) {
      fail(error_code::format, where, "dtype, shape and data_offsets", describe(value));
    }
    index_t elements = 1;
    for (const json& entry : value["shape"]) {
      if (!entry.is_number_unsigned() || entry.get<std::uint64_t>() > INT32_MAX) {
        fail(error_code::format, where, "extents from 0 to 2^31 - 1", describe(value["shape"]));
      }
      const auto extent = entry.get<index_t>();
      // 2^55 elements: no file is that large, and no product below overflows.
      if (extent != 0 && elements > (index_t{1} << 55) / extent) {
        fail(error_code::format, where, "a shape that fits in memory", describe(value["shape"]));
      }
      elements *= extent;
      tensor.shape.push_back(extent);
    }
    const json& offsets = value["data_offsets"];
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      fail(error_code::format, where, "data_offsets as [begin, end]", describe(offsets));
    }
    const auto begin = offsets[0].get<std::uint64_t>();
    const auto end = offsets[1].get<std::uint64_t>();
    if (begin > end || end > data.size()) {
      fail(error_code::format, where,
           "data_offsets inside " + std::to_string(data.size()) + " bytes of data (truncated file?)",
           describe(offsets));
    }
    const auto expected = static_cast<std::uint64_t>(elements * size_of(tensor.type));
    if (end - begin != expected) {
      fail(error_code::format, where,
           std::to_string(expected) + " bytes for " + type_name + " " + to_string(tensor.shape),
           std::to_string(end - begin));
    }
    tensor.bytes = data.subspan(static_cast<std::size_t>(begin), static_cast<std::size_t>(end - begin));
    return tensor;
  }

  /// No holes, no overlaps, no bytes after the last tensor.
  void check_layout(std::span<const std::byte> data, const std::string& where) {
    std::vector<const tensor_view*> order;
    for (const auto& tensor : tensors_) order.push_back(&tensor);
    std::sort(order.begin(), order.end(), [](const tensor_view* a, const tensor_view* b) {
      return a->bytes.data() != b->bytes.data() ? a->bytes.data() < b->bytes.data()
                                                : a->bytes.size() < b->bytes.size();
    });
    const std::byte* expected = data.data();
    for (const tensor_view* tensor : order) {
      if (tensor->bytes.data() != expected) {
        fail(error_code::format, where,
             "tensors without holes or overlaps; '" + tensor->name + "' at byte " +
                 std::to_string(expected - data.data()),
             "byte " + std::to_string(tensor->bytes.data() - data.data()));
      }
      expected += tensor->bytes.size();
    }
    if (expected != data.data() + data.size()) {
      fail(error_code::format, where,
           std::to_string(expected - data.data()) + " bytes of data", std::to_string(data.size()));
    }
  }

  mapped_file file_;
  std::vector<tensor_view> tensors_;  // by name: json objects are sorted
  std::map<std::string, std::string> metadata_;
};

/// Writes tensors, larger element types first and then by name as the reference implementation
/// does, so that every tensor is aligned to its element. Replaces the file as a whole or not at all.
/// @throws onoma::error (invalid_argument: a name twice, a size that contradicts a shape; io).
inline void write_safetensors(const std::filesystem::path& path, std::vector<tensor_view> tensors,
                              const std::map<std::string, std::string>& metadata = {}) {
  std::sort(tensors.begin(), tensors.end(), [](const tensor_view& a, const tensor_view& b) {
    return size_of(a.type) != size_of(b.type) ? size_of(a.type) > size_of(b.type) : a.name < b.name;
  });
  json header = json::object();
  if (!metadata.empty()) header["__metadata__"] = metadata;
  std::uint64_t offset = 0;
  for (const auto& tensor : tensors) {
    const auto bytes = static_cast<std::uint64_t>(tensor.elements() * size_of(tensor.type));
    if (bytes != tensor.bytes.size() || header.contains(tensor.name)) {
      fail(error_code::invalid_argument, "writing tensor '" + tensor.name + "'",
           "a name of its own and " + std::to_string(bytes) + " bytes",
           header.contains(tensor.name) ? "the name twice" : std::to_string(tensor.bytes.size()));
    }
    header[tensor.name] = {{"dtype", to_string(tensor.type)},
                           {"shape", tensor.shape},
                           {"data_offsets", {offset, offset + bytes}}};
    offset += bytes;
  }
  std::string text = header.dump();
  // Data at a multiple of 64 bytes of the file, which is a cache line where the file is mapped.
  text.append((64 - (8 + text.size()) % 64) % 64, ' ');
  const auto length = static_cast<std::uint64_t>(text.size());
  atomic_file file(path);
  file.write(std::as_bytes(std::span(&length, 1)));
  file.write(text);
  for (const auto& tensor : tensors) file.write(tensor.bytes);
  file.commit();
}

}  // namespace onoma::inline ONOMA_ABI
