/// The layer that some families have between their encoder and the scores of a head.
#pragma once

#include <onoma/heads/concept.hpp>
#include <onoma/nn/linear.hpp>
#include <onoma/nn/norm.hpp>

namespace onoma::inline ONOMA_ABI {

/// y = normalised(f(x W^T + b)) (transformers, ModernBertPredictionHead).
template <inference_backend B>
class head_transform {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// What backward reads.
  struct saved {
    mat<const scalar> x;                 ///< [M, H]
    mat<const scalar> pre;               ///< [M, H]
    typename layer_norm<B>::saved norm;  ///< of the norm
  };

  /// Of H elements, without memory for its parameters yet.
  head_transform(index_t hidden, const transform_settings& s)
      : dense_(hidden, hidden, s.bias),
        norm_(hidden, s.norm_eps, s.norm_bias),
        hidden_(hidden),
        function_(s.function) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    dense_.visit(at / "dense", visitor);
    norm_.visit(at / "norm", visitor);
  }
  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    dense_.visit_linears(visitor);
  }

  /// Returns y [M, H].
  mat<scalar> forward(const pass<B>& run, mat<const scalar> x, saved& keep) const {
    const auto pre = run.training ? run.keep(x.rows, hidden_) : mat<scalar>{};
    const auto activated = run.keep(x.rows, hidden_);
    dense_.forward(run.device, x, function_, pre, activated);
    keep.x = x;
    keep.pre = pre;
    return norm_.forward(run, activated, {}, {}, keep.norm);
  }

  /// dy [M, H] is overwritten; dx [M, H] is set.
  void backward(const pass<B>& run, mat<scalar> dy, mat<scalar> dx, const saved& kept) const {
    norm_.backward(run, dy, {}, kept.norm);
    run.device.activation_backward(function_, kept.pre, dy);
    dense_.backward(run.device, kept.x, dy, set, dx);
  }

 private:
  linear<B> dense_;  // [H, H]
  layer_norm<B> norm_;
  index_t hidden_;
  activation function_;
};

}  // namespace onoma::inline ONOMA_ABI
