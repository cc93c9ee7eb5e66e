/// Linear layer: y = x w^T + b, and its two backward products.
#pragma once

#include <onoma/core/view.hpp>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, M] = x [N, K] w^T + bias, with w [M, K] as checkpoints store it; bias [M] may be null.
template <class T>
void linear(mat<const T> x, mat<const T> w, vec<const T> bias, mat<T> y) {
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t m = 0; m < w.rows; ++m) {
      T sum = bias ? bias[m] : T(0);
      for (index_t k = 0; k < w.cols; ++k) sum += x(n, k) * w(m, k);
      y(n, m) = sum;
    }
  }
}

/// dx [N, K] = dy [N, M] w, added to what dx holds if `accumulate`.
template <class T>
void linear_dx(mat<const T> dy, mat<const T> w, bool accumulate, mat<T> dx) {
  for (index_t n = 0; n < dy.rows; ++n) {
    for (index_t k = 0; k < w.cols; ++k) {
      T sum = accumulate ? dx(n, k) : T(0);
      for (index_t m = 0; m < w.rows; ++m) sum += dy(n, m) * w(m, k);
      dx(n, k) = sum;
    }
  }
}

/// dw [M, K] += dy^T x and db [M] += column sums of dy; db may be null.
template <class T>
void linear_dw(mat<const T> x, mat<const T> dy, mat<T> dw, vec<T> db) {
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t m = 0; m < dy.cols; ++m) {
      for (index_t k = 0; k < x.cols; ++k) dw(m, k) += dy(n, m) * x(n, k);
      if (db) db[m] += dy(n, m);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
