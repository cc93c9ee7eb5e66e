/// Half-open ranges, and the same range of a text in the three units that programs count in.
#pragma once

#include <onoma/core/types.hpp>

namespace onoma::inline ONOMA_ABI {

/// [begin, end) of something.
struct byte_span {
  index begin = 0;
  index end = 0;
  [[nodiscard]] constexpr index size() const noexcept { return end - begin; }
  [[nodiscard]] constexpr bool empty() const noexcept { return begin == end; }
  friend constexpr bool operator==(byte_span, byte_span) = default;
};

/// One range of a UTF-8 text: in bytes (C++), code points (Python) and UTF-16 units (JavaScript,
/// Java, Label Studio).
struct text_span {
  byte_span bytes;
  byte_span code_points;
  byte_span utf16;
  friend constexpr bool operator==(const text_span&, const text_span&) = default;
};

}  // namespace onoma::inline ONOMA_ABI
