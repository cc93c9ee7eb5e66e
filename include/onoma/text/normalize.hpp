/// BertNormalizer: cleans, isolates CJK, strips accents, lower-cases, and knows where each byte came from.
#pragma once

#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/unicode_tables.hpp>
#include <onoma/text/utf8.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The options of Hugging Face's BertNormalizer (tokenizers, normalizers/bert.rs).
struct bert_options {
  bool clean_text = true;             ///< drop control characters, make white space ' '
  bool tokenize_chinese_chars = true; ///< put spaces around CJK ideographs
  std::optional<bool> strip_accents;  ///< unset: as `lowercase`
  bool lowercase = true;

  [[nodiscard]] bool strips_accents() const { return strip_accents.value_or(lowercase); }
};

namespace unicode {

template <std::size_t N>
[[nodiscard]] constexpr bool contains(const code_point_range (&table)[N], std::uint32_t c) {
  const auto* next = std::upper_bound(
      std::begin(table), std::end(table), c,
      [](std::uint32_t value, const code_point_range& range) { return value < range.first; });
  return next != std::begin(table) && c <= (next - 1)->last;
}

/// The property White_Space (Unicode, PropList.txt), as Rust's char::is_whitespace.
[[nodiscard]] constexpr bool is_whitespace(std::uint32_t c) {
  if (c < 0x80U) return c == ' ' || (c >= 9 && c <= 13);
  return c == 0x85U || c == 0xA0U || c == 0x1680U || (c >= 0x2000U && c <= 0x200AU) ||
         c == 0x2028U || c == 0x2029U || c == 0x202FU || c == 0x205FU || c == 0x3000U;
}

/// The CJK blocks of BertNormalizer. The fifth begins at 2B920 there and at 2B820 in the original
/// Python; equality with the checkpoints' own tokenizer decides.
[[nodiscard]] constexpr bool is_chinese(std::uint32_t c) {
  return (c >= 0x4E00U && c <= 0x9FFFU) || (c >= 0x3400U && c <= 0x4DBFU) ||
         (c >= 0x20000U && c <= 0x2A6DFU) || (c >= 0x2A700U && c <= 0x2B73FU) ||
         (c >= 0x2B740U && c <= 0x2B81FU) || (c >= 0x2B920U && c <= 0x2CEAFU) ||
         (c >= 0xF900U && c <= 0xFAFFU) || (c >= 0x2F800U && c <= 0x2FA1FU);
}

/// Dropped by clean_text.
[[nodiscard]] constexpr bool is_removed(std::uint32_t c) {
  if (c < 0x80U) return (c < 0x20U && c != '\t' && c != '\n' && c != '\r') || c == 0x7FU;
  return contains(removed_ranges, c);
}

/// A word of its own for BertPreTokenizer.
[[nodiscard]] constexpr bool is_punctuation(std::uint32_t c) {
  if (c < 0x80U) {
    return (c >= 33 && c <= 47) || (c >= 58 && c <= 64) || (c >= 91 && c <= 96) ||
           (c >= 123 && c <= 126);
  }
  return contains(punctuation_ranges, c);
}

/// The single-code-point lower case; U+0130 has a second code point, U+0307.
[[nodiscard]] inline std::uint32_t to_lower(std::uint32_t c) {
  if (c < 0x80U) return c >= 'A' && c <= 'Z' ? c + 32 : c;
  for (const auto& run : lower_case_runs) {
    if (c >= run.first && c <= run.last && (c - run.first) % run.step == 0) {
      return run.lower + (c - run.first);
    }
  }
  return static_cast<std::uint32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(c)));
}

}  // namespace unicode

/// Code points after normalisation, each with the bytes of the original text that it stands for.
struct normalized_text {
  std::vector<std::uint32_t> code_points;
  std::vector<byte_span> origin;

  void clear() {
    code_points.clear();
    origin.clear();
  }
  void push(std::uint32_t c, byte_span from) {
    code_points.push_back(c);
    origin.push_back(from);
  }
  [[nodiscard]] index size() const { return static_cast<index>(code_points.size()); }
};

/// Applies the steps in Hugging Face's order. Buffers are members: a normalizer that is used again
/// does not allocate.
class bert_normalizer {
 public:
  explicit bert_normalizer(const bert_options& options = {}) : options_(options) {}

  [[nodiscard]] const bert_options& options() const noexcept { return options_; }

