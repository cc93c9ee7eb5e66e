/// The attention bias of relative positions on the CPU: kernels read and add to it by distance.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/exec/executor.hpp>

#include <array>
#include <cstddef>

namespace onoma::inline ONOMA_ABI::cpu {

/// The bias of each head by distance, divided by the scale since kernels add it to the products:
/// [A, 2 longest], distance d of head a at (a, longest + d).
inline void expand_bias(const attention_shape<float>& shape, float* expanded) {
  const index_t longest = shape.keys.longest;
  for (index_t d = 1 - longest; d < longest; ++d) {
    const float* row = shape.bias.row_data(relative_position_bucket(d));
    for (index_t a = 0; a < shape.heads; ++a) {
      expanded[(2 * a + 1) * longest + d] = row[a] / shape.scale;
    }
  }
}

/// The reverse for gradients [A, 2 S], distance d of a sequence of n keys from `first` on at
/// (a, 2 first + n + d). Each head is a column of its own, so heads are tasks.
inline void add_bias_gradient(const attention_shape<float>& shape, index_t keys,
                              const float* by_distance, mat<float> dbias, executor_ref executor) {
  executor.parallel_for(shape.heads, [&](index_t a) {
    std::array<double, relative_position_buckets> sums{};
    for (index_t b = 0; b < shape.keys.count(); ++b) {
      const index_t length = shape.keys.length(b);
      const float* center = by_distance + 2 * (a * keys + shape.keys.begin(b)) + length;
      for (index_t d = 1 - length; d < length; ++d) {
        sums[static_cast<std::size_t>(relative_position_bucket(d))] +=
            static_cast<double>(center[d]);
      }
    }
    for (index_t k = 0; k < relative_position_buckets; ++k) {
      dbias(k, a) += static_cast<float>(sums[static_cast<std::size_t>(k)]) / shape.scale;
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
