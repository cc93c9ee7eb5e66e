/// The AdamW update of one flat range of parameters.
#pragma once

#include <onoma/core/view.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::ref {

/// Per element, in torch.optim.AdamW's order:
///   g = gradient * gradient_scale
///   w -= learning_rate weight_decay w
///   m += (1 - beta1) (g - m);  v = beta2 v + (1 - beta2) g^2
///   w -= learning_rate / correction1 * m / (sqrt(v) / sqrt(correction2) + eps)
/// and the gradient is set to 0 for the next step.
/// Source: Loshchilov and Hutter, "Decoupled weight decay regularization", arXiv 1711.05101.
template <class T, class Step>
void adamw(const Step& step, vec<T> parameter, vec<T> gradient, vec<T> moment1, vec<T> moment2) {
  using std::sqrt;
  const T step_size = T(static_cast<double>(step.learning_rate) / step.bias_correction1);
  const T root_correction = T(std::sqrt(step.bias_correction2));
  const T decay = T(1) - step.learning_rate * step.weight_decay;
  for (index_t i = 0; i < parameter.size; ++i) {
    const T g = gradient[i] * step.gradient_scale;
    T w = parameter[i] * decay;
    const T m = moment1[i] + (T(1) - step.beta1) * (g - moment1[i]);
    const T v = step.beta2 * moment2[i] + (T(1) - step.beta2) * g * g;
    w -= step_size * m / (sqrt(v) / root_correction + step.eps);
    parameter[i] = w;
    moment1[i] = m;
    moment2[i] = v;
    gradient[i] = T(0);
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
