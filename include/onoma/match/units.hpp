/// The units of text that phrases are compared by: words and signs, in a form that does not depend
/// on case or on how Unicode spells a character.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How phrases are looked for.
struct phrase_options {
  bool fold_case =
      true;  ///< "IBM" and "ibm" are the same (Unicode's full case folding: "STRASSE" and "straße")
  bool whole_words = true;  ///< a phrase begins and ends where words do; else anywhere, as texts
                            ///< without spaces need
  /// Equal in both.
  friend bool operator==(const phrase_options&, const phrase_options&) = default;
};

/// What the units of a text are, and the form that each is compared in. Immutable; one serves many
/// threads.
///
/// With `whole_words` a unit is a run of word characters (`unicode::is_word`), or one other
/// character that is not white space; each Han character is a unit, since nothing in a text says
/// which belong together. Otherwise each character is a unit. Marks belong to the character before
/// them. White space separates units and is none.
///
/// The form is NFC of the case folding of NFD (Unicode Standard, D145, canonical caseless
/// matching), or NFC alone.
class unit_rules {
 public:
  /// @throws onoma::error never but for lack of memory.
  explicit unit_rules(phrase_options options) : options_(options), known_(known_code_points) {
    std::string form;
    forming f;
    for (std::uint32_t c = 0; c < known_code_points; ++c) known_[c] = describe(c, form, f);
  }

  /// Those that it was made with.
  [[nodiscard]] const phrase_options& options() const noexcept { return options_; }

  /// Memory of a reader for forms, of one thread.
  struct forming {
    std::string text;                          ///< a form, or a step on the way
    std::vector<utf8proc_int32_t> characters;  ///< code points of a form
  };

 private:
  friend class unit_reader;

  // What is known of a code point: its kind, and its form if that is one character which stays
  // alone.
  static constexpr std::uint32_t known_code_points = 0x3000;
  static constexpr std::uint32_t code_point_mask = 0x1FFFFFU;
  enum unit_kind : std::uint32_t { is_other = 0, is_word, is_space, extends, is_ideograph };
  [[nodiscard]] static constexpr unit_kind kind_of(std::uint32_t known) {
    return static_cast<unit_kind>(known >> 24);
  }

  [[nodiscard]] static unit_kind find_kind(std::uint32_t c) {
    if (unicode::is_whitespace(c)) return is_space;
    if (unicode::is_chinese(c)) return is_ideograph;
    const auto category = utf8proc_category(static_cast<utf8proc_int32_t>(c));
    // Vowels and final consonants of decomposed Hangul compose with what stands before them.
    const bool jamo = c >= 0x1160U && c <= 0x11FFU;
    if (category == UTF8PROC_CATEGORY_MN || category == UTF8PROC_CATEGORY_MC ||
        category == UTF8PROC_CATEGORY_ME || jamo) {
      return extends;
    }
    return unicode::is_word(c) ? is_word : is_other;
  }

  [[nodiscard]] std::uint32_t describe(std::uint32_t c, std::string& form, forming& f) const {
    std::uint32_t one = 0;
    const auto kind = find_kind(c);
    if (c < 0x80U) {
      one = options_.fold_case ? unicode::to_lower(c) : c;
    } else if (kind != extends) {
      form.clear();
      append_utf8(form, c);
      const auto whole = form_of(form, f);
      const auto first = decode_utf8(whole, 0);
      const auto* property = utf8proc_get_property(static_cast<utf8proc_int32_t>(first.code_point));
      const bool alone = first.length == static_cast<index_t>(whole.size()) &&
                         property->combining_class == 0 && find_kind(first.code_point) != extends;
      if (alone) one = first.code_point;
    }
    return std::uint32_t{kind} << 24 | one;
  }

  [[nodiscard]] std::uint32_t look_up(std::uint32_t c) const {
    if (c < known_code_points) return known_[c];
    const bool syllable = c >= 0xAC00U && c <= 0xD7A3U;
    if (syllable) return std::uint32_t{is_word} << 24 | c;
    if (c >= 0x3400U && c <= 0x9FFFU && unicode::is_chinese(c))
      return std::uint32_t{is_ideograph} << 24 | c;
    return std::uint32_t{find_kind(c)} << 24;  // the form is computed
  }

  /// The form of valid UTF-8; it lies in `f`.
  [[nodiscard]] std::string_view form_of(std::string_view text, forming& f) const {
    if (options_.fold_case) {
      decompose(text, UTF8PROC_DECOMPOSE, f);
      encode(f);
      decompose(f.text, UTF8PROC_DECOMPOSE | UTF8PROC_CASEFOLD, f);
    } else {
      decompose(text, UTF8PROC_DECOMPOSE, f);
    }
    const auto options = static_cast<utf8proc_option_t>(UTF8PROC_COMPOSE | UTF8PROC_STABLE);
    const auto count = utf8proc_normalize_utf32(
        f.characters.data(), static_cast<utf8proc_ssize_t>(f.characters.size()), options);
    f.characters.resize(static_cast<std::size_t>(count));
    encode(f);
    return f.text;
  }
  static void decompose(std::string_view text, int options, forming& f) {
    const auto chosen = static_cast<utf8proc_option_t>(options | UTF8PROC_STABLE);
    const auto* from = reinterpret_cast<const utf8proc_uint8_t*>(text.data());
    const auto size = static_cast<utf8proc_ssize_t>(text.size());
    f.characters.resize(4 * text.size() + 4);
    auto count = utf8proc_decompose(from, size, f.characters.data(),
                                    static_cast<utf8proc_ssize_t>(f.characters.size()), chosen);
    if (count > static_cast<utf8proc_ssize_t>(f.characters.size())) {
      f.characters.resize(static_cast<std::size_t>(count));
      count = utf8proc_decompose(from, size, f.characters.data(), count, chosen);
    }
    if (count < 0)
      fail(error_code::parse, "normalising a unit of text", "UTF-8", utf8proc_errmsg(count));
    f.characters.resize(static_cast<std::size_t>(count));
  }
  static void encode(forming& f) {
    f.text.clear();
    for (const auto c : f.characters) append_utf8(f.text, static_cast<std::uint32_t>(c));
  }

