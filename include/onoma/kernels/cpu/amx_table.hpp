/// The kernel table of processors with AMX: products on tiles, everything else as with AVX-512.
#pragma once

#include <onoma/kernels/cpu/amx.hpp>
#include <onoma/kernels/cpu/table.hpp>

#if defined(ONOMA_HAS_AMX)

#include <cstddef>

namespace onoma::inline ONOMA_ABI::cpu::amx {

/// Finished sums on their way to C.
struct finish_rows {
  using arch = xsimd::avx512bw;
  const gemm_call& call;

  void operator()(index_t row, index_t column, index_t count, __m512 sums) const {
    simd::floats<arch> sum(sums);
    float* out = call.c + row * call.c_stride + column;
    if (call.accumulate) sum += simd::load_some<arch>(out, count);
    sum = finish_vector<arch>(call.finish, sum, call.row + row, column, count);
    simd::store_some<arch>(out, sum, count);
  }
  /// The lines of C arrive while the products are computed.
  void expect(index_t row, index_t column) const {
    const float* out = call.c + row * call.c_stride + column;
    __builtin_prefetch(out, 1);
    __builtin_prefetch(out + 16, 1);
  }
};

struct entries {
  using arch = xsimd::avx512bw;

  static index_t packed_size(index_t depth, index_t columns) {
    return panels(columns) * panel_width * depth;
  }

  static void pack(const pack_call& c) {
    for (index_t p = c.first_panel; p < c.last_panel; ++p) {
      float* out = c.packed + p * panel_width * c.depth;
      if (c.transposed) {
        cpu::pack_panel_transposed<arch, panel_width>(c.source, c.stride, c.depth, c.columns, p,
                                                      out);
      } else {
        cpu::pack_panel<arch, panel_width>(c.source, c.stride, c.depth, c.columns, p, out);
      }
    }
  }

  // Scratch of a task: A in parts, then what `multiply` takes.

  static index_t gemm_scratch(index_t rows, index_t depth, index_t panels) {
    const index_t height = tile_height(rows);
    return split_bytes(rows, depth, height) + scratch_bytes(rows, height, depth, panels);
  }

  static void gemm_prepare(const gemm_call& c) {
    split_rows(c.a, c.a_stride, c.rows, c.depth, tile_height(c.rows),
               reinterpret_cast<char*>(c.scratch));
  }

  static void gemm(const gemm_call& c) {
    const index_t height = tile_height(c.rows);
    auto* a = reinterpret_cast<char*>(c.scratch);
    run(c, height, a, a + split_bytes(c.rows, c.depth, height));
  }

  // Gradients of weights have whole tiles but for the last rows.

  static index_t packed_rows_size(index_t depth, index_t rows) {
    return split_bytes(rows, depth, tile_rows) / static_cast<index_t>(sizeof(float));
  }

  static void pack_rows(const pack_rows_call& c) {
    const index_t first = c.first_tile * tile_rows;
    const index_t last = c.last_tile * tile_rows < c.rows ? c.last_tile * tile_rows : c.rows;
    split_columns(c.source + first, c.stride, last - first, c.depth, tile_rows,
                  reinterpret_cast<char*>(c.packed) + split_bytes(first, c.depth, tile_rows));
  }

  static index_t gemm_packed_scratch(index_t rows, index_t depth, index_t panels) {
    return scratch_bytes(rows, tile_rows, depth, panels);
  }

  static void gemm_packed(const gemm_call& c) {
    const auto* a = reinterpret_cast<const char*>(c.a);
    run(c, tile_rows, a + split_bytes(c.row, c.depth, tile_rows),
        reinterpret_cast<char*>(c.scratch));
  }

  static void int8_gemm(const int8_gemm_call& c) {
    int8_multiply<arch>(int8_best_unit_with_tiles<arch>(), c);
  }

  static constexpr index_t tile_rows = 16;

 private:
  static index_t panels(index_t columns) { return (columns + panel_width - 1) / panel_width; }

  static void run(const gemm_call& c, index_t height, const char* a, char* scratch) {
    const b_operand b{c.b, c.b_stride == 0 ? panel_width * c.depth : panel_width,
                      c.b_stride == 0 ? panel_width : c.b_stride, c.depth, c.columns};
    multiply(c.rows, height, a, b, c.first_panel, c.last_panel, scratch, finish_rows{c});
  }
};

[[nodiscard]] constexpr kernel_table make_table() {
  kernel_table t = cpu::make_table<xsimd::avx512bw>();
  t.name = "amx";
  t.panel_width = panel_width;
  t.tile_rows = entries::tile_rows;
  t.row_block = row_block;
  // 256 rows of 16 panels are 512 KiB of sums.
  t.panel_block = 16;
  t.reads_rows = true;
  t.packed_size = entries::packed_size;
  t.pack = entries::pack;
  t.gemm_scratch = entries::gemm_scratch;
  t.gemm_prepare = entries::gemm_prepare;
  t.gemm = entries::gemm;
  t.packed_rows_size = entries::packed_rows_size;
  t.pack_rows = entries::pack_rows;
  t.gemm_packed_scratch = entries::gemm_packed_scratch;
  t.gemm_packed = entries::gemm_packed;
  t.int8_gemm = entries::int8_gemm;
  return t;
}

inline constexpr kernel_table table = make_table();

}  // namespace onoma::inline ONOMA_ABI::cpu::amx

#endif
