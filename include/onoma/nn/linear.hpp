/// A linear layer: y = x W^T + b.
#pragma once

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

namespace onoma::inline ONOMA_ABI {

/// K inputs, M outputs, with or without bias; optionally an activation after it. Nothing is saved here:
/// the caller keeps x (and the values before the activation) because other layers read them too.
template <inference_backend B>
class linear {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// [outputs, inputs] and a bias, without memory for them yet.
  linear(index_t inputs, index_t outputs, bool bias = true)
      : weight_(parameter<scalar>::weight(outputs, inputs)) {
    if (bias) bias_ = parameter<scalar>::vector(outputs, initial_value::zeros);
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "weight", weight_);
    if (bias_.rows > 0) visitor(at / "bias", bias_);
  }
  /// The walk over the linear layers of a model.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    visitor(*this);
  }
  /// The weight [outputs, inputs].
  [[nodiscard]] const parameter<scalar>& weight() const noexcept { return weight_; }

  /// Where the weight lies as kernels read it (`parameter_store` says so).
  void read(const typename B::packed_weight& packed) noexcept { packed_ = &packed; }

  /// y [N, M] = x [N, K] W^T + b
  void forward(B& device, mat<const scalar> x, mat<scalar> y) const {
    device.linear(x, packed(), bias_.value, y);
  }

  /// y [N, M] = residual [N, M] + x [N, K] W^T + b; y is not the residual.
  void forward(B& device, mat<const scalar> x, mat<const scalar> residual, mat<scalar> y) const {
    device.linear(x, packed(), bias_.value, residual, y);
  }

  /// y [N, M] = f(pre), pre = x [N, K] W^T + b; a null `pre` is not kept.
  void forward(B& device, mat<const scalar> x, activation function, mat<scalar> pre,
               mat<scalar> y) const {
    device.linear_activation(x, packed(), bias_.value, function, pre, y);
  }

  /// dx [N, K] = dy [N, M] W, set or added; the gradients of W and b accumulate.
  template <class Mode>
  void backward(B& device, mat<const scalar> x, mat<const scalar> dy, Mode mode,
                mat<scalar> dx) const
    requires training_backend<B>
  {
    device.linear_dw(x, dy, weight_.gradient_matrix(), bias_.gradient);
    device.linear_dx(dy, packed(), mode, dx);
  }
  /// The same where x is f(pre): dx is set to the gradient of pre [N, K].
  void backward(B& device, mat<const scalar> x, mat<const scalar> dy, activation function,
                mat<const scalar> pre, mat<scalar> dx) const
    requires training_backend<B>
  {
    device.linear_dw(x, dy, weight_.gradient_matrix(), bias_.gradient);
    device.linear_dx(dy, packed(), function, pre, dx);
  }

 private:
  /// No weight in a dry run, which only measures.
  [[nodiscard]] const typename B::packed_weight& packed() const {
    static const typename B::packed_weight none{};
    return packed_ != nullptr ? *packed_ : none;
  }

  parameter<scalar> weight_;  // [M, K]
  parameter<scalar> bias_{};  // [M], or no rows
  const typename B::packed_weight* packed_ = nullptr;
};

}  // namespace onoma::inline ONOMA_ABI
