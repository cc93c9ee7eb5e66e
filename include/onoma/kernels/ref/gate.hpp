/// The gate of gated feed-forward blocks.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/activation.hpp>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, F] = act(pre[:, :F]) pre[:, F:] for pre [N, 2F], the input and its gate.
/// Source: Shazeer, "GLU variants improve transformer", arXiv 2002.05202, equation 5; the halves in
/// the order of transformers' ModernBertMLP.
template <class T>
void gate(mat<const T> pre, activation function, mat<T> y) {
  for (index_t n = 0; n < y.rows; ++n) {
    for (index_t f = 0; f < y.cols; ++f) {
      y(n, f) = apply(function, T(pre(n, f))) * pre(n, y.cols + f);
    }
  }
}

/// dpre[:, :F] = dy pre[:, F:] act'(pre[:, :F]);  dpre[:, F:] = dy act(pre[:, :F])
template <class T>
void gate_backward(mat<const T> pre, activation function, mat<const T> dy, mat<T> dpre) {
  for (index_t n = 0; n < dy.rows; ++n) {
    for (index_t f = 0; f < dy.cols; ++f) {
      const T x = pre(n, f);
      dpre(n, f) = dy(n, f) * pre(n, dy.cols + f) * derivative(function, x);
      dpre(n, dy.cols + f) = dy(n, f) * apply(function, x);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
