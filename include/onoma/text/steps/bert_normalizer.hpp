/// BertNormalizer: cleans, isolates CJK, strips accents, lower-cases, and knows where each character came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/unicode/unicode.hpp>
#include <onoma/text/unicode/unicode_forms.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The options of Hugging Face's BertNormalizer (tokenizers, normalizers/bert.rs).
struct bert_options {
  bool clean_text = true;             ///< drop control characters, make white space ' '
  bool tokenize_chinese_chars = true; ///< put spaces around CJK ideographs
  std::optional<bool> strip_accents{};  ///< unset: as `lowercase`
  bool lowercase = true;              ///< of all scripts that have cases

  /// What `strip_accents` means.
  [[nodiscard]] bool strips_accents() const { return strip_accents.value_or(lowercase); }
};

/// Code points, each with the bytes of the original text that it stands for.
struct aligned_code_points {
  std::vector<std::uint32_t> code_points;  ///< in the order of the text
  std::vector<byte_span> origin;           ///< of each code point

  /// Takes all out; the memory stays.
  void clear() {
    code_points.clear();
    origin.clear();
  }
  /// Appends a code point that stands for `from`.
  void push(std::uint32_t c, byte_span from) {
    code_points.push_back(c);
    origin.push_back(from);
  }
  /// How many code points.
  [[nodiscard]] std::size_t size() const { return code_points.size(); }
};

/// What BertNormalizer and then BertPreTokenizer make of a code point, whatever stands beside it.
enum class bert_class : std::uint8_t {
  letter,   ///< part of a word
  removed,  ///< nothing is left
  space,    ///< ends a word
  alone,    ///< a word of its own: punctuation, CJK ideographs
  context,  ///< depends on its neighbours or becomes several: ask `normalize`
};

/// Immutable: a table of what becomes of each code point below U+10000, and the exact steps in
/// Hugging Face's order for runs of the others.
class bert_normalizer {
 public:
  /// What becomes of a code point.
  struct entry {
    std::uint16_t result = 0;               ///< the code point after normalisation
    bert_class what = bert_class::context;  ///< whether that is all of it
  };
  /// Memory of `normalize`, to be used again.
  struct buffers {
    aligned_code_points run;                 ///< the run at hand
    std::vector<unicode::decomposed> parts;  ///< of decompositions
    std::vector<byte_span> origins;          ///< of characters in their old order
  };

  /// Fills its table.
  explicit bert_normalizer(const bert_options& options = {}) : options_(options), table_(limit) {
    fill_table();
  }

  /// As it was made.
  [[nodiscard]] const bert_options& options() const noexcept { return options_; }

  /// What becomes of a code point.
  [[nodiscard]] entry operator[](std::uint32_t c) const {
    return c < limit ? table_[c] : entry{};
  }

  /// The normalised form of a run of code points in `b.run`. `text` is valid UTF-8 whose first byte
  /// is `base` of the whole. No step looks across a code point whose class is not `context` or
  /// `removed`: it begins with a starter that nothing reorders, and marks behind it are dropped.
  void normalize(std::string_view text, index_t base, buffers& b) const {
    auto& run = b.run;
    run.clear();
    for (index_t i = 0; i < static_cast<index_t>(text.size());) {
      const auto c = decode_utf8(text, i);
      const byte_span from{base + i, base + i + c.length};
      i += c.length;
      if (options_.clean_text && unicode::is_removed(c.code_point)) continue;
      const bool space = options_.clean_text && unicode::is_whitespace(c.code_point);
      const bool chinese = options_.tokenize_chinese_chars && unicode::is_chinese(c.code_point);
      if (chinese) run.push(' ', from);
      run.push(space ? ' ' : c.code_point, from);
      if (chinese) run.push(' ', from);
    }
    if (options_.strips_accents()) strip_accents(b);
    if (options_.lowercase) lowercase(b);
  }

 private:
  static constexpr std::uint32_t limit = 0x10000;

  void fill_table() {
    enum : std::uint8_t { removed = 1, punctuation = 2, mark = 4 };
    std::vector<std::uint8_t> flags(limit);
    const auto raise = [&flags](const auto& ranges, std::uint8_t flag) {
      for (const auto& range : ranges) {
        for (auto c = range.first; c <= std::min(range.last, limit - 1); ++c) flags[c] |= flag;
      }
    };
    raise(unicode::removed_ranges, removed);
    raise(unicode::punctuation_ranges, punctuation);
    raise(unicode::mark_ranges, mark);
    for (std::uint32_t c = 0; c < limit; ++c) {
      if (c >= 0xD800U && c < 0xE000U) continue;
      entry& e = table_[c];
      if (options_.clean_text && (flags[c] & removed) != 0) {
        e = {0, bert_class::removed};
        continue;
      }
      std::uint32_t result = c;
      if (options_.strips_accents() && c >= 0x80U) {
        const auto parts = unicode::decompose(c);
        // One starter that stays, and marks behind it that go.
        const auto dropped = [&](std::uint32_t p) { return p < limit && (flags[p] & mark) != 0; };
        bool simple = parts.count > 0 && unicode::combining_class(parts.pieces[0]) == 0 &&
                      !dropped(parts.pieces[0]);
        for (std::size_t i = 1; i < parts.count; ++i) simple = simple && dropped(parts.pieces[i]);
        if (!simple) continue;
        result = parts.pieces[0];
      }
      if (options_.lowercase) {
        if (result == 0x130U) continue;
        result = unicode::to_lower(result);
      }
      if (result >= limit) continue;
      e.result = static_cast<std::uint16_t>(result);
      const bool chinese = options_.tokenize_chinese_chars && unicode::is_chinese(c);
      const bool marks = result < 0x80U ? unicode::is_punctuation(result)
                                        : (flags[result] & punctuation) != 0;
      e.what = unicode::is_whitespace(result) ? bert_class::space
               : marks || chinese             ? bert_class::alone
                                              : bert_class::letter;
    }
  }

  /// NFD, then without nonspacing marks. Hugging Face reorders marks together with the flag that says
  /// whether they are new, and only then hands out the original positions one after another; the same is
  /// done here.
  static void strip_accents(buffers& b) {
    auto& a = b.run;
    auto& parts = b.parts;
    parts.clear();
    for (const std::uint32_t c : a.code_points) unicode::append_decomposed(c, false, parts);
    unicode::order_marks(parts);
    b.origins.assign(a.origin.begin(), a.origin.end());
    a.clear();
    std::size_t next = 0;
    for (const auto& p : parts) {
      byte_span from{};
      if (p.change > 0) {
        if (next > 0) from = b.origins[next - 1];
      } else {
        from = b.origins[next++];
      }
      if (!unicode::contains(unicode::mark_ranges, p.c)) a.push(p.c, from);
    }
  }

  static void lowercase(buffers& b) {
    auto& a = b.run;
    for (std::size_t i = 0; i < a.size(); ++i) {
      // The one lower case of two code points: i and a dot above.
      if (a.code_points[i] == 0x130U) {
        const auto at = static_cast<std::ptrdiff_t>(i + 1);
        a.code_points.insert(a.code_points.begin() + at, 0x307U);
        a.origin.insert(a.origin.begin() + at, a.origin[i]);
      }
      a.code_points[i] = unicode::to_lower(a.code_points[i]);
    }
  }

  bert_options options_;
  std::vector<entry> table_;
};

}  // namespace onoma::inline ONOMA_ABI
