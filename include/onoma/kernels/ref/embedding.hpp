/// Sum of word, position and token-type embeddings, and the scatter that is its backward; and rows of
/// activations by number.
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

/// y [M, H]: row i is row rows[i] of x [N, H].
template <class T>
void gather(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) {
  for (index i = 0; i < y.rows; ++i) {
    for (index h = 0; h < y.cols; ++h) y(i, h) = x(rows[i], h);
  }
}

/// y [N, H]: row rows[i] is row i of x [M, H], all others are zero.
template <class T>
void scatter(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) {
  for (index n = 0; n < y.rows; ++n) {
    for (index h = 0; h < y.cols; ++h) y(n, h) = T(0);
  }
  for (index i = 0; i < x.rows; ++i) {
    for (index h = 0; h < x.cols; ++h) y(rows[i], h) = x(i, h);
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
