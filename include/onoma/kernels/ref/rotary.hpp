/// Rotary positions: pairs of columns of a head turn by an angle that grows with the token's position.
#pragma once

#include <onoma/core/operands.hpp>
#include <onoma/core/view.hpp>

#include <cmath>
#include <cstdint>

namespace onoma::inline ONOMA_ABI::ref {

/// How fast pair c of `pairs` turns, and the angle that it has reached at `position`: position
/// base^(-c / pairs).
///
/// In float, as transformers computes it (ModernBertRotaryEmbedding: inverse frequencies and their products
/// are float32 whatever the model's type): at position 8000 it is off by up to 5e-4, and so it was when
/// published models learned.
[[nodiscard]] inline float rotary_frequency(index_t c, index_t pairs, double base) {
  const float exponent = static_cast<float>(c) / static_cast<float>(pairs);
  return 1.0F / static_cast<float>(std::pow(base, static_cast<double>(exponent)));
}
/// Position times frequency, in float.
[[nodiscard]] inline double rotary_angle(std::int32_t position, float frequency) {
  return static_cast<double>(static_cast<float>(position) * frequency);
}

/// The angles of tokens at positions [N], for a `base` of the wave lengths ("theta" in configurations).
template <class T>
void rotary(vec<const std::int32_t> positions, double base, const rotary_angles<T>& angles) {
  const index_t pairs = angles.cosine.cols;
  for (index_t c = 0; c < pairs; ++c) {
    const float frequency = rotary_frequency(c, pairs, base);
    for (index_t n = 0; n < angles.cosine.rows; ++n) {
      const double angle = rotary_angle(positions[n], frequency);
      angles.cosine(n, c) = T(std::cos(angle));
      angles.sine(n, c) = T(std::sin(angle));
    }
  }
}

/// In each head of x [N, A D], columns c and c + D/2:
///   x1' = x1 cos - x2 sin,  x2' = x2 cos + x1 sin
/// Source: Su et al., "RoFormer", arXiv 2104.09864, section 3.4.2, with the pairs of transformers'
/// apply_rotary_pos_emb.
template <class T>
void rotate(mat<T> x, const rotary_angles<const T>& angles) {
  const index_t half = angles.cosine.cols;
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t head = 0; head < x.cols; head += 2 * half) {
      for (index_t c = head; c < head + half; ++c) {
        const T cosine = angles.cosine(n, c - head);
        const T sine = angles.sine(n, c - head);
        const T first = x(n, c);
        const T second = x(n, c + half);
        x(n, c) = first * cosine - second * sine;
        x(n, c + half) = second * cosine + first * sine;
      }
    }
  }
}

/// The gradient of x from that of x', in place: the inverse of a rotation is its transpose.
///   dx1 = dx1' cos + dx2' sin,  dx2 = dx2' cos - dx1' sin
template <class T>
void rotate_backward(mat<T> d, const rotary_angles<const T>& angles) {
  const index_t half = angles.cosine.cols;
  for (index_t n = 0; n < d.rows; ++n) {
    for (index_t head = 0; head < d.cols; head += 2 * half) {
      for (index_t c = head; c < head + half; ++c) {
        const T cosine = angles.cosine(n, c - head);
        const T sine = angles.sine(n, c - head);
        const T first = d(n, c);
        const T second = d(n, c + half);
        d(n, c) = first * cosine + second * sine;
        d(n, c + half) = second * cosine - first * sine;
      }
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
