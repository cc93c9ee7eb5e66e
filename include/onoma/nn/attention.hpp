/// Multi-head self-attention with its input and output projections.
#pragma once

#include <onoma/nn/linear.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI {

/// What the attentions of an encoder read beside their own parameters; backend memory.
template <class T>
struct attention_context {
  sequences batch;                   ///< where each sequence begins
  mat<const T> bias{};               ///< of relative positions, [relative_position_buckets, A]; null: none
  mat<T> dbias{};                    ///< its gradient, which every layer adds to
  rotary_angles<const T> rotary{};   ///< [N, D / 2] by which q and k turn; null: they do not
  vec<const std::int32_t> wanted{};  ///< [M] the rows whose output is wanted, ascending; empty: all
};

/// out = concat_heads(softmax(q k^T / sqrt(D) + bias) v) Wo^T + bo, each sequence by itself; the bias
/// is there where a family has one.
/// Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
template <inference_backend B>
class attention {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Sizes and settings.
  struct sizes {
    index_t hidden = 0;         ///< H
    index_t heads = 1;          ///< A, of queries
    index_t kv_heads = 0;       ///< G, of keys and values: a divisor of A; 0: A
    index_t width = 0;          ///< D; 0: H / A
    bool bias = true;         ///< of the projections
    attention_reach reach{};  ///< how far queries see
  };

  /// The probabilities are not kept: log_sum_exp gives them back from q and k (Dao et al.,
  /// "FlashAttention", NeurIPS 2022).
  struct saved {
    mat<const scalar> x;            ///< [N, H]
    mat<const scalar> qkv;          ///< [N, (A + 2 G) D], q and k turned
    mat<const scalar> mixed;        ///< [N, A D] what the heads computed, before Wo
    mat<const scalar> wanted;       ///< [M, A D] its wanted rows
    mat<const scalar> log_sum_exp;  ///< [A, N]
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit attention(const sizes& s)
      : heads_(s.heads),
        kv_heads_(s.kv_heads > 0 ? s.kv_heads : s.heads),
        width_(s.width > 0 ? s.width : s.hidden / s.heads),
        reach_(s.reach),
        query_key_value_(s.hidden, (heads_ + 2 * kv_heads_) * width_, s.bias),
        output_(heads_ * width_, s.hidden, s.bias) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    query_key_value_.visit(at / "query_key_value", visitor);
    output_.visit(at / "output", visitor);
  }

  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    query_key_value_.visit_linears(visitor);
    output_.visit_linears(visitor);
  }

  /// out [M, H], the wanted rows, from x [N, H]; `dropout` on the probabilities.
  void forward(const pass<B>& run, mat<const scalar> x, const attention_context<scalar>& context,
               const dropout_spec& dropout, mat<scalar> out, saved& keep) const {
    const auto qkv = run.keep(x.rows, (heads_ + 2 * kv_heads_) * width_);
    const auto mixed = run.keep(x.rows, heads_ * width_);
    const auto log_sum_exp = run.training ? run.keep(heads_, x.rows) : mat<scalar>{};
    query_key_value_.forward(run.device, x, qkv);
    if (context.rotary.cosine) run.device.rotate(turned(qkv), context.rotary);
    run.device.attention(operands(qkv), shape(context, dropout), {mixed, log_sum_exp});
    auto wanted = mixed;
    if (!context.wanted.empty()) {
      wanted = run.keep(context.wanted.size, mixed.cols);
      run.device.gather(mixed, context.wanted, wanted);
    }
    output_.forward(run.device, wanted, out);
    keep = {x, qkv, mixed, wanted, log_sum_exp};
  }

  /// The gradient of x, set in or added to dx [N, H]; dout [M, H]. dx may be dout: it is written last.
  template <class Mode>
  void backward(const pass<B>& run, mat<const scalar> dout, const attention_context<scalar>& context,
                const dropout_spec& dropout, Mode mode, mat<scalar> dx, const saved& kept) const
    requires training_backend<B>
  {
    const auto dmixed = run.scratch.template take<scalar>(dx.rows, kept.mixed.cols);
    const auto dqkv = run.scratch.template take<scalar>(dx.rows, kept.qkv.cols);
    if (!context.wanted.empty()) {
      const auto dwanted = run.scratch.template take<scalar>(dout.rows, kept.mixed.cols);
      output_.backward(run.device, kept.wanted, dout, set, dwanted);
      run.device.scatter(dwanted, context.wanted, dmixed);
    } else {
      output_.backward(run.device, kept.wanted, dout, set, dmixed);
    }
    run.device.attention_backward(operands(kept.qkv), shape(context, dropout),
                                  {kept.mixed, kept.log_sum_exp}, dmixed,
                                  {queries(dqkv), keys(dqkv), values(dqkv), context.dbias});
    if (context.rotary.cosine) run.device.rotate_backward(turned(dqkv), context.rotary);
    query_key_value_.backward(run.device, kept.x, dqkv, mode, dx);
  }

 private:
  // The columns of qkv.
  template <class T>
  [[nodiscard]] mat<T> queries(mat<T> qkv) const {
    return qkv.cols_slice(0, heads_ * width_);
  }
  template <class T>
  [[nodiscard]] mat<T> keys(mat<T> qkv) const {
    return qkv.cols_slice(heads_ * width_, kv_heads_ * width_);
  }
  template <class T>
  [[nodiscard]] mat<T> values(mat<T> qkv) const {
    return qkv.cols_slice((heads_ + kv_heads_) * width_, kv_heads_ * width_);
  }
  [[nodiscard]] mat<scalar> turned(mat<scalar> qkv) const {
    return qkv.cols_slice(0, (heads_ + kv_heads_) * width_);
  }
  [[nodiscard]] attention_operands<scalar> operands(mat<const scalar> qkv) const {
    return {queries(qkv), keys(qkv), values(qkv)};
  }

  [[nodiscard]] attention_shape<scalar> shape(const attention_context<scalar>& context,
                                              const dropout_spec& dropout) const {
    return {.queries = context.batch,
            .keys = context.batch,
            .heads = heads_,
            .kv_heads = kv_heads_,
            .scale = static_cast<scalar>(1.0 / std::sqrt(static_cast<double>(width_))),
            .reach = reach_,
            .dropout = dropout,
            .bias = context.bias};
  }

  index_t heads_;
  index_t kv_heads_;
  index_t width_;
  attention_reach reach_;
  linear<B> query_key_value_;  // [(A + 2 G) D, H]: the rows of q, then of k, then of v
  linear<B> output_;           // [H, A D]
};

}  // namespace onoma::inline ONOMA_ABI
