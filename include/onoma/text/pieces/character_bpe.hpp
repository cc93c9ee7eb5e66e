/// BPE over characters: a word begins as its characters, and those without a piece as bytes or unknown.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/bpe_merges.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Hugging Face tokenizers, models/bpe/model.rs. `bpe` is the same for
/// byte-level vocabularies, and faster.
class character_bpe {
 public:
  /// Of the model in tokenizer.json.
  struct options {
    merge_list merges;              ///< in the order of learning
    std::string unknown;            ///< piece of characters that have none; empty: they are dropped
    bool fuse_unknown = false;      ///< neighbouring unknown characters are one piece
    bool byte_fallback = false;     ///< pieces <0x00> to <0xFF> before the unknown one
    bool ignore_merges = false;     ///< a word of the vocabulary is a piece, whatever the merges say
    std::string continuing_prefix;  ///< of pieces that do not begin a word
    std::string end_suffix;         ///< of pieces that end one
  };

  /// `pieces` must outlive this. @throws onoma::error (missing) as `bpe_merges`, or if the vocabulary
  /// lacks the unknown piece.
  character_bpe(const vocabulary& pieces, const options& settings)
      : pieces_(&pieces.whole()),
        merges_(pieces, settings.merges, settings.continuing_prefix.size()),
        bytes_(pieces.whole(), settings.byte_fallback),
        fuse_unknown_(settings.fuse_unknown),
        prefix_(settings.continuing_prefix),
        suffix_(settings.end_suffix),
        whole_(pieces.size()) {
    if (!settings.unknown.empty()) {
      unknown_ = pieces.require(settings.unknown, "BPE vocabulary", "the unknown piece");
    }
    find_whole_words(pieces, settings.ignore_merges);
  }

  /// -1 if there is none.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }
  /// The id of a word that is one piece, or -1: then `split` knows more. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const { return whole_.find(word); }

  /// Appends the pieces of a word that is not empty. As in Hugging Face, pieces lie side by side:
  /// behind characters that are dropped they lie too far left.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    if (const auto id = whole_.find_padded(word.data, word.size); id >= 0) {
      out.push_back({id, 0, word.size});
      return;
    }
    merge_characters(word.text(), out);
  }

 private:
  void find_whole_words(const vocabulary& pieces, bool ignore_merges) {
    std::vector<placed_piece> found;
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto text = pieces.piece(id);
      if (text.empty() || pieces_->find(text) != id) continue;
      auto word = text;
      if (!ignore_merges) {
        // A piece that merges do not lead to is not what a word like it becomes.
        if (text.size() <= suffix_.size() || !text.ends_with(suffix_)) continue;
        word.remove_suffix(suffix_.size());
        found.clear();
        merge_characters(word, found);
        if (found.size() != 1 || found.front().id != id || found.front().end != word.size()) continue;
      }
      whole_.insert(word, id);
    }
  }

  void merge_characters(std::string_view word, std::vector<placed_piece>& out) const {
    const std::size_t first = out.size();
    std::uint32_t at = 0;  // behind the last piece
    const auto push = [&](std::int32_t id, std::uint32_t bytes) {
      out.push_back({id, at, at + bytes});
      at += bytes;
    };
    std::uint32_t waiting = 0;  // bytes of unknown characters that are no piece yet
    std::string decorated;
    for (std::uint32_t i = 0; i < word.size();) {
      const auto length = static_cast<std::uint32_t>(decode_utf8(word, i).length);
      auto character = word.substr(i, length);
      const bool is_first = i == 0;
      i += length;
      const bool is_last = i == word.size();
      if ((!is_first && !prefix_.empty()) || (is_last && !suffix_.empty())) {
        decorated.clear();
        if (!is_first) decorated += prefix_;
        decorated += character;
        if (is_last) decorated += suffix_;
        character = decorated;
      }
      if (const auto id = pieces_->find(character); id >= 0) {
        if (waiting > 0) push(unknown_, waiting);
        waiting = 0;
        push(id, length);
        continue;
      }
      // Bytes come before unknown characters that wait, as there.
      if (bytes_.have(character)) {
        for (const char byte : character) push(bytes_.id(byte), 1);
        continue;
      }
      if (unknown_ < 0) continue;
      if (waiting > 0 && !fuse_unknown_) {
        push(unknown_, waiting);
        waiting = 0;
      }
      waiting += length;
    }
    if (waiting > 0) push(unknown_, waiting);
    merges_.apply(out, first);
  }

  const piece_table* pieces_;
  bpe_merges merges_;
  byte_pieces bytes_;
  std::int32_t unknown_ = -1;
  bool fuse_unknown_;
  std::string prefix_;
  std::string suffix_;
  piece_table whole_;
};

}  // namespace onoma::inline ONOMA_ABI
