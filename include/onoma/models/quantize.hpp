/// Smaller forms of a model folder: 8-bit integer weights, or bfloat16.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/quantize.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/models/checkpoint.hpp>
#include <onoma/models/checkpoint_names.hpp>
#include <onoma/models/encoder_config.hpp>

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <deque>
#include <filesystem>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What the weights of a folder become.
enum class weight_format {
  int8,  ///< linear layers of the encoder: I8 with one F32 scale per output channel; the rest stays
  bf16,  ///< every float tensor: BF16, which transformers loads too
};

/// What `quantize_folder` converts.
struct quantize_options {
  weight_format format = weight_format::int8;  ///< what weights become
  /// Linear layers that stay as they are: beginnings of onoma's names ("layer.11.", "layer.0.attention").
  std::vector<std::string> keep{};
  verification verify = verification::fast;  ///< of the source, where onoma saved it (io/manifest.hpp)
};

/// What `quantize_folder` did.
struct quantize_report {
  std::vector<std::string> converted;  ///< tensors, by the names of the file
  std::uint64_t bytes_before = 0;      ///< of all tensors
  std::uint64_t bytes_after = 0;       ///< likewise
};

namespace detail {

/// The linear layers of one encoder layer: what takes the time, and what bears 8 bits. Embeddings
/// are looked up, not multiplied; the classifier is small and its errors are the logits' errors.
inline constexpr std::string_view linear_weights[] = {
    "attention.query_key_value.weight", "attention.output.weight", "feed_forward.expand.weight",
    "feed_forward.contract.weight"};

/// Names of the tensors that become I8.
inline std::set<std::string> int8_tensors(const encoder_config& config, const model_weights& file,
                                          const quantize_options& options,
                                          const std::string& where) {
  std::set<std::string> names;
  auto unused = options.keep;
  for (index_t layer = 0; layer < config.layers; ++layer) {
    for (const auto weight : linear_weights) {
      const auto parameter = "layer." + std::to_string(layer) + "." + std::string(weight);
      const auto keeps = [&](const auto& start) { return parameter.starts_with(start); };
      std::erase_if(unused, keeps);
      if (std::any_of(options.keep.begin(), options.keep.end(), keeps)) continue;
      for (const auto& name : tensor_names(*config.family, parameter)) {
        const auto* tensor = find_tensor(config.family->prefix, file, name);
        if (tensor == nullptr) fail(error_code::missing, where, "a tensor '" + name + "'", "none");
        if (tensor->shape.size() != 2 || tensor->shape[1] > longest_quantized_row) {
          fail(error_code::format, where + ": tensor '" + name + "'",
               "a matrix with rows of at most " + std::to_string(longest_quantized_row),
               to_string(tensor->shape));
        }
        names.insert(tensor->name);
      }
    }
  }
  if (!unused.empty()) {
    fail(error_code::invalid_argument, where, "beginnings of names of linear layers to keep",
         "'" + unused.front() + "', which none has");
  }
  return names;
}

/// Converted tensors and the memory that they view.
class tensor_pool {
 public:
  void add_int8(const tensor_view& tensor, const std::string& where) {
    const index_t rows = tensor.shape[0];
    const index_t cols = tensor.shape[1];
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    to_float(tensor, values.data());
    auto& codes = storage_.emplace_back(values.size());
    auto& scales = storage_.emplace_back(static_cast<std::size_t>(rows) * sizeof(float));
    for (index_t i = 0; i < rows; ++i) {
      const float scale = quantize_row(values.data() + i * cols, cols,
                                       reinterpret_cast<std::int8_t*>(codes.data()) + i * cols);
      if (!(scale >= 0.0F)) {
        fail(error_code::format, where + ": tensor '" + tensor.name + "'", "finite weights",
             "an infinity or NaN in row " + std::to_string(i));
      }
      std::memcpy(scales.data() + i * static_cast<index_t>(sizeof(float)), &scale, sizeof(float));
    }
    tensors_.push_back({tensor.name, dtype::i8, tensor.shape, codes});
    tensors_.push_back({tensor.name + std::string(scale_suffix), dtype::f32, {rows}, scales});
  }

  void add_bf16(const tensor_view& tensor) {
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    to_float(tensor, values.data());
    auto& stored = storage_.emplace_back(values.size() * sizeof(std::uint16_t));
    for (std::size_t i = 0; i < values.size(); ++i) {
      const std::uint16_t bits = float_to_bf16(values[i]);
      std::memcpy(stored.data() + i * sizeof(bits), &bits, sizeof(bits));
    }
    tensors_.push_back({tensor.name, dtype::bf16, tensor.shape, stored});
  }

  void add(const tensor_view& tensor) { tensors_.push_back(tensor); }

  [[nodiscard]] const std::vector<tensor_view>& tensors() const noexcept { return tensors_; }

 private:
  std::deque<std::vector<std::byte>> storage_;  // which stays where it is as it grows
  std::vector<tensor_view> tensors_;
};

inline std::uint64_t bytes_of(std::span<const tensor_view> tensors) {
  std::uint64_t bytes = 0;
  for (const auto& tensor : tensors) bytes += tensor.bytes.size();
  return bytes;
}

}  // namespace detail

/// Reads the model folder `source` and writes `target` with smaller weights. Configuration and
/// tokenizer are copied; an int8 folder is marked in config.json (`int8_method`), so that programs
/// which do not know the format refuse it by name.
/// @throws onoma::error (file_not_found, io, parse, format, missing, unsupported), or
/// (invalid_argument) if target is source: the float weights would be lost.
inline quantize_report quantize_folder(const std::filesystem::path& source,
                                       const std::filesystem::path& target,
                                       const quantize_options& options = {}) {
  const std::string where = "quantising '" + source.string() + "'";
  const auto folder = model_folder::open(source, options.verify);
  std::error_code problem;
  if (std::filesystem::equivalent(source, target, problem)) {
    fail(error_code::invalid_argument, where, "another folder for the result", "the same folder");
  }
  const auto config = encoder_config::from_json(folder.config());
  if (config.int8_weights) {
    fail(error_code::unsupported, where, "float weights", "a folder of 8-bit integers");
  }
  json new_config = folder.config();
  std::set<std::string> names;
  if (options.format == weight_format::int8) {
    names = detail::int8_tensors(config, folder.tensors(), options, where);
    new_config["quantization_config"] = {{"quant_method", int8_method}};
  } else {
    check(options.keep.empty(), error_code::invalid_argument, where.c_str(),
          "no layers to keep: those of bf16 folders are all alike");
    for (const char* key : {"torch_dtype", "dtype"}) new_config.erase(key);
    new_config["torch_dtype"] = "bfloat16";
  }
  detail::tensor_pool pool;
  quantize_report report;
  for (const auto& tensor : folder.tensors().tensors()) {
    refuse_not_finite(where, tensor);
    const bool is_int8 = names.count(tensor.name) != 0;
    const bool is_bf16 = options.format == weight_format::bf16 && is_float(tensor.type);
    if (is_int8) pool.add_int8(tensor, where);
    if (is_bf16) pool.add_bf16(tensor);
    if (!is_int8 && !is_bf16) pool.add(tensor);
    if (is_int8 || is_bf16) report.converted.push_back(tensor.name);
  }
  save_model_folder(target, new_config, pool.tensors(), read_tokenizer_files(source));
  report.bytes_before = detail::bytes_of(folder.tensors().tensors());
  report.bytes_after = detail::bytes_of(pool.tensors());
  return report;
}

}  // namespace onoma::inline ONOMA_ABI
