/// Matrix products from register tiles: packed weights, and small operands in place.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/kernels/cpu/epilogue.hpp>
#include <onoma/kernels/cpu/fetch.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/batch.hpp>
#include <onoma/simd/transpose.hpp>

#include <type_traits>

namespace onoma::inline ONOMA_ABI::cpu {

/// How A is laid out: element (i, k) lies at a[i * stride + k] or at a[k * stride + i].
enum class a_layout { rows, columns };

/// Steps of depth that are summed before C is written and read again. A panel's share, 384 rows of
/// 64 floats, is 96 KiB: it stays in a 1 MiB L2 beside the rows of A. Fixed: the order in which an
/// element is summed depends on nothing else, so that a row of a batch equals a batch of one.
inline constexpr index_t depth_block = 384;

/// Bytes of a row of NV vectors.
template <class Arch, int NV>
inline constexpr index_t row_bytes = NV * simd::width<Arch> * static_cast<index_t>(sizeof(float));

/// A of a product, in one of the layouts of `a_layout`.
struct left_operand {
  const float* data = nullptr;
  index_t stride = 0;       ///< between rows, or between the depths of a tile of columns
  index_t tile_stride = 0;  ///< between tiles of columns
};

/// Rows of B, or of a panel of it.
struct right_operand {
  const float* data = nullptr;
  index_t stride = 0;
};

/// C of a product. Beyond `columns` nothing of it is touched.
struct product_sums {
  float* data = nullptr;
  index_t stride = 0;
  index_t columns = 0;
  bool accumulate = false;  ///< onto what is there
};

/// What is done with finished sums, whose row and column numbers begin at `row` and `column`.
struct finish_at {
  const epilogue& finish;
  index_t row = 0;
  index_t column = 0;
};

/// C[rows, columns] (= | +=) sums, for a tile over the edge of C; `width` sums in a row.
template <class Arch>
[[gnu::noinline]] void store_edge(const float* sums, index_t rows, index_t width, const product_sums& c) {
  constexpr index_t w = simd::width<Arch>;
  for (index_t r = 0; r < rows; ++r) {
    for (index_t j = 0; j < c.columns; j += w) {
      float* out = c.data + r * c.stride + j;
      const index_t count = c.columns - j < w ? c.columns - j : w;
      auto sum = simd::load<Arch>(sums + r * width + j);
      if (c.accumulate) sum += simd::load_some<Arch>(out, count);
      simd::store_some<Arch>(out, sum, count);
    }
  }
}

/// One register tile: C[R, columns] (= | +=) A[R, depth] B[depth, NV * width].
///
/// Per step of depth: NV loads of B, R broadcasts of A, R * NV multiply-adds; 6 x 4 vectors need 10
/// loads for 24 multiply-adds.
template <class Arch, int R, int NV, a_layout Layout, class Fetch>
inline void tile(Fetch fetch, index_t depth, const float* a, index_t a_stride, const right_operand& right,
                 const product_sums& out) {
  constexpr index_t w = simd::width<Arch>;
  const float* b = right.data;
  const index_t b_stride = right.stride;
  float* const c = out.data;
  const index_t c_stride = out.stride;
  using batch = simd::floats<Arch>;
  batch acc[R][NV];
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) {
      acc[r][v] = batch(0.0F);
      __builtin_prefetch(c + r * c_stride + v * w, 1);  // here by the time it is needed
    }
  }
#pragma GCC unroll 2
  for (index_t k = 0; k < depth; ++k) {
    batch line[NV];
#pragma GCC unroll 8
    for (int v = 0; v < NV; ++v) line[v] = simd::load<Arch>(b + v * w);
    fetch.step();
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      const batch x(Layout == a_layout::rows ? a[r * a_stride + k] : a[k * a_stride + r]);
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[r][v] = xsimd::fma(x, line[v], acc[r][v]);
    }
    b += b_stride;
  }
  const auto store_all = [&acc](float* to, index_t stride) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) simd::store<Arch>(to + r * stride + v * w, acc[r][v]);
    }
  };
  if (out.columns < NV * w) {
    float edge[R * NV * w];
    store_all(edge, NV * w);
    store_edge<Arch>(edge, R, NV * w, out);
    return;
  }
  if (out.accumulate) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
