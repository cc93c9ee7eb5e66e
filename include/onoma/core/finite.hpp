/// Whether numbers are finite, in any of the formats that files store.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/core/types.hpp>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Whether no exponent is all ones: NaN and infinity (IEEE 754). Looks at bits, so that no flag of a compiler
/// that promises finite numbers makes it true. At any alignment.
template <class Bits>
[[nodiscard]] inline bool has_finite_exponents(const std::byte* from, index_t count, Bits exponent) noexcept {
  constexpr index_t block = 512;  // in which the loop has no exit, so that compilers make vectors of it
  for (index_t i = 0; i < count; i += block) {
    const index_t here = count - i < block ? count - i : block;
    Bits bad = 0;
    for (index_t j = 0; j < here; ++j) {
      Bits bits;
      std::memcpy(&bits, from + (i + j) * static_cast<index_t>(sizeof(Bits)), sizeof(Bits));
      bad = static_cast<Bits>(bad | static_cast<Bits>((bits & exponent) == exponent));
    }
    if (bad != 0) return false;
  }
  return true;
}
[[nodiscard]] inline bool are_finite(const std::byte* from, index_t count, dtype type) noexcept {
  switch (type) {
    case dtype::f32: return has_finite_exponents<std::uint32_t>(from, count, 0x7F800000U);
    case dtype::f64: return has_finite_exponents<std::uint64_t>(from, count, 0x7FF0000000000000U);
    case dtype::f16: return has_finite_exponents<std::uint16_t>(from, count, std::uint16_t{0x7C00U});
    case dtype::bf16: return has_finite_exponents<std::uint16_t>(from, count, std::uint16_t{0x7F80U});
    default: return true;  // integers
  }
}

}  // namespace detail

/// Whether all of them are finite.
[[nodiscard]] inline bool all_finite(std::span<const float> values) noexcept {
  return detail::are_finite(reinterpret_cast<const std::byte*>(values.data()), static_cast<index_t>(values.size()),
                            dtype::f32);
}
/// Whether all of them are finite.
[[nodiscard]] inline bool all_finite(std::span<const double> values) noexcept {
  return detail::are_finite(reinterpret_cast<const std::byte*>(values.data()), static_cast<index_t>(values.size()),
                            dtype::f64);
}
/// Whether all numbers of a stored matrix are finite. Integers are.
[[nodiscard]] inline bool all_finite(const stored_matrix& m) noexcept {
  return detail::are_finite(m.data, m.size(), m.type);
}

/// For messages: the first number that is not finite and where, as "NaN at row 3, column 17"; nothing if there
/// is none.
[[nodiscard]] inline std::optional<std::string> find_not_finite(const stored_matrix& m) {
  for (index_t i = 0; i < m.size(); ++i) {
    if (detail::are_finite(m.data + i * size_of(m.type), 1, m.type)) continue;
    double value = 0.0;
    convert(m, i, 1, &value);
    return std::string(value != value ? "NaN" : value > 0 ? "infinity" : "-infinity") + " at row " +
           std::to_string(i / m.cols) + ", column " + std::to_string(i % m.cols);
  }
  return std::nullopt;
}

/// @throws onoma::error (format) with the place, if a number of `m`, which `what` names, is not finite.
inline void refuse_not_finite(const std::string& what, const stored_matrix& m) {
  if (all_finite(m)) return;
  fail(error_code::format, what, "finite numbers", find_not_finite(m).value_or("others"));
}
/// Of a whole tensor of floats.
inline void refuse_not_finite(const std::string& what, std::span<const float> values) {
  refuse_not_finite(what, {reinterpret_cast<const std::byte*>(values.data()), dtype::f32, 1,
                           static_cast<index_t>(values.size()), nullptr});
}

}  // namespace onoma::inline ONOMA_ABI
