/// How well a tokenizer's vocabulary covers a corpus.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>

namespace onoma::inline ONOMA_ABI {

/// How many pieces words have.
struct piece_counts {
  index_t pieces = 0;   ///< of all words
  index_t unknown = 0;  ///< of these: what the vocabulary does not have

  /// 0 to 1; 0 where there are no pieces.
  [[nodiscard]] double unknown_rate() const noexcept {
    return pieces > 0 ? static_cast<double>(unknown) / static_cast<double>(pieces) : 0.0;
  }
};

/// Counts the pieces of the words of data, for example of `std::vector<sentence>` (anything whose elements
/// have `words`), without the special tokens around them. A high rate of unknown pieces says that the model
/// was made for another script or language.
/// @throws onoma::error (parse) for a word that is not UTF-8.
template <class Sentences>
[[nodiscard]] piece_counts count_pieces(const tokenizer& tokens, const Sentences& sentences) {
  piece_counts counts;
  tokenizer::workspace work(tokens);
  encode_options options;
  options.add_special_tokens = false;
  for (const auto& sentence : sentences) {
    for (const auto& window : tokens.encode_words(sentence.words, options, work)) {
      counts.pieces += window.size();
      counts.unknown += std::count(window.ids.begin(), window.ids.end(), tokens.unknown_id());
    }
  }
  return counts;
}

}  // namespace onoma::inline ONOMA_ABI
