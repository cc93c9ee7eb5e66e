/// BIO tags to entities, with invalid sequences repaired and counted.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct decoded_tags {
  std::vector<entity_span> entities;  ///< in order, never overlapping
  index repairs = 0;                  ///< I- tags that continued nothing: each opened an entity
};

/// An I- tag after O or after another type opens an entity, as conlleval and seqeval's default mode
/// read it ("repair begin"); every one is counted.
[[nodiscard]] inline decoded_tags decode_bio(std::span<const std::string> tags) {
  decoded_tags result;
  std::string_view open;  // type of the entity that the word before belongs to
  for (std::size_t i = 0; i < tags.size(); ++i) {
    const auto tag = split_tag(tags[i]);
    if (tag.prefix == 'O') {
      open = {};
      continue;
    }
    const auto at = static_cast<index>(i);
    if (tag.prefix != 'B' && tag.type == open) {
      result.entities.back().end = at + 1;
      continue;
    }
    if (tag.prefix != 'B') ++result.repairs;
    result.entities.push_back({at, at + 1, std::string(tag.type)});
    open = tag.type;
  }
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
