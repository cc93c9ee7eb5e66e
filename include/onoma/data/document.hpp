/// The one currency of data: a text, what is labelled in it, and where both came from.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/entity.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Where a document stood before it was read; what is not known is empty or 0.
struct document_origin {
  std::string file;  ///< where it comes from; may be empty
  index_t line = 0;    ///< of its beginning, from 1
  std::string id;    ///< the name that its file gives it
};

/// A text with labelled spans. Readers, writers, taggers and scores speak of documents; tags of words are
/// a view of one (data/tag_view.hpp). A document may be as short as one sentence.
struct document {
  std::string text;                ///< UTF-8
  std::vector<entity> spans{};     ///< in any order; they may overlap, nest and be there twice
  std::vector<byte_span> words{};  ///< of the text, in order, side by side at most; none: not split yet
  document_origin origin{};  ///< where it comes from
  std::string meta{};      ///< what else its file says of it: a JSON object, or nothing
  bool continues = false;  ///< goes on where the document before it ends: a later sentence of one text
};

/// The words of a document, each by itself. @throws onoma::error (invalid_argument) for a text that is not split.
[[nodiscard]] inline std::vector<std::string> words_of(const document& d) {
  check(!d.words.empty() || d.text.empty(), error_code::invalid_argument, "words of a document",
        "one that is split into words", "none");
  std::vector<std::string> words;
  words.reserve(d.words.size());
  for (const auto word : d.words) {
    words.push_back(d.text.substr(static_cast<std::size_t>(word.begin), static_cast<std::size_t>(word.size())));
  }
  return words;
}

/// Checks a document whose spans are known in bytes, and fills in what follows from these: surfaces, places
/// in code points and UTF-16 units, and in a document with words the first and last word that a span
/// touches (`last` is before `first` where it touches none).
/// @throws onoma::error (parse) for a text that is not UTF-8, (out_of_range) for spans or words that are not
/// of the text, begin or end inside of a character, or words that overlap or are out of order.
inline void complete_spans(document& d) {
  const offset_map places(d.text);
  const auto size = static_cast<index_t>(d.text.size());
  const auto is_place = [&](index_t byte) {
    return byte >= 0 && byte <= size &&
           (byte == size || !is_continuation(d.text[static_cast<std::size_t>(byte)]));
  };
  const auto check_range = [&](const char* what, byte_span bytes, index_t low) {
    if (bytes.begin >= low && bytes.begin <= bytes.end && is_place(bytes.begin) && is_place(bytes.end))
      return;
    fail(error_code::out_of_range, std::string("a document of ") + std::to_string(size) + " bytes",
         std::string(what) + " that begin and end with its characters, from byte " + std::to_string(low) +
             " on",
         std::to_string(bytes.begin) + " to " + std::to_string(bytes.end));
  };
  index_t behind = 0;
  for (const auto word : d.words) {
    check_range("words", word, behind);
    behind = word.end;
  }
  for (auto& e : d.spans) {
    const auto bytes = e.span.bytes;
    check_range("spans", bytes, 0);
    e.text = d.text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
    e.span = places.span(bytes);
    if (d.words.empty()) continue;
    const auto first = std::partition_point(d.words.begin(), d.words.end(),
                                            [&](byte_span word) { return word.end <= bytes.begin; });
    const auto last =
        std::partition_point(first, d.words.end(), [&](byte_span word) { return word.begin < bytes.end; });
    e.first = first - d.words.begin();
    e.last = last - d.words.begin() - 1;
  }
}

}  // namespace onoma::inline ONOMA_ABI