  /// Appends the normalised form of `text`, valid UTF-8 whose first byte is `base` of the whole.
  void append(std::string_view text, index base, normalized_text& out) {
    const auto ascii = [&](std::size_t at) { return static_cast<unsigned char>(text[at]) < 0x80U; };
    std::size_t i = 0;
    while (i < text.size()) {
      const auto from = base + static_cast<index>(i);
      if (ascii(i)) {
        append_ascii(static_cast<unsigned char>(text[i]), {from, from + 1}, out);
        ++i;
        continue;
      }
      // No step looks across the border between ASCII and the rest: ASCII characters are starters
      // that nothing decomposes into or reorders.
      std::size_t end = i;
      while (end < text.size() && !ascii(end)) ++end;
      append_unicode(text.substr(i, end - i), from, out);
      i = end;
    }
  }

 private:
  void append_ascii(std::uint32_t c, byte_span from, normalized_text& out) const {
    if (options_.clean_text) {
      if (unicode::is_removed(c)) return;
      if (unicode::is_whitespace(c)) c = ' ';
    }
    out.push(options_.lowercase ? unicode::to_lower(c) : c, from);
  }

  void append_unicode(std::string_view text, index base, normalized_text& out) {
    normalized_text& a = first_;
    a.clear();
    for (index i = 0; i < static_cast<index>(text.size());) {
      const auto c = decode_utf8(text, i);
      const byte_span from{base + i, base + i + c.length};
      i += c.length;
      if (options_.clean_text && unicode::is_removed(c.code_point)) continue;
      const bool space = options_.clean_text && unicode::is_whitespace(c.code_point);
      const bool chinese = options_.tokenize_chinese_chars && unicode::is_chinese(c.code_point);
      if (chinese) a.push(' ', from);
      a.push(space ? ' ' : c.code_point, from);
      if (chinese) a.push(' ', from);
    }
    if (options_.strips_accents()) strip_accents(a);
    for (index i = 0; i < a.size(); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const std::uint32_t c = a.code_points[at];
      out.push(options_.lowercase ? unicode::to_lower(c) : c, a.origin[at]);
      if (options_.lowercase && c == 0x130U) out.push(0x307U, a.origin[at]);
    }
  }

  /// NFD, then without nonspacing marks. `inserted` says that a code point is the second or a later
  /// one of a decomposition. Hugging Face reorders marks together with that flag and only then hands
  /// out the original positions one after another; the same is done here.
  void strip_accents(normalized_text& a) {
    auto& parts = parts_;
    parts.clear();
    for (const std::uint32_t c : a.code_points) {
      std::array<utf8proc_int32_t, 32> pieces{};
      utf8proc_ssize_t count = 1;
      pieces[0] = static_cast<utf8proc_int32_t>(c);
      if (!unicode::contains(unicode::undecomposed_ranges, c)) {
        int last_class = UTF8PROC_BOUNDCLASS_START;
        count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), pieces.data(), 32,
                                        UTF8PROC_DECOMPOSE, &last_class);
      }
      for (utf8proc_ssize_t i = 0; i < count; ++i) {
        const auto piece = static_cast<std::uint32_t>(pieces[static_cast<std::size_t>(i)]);
        const int order =
            unicode::contains(unicode::unordered_ranges, piece)
                ? 0
                : utf8proc_get_property(static_cast<utf8proc_int32_t>(piece))->combining_class;
        parts.push_back({piece, i > 0, order});
      }
    }
    // Canonical ordering: runs of non-starters sorted by class, stably.
    for (auto run = parts.begin(); run != parts.end();) {
      if (run->order == 0) {
        ++run;
        continue;
      }
      auto end = run;
      while (end != parts.end() && end->order != 0) ++end;
      std::stable_sort(run, end, [](const part& x, const part& y) { return x.order < y.order; });
      run = end;
    }
    origins_.assign(a.origin.begin(), a.origin.end());
    a.clear();
    std::size_t next = 0;
    for (const part& p : parts) {
      byte_span from{};
      if (p.inserted) {
        if (next > 0) from = origins_[next - 1];
      } else {
        from = origins_[next++];
      }
      if (!unicode::contains(unicode::mark_ranges, p.c)) a.push(p.c, from);
    }
  }

  struct part {
    std::uint32_t c;
    bool inserted;
    int order;  // canonical combining class
  };

  bert_options options_;
  normalized_text first_;
  std::vector<part> parts_;
  std::vector<byte_span> origins_;
};

}  // namespace onoma::inline ONOMA_ABI
