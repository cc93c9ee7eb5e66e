/// Rewriting tags: entities to tags, one scheme to another.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>

#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The tags of a scheme for entities that do not overlap, in any order: the inverse of reading them.
/// @throws onoma::error (invalid_argument) where they overlap, leave the sequence or are empty.
[[nodiscard]] inline std::vector<std::string> encode_tags(std::span<const entity_span> entities,
                                                          index_t size, tag_scheme scheme) {
  std::vector<const entity_span*> owner(static_cast<std::size_t>(size), nullptr);
  for (const auto& entity : entities) {
    bool fits = entity.begin >= 0 && entity.begin < entity.end && entity.end <= size;
    for (index_t i = entity.begin; fits && i < entity.end; ++i) {
      fits = owner[static_cast<std::size_t>(i)] == nullptr;
      owner[static_cast<std::size_t>(i)] = &entity;
    }
    if (!fits) {
      fail(error_code::invalid_argument, "encode_tags",
           "entities inside " + std::to_string(size) + " words that do not overlap",
           entity.type + " at " + std::to_string(entity.begin) + " to " +
               std::to_string(entity.end));
    }
  }
  // IOB1 and IOE1 mark a border only between two neighbours of one type.
  const auto is_type = [&](index_t i, const std::string& type) {
    return i >= 0 && i < size && owner[static_cast<std::size_t>(i)] != nullptr &&
           owner[static_cast<std::size_t>(i)]->type == type;
  };
  const auto prefix = [&](const entity_span& e, index_t i) {
    const bool first = i == e.begin;
    const bool last = i == e.end - 1;
    switch (scheme) {
      case tag_scheme::iob1: return first && is_type(i - 1, e.type) ? 'B' : 'I';
      case tag_scheme::iob2: return first ? 'B' : 'I';
      case tag_scheme::ioe1: return last && is_type(i + 1, e.type) ? 'E' : 'I';
      case tag_scheme::ioe2: return last ? 'E' : 'I';
      case tag_scheme::iobes: return first && last ? 'S' : first ? 'B' : last ? 'E' : 'I';
      case tag_scheme::bilou: return first && last ? 'U' : first ? 'B' : last ? 'L' : 'I';
      case tag_scheme::bmewo: return first && last ? 'W' : first ? 'B' : last ? 'E' : 'M';
      case tag_scheme::io: return 'I';
    }
    return 'I';
  };
  std::vector<std::string> tags(static_cast<std::size_t>(size), "O");
  for (index_t i = 0; i < size; ++i) {
    const entity_span* entity = owner[static_cast<std::size_t>(i)];
    if (entity == nullptr) continue;
    tags[static_cast<std::size_t>(i)] = std::string(1, prefix(*entity, i)) + "-" + entity->type;
  }
  return tags;
}

/// BIO tags of entities. @throws onoma::error (invalid_argument) as `encode_tags`.
[[nodiscard]] inline std::vector<std::string> bio_tags(std::span<const entity_span> entities,
                                                       index_t size) {
  return encode_tags(entities, size, tag_scheme::iob2);
}

/// One sequence in another scheme.
struct converted_tags {
  std::vector<std::string> tags;  ///< as many as before
  index_t repairs = 0;  ///< tags that had to change for the sequence to be one of the scheme it was in
  index_t lost = 0;  ///< borders that the new scheme cannot say: in IO, neighbours of one type become one entity
};

namespace detail {

/// The entities of tags of a scheme, whose rules they may break.
[[nodiscard]] inline std::vector<entity_span> read_tags(std::span<const std::string> tags, tag_scheme from) {
  const auto prefixes = prefixes_of(from);
  std::vector<std::string> readable(tags.begin(), tags.end());
  for (std::size_t i = 0; i < readable.size(); ++i) {
    std::string& tag = readable[i];
    const bool outside = tag == "O";
    const bool formed = tag.size() > 2 && tag[1] == '-' && tag[0] != 'O' &&
                        prefixes.find(tag[0]) != std::string_view::npos;
    if (!outside && !formed) {
      fail(error_code::invalid_argument,
           "reading tags as " + std::string(to_string(from)) + ": tag " + std::to_string(i),
           "O, or a prefix of " + std::string(prefixes) + ", a hyphen and a type",
           "'" + tag + "'");
    }
    // conlleval's transitions know BIOES, not BILOU and BMEWO: the same scheme in other letters.
    if (tag[0] == 'U' || tag[0] == 'W') tag[0] = 'S';
    if (tag[0] == 'L') tag[0] = 'E';
    if (tag[0] == 'M') tag[0] = 'I';
  }
  return lenient_entities(readable);
}

}  // namespace detail

/// Rewrites a sequence of one scheme in another. What the rules of its scheme would call invalid opens or continues
/// an entity as in `lenient_entities`, and is counted. All schemes but IO say the same: what is lost is counted too.
/// @throws onoma::error (invalid_argument) for a tag that the scheme `from` does not have.
[[nodiscard]] inline converted_tags convert_tags(std::span<const std::string> tags, tag_scheme from, tag_scheme to) {
  const auto entities = detail::read_tags(tags, from);
  const auto size = static_cast<index_t>(tags.size());
  const auto valid = encode_tags(entities, size, from);
  converted_tags result{encode_tags(entities, size, to)};
  for (std::size_t i = 0; i < tags.size(); ++i) result.repairs += tags[i] != valid[i] ? 1 : 0;
  for (std::size_t i = 1; to == tag_scheme::io && i < entities.size(); ++i) {
    const bool neighbours = entities[i - 1].end == entities[i].begin && entities[i - 1].type == entities[i].type;
    result.lost += neighbours ? 1 : 0;
  }
  return result;
}

/// Rewrites a sequence of any scheme as BIO, as `convert_tags` does. Nothing is lost.
/// @throws onoma::error (invalid_argument) for a tag that the scheme does not have.
[[nodiscard]] inline converted_tags to_bio(std::span<const std::string> tags, tag_scheme from) {
  return convert_tags(tags, from, tag_scheme::iob2);
}

/// Rewrites the tags of whole data, for example of `std::vector<sentence>` (anything whose elements
/// have `tags`), and returns the number of repairs. All or nothing.
/// @throws onoma::error (invalid_argument) naming the sentence.
template <class Sentences>
index_t convert_to_bio(Sentences& sentences, tag_scheme from) {
  std::vector<std::vector<std::string>> rewritten;
  index_t repairs = 0;
  for (const auto& s : sentences) {
    try {
      auto converted = to_bio(s.tags, from);
      rewritten.push_back(std::move(converted.tags));
      repairs += converted.repairs;
    } catch (const error& e) {
      fail(e.code(), "sentence " + std::to_string(rewritten.size() + 1) + ": " + e.operation(),
           e.expected(), e.found());
    }
  }
  std::size_t i = 0;
  for (auto& s : sentences) s.tags = std::move(rewritten[i++]);
  return repairs;
}

}  // namespace onoma::inline ONOMA_ABI
