/// A sentence as training data: words and their tags.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// `tags` has one tag per word, or is empty where the text is not annotated.
struct sentence {
  std::vector<std::string> words;  ///< in the order of the text
  std::vector<std::string> tags;  ///< one for each word, or none at all
  bool begins_document = false;  ///< first one after a -DOCSTART- line (or of a file without any)
  index_t line = 0;  ///< of the first word in its file, from 1 (word i: line + i); 0: from no file
  float weight = 1.0F;  ///< how much its labels are trusted in training: below 1 for weak or silver labels
};

/// The tags of every sentence, for metrics.
[[nodiscard]] inline std::vector<std::vector<std::string>> tags_of(const std::vector<sentence>& sentences) {
  std::vector<std::vector<std::string>> tags;
  tags.reserve(sentences.size());
  for (const auto& s : sentences) tags.push_back(s.tags);
  return tags;
}

/// Two readings of one text, such as true and predicted tags, have the same words in the same sentences.
/// The names, of their files, are for messages.
/// @throws onoma::error (format) that names the first place where they differ, with its line in both.
inline void check_same_words(const std::vector<sentence>& first, std::string_view first_name,
                             const std::vector<sentence>& second, std::string_view second_name) {
  const auto place = [](const std::vector<sentence>& all, std::string_view name, std::size_t s,
                        std::size_t word) {
    const bool there = s < all.size() && word < all[s].words.size();
    std::string text(name);
    if (s < all.size() && all[s].line > 0) {
      text += ":" + std::to_string(all[s].line + static_cast<index_t>(word));
    }
    text += ", sentence " + std::to_string(s + 1) + ": ";
    return text + (there ? "the word '" + all[s].words[word] + "'" : s < all.size() ? "its end" : "none");
  };
  const auto fail_at = [&](std::size_t s, std::size_t word) {
    fail(error_code::format, "comparing the words of two files", place(first, first_name, s, word),
         place(second, second_name, s, word));
  };
  for (std::size_t s = 0; s < std::max(first.size(), second.size()); ++s) {
    if (s >= first.size() || s >= second.size()) fail_at(s, 0);
    const auto& a = first[s].words;
    const auto& b = second[s].words;
    for (std::size_t i = 0; i < std::max(a.size(), b.size()); ++i) {
      if (i >= a.size() || i >= b.size() || a[i] != b[i]) fail_at(s, i);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI
