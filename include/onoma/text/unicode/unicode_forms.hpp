/// Unicode's normalisation forms NFC, NFD, NFKC and NFKD, with the origin of each character.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace unicode {

/// What one code point becomes; `count` of `pieces`.
struct decomposition {
  std::array<std::uint32_t, 32> pieces{};  ///< code points
  std::size_t count = 1;                   ///< how many of them
};

/// Full decomposition by utf8proc's tables, also of characters that Hugging Face leaves whole.
[[nodiscard]] inline decomposition decompose_fully(std::uint32_t c, bool compatible) {
  std::array<utf8proc_int32_t, 32> pieces{};
  int last_class = UTF8PROC_BOUNDCLASS_START;
  const int options = UTF8PROC_DECOMPOSE | (compatible ? int{UTF8PROC_COMPAT} : 0);
  const auto count = utf8proc_decompose_char(static_cast<utf8proc_int32_t>(c), pieces.data(), 32,
                                             static_cast<utf8proc_option_t>(options), &last_class);
  decomposition result;
  result.count = count > 0 ? static_cast<std::size_t>(count) : 0;
  for (std::size_t i = 0; i < result.count; ++i) {
    result.pieces[i] = static_cast<std::uint32_t>(pieces[i]);
  }
  return result;
}

/// The decomposition of NFD, or with `compatible` of NFKD, as Hugging Face has it.
[[nodiscard]] inline decomposition decompose(std::uint32_t c, bool compatible = false) {
  const bool whole = c < 0x80U || contains(undecomposed_ranges, c) ||
                     (compatible && contains(incompatible_ranges, c));
  if (!whole) return decompose_fully(c, compatible);
  decomposition result;
  result.pieces[0] = c;
  return result;
}

/// The canonical combining class, 0 for marks that are newer than Hugging Face's tables.
[[nodiscard]] inline int combining_class(std::uint32_t c) {
  const int order = utf8proc_get_property(static_cast<utf8proc_int32_t>(c))->combining_class;
  return order != 0 && contains(unordered_ranges, c) ? 0 : order;
}

/// A character of a decomposed text. `change` is 0 for the first one of each decomposition and 1 for the
/// others; characters keep it as they are reordered.
struct decomposed {
  std::uint32_t c;      ///< the code point
  std::int32_t change;  ///< 0: the first of a decomposition, 1: another
  int order;            ///< canonical combining class
};

/// The full decomposition of a code point, behind `out`.
inline void append_decomposed(std::uint32_t c, bool compatible, std::vector<decomposed>& out) {
  if (c < 0x80U) {
    out.push_back({c, 0, 0});
    return;
  }
  const auto found = decompose(c, compatible);
  for (std::size_t i = 0; i < found.count; ++i) {
    out.push_back({found.pieces[i], i > 0 ? 1 : 0, combining_class(found.pieces[i])});
  }
}

/// Canonical ordering: runs of non-starters sorted by class, stably (Unicode Standard, D109).
inline void order_marks(std::vector<decomposed>& text) {
  for (auto run = text.begin(); run != text.end();) {
    if (run->order == 0) {
      ++run;
      continue;
    }
    auto end = run;
    while (end != text.end() && end->order != 0) ++end;
    sort_stably(run, end, [](const decomposed& x, const decomposed& y) { return x.order < y.order; });
    run = end;
  }
}

}  // namespace unicode

/// One of the four forms. Source of the behaviour: Unicode Standard Annex 15; Hugging Face's crate
/// unicode-normalization-alignments, which says of each character whether it is new.
class unicode_form {
 public:
  using part = unicode::decomposed;  ///< a character of a decomposed text
  /// Memory of one thread.
  struct buffers {
    std::vector<part> parts;            ///< the text, decomposed
    std::vector<rewritten> characters;  ///< the result
  };

  /// NFC and NFKC compose; NFKC and NFKD are compatible.
  unicode_form(bool composes, bool compatible) : composes_(composes), compatible_(compatible) {
    if (composes_) fill_pairs();
  }

