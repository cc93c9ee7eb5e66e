/// A linear layer: y = x W^T + b.
#pragma once

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

#include <span>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// K inputs, M outputs, with bias; optionally an activation after it. Nothing is saved here: the
/// caller keeps x (and the values before the activation) because other layers read them too.
template <backend B>
class linear {
 public:
  using scalar = typename B::scalar;

  linear(index inputs, index outputs)
      : weight_(parameter<scalar>::weight(outputs, inputs)),
        bias_(parameter<scalar>::vector(outputs, initial_value::zeros)) {}

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "weight", weight_);
    visitor(at / "bias", bias_);
  }
  /// The walk over the linear layers of a model.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    visitor(*this);
  }
  [[nodiscard]] const parameter<scalar>& weight() const noexcept { return weight_; }

  /// For training: copies the weight into the layouts that the kernels of both directions read.
  void pack(B& device) {
    make_packed(device, true);
    device.pack(weight_.value_matrix(), packed_);
  }

  /// For inference: the forward's layout straight from host memory as a file has it. `rows` below one
  /// another are [M, K].
  void pack(B& device, std::span<const stored_matrix> rows) {
    make_packed(device, false);
    device.pack(rows, packed_);
  }

  /// For inference: a weight that is packed already.
  void use(typename B::packed_weight packed) {
    packed_ = std::move(packed);
    is_made_ = true;
  }
  [[nodiscard]] const typename B::packed_weight& packed() const noexcept { return packed_; }

  /// y [N, M] = x [N, K] W^T + b
  void forward(B& device, mat<const scalar> x, mat<scalar> y) const {
    device.linear(x, packed_, bias_.value, y);
  }

  /// y [N, M] = f(pre), pre = x [N, K] W^T + b; a null `pre` is not kept.
  void forward(B& device, mat<const scalar> x, activation function, mat<scalar> pre,
               mat<scalar> y) const {
    device.linear_activation(x, packed_, bias_.value, function, pre, y);
  }

  /// dx [N, K] = dy [N, M] W, set or added; the gradients of W and b accumulate.
  template <class Mode>
  void backward(B& device, mat<const scalar> x, mat<const scalar> dy, Mode mode,
                mat<scalar> dx) const {
    device.linear_dw(x, dy, weight_.gradient_matrix(), bias_.gradient);
    device.linear_dx(dy, packed_, mode, dx);
  }
  /// The same where x is f(pre): dx is set to the gradient of pre [N, K].
  void backward(B& device, mat<const scalar> x, mat<const scalar> dy, activation function,
                mat<const scalar> pre, mat<scalar> dx) const {
    device.linear_dw(x, dy, weight_.gradient_matrix(), bias_.gradient);
    device.linear_dx(dy, packed_, function, pre, dx);
  }

 private:
  void make_packed(B& device, bool with_transpose) {
    if (!is_made_) packed_ = device.make_packed(weight_.rows, weight_.cols, with_transpose);
    is_made_ = true;
  }

  parameter<scalar> weight_;  // [M, K]
  parameter<scalar> bias_;    // [M]
  typename B::packed_weight packed_{};  // empty until `pack`, and in a dry run that only measures
  bool is_made_ = false;
};

}  // namespace onoma::inline ONOMA_ABI
