/// Tag schemes (IOB1, IOB2 = BIO, IOE, IOBES, BILOU, BMEWO, IO): which spans a tag sequence stands for.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/ner/tag_set.hpp>

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// An entity of a sequence: words [begin, end).
struct entity_span {
  index_t begin = 0;   ///< first word
  index_t end = 0;     ///< behind the last
  std::string type;  ///< without a prefix
  /// Whether place and type are equal.
  friend bool operator==(const entity_span&, const entity_span&) = default;
};

/// How tags say where entities begin and end. BIO is IOB2. BMEWO is IOBES in other letters, M for I and W for S.
/// IO has no borders: neighbours of one type are one entity.
enum class tag_scheme { iob1, iob2, ioe1, ioe2, iobes, bilou, bmewo, io };

/// All of them.
inline constexpr tag_scheme tag_schemes[] = {tag_scheme::iob1,  tag_scheme::iob2,  tag_scheme::ioe1,
                                             tag_scheme::ioe2,  tag_scheme::iobes, tag_scheme::bilou,
                                             tag_scheme::bmewo, tag_scheme::io};

/// The name of a scheme, in capitals.
[[nodiscard]] constexpr std::string_view to_string(tag_scheme scheme) noexcept {
  switch (scheme) {
    case tag_scheme::iob1: return "IOB1";
    case tag_scheme::iob2: return "IOB2";
    case tag_scheme::ioe1: return "IOE1";
    case tag_scheme::ioe2: return "IOE2";
    case tag_scheme::iobes: return "IOBES";
    case tag_scheme::bilou: return "BILOU";
    case tag_scheme::bmewo: return "BMEWO";
    case tag_scheme::io: return "IO";
  }
  return "?";
}

/// The scheme of a name: IOB1, IOB2 (also BIO), IOE1, IOE2, IOBES, BILOU, BMEWO, IO.
/// @throws onoma::error (invalid_argument) naming them.
[[nodiscard]] inline tag_scheme tag_scheme_from_name(std::string_view name) {
  if (name == "BIO") return tag_scheme::iob2;
  std::string known = "BIO";
  for (const auto scheme : tag_schemes) {
    if (to_string(scheme) == name) return scheme;
    known.append(scheme == tag_scheme::io ? " or " : ", ").append(to_string(scheme));
  }
  fail(error_code::invalid_argument, "tag scheme", known, "'" + std::string(name) + "'");
}

/// The prefixes that tags of a scheme may have, "O" among them.
[[nodiscard]] constexpr std::string_view prefixes_of(tag_scheme scheme) noexcept {
  switch (scheme) {
    case tag_scheme::iob1:
    case tag_scheme::iob2: return "IOB";
    case tag_scheme::ioe1:
    case tag_scheme::ioe2: return "IOE";
    case tag_scheme::iobes: return "IOBES";
    case tag_scheme::bilou: return "IOBLU";
    case tag_scheme::bmewo: return "BMEWO";
    case tag_scheme::io: return "IO";
  }
  return "O";
}

