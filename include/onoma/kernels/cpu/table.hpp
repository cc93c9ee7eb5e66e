/// The kernel table of one instruction set, from the templates beside this file.
#pragma once

#include <onoma/kernels/cpu/attention.hpp>
#include <onoma/kernels/cpu/elementwise.hpp>
#include <onoma/kernels/cpu/epilogue.hpp>
#include <onoma/kernels/cpu/gemm.hpp>
#include <onoma/kernels/cpu/int8_units.hpp>
#include <onoma/kernels/cpu/norm.hpp>
#include <onoma/kernels/cpu/random.hpp>
#include <onoma/kernels/table.hpp>
#include <onoma/simd/arch.hpp>

#include <limits>

namespace onoma::inline ONOMA_ABI::cpu {

/// The functions of the table: each unpacks its call and runs the template on every row, tile or
/// panel of it.
template <class Arch>
struct table_entries {
  // Products.

  static index packed_size(index depth, index columns) {
    return cpu::packed_size<Arch>(depth, columns);
  }

  static void pack(const pack_call& c) {
    constexpr index nr = panel_width<Arch>;
    for (index p = c.first_panel; p < c.last_panel; ++p) {
      float* out = c.packed + p * nr * c.depth;
      if (c.transposed) {
        pack_panel_transposed<Arch>(c.source, c.stride, c.depth, c.columns, p, out);
      } else {
        pack_panel<Arch>(c.source, c.stride, c.depth, c.columns, p, out);
      }
    }
  }

  static index no_scratch(index /*rows*/, index /*depth*/, index /*panels*/) { return 0; }

  static void gemm(const gemm_call& c) {
    multiply<Arch, a_layout::rows>(c.rows, c.depth, c.columns, c.a, c.a_stride, 0, c.b, c.first_panel,
                                   c.last_panel, c.accumulate, c.c, c.c_stride, c.finish, c.row);
  }

  static index packed_rows_size(index depth, index rows) {
    constexpr index mr = simd::tile<Arch>::rows;
    return (rows + mr - 1) / mr * mr * depth;
  }

  static void pack_rows(const pack_rows_call& c) {
    constexpr index mr = simd::tile<Arch>::rows;
    for (index t = c.first_tile; t < c.last_tile; ++t) {
      pack_columns<Arch>(c.source, c.stride, c.depth, c.rows, t, c.packed + t * mr * c.depth);
    }
  }

  static void gemm_packed(const gemm_call& c) {
    constexpr index mr = simd::tile<Arch>::rows;
    multiply<Arch, a_layout::columns>(c.rows, c.depth, c.columns, c.a + c.row * c.depth, mr,
                                      mr * c.depth, c.b, c.first_panel, c.last_panel,
                                      c.accumulate, c.c, c.c_stride, epilogue{}, c.row);
  }

  static void int8_pack(const int8_pack_call& c) { int8_pack_strip(c); }

  static void int8_quantize(const int8_quantize_call& c) {
    for (index n = 0; n < c.rows; ++n) {
      c.scales[n] = int8_quantize_row<Arch>(c.x + n * c.stride, c.depth,
                                            c.codes + n * int8_padded_depth(c.depth));
    }
  }

  static void int8_gemm(const int8_gemm_call& c) {
    int8_multiply<Arch>(int8_best_unit<Arch>(), c);
  }

  // Rows and elements.

  static void add_rows(index rows, index columns, const float* from, index stride, float* to) {
    for (index n = 0; n < rows; ++n) add_row(columns, from + n * stride, to);
  }

  static void activation_backward(activation function, index rows, index columns, const float* pre,
                                  index pre_stride, float* d, index d_stride) {
    with_activation(function, [&]<activation A>() {
      for (index n = 0; n < rows; ++n) {
        activation_backward_row<Arch, A>(pre + n * pre_stride, columns, d + n * d_stride);
      }
    });
  }

  static void add_norm(const add_norm_call& c) {
    for (index n = 0; n < c.rows; ++n) {
      const row_statistics kept = add_norm_row<Arch>(
          c.x + n * c.x_stride,
          c.residual != nullptr ? c.residual + n * c.residual_stride : nullptr, spec(c.dropout),
          c.number + n * c.hidden, c.gamma, c.beta, c.eps, c.hidden, c.y + n * c.y_stride);
      if (c.mean != nullptr) c.mean[n] = kept.mean;
      if (c.reciprocal_stddev != nullptr) c.reciprocal_stddev[n] = kept.reciprocal_stddev;
    }
  }

