/// The seam between layers and hardware: the fused functions that every backend provides.
///
/// Shape alphabet: N tokens, H hidden, F feed-forward, A heads, D head size, V vocabulary, L labels.
/// K and M stand for the input and output width of a linear. core/operands.hpp has those of norms,
/// embeddings and attention.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/crf.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/span_scores.hpp>
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
struct set_t {};               ///< replaces
struct add_t {};               ///< adds
inline constexpr set_t set{};  ///< replaces what is there
inline constexpr add_t add{};  ///< adds to what is there

/// Sum over the labelled tokens and how many there are: the mean is the reported loss.
struct loss_result {
  double sum = 0.0;  ///< of the losses
  index_t count = 0;   ///< labelled tokens
  /// sum / count; 0 where nothing is labelled.
  [[nodiscard]] double mean() const noexcept {
    return count == 0 ? 0.0 : sum / static_cast<double>(count);
  }
};

/// One AdamW update: decoupled weight decay, bias-corrected moments (Loshchilov and Hutter, ICLR
/// 2019; the order of operations of torch.optim.AdamW).
template <class T>
struct adamw_step {
  /// of this step
  T learning_rate = T(0);
  /// decay of the mean of the gradient
  T beta1 = T(0.9);
  /// decay of the mean of its square
  T beta2 = T(0.999);
  /// added to the root of that mean
  T eps = T(1e-8);
  /// times the learning rate
  T weight_decay = T(0);
  T gradient_scale = T(1);        ///< multiplies every gradient first (clipping, accumulation)
  double bias_correction1 = 1.0;  ///< 1 - beta1^t
  double bias_correction2 = 1.0;  ///< 1 - beta2^t
};

/// What a forward pass needs: the functions below and nothing else. All views are in the backend's own
/// memory. The result never depends on how many threads run it.
///
/// A forward pass of inference hands over no active dropout and no view to keep statistics in.
///
/// `dry_run(true)` makes every function return at once: layers run on measuring arenas that way.
template <class B>
concept inference_backend = requires(
    B& b, bool flag, index_t n, double number, std::size_t bytes, const typename B::scalar* host_in,
    typename B::scalar* host_out, vec<typename B::scalar> v, vec<const typename B::scalar> cv,
    mat<typename B::scalar> m, mat<const typename B::scalar> cm, vec<const std::int32_t> ids,
    typename B::packed_weight& packed, const typename B::packed_weight& cpacked, activation act,
    dropout_spec dropout, norm_statistics<typename B::scalar> stats,
    layer_norm_weights<typename B::scalar> layer_norm, rms_norm_weights<typename B::scalar> rms_norm,
    attention_operands<typename B::scalar> qkv, attention_shape<typename B::scalar> shape,
    attention_result<typename B::scalar> attended, rotary_angles<typename B::scalar> angles,
    rotary_angles<const typename B::scalar> cangles, embedding_rows rows,
    embedding_tables<const typename B::scalar> tables, std::span<const stored_matrix> stored) {
  typename B::scalar;
  typename B::buffer;         // owns a block of backend memory: movable; .data() -> std::byte*, .size()
  // A weight [M, K] in the layout that the kernels read: movable; default-constructed, no weight.
  typename B::packed_weight;
  requires std::default_initializable<typename B::packed_weight>;
  { b.dry_run(flag) };
  { b.dry_run() } -> std::convertible_to<bool>;
  // How many rows of so many values find room in the caches, at least 1: inference takes so many tokens
  // through the layers together.
  { b.rows_at_once(n) } -> std::same_as<index_t>;

  // Memory. `allocate` zeroes. Uploads and downloads copy between host memory and the backend's.
  { b.allocate(bytes) } -> std::same_as<typename B::buffer>;
  { b.upload(host_in, v) };    // v = host_in[0 .. v.size)
  { b.upload(stored_matrix{}, v) };  // the same, converted; all of its elements
  { b.download(cv, host_out) };
  { b.upload_ids(ids, vec<std::int32_t>{}) };

  // Weights. with_transpose: also keep what linear_dx reads (training).
  { b.make_packed(n, n, flag) } -> std::same_as<typename B::packed_weight>;  // (M, K, transpose)
  // From host memory as a file has it, for a weight without transpose: the matrices of `stored`,
  // each [_, K], lie below one another in [M, K]. All are float formats, or all I8: then `linear` and
  // `linear_activation` quantise each row of x and compute on integers (kernels/ref/quantized.hpp).
  // Returns whether all numbers were finite.
  { b.pack(stored, packed) } -> std::same_as<bool>;

  // y [N, M] = x [N, K] w^T + bias [M]   (bias may be null)
  { b.linear(cm, cpacked, cv, m) };
  // y [N, M] = residual [N, M] + x w^T + bias (may be null); y is not the residual.
  { b.linear(cm, cpacked, cv, cm, m) };
  // pre [N, M] = x w^T + bias (null: not kept); y = act(pre)
  { b.linear_activation(cm, cpacked, cv, act, m, m) };
  // y [N, F] = act(pre[:, :F]) pre[:, F:] for pre [N, 2F].  (pre, act, y)
  { b.gate(cm, act, m) };

  // x becomes z = residual + dropout(x) (residual may be null); y = normalised(z).
  // (x, residual, dropout, weights, y, statistics). y may be x only if nothing is kept.
  { b.add_norm(m, cm, dropout, layer_norm, m, stats) };
  { b.add_norm(m, cm, dropout, rms_norm, m, stats) };

  // The angles of tokens at positions [N], for a base of the wave lengths.  (positions, base, angles)
  { b.rotary(ids, number, angles) };
  // Turns x [N, A D], in place, by the angles of its tokens.
  { b.rotate(m, cangles) };
  // Softmax(scale q k^T) v for each sequence and head.
  { b.attention(qkv, shape, attended) };

  // y [N, H] = word[ids] + position[...] + type[...]
  { b.embed(rows, tables, m) };
  // Rows by number. y [M, H]: row i is row ids[i] of x [N, H].  (x, ids, y)
  { b.gather(cm, ids, m) };
  // y [N, L] = softmax of each row of x
  { b.softmax(cm, m) };
};