  phrase_options options_;
  std::vector<std::uint32_t> known_;
};

/// Goes through the units of a text.
class unit_reader {
 public:
  /// Memory of one thread.
  struct workspace {
    std::array<char, 64 + 16> block{};  ///< ASCII at hand, in its form
    std::string key;              ///< the form of the unit at hand, where that is not in the block
    unit_rules::forming forming;  ///< on the way to it
  };

  /// All outlive the reader.
  unit_reader(std::string_view text, const unit_rules& rules, workspace& memory)
      : text_(text), rules_(rules), memory_(memory), key_(memory.block.data()) {
    load(0);
  }

  /// Goes to the next unit. False at the end of the text.
  /// @throws onoma::error (parse) for what is not UTF-8.
  [[nodiscard]] bool next() {
    after_space_ = false;
    for (;;) {
      std::size_t at = end_ - block_;
      if (at >= block_size) {
        load(end_);
        at = 0;
      }
      const auto spaces = static_cast<std::size_t>(std::countr_one(classes_.spaces >> at));
      if (spaces > 0) {
        after_space_ = true;
        end_ += spaces;
        if (end_ >= text_.size()) break;
        if (at + spaces == block_size) continue;
        at += spaces;
      }
      begin_ = end_;
      if (begin_ == text_.size()) break;
      if ((classes_.odd >> at & 1U) != 0) {
        if (skip_odd_space()) continue;
        read_any();
        return true;
      }
      const bool sign = (classes_.punctuation >> at & 1U) != 0;
      const auto others = (classes_.spaces | classes_.punctuation | classes_.odd) >> at;
      auto size = static_cast<std::size_t>(std::countr_zero(others));
      if (sign || !rules_.options().whole_words) size = 1;
      if (at + size >= block_size) {  // it may go on
        if (at == 0) {
          read_any();
          return true;
        }
        load(begin_);
        continue;
      }
      const bool odd = (classes_.odd >> (at + size) & 1U) != 0;
      const bool joins = rules_.options().whole_words &&
                         (memory_.block[at] == '_' || (!sign && memory_.block[at + size] == '_'));
      if (odd || joins) {
        read_any();
        return true;
      }
      key_ = memory_.block.data() + at;
      key_size_ = size;
      end_ = begin_ + size;
      return true;
    }
    begin_ = end_ = text_.size();
    return false;
  }

  /// Where the unit stands in the text, in bytes.
  [[nodiscard]] std::size_t begin() const noexcept { return begin_; }
  /// Behind its last byte.
  [[nodiscard]] std::size_t end() const noexcept { return end_; }
  /// Whether white space stands right before it.
  [[nodiscard]] bool after_space() const noexcept { return after_space_; }
  /// Its form, until the next call. 16 bytes can be read from its begin on.
  [[nodiscard]] std::string_view key() const noexcept { return {key_, key_size_}; }

 private:
  static constexpr std::size_t block_size = 64;

  /// Looks at the block that begins here; white space stands for what is behind the text.
  void load(std::size_t begin) {
    block_ = begin;
    const std::size_t size = std::min(block_size, text_.size() - begin);
    if (size == block_size) {
      classes_ =
          ascii::scan_block(text_.data() + begin, memory_.block.data(), rules_.options().fold_case);
      return;
    }
    std::array<char, block_size> rest;
    rest.fill(' ');
    if (size > 0) std::memcpy(rest.data(), text_.data() + begin, size);
    classes_ = ascii::scan_block(rest.data(), memory_.block.data(), rules_.options().fold_case);
  }

  /// White space that is not of the four characters of a block.
  [[nodiscard]] bool skip_odd_space() {
    const auto c = decode_utf8(text_, static_cast<index_t>(end_));
    if (!unicode::is_whitespace(c.code_point)) return false;
    end_ += static_cast<std::size_t>(c.length);
    after_space_ = true;
    return true;
  }

  /// Reads a unit of any characters.
  void read_any() {
    auto& key = memory_.key;
    bool simple = true;
    bool word = false;
    end_ = begin_;
    key.clear();
    while (end_ < text_.size()) {
      const auto c = decode_utf8(text_, static_cast<index_t>(end_));
      if (c.length == 0) validate_utf8(text_, "looking for phrases");
      const auto known = rules_.look_up(c.code_point);
      const auto kind = unit_rules::kind_of(known);
      if (end_ == begin_) {
        word = rules_.options().whole_words &&
               (kind == unit_rules::is_word || kind == unit_rules::extends);
      } else if (kind != unit_rules::extends && !(word && kind == unit_rules::is_word)) {
        break;
      }
      const auto one = known & unit_rules::code_point_mask;
      simple = simple && (one != 0 || c.code_point == 0);
      if (simple) append_utf8(key, one);
      end_ += static_cast<std::size_t>(c.length);
    }
    if (!simple) key = rules_.form_of(text_.substr(begin_, end_ - begin_), memory_.forming);
    key_size_ = key.size();
    key.append(16, '\0');
    key_ = key.data();
  }

  std::string_view text_;
  const unit_rules& rules_;
  workspace& memory_;
  ascii::block_classes classes_;
  const char* key_;
  std::size_t block_ = 0;  // where it begins
  std::size_t key_size_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  bool after_space_ = false;
};

}  // namespace onoma::inline ONOMA_ABI
