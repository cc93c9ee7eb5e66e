/// What a loss is compared with.
#pragma once

#include <onoma/core/config.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// The target of a row that is no part of the loss (PyTorch's `ignore_index`, transformers' label of
/// special tokens and of pieces behind a word's first).
inline constexpr std::int32_t ignored_label = -100;

/// The target of a row that should have a label of which nothing is known. A loss of each row by itself ignores it; a
/// chain runs over it, and sums over the labels that it may have.
inline constexpr std::int32_t unknown_label = -101;

/// Whether a target is the id of a label.
[[nodiscard]] constexpr bool is_known(std::int32_t target) noexcept {
  return target != ignored_label && target != unknown_label;
}

}  // namespace onoma::inline ONOMA_ABI
