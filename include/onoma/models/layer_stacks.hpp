/// The layers of an encoder, one behind the other: those that normalise after each block, and those before.
#pragma once

#include <onoma/core/relative_position.hpp>
#include <onoma/models/encoder_spec.hpp>
#include <onoma/nn/embedding.hpp>
#include <onoma/nn/norm.hpp>
#include <onoma/nn/post_norm_layer.hpp>
#include <onoma/nn/pre_norm_layer.hpp>
#include <onoma/nn/rotary.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A batch as an encoder reads it; all in backend memory.
struct encoder_input {
  embedding_input tokens;  ///< N packed tokens
  sequences batch;         ///< where each of B sequences begins
  // [M] the rows of the last hidden states that are wanted, ascending; empty: all. The last layer
  // computes nothing behind its attention for the others.
  vec<const std::int32_t> wanted{};  ///< rows whose hidden states are wanted, ascending; none: all
};

/// BERT's layers, with the bias of relative positions that some families share among them.
template <inference_backend B>
class post_norm_stack {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// What backward reads.
  struct saved {
    std::vector<typename post_norm_layer<B>::saved> layers;  ///< of each layer
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit post_norm_stack(const encoder_spec& spec) {
    for (index_t i = 0; i < spec.layers; ++i) layers_.emplace_back(layer_sizes(spec, i));
    if (spec.relative_bias) {
      relative_bias_ = parameter<scalar>::matrix(relative_position_buckets, spec.heads);
      relative_bias_->rule = update_rule::plain;  // a bias, by its name in transformers' Trainer
    }
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    if (relative_bias_) visitor(at / "relative_bias", *relative_bias_);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].visit(at / "layer" / static_cast<index_t>(i), visitor);
    }
  }
  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    for (auto& layer : layers_) layer.visit_linears(visitor);
  }

  /// `states` [layers + 1]: the first, x [N, H], is given; the others are set to each layer's output.
  void forward(const pass<B>& run, const encoder_input& input, std::vector<mat<scalar>>& states,
               saved& keep) const {
    keep.layers.resize(layers_.size());
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      states[i + 1] = layers_[i].forward(run, states[i], context_of(i, input), keep.layers[i]);
    }
  }

  /// d [M, H] is the gradient of the last state, and all [N, H] becomes that of the first; both are
  /// overwritten, and may be one where all rows are wanted.
  void backward(const pass<B>& run, const encoder_input& input, mat<scalar> d, mat<scalar> all,
                const saved& kept) const {
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const bool last = i + 1 == layers_.size();
      layers_[i].backward(run, last ? d : all, context_of(i, input), all, kept.layers[i]);
    }
  }

 private:
  attention_context<scalar> context_of(std::size_t layer, const encoder_input& input) const {
    attention_context<scalar> context{input.batch};
    if (relative_bias_) {
      context.bias = relative_bias_->value_matrix();
      context.dbias = relative_bias_->gradient_matrix();
    }
    if (layer + 1 == layers_.size()) context.wanted = input.wanted;
    return context;
  }
  static typename post_norm_layer<B>::sizes layer_sizes(const encoder_spec& s, index_t number) {
    const auto hidden_dropout = static_cast<float>(s.hidden_dropout);
    return {.number = number,
            .hidden = s.hidden,
            .heads = s.heads,
            .inner = s.inner,
            .function = s.function,
            .eps = s.norm_eps,
            .attention_probabilities_dropout = static_cast<float>(s.attention_dropout),
            .attention_output_dropout = s.drops_attention_output ? hidden_dropout : 0.0F,
            .feed_forward_dropout = hidden_dropout};
  }

  std::optional<parameter<scalar>> relative_bias_;  // [relative_position_buckets, A], of all layers
  std::vector<post_norm_layer<B>> layers_;
};

/// ModernBERT's layers: the first has no norm before its attention, since the embeddings have one, and one
/// norm follows the last.
template <inference_backend B>
class pre_norm_stack {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;
  /// The first layer has no norm before its attention.
  using first_layer = pre_norm_layer<B, no_norm<B>>;
  /// Any other layer.
  using layer = pre_norm_layer<B>;

