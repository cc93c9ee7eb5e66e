/// The gated feed-forward block: expand twice, activate one half, multiply by the other, contract.
#pragma once

#include <onoma/nn/linear.hpp>

namespace onoma::inline ONOMA_ABI {

/// y = residual + (f(x Wi^T) * x Wg^T) Wo^T, with biases where there are some; Wi and Wg lie below one
/// another in one weight. GeGLU with f = GELU (Shazeer, arXiv 2002.05202; transformers, ModernBertMLP).
template <inference_backend B>
class gated_feed_forward {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Sizes and settings.
  struct sizes {
    index_t hidden = 0;                        ///< H
    index_t inner = 0;                         ///< F
    activation function = activation::gelu;  ///< between the products
    bool bias = true;                        ///< of the projections
  };

  /// The largest values that a layer keeps; with `pass::recompute` x alone is kept.
  struct saved {
    mat<const scalar> x;      ///< [N, H]
    mat<const scalar> pre;    ///< [N, 2F]
    mat<const scalar> gated;  ///< [N, F], after dropout
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit gated_feed_forward(const sizes& s)
      : expand_(s.hidden, 2 * s.inner, s.bias),
        contract_(s.inner, s.hidden, s.bias),
        inner_(s.inner),
        function_(s.function) {}

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    expand_.visit(at / "expand", visitor);
    contract_.visit(at / "contract", visitor);
  }

  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    expand_.visit_linears(visitor);
    contract_.visit_linears(visitor);
  }

  /// y [N, H] from x [N, H] and residual [N, H], which is not y; `dropout` on the gated values.
  void forward(const pass<B>& run, mat<const scalar> x, mat<const scalar> residual,
               const dropout_spec& dropout, mat<scalar> y, saved& keep) const {
    auto& memory = run.recompute ? run.scratch : run.kept();
    const auto pre = memory.template take<scalar>(x.rows, 2 * inner_);
    const auto gated = memory.template take<scalar>(x.rows, inner_);
    gate(run, x, dropout, pre, gated);
    contract_.forward(run.device, gated, residual, y);
    keep = {x, pre, gated};
  }

  /// The gradient of x, set in or added to dx [N, H]; dy is that of the residual too. dx may be dy: it is
  /// written last.
  template <class Mode>
  void backward(const pass<B>& run, mat<const scalar> dy, const dropout_spec& dropout, Mode mode,
                mat<scalar> dx, const saved& kept) const
    requires training_backend<B>
  {
    auto pre = kept.pre;
    auto gated = kept.gated;
    if (run.recompute) {
      const auto pre_again = run.scratch.template take<scalar>(dy.rows, 2 * inner_);
      const auto gated_again = run.scratch.template take<scalar>(dy.rows, inner_);
      gate(run, kept.x, dropout, pre_again, gated_again);
      pre = pre_again;
      gated = gated_again;
    }
    const auto dgated = run.scratch.template take<scalar>(dy.rows, inner_);
    const auto dpre = run.scratch.template take<scalar>(dy.rows, 2 * inner_);
    contract_.backward(run.device, gated, dy, set, dgated);
    run.drop(dgated, dropout);
    run.device.gate_backward(pre, function_, dgated, dpre);
    expand_.backward(run.device, kept.x, dpre, mode, dx);
  }

 private:
  void gate(const pass<B>& run, mat<const scalar> x, const dropout_spec& dropout, mat<scalar> pre,
            mat<scalar> gated) const {
    expand_.forward(run.device, x, pre);
    run.device.gate(pre, function_, gated);
    run.drop(gated, dropout);
  }

  linear<B> expand_;    // [2F, H]: the rows of Wi, then of Wg
  linear<B> contract_;  // [H, F]
  index_t inner_;
  activation function_;
};

}  // namespace onoma::inline ONOMA_ABI
