/// Multi-head attention over ragged sequences.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/dropout.hpp>

#include <cmath>
#include <type_traits>

namespace onoma::inline ONOMA_ABI::ref {

/// The number of the probability of head `a`, packed query row `i` and key `j` of its sequence:
/// what the dropout mask is drawn for.
[[nodiscard]] constexpr index_t probability_number(index_t a, index_t queries, index_t i, index_t longest,
                                                 index_t j) {
  return (a * queries + i) * longest + j;
}

/// One head of one query, and the keys that it sees.
struct attention_query {
  index_t row;       ///< of q
  index_t head;      ///< a
  index_t kv_head;   ///< of k and v
  index_t key_row;   ///< the row of k and v where its sequence begins
  index_t position;  ///< in the sequence
  index_t first;     ///< key that it sees, counted within the sequence
  index_t last;      ///< one past the last
};

/// f(attention_query) for every sequence, head and query, in this order.
template <class T, class F>
void for_each_query(const attention_shape<T>& shape, F f) {
  for (index_t b = 0; b < shape.queries.count(); ++b) {
    const index_t count = shape.queries.length(b);
    const index_t keys = shape.keys.length(b);
    for (index_t a = 0; a < shape.heads; ++a) {
      for (index_t i = 0; i < count; ++i) {
        const index_t position = keys - count + i;
        f(attention_query{shape.queries.begin(b) + i, a, a / (shape.heads / shape.kv_heads),
                          shape.keys.begin(b), position, shape.reach.first(position),
                          shape.reach.last(position, keys)});
      }
    }
  }
}

/// Where the columns of head `a` of x [_, heads * D] begin, and D.
template <class T>
[[nodiscard]] mat<T> head_columns(mat<T> x, index_t heads, index_t a) {
  const index_t width = x.cols / heads;
  return x.cols_slice(a * width, width);
}

/// s_ij = scale q_i . k_j + bias[bucket(j - i), a], the bias only if it is not null.
template <class T>
[[nodiscard]] T attention_score(const attention_operands<T>& in, const attention_shape<T>& shape,
                                const attention_query& at, index_t j) {
  const auto q = head_columns(in.q, shape.heads, at.head);
  const auto k = head_columns(in.k, shape.kv_heads, at.kv_head);
  T s = T(0);
  for (index_t c = 0; c < q.cols; ++c) s += q(at.row, c) * k(at.key_row + j, c);
  s = s * shape.scale;
  if (shape.bias) s += shape.bias(relative_position_bucket(j - at.position), at.head);
  return s;
}

/// out_i = sum_j dropout(p_ij) v_j,  p_ij = exp(s_ij - lse_i)
///
/// j runs over the keys of i's sequence that shape.reach lets it see. lse_i = log sum_j exp(s_ij) is kept
/// in log_sum_exp [A, N] unless null: with it the backward recomputes p instead of storing [A, N, length]
/// values.
/// Source: Vaswani et al., "Attention is all you need", section 3.2, arXiv 1706.03762.
template <class T>
void attention(const attention_operands<T>& in, const attention_shape<T>& shape,
               const attention_result<T>& result) {
  using std::exp;
  using std::log;
  for_each_query(shape, [&](const attention_query& at) {
    T largest = attention_score(in, shape, at, at.first);
    for (index_t j = at.first + 1; j < at.last; ++j) {
      const T s = attention_score(in, shape, at, j);
      if (s > largest) largest = s;
    }
    T sum = T(0);
    for (index_t j = at.first; j < at.last; ++j) {
      sum += exp(attention_score(in, shape, at, j) - largest);
    }
    const T lse = largest + log(sum);
    const auto v = head_columns(in.v, shape.kv_heads, at.kv_head);
    const auto out = head_columns(result.out, shape.heads, at.head);
    for (index_t c = 0; c < v.cols; ++c) out(at.row, c) = T(0);
    for (index_t j = at.first; j < at.last; ++j) {
      const index_t number =
          probability_number(at.head, in.q.rows, at.row, shape.keys.longest, j);
      const T p = dropped(shape.dropout, number, T(exp(attention_score(in, shape, at, j) - lse)));
      for (index_t c = 0; c < v.cols; ++c) out(at.row, c) += p * v(at.key_row + j, c);
    }
    if (result.log_sum_exp) result.log_sum_exp(at.head, at.row) = lse;
  });
}

/// dv_j = sum_i dropout(p_ij) do_i;  dp_ij = dropout(do_i . v_j);
/// ds_ij = p_ij (dp_ij - delta_i), delta_i = do_i . out_i;
/// dq_i = scale sum_j ds_ij k_j,  dk_j = scale sum_i ds_ij q_i.  All three are set; a head of keys and
/// values sums over the heads of queries that read it.
/// dbias[bucket(j - i), a] += ds_ij.
///
/// delta_i equals sum_j p_ij dp_ij with dropout as well, since the mask enters both factors once
/// (Dao et al., "FlashAttention", appendix B.4, arXiv 2205.14135).
template <class T>
void attention_backward(const attention_operands<T>& in, const attention_shape<T>& shape,
                        const attention_result<const T>& result,
                        const std::type_identity_t<mat<const T>>& dout,
                        const attention_gradients<T>& d) {
  using std::exp;
  for (const auto& gradient : {d.dq, d.dk, d.dv}) {
    for (index_t n = 0; n < gradient.rows; ++n) {
      for (index_t c = 0; c < gradient.cols; ++c) gradient(n, c) = T(0);
    }
  }
  for_each_query(shape, [&](const attention_query& at) {
    const auto q = head_columns(in.q, shape.heads, at.head);
    const auto k = head_columns(in.k, shape.kv_heads, at.kv_head);
    const auto v = head_columns(in.v, shape.kv_heads, at.kv_head);
    const auto dq = head_columns(d.dq, shape.heads, at.head);
    const auto dk = head_columns(d.dk, shape.kv_heads, at.kv_head);
    const auto dv = head_columns(d.dv, shape.kv_heads, at.kv_head);
    const auto out = head_columns(result.out, shape.heads, at.head);
    const auto d_out = head_columns(dout, shape.heads, at.head);
    T delta = T(0);
    for (index_t c = 0; c < q.cols; ++c) delta += d_out(at.row, c) * out(at.row, c);
    for (index_t j = at.first; j < at.last; ++j) {
      const index_t row = at.key_row + j;
      T dp = T(0);
      for (index_t c = 0; c < q.cols; ++c) dp += d_out(at.row, c) * v(row, c);
      const index_t number =
          probability_number(at.head, in.q.rows, at.row, shape.keys.longest, j);
      const T p = exp(attention_score(in, shape, at, j) - result.log_sum_exp(at.head, at.row));
      const T p_dropped = dropped(shape.dropout, number, p);
      T ds = p * (dropped(shape.dropout, number, dp) - delta);
      if (d.dbias) d.dbias(relative_position_bucket(j - at.position), at.head) += ds;
      ds = ds * shape.scale;
      for (index_t c = 0; c < q.cols; ++c) {
        dv(row, c) += p_dropped * d_out(at.row, c);
        dq(at.row, c) += ds * k(row, c);
        dk(row, c) += ds * q(at.row, c);
      }
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::ref
