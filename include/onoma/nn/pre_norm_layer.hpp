/// One layer of an encoder that normalises before each block: norm, attention, add, norm, feed-forward, add.
#pragma once

#include <onoma/nn/attention.hpp>
#include <onoma/nn/gated_feed_forward.hpp>
#include <onoma/nn/norm.hpp>

namespace onoma::inline ONOMA_ABI {

/// z = x + attention(norm(x)); y = z + feed_forward(norm(z)) (Xiong et al., "On layer normalization in the
/// transformer architecture", ICML 2020, figure 1b; ModernBERT, arXiv 2412.13663). The norms are types:
/// `layer_norm`, `rms_norm`, or `no_norm` where the embeddings have just been normalised.
template <inference_backend B, class AttentionNorm = layer_norm<B>, class FeedForwardNorm = layer_norm<B>>
class pre_norm_layer {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Sizes and settings.
  struct sizes {
    index_t number = 0;                                      ///< counted from 0: names the dropout masks
    typename attention<B>::sizes attention{};              ///< of the attention
    typename gated_feed_forward<B>::sizes feed_forward{};  ///< of the feed-forward block
    double eps = 1e-5;                                     ///< of the norms
    bool norm_bias = false;                                ///< of the norms
    float attention_probabilities_dropout = 0.0F;          ///< on the attention probabilities
    float attention_output_dropout = 0.0F;                 ///< behind the attention's output projection
    float feed_forward_dropout = 0.0F;                     ///< on the gated values
  };

  /// What backward reads.
  struct saved {
    typename AttentionNorm::saved attention_norm;              ///< of the norm before the attention
    typename attention<B>::saved attention_block;              ///< of the attention
    typename FeedForwardNorm::saved feed_forward_norm;         ///< of the norm before the feed-forward block
    typename gated_feed_forward<B>::saved feed_forward_block;  ///< of the feed-forward block
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit pre_norm_layer(const sizes& s)
      : sizes_(s),
        attention_norm_(s.attention.hidden, s.eps, s.norm_bias),
        attention_(s.attention),
        feed_forward_norm_(s.attention.hidden, s.eps, s.norm_bias),
        feed_forward_(s.feed_forward) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    attention_norm_.visit(at / "attention_norm", visitor);
    attention_.visit(at / "attention", visitor);
    feed_forward_norm_.visit(at / "feed_forward_norm", visitor);
    feed_forward_.visit(at / "feed_forward", visitor);
  }

  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    attention_.visit_linears(visitor);
    feed_forward_.visit_linears(visitor);
  }

  /// Returns y [M, H], the rows that `context` wants, from x [N, H]. Training keeps x; inference
  /// overwrites it with y.
  mat<scalar> forward(const pass<B>& run, mat<scalar> x, const attention_context<scalar>& context,
                      saved& keep) const {
    const arena_scope release(run.scratch);
    const auto m = masks(run);

    const auto n = attention_norm_.forward_beside(run, x, {}, {}, keep.attention_norm);
    const index_t wanted = context.wanted.empty() ? x.rows : context.wanted.size;
    const auto z = run.keep(wanted, x.cols);
    attention_.forward(run, n, context, m.probabilities, z, keep.attention_block);
    mat<const scalar> residual = x;
    if (!context.wanted.empty()) {
      const auto rows = run.scratch.template take<scalar>(wanted, x.cols);
      run.device.gather(x, context.wanted, rows);
      residual = rows;
    }
    const auto h = feed_forward_norm_.forward_beside(run, z, residual, m.attention_output,
                                                     keep.feed_forward_norm);

    const auto y = run.training ? run.keep(wanted, x.cols) : x.rows_slice(0, wanted);
    feed_forward_.forward(run, h, z, m.feed_forward, y, keep.feed_forward_block);
    return y;
  }

  /// d [M, H] holds the gradient of y, and dx [N, H] becomes the gradient of x; dx may be d where all
  /// rows are wanted. What goes beside a block stays in d, and the block adds its own.
  void backward(const pass<B>& run, mat<scalar> d, const attention_context<scalar>& context,
                mat<scalar> dx, const saved& kept) const
    requires training_backend<B>
  {
    const auto m = masks(run);
    const arena_scope release(run.scratch);
    const auto da = feed_forward_norm_.backward_beside(
        run, d, m.attention_output, kept.feed_forward_norm, [&](auto mode, mat<scalar> dh) {
          feed_forward_.backward(run, d, m.feed_forward, mode, dh, kept.feed_forward_block);
        });
    if (!context.wanted.empty()) run.device.scatter(d, context.wanted, dx);
    attention_norm_.backward_beside(
        run, dx, {}, kept.attention_norm, [&](auto mode, mat<scalar> dn) {
          attention_.backward(run, da, context, m.probabilities, mode, dn, kept.attention_block);
        });
  }

 private:
  struct layer_masks {
    dropout_spec probabilities;
    dropout_spec attention_output;
    dropout_spec feed_forward;
  };
  layer_masks masks(const pass<B>& run) const {
    const auto at = [&](std::uint64_t place, float p) { return run.dropout.at(place, p); };
    return {at(random_place::attention_probabilities_dropout(sizes_.number),
               sizes_.attention_probabilities_dropout),
            at(random_place::attention_output_dropout(sizes_.number), sizes_.attention_output_dropout),
            at(random_place::feed_forward_inner_dropout(sizes_.number), sizes_.feed_forward_dropout)};
  }

  sizes sizes_;
  AttentionNorm attention_norm_;
  attention<B> attention_;
  FeedForwardNorm feed_forward_norm_;
  gated_feed_forward<B> feed_forward_;
};

}  // namespace onoma::inline ONOMA_ABI
