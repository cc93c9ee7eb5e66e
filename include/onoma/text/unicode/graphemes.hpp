/// Grapheme clusters: what a reader takes for one character.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/text/unicode/segmentation_tables.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace unicode {

/// A Hangul syllable of two letters (LV) or three (LVT).
[[nodiscard]] constexpr bool is_hangul_syllable(std::uint32_t c) { return c - 0xAC00U < 11172; }

/// Classes of one code point, from the tables.
struct segmentation {
  grapheme_class grapheme = grapheme_class::other;  ///< Grapheme_Cluster_Break
  word_class word = word_class::other;              ///< Word_Break
};

/// The properties of a code point.
[[nodiscard]] constexpr segmentation find_segmentation(std::uint32_t c) {
  if (is_hangul_syllable(c)) {
    return {(c - 0xAC00U) % 28 == 0 ? grapheme_class::lv : grapheme_class::lvt, word_class::letter};
  }
  const auto table = segmentation_table();
  const auto* next = std::upper_bound(
      table.data(), table.data() + table.size(), c,
      [](std::uint32_t value, const segmentation_range& range) { return value < range.first; });
  if (next == table.data() || c > (next - 1)->last) return {};
  return {(next - 1)->grapheme, (next - 1)->word};
}

}  // namespace unicode

/// Finds the boundaries of extended grapheme clusters, character by character (Unicode Standard Annex
/// 29, section 3.1.1, of the version of the tables).
class grapheme_state {
 public:
  /// Takes the next character of a text; whether a cluster begins with it.
  [[nodiscard]] bool begins(unicode::grapheme_class next) {
    const bool result = is_boundary(next);
    advance(next);
    return result;
  }

 private:
  using c = unicode::grapheme_class;

  [[nodiscard]] bool is_boundary(c next) const {
    if (first_) return true;
    const auto is_control = [](c what) { return what == c::cr || what == c::lf || what == c::control; };
    if (before_ == c::cr && next == c::lf) return false;       // GB3
    if (is_control(before_) || is_control(next)) return true;  // GB4, GB5
    switch (next) {
      case c::zwj:
      case c::linker:
      case c::extend:
      case c::extend_only:
      case c::spacing: return false;  // GB9, GB9a
      default: break;
    }
    if (before_ == c::prepend) return false;  // GB9b
    switch (next) {                           // GB6 to GB8, GB9c, GB11 to GB13
      case c::l:
      case c::lv:
      case c::lvt: return before_ != c::l;
      case c::v: return before_ != c::l && before_ != c::v && before_ != c::lv;
      case c::t:
        return before_ != c::v && before_ != c::t && before_ != c::lv && before_ != c::lvt;
      case c::consonant: return !linked_;
      case c::pictograph: return !(after_pictograph_ && before_ == c::zwj);
      case c::regional: return !odd_regionals_;
      default: return true;  // GB999
    }
  }

  void advance(c next) {
    const bool extends = next == c::linker || next == c::extend || next == c::zwj;
    linked_ = after_consonant_ && (next == c::linker || (extends && linked_));
    after_consonant_ = next == c::consonant || (after_consonant_ && extends);
    // Any number of extenders, then one joiner.
    after_pictograph_ =
        next == c::pictograph ||
        (after_pictograph_ && before_ != c::zwj &&
         (next == c::linker || next == c::extend || next == c::extend_only || next == c::zwj));
    odd_regionals_ = next == c::regional && !odd_regionals_;
    before_ = next;
    first_ = false;
  }

  c before_ = c::other;
  bool first_ = true;
  bool after_consonant_ = false;   // and extenders or linkers
  bool linked_ = false;            // with a linker among them
  bool after_pictograph_ = false;  // and extenders, perhaps with a joiner behind them
  bool odd_regionals_ = false;
};

}  // namespace onoma::inline ONOMA_ABI