#pragma GCC unroll 8
      for (int v = 0; v < NV; ++v) acc[r][v] += simd::load<Arch>(c + r * c_stride + v * w);
    }
  }
  store_all(c, c_stride);
}

template <class Arch>
[[nodiscard]] constexpr index_t tiles_of(index_t rows) {
  return (rows + simd::tile<Arch>::rows - 1) / simd::tile<Arch>::rows;
}

/// All row tiles against one panel of NV * width columns. The rows are split evenly, 16 into 6, 5, 5
/// and not 6, 6, 4: a low tile wastes loads of B.
template <class Arch, int NV, a_layout Layout, class Fetch>
inline void panel(Fetch fetch, index_t rows, index_t depth, const left_operand& a, const right_operand& b,
                  const product_sums& c, const finish_at& finish) {
  constexpr index_t highest = simd::tile<Arch>::rows;
  const index_t tiles = tiles_of<Arch>(rows);
  index_t i = 0;
  for (index_t t = 0; t < tiles; ++t) {
    const index_t end = rows * (t + 1) / tiles;
    // Packed A (columns): whole tiles of `highest` rows lie tile_stride apart, so that tiles must not
    // straddle them; then the split is plain.
    const float* at = a.data + (Layout == a_layout::rows ? i * a.stride : t * a.tile_stride);
    const index_t height =
        Layout == a_layout::rows ? end - i : (rows - i < highest ? rows - i : highest);
    const product_sums out{c.data + i * c.stride, c.stride, c.columns, c.accumulate};
#define ONOMA_TILE(R) \
  case R: tile<Arch, R, NV, Layout>(fetch, depth, at, a.stride, b, out); break;
    switch (height) {
      ONOMA_TILE(1)
      ONOMA_TILE(2)
      ONOMA_TILE(3)
      ONOMA_TILE(4)
      ONOMA_TILE(5)
      ONOMA_TILE(6)
      default: break;
    }
#undef ONOMA_TILE
    if (finish.finish.kind != epilogue_kind::none) {
      const index_t width = NV * simd::width<Arch>;
      finish_block<Arch>(finish.finish, height, c.columns < width ? c.columns : width, out.data, c.stride,
                         finish.row + i, finish.column);
    }
    fetch.skip(depth);
    i += height;
  }
}

/// Columns of a packed panel.
template <class Arch>
inline constexpr index_t panel_width = simd::tile<Arch>::vectors * simd::width<Arch>;

template <class Arch>
[[nodiscard]] constexpr index_t panels_of(index_t columns) {
  return (columns + panel_width<Arch> - 1) / panel_width<Arch>;
}

/// Floats that the packed form of a [depth, columns] matrix takes.
template <class Arch>
[[nodiscard]] constexpr index_t packed_size(index_t depth, index_t columns) {
  return panels_of<Arch>(columns) * panel_width<Arch> * depth;
}

/// Panel `p` of B [depth, columns], given row by row: out[depth][panel_width], zero beyond the edge.
template <class Arch, index_t Width = panel_width<Arch>>
inline void pack_panel(const float* b, index_t stride, index_t depth, index_t columns, index_t p,
                       float* out) {
  constexpr index_t nr = Width;
  const index_t first = p * nr;
  const index_t count = columns - first < nr ? columns - first : nr;
  constexpr index_t line = 16;
  constexpr index_t ahead = 16;  // rows: each may lie in a page of its own, where no hardware looks ahead
  for (index_t k = 0; k < depth; ++k) {
    const float* from = b + k * stride + first;
    for (index_t j = 0; j < nr; j += line) __builtin_prefetch(from + ahead * stride + j, 0, 2);
    for (index_t j = 0; j < count; ++j) out[k * nr + j] = from[j];
    for (index_t j = count; j < nr; ++j) out[k * nr + j] = 0.0F;
  }
}

