/// What a product does to a vector of finished sums: the epilogues of kernels/table.hpp.
#pragma once

#include <onoma/kernels/cpu/elementwise.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>

namespace onoma::inline ONOMA_ABI::cpu {

/// c = sum.
struct finish_nothing {
  template <class Arch>
  [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index_t /*row*/, index_t /*column*/,
                                         index_t /*count*/) const {
    return sum;
  }
};

/// c = sum + bias.
struct finish_bias {
  const float* bias;
  template <class Arch>
  [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index_t /*row*/, index_t column,
                                         index_t count) const {
    return sum + simd::load_some<Arch>(bias + column, count);
  }
};

/// c = residual + (sum + bias).
struct finish_residual {
  const float* bias;  // may be null
  const float* residual;
  index_t residual_stride;
  template <class Arch>
  [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index_t row, index_t column,
                                         index_t count) const {
    if (bias != nullptr) sum += simd::load_some<Arch>(bias + column, count);
    return simd::load_some<Arch>(residual + row * residual_stride + column, count) + sum;
  }
};

/// pre = sum + bias; c = A(pre).
template <activation A>
struct finish_activation {
  const float* bias;  // may be null
  float* pre;         // may be null
  index_t pre_stride;
  template <class Arch>
  [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index_t row, index_t column,
                                         index_t count) const {
    if (bias != nullptr) sum += simd::load_some<Arch>(bias + column, count);
    if (pre != nullptr) simd::store_some<Arch>(pre + row * pre_stride + column, sum, count);
    return activate<Arch, A>(sum);
  }
};

/// Calls f.operator()<A>() for the function that is known at run time only.
template <class F>
inline void with_activation(activation function, F f) {
  switch (function) {
    case activation::gelu: f.template operator()<activation::gelu>(); break;
    case activation::gelu_tanh: f.template operator()<activation::gelu_tanh>(); break;
    case activation::relu: f.template operator()<activation::relu>(); break;
  }
}

/// Calls f(finish) with the functor that `e` describes.
template <class F>
inline void with_epilogue(const epilogue& e, const F& f) {
  switch (e.kind) {
    case epilogue_kind::none: f(finish_nothing{}); break;
    case epilogue_kind::bias: f(finish_bias{e.bias}); break;
    case epilogue_kind::residual:
      f(finish_residual{e.bias, e.residual, e.residual_stride});
      break;
    case epilogue_kind::activation:
      with_activation(e.function, [&]<activation A>() {
        f(finish_activation<A>{e.bias, e.pre, e.pre_stride});
      });
      break;
  }
}

/// One vector of finished sums: up to `count` columns of a row.
template <class Arch>
[[nodiscard]] inline simd::floats<Arch> finish_vector(const epilogue& e, simd::floats<Arch> sum, index_t row,
                                                      index_t column, index_t count) {
  with_epilogue(e, [&](const auto& finish) { sum = finish.template apply<Arch>(sum, row, column, count); });
  return sum;
}

/// C [rows, columns] in place, where it holds finished sums: what follows a register tile. (As a part of
/// the tiles, each of them would be compiled once for every epilogue; they have just been stored, so that
/// reading them again costs 2 of 100 cycles of a tile of depth 64, and less of deeper ones.)
/// `row` and `column`: the place of c[0] in the whole C.
template <class Arch>
[[gnu::noinline]] void finish_block(const epilogue& e, index_t rows, index_t columns, float* c,
                                    index_t c_stride, index_t row, index_t column) {
  constexpr index_t w = simd::width<Arch>;
  with_epilogue(e, [&](const auto& finish) {
    for (index_t r = 0; r < rows; ++r) {
      for (index_t j = 0; j < columns; j += w) {
        float* at = c + r * c_stride + j;
        const index_t count = columns - j < w ? columns - j : w;
        simd::store_some<Arch>(at,
                               finish.template apply<Arch>(simd::load_some<Arch>(at, count), row + r,
                                                           column + j, count),
                               count);
      }
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
