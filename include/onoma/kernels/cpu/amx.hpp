/// Matrix products on AMX tiles: float results from three bfloat16 parts of each operand.
///
/// The tile unit multiplies bfloat16 and sums in float, sixteen times as fast as float multiply-adds. A
/// float has 24 significant bits and a bfloat16 has 8, so x = x1 + x2 + x3 exactly, and
///
///   a b = a1 b1 + (a1 b2 + a2 b1) + (a1 b3 + a2 b2 + a3 b1) + less than 2^-21 |a b|.
///
/// Six tile products replace one float product at 2.6 times its speed. What is left out has either sign
/// and is 2^-25 |a b| on average, half a unit of the last place: the sums, in float as elsewhere, are as
/// exact as those of multiply-adds. (Henry, Tang and Heinecke, "Leveraging the bfloat16 artificial intelligence
/// datatype for higher-precision computations", ARITH 2019; Intel, ISA extensions reference, chapter 3.)
/// Parts below 2^-126 are flushed to zero by the unit.
#pragma once

#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/simd/transpose.hpp>

#if defined(__GNUC__) && defined(__x86_64__) && defined(__AVX512F__) && defined(__AVX512BW__) && \
    defined(__linux__)
#define ONOMA_HAS_AMX 1

#include <immintrin.h>

#include <cstddef>
#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu::amx {

/// Depth of one tile product: 32 bfloat16 are a row of 64 bytes.
inline constexpr index_t tile_depth = 32;
/// Columns of B that are computed together: two tiles of 16. Also the panels of a packed B.
inline constexpr index_t panel_width = 32;
/// Rows of A that share a conversion of B, at most. 256 rows of 384 columns are 576 KiB in three
/// parts: they stay in the 2 MiB L2 of every processor with tiles, beside the sums.
inline constexpr index_t row_block = 256;
inline constexpr index_t part_bytes = 1024;              // one tile of B: 16 pairs of rows
inline constexpr index_t b_block_bytes = 6 * part_bytes;  // 32 x 32 floats of B in three parts

[[nodiscard]] constexpr index_t depth_blocks(index_t depth) {
  return (depth + tile_depth - 1) / tile_depth;
}
/// Blocks of depth that are converted and multiplied at a time. Many rows: the parts of 384 rows of B
/// stay in L2 and sums seldom go to memory. Up to four tiles of rows: reading B is most of the work, and
/// both buffers of one block stay in L1. Results do not depend on it: tiles of sums are stored and
/// loaded as they are.
[[nodiscard]] constexpr index_t chunk_of(index_t rows, index_t blocks) {
  const index_t most = rows <= 64 ? 1 : 12;
  const index_t chunks = blocks > most ? (blocks + most - 1) / most : 1;
  return (blocks + chunks - 1) / chunks;  // 13 blocks are 7 and 6, not 12 and 1
}

/// Rows of each tile: one tile, or pairs of tiles of even height, since two share each load of B.
[[nodiscard]] constexpr index_t tile_height(index_t rows) {
  const index_t tiles = rows > 16 ? 2 * ((rows + 31) / 32) : 1;
  return rows > 0 ? (rows + tiles - 1) / tiles : 1;
}

/// Bytes of [rows, depth] in parts, with tiles of `height` rows.
[[nodiscard]] constexpr index_t split_bytes(index_t rows, index_t depth, index_t height) {
  return (rows + height - 1) / height * height * depth_blocks(depth) * 3 * 64;
}
/// Bytes of scratch that `multiply` takes, beside the split A.
[[nodiscard]] constexpr index_t scratch_bytes(index_t rows, index_t height, index_t depth, index_t panels) {
  const index_t chunk = chunk_of(rows, depth_blocks(depth));
  const index_t sums = (rows + height - 1) / height * height * panel_width * 4;
  const index_t kept = depth_blocks(depth) > chunk ? sums * panels : 4 * 16 * panel_width * 4;
  return 2 * chunk * b_block_bytes + kept;
}

