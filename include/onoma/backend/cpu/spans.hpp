/// Scores of spans on the CPU: words as tasks.
#pragma once

#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/span_scores.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>

namespace onoma::inline ONOMA_ABI::cpu {

/// f(n, before, left) for every word: how many words its sequence has before row n, and from it on.
template <class F>
void for_each_word(const workbench& own, const sequences& batch, F f) {
  own.for_rows(batch.tokens(), [&](index_t first, index_t count) {
    const auto& offsets = batch.offsets;
    index_t b = std::upper_bound(offsets.begin(), offsets.end(), first) - offsets.begin() - 1;
    for (index_t n = first; n < first + count; ++n) {
      while (batch.offsets[b + 1] <= n) ++b;
      f(n, n - batch.begin(b), batch.offsets[b + 1] - n);
    }
  });
}

/// Each word's row is one task.
inline void span_scores(const workbench& own, const span_operands<float>& o, const sequences& batch,
                        mat<float> scores) {
  for_each_word(own, batch, [&](index_t n, index_t /*before*/, index_t left) {
    span_scores_call call;
    call.labels = o.labels();
    call.size = o.end.cols;
    call.widths = span_widths(left, o.widths());
    call.begin = o.begin.row_data(n);
    call.end = o.end.row_data(n);
    call.end_stride = o.end.stride;
    call.bias = o.bias.row_data(n);
    call.width = o.width.data;
    call.scores = scores.row_data(n);
    own.kernels->span_scores(call);
    std::fill(scores.row_data(n) + call.widths * call.labels, scores.row_data(n) + scores.cols, 0.0F);
  });
}

/// A word's gradients are one task; those of widths are sums over all words, split over columns.
inline void span_scores_backward(const workbench& own, const span_operands<float>& o, const sequences& batch,
                                 mat<const float> dscores, const span_gradients<float>& to) {
  for_each_word(own, batch, [&](index_t n, index_t before, index_t left) {
    span_scores_backward_call call;
    call.labels = o.labels();
    call.size = o.end.cols;
    call.widths = span_widths(left, o.widths());
    call.widths_before = span_widths(before + 1, o.widths());
    call.begin = o.begin.row_data(n);
    call.begin_stride = o.begin.stride;
    call.end = o.end.row_data(n);
    call.end_stride = o.end.stride;
    call.dscores = dscores.row_data(n);
    call.dscores_stride = dscores.stride;
    call.dbegin = to.dbegin.row_data(n);
    call.dend = to.dend.row_data(n);
    call.dbias = to.dbias.row_data(n);
    own.kernels->span_scores_backward(call);
  });
  own.for_rows(
      o.widths(),
      [&](index_t first, index_t count) {
        for (index_t b = 0; b < batch.count(); ++b) {
          for (index_t w = first; w < std::min(first + count, batch.length(b)); ++w) {
            own.kernels->add_rows(batch.length(b) - w, o.labels(), dscores.row_data(batch.begin(b)) + w * o.labels(),
                                  dscores.stride, to.dwidth.data + w * o.labels());
          }
        }
      },
      1);
}

}  // namespace onoma::inline ONOMA_ABI::cpu
