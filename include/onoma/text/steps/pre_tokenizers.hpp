/// The pre-tokenizers of tokenizer.json: steps that cut a text into words, and sometimes rewrite it.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/byte_level.hpp>
#include <onoma/text/steps/pattern.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What becomes of the matches of a pattern that a text is cut at.
enum class cut_behavior : std::uint8_t {
  removed,
  isolated,              ///< each is a word
  merged_with_previous,  ///< each ends the word before it
  merged_with_next,      ///< each begins the word behind it
  contiguous,            ///< matches that follow one another are one word
};

/// Appends the words that are not empty. Source: tokenizers, tokenizer/normalizer.rs, split.
inline void cut_words(const text_stretches& found, cut_behavior behavior, bool invert, std::uint32_t base,
                std::vector<word_range>& words) {
  const auto push = [&](std::uint32_t begin, std::uint32_t end) {
    if (begin < end) words.push_back({base + begin, base + end});
  };
  word_range open{};  // a word that may still grow
  bool any = false;
  bool previous = false;
  const auto grow_or_begin = [&](bool grows, const text_stretch& s) {
    if (grows && any) {
      open.end = s.end;
      return;
    }
    push(open.begin, open.end);
    open = {s.begin, s.end};
    any = true;
  };
  switch (behavior) {
    case cut_behavior::removed:
    case cut_behavior::isolated:
      for (const auto& s : found) {
        if (behavior == cut_behavior::isolated || s.match == invert) push(s.begin, s.end);
      }
      return;
    case cut_behavior::contiguous:
      for (const auto& s : found) {
        const bool match = s.match != invert;
        grow_or_begin(match == previous, s);
        previous = match;
      }
      break;
    case cut_behavior::merged_with_previous:
      for (const auto& s : found) {
        const bool match = s.match != invert;
        grow_or_begin(match && !previous, s);
        previous = match;
      }
      break;
    case cut_behavior::merged_with_next: {
      // A match begins a word unless another match stands behind it.
      for (std::size_t i = 0; i < found.size(); ++i) {
        const bool match = found[i].match != invert;
        const bool behind_match = i > 0 && found[i - 1].match != invert;
        grow_or_begin(!match && behind_match, found[i]);
      }
      break;
    }
  }
  push(open.begin, open.end);
}

/// A text and the words that it has been cut into, in order.
struct cut_text {
  aligned_text text;              ///< what is cut
  std::vector<word_range> words;  ///< of the text, in order

  /// The text of a word.
  [[nodiscard]] std::string_view word(word_range range) const {
    return std::string_view(text.bytes).substr(range.begin, range.end - range.begin);
  }
};

namespace pre_tokenizers {

/// Memory of one thread.
struct buffers {
  match_buffers match;  ///< of patterns
  cut_text next;        ///< what a step that rewrites the text makes
};

/// WhitespaceSplit, Punctuation, Digits, CharDelimiterSplit: every character of a class matches.
struct cut_at_characters {
  /// Which characters it cuts at.
  enum class kind : std::uint8_t { whitespace, punctuation, numeric, one };
  kind what = kind::whitespace;                   ///< white space, punctuation, numbers, or one character
  std::uint32_t one = 0;                          ///< that character
  cut_behavior behavior = cut_behavior::removed;  ///< what becomes of them

  /// Whether a character is one of them.
  [[nodiscard]] bool matches(std::uint32_t c) const {
    switch (what) {
      case kind::whitespace: return unicode::is_whitespace(c);
      case kind::punctuation: return unicode::is_punctuation(c);
      case kind::numeric:
        return c < 0x80U ? c >= '0' && c <= '9' : unicode::contains(unicode::numeric_ranges, c);
      case kind::one: break;
    }
    return c == one;
  }
  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    for (const auto range : t.words) {
      const auto word = t.word(range);
      b.match.found.clear();
      std::uint32_t begin = 0;
      for (std::uint32_t i = 0; i < word.size();) {
        const auto c = decode_utf8(word, i);
        const auto end = i + static_cast<std::uint32_t>(c.length);
        if (matches(c.code_point)) {
          if (begin < i) b.match.found.push_back({begin, i, false});
          b.match.found.push_back({i, end, true});
          begin = end;
        }
        i = end;
      }
      if (begin < word.size()) {
        b.match.found.push_back({begin, static_cast<std::uint32_t>(word.size()), false});
      }
      cut_words(b.match.found, behavior, false, range.begin, b.next.words);
    }
    std::swap(t.words, b.next.words);
  }
};

/// Whitespace: words are `\w+` and `[^\w\s]+`.
struct word_characters {
  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    enum class_of : std::uint8_t { space, word, other };
    const auto classify = [](std::uint32_t c) {
      return unicode::is_word(c) ? word : unicode::is_whitespace(c) ? space : other;
    };
    for (const auto range : t.words) {
      word_range open{range.begin, range.begin};
      class_of before = space;
      for (std::uint32_t i = range.begin; i < range.end;) {
        const auto c = decode_utf8(t.text.bytes, i);
        const auto what = classify(c.code_point);
        if (what != before) {
          if (before != space) b.next.words.push_back({open.begin, i});
          open.begin = i;
          before = what;
        }
        i += static_cast<std::uint32_t>(c.length);
      }
      if (before != space) b.next.words.push_back({open.begin, range.end});
    }
    std::swap(t.words, b.next.words);
  }
};

