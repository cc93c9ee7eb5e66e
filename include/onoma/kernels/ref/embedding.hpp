/// Sum of word, position and token-type embeddings, and the scatter that is its backward.
#pragma once

#include <onoma/core/view.hpp>

#include <cstdint>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, H] = word[w_n] + type[t_n] + position[p_n], in BERT's order of additions. `type` may be a
/// null table (no token types); null `types` mean row 0.
template <class T>
void embed(vec<const std::int32_t> words, vec<const std::int32_t> positions,
           vec<const std::int32_t> types, mat<const T> word, mat<const T> position,
           mat<const T> type, mat<T> y) {
  for (index n = 0; n < y.rows; ++n) {
    const index t = types ? types[n] : 0;
    for (index h = 0; h < y.cols; ++h) {
      T sum = word(words[n], h);
      if (type) sum += type(t, h);
      y(n, h) = sum + position(positions[n], h);
    }
  }
}

/// Each row of dy [N, H] is added to the three gradient rows that it was the sum of.
template <class T>
void embed_backward(vec<const std::int32_t> words, vec<const std::int32_t> positions,
                    vec<const std::int32_t> types, mat<const T> dy, mat<T> dword,
                    mat<T> dposition, mat<T> dtype) {
  for (index n = 0; n < dy.rows; ++n) {
    const index t = types ? types[n] : 0;
    for (index h = 0; h < dy.cols; ++h) {
      dword(words[n], h) += dy(n, h);
      dposition(positions[n], h) += dy(n, h);
      if (dtype) dtype(t, h) += dy(n, h);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
