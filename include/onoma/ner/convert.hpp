/// Rewriting tags: entities to tags, one scheme to another.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/ner/transitions.hpp>

#include <array>
#include <cstddef>
#include <set>
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
  index_t unknown = 0;  ///< tags that became `unknown_tag`, since they depend on a neighbour of unknown tag
};

/// A tag of BILOU or BMEWO in the letters of IOBES, which say the same; conlleval's transitions know these alone.
[[nodiscard]] inline std::string iobes_letters(std::string tag) {
  if (tag.empty()) return tag;
  if (tag[0] == 'U' || tag[0] == 'W') tag[0] = 'S';
  if (tag[0] == 'L') tag[0] = 'E';
  if (tag[0] == 'M') tag[0] = 'I';
  return tag;
}

namespace detail {

/// The entities of tags of a scheme, whose rules they may break. Words of unknown tag stand outside.
[[nodiscard]] inline std::vector<entity_span> read_tags(std::span<const std::string> tags, tag_scheme from) {
  const auto prefixes = prefixes_of(from);
  std::vector<std::string> readable(tags.begin(), tags.end());
  for (std::size_t i = 0; i < readable.size(); ++i) {
    std::string& tag = readable[i];
    if (tag == unknown_tag) tag = "O";
    const bool outside = tag == "O";
    const bool formed = tag.size() > 2 && tag[1] == '-' && tag[0] != 'O' &&
                        prefixes.find(tag[0]) != std::string_view::npos;
    if (!outside && !formed) {
      fail(error_code::invalid_argument,
           "reading tags as " + std::string(to_string(from)) + ": tag " + std::to_string(i),
           "O, or a prefix of " + std::string(prefixes) + ", a hyphen and a type",
           "'" + tag + "'");
    }
    tag = iobes_letters(std::move(tag));
  }
  return lenient_entities(readable);
}

/// A tag in another scheme, beside words of unknown tag.
struct tag_beside_unknown {
  std::string tag;     ///< `unknown_tag`: it depends on these words
  bool valid = false;  ///< whether some tags of these words make it one that the scheme puts there
};

/// Tag i, which is no "O", from what it would be for each tag of its neighbours: these decide where its entity begins
/// and ends. Neighbours of unknown tag may have any that the scheme allows between their own neighbours; where none is
/// allowed, any.
[[nodiscard]] inline tag_beside_unknown convert_beside_unknown(std::span<const std::string> tags, std::size_t i,
                                                               tag_scheme from, tag_scheme to) {
  // Two tags before it to two behind it; "O" stands for the borders as well.
  std::array<std::string, 5> near;
  std::set<std::string> all = {"O"};
  for (std::size_t n = 0; n < near.size(); ++n) {
    near[n] = i + n < 2 || i + n - 2 >= tags.size() ? "O" : tags[i + n - 2];
    if (near[n] == "O" || near[n] == unknown_tag) continue;
    for (const char prefix : prefixes_of(from)) {
      if (prefix != 'O') all.insert(std::string(1, prefix) + "-" + std::string(split_tag(near[n]).type));
    }
  }
  const tag_set set(std::vector<std::string>(all.begin(), all.end()));
  const auto allowed = transitions_of(set, from);
  const auto may_follow = [&](const std::string& a, const std::string& b) {
    return a == unknown_tag || b == unknown_tag || allowed.rules().follows(set.id(a), set.id(b));
  };
  const auto choices = [&](const std::string& tag) {
    return tag == unknown_tag ? all : std::set<std::string>{tag};
  };
  for (const bool valid : {true, false}) {
    std::set<std::string> found;
    for (const auto& left : choices(near[1])) {
      for (const auto& right : choices(near[3])) {
        const bool fits = may_follow(near[0], left) && may_follow(left, tags[i]) && may_follow(tags[i], right) &&
                          may_follow(right, near[4]);
        if (valid && !fits) continue;
        const std::array<std::string, 3> three = {left, tags[i], right};
        found.insert(encode_tags(read_tags(three, from), 3, to)[1]);
      }
    }
    if (!found.empty()) return {found.size() == 1 ? *found.begin() : std::string(unknown_tag), valid};
  }
  return {};
}

}  // namespace detail

/// Rewrites a sequence of one scheme in another. What the rules of its scheme would call invalid opens or continues
/// an entity as in `lenient_entities`, and is counted. All schemes but IO say the same: what is lost is counted too.
/// Words with `unknown_tag` keep it; a neighbour whose new tag depends on theirs gets it.
/// @throws onoma::error (invalid_argument) for a tag that the scheme `from` does not have.
[[nodiscard]] inline converted_tags convert_tags(std::span<const std::string> tags, tag_scheme from, tag_scheme to) {
  const auto entities = detail::read_tags(tags, from);
  const auto size = static_cast<index_t>(tags.size());
  const auto valid = encode_tags(entities, size, from);
  converted_tags result{encode_tags(entities, size, to)};
  const auto is_unknown = [&](std::size_t i) { return i < tags.size() && tags[i] == unknown_tag; };
  for (std::size_t i = 0; i < tags.size(); ++i) {
    if (is_unknown(i)) {
      result.tags[i] = unknown_tag;
    } else if (tags[i] != "O" && (is_unknown(i + 1) || (i > 0 && is_unknown(i - 1)))) {
      auto found = detail::convert_beside_unknown(tags, i, from, to);
      result.tags[i] = std::move(found.tag);
      result.unknown += result.tags[i] == unknown_tag ? 1 : 0;
      result.repairs += found.valid ? 0 : 1;
    } else {
      result.repairs += tags[i] != valid[i] ? 1 : 0;
    }
  }
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

/// The counts of `converted_tags`, of whole data.
struct conversion {
  index_t repairs = 0;  ///< tags that had to change for their sequence to be one of the scheme
  index_t lost = 0;     ///< borders that the new scheme cannot say
  index_t unknown = 0;  ///< tags that became unknown
};

/// Rewrites the tags of whole data in another scheme, for example of `std::vector<sentence>` (anything whose elements
/// have `tags`), as `convert_tags` does. All or nothing.
/// @throws onoma::error (invalid_argument) naming the sentence.
template <class Sentences>
conversion convert_corpus(Sentences& sentences, tag_scheme from, tag_scheme to) {
  std::vector<std::vector<std::string>> rewritten;
  conversion all;
  for (const auto& s : sentences) {
    try {
      auto converted = convert_tags(s.tags, from, to);
      rewritten.push_back(std::move(converted.tags));
      all.repairs += converted.repairs;
      all.lost += converted.lost;
      all.unknown += converted.unknown;
    } catch (const error& e) {
      fail(e.code(), "sentence " + std::to_string(rewritten.size() + 1) + ": " + e.operation(),
           e.expected(), e.found());
    }
  }
  std::size_t i = 0;
  for (auto& s : sentences) s.tags = std::move(rewritten[i++]);
  return all;
}

}  // namespace onoma::inline ONOMA_ABI
