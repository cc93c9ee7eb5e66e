/// What tagging returns and data say: an entity with its place in the text, in three units.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>

#include <cstdint>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI {

/// What says that an entity is there.
enum class entity_source : std::uint8_t {
  unstated,   ///< nobody asked: a model that works alone, or data
  model,      ///< a model, beside rules or gazetteers
  rule,       ///< a pattern (match/rules.hpp)
  gazetteer,  ///< an entry of a list of phrases (match/gazetteer.hpp)
};

/// "", "model", "rule" or "gazetteer".
[[nodiscard]] constexpr std::string_view to_string(entity_source source) noexcept {
  switch (source) {
    case entity_source::unstated: return "";
    case entity_source::model: return "model";
    case entity_source::rule: return "rule";
    case entity_source::gazetteer: return "gazetteer";
  }
  return "";
}

/// `text` is always the surface: text_of_input.substr(span.bytes.begin, span.bytes.size()).
struct entity {
  std::string text;    ///< the surface, as it stands in the text
  std::string label;   ///< the type, without B- or I-; the whole label for aggregation::none
  double score = 0.0;  ///< mean probability of its words (or pieces), 0 to 1; 1 for what data say
  text_span span;      ///< where it stands, in bytes, code points and UTF-16 units
  index_t first = 0;     ///< first word (or, for the token-based strategies, token)
  index_t last = 0;      ///< last word (or token), inclusive
  entity_source source = entity_source::unstated;  ///< what found it
  std::string id{};  ///< the name of the rule or of the gazetteer's entry that found it; may be empty
};

}  // namespace onoma::inline ONOMA_ABI
