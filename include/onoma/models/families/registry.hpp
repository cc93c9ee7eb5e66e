/// All families of encoders.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/models/families/bert.hpp>
#include <onoma/models/families/distilbert.hpp>
#include <onoma/models/families/electra.hpp>
#include <onoma/models/families/modernbert.hpp>
#include <onoma/models/families/mpnet.hpp>
#include <onoma/models/families/roberta.hpp>

#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// By model_type; the first is that of configurations from before model_type existed.
inline constexpr const model_family* model_families[] = {
    &families::bert,      &families::distilbert, &families::roberta, &families::xlm_roberta,
    &families::camembert, &families::electra,    &families::mpnet,   &families::modernbert};

inline const model_family& default_family() noexcept { return *model_families[0]; }

/// @throws onoma::error (unsupported) for a model_type that no family has.
[[nodiscard]] inline const model_family& family_of(std::string_view model_type) {
  std::string known;
  for (const auto* family : model_families) {
    if (family->model_type == model_type) return *family;
    known.append(known.empty() ? "one of " : ", ").append(family->model_type);
  }
  fail(error_code::unsupported, "config.json: model_type", known,
       "'" + std::string(model_type) + "'");
}

}  // namespace onoma::inline ONOMA_ABI