/// Split.
struct cut_at_pattern {
  text_pattern pattern;                            ///< where to cut
  cut_behavior behavior = cut_behavior::isolated;  ///< what becomes of the matches
  bool invert = false;                             ///< what stands between them counts as the matches
  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    for (const auto range : t.words) {
      b.match.found.clear();
      pattern.find(t.word(range), b.match);
      cut_words(b.match.found, behavior, invert, range.begin, b.next.words);
    }
    std::swap(t.words, b.next.words);
  }
};

/// FixedLength: words of that many characters.
struct fixed_length {
  index_t characters = 5;  ///< of each word; the last may have fewer
  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    for (const auto range : t.words) {
      auto begin = range.begin;
      index_t count = 0;
      for (std::uint32_t i = range.begin; i < range.end;) {
        i += static_cast<std::uint32_t>(decode_utf8(t.text.bytes, i).length);
        if (++count == characters || i == range.end) {
          b.next.words.push_back({begin, i});
          begin = i;
          count = 0;
        }
      }
    }
    std::swap(t.words, b.next.words);
  }
};

/// Metaspace: ' ' becomes `replacement`, which may also be put in front and begins words.
struct metaspace {
  /// Which words get a space in front.
  enum class prepend_scheme : std::uint8_t { always, first, never };
  std::string replacement = "\xE2\x96\x81";        ///< one character
  prepend_scheme scheme = prepend_scheme::always;  ///< which words get one
  bool split = true;                               ///< a word ends before each space

  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    auto& out = b.next.text;
    for (const auto range : t.words) {
      const auto word = t.word(range);
      const bool meta = word.front() == ' ' || word.substr(0, replacement.size()) == replacement;
      const auto& origin = t.text.origin;
      auto begin = static_cast<std::uint32_t>(out.bytes.size());
      const bool first = scheme == prepend_scheme::first && origin[range.begin].begin == 0;
      if (!meta && (scheme == prepend_scheme::always || first)) {
        out.append(replacement, origin[range.begin]);
      }
      const auto end_word = [&] {
        const auto end = static_cast<std::uint32_t>(out.bytes.size());
        if (begin < end) b.next.words.push_back({begin, end});
        begin = end;
      };
      for (std::uint32_t i = range.begin; i < range.end;) {
        if (t.text.bytes[i] == ' ') {
          if (split) end_word();
          out.append(replacement, origin[i]);
          ++i;
          continue;
        }
        if (split && t.text.bytes.compare(i, replacement.size(), replacement) == 0) end_word();
        // Up to the next byte that may begin either.
        auto end = i + 1;
        while (end < range.end && t.text.bytes[end] != ' ' &&
               t.text.bytes[end] != replacement.front()) {
          ++end;
        }
        out.append(t.text, i, end);
        i = end;
      }
      end_word();
    }
    std::swap(t, b.next);
  }
};

/// ByteLevel: a space in front, GPT-2's words, and bytes as characters of its alphabet.
struct byte_level {
  bool add_prefix_space = true;  ///< a text that does not begin with a space gets one
  bool use_regex = true;         ///< false: a word stays one
  bool writes_alphabet = true;   ///< false: for a model that takes bytes
  gpt2_scanner scanner;          ///< finds the words
  byte_alphabet alphabet;        ///< characters that stand for bytes

  /// Cuts the words further.
  void operator()(cut_text& t, buffers& b) const {
    if (add_prefix_space) {
      auto& out = b.next;
      for (const auto range : t.words) {
        const auto begin = static_cast<std::uint32_t>(out.text.bytes.size());
        if (t.text.bytes[range.begin] != ' ') out.text.append(" ", t.text.origin[range.begin]);
        out.text.append(t.text, range.begin, range.end);
        out.words.push_back({begin, static_cast<std::uint32_t>(out.text.bytes.size())});
      }
      std::swap(t, out);
      out.text.clear();
      out.words.clear();
    }
    if (use_regex) {
      for (const auto range : t.words) {
        const auto word = t.word(range);
        for (std::uint32_t begin = 0; begin < word.size();) {
          const std::uint32_t end = scanner.word_end(word, begin);
          b.next.words.push_back({range.begin + begin, range.begin + end});
          begin = end;
        }
      }
      std::swap(t.words, b.next.words);
      b.next.words.clear();
    }
    if (writes_alphabet) {
      auto& out = b.next;
      for (const auto range : t.words) {
        const auto begin = static_cast<std::uint32_t>(out.text.bytes.size());
        for (auto i = range.begin; i < range.end; ++i) {
          out.text.push(alphabet.character(static_cast<unsigned char>(t.text.bytes[i])),
                        t.text.origin[i]);
        }
        out.words.push_back({begin, static_cast<std::uint32_t>(out.text.bytes.size())});
      }
      std::swap(t, out);
    }
  }
};

}  // namespace pre_tokenizers

/// Any step that cuts a text into words.
using pre_tokenizer =
    std::variant<pre_tokenizers::cut_at_characters, pre_tokenizers::word_characters,
                 pre_tokenizers::cut_at_pattern, pre_tokenizers::fixed_length,
                 pre_tokenizers::metaspace, pre_tokenizers::byte_level>;

/// BertPreTokenizer as a sequence of steps.
inline void append_bert_pre_tokenizer(std::vector<pre_tokenizer>& steps) {
  using cut = pre_tokenizers::cut_at_characters;
  steps.emplace_back(cut{cut::kind::whitespace, 0, cut_behavior::removed});
  steps.emplace_back(cut{cut::kind::punctuation, 0, cut_behavior::isolated});
}

}  // namespace onoma::inline ONOMA_ABI
