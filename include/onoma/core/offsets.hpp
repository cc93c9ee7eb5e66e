/// Places of a UTF-8 text in bytes, code points and UTF-16 units, and the way from one to another.
#pragma once

#include <onoma/core/ascii.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Turns places in bytes of a text into places in code points (Python, Rust's chars) and UTF-16 units
/// (JavaScript, Java), and back. It keeps one entry per non-ASCII code point, so that ASCII text costs
/// nothing to look up. A place is where a code point begins, or the end of the text.
class offset_map {
 public:
  /// @throws onoma::error (parse) if the text is not UTF-8.
  explicit offset_map(std::string_view text) : size_(static_cast<index_t>(text.size())) {
    index_t code_points = 0;
    index_t utf16 = 0;
    for (index_t i = 0; i < size_;) {
      const auto at = static_cast<std::size_t>(i);
      const auto plain = static_cast<index_t>(ascii::ascii_prefix(text.data() + at, text.size() - at));
      if (plain > 0) {
        i += plain;
        code_points += plain;
        utf16 += plain;
        continue;
      }
      const auto c = decode_utf8(text, i);
      if (c.length == 0) validate_utf8(text, "offset_map");
      i += c.length;
      code_points += 1;
      utf16 += c.code_point >= 0x10000U ? 2 : 1;
      if (c.length > 1) marks_.push_back({i, i - code_points, i - utf16});
    }
  }

  /// Bytes, code points and UTF-16 units of the whole text.
  /// Bytes of the whole text.
  [[nodiscard]] index_t bytes() const noexcept { return size_; }
  /// Code points of the whole text.
  [[nodiscard]] index_t code_points() const { return code_point_at(size_); }
  /// UTF-16 units of the whole text.
  [[nodiscard]] index_t utf16_units() const { return utf16_at(size_); }

  /// How many code points begin before this byte.
  [[nodiscard]] index_t code_point_at(index_t byte) const { return byte - before(byte).code_points; }
  /// How many UTF-16 units the text before this byte has.
  [[nodiscard]] index_t utf16_at(index_t byte) const { return byte - before(byte).utf16; }
  /// A range of bytes in all three units.
  [[nodiscard]] text_span span(byte_span bytes) const {
    return {bytes,
            {code_point_at(bytes.begin), code_point_at(bytes.end)},
            {utf16_at(bytes.begin), utf16_at(bytes.end)}};
  }

  /// The byte where this code point begins. @throws onoma::error (out_of_range) outside of the text.
  [[nodiscard]] index_t byte_of_code_point(index_t place) const {
    return byte_of(place, code_points(), &mark::code_points, "a code point");
  }
  /// The byte where this UTF-16 unit begins. @throws onoma::error (out_of_range) outside of the text and
  /// between the two units of one code point.
  [[nodiscard]] index_t byte_of_utf16(index_t place) const {
    return byte_of(place, utf16_units(), &mark::utf16, "a UTF-16 unit");
  }

 private:
  /// From `byte` on, positions are smaller than bytes by these amounts.
  struct mark {
    index_t byte = 0;
    index_t code_points = 0;
    index_t utf16 = 0;
  };

  [[nodiscard]] mark before(index_t byte) const {
    const auto next = std::upper_bound(marks_.begin(), marks_.end(), byte,
                                       [](index_t b, const mark& m) { return b < m.byte; });
    return next == marks_.begin() ? mark{} : *(next - 1);
  }

  [[nodiscard]] index_t byte_of(index_t place, index_t end, index_t mark::*smaller, const char* what) const {
    const auto next = std::upper_bound(marks_.begin(), marks_.end(), place,
                                       [=](index_t p, const mark& m) { return p < m.byte - m.*smaller; });
    const index_t byte = place + (next == marks_.begin() ? 0 : (*(next - 1)).*smaller);
    // What follows is the code point that ends where the next mark stands, or ASCII before it.
    const bool splits = next != marks_.end() && byte > next->byte - length_of(next);
    if (place < 0 || place > end || splits) {
      fail(error_code::out_of_range, "offset_map", std::string("the place of ") + what + " of a text of " +
           std::to_string(end), std::to_string(place) + (splits ? ", inside of a code point" : ""));
    }
    return byte;
  }
  /// Bytes of the code point that ends at a mark.
  [[nodiscard]] index_t length_of(std::vector<mark>::const_iterator at) const {
    const index_t before = at == marks_.begin() ? 0 : (at - 1)->code_points;
    return at->code_points - before + 1;
  }

  index_t size_ = 0;
  std::vector<mark> marks_;
};

/// Ranges of bytes of a valid UTF-8 text in all three units, in one walk over the text: as those of `offset_map`,
/// with memory for the ranges alone.
[[nodiscard]] inline std::vector<text_span> spans_of(std::string_view text, std::span<const byte_span> ranges) {
  std::vector<text_span> spans(ranges.size());
  struct place {
    index_t byte;
    std::size_t of;
    bool is_end;
  };
  std::vector<place> places;
  places.reserve(2 * ranges.size());
  for (std::size_t i = 0; i < ranges.size(); ++i) {
    spans[i].bytes = ranges[i];
    places.push_back({ranges[i].begin, i, false});
    places.push_back({ranges[i].end, i, true});
  }
  std::sort(places.begin(), places.end(), [](const place& a, const place& b) { return a.byte < b.byte; });
  index_t at = 0;
  index_t code_points = 0;
  index_t utf16 = 0;
  for (const auto& next : places) {
    while (at < next.byte) {
      const auto from = static_cast<std::size_t>(at);
      const auto rest = static_cast<std::size_t>(next.byte - at);
      const auto plain = static_cast<index_t>(ascii::ascii_prefix(text.data() + from, rest));
      const auto c = plain > 0 ? decoded{} : decode_utf8(text, at);
      if (at + c.length > next.byte) break;  // inside of a code point: its bytes count, as in `offset_map`
      at += plain > 0 ? plain : c.length;
      code_points += plain > 0 ? plain : 1;
      utf16 += plain > 0 ? plain : c.code_point >= 0x10000U ? 2 : 1;
    }
    auto& span = spans[next.of];
    (next.is_end ? span.code_points.end : span.code_points.begin) = code_points + (next.byte - at);
    (next.is_end ? span.utf16.end : span.utf16.begin) = utf16 + (next.byte - at);
  }
  return spans;
}

}  // namespace onoma::inline ONOMA_ABI
