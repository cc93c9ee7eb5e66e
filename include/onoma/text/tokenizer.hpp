/// BERT's tokenizer: text or words in, ids with offsets and word ids out, equal to Hugging Face's.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/normalize.hpp>
#include <onoma/text/utf8.hpp>
#include <onoma/text/wordpiece.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A token that is recognised in raw text before anything is split, like "[MASK]".
struct added_token {
  std::string content;
  std::int32_t id = 0;
  bool special = true;
  bool single_word = false;  ///< only where no word character stands beside it
  bool lstrip = false;       ///< takes the white space on its left
  bool rstrip = false;       ///< and on its right
};

/// Immutable after construction: one tokenizer serves many threads.
class tokenizer {
 public:
  struct settings {
    bert_options normalizer;
    wordpiece::options model;
    std::string cls = "[CLS]";
    std::string sep = "[SEP]";
    std::vector<added_token> added;
  };

  /// @throws onoma::error (missing) if the vocabulary lacks [UNK], [CLS] or [SEP].
  tokenizer(vocabulary pieces, settings options)
      : settings_(std::move(options)), model_(std::move(pieces), settings_.model) {
    cls_ = special_id(settings_.cls);
    sep_ = special_id(settings_.sep);
  }

  /// From the content of a vocab.txt. The five special tokens of BERT are recognised in text where
  /// the vocabulary has them. @throws onoma::error (format, parse, missing).
  [[nodiscard]] static tokenizer from_vocab(std::string_view vocab_txt,
                                            const bert_options& options = {}) {
    vocabulary pieces(read_vocab_txt(vocab_txt));
    settings s;
    s.normalizer = options;
    for (const char* content : {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"}) {
      if (const auto id = pieces.id(content)) s.added.push_back({content, *id});
    }
    return tokenizer(std::move(pieces), std::move(s));
  }

  /// Encodes text; offsets are bytes of `text`, word ids count the words of BERT's pre-tokenizer.
  /// At least one window is returned; empty text gives the special tokens alone.
  /// @throws onoma::error (parse: not UTF-8; invalid_argument: a limit that leaves no room).
  [[nodiscard]] std::vector<encoding> encode(std::string_view text,
                                             const encode_options& options = {}) const {
    validate_utf8(text, "tokenizer::encode");
    workspace work(settings_.normalizer);
    add_text(text, -1, work);
    return windows(work.tokens, options);
  }

  /// Encodes words that are split already (`is_split_into_words`): offsets are bytes of the word,
  /// word ids are positions in `words`. A word may give no token (white space only).
  /// @throws onoma::error as `encode`.
  [[nodiscard]] std::vector<encoding> encode_words(std::span<const std::string> words,
                                                   const encode_options& options = {}) const {
    workspace work(settings_.normalizer);
    for (std::size_t i = 0; i < words.size(); ++i) {
      validate_utf8(words[i], "tokenizer::encode_words: word " + std::to_string(i));
      work.words = 0;
      add_text(words[i], static_cast<std::int32_t>(i), work);
    }
    return windows(work.tokens, options);
  }

  [[nodiscard]] index vocabulary_size() const {
    index size = model_.pieces().size();
    for (const auto& token : settings_.added) size = std::max<index>(size, token.id + 1);
    return size;
  }
  /// The text of a piece, "##" included. @throws onoma::error (out_of_range).
  [[nodiscard]] std::string_view piece(std::int32_t id) const {
    for (const auto& token : settings_.added) {
      if (token.id == id) return token.content;
    }
    return model_.pieces().piece(id);
  }
  [[nodiscard]] std::optional<std::int32_t> id(std::string_view piece) const {
    for (const auto& token : settings_.added) {
      if (token.content == piece) return token.id;
    }
    return model_.pieces().id(piece);
  }
  [[nodiscard]] std::int32_t unknown_id() const noexcept { return model_.unknown(); }
  [[nodiscard]] const std::string& continuing_prefix() const noexcept {
    return model_.settings().continuing_prefix;
  }
  /// Special tokens around every window.
  [[nodiscard]] static constexpr index special_tokens() { return 2; }

 private:
  /// Tokens before special ones are added.
  struct flat {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> word_ids;
    std::vector<byte_span> offsets;
  };
  /// Buffers of one call.
  struct workspace {
    explicit workspace(const bert_options& options) : normalizer(options) {}
    bert_normalizer normalizer;
    normalized_text text;
    std::string bytes;
    std::vector<std::size_t> ends;
    std::vector<wordpiece::piece> pieces;
    flat tokens;
    std::int32_t words = 0;
  };

  [[nodiscard]] std::int32_t special_id(const std::string& piece) const {
    const auto found = id(piece);
    if (!found) {
      fail(error_code::missing, "tokenizer", "the piece '" + piece + "' in the vocabulary",
           "no such piece");
    }
    return *found;
  }

  /// `word` is the number of a pre-split word, or -1 to count the words that are found.
  void add_text(std::string_view text, std::int32_t word, workspace& work) const {
    index plain = 0;
    index at = 0;
    const auto size = static_cast<index>(text.size());
    while (at < size) {
      byte_span match{};
      const added_token* token = match_added(text, at, plain, match);
      if (token == nullptr) {
        ++at;
        continue;
      }
      add_plain(text, {plain, match.begin}, word, work);
      push(work.tokens, token->id, word >= 0 ? word : work.words, match);
      ++work.words;
      plain = at = match.end;
    }
    add_plain(text, {plain, size}, word, work);
  }

  /// The longest added token that begins at `at`; `match` is widened over stripped white space, to
  /// the left not beyond `from`.
  [[nodiscard]] const added_token* match_added(std::string_view text, index at, index from,
                                               byte_span& match) const {
    const added_token* best = nullptr;
    const auto rest = text.substr(static_cast<std::size_t>(at));
    for (const auto& token : settings_.added) {
      if (token.content.empty() || rest.substr(0, token.content.size()) != token.content) continue;
      if (best != nullptr && best->content.size() >= token.content.size()) continue;
      const index end = at + static_cast<index>(token.content.size());
      if (token.single_word && (is_word_before(text, at) || is_word_after(text, end))) continue;
      best = &token;
    }
    if (best == nullptr) return nullptr;
    match = {at, at + static_cast<index>(best->content.size())};
    if (best->lstrip) {
      while (match.begin > from) {
        const index before = previous(text, match.begin);
        if (!unicode::is_whitespace(decode_utf8(text, before).code_point)) break;
        match.begin = before;
      }
    }
    if (best->rstrip) {
      while (match.end < static_cast<index>(text.size())) {
        const auto c = decode_utf8(text, match.end);
        if (!unicode::is_whitespace(c.code_point)) break;
        match.end += c.length;
      }
    }
    return best;
  }
  [[nodiscard]] static index previous(std::string_view text, index at) {
    do {
      --at;
    } while (at > 0 && (static_cast<unsigned char>(text[static_cast<std::size_t>(at)]) & 0xC0U) == 0x80U);
    return at;
  }
  [[nodiscard]] static bool is_word(std::uint32_t c) {
    if (c == '_') return true;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    return category >= UTF8PROC_CATEGORY_LU && category <= UTF8PROC_CATEGORY_NO;
  }
  [[nodiscard]] static bool is_word_before(std::string_view text, index at) {
    return at > 0 && is_word(decode_utf8(text, previous(text, at)).code_point);
  }
  [[nodiscard]] static bool is_word_after(std::string_view text, index at) {
    return at < static_cast<index>(text.size()) && is_word(decode_utf8(text, at).code_point);
  }

  /// Normalises, splits at white space and around punctuation, and cuts the words into pieces.
  void add_plain(std::string_view text, byte_span range, std::int32_t word, workspace& work) const {
    if (range.empty()) return;
    auto& normal = work.text;
    normal.clear();
    work.normalizer.append(text.substr(static_cast<std::size_t>(range.begin),
                                       static_cast<std::size_t>(range.size())),
                           range.begin, normal);
    const index size = normal.size();
    index begin = 0;
    while (begin < size) {
      const auto at = [&](index i) { return normal.code_points[static_cast<std::size_t>(i)]; };
      if (unicode::is_whitespace(at(begin))) {
        ++begin;
        continue;
      }
      index end = begin + 1;
      if (!unicode::is_punctuation(at(begin))) {
        while (end < size && !unicode::is_whitespace(at(end)) && !unicode::is_punctuation(at(end))) {
          ++end;
        }
      }
      work.pieces.clear();
      model_.split(normal, begin, end, work.bytes, work.ends, work.pieces);
      for (const auto& piece : work.pieces) {
        const byte_span first = normal.origin[static_cast<std::size_t>(piece.begin)];
        const byte_span last = normal.origin[static_cast<std::size_t>(piece.end - 1)];
        push(work.tokens, piece.id, word >= 0 ? word : work.words, {first.begin, last.end});
      }
      ++work.words;
      begin = end;
    }
  }

  static void push(flat& tokens, std::int32_t id, std::int32_t word, byte_span offset) {
    tokens.ids.push_back(id);
    tokens.word_ids.push_back(word);
    tokens.offsets.push_back(offset);
  }

  /// Windows as Hugging Face's `truncate` with overflow makes them: each begins max - stride tokens
  /// after the one before, the last ends with the text (tokenizers, tokenizer/encoding.rs).
  [[nodiscard]] std::vector<encoding> windows(const flat& tokens,
                                              const encode_options& options) const {
    const index special = options.add_special_tokens ? special_tokens() : 0;
    const auto total = static_cast<index>(tokens.ids.size());
    index room = total;
    if (options.max_length > 0) {
      room = options.max_length - special;
      if (room < 1 || options.stride < 0 || options.stride >= room) {
        fail(error_code::invalid_argument, "tokenizer: window",
             "max_length > stride + " + std::to_string(special) + " special tokens",
             "max_length " + std::to_string(options.max_length) + ", stride " +
                 std::to_string(options.stride));
      }
    }
    std::vector<encoding> result;
    index begin = 0;
    do {
      const index end = std::min(begin + room, total);
      result.push_back(window(tokens, begin, end, options.add_special_tokens));
      if (end == total) break;
      begin += room - options.stride;
    } while (true);
    return result;
  }

  [[nodiscard]] encoding window(const flat& tokens, index begin, index end, bool special) const {
    encoding e;
    if (special) push_special(e, cls_);
    e.ids.insert(e.ids.end(), tokens.ids.begin() + begin, tokens.ids.begin() + end);
    e.word_ids.insert(e.word_ids.end(), tokens.word_ids.begin() + begin,
                      tokens.word_ids.begin() + end);
    e.offsets.insert(e.offsets.end(), tokens.offsets.begin() + begin, tokens.offsets.begin() + end);
    e.special.resize(e.ids.size(), 0);
    if (special) push_special(e, sep_);
    e.type_ids.assign(e.ids.size(), 0);
    return e;
  }
  static void push_special(encoding& e, std::int32_t id) {
    e.ids.push_back(id);
    e.word_ids.push_back(-1);
    e.offsets.push_back({0, 0});
    e.special.push_back(1);
  }

  settings settings_;
  wordpiece model_;
  std::int32_t cls_ = 0;
  std::int32_t sep_ = 0;
};

}  // namespace onoma::inline ONOMA_ABI
