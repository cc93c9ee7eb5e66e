/// Half-open ranges, and the same range of a text in the three units that programs count in.
#pragma once

#include <onoma/core/types.hpp>

namespace onoma::inline ONOMA_ABI {

/// [begin, end) of something.
struct byte_span {
  index_t begin = 0;  ///< the first place inside
  index_t end = 0;    ///< the first place behind
  /// How many places lie inside.
  [[nodiscard]] constexpr index_t size() const noexcept { return end - begin; }
  /// Whether none does.
  [[nodiscard]] constexpr bool empty() const noexcept { return begin == end; }
  /// Both ends equal.
  friend constexpr bool operator==(byte_span, byte_span) = default;
};

/// One range of a UTF-8 text: in bytes (C++), code points (Python) and UTF-16 units (JavaScript,
/// Java, Label Studio).
struct text_span {
  byte_span bytes;        ///< in bytes of the UTF-8 text
  byte_span code_points;  ///< in Unicode code points
  byte_span utf16;        ///< in UTF-16 code units
  /// Equal in all three.
  friend constexpr bool operator==(const text_span&, const text_span&) = default;
};

}  // namespace onoma::inline ONOMA_ABI
