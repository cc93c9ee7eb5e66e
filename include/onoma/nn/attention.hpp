/// Multi-head self-attention with its input and output projections.
#pragma once

#include <onoma/nn/linear.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI {

/// What all attentions of an encoder read beside their own parameters; backend memory.
template <class T>
struct attention_context {
  sequences batch;
  mat<const T> bias{};  ///< of relative positions, [relative_position_buckets, A]; null: none
  mat<T> dbias{};       ///< its gradient, which every layer adds to
  vec<const std::int32_t> wanted{};  ///< [M] the rows whose output is wanted, ascending; empty: all
};

/// out = concat_heads(softmax(q k^T / sqrt(D) + bias) v) Wo^T + bo, each sequence by itself; the bias
/// is there where a family has one.
/// Source: Vaswani et al., "Attention is all you need", NeurIPS 2017, section 3.2.
template <backend B>
class attention {
 public:
  using scalar = typename B::scalar;

  /// The probabilities are not kept: log_sum_exp gives them back from q and k (Dao et al.,
  /// "FlashAttention", NeurIPS 2022).
  struct saved {
    mat<const scalar> x;            // [N, H]
    mat<const scalar> qkv;          // [N, 3H]
    mat<const scalar> mixed;        // [N, H] what the heads computed, before Wo
    mat<const scalar> wanted;       // [M, H] its wanted rows
    mat<const scalar> log_sum_exp;  // [A, N]
  };

  attention(index hidden, index heads)
      : query_key_value_(hidden, 3 * hidden),
        output_(hidden, hidden),
        hidden_(hidden),
        heads_(heads),
        scale_(static_cast<scalar>(1.0 / std::sqrt(static_cast<double>(hidden / heads)))) {}

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    query_key_value_.visit(at / "query_key_value", visitor);
    output_.visit(at / "output", visitor);
  }

  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    query_key_value_.visit_linears(visitor);
    output_.visit_linears(visitor);
  }

  /// out [M, H], the wanted rows, from x [N, H]; `dropout` on the probabilities.
  void forward(const pass<B>& run, mat<const scalar> x, const attention_context<scalar>& context,
               const dropout_spec& dropout, mat<scalar> out, saved& keep) const {
    const auto qkv = run.keep(x.rows, 3 * hidden_);
    const auto mixed = run.keep(x.rows, hidden_);
    const auto log_sum_exp = run.training ? run.keep(heads_, x.rows) : mat<scalar>{};
    query_key_value_.forward(run.device, x, qkv);
    run.device.attention(qkv, shape(context, dropout), mixed, log_sum_exp);
    auto wanted = mixed;
    if (!context.wanted.empty()) {
      wanted = run.keep(context.wanted.size, hidden_);
      run.device.gather(mixed, context.wanted, wanted);
    }
    output_.forward(run.device, wanted, out);
    keep = {x, qkv, mixed, wanted, log_sum_exp};
  }

  /// Adds the gradient of x to dx [N, H]; dout [M, H]. dx may be dout: it is written last.
  void backward(const pass<B>& run, mat<const scalar> dout, const attention_context<scalar>& context,
                const dropout_spec& dropout, mat<scalar> dx, const saved& kept) const {
    const auto dmixed = run.scratch.template take<scalar>(dx.rows, hidden_);
    const auto dqkv = run.scratch.template take<scalar>(dx.rows, 3 * hidden_);
    if (!context.wanted.empty()) {
      const auto dwanted = run.scratch.template take<scalar>(dout.rows, hidden_);
      output_.backward(run.device, kept.wanted, dout, set, dwanted);
      run.device.scatter(dwanted, context.wanted, dmixed);
    } else {
      output_.backward(run.device, kept.wanted, dout, set, dmixed);
    }
    run.device.attention_backward(kept.qkv, shape(context, dropout), kept.mixed, kept.log_sum_exp,
                                  dmixed, dqkv, context.dbias);
    query_key_value_.backward(run.device, kept.x, dqkv, add, dx);
  }

 private:
  attention_shape<scalar> shape(const attention_context<scalar>& context,
                                const dropout_spec& dropout) const {
    return {context.batch, heads_, scale_, dropout, context.bias};
  }

  linear<B> query_key_value_;  // [3H, H]: the rows of q, then of k, then of v
  linear<B> output_;           // [H, H]
  index hidden_;
  index heads_;
  scalar scale_;
};

}  // namespace onoma::inline ONOMA_ABI