  static void add_norm_backward(const add_norm_backward_call& c) {
    for (index n = 0; n < c.rows; ++n) {
      add_norm_backward_row<Arch>(
          c.z + n * c.z_stride, row_statistics{c.mean[n], c.reciprocal_stddev[n]}, c.gamma,
          c.dy + n * c.dy_stride, spec(c.dropout), c.number + n * c.hidden, c.hidden,
          c.dz + n * c.dz_stride, c.dx != nullptr ? c.dx + n * c.dx_stride : nullptr);
    }
  }

  static void add_norm_parameters(const add_norm_parameters_call& c) {
    for (index n = 0; n < c.rows; ++n) {
      add_norm_parameters_row<Arch>(c.z + n * c.z_stride,
                                    row_statistics{c.mean[n], c.reciprocal_stddev[n]},
                                    c.dy + n * c.dy_stride, c.columns, c.dgamma, c.dbeta);
    }
  }

  static void dropout(const dropout_call& call, index number, index rows, index columns, float* x,
                      index stride) {
    for (index n = 0; n < rows; ++n) {
      float* row = x + n * stride;
      dropout_row<Arch>(spec(call), number + n * columns, columns, row, row);
    }
  }

  // Attention.

  static index attention_scratch(index length, index width) {
    return cpu::attention_scratch<Arch>(length, width);
  }

  static void attention(const attention_call& c) {
    attention_forward<Arch>(head(c.head), c.head.scratch, c.out, c.out_stride, c.log_sum_exp);
  }

  static index attention_backward_scratch(index length, index width) {
    return cpu::attention_backward_scratch<Arch>(length, width);
  }

  static void attention_backward(const attention_backward_call& c) {
    cpu::attention_backward<Arch>(head(c.head), c.log_sum_exp, c.out, c.out_stride, c.dout,
                                  c.dout_stride, c.head.scratch,
                                  attention_gradients{c.dq, c.dk, c.dv, c.gradient_stride, c.dbias});
  }

  // Embeddings.

  static void embed(const embed_call& c) {
    using batch = simd::floats<Arch>;
    for (index n = 0; n < c.rows; ++n) {
      float* y = c.y + n * c.y_stride;
      const float* word = gathered(c.word, n);
      const float* position = gathered(c.position, n);
      if (c.type.table != nullptr) {
        simd::map_row<Arch>(
            c.hidden, y, [](batch w, batch t, batch p) { return w + t + p; }, word,
            gathered(c.type, n), position);
      } else {
        simd::map_row<Arch>(
            c.hidden, y, [](batch w, batch p) { return w + p; }, word, position);
      }
    }
  }

  static void scatter_add(const scatter_call& c) {
    for (index n = 0; n < c.rows; ++n) {
      const index target = c.targets != nullptr ? c.targets[n] : 0;
      add_row(c.columns, c.from + n * c.from_stride, c.table + target * c.stride);
    }
  }

  // The optimizer.

  static double sum_of_squares(index count, const float* x) { return squares_range(count, x); }

  static void adamw(const adamw_call& k, index count, float* parameter, float* gradient,
                    float* moment1, float* moment2) {
    adamw_range<Arch>(k, count, parameter, gradient, moment1, moment2);
  }

 private:
  static dropout_spec spec(const dropout_call& call) { return {call.probability, call.key}; }

  static attention_head head(const attention_operand& o) {
    return {o.q,
            o.k,
            o.v,
            o.stride,
            o.length,
            o.width,
            o.scale,
            spec(o.dropout),
            o.first_number,
            o.number_stride,
            o.bias};
  }

  static const float* gathered(const gather_call& g, index n) {
    return g.table + (g.rows != nullptr ? g.rows[n] : 0) * g.stride;
  }

  static void add_row(index count, const float* from, float* to) {
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
  t.panel_block = std::numeric_limits<index>::max();
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
  t.add_norm = entries::add_norm;
  t.add_norm_backward = entries::add_norm_backward;
  t.add_norm_parameters = entries::add_norm_parameters;
  t.dropout = entries::dropout;
  t.attention_scratch = entries::attention_scratch;
  t.attention = entries::attention;
  t.attention_backward_scratch = entries::attention_backward_scratch;
  t.attention_backward = entries::attention_backward;
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
