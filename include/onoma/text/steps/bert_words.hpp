/// BertNormalizer and BertPreTokenizer in one pass over the text: word after word, ready for the model.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/steps/bert_normalizer.hpp>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Splits at white space and around punctuation. Text between two ASCII breaks that is plain ASCII
/// is found by bit masks and needs no table of origins; other text goes code point by code point.
class bert_words {
 public:
  /// Memory of one thread.
  struct buffers {
    std::vector<char> copy;                     ///< of a block, in lower case
    std::vector<ascii::block_classes> classes;  ///< of a block
    aligned_text text;                          ///< of a run that is not ASCII
    std::vector<word_range> words;              ///< of such a run
    bert_normalizer::buffers normalizer;        ///< of its steps
  };

  /// With the options of the normalizer.
  explicit bert_words(const bert_options& options) : normalizer_(options) {}

  /// Calls `sink(const word_view&)` for each word of `text`, valid UTF-8 whose first byte is `base`
  /// of the whole.
  template <class Sink>
  void split(std::string_view text, index_t base, buffers& b, const Sink& sink) const {
    // A block stays in the first-level cache; one that holds no break is looked at again, twice as
    // long, so that the time stays linear in the text.
    constexpr std::size_t usual_block = 4096;
    std::size_t block = usual_block;
    for (std::size_t begin = 0; begin < text.size();) {
      const auto part = text.substr(begin, block);
      const bool last = begin + part.size() == text.size();
      const std::size_t done =
          split_block(part, base + static_cast<index_t>(begin), last, b, sink);
      block = done > 0 ? usual_block : 2 * block;
      begin += done;
    }
  }

 private:
  /// Returns the bytes that were split: all of the last block, else up to the last break.
  template <class Sink>
  std::size_t split_block(std::string_view text, index_t base, bool last, buffers& b,
                          const Sink& sink) const {
    const bool odd = classify(text, b);
    const auto unit = [&](std::size_t begin, std::size_t end) {
      if (begin == end) return;
      const index_t at = base + static_cast<index_t>(begin);
      if (odd && has_odd(b, begin, end)) {
        split_unicode(text.substr(begin, end - begin), at, b, sink);
      } else {
        sink(word_view{b.copy.data() + begin, static_cast<std::uint32_t>(end - begin), at, nullptr});
      }
    };
    std::size_t begin = 0;
    for (std::size_t i = 0; i < b.classes.size(); ++i) {
      const std::uint64_t marks = b.classes[i].punctuation;
      for (std::uint64_t breaks = b.classes[i].spaces | marks; breaks != 0; breaks &= breaks - 1) {
        const int bit = std::countr_zero(breaks);
        const std::size_t at = 64 * i + static_cast<std::size_t>(bit);
        unit(begin, at);
        if ((marks >> bit & 1U) != 0) {
          sink(word_view{b.copy.data() + at, 1, base + static_cast<index_t>(at), nullptr});
        }
        begin = at + 1;
      }
    }
    if (last) {
      unit(begin, text.size());
      begin = text.size();
    }
    return begin;
  }

  /// Whether there is an odd character.
  bool classify(std::string_view text, buffers& b) const {
    const bool lower = normalizer_.options().lowercase;
    const std::size_t blocks = (text.size() + 63) / 64;
    if (b.copy.size() < 64 * blocks + word_padding) b.copy.resize(64 * blocks + word_padding);
    b.classes.resize(blocks);
    std::uint64_t odd = 0;
    const std::size_t full = text.size() / 64;
    for (std::size_t i = 0; i < full; ++i) {
      b.classes[i] = ascii::scan_block(text.data() + 64 * i, b.copy.data() + 64 * i, lower);
      odd |= b.classes[i].odd;
    }
    if (full < blocks) {
      std::array<char, 64> rest;
      rest.fill('a');
      std::memcpy(rest.data(), text.data() + 64 * full, text.size() - 64 * full);
      b.classes[full] = ascii::scan_block(rest.data(), b.copy.data() + 64 * full, lower);
      odd |= b.classes[full].odd;
    }
    return odd != 0;
  }
  [[nodiscard]] static bool has_odd(const buffers& b, std::size_t begin, std::size_t end) {
    for (std::size_t i = begin / 64; 64 * i < end; ++i) {
      std::uint64_t bits = b.classes[i].odd;
      if (begin > 64 * i) bits &= ~std::uint64_t{0} << (begin - 64 * i);
      if (end < 64 * (i + 1)) bits &= (std::uint64_t{1} << (end - 64 * i)) - 1;
      if (bits != 0) return true;
    }
    return false;
  }

  template <class Sink>
  void split_unicode(std::string_view text, index_t base, buffers& b, const Sink& sink) const {
    b.text.clear();
    b.words.clear();
    std::uint32_t begin = 0;
    const auto finish = [&] {
      const auto end = static_cast<std::uint32_t>(b.text.bytes.size());
      if (end > begin) b.words.push_back({begin, end});
      begin = end;
    };
    const auto put = [&](bert_class what, std::uint32_t c, byte_span from) {
      if (what != bert_class::letter) finish();
      if (what != bert_class::space) b.text.push(c, from);
      if (what == bert_class::alone) finish();
    };
    const auto size = static_cast<index_t>(text.size());
    for (index_t i = 0; i < size;) {
      const auto c = decode_utf8(text, i);
      const auto e = normalizer_[c.code_point];
      if (e.what != bert_class::context) {
        if (e.what != bert_class::removed) put(e.what, e.result, {base + i, base + i + c.length});
        i += c.length;
        continue;
      }
      index_t end = i;
      while (end < size) {
        const auto next = decode_utf8(text, end);
        const auto what = normalizer_[next.code_point].what;
        if (what != bert_class::context && what != bert_class::removed) break;
        end += next.length;
      }
      normalizer_.normalize(
          text.substr(static_cast<std::size_t>(i), static_cast<std::size_t>(end - i)), base + i,
          b.normalizer);
      const auto& run = b.normalizer.run;
      for (std::size_t k = 0; k < run.size(); ++k) {
        const std::uint32_t point = run.code_points[k];
        put(unicode::is_whitespace(point)    ? bert_class::space
            : unicode::is_punctuation(point) ? bert_class::alone
                                             : bert_class::letter,
            point, run.origin[k]);
      }
      i = end;
    }
    finish();
    b.text.bytes.append(word_padding, '\0');
    for (const auto& word : b.words) {
      sink(word_view{b.text.bytes.data() + word.begin, word.end - word.begin, 0,
                     b.text.origin.data() + word.begin});
    }
  }

  bert_normalizer normalizer_;
};

}  // namespace onoma::inline ONOMA_ABI
