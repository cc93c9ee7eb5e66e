/// SentencePiece's compiled normalisation rules: a trie of character sequences and what they become.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/aligned_text.hpp>
#include <onoma/text/unicode/graphemes.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The `precompiled_charsmap` of a SentencePiece model, as Hugging Face applies it (tokenizers,
/// normalizers/precompiled.rs; crate spm_precompiled): grapheme clusters of less than 6 bytes are
/// looked up as a whole, the characters of others one by one. Of what is looked up the shortest
/// beginning that the rules know decides, and all of it is replaced. SentencePiece itself replaces the
/// longest match, whatever the clusters; models on the Hub are used with Hugging Face's rule.
///
/// Format: the trie's size in bytes (32 bits, little-endian); the units of the trie (Darts-clone's double
/// array); texts that end with a zero byte.
class charsmap {
 public:
  /// @throws onoma::error (format) if sizes do not fit or the texts are not UTF-8. Units that lead out of
  /// the trie or the texts match nothing.
  explicit charsmap(std::string_view bytes) {
    const auto refuse = [](const char* expected, std::size_t found) {
      fail(error_code::format, "precompiled charsmap", expected, std::to_string(found) + " bytes");
    };
    if (bytes.size() < 4) refuse("at least 4 bytes", bytes.size());
    const std::size_t size = read_unit(bytes, 0);
    bytes.remove_prefix(4);
    if (size == 0 || size % 4 != 0 || size > bytes.size()) {
      refuse("a trie of 4 n bytes, n > 0, that is there as a whole", size);
    }
    units_.resize(size / 4);
    for (std::size_t i = 0; i < units_.size(); ++i) units_[i] = read_unit(bytes, 4 * i);
    texts_ = bytes.substr(size);
    validate_utf8(texts_, "precompiled charsmap: texts");

    fill_classes();
    for (std::size_t c = 0; c < plain_.size(); ++c) {
      const char byte = static_cast<char>(c);
      plain_[c] = c < 0x80 && byte != '\r' && byte != '\n' && !find({&byte, 1});
    }
  }

  /// Rewrites `in`. Origins are as Hugging Face's alignments: what a sequence becomes stands for its
  /// characters in order; more stand for its last one; if it becomes nothing, nothing stands for it,
  /// and at the begin of a text all that follows stands for characters too far left.
  /// @throws onoma::error (out_of_range) if the text grows without measure.
  void normalize(const aligned_text& in, aligned_text& out) const {
    writer to(in, out);
    const std::string_view text = in.bytes;
    for (std::size_t i = 0; i < text.size();) {
      // A cluster begins here. ASCII characters that nothing is known of are copied; the last one may have
      // marks behind it.
      std::size_t end = i;
      while (end < text.size() && plain_[static_cast<unsigned char>(text[end])]) ++end;
      const bool marks = end < text.size() && static_cast<unsigned char>(text[end]) >= 0x80U;
      if (marks && end > i) --end;
      to.copy(i, end);
      i = end;
      if (i == text.size()) break;
      end = cluster_end(text, i);
      rewrite_cluster(text, i, end, to);
      i = end;
    }
  }

  /// What the shortest known beginning of a text becomes.
  [[nodiscard]] std::optional<std::string_view> find(std::string_view text) const {
    std::uint32_t at = offset(units_[0]);
    for (const char byte : text) {
      if (byte == '\0') break;
      const auto label = static_cast<unsigned char>(byte);
      at ^= label;
      if (at >= units_.size() || (units_[at] & label_mask) != label) break;
      const bool has_leaf = (units_[at] >> 8 & 1U) != 0;
      at ^= offset(units_[at]);
      if (!has_leaf) continue;
      if (at >= units_.size()) break;
      const std::size_t begin = units_[at] & 0x7FFFFFFFU;
      const bool inside = begin < texts_.size() && !is_continuation(texts_[begin]);
      // Nothing may stand at the very end, without a zero.
      if (!inside && begin != texts_.size()) break;
      return std::string_view(texts_).substr(begin, texts_.find('\0', begin) - begin);
    }
    return std::nullopt;
  }

 private:
  static constexpr std::uint32_t label_mask = 0x800000FFU;
  static constexpr std::uint32_t table_size = 0x10000U;
  static constexpr std::size_t longest_cluster = 5;

  [[nodiscard]] static std::uint32_t read_unit(std::string_view bytes, std::size_t at) {
    std::uint32_t unit = 0;
    for (std::size_t i = 4; i-- > 0;) {
      unit = unit << 8 | static_cast<unsigned char>(bytes[at + i]);
    }
    return unit;
  }
  [[nodiscard]] static std::uint32_t offset(std::uint32_t unit) {
    return (unit >> 10) << ((unit & 0x200U) >> 6);
  }