namespace detail {

/// A transition from one tag to the next: prefixes ('*': any) and whether their types are equal
/// ('='), different ('!') or anything ('*').
struct tag_rule {
  char previous;
  char current;
  char types;
};

struct scheme_rules {
  std::span<const tag_rule> start;
  std::span<const tag_rule> inside;
  std::span<const tag_rule> end;
};

/// seqeval's strict semantics (seqeval/scheme.py), its gaps included: IOB1 does not open a chunk at
/// a B that follows O, and IOE1 misses some ends. It does not have BMEWO, whose rules are those of IOBES, nor IO.
[[nodiscard]] inline scheme_rules rules_of(tag_scheme scheme) {
  static constexpr tag_rule iob1_start[] = {
      {'O', 'I', '*'}, {'I', 'I', '!'}, {'B', 'I', '*'}, {'I', 'B', '='}, {'B', 'B', '='}};
  static constexpr tag_rule iob_inside[] = {{'B', 'I', '='}, {'I', 'I', '='}};
  static constexpr tag_rule iob1_end[] = {{'I', 'I', '!'}, {'I', 'O', '*'}, {'I', 'B', '*'},
                                          {'B', 'O', '*'}, {'B', 'I', '!'}, {'B', 'B', '='}};
  static constexpr tag_rule iob2_start[] = {{'*', 'B', '*'}};
  static constexpr tag_rule iob2_end[] = {{'I', 'O', '*'}, {'I', 'I', '!'}, {'I', 'B', '*'},
                                          {'B', 'O', '*'}, {'B', 'I', '!'}, {'B', 'B', '*'}};
  static constexpr tag_rule ioe1_start[] = {
      {'O', 'I', '*'}, {'I', 'I', '!'}, {'E', 'I', '*'}, {'E', 'E', '='}};
  static constexpr tag_rule ioe_inside[] = {{'I', 'I', '='}, {'I', 'E', '='}};
  static constexpr tag_rule ioe1_end[] = {
      {'I', 'I', '!'}, {'I', 'O', '*'}, {'I', 'E', '!'}, {'E', 'I', '='}, {'E', 'E', '='}};
  static constexpr tag_rule ioe2_start[] = {{'O', 'I', '*'}, {'O', 'E', '*'}, {'E', 'I', '*'},
                                            {'E', 'E', '*'}, {'I', 'I', '!'}, {'I', 'E', '!'}};
  static constexpr tag_rule ioe2_end[] = {{'E', '*', '*'}};
  static constexpr tag_rule iobes_start[] = {{'*', 'B', '*'}, {'*', 'S', '*'}};
  static constexpr tag_rule iobes_inside[] = {
      {'B', 'I', '='}, {'B', 'E', '='}, {'I', 'I', '='}, {'I', 'E', '='}};
  static constexpr tag_rule iobes_end[] = {{'S', '*', '*'}, {'E', '*', '*'}};
  static constexpr tag_rule bilou_start[] = {{'*', 'B', '*'}, {'*', 'U', '*'}};
  static constexpr tag_rule bilou_inside[] = {
      {'B', 'I', '='}, {'B', 'L', '='}, {'I', 'I', '='}, {'I', 'L', '='}};
  static constexpr tag_rule bilou_end[] = {{'U', '*', '*'}, {'L', '*', '*'}};
  static constexpr tag_rule bmewo_start[] = {{'*', 'B', '*'}, {'*', 'W', '*'}};
  static constexpr tag_rule bmewo_inside[] = {
      {'B', 'M', '='}, {'B', 'E', '='}, {'M', 'M', '='}, {'M', 'E', '='}};
  static constexpr tag_rule bmewo_end[] = {{'W', '*', '*'}, {'E', '*', '*'}};
  static constexpr tag_rule io_start[] = {{'O', 'I', '*'}, {'I', 'I', '!'}};
  static constexpr tag_rule io_inside[] = {{'I', 'I', '='}};
  static constexpr tag_rule io_end[] = {{'I', 'O', '*'}, {'I', 'I', '!'}};
  switch (scheme) {
    case tag_scheme::iob1: return {iob1_start, iob_inside, iob1_end};
    case tag_scheme::iob2: return {iob2_start, iob_inside, iob2_end};
    case tag_scheme::ioe1: return {ioe1_start, ioe_inside, ioe1_end};
    case tag_scheme::ioe2: return {ioe2_start, ioe_inside, ioe2_end};
    case tag_scheme::iobes: return {iobes_start, iobes_inside, iobes_end};
    case tag_scheme::bilou: return {bilou_start, bilou_inside, bilou_end};
    case tag_scheme::bmewo: return {bmewo_start, bmewo_inside, bmewo_end};
    case tag_scheme::io: return {io_start, io_inside, io_end};
  }
  return {};
}

/// A tag as seqeval's strict mode reads it: the rest without its hyphens, or "_".
struct strict_tag {
  char prefix;
  std::string_view type;
};

[[nodiscard]] inline strict_tag read_strict(std::string_view tag) {
  if (tag.empty()) return {'O', "_"};
  auto type = behind_first_code_point(tag);
  while (!type.empty() && type.front() == '-') type.remove_prefix(1);
  while (!type.empty() && type.back() == '-') type.remove_suffix(1);
  return {tag[0], type.empty() ? "_" : type};
}

[[nodiscard]] inline bool matches(std::span<const tag_rule> rules, strict_tag previous,
                                  strict_tag current) {
  const auto prefix = [](char rule, char found) { return rule == '*' || rule == found; };
  for (const tag_rule& rule : rules) {
    const bool types = rule.types == '*' || (rule.types == '=') == (previous.type == current.type);
    if (prefix(rule.previous, previous.prefix) && prefix(rule.current, current.prefix) && types) {
      return true;
    }
  }
  return false;
}

}  // namespace detail