  /// Whether the form leaves all texts alone that have only this character.
  [[nodiscard]] bool keeps(std::uint32_t c) const {
    return c < 0x80U || (composes_ && !compatible_ && c < 0x300U);
  }

  /// `out` becomes the form of `text`.
  void operator()(const aligned_text& text, aligned_text& out, buffers& b) const {
    decompose(text.bytes, b.parts);
    b.characters.clear();
    if (composes_) {
      compose(b);
    } else {
      for (const part& p : b.parts) b.characters.push_back({p.c, p.change});
    }
    rewrite(text, b.characters, 0, out);
  }

  /// The decomposed text with its marks in canonical order.
  void decompose(std::string_view text, std::vector<part>& parts) const {
    parts.clear();
    for (index_t i = 0; i < static_cast<index_t>(text.size());) {
      const auto c = decode_utf8(text, i);
      i += c.length;
      unicode::append_decomposed(c.code_point, compatible_, parts);
    }
    unicode::order_marks(parts);
  }

 private:
  /// The pairs that compose: of each character that has a full canonical decomposition and is not
  /// excluded, the composite of all parts but the last, and the last.
  void fill_pairs() {
    std::unordered_map<std::u32string, std::uint32_t> composites;
    for (const bool longer : {false, true}) {
      for (std::uint32_t c = 0xC0U; c < 0x30000U; ++c) {
        if (c == 0xAC00U) c = 0xE000U;  // Hangul syllables are computed; no surrogates
        const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(c));
        if (property->decomp_type != 0 || property->decomp_seqindex == UINT16_MAX ||
            property->comp_exclusion != 0 || unicode::contains(unicode::undecomposed_ranges, c)) {
          continue;
        }
        const auto found = unicode::decompose_fully(c, false);
        if (found.count < 2) continue;
        const std::u32string parts(found.pieces.begin(),
                                   found.pieces.begin() + static_cast<std::ptrdiff_t>(found.count));
        const std::uint32_t last = found.pieces[found.count - 1];
        if (!longer) {
          composites.emplace(parts, c);
          if (found.count == 2) pairs_.emplace(pair_key(found.pieces[0], last), c);
        } else if (found.count > 2) {
          const auto first = composites.find(parts.substr(0, parts.size() - 1));
          if (first != composites.end()) pairs_.emplace(pair_key(first->second, last), c);
        }
      }
    }
  }
  [[nodiscard]] static std::uint64_t pair_key(std::uint32_t a, std::uint32_t b) {
    return static_cast<std::uint64_t>(a) << 32 | b;
  }

  /// 0: the two do not compose.
  [[nodiscard]] std::uint32_t composite(std::uint32_t a, std::uint32_t b) const {
    // Hangul (The Unicode Standard, section 3.12): 19 leading consonants, 21 vowels, 27 trailing.
    if (a - 0x1100U < 19 && b - 0x1161U < 21) return 0xAC00U + ((a - 0x1100U) * 21 + b - 0x1161U) * 28;
    if (a - 0xAC00U < 11172 && (a - 0xAC00U) % 28 == 0 && b - 0x11A8U < 27) return a + b - 0x11A7U;
    if (b < 0x300U) return 0;
    const auto found = pairs_.find(pair_key(a, b));
    return found == pairs_.end() ? 0 : found->second;
  }

  void compose(buffers& b) const {
    auto& out = b.characters;
    constexpr std::size_t none = SIZE_MAX;
    std::size_t starter = none;  // place in `out` of the last starter
    int blocking = 0;            // class of the last mark behind it that stayed; 0: none did
    for (const part& p : b.parts) {
      if (starter != none && (blocking == 0 || blocking < p.order)) {
        if (const auto whole = composite(out[starter].code_point, p.c); whole != 0) {
          out[starter] = {whole, out[starter].change + p.change - 1};
          continue;
        }
      }
      if (p.order == 0) {
        starter = out.size();
        blocking = 0;
      } else if (starter != none) {
        blocking = p.order;
      }
      out.push_back({p.c, p.change});
    }
  }

  bool composes_;
  bool compatible_;
  std::unordered_map<std::uint64_t, std::uint32_t> pairs_;
};

}  // namespace onoma::inline ONOMA_ABI
