/// Operands that belong together: what norms, embeddings and attention read and write.
///
/// Shape alphabet: N tokens (queries, in attention), S keys, H hidden, A heads, G heads of keys and values,
/// D head size, V vocabulary, P positions, T types, B sequences.
#pragma once

#include <onoma/core/ragged.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <cstdint>
#include <limits>

namespace onoma::inline ONOMA_ABI {

/// How a cross-entropy counts its rows; as it is made: all alike, and one label of each row right.
template <class T>
struct cross_entropy_rule {
  vec<const T> class_weights{};  ///< [L] of the labels; null: 1
  vec<const T> row_weights{};    ///< [N] of the rows; null: 1
  double smoothing = 0.0;  ///< the part of each row's target that all labels share, 0 to 1
  double focus = 0.0;      ///< how much less rows count whose label is likely already; at least 0
  double dropped = 0.0;    ///< the part of the labelled rows, those of the highest losses, that counts 0; below 1
};

/// What layer normalisation multiplies by and adds.
template <class T>
struct layer_norm_weights {
  vec<const T> gamma;  ///< [H]
  vec<const T> beta;   ///< [H]; null: none
  T eps = T(0);        ///< added to the variance
};

/// What RMS normalisation multiplies by.
template <class T>
struct rms_norm_weights {
  vec<const T> gamma;  ///< [H]
  T eps = T(0);        ///< added to the mean square
};

/// The gradients of either; they accumulate.
template <class T>
struct norm_gradients {
  vec<T> dgamma;  ///< [H]
  vec<T> dbeta;   ///< [H]; null: there is no beta
};

/// What a normalisation keeps for its backward pass. Null views keep nothing (inference).
template <class T>
struct norm_statistics {
  vec<T> mean;               ///< [N]; not of RMS normalisation
  vec<T> reciprocal_stddev;  ///< [N] 1 / sqrt(variance + eps), or 1 / sqrt(mean square + eps)
};

/// The tables whose rows are summed into an embedding. All but `word` may be null.
template <class T>
struct embedding_tables {
  mat<T> word;      ///< [V, H]
  mat<T> position;  ///< [P, H]
  mat<T> type;      ///< [T, H], row 0 for every token if no types are given
};

/// The gradient of a table: a batch has a few of its words, so that most rows are zero.
template <class T>
struct table_gradient {
  mat<T> values;           ///< [V, H]
  vec<std::uint8_t> used;  ///< [V], not 0 for the rows that something was added to; null: not kept
};

/// The gradients of embedding_tables; one that is null is not wanted.
template <class T>
struct embedding_gradients {
  table_gradient<T> word;      ///< of the word table
  table_gradient<T> position;  ///< of the position table
  table_gradient<T> type;      ///< of the type table
};

/// Which rows of the tables each token sums.
struct embedding_rows {
  vec<const std::int32_t> word;      ///< [N]
  vec<const std::int32_t> position;  ///< [N], or null where there is no such table
  vec<const std::int32_t> type;      ///< [N], or null: row 0 everywhere
};

/// The angles of rotary positions, a row for each token: head columns c and c + D/2 turn by angle c.
template <class T>
struct rotary_angles {
  mat<T> cosine;  ///< [N, D / 2]
  mat<T> sine;    ///< [N, D / 2]
};

/// How far a query sees: from `before` tokens before its own to `after` behind it.
struct attention_reach {
  /// Far beyond any length, and far from where sums with it would overflow.
  static constexpr index_t everything = std::numeric_limits<index_t>::max() / 4;

  index_t before = everything;  ///< tokens before its own
  index_t after = everything;   ///< tokens behind its own

  /// Nothing behind itself (decoders).
  [[nodiscard]] static constexpr attention_reach causal() noexcept { return {everything, 0}; }
  /// `radius` tokens to either side (Beltagy et al., "Longformer", arXiv 2004.05150, section 3.1).
  [[nodiscard]] static constexpr attention_reach window(index_t radius) noexcept {
    return {radius, radius};
  }

  /// The first key that the query at `position` sees.
  [[nodiscard]] constexpr index_t first(index_t position) const noexcept {
    return position > before ? position - before : 0;
  }
  /// One past the last that it sees of so many keys.
  [[nodiscard]] constexpr index_t last(index_t position, index_t keys) const noexcept {
    return position + 1 + after < keys ? position + 1 + after : keys;
  }
  /// Equal in both.
  friend constexpr bool operator==(const attention_reach&, const attention_reach&) = default;
};

/// How one attention call reads its operands.
template <class T>
struct attention_shape {
  sequences queries;  ///< attention stays inside each sequence
  /// As many sequences. The queries of one are the last of its tokens: query i of n stands at position
  /// m - n + i of m keys. Where keys of earlier calls were kept, n is less than m.
  sequences keys;
  index_t heads = 1;     ///< A of q
  index_t kv_heads = 1;  ///< G of k and v, a divisor of A: A / G neighbouring heads of q read the same
                       ///< (Ainslie et al., "GQA", EMNLP 2023)
  T scale = T(1);      ///< usually 1 / sqrt(D)
  attention_reach reach{};  ///< how far queries see
  dropout_spec dropout{};  ///< on the probabilities; element ((a * N + i) * longest + j) for head a,
                           ///< query row i (packed) and key j (within its sequence), where
                           ///< `longest` is keys.longest
  mat<const T> bias{};     ///< [relative_position_buckets, A] added to the scores of head a by the
                           ///< bucket of the key's distance; null: none
};

/// What attention reads. The three may be columns of one matrix.
template <class T>
struct attention_operands {
  mat<const T> q;  ///< [N, A D]
  mat<const T> k;  ///< [S, G D]
  mat<const T> v;  ///< [S, G D]
};

/// What attention computes.
template <class T>
struct attention_result {
  mat<T> out;          ///< [N, A D]
  mat<T> log_sum_exp;  ///< [A, N], kept for the backward; null: inference
};

/// The gradients of attention_operands, which are set, and that of the bias, which accumulates.
template <class T>
struct attention_gradients {
  mat<T> dq;       ///< [N, A D]
  mat<T> dk;       ///< [S, G D]
  mat<T> dv;       ///< [S, G D]
  mat<T> dbias{};  ///< null: there is no bias
};

}  // namespace onoma::inline ONOMA_ABI
