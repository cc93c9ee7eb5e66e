/// Which tags may follow which in a scheme: the rules of linear chains.
#pragma once

#include <onoma/core/crf.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// For L tags: 1 where a tag may follow another, begin a sequence or end one, 0 where not.
struct tag_transitions {
  std::vector<std::uint8_t> between;  ///< [L, L] from the row's tag to the column's
  std::vector<std::uint8_t> start;    ///< [L]
  std::vector<std::uint8_t> end;      ///< [L]

  /// A view of them, as chains take it.
  [[nodiscard]] crf_rules rules() const noexcept {
    const auto labels = static_cast<index_t>(start.size());
    return {{between.data(), labels, labels}, {start.data(), labels}, {end.data(), labels}};
  }
};

namespace detail {

/// What a scheme demands of neighbours in one entity, or of one type: a tag with a prefix of `later` stands behind
/// one of `before_later`, and a tag with a prefix of `open` stands before one of `behind_open`.
struct neighbour_rules {
  std::string_view later;
  std::string_view before_later;
  std::string_view open;
  std::string_view behind_open;
};

[[nodiscard]] constexpr neighbour_rules neighbours_of(tag_scheme scheme) noexcept {
  switch (scheme) {
    case tag_scheme::iob1: return {"B", "BI", "", ""};  // B parts it from a neighbour of its type
    case tag_scheme::iob2: return {"I", "BI", "", ""};
    case tag_scheme::ioe1: return {"", "", "E", "IE"};
    case tag_scheme::ioe2: return {"", "", "I", "IE"};
    case tag_scheme::iobes: return {"IE", "BI", "BI", "IE"};
    case tag_scheme::bilou: return {"IL", "BI", "BI", "IL"};
    case tag_scheme::bmewo: return {"ME", "BM", "BM", "ME"};
    case tag_scheme::io: return {};
  }
  return {};
}

/// O stands for the borders of a sequence as well.
[[nodiscard]] inline bool may_follow(const neighbour_rules& rules, tag_parts tag, tag_parts next) {
  const auto has = [](std::string_view prefixes, tag_parts t) {
    return t.prefix != 'O' && prefixes.find(t.prefix) != std::string_view::npos;
  };
  const bool one_type = tag.type == next.type;
  if (has(rules.later, next) && !(one_type && has(rules.before_later, tag))) return false;
  return !has(rules.open, tag) || (one_type && has(rules.behind_open, next));
}

}  // namespace detail

/// Which sequences of tags `encode_tags` can give: each entity is said in the one way that the scheme has for it. A
/// tag that can never stand in one, such as a B- of IOBES whose type has no E-, is neither start nor end, or has
/// no neighbour.
/// @throws onoma::error (invalid_argument) for a tag with a prefix that the scheme does not have, and if no tag can
/// stand alone: then a sequence of one word would have no tags.
[[nodiscard]] inline tag_transitions transitions_of(const tag_set& tags, tag_scheme scheme) {
  const auto prefixes = prefixes_of(scheme);
  const auto rules = detail::neighbours_of(scheme);
  const auto labels = static_cast<std::size_t>(tags.size());
  const std::string operation = "transitions of " + std::string(to_string(scheme));
  std::vector<tag_parts> parts;
  for (const auto& label : tags.labels()) {
    parts.push_back(split_tag(label));
    if (prefixes.find(parts.back().prefix) == std::string_view::npos ||
        (!is_formed_tag(label) && scheme != tag_scheme::io)) {
      fail(error_code::invalid_argument, operation, "O, or a prefix of " + std::string(prefixes) +
           ", a hyphen and a type", "'" + label + "'");
    }
  }
  tag_transitions found;
  bool any_alone = false;
  for (std::size_t i = 0; i < labels; ++i) {
    const bool starts = detail::may_follow(rules, {}, parts[i]);
    const bool ends = detail::may_follow(rules, parts[i], {});
    found.start.push_back(starts ? 1 : 0);
    found.end.push_back(ends ? 1 : 0);
    any_alone = any_alone || (starts && ends);
    for (std::size_t j = 0; j < labels; ++j) {
      found.between.push_back(detail::may_follow(rules, parts[i], parts[j]) ? 1 : 0);
    }
  }
  check(any_alone, error_code::invalid_argument, operation.c_str(), "a tag that can stand alone, such as O", "none");
  return found;
}

}  // namespace onoma::inline ONOMA_ABI