namespace detail {

template <int Tile>
inline void load(const void* from) {
  asm volatile("tileloadd (%0,%1,1), %%tmm%c2" ::"r"(from), "r"(std::ptrdiff_t{64}), "i"(Tile)
               : "memory");
}
template <int Tile>
inline void store(void* to) {
  asm volatile("tilestored %%tmm%c2, (%0,%1,1)" ::"r"(to), "r"(std::ptrdiff_t{64}), "i"(Tile)
               : "memory");
}
template <int Tile>
inline void zero() {
  asm volatile("tilezero %%tmm%c0" ::"i"(Tile));
}
template <int C, int A, int B>
inline void multiply_add() {
  asm volatile("tdpbf16ps %%tmm%c0, %%tmm%c1, %%tmm%c2" ::"i"(B), "i"(A), "i"(C));
}

/// Tiles 0 to 3 hold sums, 4 and 5 hold A, `height` rows each; 6 and 7 hold B. Until `release`.
inline void configure(index_t height) {
  struct alignas(64) {
    std::uint8_t palette = 1;
    std::uint8_t start = 0;
    std::uint8_t reserved[14] = {};
    std::uint16_t row_bytes[16] = {};
    std::uint8_t rows[16] = {};
  } layout;
  for (int t = 0; t < 8; ++t) {
    layout.row_bytes[t] = 64;
    layout.rows[t] = t < 6 ? static_cast<std::uint8_t>(height) : 16;
  }
  asm volatile("ldtilecfg %0" ::"m"(layout));
}
inline void release() { asm volatile("tilerelease"); }

/// The three parts of 16 pairs (x0[i], x1[i]), each pair one word; `step` bytes between parts. The first
/// part is cut off (8 bits), the second rounded, so that the third, what is left, has 8 bits again and
/// either sign: what `multiply` leaves out does not lean to one side.
inline void split(__m512 x0, __m512 x1, char* out, index_t step) {
  const __m512i top = _mm512_set1_epi32(static_cast<int>(0xFFFF0000U));
  const __m512i half = _mm512_set1_epi32(0x8000);
  const auto upper = [&](__m512i bits) { return _mm512_castsi512_ps(_mm512_and_si512(bits, top)); };
  const auto store = [&](index_t part, __m512i low, __m512i high) {
    constexpr __mmask32 odd = 0xAAAAAAAAU;
    _mm512_store_si512(out + part * step,
                       _mm512_mask_blend_epi16(odd, _mm512_srli_epi32(low, 16), high));
  };
  __m512i r0 = _mm512_castps_si512(x0);
  __m512i r1 = _mm512_castps_si512(x1);
  store(0, r0, r1);
  x0 = _mm512_sub_ps(x0, upper(r0));
  x1 = _mm512_sub_ps(x1, upper(r1));
  r0 = _mm512_add_epi32(_mm512_castps_si512(x0), half);
  r1 = _mm512_add_epi32(_mm512_castps_si512(x1), half);
  store(1, r0, r1);
  x0 = _mm512_sub_ps(x0, upper(r0));
  x1 = _mm512_sub_ps(x1, upper(r1));
  store(2, _mm512_castps_si512(x0), _mm512_castps_si512(x1));
}

/// As many lanes as `count` says, which may be negative or more than there are.
[[nodiscard]] inline __mmask16 first(index_t count) {
  return simd::first_lanes(count < 0 ? 0 : count < 16 ? count : 16);
}

}  // namespace detail

/// A [rows, depth], rows `stride` apart, as tiles: out[row tile][depth block][part][height][64 bytes].
/// Word i of a row of a tile holds columns i and i + 16 of its depth block, so that no element changes
/// its lane; rows and columns beyond the edge are zero.
inline void split_rows(const float* a, index_t stride, index_t rows, index_t depth, index_t height,
                       char* out) {
  const index_t blocks = depth_blocks(depth);
  for (index_t t = 0; t * height < rows; ++t) {
    for (index_t r = 0; r < height; ++r) {
      const index_t row = t * height + r;
      char* to = out + t * blocks * 3 * height * 64 + r * 64;
      const float* from = a + row * stride;
      const index_t count = row < rows ? depth : 0;
      for (index_t k = 0; k < blocks * tile_depth; k += tile_depth) {
        const __mmask16 m0 = detail::first(count - k);
        const __mmask16 m1 = detail::first(count - k - 16);
        detail::split(_mm512_maskz_loadu_ps(m0, from + k), _mm512_maskz_loadu_ps(m1, from + k + 16),
                      to, height * 64);
        to += 3 * height * 64;
      }
    }
  }
}

