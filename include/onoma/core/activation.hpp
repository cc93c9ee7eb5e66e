/// The activation functions of feed-forward layers and the one table of their names.
#pragma once

#include <onoma/core/error.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_SEAM {

/// `gelu` is the erf form, `gelu_tanh` the approximation of the first BERT release.
enum class activation : std::int32_t { gelu, gelu_tanh, relu };

}  // namespace onoma::inline ONOMA_SEAM

namespace onoma::inline ONOMA_ABI {

/// A row of the table of names.
struct activation_name {
  std::string_view name;  ///< as config.json writes it
  activation function;    ///< what it means
};

/// Names as config.json writes them (transformers, activations.py, `ACT2CLS`).
inline constexpr activation_name activation_names[] = {
    {"gelu", activation::gelu},
    {"gelu_new", activation::gelu_tanh},
    {"gelu_pytorch_tanh", activation::gelu_tanh},
    {"relu", activation::relu},
};

/// @throws onoma::error (unsupported) for a name that is not in the table; `where` names its source.
[[nodiscard]] inline activation activation_from_name(
    std::string_view name, std::string_view where = "activation_from_name") {
  for (const auto& entry : activation_names) {
    if (entry.name == name) return entry.function;
  }
  std::string known;
  for (const auto& entry : activation_names) {
    known.append(known.empty() ? "one of " : ", ").append(entry.name);
  }
  fail(error_code::unsupported, std::string(where), known, "'" + std::string(name) + "'");
}

/// The first name of the table that means this function.
[[nodiscard]] constexpr std::string_view to_string(activation function) noexcept {
  for (const auto& entry : activation_names) {
    if (entry.function == function) return entry.name;
  }
  return "?";
}

}  // namespace onoma::inline ONOMA_ABI
