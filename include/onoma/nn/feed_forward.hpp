/// The position-wise feed-forward block: expand, activate, contract.
#pragma once

#include <onoma/nn/linear.hpp>

namespace onoma::inline ONOMA_ABI {

/// y = f(x W1^T + b1) W2^T + b2 (Vaswani et al., NeurIPS 2017, section 3.3).
template <inference_backend B>
class feed_forward {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// W2's gradient reads the activated values, f' the values before. They are the largest that a
  /// layer keeps; with `pass::recompute` x alone is kept.
  struct saved {
    mat<const scalar> x;          ///< [N, H]
    mat<const scalar> pre;        ///< [N, F]
    mat<const scalar> activated;  ///< [N, F]
  };

  /// From H to F and back, without memory for its parameters yet.
  feed_forward(index_t hidden, index_t inner, activation function)
      : expand_(hidden, inner), contract_(inner, hidden), inner_(inner), function_(function) {}

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

  /// y [N, H] from x [N, H]
  void forward(const pass<B>& run, mat<const scalar> x, mat<scalar> y, saved& keep) const {
    const bool keeps_inner = run.training && !run.recompute;
    const auto pre = keeps_inner ? run.keep(x.rows, inner_) : mat<scalar>{};
    const auto activated = keeps_inner ? run.keep(x.rows, inner_)
                                       : run.scratch.template take<scalar>(x.rows, inner_);
    expand_.forward(run.device, x, function_, pre, activated);
    contract_.forward(run.device, activated, y);
    keep = {x, pre, activated};
  }

  /// Adds the gradient of x to dx [N, H]. dx may be dy: it is written last.
  void backward(const pass<B>& run, mat<const scalar> dy, mat<scalar> dx, const saved& kept) const
    requires training_backend<B>
  {
    mat<const scalar> before = kept.pre;
    mat<const scalar> after = kept.activated;
    if (run.recompute) {
      const auto pre = run.scratch.template take<scalar>(dy.rows, inner_);
      const auto activated = run.scratch.template take<scalar>(dy.rows, inner_);
      expand_.forward(run.device, kept.x, function_, pre, activated);
      before = pre;
      after = activated;
    }
    const auto d = run.scratch.template take<scalar>(dy.rows, inner_);
    contract_.backward(run.device, after, dy, function_, before, d);
    expand_.backward(run.device, kept.x, d, add, dx);
  }

 private:
  linear<B> expand_;    // [F, H]
  linear<B> contract_;  // [H, F]
  index_t inner_;
  activation function_;
};

}  // namespace onoma::inline ONOMA_ABI
