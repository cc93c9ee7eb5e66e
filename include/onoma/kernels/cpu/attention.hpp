/// Attention of one head over one sequence, forward and backward, from small matrix products.
#pragma once

#include <onoma/core/rng.hpp>
#include <onoma/kernels/cpu/gemm.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/kernels/cpu/softmax.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/math.hpp>
#include <onoma/simd/transpose.hpp>

#include <algorithm>
#include <cmath>
#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

/// Keys whose scores are held at once. With 96 rows, k^T, v and the scores of a block take 450 KiB of an
/// L2 of 1 MiB at most; scratch does not grow with the length of a text.
inline constexpr index_t attention_key_block = 512;
inline constexpr index_t least_attention_rows = 12;
inline constexpr index_t most_attention_rows = 96;
/// Scores that a block of rows aims at: 64 KiB, so that it stays in L2 (and, for sentences, in L1).
inline constexpr index_t attention_scores = 16384;

/// Whether no query sees all of the keys, however many there are.
[[nodiscard]] constexpr bool is_window(const attention_size& s) {
  return s.before + s.after + 1 < s.keys;
}

/// Query rows whose scores are held at once, from 12 to 96. It depends on the sequence alone: gradients of
/// keys are sums over blocks of rows.
///
/// A window of w keys makes a block of r rows read r + w - 1: a quarter of w wastes little of the
/// products, and as little of the time goes into transposing keys that the next block reads again.
/// Where there are several blocks of keys, each is transposed again for every block of rows: 96 rows are 12 %
/// faster than 32, with 8,192 keys 25 %.
[[nodiscard]] constexpr index_t attention_rows(const attention_size& s) {
  const index_t keys = std::min(s.keys, attention_key_block);
  const index_t fit = is_window(s)                   ? (s.before + s.after + 1) / 4
                    : s.keys > attention_key_block ? most_attention_rows
                                                   : attention_scores / std::max<index_t>(keys, 1);
  return std::min(std::clamp(fit, least_attention_rows, most_attention_rows), s.queries);
}

/// What blocks of rows and keys take at most, for this and any smaller number of queries and keys.
struct attention_blocks {
  index_t columns;  ///< keys of a block, in whole vectors
  index_t depth;    ///< D, in whole vectors
  index_t scores;   ///< floats of a block of scores
};

template <class Arch>
[[nodiscard]] constexpr attention_blocks largest_blocks(const attention_size& s) {
  // The rows fall where the keys grow: either bounds the product, and the last vector may be partial.
  constexpr index_t tail = most_attention_rows * (simd::width<Arch> - 1);
  const auto all_seen = [](index_t keys) {
    const index_t columns = simd::padded<Arch>(std::min(keys, attention_key_block));
    if (keys > attention_key_block) return most_attention_rows * columns;
    return std::min(most_attention_rows * columns,
                    std::max(attention_scores + tail, least_attention_rows * columns));
  };
  const index_t depth = simd::padded<Arch>(s.width);
  if (!is_window(s)) {
    return {simd::padded<Arch>(std::min(s.keys, attention_key_block)), depth, all_seen(s.keys)};
  }
  const index_t seen = s.before + s.after + 1;
  const index_t rows = attention_rows(s);
  const index_t columns =
      simd::padded<Arch>(std::min(std::min(s.keys, rows + seen - 1), attention_key_block));
  // Of a shorter sequence, a query may see all keys.
  return {columns, depth, std::max(rows * columns, all_seen(seen))};
}

/// Floats of scratch that the forward takes.
template <class Arch>
[[nodiscard]] constexpr index_t attention_scratch(const attention_size& s) {
  const auto most = largest_blocks<Arch>(s);
  // k^T, a copy of v where rows are not whole vectors, scores.
  return 2 * most.depth * most.columns + most.scores;
}

