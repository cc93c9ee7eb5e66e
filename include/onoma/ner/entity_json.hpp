/// Entities as JSON, for programs in any language: each with its place in three units.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/entity.hpp>

#include <span>

namespace onoma::inline ONOMA_ABI {

/// {"text", "label", "score", "bytes": [begin, end], "code_points": [begin, end], "utf16": [begin, end]}:
/// half-open ranges of the text that was tagged. With "source" where it is stated, and "id" where there is one.
[[nodiscard]] inline json to_json(const entity& e) {
  const auto pair = [](byte_span s) { return json::array({s.begin, s.end}); };
  json value = {{"text", e.text},
                {"label", e.label},
                {"score", e.score},
                {"bytes", pair(e.span.bytes)},
                {"code_points", pair(e.span.code_points)},
                {"utf16", pair(e.span.utf16)}};
  if (e.source != entity_source::unstated) value["source"] = to_string(e.source);
  if (!e.id.empty()) value["id"] = e.id;
  return value;
}

/// A list of them, in their order.
[[nodiscard]] inline json to_json(std::span<const entity> entities) {
  json list = json::array();
  for (const auto& e : entities) list.push_back(to_json(e));
  return list;
}

}  // namespace onoma::inline ONOMA_ABI
