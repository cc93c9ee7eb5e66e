/// Activation functions and their derivatives.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI::ref {

/// gelu(x) = x Phi(x), Phi the standard normal distribution function
/// (Hendrycks and Gimpel, "Gaussian error linear units", arXiv 1606.08415).
template <class T>
[[nodiscard]] T gelu(T x) {
  using std::erf;
  return T(0.5) * x * (T(1) + erf(x * T(0.70710678118654752440)));
}

/// d gelu / dx = Phi(x) + x phi(x), phi the standard normal density.
template <class T>
[[nodiscard]] T gelu_derivative(T x) {
  using std::erf;
  using std::exp;
  const T distribution = T(0.5) * (T(1) + erf(x * T(0.70710678118654752440)));
  const T density = T(0.39894228040143267794) * exp(T(-0.5) * x * x);
  return distribution + x * density;
}

/// The tanh approximation: x / 2 (1 + tanh(u)), u = sqrt(2 / pi) (x + 0.044715 x^3).
template <class T>
[[nodiscard]] T gelu_tanh(T x) {
  using std::tanh;
  const T u = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
  return T(0.5) * x * (T(1) + tanh(u));
}

/// d gelu_tanh(x) / dx
template <class T>
[[nodiscard]] T gelu_tanh_derivative(T x) {
  using std::tanh;
  const T u = T(0.79788456080286535588) * (x + T(0.044715) * x * x * x);
  const T du = T(0.79788456080286535588) * (T(1) + T(3 * 0.044715) * x * x);
  const T t = tanh(u);
  return T(0.5) * (T(1) + t) + T(0.5) * x * (T(1) - t * t) * du;
}

/// f(x)
template <class T>
[[nodiscard]] T apply(activation function, T x) {
  switch (function) {
    case activation::gelu: return gelu(x);
    case activation::gelu_tanh: return gelu_tanh(x);
    case activation::relu: return x > T(0) ? x : T(0);
  }
  return x;
}

/// f'(x)
template <class T>
[[nodiscard]] T derivative(activation function, T x) {
  switch (function) {
    case activation::gelu: return gelu_derivative(x);
    case activation::gelu_tanh: return gelu_tanh_derivative(x);
    case activation::relu: return x > T(0) ? T(1) : T(0);
  }
  return T(1);
}

/// y [N, M] = act(pre [N, M])
template <class T>
void activate(activation function, mat<const T> pre, mat<T> y) {
  for (index_t n = 0; n < pre.rows; ++n) {
    for (index_t m = 0; m < pre.cols; ++m) y(n, m) = apply(function, T(pre(n, m)));
  }
}

/// d [N, M] *= act'(pre [N, M])
template <class T>
void activation_backward(activation function, mat<const T> pre, mat<T> d) {
  for (index_t n = 0; n < pre.rows; ++n) {
    for (index_t m = 0; m < pre.cols; ++m) d(n, m) = d(n, m) * derivative(function, T(pre(n, m)));
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