/// Panel `p` of the transpose of W [columns, depth]: out[depth][Width], zero beyond the edge.
template <class Arch, index_t Width = panel_width<Arch>>
inline void pack_panel_transposed(const float* w, index_t stride, index_t depth, index_t columns, index_t p,
                                  float* out) {
  constexpr index_t vector = simd::width<Arch>;
  const index_t first = p * Width;
  const index_t count = columns - first < Width ? columns - first : Width;
  simd::transpose<Arch>(w + first * stride, stride, count, depth, out, Width);
  for (index_t j = simd::padded<Arch>(count); j < Width; j += vector) {
    for (index_t k = 0; k < depth; ++k) simd::store<Arch>(out + k * Width + j, simd::floats<Arch>(0.0F));
  }
}

/// Rows of A per tile of the columns layout, out[tile][depth][height], from dy [depth, rows]: the
/// gradient of a linear sums over tokens, so A is dy read column by column; the copy makes those
/// reads consecutive.
template <class Arch>
inline void pack_columns(const float* a, index_t stride, index_t depth, index_t rows, index_t tile_index,
                         float* out) {
  constexpr index_t height = simd::tile<Arch>::rows;
  const index_t first = tile_index * height;
  const index_t count = rows - first < height ? rows - first : height;
  for (index_t k = 0; k < depth; ++k) {
    const float* from = a + k * stride + first;
    for (index_t i = 0; i < count; ++i) out[k * height + i] = from[i];
    for (index_t i = count; i < height; ++i) out[k * height + i] = 0.0F;
  }
}

/// The product of `call` with B in packed panels and A as `a` says.
template <class Arch, a_layout Layout>
inline void multiply(const gemm_call& call, const left_operand& a) {
  constexpr index_t nr = panel_width<Arch>;
  constexpr int vectors = simd::tile<Arch>::vectors;
  const index_t tiles = tiles_of<Arch>(call.rows);
  const index_t depth = call.depth;
  for (index_t k = 0; k < depth; k += depth_block) {
    const index_t steps = depth - k < depth_block ? depth - k : depth_block;
    const left_operand at{a.data + (Layout == a_layout::rows ? k : k * a.stride), a.stride, a.tile_stride};
    const epilogue done = k + steps == depth ? call.finish : epilogue{};
    for (index_t p = call.first_panel; p < call.last_panel; ++p) {
      const float* b = call.b + p * nr * depth + k * nr;
      // After the last panel, the first one's next rows; after these, where the next task begins.
      const float* next = p + 1 < call.last_panel ? b + nr * depth
                          : k + steps < depth     ? call.b + call.first_panel * nr * depth + (k + steps) * nr
                                                  : call.b + call.last_panel * nr * depth;
      panel<Arch, vectors, Layout>(
          fetch_ahead<row_bytes<Arch, vectors>>::shared(next, tiles), call.rows, steps, at, {b, nr},
          {call.c + p * nr, call.c_stride, call.columns - p * nr, call.accumulate || k > 0},
          {done, call.row, p * nr});
    }
  }
}

/// C[rows, columns] (= | +=) A[rows, depth] B[depth, columns] with B in place, readable up to whole vectors.
/// For attention, whose operands are used once.
template <class Arch, a_layout Layout>
inline void multiply_in_place(index_t rows, index_t depth, left_operand a, const right_operand& b,
                              const product_sums& c) {
  constexpr index_t w = simd::width<Arch>;
  constexpr int most = simd::tile<Arch>::vectors;
  a.tile_stride = simd::tile<Arch>::rows;
  const epilogue none{};
  for (index_t j = 0; j < c.columns; j += most * w) {
    const index_t left = c.columns - j;
    const index_t vectors = left >= most * w ? most : (left + w - 1) / w;
    const auto run = [&]<int NV>(std::integral_constant<int, NV>) {
      panel<Arch, NV, Layout>(fetch_nothing{}, rows, depth, a, {b.data + j, b.stride},
                              {c.data + j, c.stride, left, c.accumulate}, {none});
    };
    switch (vectors) {
      case 1: run(std::integral_constant<int, 1>{}); break;
      case 2: run(std::integral_constant<int, 2>{}); break;
      case 3: run(std::integral_constant<int, (most >= 3 ? 3 : most)>{}); break;
      default: run(std::integral_constant<int, most>{}); break;
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::cpu
