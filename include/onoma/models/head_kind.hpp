/// Which head a model folder has.
#pragma once

#include <onoma/heads/crf.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/heads/token.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/manifest.hpp>
#include <onoma/io/model_folder.hpp>

#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// The `kind` of the head (heads/concept.hpp) that config.json names; "token" where it names none. Weights are not
/// looked at.
/// @throws onoma::error (file_not_found, io, parse, format) as `model_folder::read_config`.
[[nodiscard]] inline std::string head_kind_of(const std::filesystem::path& folder) {
  const auto config = model_folder::read_config(folder);
  return value_or<std::string>(member(config, own_key), "head", "token", "config.json: 'onoma'");
}

/// Calls `use(std::type_identity<Head>())` with the type of the head of this kind, and returns what it returns. A kind
/// that onoma does not have gets `token_head`, whose models refuse a folder of another kind by name.
template <chain_backend B, class Use>
  requires span_backend<B>
decltype(auto) with_head(std::string_view kind, Use&& use) {
  if (kind == span_head<B>::kind) return std::forward<Use>(use)(std::type_identity<span_head<B>>());
  if (kind == crf_head<B>::kind) return std::forward<Use>(use)(std::type_identity<crf_head<B>>());
  return std::forward<Use>(use)(std::type_identity<token_head<B>>());
}

}  // namespace onoma::inline ONOMA_ABI
