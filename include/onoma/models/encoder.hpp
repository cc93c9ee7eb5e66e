/// The encoder: embeddings and a stack of layers. One code for every family.
#pragma once

#include <onoma/models/encoder_spec.hpp>
#include <onoma/models/layer_stacks.hpp>
#include <onoma/nn/embedding.hpp>

#include <cstddef>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// BERT and its relatives (families/ has them): the specification says what differs.
template <inference_backend B>
class encoder {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// What backward reads.
  struct saved {
    encoder_input input;                           ///< what was read
    typename embedding<B>::saved embeddings;       ///< of the embeddings
    typename post_norm_stack<B>::saved post_norm;  ///< of post-norm layers
    typename pre_norm_stack<B>::saved pre_norm;    ///< of pre-norm layers
    /// The embeddings' and each layer's output [N, H], the last one's [M, H]; in inference only that
    /// is still there.
    std::vector<mat<scalar>> states;
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit encoder(const encoder_spec& spec)
      : embeddings_(embedding_sizes(spec)),
        layers_(spec.pre_norm ? stack(pre_norm_stack<B>(spec)) : stack(post_norm_stack<B>(spec))),
        count_(spec.layers) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    embeddings_.visit(at / "embeddings", visitor);
    std::visit([&](auto& layers) { layers.visit(at, visitor); }, layers_);
  }

  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    embeddings_.visit_linears(visitor);
    std::visit([&](auto& layers) { layers.visit_linears(visitor); }, layers_);
  }

  /// Returns the wanted rows of the last hidden states, [M, H].
  mat<scalar> forward(const pass<B>& run, const encoder_input& input, saved& keep) const {
    keep.input = input;
    keep.states.resize(static_cast<std::size_t>(count_) + 1);
    keep.states[0] = embeddings_.forward(run, input.tokens, keep.embeddings);
    if (const auto* post = std::get_if<post_norm_stack<B>>(&layers_)) {
      post->forward(run, input, keep.states, keep.post_norm);
    } else {
      std::get<pre_norm_stack<B>>(layers_).forward(run, input, keep.states, keep.pre_norm);
    }
    return keep.states.back();
  }

  /// d [M, H]: the gradient of what `forward` returned; overwritten.
  void backward(const pass<B>& run, mat<scalar> d, const saved& kept) const {
    auto all = d;  ///< [N, H]
    if (!kept.input.wanted.empty()) {
      all = run.scratch.template take<scalar>(kept.input.tokens.ids.size, d.cols);
    }
    if (const auto* post = std::get_if<post_norm_stack<B>>(&layers_)) {
      post->backward(run, kept.input, d, all, kept.post_norm);
    } else {
      std::get<pre_norm_stack<B>>(layers_).backward(run, kept.input, d, all, kept.pre_norm);
    }
    embeddings_.backward(run, all, kept.embeddings);
  }

 private:
  using stack = std::variant<post_norm_stack<B>, pre_norm_stack<B>>;

  static typename embedding<B>::sizes embedding_sizes(const encoder_spec& s) {
    return {.vocabulary = s.vocabulary,
            .positions = s.pre_norm ? 0 : s.max_positions,
            .types = s.types,
            .width = s.embedding == 0 ? s.hidden : s.embedding,
            .hidden = s.hidden,
            .eps = s.norm_eps,
            .norm_bias = !s.pre_norm || s.pre_norm->norm_bias,
            .dropout = static_cast<float>(s.pre_norm ? s.pre_norm->embedding_dropout : s.hidden_dropout),
            .fixed_positions = s.fixed_positions,
            .padding = s.padding_id,
            .position_padding = s.positions_follow_padding ? s.padding_id : -1};
  }

  embedding<B> embeddings_;
  stack layers_;
  index_t count_;
};

}  // namespace onoma::inline ONOMA_ABI