/// The same for A given by its columns: element (row, k) at a[k * stride + row].
inline void split_columns(const float* a, index_t stride, index_t rows, index_t depth, index_t height,
                          char* out) {
  const index_t blocks = depth_blocks(depth);
  for (index_t t = 0; t * height < rows; ++t) {
    const index_t count = rows - t * height < height ? rows - t * height : height;
    const __mmask16 mask = detail::first(count);
    for (index_t block = 0; block < blocks; ++block) {
      alignas(64) char parts[3 * part_bytes];
      for (index_t i = 0; i < 16; ++i) {
        const index_t k = block * tile_depth + i;
        const float* from = a + k * stride + t * height;
        const __m512 x0 = _mm512_maskz_loadu_ps(k < depth ? mask : __mmask16{0}, from);
        const __m512 x1 =
            _mm512_maskz_loadu_ps(k + 16 < depth ? mask : __mmask16{0}, from + 16 * stride);
        detail::split(x0, x1, parts + i * 64, part_bytes);
      }
      char* to = out + (t * blocks + block) * 3 * height * 64;
      for (index_t part = 0; part < 3; ++part) {
        __m512 words[16];
        for (int i = 0; i < 16; ++i) {
          words[i] = _mm512_load_ps(parts + part * part_bytes + i * 64);
        }
        simd::transpose_registers(words);
        for (index_t r = 0; r < height; ++r) {
          _mm512_store_ps(to + (part * height + r) * 64, words[r]);
        }
      }
    }
  }
}

/// B [depth, columns] where it lies: panel p begins at data + p * panel_stride, its rows are
/// `row_stride` apart. Packed weights: panels of [depth][32], zero beyond the last column.
struct b_operand {
  const float* data;
  index_t panel_stride;
  index_t row_stride;
  index_t depth;
  index_t columns;
};

namespace detail {

/// Converts blocks of 32 x 32 floats of B into parts, to[block][column tile][part][16 pairs][64 bytes],
/// with pairs of rows i and i + 16 as in A. It runs a pair of rows at a time between the tile products
/// of the blocks before them: the vector units are idle there, and loads have time to arrive. (Panels
/// converted as a whole before their products cost 10 to 20 % more.)
class b_stream {
 public:
  /// Blocks [block, block + count) along depth of panel `p`. `ahead`: where the stream after this one
  /// will read, or null.
  void start(const b_operand& b, index_t p, index_t block, index_t count, char* to, const float* ahead) {
    from_ = b.data + p * b.panel_stride + block * tile_depth * b.row_stride;
    ahead_ = ahead == nullptr ? 0 : ahead - from_;
    to_ = to;
    stride_ = b.row_stride;
    pairs_ = 16 * count;
    rows_ = b.depth - block * tile_depth;
    columns_ = b.columns - p * panel_width;
    whole_ = columns_ >= panel_width && count * tile_depth <= rows_;
  }

  /// Converts up to `pairs` pairs. Edges of B are rare and wait for `finish`.
  [[gnu::always_inline]] inline void step(index_t pairs) {
    if (!whole_) return;
    for (; pairs > 0 && pairs_ > 0; --pairs) pair<true>();
  }
  void finish() {
    b_stream rest = *this;  // a copy lives in registers: what is stored may alias this
    if (rest.whole_) {
      while (rest.pairs_ > 0) rest.pair<true>();
    } else {
      while (rest.pairs_ > 0) rest.pair<false>();
    }
    *this = rest;
  }

 private:
  template <bool Whole>
  [[gnu::always_inline]] inline void pair() {
    const index_t below = 16 * stride_;
    if constexpr (Whole) {
      split(_mm512_loadu_ps(from_), _mm512_loadu_ps(from_ + below), to_, part_bytes);
      split(_mm512_loadu_ps(from_ + 16), _mm512_loadu_ps(from_ + below + 16), to_ + 3 * part_bytes,
            part_bytes);
    } else {
      const auto row = [&](index_t k, index_t column) {
        const __mmask16 mask = k < rows_ ? first(columns_ - column) : __mmask16{0};
        return _mm512_maskz_loadu_ps(mask, from_ + k * stride_ + column);
      };
      split(row(0, 0), row(16, 0), to_, part_bytes);
      split(row(0, 16), row(16, 16), to_ + 3 * part_bytes, part_bytes);
    }
    const auto* next = reinterpret_cast<const char*>(from_ + ahead_);
    _mm_prefetch(next, _MM_HINT_T1);
    _mm_prefetch(next + 64, _MM_HINT_T1);
    _mm_prefetch(next + 4 * below, _MM_HINT_T1);
    _mm_prefetch(next + 4 * below + 64, _MM_HINT_T1);
    const bool last = pairs_ % 16 == 1;  // of its block
    from_ += last ? below + stride_ : stride_;
    to_ += last ? b_block_bytes - part_bytes + 64 : 64;
    rows_ -= last ? 17 : 1;
    --pairs_;
  }

