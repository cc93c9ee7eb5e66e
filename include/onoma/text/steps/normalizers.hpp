/// The normalizers of tokenizer.json, each a step from one aligned text to the next.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/pieces/byte_level.hpp>
#include <onoma/text/steps/bert_normalizer.hpp>
#include <onoma/text/steps/charsmap.hpp>
#include <onoma/text/steps/pattern.hpp>
#include <onoma/text/unicode/unicode.hpp>
#include <onoma/text/unicode/unicode_forms.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// @throws onoma::error (out_of_range).
inline void check_growth(std::size_t size, std::size_t limit, const char* operation) {
  if (size > limit) {
    fail(error_code::out_of_range, operation, "a text of at most " + std::to_string(limit) + " bytes",
         std::to_string(size));
  }
}

/// Memory of the steps, to be used again.
struct normalizer_buffers {
  unicode_form::buffers form;  ///< of `normalizers::form`
  match_buffers match;         ///< of `normalizers::replace`
  std::size_t limit = 0;       ///< of bytes
};

namespace normalizers {

/// Calls `each(code point, origin)` for every character.
template <class Each>
void for_each_character(const aligned_text& text, const Each& each) {
  for (index_t i = 0; i < text.size();) {
    const auto c = decode_utf8(text.bytes, i);
    each(c.code_point, text.origin[static_cast<std::size_t>(i)]);
    i += c.length;
  }
}

/// NFC, NFD, NFKC or NFKD.
struct form {
  unicode_form what;  ///< which one
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return true; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers& b) const {
    what(in, out, b.form);
  }
};

/// Lower case of all scripts that have cases.
struct lowercase {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      out.push(unicode::to_lower(c), from);
      if (c == 0x130U) out.push(0x307U, from);  // the one lower case of two code points
    });
  }
};

/// StripAccents: without combining marks (Mn, Mc, Me).
struct strip_accents {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return true; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      if (c < 0x300U || !unicode::contains(unicode::combining_ranges, c)) out.push(c, from);
    });
  }
};

/// The steps of BertNormalizer besides NFD and lower case (tokenizers, normalizers/bert.rs).
struct bert_clean {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      if (!unicode::is_removed(c)) out.push(unicode::is_whitespace(c) ? ' ' : c, from);
    });
  }
};
/// BertNormalizer's handle_chinese_chars: spaces around CJK ideographs.
struct bert_chinese {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return true; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      const bool alone = unicode::is_chinese(c);
      if (alone) out.push(' ', from);
      out.push(c, from);
      if (alone) out.push(' ', from);
    });
  }
};
/// Without nonspacing marks (Mn).
struct bert_marks {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return true; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      if (c < 0x300U || !unicode::contains(unicode::mark_ranges, c)) out.push(c, from);
    });
  }
};

/// Strip: white space at the ends.
struct strip {
  bool left = true;   ///< at the beginning
  bool right = true;  ///< at the end
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    // Places of the first and behind the last character that stays.
    index_t begin = 0;
    index_t end = 0;
    bool inside = !left;
    for (index_t i = 0; i < in.size();) {
      const auto c = decode_utf8(in.bytes, i);
      const bool space = unicode::is_whitespace(c.code_point);
      if (!inside && !space) {
        inside = true;
        begin = i;
      }
      i += c.length;
      if (!right || !space) end = i;
    }
    if (inside && begin < end) {
      out.append(in, static_cast<std::size_t>(begin), static_cast<std::size_t>(end));
    }
  }
};

/// Replace: all matches of a pattern become `content`.
struct replace {
  text_pattern pattern;  ///< what is replaced
  std::string content;   ///< by what
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers& b) const {
    b.match.found.clear();
    pattern.find(in.bytes, b.match);
    for (const auto& stretch : b.match.found) {
      if (!stretch.match) {
        out.append(in, stretch.begin, stretch.end);
        continue;
      }
      const byte_span nothing{in.base, in.base};
      out.append(content, stretch.end > 0 ? in.origin[stretch.end - 1] : nothing);
      check_growth(out.bytes.size(), b.limit, "normalizing");
    }
  }
};