/// What training needs beyond inference: the backward of each function, the loss and the optimizer.
/// Parameter gradients accumulate; activation gradients are set, except where a call takes `add`.
template <class B>
concept training_backend = inference_backend<B> && requires(
    B& b, vec<typename B::scalar> v, vec<const typename B::scalar> cv, mat<typename B::scalar> m,
    mat<const typename B::scalar> cm, vec<const std::int32_t> ids,
    typename B::packed_weight& packed, const typename B::packed_weight& cpacked,
    typename B::scalar t, activation act, dropout_spec dropout,
    norm_statistics<typename B::scalar> stats, layer_norm_weights<typename B::scalar> layer_norm,
    rms_norm_weights<typename B::scalar> rms_norm, norm_gradients<typename B::scalar> dnorm,
    attention_operands<typename B::scalar> qkv, attention_shape<typename B::scalar> shape,
    attention_result<const typename B::scalar> attended,
    attention_gradients<typename B::scalar> dqkv, rotary_angles<const typename B::scalar> angles,
    embedding_gradients<typename B::scalar> dtables, table_gradient<typename B::scalar> dtable,
    vec<std::uint8_t> marks, embedding_rows rows, adamw_step<typename B::scalar> step,
    const cross_entropy_rule<typename B::scalar>& rule) {
  { b.pack(cm, packed) };
  { b.fill(v, t) };
  { b.fill(marks, std::uint8_t{}) };

  // dx [N, K] (set | add) = dy [N, M] w
  { b.linear_dx(cm, cpacked, set, m) };
  { b.linear_dx(cm, cpacked, add, m) };
  // dx [N, K] = (dy w) act'(pre), pre [N, K].  (dy, w, act, pre, dx)
  { b.linear_dx(cm, cpacked, act, cm, m) };
  // d [N, M] becomes d act'(pre).  (act, pre, d)
  { b.activation_backward(act, cm, m) };
  // dw [M, K] += dy^T x; db [M] += column sums of dy (null: no bias).  (x, dy, dw, db)
  { b.linear_dw(cm, cm, m, v) };
  // dpre [N, 2F] from dy [N, F].  (pre, act, dy, dpre)
  { b.gate_backward(cm, act, cm, m) };

  // (z, statistics, weights, dy, dropout, set | add, dz, dx, gradients): dz is the gradient of z, which
  // may be dy where it is set, or is added to what dz holds; dx = dropout mask applied to the result
  // (null view: not wanted).
  { b.add_norm_backward(cm, stats, layer_norm, cm, dropout, set, m, m, dnorm) };
  { b.add_norm_backward(cm, stats, layer_norm, cm, dropout, add, m, m, dnorm) };
  { b.add_norm_backward(cm, stats, rms_norm, cm, dropout, set, m, m, dnorm) };
  { b.add_norm_backward(cm, stats, rms_norm, cm, dropout, add, m, m, dnorm) };
  // x = dropout(x), in place; the same call on the gradient is the backward.
  { b.dropout(m, dropout) };

  // Turns a gradient back, in place.
  { b.rotate_backward(m, angles) };
  // (operands, shape, what the forward computed, dout [N, A D], gradients)
  { b.attention_backward(qkv, shape, attended, cm, dqkv) };

  // Adds each row of dy [N, H] to the gradient rows that it came from, and marks them as used.
  { b.embed_backward(rows, cm, dtables) };
  // y [N, H]: row ids[i] is row i of x [M, H], all others are zero; ids ascend.  (x, ids, y)
  { b.scatter(cm, ids, m) };

  // Mean cross-entropy of logits [N, L] over rows whose label is not `ignored_label`.
  // dlogits [N, L] is set to t * d(sum of losses)/d(logits); null view: loss only.
  { b.softmax_cross_entropy(cm, ids, t, m) } -> std::same_as<loss_result>;
  // The same by a rule: with weights, label smoothing and focus. The count is that of the labelled rows.
  { b.softmax_cross_entropy(cm, ids, rule, t, m) } -> std::same_as<loss_result>;

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
};