  const float* from_ = nullptr;
  char* to_ = nullptr;
  index_t stride_ = 0;
  index_t ahead_ = 0;
  index_t pairs_ = 0;
  index_t rows_ = 0;     // from here to the last row of B
  index_t columns_ = 0;  // from here to the last column
  bool whole_ = true;
};

/// Operands of `block`: one or two tiles of A, chunks of a panel of B, and where their sums lie.
struct block_operands {
  const char* a0 = nullptr;
  const char* a1 = nullptr;
  index_t height = 0;  ///< rows of a tile
  const char* b = nullptr;
  index_t blocks = 0;       ///< of depth
  float* c = nullptr;       ///< [R][2][height][16]
  bool accumulate = false;  ///< onto what is in `c`
};

/// The sums' tiles, zero or from `c`.
template <int R>
[[gnu::always_inline]] inline void begin_sums(const block_operands& o) {
  if (o.accumulate) {
    load<0>(o.c);
    load<1>(o.c + o.height * 16);
    if constexpr (R == 2) {
      load<2>(o.c + 2 * o.height * 16);
      load<3>(o.c + 3 * o.height * 16);
    }
  } else {
    zero<0>();
    zero<1>();
    if constexpr (R == 2) {
      zero<2>();
      zero<3>();
    }
  }
}
template <int R>
[[gnu::always_inline]] inline void store_sums(float* c, index_t height) {
  store<0>(c);
  store<1>(c + height * 16);
  if constexpr (R == 2) {
    store<2>(c + 2 * height * 16);
    store<3>(c + 3 * height * 16);
  }
}

/// Sums of R row tiles (1 or 2) and two column tiles over blocks of depth. The order of the six products
/// changes one operand at a time: seven pairs of loads, of which one (B1) is still in L1. `between`, one
/// function or none, is called in every block.
template <int R, class... Between>
inline void block(const block_operands& operands, b_stream& stream, index_t pace, Between... between) {
  b_stream next = stream;  // a copy lives in registers: the tile instructions clobber memory
  const block_operands o = operands;
  const char* a0 = o.a0;
  const char* a1 = o.a1;
  const char* b = o.b;
  const index_t part = o.height * 64;
  begin_sums<R>(o);
  const auto load_a = [&](index_t p) {
    load<4>(a0 + p * part);
    if constexpr (R == 2) load<5>(a1 + p * part);
  };
  const auto load_b = [&](index_t p) {
    load<6>(b + p * part_bytes);
    load<7>(b + (3 + p) * part_bytes);
  };
  const auto products = [&] {
    multiply_add<0, 4, 6>();
    multiply_add<1, 4, 7>();
    if constexpr (R == 2) {
      multiply_add<2, 5, 6>();
      multiply_add<3, 5, 7>();
    }
    next.step(pace);
  };
  for (index_t k = 0; k < o.blocks; ++k) {
    load_a(2), load_b(0), products();
    (between(), ...);
    load_a(0), products();
    load_b(2), products();
    load_b(1), products();
    load_a(1), products();
    load_b(0), products();
    a0 += 3 * part;
    a1 += 3 * part;
    b += b_block_bytes;
    // Where no tile was stored for some 128 products, the next store costs as much as 60 of them
    // (measured on Sapphire Rapids). One after every block, which the sums overwrite, gains 6 to 14 %.
    if constexpr (R == 2) {
      if (k + 1 < o.blocks) store<4>(o.c);
    }
  }
  store_sums<R>(o.c, o.height);
  stream = next;
}

/// The sums of one pair of row tiles that are ready, on their way to C: a few rows at a time between the
/// products of the next pair, which hide them.
template <class Finish>
class ready_rows {
 public:
  ready_rows(index_t height, const Finish& finish) : finish_(finish), height_(height) {}

  /// Rows [row, end) of the pair, `columns` columns from `column` on; `sums` as `block` leaves them.
  void start(const float* sums, index_t row, index_t end, index_t column, index_t columns) {
    sums_ = sums;
    first_ = row_ = row;
    end_ = end;
    column_ = column;
    columns_ = columns;
    for (index_t i = row; i < end && i < row + ahead; ++i) finish_.expect(i, column);
  }
  void step(index_t rows) {
    for (; rows > 0 && row_ < end_; --rows, ++row_) {
      if (row_ + ahead < end_) finish_.expect(row_ + ahead, column_);
      const index_t r = row_ - first_;
      const float* from =
          sums_ + (r < height_ ? r * 16 : height_ * panel_width + (r - height_) * 16);
      finish_(row_, column_, columns_ < 16 ? columns_ : 16, _mm512_load_ps(from));
      if (columns_ <= 16) continue;
      finish_(row_, column_ + 16, columns_ < 32 ? columns_ - 16 : 16,
              _mm512_load_ps(from + height_ * 16));
    }
  }

