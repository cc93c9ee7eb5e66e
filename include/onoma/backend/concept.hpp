/// The seam between layers and hardware: the fused functions that every backend provides.
///
/// Shape alphabet: N tokens, H hidden, F feed-forward, A heads, D = H / A head size, V vocabulary,
/// P positions, L labels, B sequences. K and M stand for the input and output width of a linear.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// Whether a result replaces or adds to what is there: a type, so that the call says which and the
/// kernel is compiled for it.
struct set_t {};
struct add_t {};
inline constexpr set_t set{};
inline constexpr add_t add{};

/// What a layer normalisation keeps for its backward pass. Null views keep nothing (inference).
template <class T>
struct norm_statistics {
  vec<T> mean;               ///< [N]
  vec<T> reciprocal_stddev;  ///< [N] 1 / sqrt(variance + eps)
};

/// The tables whose rows are summed into an embedding. `type` may be null (DistilBERT).
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
  table_gradient<T> word;
  table_gradient<T> position;
  table_gradient<T> type;
};

/// Which rows of the tables each token sums.
struct embedding_rows {
  vec<const std::int32_t> word;      ///< [N]
  vec<const std::int32_t> position;  ///< [N]
  vec<const std::int32_t> type;      ///< [N], or null: row 0 everywhere
};

/// How one attention call reads its operand.
template <class T>
struct attention_shape {
  sequences batch;         ///< attention stays inside each sequence
  index heads = 1;         ///< A
  T scale = T(1);          ///< usually 1 / sqrt(D)
  dropout_spec dropout{};  ///< on the probabilities; element ((a * N + i) * longest + j) for head a,
                           ///< query row i (packed) and key j (within its sequence), where
                           ///< `longest` is batch.longest
  mat<const T> bias{};     ///< [relative_position_buckets, A] added to the scores of head a by the
                           ///< bucket of the key's distance; null: none
};

/// Sum over the labelled tokens and how many there are: the mean is the reported loss.
struct loss_result {
  double sum = 0.0;
  index count = 0;
  [[nodiscard]] double mean() const noexcept {
    return count == 0 ? 0.0 : sum / static_cast<double>(count);
  }
};

/// One AdamW update: decoupled weight decay, bias-corrected moments (Loshchilov and Hutter, ICLR
/// 2019; the order of operations of torch.optim.AdamW).
template <class T>
struct adamw_step {
  T learning_rate = T(0);
  T beta1 = T(0.9);
  T beta2 = T(0.999);
  T eps = T(1e-8);
  T weight_decay = T(0);
  T gradient_scale = T(1);  ///< multiplies every gradient first (clipping, accumulation)
  double bias_correction1 = 1.0;  ///< 1 - beta1^t
  double bias_correction2 = 1.0;  ///< 1 - beta2^t
};

