/// Learning rates by depth: lower layers learn slower, or not at all.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/nn/parameter.hpp>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How deep a parameter of an encoder of `layers` layers lies: 0 in the embeddings, i + 1 in layer i (relative
/// positions, which all layers share, in the lowest), `layers` + 1 behind them.
[[nodiscard]] inline index_t depth_of(std::string_view name, index_t layers) {
  constexpr std::string_view layer = "layer.";
  if (name.starts_with("embeddings.")) return 0;
  if (name == "relative_bias") return 1;
  if (!name.starts_with(layer)) return layers + 1;
  index_t number = 0;
  std::from_chars(name.data() + layer.size(), name.data() + name.size(), number);
  return number + 1;
}

/// Factors of the learning rate for the entries of a layout: decay^(layers + 1 - depth), so that what stands on the
/// encoder has the full rate and each layer below it `decay` times that of the one above; 0 for `frozen` >= 0, the
/// embeddings and the lowest `frozen` layers. None where all would be 1.
/// Source: Howard and Ruder, "Universal language model fine-tuning for text classification", ACL 2018, section 3.2
/// (there 1 / 2.6); Clark et al., "ELECTRA", ICLR 2020, appendix B (0.8 and 0.9).
/// @throws onoma::error (invalid_argument) for a decay outside of (0, 1], or more frozen layers than there are.
[[nodiscard]] inline std::vector<double> layer_rate_factors(const parameter_layout& layout, index_t layers,
                                                            double decay, index_t frozen) {
  check(decay > 0.0 && decay <= 1.0, error_code::invalid_argument, "learning rates by layer",
        "a decay above 0, of at most 1");
  if (frozen > layers) {
    fail(error_code::invalid_argument, "freezing layers", "at most " + std::to_string(layers),
         std::to_string(frozen));
  }
  std::vector<double> factors;
  if (decay == 1.0 && frozen < 0) return factors;
  for (const auto& entry : layout.entries()) {
    const index_t depth = depth_of(entry.name, layers);
    factors.push_back(depth <= frozen ? 0.0 : std::pow(decay, static_cast<double>(layers + 1 - depth)));
  }
  return factors;
}

}  // namespace onoma::inline ONOMA_ABI
