/// Documents as words with tags, and back.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <numeric>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What tags of words can say of a document.
struct tag_view {
  std::vector<std::string> tags;      ///< one for each word
  std::vector<std::size_t> left_out;  ///< spans that they do not say: places in `document::spans`, ascending
};

/// Tags of one scheme for the words of a document. A span is left out if it begins or ends inside of a word,
/// holds no word, or shares a word with one that has more of them; of equally long ones the first stays.
/// @throws onoma::error (invalid_argument) for a document without words that has a text, or a span without
/// a label.
[[nodiscard]] inline tag_view view_tags(const document& d, tag_scheme scheme = tag_scheme::iob2) {
  if (d.words.empty() && !d.text.empty()) {
    fail(error_code::invalid_argument, "tags of a document", "one that is split into words", "none");
  }
  tag_view view;
  std::vector<entity_span> spans(d.spans.size());  // in words; empty: cannot be said
  for (std::size_t i = 0; i < spans.size(); ++i) {
    const auto bytes = d.spans[i].span.bytes;
    check(!d.spans[i].label.empty(), error_code::invalid_argument, "tags of a document", "spans with a label",
          "one without");
    // Words are in order: those before the first end before the span, or inside of it begin before it.
    auto word = std::partition_point(d.words.begin(), d.words.end(), [&](byte_span w) {
      return w.end <= bytes.begin && w.begin < bytes.begin;
    });
    const auto first = word;
    bool whole = true;
    for (; word != d.words.end() && (word->begin < bytes.end || word->end <= bytes.end); ++word) {
      whole = whole && word->begin >= bytes.begin && word->end <= bytes.end;
    }
    if (whole) spans[i] = {first - d.words.begin(), word - d.words.begin(), d.spans[i].label};
  }
  std::vector<std::size_t> order(spans.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto length = [&](std::size_t i) { return spans[i].end - spans[i].begin; };
  sort_stably(order.begin(), order.end(),
              [&](std::size_t a, std::size_t b) { return length(a) > length(b); });
  std::vector<bool> taken(d.words.size(), false);
  std::vector<entity_span> kept;
  for (const std::size_t i : order) {
    const auto begin = taken.begin() + spans[i].begin;
    const auto end = taken.begin() + spans[i].end;
    if (begin == end || std::find(begin, end, true) != end) {
      view.left_out.push_back(i);
      continue;
    }
    std::fill(begin, end, true);
    kept.push_back(spans[i]);
  }
  std::sort(view.left_out.begin(), view.left_out.end());
  view.tags = encode_tags(kept, static_cast<index_t>(d.words.size()), scheme);
  return view;
}

/// The same, for documents of which tags can say everything.
/// @throws onoma::error (invalid_argument) as `view_tags`, (unsupported) naming the first span that they
/// cannot say.
[[nodiscard]] inline std::vector<std::string> tags_of(const document& d,
                                                      tag_scheme scheme = tag_scheme::iob2) {
  auto view = view_tags(d, scheme);
  if (!view.left_out.empty()) {
    const auto& e = d.spans[view.left_out.front()];
    fail(error_code::unsupported, "tags of a document", "spans of whole words that do not overlap",
         e.label + " at bytes " + std::to_string(e.span.bytes.begin) + " to " +
             std::to_string(e.span.bytes.end) + " (" + std::to_string(view.left_out.size()) + " of " +
             std::to_string(d.spans.size()) + " spans)");
  }
  return std::move(view.tags);
}

/// A sentence as a document: its words with a space between each two, and the entities that its tags stand
/// for, of any scheme, read as taggers' are (`decode_bio`), each with score 1. `tags_of` gives the tags back
/// if they were valid ones of its scheme.
/// @throws onoma::error (shape_mismatch) for another number of tags than words, (unsupported) for words with
/// `unknown_tag`, (parse) for words that are not UTF-8.
[[nodiscard]] inline document to_document(const sentence& s, std::string_view file = {}) {
  if (!s.tags.empty() && s.tags.size() != s.words.size()) {
    fail(error_code::shape_mismatch, "a sentence as a document", std::to_string(s.words.size()) + " tags",
         std::to_string(s.tags.size()));
  }
  if (std::find(s.tags.begin(), s.tags.end(), unknown_tag) != s.tags.end()) {
    fail(error_code::unsupported, "a sentence as a document", "a tag for each word", "words of unknown tag ('-')");
  }
  document d;
  d.origin.file = file;
  d.origin.line = s.line;
  d.continues = !s.begins_document;
  for (const auto& word : s.words) {
    if (!d.words.empty()) d.text += ' ';
    const auto begin = static_cast<index_t>(d.text.size());
    d.text += word;
    d.words.push_back({begin, static_cast<index_t>(d.text.size())});
  }
  for (auto& found : decode_bio(s.tags).entities) {
    entity e;
    e.label = std::move(found.type);
    e.score = 1.0;
    e.span.bytes = {d.words[static_cast<std::size_t>(found.begin)].begin,
                    d.words[static_cast<std::size_t>(found.end - 1)].end};
    d.spans.push_back(std::move(e));
  }
  complete_spans(d);
  return d;
}

/// The words of a document with tags of a scheme: the inverse of `to_document`.
/// @throws onoma::error (invalid_argument, unsupported) as `tags_of`.
[[nodiscard]] inline sentence to_sentence(const document& d, tag_scheme scheme = tag_scheme::iob2) {
  sentence s;
  s.tags = tags_of(d, scheme);
  s.words = words_of(d);
  s.begins_document = !d.continues;
  s.line = d.origin.line;
  return s;
}

/// The words of a text (in order, in bytes of it: those of `find_words`), cut where a span begins or ends
/// inside of one, so that tags can say the spans exactly. Empty words are left out.
[[nodiscard]] inline std::vector<byte_span> cut_words(std::span<const byte_span> words,
                                                      const std::vector<entity>& spans) {
  std::vector<index_t> borders;
  for (const auto& e : spans) {
    borders.push_back(e.span.bytes.begin);
    borders.push_back(e.span.bytes.end);
  }
  std::sort(borders.begin(), borders.end());
  std::vector<byte_span> cut;
  for (auto word : words) {
    for (auto border = std::upper_bound(borders.begin(), borders.end(), word.begin);
         border != borders.end() && *border < word.end; ++border) {
      if (*border > word.begin) cut.push_back({std::exchange(word.begin, *border), *border});
    }
    if (!word.empty()) cut.push_back(word);
  }
  return cut;
}

/// A document as a sentence of the given words, cut where its spans want it.
/// @throws onoma::error (unsupported) for spans that overlap or hold no word, as `tags_of`.
[[nodiscard]] inline sentence make_sentence(document d, std::span<const byte_span> words) {
  d.words = cut_words(words, d.spans);
  return to_sentence(d);
}

}  // namespace onoma::inline ONOMA_ABI