  /// What backward reads.
  struct saved {
    rotary_angles<const scalar> global_angles;  ///< [N, D / 2]
    rotary_angles<const scalar> local_angles;   ///< [N, D / 2]
    typename first_layer::saved first;          ///< of the first layer
    std::vector<typename layer::saved> layers;  ///< of the others
    typename layer_norm<B>::saved norm;         ///< of the norm
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit pre_norm_stack(const encoder_spec& spec)
      : spec_(*spec.pre_norm),
        width_(spec.hidden / spec.heads),
        first_(layer_sizes<typename first_layer::sizes>(spec, 0)),
        norm_(spec.hidden, spec.norm_eps, spec.pre_norm->norm_bias) {
    for (index_t i = 1; i < spec.layers; ++i) {
      layers_.emplace_back(layer_sizes<typename layer::sizes>(spec, i));
    }
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    first_.visit(at / "layer" / 0, visitor);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].visit(at / "layer" / static_cast<index_t>(i + 1), visitor);
    }
    norm_.visit(at / "final_norm", visitor);
  }
  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    first_.visit_linears(visitor);
    for (auto& each : layers_) each.visit_linears(visitor);
  }

  /// As that of post_norm_stack; the last state is normalised.
  void forward(const pass<B>& run, const encoder_input& input, std::vector<mat<scalar>>& states,
               saved& keep) const {
    keep.layers.resize(layers_.size());
    keep.global_angles = angles(run, input, spec_.global_base);
    keep.local_angles = angles(run, input, spec_.local_base);
    states[1] = first_.forward(run, states[0], context_of(0, input, keep), keep.first);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      states[i + 2] = layers_[i].forward(run, states[i + 1], context_of(i + 1, input, keep), keep.layers[i]);
    }
    states.back() = norm_.forward(run, states.back(), {}, {}, keep.norm);
  }

  /// d is the gradient of what `forward` returned; it becomes that of the embeddings.
  void backward(const pass<B>& run, const encoder_input& input, mat<scalar> d, mat<scalar> all,
                const saved& kept) const {
    norm_.backward(run, d, {}, kept.norm);
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const bool last = i + 1 == layers_.size();
      layers_[i].backward(run, last ? d : all, context_of(i + 1, input, kept), all, kept.layers[i]);
    }
    first_.backward(run, layers_.empty() ? d : all, context_of(0, input, kept), all, kept.first);
  }

 private:
  rotary_angles<const scalar> angles(const pass<B>& run, const encoder_input& input, double base) const {
    const auto found = angles_of(run, input.tokens.positions, base, width_);
    return {found.cosine, found.sine};
  }
  attention_context<scalar> context_of(std::size_t number, const encoder_input& input,
                                       const saved& kept) const {
    attention_context<scalar> context{input.batch};
    context.rotary = spec_.is_local[number] ? kept.local_angles : kept.global_angles;
    if (number == layers_.size()) context.wanted = input.wanted;
    return context;
  }
  template <class Sizes>
  static Sizes layer_sizes(const encoder_spec& s, index_t number) {
    const auto& own = *s.pre_norm;
    const auto attention_dropout = static_cast<float>(s.attention_dropout);
    const bool local = own.is_local[static_cast<std::size_t>(number)];
    return {.number = number,
            .attention = {.hidden = s.hidden,
                          .heads = s.heads,
                          .bias = own.attention_bias,
                          .reach = local ? attention_reach::window(own.radius) : attention_reach{}},
            .feed_forward = {.hidden = s.hidden,
                             .inner = s.inner,
                             .function = s.function,
                             .bias = own.feed_forward_bias},
            .eps = s.norm_eps,
            .norm_bias = own.norm_bias,
            .attention_probabilities_dropout = attention_dropout,
            .attention_output_dropout = attention_dropout,
            .feed_forward_dropout = static_cast<float>(own.inner_dropout)};
  }

  pre_norm_spec spec_;
  index_t width_;  // D
  first_layer first_;
  std::vector<layer> layers_;  // from the second on
  layer_norm<B> norm_;
};

}  // namespace onoma::inline ONOMA_ABI