/// The entities of one sequence by the rules of a scheme: what breaks the rules is no entity.
/// Equal to seqeval's strict mode in the schemes that it has.
/// @throws onoma::error (invalid_argument) for a prefix that the scheme does not have.
[[nodiscard]] inline std::vector<entity_span> strict_entities(std::span<const std::string> tags,
                                                              tag_scheme scheme) {
  const auto rules = detail::rules_of(scheme);
  const auto prefixes = prefixes_of(scheme);
  const auto size = static_cast<index_t>(tags.size());
  const detail::strict_tag outside{'O', "_"};
  const auto at = [&](index_t i) {
    return i < size ? detail::read_strict(tags[static_cast<std::size_t>(i)]) : outside;
  };
  std::vector<entity_span> entities;
  auto previous = outside;
  for (index_t i = 0; i <= size;) {
    const auto current = at(i);
    if (prefixes.find(current.prefix) == std::string_view::npos) {
      fail(error_code::invalid_argument,
           "reading tags as " + std::string(to_string(scheme)) + ": tag " + std::to_string(i),
           "a prefix of " + std::string(prefixes), "'" + tags[static_cast<std::size_t>(i)] + "'");
    }
    if (detail::matches(rules.start, previous, current)) {
      index_t end = i + 1;
      while (end < size && detail::matches(rules.inside, at(end - 1), at(end))) ++end;
      if (detail::matches(rules.end, at(end - 1), at(end))) {
        entities.push_back({i, end, std::string(current.type)});
      }
      i = end;
    } else {
      ++i;
    }
    previous = at(i - 1);
  }
  return entities;
}

/// Reads tags of any scheme's prefixes one after the other by conlleval's transitions: what a scheme would
/// call invalid still opens or continues an entity. Equal to seqeval's default mode
/// (seqeval/metrics/sequence_labeling.py), where BILOU's unit tags are known to be merged.
class lenient_reader {
 public:
  /// Entities that end before the tag are added; words are counted from the first tag. The tag's text must
  /// outlive the next call.
  void read(std::string_view tag, std::vector<entity_span>& entities) {
    const auto current = parts_of(tag);
    if (ends(previous_, current)) entities.push_back({begin_, at_, std::string(previous_.type)});
    if (starts(previous_, current)) begin_ = at_;
    previous_ = current;
    ++at_;
  }
  /// A whole sequence, and an "O" behind it, as seqeval puts them: what a next one reads comes behind that.
  void read_all(std::span<const std::string> tags, std::vector<entity_span>& entities) {
    for (const auto& tag : tags) read(tag, entities);
    read("O", entities);
  }

 private:
  /// The prefix is the first character, of which a byte is enough here: those that matter are ASCII. The
  /// type is what follows the first hyphen behind it (all of it without one).
  [[nodiscard]] static detail::strict_tag parts_of(std::string_view tag) {
    if (tag.empty()) return {'O', "_"};
    auto type = behind_first_code_point(tag);
    const auto hyphen = type.find('-');
    if (hyphen != std::string_view::npos) type = type.substr(hyphen + 1);
    return {tag[0], type.empty() ? "_" : type};
  }
  [[nodiscard]] static bool is_pair(detail::strict_tag p, detail::strict_tag c, std::string_view pairs) {
    for (std::size_t i = 0; i + 1 < pairs.size(); i += 3) {
      if (pairs[i] == p.prefix && pairs[i + 1] == c.prefix) return true;
    }
    return false;
  }
  [[nodiscard]] static bool ends(detail::strict_tag p, detail::strict_tag c) {
    if (p.prefix == 'E' || p.prefix == 'S') return true;
    if (is_pair(p, c, "BB BS BO IB IS IO")) return true;
    return p.prefix != 'O' && p.prefix != '.' && p.type != c.type;
  }
  [[nodiscard]] static bool starts(detail::strict_tag p, detail::strict_tag c) {
    if (c.prefix == 'B' || c.prefix == 'S') return true;
    if (is_pair(p, c, "EE EI SE SI OE OI")) return true;
    return c.prefix != 'O' && c.prefix != '.' && p.type != c.type;
  }

  detail::strict_tag previous_{'O', ""};
  index_t begin_ = 0;  // of the entity that is open, or of one before: a reader of odd tags may not move it
  index_t at_ = 0;
};

/// The entities of one sequence by `lenient_reader`. In several sequences that are read as one an odd tag
/// ("0") may reach into the next: `evaluate` reads them so.
[[nodiscard]] inline std::vector<entity_span> lenient_entities(std::span<const std::string> tags) {
  std::vector<entity_span> entities;
  lenient_reader().read_all(tags, entities);
  return entities;
}

}  // namespace onoma::inline ONOMA_ABI