  /// Writes the new text from left to right. `at_` is how much of the old one it stands for so far.
  class writer {
   public:
    writer(const aligned_text& in, aligned_text& out)
        : in_(in), out_(out), limit_(largest_growth(in.bytes.size())) {
      out.clear();
      out.base = in.base;
    }
    /// Bytes [begin, end) as they are.
    void copy(std::size_t begin, std::size_t end) {
      if (begin == end) return;
      last_is_new_ = false;
      if (at_ == begin) {
        out_.append(in_, begin, end);
        at_ = end;
        return;
      }
      for (std::size_t i = begin; i < end;) {
        const auto c = decode_utf8(in_.bytes, static_cast<index_t>(i));
        out_.push(c.code_point, origin(at_));
        advance(1);
        i += static_cast<std::size_t>(c.length);
      }
    }
    /// `count` characters become `text`.
    void replace(std::size_t count, std::string_view text) {
      if (text.empty()) {
        remove(count);
        return;
      }
      if (text.size() > limit_ || out_.bytes.size() > limit_ - text.size()) {
        fail(error_code::out_of_range, "precompiled charsmap",
             "a text of at most " + std::to_string(limit_) + " bytes", "more");
      }
      std::size_t characters = 0;
      for (index_t i = 0; i < static_cast<index_t>(text.size()); ++characters) {
        const auto c = decode_utf8(text, i);
        const bool is_new = characters >= count;
        last_begin_ = out_.bytes.size();
        out_.push(c.code_point, origin(is_new ? at_ - 1 : at_));
        if (!is_new) advance(1);
        i += c.length;
      }
      last_is_new_ = characters > count;
      if (characters < count) advance(count - characters);
    }

   private:
    /// A character that was new takes the place of the first one that is removed behind it.
    void remove(std::size_t count) {
      if (out_.bytes.empty()) return;
      if (last_is_new_) {
        const auto from = origin(at_);
        std::fill(out_.origin.begin() + static_cast<std::ptrdiff_t>(last_begin_), out_.origin.end(), from);
      }
      last_is_new_ = false;
      advance(count);
    }
    void advance(std::size_t characters) {
      for (; characters > 0 && at_ < in_.bytes.size(); --characters) {
        at_ += static_cast<std::size_t>(decode_utf8(in_.bytes, static_cast<index_t>(at_)).length);
      }
    }
    [[nodiscard]] byte_span origin(std::size_t at) const {
      return in_.origin[std::min(at, in_.origin.size() - 1)];
    }

    const aligned_text& in_;
    aligned_text& out_;
    std::size_t limit_;
    std::size_t at_ = 0;
    std::size_t last_begin_ = 0;  // of the last character that was written
    bool last_is_new_ = false;    // it stands for no character of its own
  };

  void fill_classes() {
    classes_.resize(table_size);
    for (const auto& range : unicode::segmentation_table()) {
      for (auto c = range.first; c <= range.last && c < table_size; ++c) classes_[c] = range.grapheme;
    }
    for (std::uint32_t c = 0xAC00U; unicode::is_hangul_syllable(c); ++c) {
      classes_[c] = unicode::find_segmentation(c).grapheme;
    }
  }
  [[nodiscard]] unicode::grapheme_class class_of(std::uint32_t c) const {
    return c < table_size ? classes_[c] : unicode::find_segmentation(c).grapheme;
  }

  [[nodiscard]] std::size_t cluster_end(std::string_view text, std::size_t begin) const {
    grapheme_state state;
    std::size_t end = begin;
    while (end < text.size()) {
      const auto c = decode_utf8(text, static_cast<index_t>(end));
      if (state.begins(class_of(c.code_point)) && end > begin) break;
      end += static_cast<std::size_t>(c.length);
    }
    return end;
  }

  void rewrite_cluster(std::string_view text, std::size_t begin, std::size_t end, writer& to) const {
    if (end - begin <= longest_cluster) {
      const auto cluster = text.substr(begin, end - begin);
      if (const auto found = find(cluster)) {
        const auto continued = std::count_if(cluster.begin(), cluster.end(), is_continuation);
        to.replace(cluster.size() - static_cast<std::size_t>(continued), *found);
        return;
      }
    }
    for (std::size_t i = begin; i < end;) {
      const auto length = static_cast<std::size_t>(decode_utf8(text, static_cast<index_t>(i)).length);
      if (const auto found = find(text.substr(i, length))) {
        to.replace(1, *found);
      } else {
        to.copy(i, i + length);
      }
      i += length;
    }
  }

  std::vector<std::uint32_t> units_;
  std::string texts_;
  std::vector<unicode::grapheme_class> classes_;  // of code points below table_size
  std::array<bool, 256> plain_{};                 // ASCII characters that stay if nothing joins them
};

}  // namespace onoma::inline ONOMA_ABI
