/// The step that digests and hashes are made of.
#pragma once

#include <onoma/core/config.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// The halves of a 128-bit product, folded: every bit of the result depends on every bit of both (the idea of
/// wyhash, Wang Yi 2019).
[[nodiscard]] inline std::uint64_t fold_product(std::uint64_t a, std::uint64_t b) {
#if defined(__SIZEOF_INT128__)
  __extension__ using wide = unsigned __int128;
  const wide product = static_cast<wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
#else
  const std::uint64_t low_a = a & 0xFFFFFFFFU, high_a = a >> 32, low_b = b & 0xFFFFFFFFU, high_b = b >> 32;
  const std::uint64_t cross = high_a * low_b + (low_a * low_b >> 32);
  const std::uint64_t middle = low_a * high_b + (cross & 0xFFFFFFFFU);
  return (a * b) ^ (high_a * high_b + (cross >> 32) + (middle >> 32));
#endif
}

}  // namespace onoma::inline ONOMA_ABI
