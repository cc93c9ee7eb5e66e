/// A look at annotated data before hours of training: labels with counts, the scheme of the tags, and what is
/// odd.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How often something is there, and where it is first: a line of its file, or 0.
struct label_count {
  index_t words = 0;     ///< that have it
  index_t entities = 0;  ///< of a type, however its tags are written; of a tag: 0
  index_t line = 0;      ///< of the first word
};

/// What a corpus is made of.
struct corpus_check {
  index_t sentences = 0;                       ///< all of them
  index_t words = 0;                           ///< of all sentences
  index_t unknown = 0;                         ///< words with `unknown_tag`, which is no tag of `tags`
  std::map<std::string, label_count> tags;   ///< as they stand, "O" among them
  std::map<std::string, label_count> types;  ///< of entities
  scheme_guess scheme;                       ///< of the tags
  std::vector<std::string> remarks;  ///< what is odd: sentences for people, the weightiest kind first
};

namespace detail {

/// "7 words", "1 word".
inline std::string counted(index_t count, std::string_view what, std::string_view plural = {}) {
  auto text = std::to_string(count) + " ";
  return count == 1       ? text.append(what)
         : plural.empty() ? text.append(what).append("s")
                          : text.append(plural);
}

/// "(7 words, first in line 3)".
inline std::string place_of(const label_count& count) {
  return "(" + counted(count.words, "word") +
         (count.line > 0 ? ", first in line " + std::to_string(count.line) : std::string()) + ")";
}

/// Letters and digits alone, ASCII in lower case: what two spellings of one name have in common.
inline std::string folded(std::string_view name) {
  std::string text;
  for (const char c : name) {
    const bool upper = c >= 'A' && c <= 'Z';
    const bool sign =
        static_cast<unsigned char>(c) < 0x80 && !upper && !(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9');
    if (!sign) text += upper ? static_cast<char>(c - 'A' + 'a') : c;
  }
  return text;
}

/// Whether one slip of the hand makes `b` of `a`: a character changed, lost, added, or two swapped. Names of
/// less than three characters are too short to tell, and those that differ in a digit are meant so.
inline bool is_one_slip(std::string_view a, std::string_view b) {
  if (a.size() > b.size() + 4 || b.size() > a.size() + 4) return false;  // bytes of a character
  const auto characters = [](std::string_view text) {
    std::vector<std::uint32_t> all;
    for (index_t at = 0; at < static_cast<index_t>(text.size());) {
      const auto c = decode_utf8(text, at);
      all.push_back(c.code_point);
      at += std::max<index_t>(c.length, 1);
    }
    return all;
  };
  auto x = characters(a);
  auto y = characters(b);
  if (x.size() > y.size()) x.swap(y);
  if (x.size() < 3 || y.size() > x.size() + 1) return false;
  const auto difference = std::mismatch(x.begin(), x.end(), y.begin());
  const auto i = difference.first - x.begin();
  const auto digit = [](const std::vector<std::uint32_t>& all, std::ptrdiff_t at) {
    return at < static_cast<std::ptrdiff_t>(all.size()) && all[static_cast<std::size_t>(at)] >= '0' &&
           all[static_cast<std::size_t>(at)] <= '9';
  };
  if (digit(x, i) || digit(y, i)) return false;
  if (y.size() > x.size()) return std::equal(x.begin() + i, x.end(), y.begin() + i + 1);
  if (std::equal(x.begin() + i, x.end(), y.begin() + i)) return false;  // the same
  if (std::equal(x.begin() + i + 1, x.end(), y.begin() + i + 1)) return true;
  return i + 1 < static_cast<std::ptrdiff_t>(x.size()) && difference.first[0] == difference.second[1] &&
         difference.first[1] == difference.second[0] &&
         std::equal(x.begin() + i + 2, x.end(), y.begin() + i + 2);
}

/// The tag that a mistyped one may have meant: "o" and "0" for "O", and one that is there for the same
/// letters with another sign behind the prefix, or in other case ("B_PER", "b-PER"). Empty if none is.
inline std::string meant_tag(const std::string& tag, const std::map<std::string, label_count>& tags) {
  if (tag == "o" || tag == "0") return "O";
  const auto letters = folded(tag);
  for (const auto& [known, count] : tags) {
    if (known != tag && known != "O" && is_formed_tag(known) && folded(known) == letters) return known;
  }
  return {};
}

inline void remark_on_tags(corpus_check& check) {
  index_t bare = 0;
  std::string names;
  for (const auto& [tag, count] : check.tags) {
    if (is_formed_tag(tag)) continue;
    const auto meant = meant_tag(tag, check.tags);
    if (!meant.empty()) {
      check.remarks.push_back("the tag '" + tag + "' " + place_of(count) + " may be meant as '" + meant +
                              "'");
      continue;
    }
    bare += count.words;
    if (names.size() < 60) names += (names.empty() ? "" : ", ") + tag;
  }
  if (bare == 0) return;
  check.remarks.push_back(counted(bare, "word") + (bare == 1 ? " has a label" : " have labels") +
                          " without a prefix (" + names +
                          "): of two entities side by side nobody can say where one ends");
}

inline void remark_on_types(corpus_check& check) {
  struct entry {
    const std::string* name;
    std::string letters;
    const label_count* count;
  };
  std::vector<entry> types;
  for (const auto& [name, count] : check.types) types.push_back({&name, folded(name), &count});
  // Another way to write a name, or a slip that is much rarer than it.
  const auto is_meant = [](const entry& odd, const entry& known) {
    if (odd.letters == known.letters) {
      return odd.count->words < known.count->words ||
             (odd.count->words == known.count->words && *odd.name > *known.name);
    }
    return 5 * odd.count->words <= known.count->words && is_one_slip(*odd.name, *known.name);
  };
  for (const auto& odd : types) {
    const auto known = std::find_if(types.begin(), types.end(), [&](const entry& other) {
      return other.name != odd.name && is_meant(odd, other);
    });
    if (known == types.end()) continue;
    check.remarks.push_back("the type '" + *odd.name + "' " + place_of(*odd.count) + " may be meant as '" +
                            *known->name + "' (" + counted(known->count->words, "word") + ")");
  }
}

inline void remark_on_scheme(corpus_check& check, bool guessed) {
  // No structured bindings: clang captures none of them before version 16.
  const auto& scheme = check.scheme.scheme;
  const index_t misplaced = check.scheme.misplaced;
  const bool formed = std::any_of(check.tags.begin(), check.tags.end(), [](const auto& entry) {
    return entry.first != "O" && is_formed_tag(entry.first);
  });
  if (!scheme) {
    if (formed)
      check.remarks.emplace_back("the tags look like BMES, which is no scheme that can be converted");
    return;
  }
  const std::string name(to_string(*scheme));
  if (guessed && *scheme != tag_scheme::iob2) {
    check.remarks.push_back("the tags are in the scheme " + name + ", not in BIO (IOB2): convert them");
  }
  const index_t strange = std::count_if(check.tags.begin(), check.tags.end(), [&](const auto& entry) {
    return is_formed_tag(entry.first) && prefixes_of(*scheme).find(entry.first[0]) == std::string_view::npos;
  });
  if (strange > 0) {
    check.remarks.push_back(counted(strange, "tag") + (strange == 1 ? " has a prefix" : " have prefixes") +
                            " that " + name + " does not have");
  }
  if (misplaced > 0) {
    check.remarks.push_back(counted(misplaced, "tag") + (misplaced == 1 ? " is" : " are") + " not where " +
                            name + " has " + (misplaced == 1 ? "it" : "them") +
                            (*scheme == tag_scheme::iob2 ? ": I- that continues nothing, read as B-" : ""));
  }
}

}  // namespace detail

/// Counts the labels of annotated sentences and looks for what is odd: mistyped tags (`o`, `B_PER`) and types
/// (`GEP` beside a much more frequent `GPE`, `Per` beside `PER`), labels without a prefix, tags in another
/// scheme than BIO, and tags that are not where their scheme has them. Sentences without tags count as such
/// alone. `scheme`: the one that the tags are meant to be in; none: it is guessed.
[[nodiscard]] inline corpus_check check_corpus(const std::vector<sentence>& sentences,
                                               std::optional<tag_scheme> scheme = std::nullopt) {
  corpus_check check;
  check.sentences = static_cast<index_t>(sentences.size());
  for (const auto& s : sentences) {
    check.words += static_cast<index_t>(s.words.size());
    const auto line = [&](std::size_t word) { return s.line > 0 ? s.line + static_cast<index_t>(word) : 0; };
    tag_reader reader;
    for (std::size_t i = 0; i < s.tags.size(); ++i) {
      if (s.tags[i] == unknown_tag) {
        ++check.unknown;
        static_cast<void>(reader.read("O"));
        continue;
      }
      auto& tag = check.tags[s.tags[i]];
      if (tag.words++ == 0) tag.line = line(i);
      const auto step = reader.read(s.tags[i]);
      if (step == tag_reader::step::outside) continue;
      auto& type = check.types[std::string(reader.type())];
      if (type.words++ == 0) type.line = line(i);
      type.entities += step == tag_reader::step::opens ? 1 : 0;
    }
  }
  check.scheme = scheme ? measure_scheme(sentences, scheme) : guess_scheme(sentences);
  detail::remark_on_scheme(check, !scheme);
  detail::remark_on_tags(check);
  detail::remark_on_types(check);
  return check;
}

/// What other data, such as dev and test sentences, have that training data lack: remarks about types that no
/// model trained on them can find, and about another scheme.
[[nodiscard]] inline std::vector<std::string> compare_corpora(const corpus_check& train,
                                                              const corpus_check& other) {
  std::vector<std::string> remarks;
  for (const auto& [type, count] : other.types) {
    if (train.types.count(type) != 0) continue;
    const auto meant =
        std::find_if(train.types.begin(), train.types.end(), [&, &name = type](const auto& known) {
          return detail::folded(known.first) == detail::folded(name) ||
                 detail::is_one_slip(known.first, name);
        });
    remarks.push_back("the type '" + type + "' " + detail::place_of(count) +
                      " is not in the training data: no model trained on them finds it" +
                      (meant == train.types.end() ? "" : "; it may be meant as '" + meant->first + "'"));
  }
  if (train.scheme.scheme && other.scheme.scheme && *train.scheme.scheme != *other.scheme.scheme) {
    remarks.push_back("the tags are in the scheme " + std::string(to_string(*other.scheme.scheme)) +
                      ", those of the training data in " + std::string(to_string(*train.scheme.scheme)));
  }
  return remarks;
}

/// A table for people: how many entities of each type, and how many sentences, each corpus has.
[[nodiscard]] inline std::string count_table(
    const std::vector<std::pair<std::string, corpus_check>>& corpora) {
  std::set<std::string> types;
  index_t width = 9;
  for (const auto& [name, check] : corpora) {
    for (const auto& [type, count] : check.types) {
      types.insert(type);
      width = std::max(width, count_code_points(type));
    }
  }
  const auto padded = [](const std::string& text, index_t to) {
    return std::string(static_cast<std::size_t>(std::max<index_t>(0, to - count_code_points(text))), ' ');
  };
  std::string text = "entities" + padded("entities", width);
  const auto row = [&](const std::string& head, auto&& value) {
    text += head + padded(head, width);
    for (const auto& [name, check] : corpora) {
      const std::string cell = value(check);
      text += "  " + padded(cell, std::max<index_t>(7, count_code_points(name))) + cell;
    }
    text += "\n";
  };
  for (const auto& [name, check] : corpora) text += "  " + padded(name, 7) + name;
  text += "\n";
  for (const auto& type : types) {
    row(type, [&](const corpus_check& check) {
      const auto found = check.types.find(type);
      return found == check.types.end() ? std::string(".") : std::to_string(found->second.entities);
    });
  }
  row("sentences", [](const corpus_check& check) { return std::to_string(check.sentences); });
  return text;
}

}  // namespace onoma::inline ONOMA_ABI
