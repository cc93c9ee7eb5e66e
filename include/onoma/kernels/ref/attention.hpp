/// Multi-head self-attention over ragged sequences.
#pragma once

#include <onoma/core/ragged.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/dropout.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::ref {

/// The number of the probability of head `a`, packed query row `i` and key `j` of its sequence:
/// what the dropout mask is drawn for.
[[nodiscard]] constexpr index probability_number(index a, index tokens, index i, index longest,
                                                 index j) {
  return (a * tokens + i) * longest + j;
}

/// out_i = sum_j dropout(p_ij) v_j,  p_ij = exp(s_ij - lse_i),
/// s_ij = scale q_i . k_j + bias[bucket(j - i), a], the bias [buckets, A] only if it is not null
///
/// qkv [N, 3H] holds q | k | v, each H = A D wide, head a in columns a D to (a + 1) D; j runs over
/// the sequence of i. lse_i = log sum_j exp(s_ij) is kept in log_sum_exp [A, N] unless null: with it
/// the backward recomputes p instead of storing [A, N, length] values.
/// Source: Vaswani et al., "Attention is all you need", section 3.2, arXiv 1706.03762.
template <class T>
void attention(mat<const T> qkv, const sequences& batch, index heads, T scale,
               const dropout_spec& spec, mat<T> out, mat<T> log_sum_exp, mat<const T> bias = {}) {
  using std::exp;
  using std::log;
  const index hidden = qkv.cols / 3;
  const index d = hidden / heads;
  const index longest = batch.longest;
  for (index b = 0; b < batch.count(); ++b) {
    const index first = batch.begin(b);
    const index length = batch.length(b);
    for (index a = 0; a < heads; ++a) {
      const auto q = qkv.cols_slice(a * d, d);
      const auto k = qkv.cols_slice(hidden + a * d, d);
      const auto v = qkv.cols_slice(2 * hidden + a * d, d);
      for (index i = first; i < first + length; ++i) {
        auto score = [&](index j) {
          T s = T(0);
          for (index c = 0; c < d; ++c) s += q(i, c) * k(first + j, c);
          s = s * scale;
          if (bias) s += bias(relative_position_bucket(first + j - i), a);
          return s;
        };
        T largest = score(0);
        for (index j = 1; j < length; ++j) {
          const T s = score(j);
          if (s > largest) largest = s;
        }
        T sum = T(0);
        for (index j = 0; j < length; ++j) sum += exp(score(j) - largest);
        const T lse = largest + log(sum);
        for (index c = 0; c < d; ++c) out(i, a * d + c) = T(0);
        for (index j = 0; j < length; ++j) {
          const index number = probability_number(a, qkv.rows, i, longest, j);
          const T p = dropped(spec, number, T(exp(score(j) - lse)));
          for (index c = 0; c < d; ++c) out(i, a * d + c) += p * v(first + j, c);
        }
        if (log_sum_exp) log_sum_exp(a, i) = lse;
      }
    }
  }
}

/// dv_j = sum_i dropout(p_ij) do_i;  dp_ij = dropout(do_i . v_j);
/// ds_ij = p_ij (dp_ij - delta_i), delta_i = do_i . out_i;
/// dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i.  dqkv [N, 3H] is set.
/// dbias[bucket(j - i), a] += ds_ij.
///
/// delta_i equals sum_j p_ij dp_ij with dropout as well, since the mask enters both factors once
/// (Dao et al., "FlashAttention", appendix B.4, arXiv 2205.14135).
template <class T>
void attention_backward(mat<const T> qkv, const sequences& batch, index heads, T scale,
                        const dropout_spec& spec, mat<const T> out, mat<const T> log_sum_exp,
                        mat<const T> dout, mat<T> dqkv, mat<const T> bias = {},
                        mat<T> dbias = {}) {
  using std::exp;
  const index hidden = qkv.cols / 3;
  const index d = hidden / heads;
  const index longest = batch.longest;
  for (index n = 0; n < dqkv.rows; ++n) {
    for (index c = 0; c < dqkv.cols; ++c) dqkv(n, c) = T(0);
  }
  for (index b = 0; b < batch.count(); ++b) {
    const index first = batch.begin(b);
    const index length = batch.length(b);
    for (index a = 0; a < heads; ++a) {
      const auto q = qkv.cols_slice(a * d, d);
      const auto k = qkv.cols_slice(hidden + a * d, d);
      const auto v = qkv.cols_slice(2 * hidden + a * d, d);
      const auto dq = dqkv.cols_slice(a * d, d);
      const auto dk = dqkv.cols_slice(hidden + a * d, d);
      const auto dv = dqkv.cols_slice(2 * hidden + a * d, d);
      for (index i = first; i < first + length; ++i) {
        T delta = T(0);
        for (index c = 0; c < d; ++c) delta += dout(i, a * d + c) * out(i, a * d + c);
        for (index j = first; j < first + length; ++j) {
          T s = T(0);
          T dp = T(0);
          for (index c = 0; c < d; ++c) {
            s += q(i, c) * k(j, c);
            dp += dout(i, a * d + c) * v(j, c);
          }
          const index number = probability_number(a, qkv.rows, i, longest, j - first);
          const index bucket = relative_position_bucket(j - i);
          s = s * scale;
          if (bias) s += bias(bucket, a);
          const T p = exp(s - log_sum_exp(a, i));
          const T p_dropped = dropped(spec, number, p);
          T ds = p * (dropped(spec, number, dp) - delta);
          if (dbias) dbias(bucket, a) += ds;
          ds = ds * scale;
          for (index c = 0; c < d; ++c) {
            dv(j, c) += p_dropped * dout(i, a * d + c);
            dq(i, c) += ds * k(j, c);
            dk(j, c) += ds * q(i, c);
          }
        }
      }
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
