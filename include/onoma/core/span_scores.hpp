/// Operands of span scores: one score for each label of each span of words, up to a width.
///
/// A span begins with word n of a sequence and has w + 1 words, all of that sequence. Its score for label l is
/// begin[n, l] . end[n + w] + bias[n, l] + width[w, l]: with begin, end and bias linear in what an encoder says of
/// words, a biaffine form of both its ends.
/// Source: Dozat and Manning, ICLR 2017; Yu, Bohnet and Poesio, "Named entity recognition as dependency parsing",
/// ACL 2020. Both score all pairs of words.
///
/// Shape alphabet: N words of all sequences together, B sequences, L labels, W widths, D elements of a word.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <algorithm>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// What spans are scored from.
template <class T>
struct span_operands {
  mat<const T> begin;  ///< [N, L D] of the first word: D elements for each label
  mat<const T> end;    ///< [N, D] of the last word
  mat<const T> bias;   ///< [N, L] of the first word
  vec<const T> width;  ///< [W L] of the number of words

  /// L
  [[nodiscard]] index_t labels() const noexcept { return bias.cols; }
  /// W
  [[nodiscard]] index_t widths() const noexcept { return bias.cols > 0 ? width.size / bias.cols : 0; }
};

/// Their gradients: the first three are set, that of widths accumulates.
template <class T>
struct span_gradients {
  mat<T> dbegin;  ///< [N, L D]
  mat<T> dend;    ///< [N, D]
  mat<T> dbias;   ///< [N, L]
  vec<T> dwidth;  ///< [W L]
};

/// How many widths spans that begin with a word have: as many as words are left, itself included, W at most.
[[nodiscard]] constexpr index_t span_widths(index_t words_left, index_t widths) noexcept {
  return std::min(words_left, widths);
}

/// Looks at the extents of operands and of `scores` [N, W L]. @throws onoma::error (shape_mismatch).
template <class T, class U>
void check_span_shapes(const span_operands<T>& o, mat<U> scores) {
  const index_t labels = o.labels();
  const bool fit = labels > 0 && o.widths() * labels == o.width.size && o.width.size > 0 &&
                   o.begin.cols == labels * o.end.cols && o.begin.rows == o.end.rows && o.bias.rows == o.end.rows &&
                   scores.rows == o.end.rows && scores.cols == o.width.size;
  if (fit) return;
  const auto shape = [](index_t rows, index_t cols) { return std::to_string(rows) + " x " + std::to_string(cols); };
  fail(error_code::shape_mismatch, "span scores",
       "begin [N, L D], end [N, D], bias [N, L], width [W L], scores [N, W L]",
       shape(o.begin.rows, o.begin.cols) + ", " + shape(o.end.rows, o.end.cols) + ", " +
           shape(o.bias.rows, o.bias.cols) + ", " + std::to_string(o.width.size) + ", " +
           shape(scores.rows, scores.cols));
}

}  // namespace onoma::inline ONOMA_ABI
