/// What tagging returns and data say: an entity with its place in the text, in three units.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>

#include <string>

namespace onoma::inline ONOMA_ABI {

/// `text` is always the surface: text_of_input.substr(span.bytes.begin, span.bytes.size()).
struct entity {
  std::string text;    ///< the surface, as it stands in the text
  std::string label;   ///< the type, without B- or I-; the whole label for aggregation::none
  double score = 0.0;  ///< mean probability of its words (or pieces), 0 to 1; 1 for what data say
  text_span span;      ///< where it stands, in bytes, code points and UTF-16 units
  index_t first = 0;     ///< first word (or, for the token-based strategies, token)
  index_t last = 0;      ///< last word (or token), inclusive
};

}  // namespace onoma::inline ONOMA_ABI
