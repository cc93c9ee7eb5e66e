/// Tokens that are recognised in raw text before anything is split, like "[MASK]".
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/unicode.hpp>
#include <onoma/text/utf8.hpp>
#include <onoma/text/vocabulary.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct added_token {
  std::string content;
  std::int32_t id = 0;
  bool special = true;
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space on its left
  bool rstrip = false;       ///< and on its right
  bool normalized = false;   ///< looked for between the others, after them
};

/// Finds added tokens from left to right, the longest at each place (tokenizers,
/// tokenizer/added_vocabulary.rs).
class added_tokens {
 public:
  explicit added_tokens(std::vector<added_token> list)
      : list_(std::move(list)), places_(static_cast<index>(list_.size())) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      const std::string& content = list_[i].content;
      if (content.empty()) continue;
      places_.insert(content, static_cast<std::int32_t>(i));
      lengths_.push_back(content.size());
      const auto first = static_cast<unsigned char>(content.front());
      if (!starts_[first]) only_start_ = lengths_.size() == 1 ? first : -1;
      starts_[first] = true;
    }
    std::sort(lengths_.begin(), lengths_.end(), std::greater<>());
    lengths_.erase(std::unique(lengths_.begin(), lengths_.end()), lengths_.end());
  }
  // The table views the contents.
  added_tokens(const added_tokens&) = delete;
  added_tokens& operator=(const added_tokens&) = delete;

  [[nodiscard]] const std::vector<added_token>& list() const noexcept { return list_; }
  [[nodiscard]] const added_token* find(std::string_view content) const {
    const auto place = places_.find(content);
    return place < 0 ? nullptr : &list_[static_cast<std::size_t>(place)];
  }

  /// Calls `plain(byte_span)` for stretches between the tokens, not empty ones, and
  /// `token(const added_token&, byte_span)` for each token with the white space that it takes.
  template <class Plain, class Token>
  void split(std::string_view text, const Plain& plain, const Token& token) const {
    index begin = 0;
    const auto size = static_cast<index>(text.size());
    for (index at = next_start(text, 0); at < size; at = next_start(text, at)) {
      const added_token* found = longest_at(text, at);
      if (found == nullptr) {
        ++at;
        continue;
      }
      byte_span match{at, at + static_cast<index>(found->content.size())};
      at = match.end;
      if (found->single_word && (is_word_before(text, match.begin) || is_word_after(text, at))) {
        continue;
      }
      if (found->lstrip) match.begin = strip_left(text, match.begin, begin);
      if (found->rstrip) match.end = strip_right(text, match.end);
      if (begin < match.begin) plain(byte_span{begin, match.begin});
      token(*found, match);
      begin = at = match.end;
    }
    if (begin < size) plain(byte_span{begin, size});
  }

 private:
  /// The first place from `at` on where a token may begin, or the end.
  [[nodiscard]] index next_start(std::string_view text, index at) const {
    auto i = static_cast<std::size_t>(at);
    if (lengths_.empty() || i >= text.size()) return static_cast<index>(text.size());
    if (only_start_ >= 0) {
      const void* found = std::memchr(text.data() + i, only_start_, text.size() - i);
      return found == nullptr ? static_cast<index>(text.size())
                              : static_cast<const char*>(found) - text.data();
    }
    while (i < text.size() && !starts_[static_cast<unsigned char>(text[i])]) ++i;
    return static_cast<index>(i);
  }
  [[nodiscard]] const added_token* longest_at(std::string_view text, index at) const {
    const auto rest = text.substr(static_cast<std::size_t>(at));
    for (const std::size_t length : lengths_) {
      if (length > rest.size()) continue;
      if (const auto* token = find(rest.substr(0, length))) return token;
    }
    return nullptr;
  }

  [[nodiscard]] static index strip_left(std::string_view text, index begin, index from) {
    while (begin > from) {
      const index before = previous(text, begin);
      if (!unicode::is_whitespace(decode_utf8(text, before).code_point)) break;
      begin = before;
    }
    return begin;
  }
  [[nodiscard]] static index strip_right(std::string_view text, index end) {
    while (end < static_cast<index>(text.size())) {
      const auto c = decode_utf8(text, end);
      if (!unicode::is_whitespace(c.code_point)) break;
      end += c.length;
    }
    return end;
  }
  [[nodiscard]] static index previous(std::string_view text, index at) {
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text[static_cast<std::size_t>(at)]) & 0xC0U) == 0x80U);
    return at;
  }
  [[nodiscard]] static bool is_word_before(std::string_view text, index at) {
    return at > 0 && unicode::is_word(decode_utf8(text, previous(text, at)).code_point);
  }
  [[nodiscard]] static bool is_word_after(std::string_view text, index at) {
    return at < static_cast<index>(text.size()) &&
           unicode::is_word(decode_utf8(text, at).code_point);
  }

  std::vector<added_token> list_;
  piece_table places_;                // content -> position in list_
  std::vector<std::size_t> lengths_;  // of the contents, each once, longest first
  std::array<bool, 256> starts_{};    // the bytes that contents begin with
  int only_start_ = -1;               // the byte that all begin with
};

}  // namespace onoma::inline ONOMA_ABI
