/// The kernel table of one instruction set, from the templates beside this file.
#pragma once

#include <onoma/kernels/cpu/attention.hpp>
#include <onoma/kernels/cpu/crf.hpp>
#include <onoma/kernels/cpu/elementwise.hpp>
#include <onoma/kernels/cpu/epilogue.hpp>
#include <onoma/kernels/cpu/gemm.hpp>
#include <onoma/kernels/cpu/int8_units.hpp>
#include <onoma/kernels/cpu/norm.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/kernels/cpu/rotary.hpp>
#include <onoma/kernels/cpu/softmax.hpp>
#include <onoma/kernels/cpu/spans.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/arch.hpp>

#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

/// The functions of the table: each unpacks its call and runs the template on every row, tile or
/// panel of it.
template <class Arch>
struct table_entries {
  // Products.

  static index_t packed_size(index_t depth, index_t columns) {
    return cpu::packed_size<Arch>(depth, columns);
  }

  static void pack(const pack_call& c) {
    constexpr index_t nr = panel_width<Arch>;
    for (index_t p = c.first_panel; p < c.last_panel; ++p) {
      float* out = c.packed + p * nr * c.depth;
      if (c.transposed) {
        pack_panel_transposed<Arch>(c.source, c.stride, c.depth, c.columns, p, out);
      } else {
        pack_panel<Arch>(c.source, c.stride, c.depth, c.columns, p, out);
      }
    }
  }

  static index_t no_scratch(index_t /*rows*/, index_t /*depth*/, index_t /*panels*/) { return 0; }

  static void gemm(const gemm_call& c) {
    multiply<Arch, a_layout::rows>(c, {c.a, c.a_stride});
  }

  static index_t packed_rows_size(index_t depth, index_t rows) {
    constexpr index_t mr = simd::tile<Arch>::rows;
    return (rows + mr - 1) / mr * mr * depth;
  }

  static void pack_rows(const pack_rows_call& c) {
    constexpr index_t mr = simd::tile<Arch>::rows;
    for (index_t t = c.first_tile; t < c.last_tile; ++t) {
      pack_columns<Arch>(c.source, c.stride, c.depth, c.rows, t, c.packed + t * mr * c.depth);
    }
  }

  static void gemm_packed(const gemm_call& c) {
    constexpr index_t mr = simd::tile<Arch>::rows;
    multiply<Arch, a_layout::columns>(c, {c.a + c.row * c.depth, mr, mr * c.depth});
  }

  static void int8_pack(const int8_pack_call& c) { int8_pack_strip(c); }

  static void int8_quantize(const int8_quantize_call& c) {
    for (index_t n = 0; n < c.rows; ++n) {
      c.scales[n] = int8_quantize_row<Arch>(c.x + n * c.stride, c.depth,
                                            c.codes + n * int8_padded_depth(c.depth));
    }
  }

  static void int8_gemm(const int8_gemm_call& c) {
    int8_multiply<Arch>(int8_best_unit<Arch>(), c);
  }

  // Rows and elements.

  static void add_rows(index_t rows, index_t columns, const float* from, index_t stride, float* to) {
    for (index_t n = 0; n < rows; ++n) add_row(columns, from + n * stride, to);
  }

  static void activation_backward(activation function, index_t rows, index_t columns, const float* pre,
                                  index_t pre_stride, float* d, index_t d_stride) {
    with_activation(function, [&]<activation A>() {
      for (index_t n = 0; n < rows; ++n) {
        activation_backward_row<Arch, A>(pre + n * pre_stride, columns, d + n * d_stride);
      }
    });
  }

  static void gate(const gate_call& c) {
    with_activation(c.function, [&]<activation A>() {
      for (index_t n = 0; n < c.rows; ++n) {
        gate_row<Arch, A>(c.pre + n * c.pre_stride, c.columns, c.y + n * c.y_stride);
      }
    });
  }

  static void gate_backward(const gate_backward_call& c) {
    with_activation(c.function, [&]<activation A>() {
      for (index_t n = 0; n < c.rows; ++n) {
        gate_backward_row<Arch, A>(c.pre + n * c.pre_stride, c.dy + n * c.dy_stride, c.columns,
                                   c.dpre + n * c.dpre_stride);
      }
    });
  }

  static void dropout(const dropout_call& call, index_t number, index_t rows, index_t columns, float* x,
                      index_t stride) {
    for (index_t n = 0; n < rows; ++n) {
      float* row = x + n * stride;
      dropout_row<Arch>(spec(call), number + n * columns, columns, row, row);
    }
  }

  // Attention.

  static index_t attention_scratch(const attention_size& size) {
    return cpu::attention_scratch<Arch>(size);
  }

  static index_t attention_backward_scratch(const attention_size& size) {
    return cpu::attention_backward_scratch<Arch>(size);
  }

  static void attention_backward(const attention_backward_call& c) {
    attention_backward_pass<Arch>(c).run();
  }

  // Embeddings.

  static void embed(const embed_call& c) {
    for (index_t n = 0; n < c.rows; ++n) embed_row(c, n);
  }

