/// Which scheme the tags of a corpus are in, told from their prefixes and transitions.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What `guess_scheme` found.
struct scheme_guess {
  std::optional<tag_scheme> scheme;  ///< none: no tag with a prefix, or BMES, which has no conversion. Never
                                    ///< IO, whose tags are those of IOB1 and mean the same
  index_t misplaced = 0;  ///< tags that the scheme would not have put there, such as I- behind O in IOB2
  index_t foreign = 0;    ///< tags whose prefix it does not have, or that have none
};

/// Counts what tells schemes apart. @see guess_scheme
class scheme_counter {
 public:
  /// The tags of one sentence.
  void add(std::span<const std::string> tags) {
    tag_parts previous;
    for (const auto& tag : tags) {
      if (tag == unknown_tag) {
        is_known_ = false;
        continue;
      }
      const auto current = is_formed_tag(tag) ? split_tag(tag) : tag_parts{};
      count(previous, current);
      previous = current;
      is_known_ = true;
    }
    count(previous, {});
    is_known_ = true;
  }

  /// The scheme that fits most of what was counted.
  [[nodiscard]] std::optional<tag_scheme> scheme() const {
    const auto of = [&](char prefix) { return prefixes_[prefix_names.find(prefix)]; };
    if (of('M') + of('W') > 0) return of('S') > of('W') ? std::nullopt : std::optional(tag_scheme::bmewo);
    if (of('U') + of('L') > of('S') + of('E')) return tag_scheme::bilou;
    if (of('S') > 0 || (of('E') > 0 && of('B') > 0)) return tag_scheme::iobes;
    if (of('E') > 0) return ends_inside_ > ends_ ? tag_scheme::ioe1 : tag_scheme::ioe2;
    if (of('B') + of('I') > 0) return begins_inside_ > begins_ ? tag_scheme::iob1 : tag_scheme::iob2;
    return std::nullopt;
  }

 private:
  void count(tag_parts previous, tag_parts current) {
    if (const auto at = prefix_names.find(current.prefix); at != std::string_view::npos) ++prefixes_[at];
    const bool goes_on = previous.prefix != 'O' && previous.type == current.type;
    if (goes_on || !is_known_) return;  // B- and E- stand here in all of the schemes
    begins_ += current.prefix == 'B' ? 1 : 0;
    begins_inside_ += current.prefix == 'I' ? 1 : 0;
    ends_ += previous.prefix == 'E' ? 1 : 0;
    ends_inside_ += previous.prefix == 'I' ? 1 : 0;
  }

  static constexpr std::string_view prefix_names = "BIESLUMW";
  index_t prefixes_[8] = {};
  bool is_known_ = true;  // what stands before the tag
  // At the borders of entities whose neighbour is none of their type:
  index_t begins_ = 0;         // B-
  index_t begins_inside_ = 0;  // I-
  index_t ends_ = 0;           // E-
  index_t ends_inside_ = 0;    // I-
};

/// How much of a corpus does not fit a scheme; none: whose tags are any.
template <class Sentences>
[[nodiscard]] scheme_guess measure_scheme(const Sentences& sentences, std::optional<tag_scheme> scheme) {
  scheme_guess guess{scheme};
  const auto prefixes = scheme ? prefixes_of(*scheme) : std::string_view("O");
  std::vector<std::string> tags;
  for (const auto& s : sentences) {
    tags.assign(s.tags.begin(), s.tags.end());
    for (auto& tag : tags) {
      if (tag == unknown_tag || (is_formed_tag(tag) && prefixes.find(tag[0]) != std::string_view::npos)) continue;
      ++guess.foreign;
      tag = "O";
    }
    if (scheme) guess.misplaced += to_bio(tags, *scheme).repairs;
  }
  return guess;
}

/// The scheme of a corpus, any range of elements that have `tags` (`std::vector<sentence>`), and how much of
/// it does not fit. IOB1 and IOB2 are told apart by how most entities begin where no neighbour has their
/// type. Words with `unknown_tag` say nothing.
template <class Sentences>
[[nodiscard]] scheme_guess guess_scheme(const Sentences& sentences) {
  scheme_counter counter;
  for (const auto& s : sentences) counter.add(s.tags);
  return measure_scheme(sentences, counter.scheme());
}

/// What `bring_to_scheme` found and did.
struct scheme_change {
  scheme_guess found{};  ///< before it
  bool changed = false;  ///< whether tags were converted
  conversion counts{};   ///< what that did to them
};

/// Recognises the scheme of a corpus and converts its tags to another. Tags without a scheme stay as they are; those
/// that are in it already do so too, even where they break its rules.
/// @throws onoma::error (invalid_argument) as `convert_corpus`.
template <class Sentences>
scheme_change bring_to_scheme(Sentences& sentences, tag_scheme wanted) {
  scheme_change change{guess_scheme(sentences)};
  const auto found = change.found.scheme;
  if (!found || *found == wanted) return change;
  change.counts = convert_corpus(sentences, *found, wanted);
  change.changed = true;
  return change;
}

}  // namespace onoma::inline ONOMA_ABI
