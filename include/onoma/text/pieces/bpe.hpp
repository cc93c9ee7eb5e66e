/// Byte-level BPE: the bytes of a word are merged pair by pair, the pair that was learned first first.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/bpe_merges.hpp>
#include <onoma/text/pieces/byte_level.hpp>
#include <onoma/text/pieces/vocabulary.hpp>

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Sennrich et al., "Neural machine translation of rare words with subword
/// units", ACL 2016; Hugging Face tokenizers, models/bpe.
class bpe {
 public:
  /// Of the model in tokenizer.json.
  struct options {
    merge_list merges;           ///< in the order of learning
    std::string unknown;         ///< piece of bytes that have none; empty: such bytes are dropped
    bool fuse_unknown = false;   ///< neighbouring unknown bytes are one piece
    bool ignore_merges = false;  ///< a word of the vocabulary is a piece, whatever the merges say
  };

  /// @throws onoma::error (missing) if the vocabulary lacks a part or the result of a merge, or the
  /// unknown piece.
  bpe(const vocabulary& pieces, const options& settings)
      : fuse_unknown_(settings.fuse_unknown),
        merges_(pieces, settings.merges),
        whole_(pieces.size()) {
    if (!settings.unknown.empty()) {
      unknown_ = pieces.require(settings.unknown, "BPE vocabulary", "the unknown piece");
    }
    read_pieces(pieces, settings.ignore_merges);
  }
  // `whole_` views `bytes_`, whose memory a move hands on.
  bpe(const bpe&) = delete;
  bpe& operator=(const bpe&) = delete;
  /// Takes the tables over.
  bpe(bpe&&) noexcept = default;
  /// Takes the tables over.
  bpe& operator=(bpe&&) noexcept = default;
  ~bpe() = default;

  /// -1 if there is none.
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }
  /// The id of a word that is one piece, or -1: then `split` knows more. The key is whole.
  [[nodiscard]] std::int32_t whole(const piece_key& word) const { return whole_.find(word); }

  /// Appends the pieces of a word that is not empty; bytes that have no piece give none.
  void split(const word_view& word, std::vector<placed_piece>& out) const {
    if (const auto id = whole_.find_padded(word.data, word.size); id >= 0) {
      out.push_back({id, 0, word.size});
      return;
    }
    merge_bytes(word.text(), out);
  }

 private:
  void read_pieces(const vocabulary& pieces, bool ignore_merges) {
    single_.fill(-1);
    const byte_alphabet alphabet;
    std::vector<std::pair<std::size_t, std::int32_t>> places;  // in bytes_, and the id
    for (std::int32_t id = 0; id < pieces.size(); ++id) {
      const auto bytes = alphabet.decode(pieces.piece(id));
      if (!bytes || bytes->empty() || pieces.id(pieces.piece(id)) != id) continue;
      if (bytes->size() == 1) single_[static_cast<unsigned char>(bytes->front())] = id;
      places.emplace_back(bytes_.size(), id);
      bytes_.insert(bytes_.end(), bytes->begin(), bytes->end());
    }
    std::vector<placed_piece> found;
    for (std::size_t i = 0; i < places.size(); ++i) {
      const auto [begin, id] = places[i];
      const std::size_t end = i + 1 < places.size() ? places[i + 1].first : bytes_.size();
      const std::string_view bytes(bytes_.data() + begin, end - begin);
      if (!ignore_merges) {
        // A piece that merges do not lead to is not what a word like it becomes.
        found.clear();
        merge_bytes(bytes, found);
        if (found.size() != 1 || found.front().id != id || found.front().end != bytes.size()) {
          continue;
        }
      }
      whole_.insert(bytes, id);
    }
  }

  void merge_bytes(std::string_view word, std::vector<placed_piece>& out) const {
    const std::size_t first = out.size();
    for (std::uint32_t i = 0; i < word.size(); ++i) {
      const std::int32_t id = single_[static_cast<unsigned char>(word[i])];
      if (id >= 0) {
        out.push_back({id, i, i + 1});
      } else if (unknown_ >= 0) {
        const bool fuse = fuse_unknown_ && out.size() > first && out.back().id == unknown_ &&
                          out.back().end == i;
        if (fuse) {
          out.back().end = i + 1;
        } else {
          out.push_back({unknown_, i, i + 1});
        }
      }
    }
    merges_.apply(out, first);
  }

  std::array<std::int32_t, 256> single_{};
  std::int32_t unknown_ = -1;
  bool fuse_unknown_;
  bpe_merges merges_;
  std::vector<char> bytes_;
  piece_table whole_;
};

}  // namespace onoma::inline ONOMA_ABI
