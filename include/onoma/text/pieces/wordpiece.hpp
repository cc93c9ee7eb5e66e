/// WordPiece: a word becomes its longest known prefix, then the longest known continuation, and so on.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Schuster and Nakajima, "Japanese and Korean voice search", ICASSP 2012;
/// Hugging Face tokenizers, models/wordpiece/mod.rs.
class wordpiece {
 public:
  /// Of the model in tokenizer.json.
  struct options {
    std::string unknown = "[UNK]";         ///< the piece of words that have none
    std::string continuing_prefix = "##";  ///< before pieces that do not begin a word
    index_t max_characters = 100;            ///< longer words are unknown as a whole
  };

  /// `pieces` must outlive this. @throws onoma::error (missing) if it lacks the unknown piece.
  wordpiece(const vocabulary& pieces, options settings)
      : options_(std::move(settings)),
        whole_(&pieces.whole()),
        continuing_(pieces.continuing(options_.continuing_prefix)),
        unknown_(pieces.require(options_.unknown, "wordpiece vocabulary", "the piece")) {}

  /// As it was made.
  [[nodiscard]] const options& settings() const noexcept { return options_; }
  /// The id of the piece for unknown words.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }

  /// The id of a word that is one piece, or -1: then `split` knows more. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const {
    return static_cast<index_t>(word.size) <= options_.max_characters ? whole_->find(word) : -1;
  }

  /// Appends the pieces of a word that is not empty.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    const std::uint32_t size = word.size;
    const auto continues = [&](std::uint32_t at) {  // inside of a code point
      return at < size && is_continuation(word.data[at]);
    };
    if (static_cast<index_t>(size) > options_.max_characters) {
      index_t characters = 0;
      for (std::uint32_t i = 0; i < size; ++i) characters += continues(i) ? 0 : 1;
      if (characters > options_.max_characters) {
        out.push_back({unknown_, 0, size});
        return;
      }
    }
    const std::size_t first_piece = out.size();
    for (std::uint32_t from = 0; from < size;) {
      const piece_table& table = from == 0 ? *whole_ : continuing_;
      auto to = static_cast<std::uint32_t>(std::min<std::size_t>(size, from + table.longest()));
      std::int32_t id = -1;
      for (; to > from; --to) {
        if (continues(to)) continue;
        id = table.find_padded(word.data + from, to - from);
        if (id >= 0) break;
      }
      if (id < 0) {
        out.resize(first_piece);
        out.push_back({unknown_, 0, size});
        return;
      }
      out.push_back({id, from, to});
      from = to;
    }
  }

 private:
  options options_;
  const piece_table* whole_;
  piece_table continuing_;
  std::int32_t unknown_;
};

}  // namespace onoma::inline ONOMA_ABI
