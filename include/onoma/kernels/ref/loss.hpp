/// Softmax over labels, and cross-entropy with ignored rows.
#pragma once

#include <onoma/core/targets.hpp>
#include <onoma/core/view.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::ref {

/// y [N, L]: exp(x - largest) / sum, row by row.
template <class T>
void softmax(mat<const T> x, mat<T> y) {
  using std::exp;
  for (index_t n = 0; n < x.rows; ++n) {
    T largest = x(n, 0);
    for (index_t l = 1; l < x.cols; ++l) {
      if (x(n, l) > largest) largest = x(n, l);
    }
    T sum = T(0);
    for (index_t l = 0; l < x.cols; ++l) {
      y(n, l) = exp(x(n, l) - largest);
      sum += y(n, l);
    }
    for (index_t l = 0; l < x.cols; ++l) y(n, l) = y(n, l) / sum;
  }
}

/// The sum over labelled rows of log(sum exp(logits)) - logits[label]; `count` is set to how many
/// there are. dlogits [N, L] = scale (softmax - onehot), 0 in ignored rows; null: not wanted.
/// Rows are summed in `Sum`, double where T is a plain number (torch.nn.CrossEntropyLoss with
/// ignore_index = -100 divides by the count).
template <class Sum, class T>
[[nodiscard]] Sum softmax_cross_entropy(mat<const T> logits, vec<const std::int32_t> labels,
                                        T scale, mat<T> dlogits, index_t& count) {
  using std::exp;
  using std::log;
  Sum total = Sum(0);
  count = 0;
  for (index_t n = 0; n < logits.rows; ++n) {
    if (labels[n] == ignored_label) {
      if (dlogits) {
        for (index_t l = 0; l < logits.cols; ++l) dlogits(n, l) = T(0);
      }
      continue;
    }
    T largest = logits(n, 0);
    for (index_t l = 1; l < logits.cols; ++l) {
      if (logits(n, l) > largest) largest = logits(n, l);
    }
    T sum = T(0);
    for (index_t l = 0; l < logits.cols; ++l) sum += exp(logits(n, l) - largest);
    const T lse = largest + log(sum);
    total += Sum(lse - logits(n, labels[n]));
    ++count;
    if (dlogits) {
      for (index_t l = 0; l < logits.cols; ++l) {
        const T p = exp(logits(n, l) - lse);
        dlogits(n, l) = scale * (l == labels[n] ? p - T(1) : p);
      }
    }
  }
  return total;
}

}  // namespace onoma::inline ONOMA_ABI::ref
