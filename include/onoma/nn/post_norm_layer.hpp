/// One layer of an encoder that normalises after each block: attention, add & norm, feed-forward, add & norm.
#pragma once

#include <onoma/nn/attention.hpp>
#include <onoma/nn/feed_forward.hpp>
#include <onoma/nn/norm.hpp>

namespace onoma::inline ONOMA_ABI {

/// The post-norm layer of BERT (Devlin et al., NAACL 2019; Vaswani et al., NeurIPS 2017, figure 1
/// left).
template <inference_backend B>
class post_norm_layer {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Sizes and settings.
  struct sizes {
    index_t number = 0;                              ///< counted from 0: names the dropout masks
    index_t hidden = 0;                              ///< H
    index_t heads = 1;                               ///< A
    index_t inner = 0;                               ///< F
    activation function = activation::gelu;        ///< between the products
    double eps = 1e-12;                            ///< of the norms
    float attention_probabilities_dropout = 0.0F;  ///< on the attention probabilities
    float attention_output_dropout = 0.0F;         ///< behind the attention's output projection
    float feed_forward_dropout = 0.0F;             ///< behind the feed-forward block
  };

  /// What backward reads.
  struct saved {
    typename attention<B>::saved attention_block;        ///< of the attention
    typename layer_norm<B>::saved attention_norm;        ///< of the norm behind it
    typename feed_forward<B>::saved feed_forward_block;  ///< of the feed-forward block
    typename layer_norm<B>::saved feed_forward_norm;     ///< of the norm behind it
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit post_norm_layer(const sizes& s)
      : sizes_(s),
        attention_({.hidden = s.hidden, .heads = s.heads}),
        attention_norm_(s.hidden, s.eps),
        feed_forward_(s.hidden, s.inner, s.function),
        feed_forward_norm_(s.hidden, s.eps) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    attention_.visit(at / "attention", visitor);
    attention_norm_.visit(at / "attention_norm", visitor);
    feed_forward_.visit(at / "feed_forward", visitor);
    feed_forward_norm_.visit(at / "feed_forward_norm", visitor);
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

    const index_t wanted = context.wanted.empty() ? x.rows : context.wanted.size;
    const auto a = run.keep(wanted, x.cols);
    attention_.forward(run, x, context, m.probabilities, a, keep.attention_block);
    mat<const scalar> residual = x;
    if (!context.wanted.empty()) {
      const auto rows = run.scratch.template take<scalar>(wanted, x.cols);
      run.device.gather(x, context.wanted, rows);
      residual = rows;
    }
    const auto h = attention_norm_.forward(run, a, residual, m.attention_output, keep.attention_norm);

    const auto f = run.training ? run.keep(wanted, x.cols) : x.rows_slice(0, wanted);
    feed_forward_.forward(run, h, f, keep.feed_forward_block);
    return feed_forward_norm_.forward(run, f, h, m.feed_forward_output, keep.feed_forward_norm);
  }

  /// d [M, H] holds the gradient of y, and dx [N, H] becomes the gradient of x; dx may be d where all
  /// rows are wanted. Each norm leaves the residual's gradient in d, and the block beside the residual
  /// adds its own.
  void backward(const pass<B>& run, mat<scalar> d, const attention_context<scalar>& context,
                mat<scalar> dx, const saved& kept) const
    requires training_backend<B>
  {
    const auto m = masks(run);
    {
      const arena_scope release(run.scratch);
      const auto df =
          feed_forward_norm_.backward(run, d, m.feed_forward_output, kept.feed_forward_norm);
      feed_forward_.backward(run, df, d, kept.feed_forward_block);
    }
    {
      const arena_scope release(run.scratch);
      const auto da = attention_norm_.backward(run, d, m.attention_output, kept.attention_norm);
      if (!context.wanted.empty()) run.device.scatter(d, context.wanted, dx);
      attention_.backward(run, da, context, m.probabilities, add, dx, kept.attention_block);
    }
  }

 private:
  struct layer_masks {
    dropout_spec probabilities;
    dropout_spec attention_output;
    dropout_spec feed_forward_output;
  };
  layer_masks masks(const pass<B>& run) const {
    const auto at = [&](std::uint64_t place, float p) { return run.dropout.at(place, p); };
    return {at(random_place::attention_probabilities_dropout(sizes_.number),
               sizes_.attention_probabilities_dropout),
            at(random_place::attention_output_dropout(sizes_.number), sizes_.attention_output_dropout),
            at(random_place::feed_forward_output_dropout(sizes_.number), sizes_.feed_forward_dropout)};
  }

  sizes sizes_;
  attention<B> attention_;
  layer_norm<B> attention_norm_;
  feed_forward<B> feed_forward_;
  layer_norm<B> feed_forward_norm_;
};

}  // namespace onoma::inline ONOMA_ABI