/// A compile-time policy: the functions below and nothing else. All views are in the backend's
/// own memory. Parameter gradients accumulate; activation gradients are set, except where a call
/// takes `add`. The result never depends on how many threads run it.
///
/// `dry_run(true)` makes every function return at once: layers run on measuring arenas that way.
template <class B>
concept backend = requires(
    B& b, bool flag, index n, std::size_t bytes, const typename B::scalar* host_in,
    typename B::scalar* host_out, vec<typename B::scalar> v, vec<const typename B::scalar> cv,
    mat<typename B::scalar> m, mat<const typename B::scalar> cm, vec<const std::int32_t> ids,
    typename B::packed_weight& packed, const typename B::packed_weight& cpacked,
    typename B::scalar t, activation act, dropout_spec dropout,
    norm_statistics<typename B::scalar> stats, attention_shape<typename B::scalar> shape,
    embedding_tables<const typename B::scalar> tables,
    embedding_gradients<typename B::scalar> dtables, table_gradient<typename B::scalar> dtable,
    vec<std::uint8_t> marks, embedding_rows rows,
    adamw_step<typename B::scalar> step, std::span<const stored_matrix> stored) {
  typename B::scalar;
  typename B::buffer;         // owns a block of backend memory: movable; .data() -> std::byte*, .size()
  // A weight [M, K] in the layout that the kernels read: movable; default-constructed, no weight.
  typename B::packed_weight;
  requires std::default_initializable<typename B::packed_weight>;
  { b.dry_run(flag) };
  { b.dry_run() } -> std::convertible_to<bool>;
  // How many rows of so many values find room in the caches, at least 1: inference takes so many tokens
  // through the layers together.
  { b.rows_at_once(n) } -> std::same_as<index>;

  // Memory. `allocate` zeroes. Uploads and downloads copy between host memory and the backend's.
  { b.allocate(bytes) } -> std::same_as<typename B::buffer>;
  { b.upload(host_in, v) };    // v = host_in[0 .. v.size)
  { b.upload(stored_matrix{}, v) };  // the same, converted; all of its elements
  { b.download(cv, host_out) };
  { b.upload_ids(ids, vec<std::int32_t>{}) };
  { b.fill(v, t) };

  // Weights. with_transpose: also keep what linear_dx reads (training).
  { b.make_packed(n, n, flag) } -> std::same_as<typename B::packed_weight>;  // (M, K, transpose)
  { b.pack(cm, packed) };
  // From host memory as a file has it, for a weight without transpose: the matrices of `stored`,
  // each [_, K], lie below one another in [M, K]. All are float formats, or all I8: then `linear` and
  // `linear_activation` quantise each row of x and compute on integers (kernels/ref/quantized.hpp).
  { b.pack(stored, packed) };

  // y [N, M] = x [N, K] w^T + bias [M]   (bias may be null)
  { b.linear(cm, cpacked, cv, m) };
  // pre [N, M] = x w^T + bias (null: not kept); y = act(pre)
  { b.linear_activation(cm, cpacked, cv, act, m, m) };
  // dx [N, K] (set | add) = dy [N, M] w
  { b.linear_dx(cm, cpacked, set, m) };
  { b.linear_dx(cm, cpacked, add, m) };
  // dx [N, K] = (dy w) act'(pre), pre [N, K].  (dy, w, act, pre, dx)
  { b.linear_dx(cm, cpacked, act, cm, m) };
  // dw [M, K] += dy^T x; db [M] += column sums of dy (null: no bias).  (x, dy, dw, db)
  { b.linear_dw(cm, cm, m, v) };

  // x becomes z = residual + dropout(x) (residual may be null); y = gamma * normalised(z) + beta.
  // (x, residual, dropout, gamma, beta, eps, y, statistics). y may be x only if nothing is kept.
  { b.add_norm(m, cm, dropout, cv, cv, t, m, stats) };
  // (z, statistics, gamma, dy, dropout, dz, dx, dgamma, dbeta): dz is set (the residual's
  // gradient), dx = dropout mask applied to dz (null view: not wanted); dgamma, dbeta accumulate.
  // dz may be dy.
  { b.add_norm_backward(cm, stats, cv, cm, dropout, m, m, v, v) };
  // x = dropout(x), in place; the same call on the gradient is the backward.
  { b.dropout(m, dropout) };

  // out [N, H]: softmax(scale q k^T) v for each sequence and head of qkv [N, 3H] (q | k | v);
  // log_sum_exp [A, N] is kept for the backward (null: inference).
  { b.attention(cm, shape, m, m) };
  // (qkv, shape, out, log_sum_exp, dout, dqkv, dbias): dqkv [N, 3H] is set; dbias accumulates, null
  // (or left out) without a bias.
  { b.attention_backward(cm, shape, cm, cm, cm, m) };
  { b.attention_backward(cm, shape, cm, cm, cm, m, m) };

  // y [N, H] = word[ids] + position[...] + type[...]
  { b.embed(rows, tables, m) };
  // Adds each row of dy [N, H] to the gradient rows that it came from, and marks them as used.
  { b.embed_backward(rows, cm, dtables) };

  // Rows by number. y [M, H]: row i is row ids[i] of x [N, H].  (x, ids, y)
  { b.gather(cm, ids, m) };
  // y [N, H]: row ids[i] is row i of x [M, H], all others are zero; ids ascend.  (x, ids, y)
  { b.scatter(cm, ids, m) };

  // Mean cross-entropy of logits [N, L] over rows whose label is not `ignored_label`.
  // dlogits [N, L] is set to t * d(sum of losses)/d(logits); null view: loss only.
  { b.softmax_cross_entropy(cm, ids, t, m) } -> std::same_as<loss_result>;
  // y [N, L] = softmax of each row of x
  { b.softmax(cm, m) };

  // Sum of squares, in double, with an order that depends on the size alone.
  { b.squared_norm(cv) } -> std::same_as<double>;
  // (step, parameter, gradient, first moment, second moment); sets the gradient to zero.
  { b.adamw(step, v, v, v, v) };

  // The same for a weight [M, K], which lies row behind row, and then packed: with transpose, by
  // make_packed. (step, parameter, gradient, first moment, second moment, packed)
  { b.adamw(step, m, m, m, m, packed) };

  // Both for tables, whose rows lie one behind the other. The norm is that of the used rows: the others
  // are zero.
  { b.squared_norm(dtable) } -> std::same_as<double>;
  // Sets the used rows to zero; none is used afterwards.
  { b.clear(dtable) };
  // (step, parameter, gradient, first moment, second moment, seen [V]): a row that is used becomes seen,
  // a row that was never used only decays, since its moments are zero too; no row is used afterwards.
  { b.adamw(step, m, dtable, m, m, marks) };
  // Sets marks.
  { b.fill(marks, std::uint8_t{}) };
};

/// A backend whose kernels can read the host's memory where it lies: of a mapped file, they then touch
/// what they need and nothing is copied.
template <class B>
concept reads_host_memory =
    backend<B> && requires(const B& b, std::span<const stored_matrix> stored, index n,
                           const typename B::packed_weight& packed, std::span<const std::byte> bytes) {
  // The matrices of `stored` below one another as one block of scalars, or null if they must be copied.
  { b.in_place(stored) } -> std::same_as<vec<const typename B::scalar>>;
  // What a float weight [M, K] without transpose is packed as: the name of the layout, the bytes, and a
  // weight that reads such bytes where they lie. (M, K, bytes)
  { b.packed_layout() } -> std::convertible_to<std::string>;
  { b.packed_bytes(packed) } -> std::same_as<std::span<const std::byte>>;
  { b.packed_in_place(n, n, bytes) } -> std::same_as<typename B::packed_weight>;
};

}  // namespace onoma::inline ONOMA_ABI
