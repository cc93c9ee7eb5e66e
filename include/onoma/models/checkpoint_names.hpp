/// From the names of onoma's parameters to those of a checkpoint's tensors.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/models/families/family.hpp>

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Beginnings of tensors that no tagger needs, after the family's prefix: the heads of pretraining
/// and of other tasks (whose weights may be tied to the word table), and buffers that hold 0, 1, ...
inline constexpr std::string_view ignored_tensors[] = {
    "pooler.",
    "cls.",
    "lm_head.",
    "decoder.",
    "qa_outputs.",
    "pre_classifier.",
    "sequence_summary.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "discriminator_predictions.",
    "generator_predictions.",
    "generator_lm_head.",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
};

/// The tensors that hold `parameter` (a name of onoma's encoder, "layer.3.attention..."), without
/// the family's prefix: one, or three in the order of their rows.
/// @throws onoma::error (missing) for a parameter that the family's table lacks.
[[nodiscard]] inline std::vector<std::string> tensor_names(const model_family& family,
                                                           std::string_view parameter) {
  // "layer.12.attention" -> "layer.#.attention" and "12".
  constexpr std::string_view layers = "layer.";
  std::string pattern(parameter);
  std::string number;
  if (parameter.substr(0, layers.size()) == layers) {
    const auto end = parameter.find('.', layers.size());
    number = parameter.substr(layers.size(), end - layers.size());
    pattern.replace(layers.size(), number.size(), "#");
  }
  for (const auto& row : family.names) {
    if (row.parameter != pattern) continue;
    std::vector<std::string> names;
    for (const auto tensor : row.tensors) {
      if (tensor.empty()) continue;
      std::string name(tensor);
      const auto place = name.find('#');
      if (place != std::string::npos) name.replace(place, 1, number);
      names.push_back(std::move(name));
    }
    return names;
  }
  fail(error_code::missing, "tensor_names",
       "a row for '" + pattern + "' in the table of " + std::string(family.model_type));
}

/// The name of the first BERT release, before LayerNorm parameters were called weight and bias; the
/// same name where the tensor had no other.
[[nodiscard]] inline std::string legacy_name(const std::string& tensor) {
  const auto renamed = [&](std::string_view now, std::string_view before) -> std::string {
    if (!tensor.ends_with(now)) return {};
    return tensor.substr(0, tensor.size() - now.size()).append(before);
  };
  if (auto name = renamed("LayerNorm.weight", "LayerNorm.gamma"); !name.empty()) return name;
  if (auto name = renamed("LayerNorm.bias", "LayerNorm.beta"); !name.empty()) return name;
  return tensor;
}

}  // namespace onoma::inline ONOMA_ABI