/// Floats of scratch that the backward takes.
template <class Arch>
[[nodiscard]] constexpr index_t attention_backward_scratch(const attention_size& s) {
  const auto most = largest_blocks<Arch>(s);
  // k^T and v^T; copies of k, q, dout where rows are not whole vectors; p, dp and a dropped p.
  return 3 * most.depth * most.columns + 2 * most.depth * most_attention_rows + 3 * most.scores;
}

/// Where rows are whole vectors, B can be read in place; else it is copied with zeros at the end.
struct vector_rows {
  const float* data;
  index_t stride;
};

template <class Arch>
inline vector_rows whole_vectors(const float* rows, index_t stride, index_t count, index_t width,
                                 float* copy) {
  if (width % simd::width<Arch> == 0) return {rows, stride};
  const index_t padded = simd::padded<Arch>(width);
  for (index_t j = 0; j < count; ++j) {
    for (index_t c = 0; c < padded; ++c) {
      copy[j * padded + c] = c < width ? rows[j * stride + c] : 0.0F;
    }
  }
  return {copy, padded};
}

/// to[j] += from[j]
template <class Arch>
inline void add_to_row(index_t length, float* to, const float* from) {
  using batch = simd::floats<Arch>;
  simd::map_row<Arch>(length, to, [](batch a, batch b) { return a + b; },
                      static_cast<const float*>(to), from);
}

template <class Arch>
inline void scale_row(index_t length, float* row, float factor) {
  const simd::floats<Arch> scale(factor);
  simd::map_row<Arch>(length, row, [scale](simd::floats<Arch> x) { return x * scale; },
                      static_cast<const float*>(row));
}

/// A block of query rows, and of keys.
struct attention_rows_block {
  index_t first;      ///< number of the first query
  index_t rows;
  index_t position;   ///< of the first query in its sequence
  index_t first_key;  ///< that one of the queries sees
  index_t last_key;   ///< one past the last
};
struct attention_keys_block {
  index_t first = 0;
  index_t count = 0;
  friend constexpr bool operator==(attention_keys_block, attention_keys_block) = default;
};

/// f(block of rows) for all queries, in their order.
template <class F>
inline void for_row_blocks(const attention_size& s, F f) {
  const index_t block = attention_rows(s);
  for (index_t i = 0; i < s.queries; i += block) {
    const index_t rows = std::min(block, s.queries - i);
    const index_t position = s.keys - s.queries + i;
    f(attention_rows_block{i, rows, position, std::max<index_t>(position - s.before, 0),
                           std::min(position + rows + s.after, s.keys)});
  }
}

/// f(block of keys) for all keys that a block of rows sees.
template <class F>
inline void for_key_blocks(const attention_rows_block& rows, F f) {
  for (index_t k = rows.first_key; k < rows.last_key; k += attention_key_block) {
    f(attention_keys_block{k, std::min(attention_key_block, rows.last_key - k)});
  }
}

/// The keys of a block that row r of a block of rows sees: columns [begin, end) of its scores.
struct seen_columns {
  index_t begin;
  index_t end;

  seen_columns(const attention_size& s, const attention_rows_block& rows, index_t r,
               attention_keys_block keys) {
    const index_t position = rows.position + r;
    begin = std::max<index_t>(position - s.before - keys.first, 0);
    end = std::max(begin, std::min(position + s.after + 1 - keys.first, keys.count));
  }
  [[nodiscard]] index_t count() const { return end - begin; }
  /// The others of so many columns become zero.
  void clear_rest(float* row, index_t columns) const {
    for (index_t j = 0; j < std::min(begin, columns); ++j) row[j] = 0.0F;
    for (index_t j = end; j < columns; ++j) row[j] = 0.0F;
  }
};

/// The softmax of a block of rows while blocks of keys go by: products with v so far are to be divided by
/// `sum`, of exponentials of what the scaled scores are above `largest`, the largest of them.
/// Source: Milakov and Gimelshein, "Online normalizer calculation for softmax", arXiv 1805.02867.
struct running_softmax {
  float largest[most_attention_rows];
  float sum[most_attention_rows];
};

