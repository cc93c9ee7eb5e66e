/// The encoder: embeddings and a stack of layers. One code for every family.
#pragma once

#include <onoma/core/relative_position.hpp>
#include <onoma/models/encoder_spec.hpp>
#include <onoma/nn/embedding.hpp>
#include <onoma/nn/post_norm_layer.hpp>

#include <cstddef>
#include <optional>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A batch as an encoder reads it; all in backend memory.
struct encoder_input {
  embedding_input tokens;  // N packed tokens
  sequences batch;         // where each of B sequences begins
  // [M] the rows of the last hidden states that are wanted, ascending; empty: all. The last layer
  // computes nothing behind its attention for the others.
  vec<const std::int32_t> wanted{};
};

/// BERT and its relatives (families/ has them): the specification says what differs.
template <inference_backend B>
class encoder {
 public:
  using scalar = typename B::scalar;

  struct saved {
    encoder_input input;
    typename embedding<B>::saved embeddings;
    std::vector<typename post_norm_layer<B>::saved> layers;
    /// The embeddings' and each layer's output [N, H], the last one's [M, H]; in inference only that
    /// is still there.
    std::vector<mat<scalar>> states;
  };

  explicit encoder(const encoder_spec& config) : embeddings_(embedding_sizes(config)) {
    for (index i = 0; i < config.layers; ++i) layers_.emplace_back(layer_sizes(config, i));
    if (config.relative_bias) {
      relative_bias_ = parameter<scalar>::matrix(relative_position_buckets, config.heads);
      relative_bias_->rule = update_rule::plain;  // a bias, by its name in transformers' Trainer
    }
  }

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    embeddings_.visit(at / "embeddings", visitor);
    if (relative_bias_) visitor(at / "relative_bias", *relative_bias_);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      layers_[i].visit(at / "layer" / static_cast<index>(i), visitor);
    }
  }

  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    embeddings_.visit_linears(visitor);
    for (auto& layer : layers_) layer.visit_linears(visitor);
  }

  /// Returns the wanted rows of the last hidden states, [M, H].
  mat<scalar> forward(const pass<B>& run, const encoder_input& input, saved& keep) const {
    keep.input = input;
    keep.layers.resize(layers_.size());
    keep.states.resize(layers_.size() + 1);
    keep.states[0] = embeddings_.forward(run, input.tokens, keep.embeddings);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
      keep.states[i + 1] =
          layers_[i].forward(run, keep.states[i], context_of(i, input), keep.layers[i]);
    }
    return keep.states.back();
  }

  /// d [M, H]: the gradient of what `forward` returned; overwritten.
  void backward(const pass<B>& run, mat<scalar> d, const saved& kept) const
    requires training_backend<B>
  {
    auto all = d;  // [N, H]
    if (!kept.input.wanted.empty()) {
      all = run.scratch.template take<scalar>(kept.input.tokens.ids.size, d.cols);
    }
    for (std::size_t i = layers_.size(); i-- > 0;) {
      const bool last = i + 1 == layers_.size();
      layers_[i].backward(run, last ? d : all, context_of(i, kept.input), all, kept.layers[i]);
    }
    embeddings_.backward(run, all, kept.embeddings);
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
  static typename embedding<B>::sizes embedding_sizes(const encoder_spec& c) {
    return {.vocabulary = c.vocabulary,
            .positions = c.max_positions,
            .types = c.types,
            .width = c.embedding == 0 ? c.hidden : c.embedding,
            .hidden = c.hidden,
            .eps = c.norm_eps,
            .dropout = static_cast<float>(c.hidden_dropout),
            .fixed_positions = c.fixed_positions,
            .padding = c.padding_id,
            .position_padding = c.positions_follow_padding ? c.padding_id : -1};
  }
  static typename post_norm_layer<B>::sizes layer_sizes(const encoder_spec& c, index number) {
    const auto hidden_dropout = static_cast<float>(c.hidden_dropout);
    return {.number = number,
            .hidden = c.hidden,
            .heads = c.heads,
            .inner = c.inner,
            .function = c.function,
            .eps = c.norm_eps,
            .attention_probabilities_dropout = static_cast<float>(c.attention_dropout),
            .attention_output_dropout = c.drops_attention_output ? hidden_dropout : 0.0F,
            .feed_forward_dropout = hidden_dropout};
  }

  embedding<B> embeddings_;
  std::optional<parameter<scalar>> relative_bias_;  // [relative_position_buckets, A], of all layers
  std::vector<post_norm_layer<B>> layers_;
};

}  // namespace onoma::inline ONOMA_ABI
