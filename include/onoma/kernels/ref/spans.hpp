/// Scores of spans of words (core/span_scores.hpp), and their gradients.
#pragma once

#include <onoma/core/ragged.hpp>
#include <onoma/core/span_scores.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

namespace onoma::inline ONOMA_ABI::ref {

/// Calls f(n, w) for every span: it begins with row n and has w + 1 words.
template <class F>
void for_each_span(const sequences& batch, index_t widths, F f) {
  for (index_t b = 0; b < batch.count(); ++b) {
    for (index_t i = 0; i < batch.length(b); ++i) {
      for (index_t w = 0; w < span_widths(batch.length(b) - i, widths); ++w) f(batch.begin(b) + i, w);
    }
  }
}

/// scores [N, W L]: row n, columns w L to (w + 1) L; 0 where a span would go beyond its sequence.
template <class T>
void span_scores(const span_operands<T>& o, const sequences& batch, mat<T> scores) {
  const index_t labels = o.labels();
  for (index_t n = 0; n < scores.rows; ++n) {
    for (index_t c = 0; c < scores.cols; ++c) scores(n, c) = T(0);
  }
  for_each_span(batch, o.widths(), [&](index_t n, index_t w) {
    for (index_t l = 0; l < labels; ++l) {
      T sum = o.bias(n, l) + o.width[w * labels + l];
      for (index_t d = 0; d < o.end.cols; ++d) sum += o.begin(n, l * o.end.cols + d) * o.end(n + w, d);
      scores(n, w * labels + l) = sum;
    }
  });
}

/// From dscores [N, W L]; those of what is no span are not read.
template <class T>
void span_scores_backward(const span_operands<T>& o, const sequences& batch, mat<const T> dscores,
                          const span_gradients<T>& to) {
  const index_t labels = o.labels();
  for (const auto& m : {to.dbegin, to.dend, to.dbias}) {
    for (index_t n = 0; n < m.rows; ++n) {
      for (index_t c = 0; c < m.cols; ++c) m(n, c) = T(0);
    }
  }
  for_each_span(batch, o.widths(), [&](index_t n, index_t w) {
    for (index_t l = 0; l < labels; ++l) {
      const T ds = dscores(n, w * labels + l);
      to.dbias(n, l) += ds;
      to.dwidth[w * labels + l] += ds;
      for (index_t d = 0; d < o.end.cols; ++d) {
        const index_t column = l * o.end.cols + d;
        to.dbegin(n, column) += ds * o.end(n + w, d);
        to.dend(n + w, d) += ds * o.begin(n, column);
      }
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::ref
