/// Layers computed plainly, in double, from their papers: what the layers of nn/ are compared with.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <functional>
#include <vector>

namespace test::plain {

using onoma::index_t;

/// A matrix that owns its elements.
struct table {
  index_t rows = 0;
  index_t cols = 0;
  std::vector<double> values;

  table() = default;
  table(index_t r, index_t c) : rows(r), cols(c), values(static_cast<std::size_t>(r * c)) {}
  table(index_t r, index_t c, std::vector<double> v) : rows(r), cols(c), values(std::move(v)) {}
  [[nodiscard]] double& operator()(index_t i, index_t j) {
    return values[static_cast<std::size_t>(i * cols + j)];
  }
  [[nodiscard]] double operator()(index_t i, index_t j) const {
    return values[static_cast<std::size_t>(i * cols + j)];
  }
};

using row = std::vector<double>;

[[nodiscard]] inline table map(table x, const std::function<double(double)>& f) {
  for (auto& value : x.values) value = f(value);
  return x;
}

[[nodiscard]] inline table sum(table a, const table& b) {
  for (std::size_t i = 0; i < a.values.size(); ++i) a.values[i] += b.values[i];
  return a;
}

/// x W^T + b; b may be empty.
[[nodiscard]] inline table linear(const table& x, const table& w, const row& b) {
  table y(x.rows, w.rows);
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t m = 0; m < w.rows; ++m) {
      double total = b.empty() ? 0.0 : b[static_cast<std::size_t>(m)];
      for (index_t k = 0; k < x.cols; ++k) total += x(n, k) * w(m, k);
      y(n, m) = total;
    }
  }
  return y;
}

[[nodiscard]] inline double gelu(double x) { return x * 0.5 * std::erfc(-x / std::sqrt(2.0)); }

/// gamma (z - mean) / sqrt(variance + eps) + beta, or with the mean left in.
[[nodiscard]] inline table normalised(table z, const row& gamma, const row& beta, double eps,
                                      bool center) {
  for (index_t n = 0; n < z.rows; ++n) {
    double mean = 0.0, square = 0.0;
    for (index_t h = 0; h < z.cols; ++h) mean += z(n, h) / static_cast<double>(z.cols);
    if (!center) mean = 0.0;
    for (index_t h = 0; h < z.cols; ++h) {
      square += (z(n, h) - mean) * (z(n, h) - mean) / static_cast<double>(z.cols);
    }
    for (index_t h = 0; h < z.cols; ++h) {
      const auto i = static_cast<std::size_t>(h);
      z(n, h) = (z(n, h) - mean) / std::sqrt(square + eps) * gamma[i];
      if (!beta.empty()) z(n, h) += beta[i];
    }
  }
  return z;
}

/// Columns c and c + D/2 of a head as a complex number, times exp(i position base^(-2c/D)).
[[nodiscard]] inline table turned(table x, index_t width, const std::vector<std::int32_t>& positions,
                                  double base) {
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t head = 0; head < x.cols; head += width) {
      for (index_t c = 0; c < width / 2; ++c) {
        const double angle =
            positions[static_cast<std::size_t>(n)] *
            std::pow(base, -2.0 * static_cast<double>(c) / static_cast<double>(width));
        const double real = x(n, head + c), imaginary = x(n, head + c + width / 2);
        x(n, head + c) = real * std::cos(angle) - imaginary * std::sin(angle);
        x(n, head + c + width / 2) = imaginary * std::cos(angle) + real * std::sin(angle);
      }
    }
  }
  return x;
}

[[nodiscard]] inline table columns(const table& x, index_t first, index_t count) {
  table y(x.rows, count);
  for (index_t n = 0; n < x.rows; ++n) {
    for (index_t c = 0; c < count; ++c) y(n, c) = x(n, first + c);
  }
  return y;
}

[[nodiscard]] inline table rows(const table& x, const std::vector<std::int32_t>& wanted) {
  table y(static_cast<index_t>(wanted.size()), x.cols);
  for (index_t i = 0; i < y.rows; ++i) {
    for (index_t c = 0; c < x.cols; ++c) y(i, c) = x(wanted[static_cast<std::size_t>(i)], c);
  }
  return y;
}

/// softmax(q k^T / sqrt(D)) v for each sequence and head; a query sees keys up to `radius` away.
[[nodiscard]] inline table attention(const table& q, const table& k, const table& v, index_t width,
                                     const std::vector<std::int32_t>& offsets, index_t radius) {
  table out(q.rows, q.cols);
  const index_t heads = q.cols / width;
  const index_t group = heads / (k.cols / width);
  for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
    for (index_t i = offsets[b]; i < offsets[b + 1]; ++i) {
      const index_t first = std::max<index_t>(offsets[b], i - radius);
      const index_t last = std::min<index_t>(offsets[b + 1], i + radius + 1);
      for (index_t a = 0; a < heads; ++a) {
        row p;
        double total = 0.0;
        for (index_t j = first; j < last; ++j) {
          double score = 0.0;
          for (index_t c = 0; c < width; ++c)
            score += q(i, a * width + c) * k(j, a / group * width + c);
          p.push_back(std::exp(score / std::sqrt(static_cast<double>(width))));
          total += p.back();
        }
        for (index_t j = first; j < last; ++j) {
          for (index_t c = 0; c < width; ++c) {
            out(i, a * width + c) +=
                p[static_cast<std::size_t>(j - first)] / total * v(j, a / group * width + c);
          }
        }
      }
    }
  }
  return out;
}

}  // namespace test::plain