  static void scatter_add(const scatter_call& c) {
    for (index_t n = 0; n < c.rows; ++n) {
      const index_t target = c.targets != nullptr ? c.targets[n] : 0;
      add_row(c.columns, c.from + n * c.from_stride, c.table + target * c.stride);
    }
  }

  // The optimizer.

  static double sum_of_squares(index_t count, const float* x) { return squares_range(count, x); }

  static void adamw(const adamw_call& k, index_t count, float* parameter, float* gradient,
                    float* moment1, float* moment2) {
    adamw_range<Arch>(k, count, parameter, gradient, moment1, moment2);
  }

 private:
  static dropout_spec spec(const dropout_call& call) { return {call.probability, call.key}; }

  static const float* gathered(const gather_call& g, index_t n) {
    return g.table + (g.rows != nullptr ? g.rows[n] : 0) * g.stride;
  }

  /// word + type + position, in this order, of the tables that are there.
  static void embed_row(const embed_call& c, index_t n) {
    using batch = simd::floats<Arch>;
    float* y = c.y + n * c.y_stride;
    const float* word = gathered(c.word, n);
    const auto sum = [](batch a, batch b) { return a + b; };
    if (c.type.table != nullptr && c.position.table != nullptr) {
      simd::map_row<Arch>(
          c.hidden, y, [](batch w, batch t, batch p) { return w + t + p; }, word,
          gathered(c.type, n), gathered(c.position, n));
    } else if (c.position.table != nullptr) {
      simd::map_row<Arch>(c.hidden, y, sum, word, gathered(c.position, n));
    } else if (c.type.table != nullptr) {
      simd::map_row<Arch>(c.hidden, y, sum, word, gathered(c.type, n));
    } else {
      simd::map_row<Arch>(c.hidden, y, [](batch w) { return w; }, word);
    }
  }

  static void add_row(index_t count, const float* from, float* to) {
    using batch = simd::floats<Arch>;
    simd::map_row<Arch>(
        count, to, [](batch a, batch b) { return a + b; }, static_cast<const float*>(to), from);
  }
};

template <class Arch>
[[nodiscard]] constexpr kernel_table make_table() {
  using entries = table_entries<Arch>;
  kernel_table t{};
  t.name = simd::arch_name<Arch>;
  t.vector_width = simd::width<Arch>;
  t.panel_width = panel_width<Arch>;
  t.tile_rows = simd::tile<Arch>::rows;
  // 192 rows of 384 columns are 288 KiB: with a panel's share of B (96 KiB) they stay in L2.
  t.row_block = 192;
  t.panel_block = std::numeric_limits<index_t>::max();
  t.reads_rows = false;
  t.packed_size = entries::packed_size;
  t.pack = entries::pack;
  t.gemm_scratch = entries::no_scratch;
  t.gemm = entries::gemm;
  t.packed_rows_size = entries::packed_rows_size;
  t.pack_rows = entries::pack_rows;
  t.gemm_packed_scratch = entries::no_scratch;
  t.gemm_packed = entries::gemm_packed;
  t.int8_pack = entries::int8_pack;
  t.int8_quantize = entries::int8_quantize;
  t.int8_gemm = entries::int8_gemm;
  t.add_rows = entries::add_rows;
  t.activation_backward = entries::activation_backward;
  t.gate = entries::gate;
  t.gate_backward = entries::gate_backward;
  t.rotate = rotate_rows<Arch>;
  t.add_norm = add_norm_rows<Arch>;
  t.add_norm_backward = add_norm_backward_rows<Arch>;
  t.add_norm_parameters = add_norm_parameters_rows<Arch>;
  t.add_rms_norm = add_rms_norm_rows<Arch>;
  t.add_rms_norm_backward = add_rms_norm_backward_rows<Arch>;
  t.add_rms_norm_parameters = add_rms_norm_parameters_rows<Arch>;
  t.dropout = entries::dropout;
  t.attention_scratch = entries::attention_scratch;
  t.attention = attention_forward<Arch>;
  t.attention_backward_scratch = entries::attention_backward_scratch;
  t.attention_backward = entries::attention_backward;
  t.softmax = softmax_rows<Arch>;
  t.cross_entropy = cross_entropy_rows<Arch>;
  t.span_scores = span_scores_row<Arch>;
  t.span_scores_backward = span_scores_backward_row<Arch>;
  t.crf_chain_size = crf_chain_size<Arch>;
  t.crf_prepare = crf_prepare<Arch>;
  t.crf_scratch = crf_scratch<Arch>;
  t.crf_sums = crf_sums<Arch>;
  t.crf_viterbi = crf_viterbi<Arch>;
  t.embed = entries::embed;
  t.scatter_add = entries::scatter_add;
  t.sum_of_squares = entries::sum_of_squares;
  t.adamw = entries::adamw;
  return t;
}

/// The table of one instruction set, as this translation unit compiles it.
template <class Arch>
inline constexpr kernel_table table = make_table<Arch>();

}  // namespace onoma::inline ONOMA_ABI::cpu
