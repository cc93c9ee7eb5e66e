/// Texts whose entities are ranges of code points, as annotation tools write them, and sentences made of them.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/json.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A text and its entities in bytes, in the order of the text.
struct annotated_text {
  struct entity {
    byte_span bytes;
    std::string label;
  };
  std::string text;
  std::vector<entity> entities;
};

/// Reads [{"text": "...", "entities": [{"span": [begin, end], "type": "..."}]}, ...] with places in code
/// points (the Japanese Wikipedia corpus of Stockmark); `name` is for messages.
/// @throws onoma::error (parse, format) naming the text; (out_of_range) for a span that is empty, outside of
/// its text, or overlaps another.
[[nodiscard]] inline std::vector<annotated_text> parse_annotated_texts(std::string_view content,
                                                                       std::string_view name) {
  const json list = parse_json(content, name);
  if (!list.is_array()) fail(error_code::format, std::string(name), "a list of texts", describe(list));
  std::vector<annotated_text> result;
  for (const json& entry : list) {
    const std::string where = std::string(name) + ": text " + std::to_string(result.size() + 1);
    annotated_text item;
    item.text = require<std::string>(entry, "text", where);
    const offset_map places(item.text);
    const auto entities = entry.find("entities");
    if (entities == entry.end() || !entities->is_array()) {
      fail(error_code::format, where, "a list of entities", "none");
    }
    for (const json& entity : *entities) {
      const auto place = entity.find("span");
      std::vector<index> span;
      if (place != entity.end() && place->is_array()) {
        for (const json& value : *place) span.push_back(detail::json_value<index>(value, "span", where));
      }
      const bool fits = span.size() == 2 && span[0] >= 0 && span[0] < span[1] &&
                        span[1] <= places.code_points();
      if (!fits) {
        fail(error_code::out_of_range, where,
             "spans inside of " + std::to_string(places.code_points()) + " code points",
             place == entity.end() ? "none" : place->dump());
      }
      item.entities.push_back(
          {{places.byte_of_code_point(span[0]), places.byte_of_code_point(span[1])},
           require<std::string>(entity, "type", where)});
    }
    const auto by_place = [](const auto& a, const auto& b) { return a.bytes.begin < b.bytes.begin; };
    std::sort(item.entities.begin(), item.entities.end(), by_place);
    for (std::size_t i = 1; i < item.entities.size(); ++i) {
      if (item.entities[i].bytes.begin < item.entities[i - 1].bytes.end) {
        fail(error_code::out_of_range, where, "entities side by side", "one that overlaps another");
      }
    }
    result.push_back(std::move(item));
  }
  return result;
}

/// A sentence of the given words (in order, in bytes of the text: those of `find_words`) with BIO tags. Where
/// an entity begins or ends inside a word, the word is cut there, so that entities are exact.
[[nodiscard]] inline sentence make_sentence(const annotated_text& item, std::span<const byte_span> words) {
  sentence result;
  auto entity = item.entities.begin();
  auto opened = item.entities.end();  // the last one that has a first word
  for (const auto word : words) {
    for (index begin = word.begin; begin < word.end;) {
      while (entity != item.entities.end() && entity->bytes.end <= begin) ++entity;
      const bool any = entity != item.entities.end();
      const bool inside = any && entity->bytes.begin <= begin;
      index end = word.end;
      if (any) end = std::min(end, inside ? entity->bytes.end : entity->bytes.begin);
      result.words.push_back(item.text.substr(static_cast<std::size_t>(begin),
                                              static_cast<std::size_t>(end - begin)));
      result.tags.push_back(inside ? (opened == entity ? "I-" : "B-") + entity->label : "O");
      if (inside) opened = entity;
      begin = end;
    }
  }
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