/// Scores of one row become exponentials, which `state` adds up. Returns the factor for what was summed
/// from earlier blocks, 1 where there are none.
template <class Arch>
inline float exponentials_of_row(float* row, index_t count, float scale, bool first, index_t r,
                                 running_softmax& state) {
  // The scale is positive, so the largest score has the largest product.
  const float most = largest_of_row<Arch>(row, count) * scale;
  if (first || !(state.largest[r] > most)) {
    const float sum = exponential_row<Arch>(row, count, scale, most, row);
    const float factor = first ? 1.0F : std::exp(state.largest[r] - most);
    state.sum[r] = first ? sum : state.sum[r] * factor + sum;
    state.largest[r] = most;
    return factor;
  }
  state.sum[r] += exponential_row<Arch>(row, count, scale, state.largest[r], row);
  return 1.0F;
}

/// kernels/ref/attention.hpp has the formulas. Blocks of rows by blocks of keys; up to
/// `attention_key_block` keys, one block has them all.
template <class Arch>
inline void attention_forward(const attention_call& c) {
  const attention_operand& h = c.head;
  const attention_size& s = h.size;
  const dropout_spec dropout{h.dropout.probability, h.dropout.key};
  const auto most = largest_blocks<Arch>(s);
  float* const kt = h.scratch;
  float* const copy = kt + most.depth * most.columns;
  float* const scores = copy + most.depth * most.columns;
  attention_keys_block ready;  // whose keys are transposed
  vector_rows v{};
  running_softmax state;
  for_row_blocks(s, [&](const attention_rows_block& b) {
    float* const out = c.out + b.first * c.out_stride;
    for_key_blocks(b, [&](attention_keys_block keys) {
      const index_t columns = simd::padded<Arch>(keys.count);
      if (!(keys == ready)) {
        ready = keys;
        simd::transpose<Arch>(h.k + keys.first * h.k_stride, h.k_stride, keys.count, s.width, kt,
                              columns);
        v = whole_vectors<Arch>(h.v + keys.first * h.v_stride, h.v_stride, keys.count, s.width, copy);
      }
      const bool first = keys.first == b.first_key;
      multiply_in_place<Arch, a_layout::rows>(b.rows, s.width, {h.q + b.first * h.q_stride, h.q_stride},
                                              {kt, columns}, {scores, columns, keys.count});
      for (index_t r = 0; r < b.rows; ++r) {
        float* row = scores + r * columns;
        const seen_columns seen(s, b, r, keys);
        seen.clear_rest(row, keys.count);
        if (seen.count() == 0) {
          if (first) state.largest[r] = -std::numeric_limits<float>::infinity();
          if (first) state.sum[r] = 0.0F;
          continue;
        }
        const index_t key = keys.first + seen.begin;
        row += seen.begin;
        if (h.bias != nullptr) add_to_row<Arch>(seen.count(), row, h.bias + key - (b.position + r));
        const float factor = exponentials_of_row<Arch>(row, seen.count(), h.scale, first, r, state);
        if (factor != 1.0F) scale_row<Arch>(s.width, out + r * c.out_stride, factor);
        if (dropout.active()) {
          dropout_row<Arch>(dropout, h.first_number + (b.first + r) * h.number_stride + key,
                            seen.count(), row, row);
        }
      }
      multiply_in_place<Arch, a_layout::rows>(b.rows, keys.count, {scores, columns}, {v.data, v.stride},
                                              {out, c.out_stride, s.width, !first});
    });
    for (index_t r = 0; r < b.rows; ++r) {
      scale_row<Arch>(s.width, out + r * c.out_stride, 1.0F / state.sum[r]);
      if (c.log_sum_exp != nullptr) {
        c.log_sum_exp[b.first + r] = state.largest[r] + std::log(state.sum[r]);
      }
    }
  });
}

