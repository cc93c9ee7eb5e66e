/// What a loss is compared with.
#pragma once

#include <onoma/core/config.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI {

/// The target of a row that is no part of the loss (PyTorch's `ignore_index`, transformers' label of
/// special tokens and of pieces behind a word's first).
inline constexpr std::int32_t ignored_label = -100;

}  // namespace onoma::inline ONOMA_ABI
