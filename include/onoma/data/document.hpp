/// The one currency of data: a text, what is labelled in it, and where both came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/entity.hpp>

#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Where a document stood before it was read; what is not known is empty or 0.
struct document_origin {
  std::string file;
  index line = 0;  ///< of its beginning, from 1
  std::string id;  ///< the name that its file gives it
};

/// A text with labelled spans. Readers, writers, taggers and scores speak of documents; tags of words are
/// a view of one. A document may be as short as one sentence.
struct document {
  std::string text;                ///< UTF-8
  std::vector<entity> spans{};     ///< in any order; they may overlap, nest and be there twice
  std::vector<byte_span> words{};  ///< of the text, in order, side by side at most; none: not split yet
  document_origin origin{};
  std::string meta{};              ///< what else its file says of it: a JSON object, or nothing
  bool continues = false;          ///< goes on where the document before it ends: a later sentence of one text
};

}  // namespace onoma::inline ONOMA_ABI