/// One backward: what its steps share.
template <class Arch>
class attention_backward_pass {
 public:
  explicit attention_backward_pass(const attention_backward_call& call)
      : c_(call), s_(call.head.size), dropout_{h().dropout.probability, h().dropout.key} {
    const auto most = largest_blocks<Arch>(s_);
    kt_ = h().scratch;
    vt_ = kt_ + most.depth * most.columns;
    k_copy_ = vt_ + most.depth * most.columns;
    q_copy_ = k_copy_ + most.depth * most.columns;
    d_copy_ = q_copy_ + most.depth * most_attention_rows;
    p_ = d_copy_ + most.depth * most_attention_rows;
    dp_ = p_ + most.scores;
    dropped_ = dropout_.active() ? dp_ + most.scores : p_;
  }

  /// kernels/ref/attention.hpp has the formulas; probabilities are recomputed from log_sum_exp.
  void run() {
    // Keys before `touched` have gradients to add to.
    index_t touched = c_.accumulate ? s_.keys : 0;
    for_row_blocks(s_, [&](const attention_rows_block& b) {
      begin_rows(b);
      if (touched < b.first_key) touched = clear_keys(touched, b.first_key);
      for_key_blocks(b, [&](attention_keys_block keys) {
        begin_keys(keys);
        probabilities(b, keys);
        // dv += dropped(p)^T dout: before p is turned into ds.
        add_to_keys(b, keys, touched, dropped_, d_, c_.dv, c_.dv_stride);
        gradients_of_scores(b, keys);
        multiply_in_place<Arch, a_layout::rows>(
            b.rows, keys.count, {p_, columns_}, {k_.data, k_.stride},
            {c_.dq + b.first * c_.dq_stride, c_.dq_stride, s_.width, keys.first > b.first_key});
        add_to_keys(b, keys, touched, p_, q_, c_.dk, c_.dk_stride);
      });
      touched = std::max(touched, b.last_key);
    });
    clear_keys(touched, s_.keys);
  }

 private:
  using batch = simd::floats<Arch>;

  [[nodiscard]] const attention_operand& h() const { return c_.head; }

  void begin_rows(const attention_rows_block& b) {
    q_ = whole_vectors<Arch>(h().q + b.first * h().q_stride, h().q_stride, b.rows, s_.width, q_copy_);
    d_ = whole_vectors<Arch>(c_.dout + b.first * c_.dout_stride, c_.dout_stride, b.rows, s_.width,
                             d_copy_);
    for (index_t r = 0; r < b.rows; ++r) {
      delta_[r] = simd::sum_row<Arch>(s_.width, [](batch x, batch y) { return x * y; },
                                      c_.dout + (b.first + r) * c_.dout_stride,
                                      c_.out + (b.first + r) * c_.out_stride);
    }
  }

  void begin_keys(attention_keys_block keys) {
    if (keys == ready_) return;
    ready_ = keys;
    columns_ = simd::padded<Arch>(keys.count);
    const float* k = h().k + keys.first * h().k_stride;
    const float* v = h().v + keys.first * h().v_stride;
    simd::transpose<Arch>(k, h().k_stride, keys.count, s_.width, kt_, columns_);
    simd::transpose<Arch>(v, h().v_stride, keys.count, s_.width, vt_, columns_);
    k_ = whole_vectors<Arch>(k, h().k_stride, keys.count, s_.width, k_copy_);
  }

