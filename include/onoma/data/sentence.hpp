/// A sentence as training data: words and their tags.
#pragma once

#include <onoma/core/types.hpp>

#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// `tags` has one tag per word, or is empty where the text is not annotated.
struct sentence {
  std::vector<std::string> words;
  std::vector<std::string> tags;
  bool begins_document = false;  ///< first one after a -DOCSTART- line (or of a file without any)
};

/// The tags of every sentence, for metrics.
[[nodiscard]] inline std::vector<std::vector<std::string>> tags_of(
    const std::vector<sentence>& sentences) {
  std::vector<std::vector<std::string>> tags;
  tags.reserve(sentences.size());
  for (const auto& s : sentences) tags.push_back(s.tags);
  return tags;
}

}  // namespace onoma::inline ONOMA_ABI
