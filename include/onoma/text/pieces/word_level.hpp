/// WordLevel: a word is a piece of the vocabulary, or unknown.
#pragma once

#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Hugging Face tokenizers, models/wordlevel/mod.rs.
class word_level {
 public:
  /// Of the model in tokenizer.json.
  struct options {
    std::string unknown = "<unk>";  ///< the piece of words that have none
  };

  /// `pieces` must outlive this. @throws onoma::error (missing) if it lacks the unknown piece.
  word_level(const vocabulary& pieces, const options& settings)
      : pieces_(&pieces.whole()),
        unknown_(pieces.require(settings.unknown, "word-level vocabulary", "the piece")) {}

  /// The id of that piece.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }
  /// The id of a word that is a piece, or -1. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const { return pieces_->find(word); }

  /// Appends the one piece of a word that is not empty.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    const auto id = pieces_->find_padded(word.data, word.size);
    out.push_back({id >= 0 ? id : unknown_, 0, word.size});
  }

 private:
  const piece_table* pieces_;
  std::int32_t unknown_;
};

}  // namespace onoma::inline ONOMA_ABI