  /// p, its dropped form, and dp of a block.
  void probabilities(const attention_rows_block& b, attention_keys_block keys) {
    multiply_in_place<Arch, a_layout::rows>(b.rows, s_.width, {h().q + b.first * h().q_stride, h().q_stride},
                                            {kt_, columns_}, {p_, columns_, keys.count});
    multiply_in_place<Arch, a_layout::rows>(b.rows, s_.width,
                                            {c_.dout + b.first * c_.dout_stride, c_.dout_stride},
                                            {vt_, columns_}, {dp_, columns_, keys.count});
    const batch scale(h().scale);
    for (index_t r = 0; r < b.rows; ++r) {
      const seen_columns seen(s_, b, r, keys);
      const index_t key = keys.first + seen.begin;
      seen.clear_rest(p_ + r * columns_, keys.count);
      float* p = p_ + r * columns_ + seen.begin;
      if (h().bias != nullptr) {
        add_to_row<Arch>(seen.count(), p, h().bias + key - (b.position + r));
      }
      const batch lse(-c_.log_sum_exp[b.first + r]);
      simd::map_row<Arch>(seen.count(), p,
                          [=](batch x) { return simd::exp<Arch>(xsimd::fma(x, scale, lse)); },
                          static_cast<const float*>(p));
      if (!dropout_.active()) continue;
      seen.clear_rest(dropped_ + r * columns_, keys.count);
      float* dropped = dropped_ + r * columns_ + seen.begin;
      float* dp = dp_ + r * columns_ + seen.begin;
      for_kept<Arch>(dropout_, h().first_number + (b.first + r) * h().number_stride + key,
                     seen.count(), [=](index_t j, index_t n, auto mask, batch factor) {
                       keep_some<Arch>(mask, factor, n, p + j, dropped + j);
                       keep_some<Arch>(mask, factor, n, dp + j, dp + j);
                     });
    }
  }

  /// p becomes scale ds.
  void gradients_of_scores(const attention_rows_block& b, attention_keys_block keys) {
    const batch scale(h().scale);
    for (index_t r = 0; r < b.rows; ++r) {
      const seen_columns seen(s_, b, r, keys);
      const batch shift(delta_[r]);
      float* p = p_ + r * columns_ + seen.begin;
      const float* dp = dp_ + r * columns_ + seen.begin;
      simd::map_row<Arch>(seen.count(), p,
                          [=](batch x, batch y) { return x * (y - shift) * scale; },
                          static_cast<const float*>(p), dp);
      if (c_.dbias == nullptr) continue;
      add_to_row<Arch>(seen.count(), c_.dbias + keys.first + seen.begin - (b.position + r), p);
    }
  }

  /// gradient (= | +=) of_scores^T rows for the keys of a block: those before `touched` are added to.
  void add_to_keys(const attention_rows_block& b, attention_keys_block keys, index_t touched,
                   const float* of_scores, vector_rows rows, float* gradient, index_t stride) {
    const auto part = [&](index_t first, index_t last, bool accumulate) {
      if (first >= last) return;
      multiply_in_place<Arch, a_layout::columns>(
          last - first, b.rows, {of_scores + (first - keys.first), columns_}, {rows.data, rows.stride},
          {gradient + first * stride, stride, s_.width, accumulate});
    };
    const index_t end = keys.first + keys.count;
    const index_t split = std::clamp(touched, keys.first, end);
    part(keys.first, split, true);
    part(split, end, false);
  }

  /// Sets the gradients of keys that no query sees. Returns `last`.
  index_t clear_keys(index_t first, index_t last) {
    for (index_t j = first; j < last; ++j) {
      for (index_t d = 0; d < s_.width; ++d) {
        c_.dk[j * c_.dk_stride + d] = 0.0F;
        c_.dv[j * c_.dv_stride + d] = 0.0F;
      }
    }
    return last;
  }

  const attention_backward_call& c_;
  const attention_size& s_;
  dropout_spec dropout_;
  float* kt_;
  float* vt_;
  float* k_copy_;
  float* q_copy_;
  float* d_copy_;
  float* p_;
  float* dp_;
  float* dropped_;
  attention_keys_block ready_{};  // whose keys and values are transposed
  index_t columns_ = 0;
  vector_rows q_{};
  vector_rows d_{};
  vector_rows k_{};
  float delta_[most_attention_rows];
};

}  // namespace onoma::inline ONOMA_ABI::cpu
