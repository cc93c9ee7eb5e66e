/// The tokens of a text on their way into windows.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/pieces/byte_level.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Tokens that a tokenizer found, and what their offsets count in.
struct found_tokens {
  /// One of them.
  struct token {
    std::int32_t id;    ///< of its piece
    std::int32_t word;  ///< of a word without any text, whose tokens belong to none: -2 - its number
    byte_span offset;   ///< as `encoding::offsets`, before spaces are trimmed

    /// That of the word.
    [[nodiscard]] std::int32_t number() const { return word < -1 ? -2 - word : word; }
  };

  std::vector<token> tokens;  ///< in the order of the text
  /// White space at the ends of added tokens, with their places in `tokens`.
  std::vector<std::pair<std::size_t, outer_spaces>> added_spaces;
  std::vector<std::size_t> spaced;     ///< places of tokens that begin with a space that words lack
  std::string_view text;               ///< what is encoded,
  std::span<const std::string> words;  ///< or the words,
  std::span<const byte_span> places;   ///< or where they are in `text`

  /// Nothing is found; the memory stays.
  void clear() {
    tokens.clear();
    added_spaces.clear();
    spaced.clear();
    text = {};
    words = {};
    places = {};
  }
  /// What the offset of a token counts in.
  [[nodiscard]] std::string_view text_of(const token& t) const {
    const auto word = static_cast<std::size_t>(t.number());
    if (!words.empty()) return words[word];
    if (places.empty()) return text;
    return text.substr(static_cast<std::size_t>(places[word].begin), static_cast<std::size_t>(places[word].size()));
  }
  /// The first `count` tokens go.
  void forget(std::size_t count) {
    tokens.erase(tokens.begin(), tokens.begin() + static_cast<std::ptrdiff_t>(count));
    std::erase_if(added_spaces, [count](const auto& entry) { return entry.first < count; });
    for (auto& entry : added_spaces) entry.first -= count;
    std::erase_if(spaced, [count](std::size_t place) { return place < count; });
    for (auto& place : spaced) place -= count;
  }
  /// What `drop_blank_words` does, for the words of the tokens from `first` on, which are whole.
  void mark_blank_words(std::size_t first) {
    for (std::size_t end = first; first < tokens.size(); first = end) {
      bool blank = true;
      for (; end < tokens.size() && tokens[end].word == tokens[first].word; ++end) {
        blank = blank && trim_white_space(text_of(tokens[end]), tokens[end].offset).empty();
      }
      if (!blank) continue;
      const std::int32_t mark = -2 - tokens[first].word;
      for (std::size_t i = first; i < end; ++i) tokens[i].word = mark;
    }
  }
};

/// Who takes windows as soon as their tokens are there.
struct window_sink {
  encode_options options;              ///< of the windows
  bool drop_blank;                     ///< whether tokens of words without any text belong to no word
  function_ref<void(encoding&)> take;  ///< gets each window
  encoding window{};                   ///< the one at hand
  std::size_t whole = 0;               ///< tokens at the front that are marked already
};

}  // namespace onoma::inline ONOMA_ABI
