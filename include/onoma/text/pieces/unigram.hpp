/// Unigram language model: a word becomes the pieces whose scores have the greatest sum.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/piece_trie.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Kudo, "Subword regularization", ACL 2018; Hugging Face tokenizers,
/// models/unigram/model.rs. Sums are in double and in the order of the text, so that equal sums are
/// equal there too: the longer piece that begins first wins.
class unigram {
 public:
  /// Of the model in tokenizer.json.
  struct options {
    std::vector<double> scores;           ///< of each piece, as logarithms of probabilities
    std::optional<std::int32_t> unknown;  ///< id of the piece for characters that have none
    bool byte_fallback = false;           ///< pieces <0x00> to <0xFF> before the unknown one
  };

  /// `pieces` must outlive this. The scores of gaps (empty pieces) count for the unknown piece's,
  /// which is the least of all minus 10.
  /// @throws onoma::error (shape_mismatch) if there is not one score for each piece, (out_of_range) if
  /// the unknown piece is none, (format) if a score is not finite.
  unigram(const vocabulary& pieces, options settings)
      : pieces_(&pieces.whole()),
        scores_(std::move(settings.scores)),
        trie_(pieces),
        bytes_(pieces.whole(), settings.byte_fallback) {
    if (static_cast<index_t>(scores_.size()) != pieces.size()) {
      fail(error_code::shape_mismatch, "unigram",
           std::to_string(pieces.size()) + " scores, one for each piece",
           std::to_string(scores_.size()));
    }
    if (settings.unknown) {
      if (*settings.unknown < 0 || *settings.unknown >= pieces.size()) {
        fail(error_code::out_of_range, "unigram: the unknown piece",
             "an id below " + std::to_string(pieces.size()), std::to_string(*settings.unknown));
      }
      unknown_ = *settings.unknown;
    }
    for (std::size_t i = 0; i < scores_.size(); ++i) {
      if (!std::isfinite(scores_[i])) {
        fail(error_code::format, "unigram: score of piece " + std::to_string(i), "a finite number",
             std::to_string(scores_[i]));
      }
    }
    unknown_score_ = *std::min_element(scores_.begin(), scores_.end()) - 10.0;
    find_whole_words(pieces);
  }

  /// -1 if there is none.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }
  /// The id of a word that is one piece, or -1: then `split` knows more. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const {
    const auto id = pieces_->find(word);
    return id >= 0 && is_whole_[static_cast<std::size_t>(id)] ? id : -1;
  }

  /// Appends the pieces of a word that is not empty. Neighbouring unknown characters are one piece; as
  /// bytes, each piece stands for all of them. Time grows with the word times the longest piece; memory
  /// is that of `out`.
  /// @throws onoma::error (missing) if a character has no piece and there is no unknown one.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    const std::size_t first = out.size();
    if (!try_split(word, out)) {
      out.resize(first);
      fail(error_code::missing, "unigram", "an unknown piece (unk_id) for characters without a piece",
           "none");
    }
  }

 private:
  static constexpr std::int32_t none = -1;
  static constexpr std::size_t stack_window = 256;

  /// False if an unknown piece is needed and there is none.
  [[nodiscard]] bool try_split(const word_view& word, std::vector<placed_piece>& out) const {
    // Place `first + i` of `out` is the best piece that ends with byte i, until pieces take the places.
    const std::size_t first = out.size();
    out.resize(first + word.size + 1, {none, 0, 0});
    placed_piece* const best = out.data() + first;
    if (trie_.longest() < stack_window) {
      std::array<double, stack_window> sums;
      if (!find_best(word, best, sums.data(), stack_window - 1)) return false;
    } else {  // no trained model has such pieces
      std::vector<double> sums(2 * std::bit_ceil(trie_.longest()));
      if (!find_best(word, best, sums.data(), sums.size() - 1)) return false;
    }
    const auto kept = take_path(word, best);
    std::move(best + kept, best + word.size + 1, best);
    out.resize(first + word.size + 1 - kept);
    return true;
  }

  /// Forward: `best[e]` becomes the last piece of the best way to byte `e`, with the sum of its scores in
  /// `sums[e & mask]`, which is read no later than the longest piece behind.
  [[nodiscard]] bool find_best(const word_view& word, placed_piece* best, double* sums, std::size_t mask) const {
    sums[0] = 0.0;
    for (std::uint32_t begin = 0; begin < word.size;) {
      const double before = sums[begin & mask];
      const auto offer = [&](std::uint32_t end, double score, std::int32_t id) {
        const double sum = score + before;
        if (best[end].id == none || sum > sums[end & mask]) {
          if (id == none) return false;
          sums[end & mask] = sum;
          best[end] = {id, begin, end};
        }
        return true;
      };
      const std::uint32_t next = begin + static_cast<std::uint32_t>(utf8_length(word.data[begin]));
      bool has_single = false;
      auto at = piece_trie::root;
      for (std::uint32_t end = begin; end < word.size;) {
        at = trie_.step(at, word.data[end++]);
        if (at == piece_trie::nowhere) break;
        if (const auto id = trie_.id(at); id >= 0) {
          static_cast<void>(offer(end, scores_[static_cast<std::size_t>(id)], id));
          has_single = has_single || end == next;
        }
      }
      if (!has_single && !offer(next, unknown_score_, unknown_)) return false;
      begin = next;
    }
    return true;
  }

  /// Backward: the pieces of the best way go to the end of the places, which they never outrun, since
  /// each has at least one byte. Returns where they begin.
  std::size_t take_path(const word_view& word, placed_piece* best) const {
    std::size_t to = word.size + 1;
    for (std::uint32_t end = word.size; end > 0;) {
      placed_piece piece = best[end];
      if (piece.id == unknown_) {
        while (piece.begin > 0 && best[piece.begin].id == unknown_) {
          piece.begin = best[piece.begin].begin;
        }
      }
      end = piece.begin;
      if (piece.id != unknown_) {
        best[--to] = piece;
        continue;
      }
      const auto text = word.text().substr(piece.begin, piece.end - piece.begin);
      if (const auto id = pieces_->find(text); id >= 0) {
        piece.id = id;  // characters whose scores as unknown are better than that of their piece
        best[--to] = piece;
      } else if (bytes_.have(text)) {
        for (std::size_t i = text.size(); i-- > 0;) {
          best[--to] = {bytes_.id(text[i]), piece.begin, piece.end};
        }
      } else {
        best[--to] = piece;
      }
    }
    return to;
  }

  /// Not every piece is what its own text becomes: two shorter ones may have the greater sum.
  void find_whole_words(const vocabulary& pieces) {
    is_whole_.resize(scores_.size());
    std::vector<placed_piece> found;
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto text = pieces.piece(id);
      if (text.empty() || text.size() > piece_key::whole_bytes || pieces_->find(text) != id) continue;
      found.clear();
      const bool done = try_split({text.data(), static_cast<std::uint32_t>(text.size())}, found);
      is_whole_[static_cast<std::size_t>(id)] = done && found.size() == 1 && found.front().id == id;
    }
  }

  const piece_table* pieces_;
  std::vector<double> scores_;
  piece_trie trie_;
  std::vector<bool> is_whole_;  // by id
  byte_pieces bytes_;
  std::int32_t unknown_ = none;
  double unknown_score_ = 0.0;
};

}  // namespace onoma::inline ONOMA_ABI
