/// The learning rate as a function of the step.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>

namespace onoma::inline ONOMA_ABI {

/// What the learning rate does after the warm-up.
enum class decay { linear, constant };

/// Linear from 0 to `learning_rate` over the warm-up, then linear to 0 at `total_steps`, or
/// constant. Step 0 is the first update; with a warm-up its rate is 0.
/// Source: transformers, optimization.py, get_linear_schedule_with_warmup.
struct schedule {
  double learning_rate = 5e-5;         ///< the highest
  index_t warmup_steps = 0;              ///< steps in which the rate rises
  index_t total_steps = 0;               ///< where a linear decay ends
  decay after_warmup = decay::linear;  ///< what follows

  /// The rate of the update that follows `step` others.
  [[nodiscard]] double operator()(index_t step) const {
    const auto ratio = [](index_t a, index_t b) {
      return static_cast<double>(a) / static_cast<double>(std::max<index_t>(b, 1));
    };
    if (step < warmup_steps) return learning_rate * ratio(step, warmup_steps);
    if (after_warmup == decay::constant) return learning_rate;
    return learning_rate * std::max(0.0, ratio(total_steps - step, total_steps - warmup_steps));
  }
};

}  // namespace onoma::inline ONOMA_ABI