/// What a head of linear chains needs beside the functions of inference (core/crf.hpp). Targets, which may be
/// empty, leave the paths that agree with them.
///
/// All of them check what they are given as `check_crf` and `check_crf_targets` do, and refuse a sequence without a
/// path as `check_crf_sums`: results are then in no state to be used. What a sequence gets does not depend on the
/// others of its batch. What decoding finds (labels, paths, scores, sums) lies in host memory.
template <class B>
concept chain_backend =
    inference_backend<B> &&
    requires(B& b, const crf_chain<typename B::scalar>& chain, mat<const typename B::scalar> cm,
             const sequences& batch, const crf_targets& targets, mat<typename B::scalar> m,
             vec<std::int32_t> labels, mat<std::int32_t> paths, vec<double> numbers, mat<double> table) {
  // labels [N] of the best path of each sequence, and its score [B]. Of paths of equal score, the one with the
  // lowest label at the last word where they differ.  (chain, emissions [N, L], batch, targets, labels, scores)
  { b.crf_viterbi(chain, cm, batch, targets, labels, numbers) };
  // Probabilities [N, L] of labels under all paths that agree with the targets (null: not wanted), and the
  // logarithm of the sum over these paths [B]: less that without targets, the logarithm of their probability.
  { b.crf_marginals(chain, cm, batch, targets, m, numbers) };
  // The K best paths: row k of `paths` [K, N] has the k-th of each sequence, of score [B, K]. Where a sequence has
  // fewer paths, labels are -1 and scores minus infinity.  (chain, emissions, batch, paths, scores)
  { b.crf_n_best(chain, cm, batch, paths, table) };
};

/// The loss of linear chains and its gradients.
template <class B>
concept chain_training_backend =
    training_backend<B> && chain_backend<B> &&
    requires(B& b, const crf_chain<typename B::scalar>& chain, mat<const typename B::scalar> cm,
             const sequences& batch, const crf_targets& targets, typename B::scalar t,
             mat<typename B::scalar> m, const crf_gradients<typename B::scalar>& gradients) {
  // Sum over the sequences of minus log(probability of the paths that agree with the targets); it counts the words
  // of which the targets say something. demissions [N, L] is set to t times the gradient (null: loss only), and t
  // times that of the weights is added (null views: not wanted).
  { b.crf_loss(chain, cm, batch, targets, t, m, gradients) } -> std::same_as<loss_result>;
};

/// What a head that scores spans of words needs beside the functions of inference (core/span_scores.hpp). The
/// offsets of sequences lie in backend memory. What a span gets does not depend on the other sequences of its batch.
template <class B>
concept span_backend =
    inference_backend<B> &&
    requires(B& b, const span_operands<typename B::scalar>& operands, const sequences& batch,
             mat<typename B::scalar> m) {
  // scores [N, W L]: row n has L scores for each span that begins with word n, by its width, and 0 where one would go
  // beyond its sequence.  (operands, batch, scores)
  { b.span_scores(operands, batch, m) };
};

/// The gradients of span scores.
template <class B>
concept span_training_backend =
    training_backend<B> && span_backend<B> &&
    requires(B& b, const span_operands<typename B::scalar>& operands, const sequences& batch,
             mat<const typename B::scalar> cm, const span_gradients<typename B::scalar>& gradients) {
  // From dscores [N, W L], which are not read where there is no span.  (operands, batch, dscores, gradients)
  { b.span_scores_backward(operands, batch, cm, gradients) };
};

/// A backend whose kernels can read the host's memory where it lies: of a mapped file, they then touch
/// what they need and nothing is copied.
template <class B>
concept reads_host_memory =
    inference_backend<B> &&
    requires(const B& b, std::span<const stored_matrix> stored, index_t n,
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
