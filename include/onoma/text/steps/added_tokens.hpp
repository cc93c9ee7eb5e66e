/// Tokens that are recognised in raw text before anything is split, like "[MASK]".
#pragma once

#include <onoma/core/function_ref.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A token that stays whole, whatever stands around it.
struct added_token {
  std::string content;       ///< its text
  std::int32_t id = 0;       ///< its number
  bool special = true;       ///< marks structure, and is no text
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space on its left
  bool rstrip = false;       ///< and on its right
  bool normalized = false;   ///< looked for between the others, after them
};

/// Where in a list of tokens each content stands first: files may have any number of them.
class token_places {
 public:
  /// Of a list; of an empty one if none is given.
  explicit token_places(const std::vector<added_token>& list = {}) {
    for (std::size_t i = 0; i < list.size(); ++i) add(list[i].content, i);
  }
  /// A content that is there already keeps its place.
  void add(const std::string& content, std::size_t place) { places_.try_emplace(content, place); }
  /// The token of a list with this content, or null.
  [[nodiscard]] added_token* find(std::vector<added_token>& list, const std::string& content) const {
    const auto found = places_.find(content);
    return found == places_.end() ? nullptr : &list[found->second];
  }

 private:
  std::unordered_map<std::string, std::size_t, keyed_hasher> places_;
};

/// Adds `more` to a list; those of the same content take the place of the ones there.
inline void merge_added(std::vector<added_token>& list, const std::vector<added_token>& more) {
  token_places places(list);
  for (const auto& token : more) {
    if (auto* same = places.find(list, token.content)) {
      *same = token;
    } else {
      places.add(token.content, list.size());
      list.push_back(token);
    }
  }
}

/// Finds added tokens from left to right, the longest at each place (tokenizers,
/// tokenizer/added_vocabulary.rs).
class added_tokens {
 public:
  /// `patterns[i]` is what is looked for to find `list[i]`: its content, or what normalizers make of
  /// it. An empty one is never found; of equal ones the last is.
  added_tokens(std::vector<added_token> list, const std::vector<std::string>& patterns)
      : list_(std::move(list)) {
    for (std::size_t i = 0; i < list_.size(); ++i) {
      if (patterns[i].empty()) continue;
      const auto first = static_cast<unsigned char>(patterns[i].front());
      if (!starts_[first]) only_start_ = ends_.size() == 1 ? first : -1;
      starts_[first] = true;
      std::int32_t at = 0;
      for (const char c : patterns[i]) {
        const auto next = static_cast<std::int32_t>(ends_.size());
        const auto [edge, is_new] = edges_.try_emplace(edge_key(at, c), next);
        if (is_new) ends_.push_back(-1);
        at = edge->second;
      }
      ends_[static_cast<std::size_t>(at)] = static_cast<std::int32_t>(i);
    }
  }

  /// All of them, in the order of the file.
  [[nodiscard]] const std::vector<added_token>& list() const noexcept { return list_; }
  /// The one with this text, or null.
  [[nodiscard]] const added_token* find(std::string_view content) const {
    const auto found = std::find_if(list_.begin(), list_.end(), [content](const added_token& token) {
      return token.content == content;
    });
    return found == list_.end() ? nullptr : &*found;
  }

  /// Calls `plain(byte_span)` for stretches between the tokens, not empty ones, and
  /// `token(const added_token&, byte_span)` for each token with the white space that it takes.
  void split(std::string_view text, function_ref<void(byte_span)> plain,
             function_ref<void(const added_token&, byte_span)> token) const {
    index_t begin = 0;
    const auto size = static_cast<index_t>(text.size());
    for (index_t at = next_start(text, 0); at < size; at = next_start(text, at)) {
      const auto [place, length] = longest_at(text, at);
      if (place < 0) {
        ++at;
        continue;
      }
      const added_token* found = &list_[static_cast<std::size_t>(place)];
      byte_span match{at, at + length};
      at = match.end;
      if (found->single_word && (is_word_before(text, match.begin) || is_word_after(text, at))) {
        continue;
      }
      if (found->lstrip) match.begin = std::max(begin, strip_left(text, match.begin, begin));
      if (found->rstrip) match.end = strip_right(text, match.end);
      if (match.begin >= match.end) continue;  // the one before took all of it
      if (begin < match.begin) plain(byte_span{begin, match.begin});
      token(*found, match);
      begin = match.end;  // the next may begin in the white space that this one took
    }
    if (begin < size) plain(byte_span{begin, size});
  }

 private:
  /// The first place from `at` on where a token may begin, or the end.
  [[nodiscard]] index_t next_start(std::string_view text, index_t at) const {
    auto i = static_cast<std::size_t>(at);
    if (edges_.empty() || i >= text.size()) return static_cast<index_t>(text.size());
    if (only_start_ >= 0) {
      const void* found = std::memchr(text.data() + i, only_start_, text.size() - i);
      return found == nullptr ? static_cast<index_t>(text.size())
                              : static_cast<const char*>(found) - text.data();
    }
    while (i < text.size() && !starts_[static_cast<unsigned char>(text[i])]) ++i;
    return static_cast<index_t>(i);
  }
  [[nodiscard]] static std::uint64_t edge_key(std::int32_t from, char byte) {
    return static_cast<std::uint64_t>(from) << 8 | static_cast<unsigned char>(byte);
  }
  /// Place in `list_`, or -1, and bytes.
  [[nodiscard]] std::pair<std::int32_t, index_t> longest_at(std::string_view text, index_t begin) const {
    std::pair<std::int32_t, index_t> longest{-1, 0};
    std::int32_t at = 0;
    for (auto i = static_cast<std::size_t>(begin); i < text.size(); ++i) {
      const auto edge = edges_.find(edge_key(at, text[i]));
      if (edge == edges_.end()) break;
      at = edge->second;
      const auto place = ends_[static_cast<std::size_t>(at)];
      if (place >= 0) longest = {place, static_cast<index_t>(i + 1) - begin};
    }
    return longest;
  }

  [[nodiscard]] static index_t strip_left(std::string_view text, index_t begin, index_t from) {
    while (begin > from) {
      const index_t before = previous_utf8(text, begin);
      if (!unicode::is_whitespace(decode_utf8(text, before).code_point)) break;
      begin = before;
    }
    return begin;
  }
  [[nodiscard]] static index_t strip_right(std::string_view text, index_t end) {
    while (end < static_cast<index_t>(text.size())) {
      const auto c = decode_utf8(text, end);
      if (!unicode::is_whitespace(c.code_point)) break;
      end += c.length;
    }
    return end;
  }
  [[nodiscard]] static bool is_word_before(std::string_view text, index_t at) {
    return at > 0 && unicode::is_word(decode_utf8(text, previous_utf8(text, at)).code_point);
  }
  [[nodiscard]] static bool is_word_after(std::string_view text, index_t at) {
    return at < static_cast<index_t>(text.size()) &&
           unicode::is_word(decode_utf8(text, at).code_point);
  }

  std::vector<added_token> list_;
  // The patterns as a tree: an edge leads from a node by a byte to a node.
  std::unordered_map<std::uint64_t, std::int32_t, keyed_hasher> edges_;
  std::vector<std::int32_t> ends_{-1};  // of each node, the place in list_ of the pattern that ends
  std::array<bool, 256> starts_{};      // the bytes that patterns begin with
  int only_start_ = -1;                 // the byte that all begin with
};

}  // namespace onoma::inline ONOMA_ABI
