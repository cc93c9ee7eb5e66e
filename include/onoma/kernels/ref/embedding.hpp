/// Sum of word, position and token-type embeddings, and the scatter that is its backward; and rows of
/// activations by number.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/view.hpp>

#include <cstdint>
#include <type_traits>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, H] = word[w_n] + type[t_n] + position[p_n], in BERT's order of additions, of the tables that are
/// not null; null rows of types mean row 0.
template <class T>
void embed(const embedding_rows& rows, const embedding_tables<const T>& tables, mat<T> y) {
  for (index_t n = 0; n < y.rows; ++n) {
    for (index_t h = 0; h < y.cols; ++h) {
      T sum = tables.word(rows.word[n], h);
      if (tables.type) sum += tables.type(rows.type ? rows.type[n] : 0, h);
      if (tables.position) sum += tables.position(rows.position[n], h);
      y(n, h) = sum;
    }
  }
}

/// Each row of dy [N, H] is added to the gradient rows that it was the sum of, which become used.
template <class T>
void embed_backward(const embedding_rows& rows, std::type_identity_t<mat<const T>> dy,
                    const embedding_gradients<T>& gradients) {
  const auto add_to = [&](const table_gradient<T>& table, vec<const std::int32_t> targets) {
    if (!table.values) return;
    for (index_t n = 0; n < dy.rows; ++n) {
      const index_t row = targets ? targets[n] : 0;
      for (index_t h = 0; h < dy.cols; ++h) table.values(row, h) += dy(n, h);
      if (table.used) table.used[row] = 1;
    }
  };
  add_to(gradients.word, rows.word);
  add_to(gradients.position, rows.position);
  add_to(gradients.type, rows.type);
}

/// y [M, H]: row i is row rows[i] of x [N, H].
template <class T>
void gather(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) {
  for (index_t i = 0; i < y.rows; ++i) {
    for (index_t h = 0; h < y.cols; ++h) y(i, h) = x(rows[i], h);
  }
}

/// y [N, H]: row rows[i] is row i of x [M, H], all others are zero.
template <class T>
void scatter(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) {
  for (index_t n = 0; n < y.rows; ++n) {
    for (index_t h = 0; h < y.cols; ++h) y(n, h) = T(0);
  }
  for (index_t i = 0; i < x.rows; ++i) {
    for (index_t h = 0; h < x.cols; ++h) y(rows[i], h) = x(i, h);
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
