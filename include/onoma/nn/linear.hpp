/// A linear layer: y = x W^T + b.
#pragma once

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

#include <optional>

namespace onoma::inline ONOMA_ABI {

/// K inputs, M outputs, with bias; optionally an activation after it. Nothing is saved here: the
/// caller keeps x (and the values before the activation) because other layers read them too.
template <backend B>
class linear {
 public:
  using scalar = typename B::scalar;

  linear(index inputs, index outputs)
      : weight_(parameter<scalar>::matrix(outputs, inputs)),
        bias_(parameter<scalar>::vector(outputs, initial_value::zeros)) {}

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "weight", weight_);
    visitor(at / "bias", bias_);
  }

  /// Copies the weight into the layout that the kernels read; `training`: also what backward reads.
  void pack(B& device, bool training) {
    if (!packed_) packed_.emplace(device.make_packed(weight_.rows, weight_.cols, training));
    device.pack(weight_.value_matrix(), *packed_);
  }

  /// y [N, M] = x [N, K] W^T + b
  void forward(B& device, mat<const scalar> x, mat<scalar> y) const {
    device.linear(x, *packed_, bias_.value, y);
  }

  /// y [N, M] = f(pre), pre = x [N, K] W^T + b; a null `pre` is not kept.
  void forward(B& device, mat<const scalar> x, activation function, mat<scalar> pre,
               mat<scalar> y) const {
    device.linear_activation(x, *packed_, bias_.value, function, pre, y);
  }

  /// dx [N, K] = dy [N, M] W, set or added; the gradients of W and b accumulate.
  template <class Mode>
  void backward(B& device, mat<const scalar> x, mat<const scalar> dy, Mode mode,
                mat<scalar> dx) const {
    device.linear_dw(x, dy, weight_.gradient_matrix(), bias_.gradient);
    device.linear_dx(dy, *packed_, mode, dx);
  }

 private:
  parameter<scalar> weight_;  // [M, K]
  parameter<scalar> bias_;    // [M]
  std::optional<typename B::packed_weight> packed_;
};

}  // namespace onoma::inline ONOMA_ABI
