/// Texts with spans in code points, as files of annotations write them.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/io/json.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Reads [{"text": "...", "entities": [{"span": [begin, end], "type": "..."}]}, ...] with places in code
/// points (the Japanese Wikipedia corpus of Stockmark); `name` is for messages, and the file of each
/// document. Spans are in the order of the text; what else an entry has is its `meta`.
/// @throws onoma::error (parse, format) naming the text; (out_of_range) for a span that is empty or outside
/// of its text.
[[nodiscard]] inline std::vector<document> parse_annotated_texts(std::string_view content,
                                                                 std::string_view name) {
  json list = parse_json(content, name);
  if (!list.is_array()) fail(error_code::format, std::string(name), "a list of texts", describe(list));
  std::vector<document> result;
  for (json& entry : list) {
    const std::string where = std::string(name) + ": text " + std::to_string(result.size() + 1);
    document item;
    item.text = require<std::string>(entry, "text", where);
    item.origin.file = name;
    const offset_map places(item.text);
    const auto entities = entry.find("entities");
    if (entities == entry.end() || !entities->is_array()) {
      fail(error_code::format, where, "a list of entities", "none");
    }
    for (const json& found : *entities) {
      const auto place = found.find("span");
      const bool pair = place != found.end() && place->is_array() && place->size() == 2 &&
                        (*place)[0].is_number_integer() && (*place)[1].is_number_integer();
      const auto begin = pair ? (*place)[0].get<index_t>() : 0;
      const auto end = pair ? (*place)[1].get<index_t>() : 0;
      if (begin < 0 || begin >= end || end > places.code_points()) {
        fail(error_code::out_of_range, where,
             "spans inside of " + std::to_string(places.code_points()) + " code points",
             place == found.end() ? "none" : place->dump());
      }
      entity e;
      e.label = require<std::string>(found, "type", where);
      e.score = 1.0;
      e.span.bytes = {places.byte_of_code_point(begin), places.byte_of_code_point(end)};
      item.spans.push_back(std::move(e));
    }
    sort_stably(item.spans.begin(), item.spans.end(), [](const entity& a, const entity& b) {
      return a.span.bytes.begin < b.span.bytes.begin;
    });
    complete_spans(item);
    entry.erase("text");
    entry.erase("entities");
    if (!entry.empty()) item.meta = entry.dump();
    result.push_back(std::move(item));
  }
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