/// Prepend: `content` in front of a text that is not empty.
struct prepend {
  std::string content;  ///< what stands in front then
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    if (in.bytes.empty()) return;
    out.append(content, in.origin.front());
    out.append(in, 0, in.bytes.size());
  }
};

/// Nmt: drops control characters and makes what is like white space ' '.
struct nmt {
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for_each_character(in, [&out](std::uint32_t c, byte_span from) {
      const bool dropped = (c >= 1 && c <= 8) || c == 0xBU || (c >= 0xEU && c <= 0x1FU) ||
                           c == 0x7FU || c == 0x8FU || c == 0x9FU;
      const bool space = c == 9 || c == 0xAU || c == 0xCU || c == 0xDU || c == 0x1680U ||
                         (c >= 0x200BU && c <= 0x200FU) || c == 0x2028U || c == 0x2029U ||
                         c == 0x2581U || c == 0xFEFFU || c == 0xFFFDU;
      if (!dropped) out.push(space ? ' ' : c, from);
    });
  }
};

/// Precompiled: SentencePiece's rules.
struct precompiled {
  std::shared_ptr<const charsmap> rules;  ///< those of the file
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    rules->normalize(in, out);
  }
};

/// ByteLevel: every byte becomes a character of GPT-2's alphabet.
struct byte_level {
  byte_alphabet alphabet;  ///< characters that stand for bytes
  /// Whether ASCII text stays as it is.
  [[nodiscard]] bool keeps_ascii() const { return false; }
  /// Writes the new text to `out`.
  void operator()(const aligned_text& in, aligned_text& out, normalizer_buffers&) const {
    for (std::size_t i = 0; i < in.bytes.size(); ++i) {
      out.push(alphabet.character(static_cast<unsigned char>(in.bytes[i])), in.origin[i]);
    }
  }
};

}  // namespace normalizers

/// Any step that rewrites a text.
using normalizer = std::variant<normalizers::form, normalizers::lowercase, normalizers::strip_accents,
                                normalizers::bert_clean, normalizers::bert_chinese,
                                normalizers::bert_marks, normalizers::strip, normalizers::replace,
                                normalizers::prepend, normalizers::nmt, normalizers::precompiled,
                                normalizers::byte_level>;

/// BertNormalizer as a sequence of steps.
inline void append_bert_normalizer(const bert_options& options, std::vector<normalizer>& steps) {
  if (options.clean_text) steps.emplace_back(normalizers::bert_clean{});
  if (options.tokenize_chinese_chars) steps.emplace_back(normalizers::bert_chinese{});
  if (options.strips_accents()) {
    steps.emplace_back(normalizers::form{unicode_form(false, false)});
    steps.emplace_back(normalizers::bert_marks{});
  }
  if (options.lowercase) steps.emplace_back(normalizers::lowercase{});
}

/// Applies the steps one after another.
class normalizer_chain {
 public:
  /// Memory of one thread.
  struct buffers {
    aligned_text next;        ///< what a step writes
    normalizer_buffers step;  ///< of the step
  };

  /// Of these steps, in this order.
  explicit normalizer_chain(std::vector<normalizer> steps) : steps_(std::move(steps)) {}

  /// Whether there are no steps.
  [[nodiscard]] bool empty() const noexcept { return steps_.empty(); }

  /// @throws onoma::error (out_of_range) if the text grows without measure.
  void operator()(aligned_text& text, buffers& b) const {
    b.step.limit = largest_growth(text.bytes.size());
    for (const auto& step : steps_) {
      std::visit(
          [&](const auto& chosen) {
            if (chosen.keeps_ascii() && ascii::is_ascii(text.bytes)) return;
            b.next.clear();
            b.next.base = text.base;
            chosen(text, b.next, b.step);
            std::swap(text, b.next);
            check_growth(text.bytes.size(), b.step.limit, "normalizing");
          },
          step);
    }
  }
  /// What becomes of a text. Allocates.
  [[nodiscard]] std::string operator()(std::string_view text) const {
    aligned_text aligned;
    buffers b;
    aligned.assign(text, 0);
    (*this)(aligned, b);
    return aligned.bytes;
  }

 private:
  std::vector<normalizer> steps_;
};

}  // namespace onoma::inline ONOMA_ABI
