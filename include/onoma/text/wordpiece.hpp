/// WordPiece: a word becomes its longest known prefix, then the longest known continuation, and so on.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/text/normalize.hpp>
#include <onoma/text/vocabulary.hpp>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Source of the behaviour: Schuster and Nakajima, "Japanese and Korean voice search", ICASSP 2012;
/// Hugging Face tokenizers, models/wordpiece/mod.rs.
class wordpiece {
 public:
  struct options {
    std::string unknown = "[UNK]";
    std::string continuing_prefix = "##";
    index max_characters = 100;  ///< longer words are unknown as a whole
  };
  /// Piece `id` covers code points [begin, end) of the word.
  struct piece {
    std::int32_t id;
    index begin;
    index end;
  };

  /// @throws onoma::error (missing) if the vocabulary lacks the unknown piece.
  wordpiece(vocabulary pieces, options settings)
      : options_(std::move(settings)), pieces_(std::move(pieces)) {
    const auto unknown = pieces_.id(options_.unknown);
    if (!unknown) {
      fail(error_code::missing, "wordpiece vocabulary", "the piece '" + options_.unknown + "'",
           "no such piece");
    }
    unknown_ = *unknown;
    continuing_ = pieces_.continuing(options_.continuing_prefix);
  }
  wordpiece(const wordpiece& other) : wordpiece(other.pieces_, other.options_) {}
  wordpiece(wordpiece&& other) noexcept
      : options_(std::move(other.options_)), pieces_(std::move(other.pieces_)),
        unknown_(other.unknown_) {
    continuing_ = pieces_.continuing(options_.continuing_prefix);
  }
  wordpiece& operator=(const wordpiece&) = delete;
  wordpiece& operator=(wordpiece&&) = delete;
  ~wordpiece() = default;

  [[nodiscard]] const vocabulary& pieces() const noexcept { return pieces_; }
  [[nodiscard]] const options& settings() const noexcept { return options_; }
  [[nodiscard]] std::int32_t unknown() const noexcept { return unknown_; }

  /// Appends the pieces of code points [begin, end) of `text`. `bytes` and `ends` are buffers.
  void split(const normalized_text& text, index begin, index end, std::string& bytes,
             std::vector<std::size_t>& ends, std::vector<piece>& out) const {
    if (end - begin > options_.max_characters) {
      out.push_back({unknown_, begin, end});
      return;
    }
    bytes.clear();
    ends.assign(1, 0);
    for (index i = begin; i < end; ++i) {
      append_utf8(bytes, text.code_points[static_cast<std::size_t>(i)]);
      ends.push_back(bytes.size());
    }
    const std::string_view word(bytes);
    const auto characters = static_cast<std::size_t>(end - begin);
    const std::size_t first_piece = out.size();
    for (std::size_t from = 0; from < characters;) {
      const piece_table& table = from == 0 ? pieces_.whole() : continuing_;
      std::size_t to = characters;
      while (to > from && ends[to] - ends[from] > table.longest()) --to;
      std::int32_t id = -1;
      for (; to > from; --to) {
        id = table.find(word.substr(ends[from], ends[to] - ends[from]));
        if (id >= 0) break;
      }
      if (id < 0) {
        out.resize(first_piece);
        out.push_back({unknown_, begin, end});
        return;
      }
      out.push_back({id, begin + static_cast<index>(from), begin + static_cast<index>(to)});
      from = to;
    }
  }

 private:
  options options_;
  vocabulary pieces_;
  piece_table continuing_;
  std::int32_t unknown_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