 private:
  static constexpr index_t ahead = 8;

  const Finish& finish_;
  index_t height_;
  const float* sums_ = nullptr;
  index_t first_ = 0;
  index_t row_ = 0;
  index_t end_ = 0;
  index_t column_ = 0;
  index_t columns_ = 0;
};

}  // namespace detail

namespace detail {

/// The steps of a product: step s multiplies chunk s / panels of panel s % panels, so that the chunk of A
/// stays in L2. Panels count from the first one of the call.
struct chunk_steps {
  index_t blocks;  ///< of depth
  index_t chunk;   ///< blocks of a chunk
  index_t panels;

  [[nodiscard]] index_t count() const { return (blocks + chunk - 1) / chunk * panels; }
  [[nodiscard]] index_t panel(index_t s) const { return s % panels; }
  [[nodiscard]] index_t first(index_t s) const { return s / panels * chunk; }  ///< block
  [[nodiscard]] index_t size(index_t s) const {
    return blocks - first(s) < chunk ? blocks - first(s) : chunk;
  }
};

}  // namespace detail

/// C[rows, columns of panels first..last) from A in tiles of `height` rows (`split_rows` or
/// `split_columns`) and B; scratch of `scratch_bytes`, aligned to 64. `finish(row, column, count, sums)`
/// takes up to 16 sums of one row as they become ready; `finish.expect(row, column)` says before that
/// where. Every element is summed in the same order, whatever the rows and panels of a call.
template <class Finish>
inline void multiply(index_t rows, index_t height, const char* a, const b_operand& b, index_t first_panel,
                     index_t last_panel, char* scratch, const Finish& finish) {
  const index_t tiles = (rows + height - 1) / height;
  const index_t blocks = depth_blocks(b.depth);
  const index_t chunk = chunk_of(rows, blocks);
  const index_t panels = last_panel - first_panel;
  if (rows == 0 || panels <= 0 || blocks == 0) return;
  // The next chunk is converted between the products of this one.
  char* const buffers[2] = {scratch, scratch + chunk * b_block_bytes};
  auto* sums = reinterpret_cast<float*>(scratch + 2 * chunk * b_block_bytes);
  const index_t block_floats = height * panel_width;
  // Pairs of rows to convert after each group of products, so that the next chunk is done in time.
  const index_t groups = 6 * ((tiles + 1) / 2);
  const index_t pace = (16 + groups - 1) / groups;
  const detail::chunk_steps steps{blocks, chunk, panels};
  const index_t last = steps.count() - 1;
  detail::b_stream stream;
  const auto start = [&](index_t s) {
    const float* ahead = nullptr;
    if (s < last) {
      ahead = b.data + (first_panel + steps.panel(s + 1)) * b.panel_stride +
              steps.first(s + 1) * tile_depth * b.row_stride;
    }
    stream.start(b, first_panel + steps.panel(s), steps.first(s), steps.size(s), buffers[s % 2], ahead);
  };
  detail::ready_rows<Finish> ready(height, finish);
  detail::configure(height);
  start(0);
  stream.finish();
  for (index_t s = 0; s <= last; ++s) {
    const index_t k = steps.first(s);
    const index_t count = steps.size(s);
    const index_t panel = steps.panel(s);
    if (s < last) start(s + 1);
    for (index_t t = 0; t < tiles; t += 2) {
      const char* a0 = a + (t * blocks + k) * 3 * height * 64;
      const index_t pair = blocks <= chunk ? (s * ((tiles + 1) / 2) + t / 2) % 2 * 2 : panel * tiles + t;
      float* c = sums + pair * block_floats;
      detail::block_operands operands{a0, a0, height, buffers[s % 2], count, c, k > 0};
      if (t + 1 < tiles) {
        operands.a1 += blocks * 3 * height * 64;
        const index_t rows_each = (2 * height + count - 1) / count;
        const auto finish_rows = [&] { ready.step(rows_each); };
        detail::block<2>(operands, stream, pace, function_ref<void()>(finish_rows));
      } else {
        detail::block<1>(operands, stream, pace);
      }
      if (k + count < blocks) continue;
      ready.step(rows);  // what is left of the pair before, all of it where there was one tile
      const index_t end = (t + 2) * height;
      const index_t column = (first_panel + panel) * panel_width;
      ready.start(c, t * height, end < rows ? end : rows, column, b.columns - column);
    }
    stream.finish();
  }
  ready.step(rows);
  detail::release();
}

}  // namespace onoma::inline ONOMA_ABI::cpu::amx

#endif
