/// Reproducible random test data.
#pragma once

#include <onoma/core/ragged.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/view.hpp>

#include <cstdint>
#include <vector>

namespace test {

using onoma::index_t;

/// Values that are roughly normal: the sum of four uniform ones, mean 0, variance 1.
class generator {
 public:
  explicit generator(std::uint64_t seed) : stream_(seed) {}

  [[nodiscard]] float normal() {
    float sum = -2.0F;
    for (int i = 0; i < 4; ++i) sum += stream_.uniform();
    return sum * 1.7320508F;
  }
  /// Uniform in [low, high].
  [[nodiscard]] index_t between(index_t low, index_t high) {
    return low + static_cast<index_t>(stream_.below(static_cast<std::uint32_t>(high - low + 1)));
  }
  template <class T>
  [[nodiscard]] std::vector<T> normals(index_t count, float scale = 1.0F) {
    std::vector<T> values;
    for (index_t i = 0; i < count; ++i) values.push_back(T(static_cast<double>(normal() * scale)));
    return values;
  }

 private:
  onoma::random_stream stream_;
};

/// An owning matrix with a row stride that may exceed its columns; the gap holds a sentinel, so that
/// a kernel that writes there is caught.
template <class T>
struct matrix {
  static constexpr double sentinel = 12345.0;

  std::vector<T> data;
  index_t rows = 0;
  index_t cols = 0;
  index_t stride = 0;

  matrix(index_t r, index_t c, index_t gap = 0)
      : data(static_cast<std::size_t>(r * (c + gap)), T(sentinel)), rows(r), cols(c),
        stride(c + gap) {}

  static matrix random(generator& g, index_t r, index_t c, index_t gap = 0, float scale = 1.0F) {
    matrix m(r, c, gap);
    for (index_t i = 0; i < r; ++i) {
      for (index_t j = 0; j < c; ++j) m.view()(i, j) = T(static_cast<double>(g.normal() * scale));
    }
    return m;
  }
  template <class U>
  [[nodiscard]] matrix<U> as() const {
    matrix<U> m(rows, cols, stride - cols);
    for (std::size_t i = 0; i < data.size(); ++i) m.data[i] = static_cast<U>(data[i]);
    return m;
  }
  [[nodiscard]] onoma::mat<T> view() { return {data.data(), rows, cols, stride}; }
  [[nodiscard]] onoma::mat<const T> view() const { return {data.data(), rows, cols, stride}; }
  /// The elements without the gaps, row by row.
  [[nodiscard]] std::vector<T> values() const {
    std::vector<T> all;
    for (index_t i = 0; i < rows; ++i) {
      for (index_t j = 0; j < cols; ++j) all.push_back(data[static_cast<std::size_t>(i * stride + j)]);
    }
    return all;
  }
  /// The elements of some rows.
  [[nodiscard]] std::vector<T> rows_of(index_t first, index_t count) const {
    const auto all = values();
    return {all.begin() + first * cols, all.begin() + (first + count) * cols};
  }
  [[nodiscard]] bool gaps_untouched() const {
    for (index_t i = 0; i < rows; ++i) {
      for (index_t j = cols; j < stride; ++j) {
        if (data[static_cast<std::size_t>(i * stride + j)] != T(sentinel)) return false;
      }
    }
    return true;
  }
};

/// Offsets of sequences with the given lengths.
inline std::vector<std::int32_t> offsets_of(const std::vector<index_t>& lengths) {
  std::vector<std::int32_t> offsets = {0};
  for (const index_t length : lengths) {
    offsets.push_back(offsets.back() + static_cast<std::int32_t>(length));
  }
  return offsets;
}

}  // namespace test
