/// Templates of features: what a classical model looks at around a word.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What a template asks of one word.
enum class word_property : std::uint8_t {
  word,    ///< the word as it stands
  lower,   ///< its lower case (Python's str.lower)
  shape,   ///< spaCy's shape: X, x and d for letters and digits, at most four of a kind in a row
  prefix,  ///< its first characters (code points), of a word that has more
  suffix,  ///< its last ones, likewise
  flags,   ///< what it is made of: digits, punctuation, upper case, title case, a hyphen, ...
  border,  ///< that there is no word: before the first one or behind the last
  list,    ///< labels of the phrases of a gazetteer that it is a part of, as first word or later one
};

/// A property of the word at some distance from the one that is labelled.
struct word_part {
  word_property property = word_property::word;  ///< what is asked
  index_t length = 0;                            ///< of a prefix or suffix, in characters; else 0
  index_t offset = 0;                            ///< 0: the word itself, -1: the one before it
  /// Equal in all.
  friend bool operator==(const word_part&, const word_part&) = default;
};

/// One property, or several together: then each combination of their values is an attribute of its own.
struct feature_template {
  std::vector<word_part> parts;  ///< at least one
  /// Equal in all parts.
  friend bool operator==(const feature_template&, const feature_template&) = default;
};

/// The farthest word that a template looks at, in words.
inline constexpr index_t farthest_offset = 8;

/// Whether it is asked with a length: a prefix or suffix.
[[nodiscard]] constexpr bool has_length(word_property property) noexcept {
  return property == word_property::prefix || property == word_property::suffix;
}

/// Its name in the text of a template.
[[nodiscard]] constexpr std::string_view to_string(word_property property) noexcept {
  constexpr std::array<std::string_view, 8> names = {"word",   "lower", "shape",  "prefix",
                                                     "suffix", "flags", "border", "list"};
  return names[static_cast<std::size_t>(property)];
}

namespace detail {

/// Takes a whole number of one or two digits, with its sign, from the begin of `text`.
[[nodiscard]] inline bool take_number(std::string_view& text, index_t& number) {
  int found = 0;
  const auto end = std::from_chars(text.data(), text.data() + text.size(), found);
  if (end.ec != std::errc{} || found > 99 || found < -99) return false;
  number = found;
  text.remove_prefix(static_cast<std::size_t>(end.ptr - text.data()));
  return true;
}

/// "suffix3[-1]"; false if it is none.
[[nodiscard]] inline bool read_part(std::string_view text, word_part& part) {
  int property = 0;
  while (property < 8 && !text.starts_with(to_string(static_cast<word_property>(property)))) ++property;
  if (property == 8) return false;
  part.property = static_cast<word_property>(property);
  text.remove_prefix(to_string(part.property).size());
  const bool affix = has_length(part.property);
  if (affix && (!take_number(text, part.length) || part.length < 1 || part.length > 16)) return false;
  if (!text.starts_with('[')) return false;
  text.remove_prefix(1);
  if (!take_number(text, part.offset)) return false;
  return text == "]" && part.offset >= -farthest_offset && part.offset <= farthest_offset;
}

}  // namespace detail

/// As `template_from_text` reads it: "suffix3[-1]", and "word[-1]|word[0]" of two parts.
[[nodiscard]] inline std::string to_string(const feature_template& which) {
  std::string text;
  for (const auto& part : which.parts) {
    if (!text.empty()) text += '|';
    text += to_string(part.property);
    if (has_length(part.property)) text += std::to_string(part.length);
    text += '[' + std::to_string(part.offset) + ']';
  }
  return text;
}

/// One to four parts with '|' between them. A part is a name of `word_property`, for prefix and suffix with a length
/// from 1 to 16, and an offset from -8 to 8 in brackets.
/// @throws onoma::error (invalid_argument) for another text; for `list` and `border` beside other parts.
[[nodiscard]] inline feature_template template_from_text(std::string_view text) {
  feature_template made;
  bool right = true;
  for (std::string_view rest = text;;) {
    const auto bar = rest.find('|');
    right = right && detail::read_part(rest.substr(0, bar), made.parts.emplace_back());
    if (bar == std::string_view::npos || !right) break;
    rest.remove_prefix(bar + 1);
  }
  if (!right || made.parts.size() > 4) {
    fail(error_code::invalid_argument, "a template of features", "such as word[-1], suffix3[0] or word[-1]|word[0]",
         "'" + std::string(text) + "'");
  }
  for (const auto& part : made.parts) {
    const bool alone = part.property == word_property::list || part.property == word_property::border;
    if (alone && made.parts.size() > 1) {
      fail(error_code::invalid_argument, "a template of features", "list and border alone",
           "'" + std::string(text) + "'");
    }
  }
  return made;
}

/// Several. @throws onoma::error as `template_from_text`; (invalid_argument) for none, for one twice, and for more
/// than 120.
[[nodiscard]] inline std::vector<feature_template> templates_from_texts(const std::vector<std::string>& texts) {
  std::vector<feature_template> made;
  for (const auto& text : texts) {
    auto next = template_from_text(text);
    if (std::find(made.begin(), made.end(), next) != made.end()) {
      fail(error_code::invalid_argument, "templates of features", "each once", "'" + text + "' twice");
    }
    made.push_back(std::move(next));
  }
  check(!made.empty() && made.size() <= 120, error_code::invalid_argument, "templates of features", "1 to 120",
        made.empty() ? "none" : "more");
  return made;
}

/// A set that suits most corpora, with lists where the model has a gazetteer. Neighbours together ("lower[-1]|lower[0]"
/// and shapes likewise) are not in it: on the dev sentences of the English Web Treebank they took one point of F1 away,
/// and doubled the number of weights.
[[nodiscard]] inline std::vector<feature_template> default_templates(bool with_lists = false) {
  std::vector<std::string> texts = {"border[-1]", "border[1]"};
  const auto append = [&](std::string_view property, index_t first, index_t last) {
    for (index_t offset = first; offset <= last; ++offset) {
      texts.push_back(std::string(property) + '[' + std::to_string(offset) + ']');
    }
  };
  append("word", -1, 1);
  append("lower", -2, 2);
  append("shape", -1, 1);
  append("flags", -1, 1);
  for (const char* affix : {"prefix1", "prefix2", "prefix3", "prefix4", "suffix1", "suffix2", "suffix3", "suffix4"}) {
    append(affix, 0, 0);
  }
  if (with_lists) append("list", -1, 1);
  return templates_from_texts(texts);
}

}  // namespace onoma::inline ONOMA_ABI
