/// Norms, gates, rotary positions and embeddings on the CPU: rows, or columns where rows are summed.
#pragma once

#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/core/view.hpp>
#include <onoma/kernels/ref/rotary.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>

namespace onoma::inline ONOMA_ABI::cpu {

/// The kernels of one kind of norm.
struct norm_kernels {
  void (*forward)(const add_norm_call&);
  void (*backward)(const add_norm_backward_call&);
  void (*parameters)(const add_norm_parameters_call&);
};
[[nodiscard]] inline norm_kernels kernels_of(const workbench& own, const layer_norm_weights<float>&) {
  return {own.kernels->add_norm, own.kernels->add_norm_backward, own.kernels->add_norm_parameters};
}
[[nodiscard]] inline norm_kernels kernels_of(const workbench& own, const rms_norm_weights<float>&) {
  return {own.kernels->add_rms_norm, own.kernels->add_rms_norm_backward,
          own.kernels->add_rms_norm_parameters};
}
[[nodiscard]] inline const float* beta_of(const layer_norm_weights<float>& w) { return w.beta.data; }
[[nodiscard]] inline const float* beta_of(const rms_norm_weights<float>&) { return nullptr; }

/// Element n of a vector that may be null.
template <class T>
[[nodiscard]] T* from(vec<T> v, index_t n) {
  return v ? v.data + n : nullptr;
}
/// Row n of a matrix that may be null.
template <class T>
[[nodiscard]] T* row_from(mat<T> m, index_t n) {
  return m ? m.row_data(n) : nullptr;
}

template <class Weights>
void add_norm(const workbench& own, mat<float> x, mat<const float> residual,
              const dropout_spec& spec, const Weights& weights, mat<float> y,
              const norm_statistics<float>& kept) {
  own.for_rows(x.rows, [&](index_t n, index_t rows) {
    add_norm_call call;
    call.rows = rows;
    call.hidden = x.cols;
    call.x = x.row_data(n);
    call.x_stride = x.stride;
    call.residual = row_from(residual, n);
    call.residual_stride = residual.stride;
    call.dropout = {spec.probability, spec.key};
    call.number = n * x.cols;
    call.gamma = weights.gamma.data;
    call.beta = beta_of(weights);
    call.eps = weights.eps;
    call.y = y.row_data(n);
    call.y_stride = y.stride;
    call.mean = from(kept.mean, n);
    call.reciprocal_stddev = from(kept.reciprocal_stddev, n);
    kernels_of(own, weights).forward(call);
  });
}

/// dgamma and dbeta: sums over rows, split over columns.
inline void add_norm_parameters(const workbench& own, const norm_kernels& kernels,
                                mat<const float> z, const norm_statistics<float>& kept,
                                mat<const float> dy, const norm_gradients<float>& d) {
  own.for_columns(z.cols, [&](index_t first, index_t columns) {
    kernels.parameters({z.rows, columns, z.data + first, z.stride, kept.mean.data,
                        kept.reciprocal_stddev.data, dy.data + first, dy.stride,
                        d.dgamma.data + first, from(d.dbeta, first)});
  });
}

/// Where the gradient of z goes, and that of x.
struct norm_targets {
  bool accumulate = false;
  mat<float> dz;
  mat<float> dx;
};

template <class Weights>
void add_norm_backward(const workbench& own, mat<const float> z, const norm_statistics<float>& kept,
                       const Weights& weights, mat<const float> dy, const dropout_spec& spec,
                       const norm_targets& to, const norm_gradients<float>& d) {
  const auto kernels = kernels_of(own, weights);
  // First the parameters, since dz may overwrite dy.
  add_norm_parameters(own, kernels, z, kept, dy, d);
  own.for_rows(z.rows, [&](index_t n, index_t rows) {
    add_norm_backward_call call;
    call.rows = rows;
    call.hidden = z.cols;
    call.accumulate = to.accumulate;
    call.z = z.row_data(n);
    call.z_stride = z.stride;
    call.mean = from(kept.mean, n);
    call.reciprocal_stddev = kept.reciprocal_stddev.data + n;
    call.gamma = weights.gamma.data;
    call.dy = dy.row_data(n);
    call.dy_stride = dy.stride;
    call.dropout = {spec.probability, spec.key};
    call.number = n * z.cols;
    call.dz = to.dz.row_data(n);
    call.dz_stride = to.dz.stride;
    call.dx = row_from(to.dx, n);
    call.dx_stride = to.dx.stride;
    kernels.backward(call);
  });
}

inline void dropout(const workbench& own, mat<float> x, const dropout_spec& spec) {
  if (!spec.active()) return;
  own.for_rows(x.rows, [&](index_t n, index_t rows) {
    own.kernels->dropout({spec.probability, spec.key}, n * x.cols, rows, x.cols, x.row_data(n),
                         x.stride);
  });
}

inline void gate(const workbench& own, mat<const float> pre, activation function, mat<float> y) {
  own.for_rows(y.rows, [&](index_t n, index_t rows) {
    own.kernels->gate(
        {function, rows, y.cols, pre.row_data(n), pre.stride, y.row_data(n), y.stride});
  });
}

inline void gate_backward(const workbench& own, mat<const float> pre, activation function,
                          mat<const float> dy, mat<float> dpre) {
  own.for_rows(dy.rows, [&](index_t n, index_t rows) {
    own.kernels->gate_backward({function, rows, dy.cols, pre.row_data(n), pre.stride,
                                dy.row_data(n), dy.stride, dpre.row_data(n), dpre.stride});
  });
}

/// Angles of tokens; an angle costs some 40 ns.
inline void rotary(workbench& own, vec<const std::int32_t> positions, double base,
                   const rotary_angles<float>& angles) {
  const index_t pairs = angles.cosine.cols;
  float* frequencies = own.workspace(0, pairs);
  for (index_t c = 0; c < pairs; ++c) frequencies[c] = ref::rotary_frequency(c, pairs, base);
  own.for_rows(angles.cosine.rows, [&](index_t first, index_t rows) {
    for (index_t n = first; n < first + rows; ++n) {
      for (index_t c = 0; c < pairs; ++c) {
        const double angle = ref::rotary_angle(positions[n], frequencies[c]);
        angles.cosine(n, c) = static_cast<float>(std::cos(angle));
        angles.sine(n, c) = static_cast<float>(std::sin(angle));
      }
    }
  });
}

inline void rotate(const workbench& own, mat<float> x, const rotary_angles<const float>& angles,
                   bool back) {
  const index_t pairs = angles.cosine.cols;
  own.for_rows(x.rows, [&](index_t n, index_t rows) {
    rotate_call call;
    call.rows = rows;
    call.heads = x.cols / (2 * pairs);
    call.pairs = pairs;
    call.cosine = angles.cosine.row_data(n);
    call.cosine_stride = angles.cosine.stride;
    call.sine = angles.sine.row_data(n);
    call.sine_stride = angles.sine.stride;
    call.back = back;
    call.x = x.row_data(n);
    call.x_stride = x.stride;
    own.kernels->rotate(call);
  });
}

inline void embed(const workbench& own, const embedding_rows& rows,
                  const embedding_tables<const float>& tables, mat<float> y) {
  const auto gathered = [](mat<const float> table, vec<const std::int32_t> of, index_t n) {
    return gather_call{table.data, table.stride, from(of, n)};
  };
  own.for_rows(y.rows, [&](index_t n, index_t count) {
    own.kernels->embed({count, y.cols, gathered(tables.word, rows.word, n),
                        gathered(tables.position, rows.position, n),
                        gathered(tables.type, rows.type, n), y.row_data(n), y.stride});
  });
}

/// Two tokens may share a row: split over columns, every task sees all tokens in their order.
inline void embed_backward(const workbench& own, const embedding_rows& rows, mat<const float> dy,
                           const embedding_gradients<float>& gradients) {
  own.for_columns(dy.cols, [&](index_t first, index_t columns) {
    const auto add_to = [&](const table_gradient<float>& table, vec<const std::int32_t> targets) {
      if (!table.values) return;
      own.kernels->scatter_add({dy.rows, columns, dy.data + first, dy.stride,
                                table.values.data + first, table.values.stride, targets.data});
      if (first == 0 && table.used) {
        for (index_t n = 0; n < dy.rows; ++n) table.used[targets ? targets[n] : 0] = 1;
      }
    };
    add_to(gradients.word, rows.word);
    add_to(gradients.position, rows.position);
    add_to(gradients.type, rows.type);
  });
}

inline void gather(const workbench& own, mat<const float> x, vec<const std::int32_t> rows,
                   mat<float> y) {
  own.for_rows(y.rows, [&](index_t first, index_t count) {
    for (index_t i = first; i < first + count; ++i) {
      std::copy_n(x.row_data(rows[i]), y.cols, y.row_data(i));
    }
  });
}

inline void scatter(const workbench& own, mat<const float> x, vec<const std::int32_t> rows,
                    mat<float> y) {
  own.for_rows(y.rows, [&](index_t first, index_t count) {
    const auto* next = std::lower_bound(rows.begin(), rows.end(), first);
    for (index_t n = first; n < first + count; ++n) {
      if (next != rows.end() && *next == n) {
        std::copy_n(x.row_data(next++ - rows.begin()), y.cols, y.row_data(n));
      } else {
        std::fill_n(y.row_data(n), y.cols, 0.0F);
      }
    }
  });
}

}  // namespace onoma::inline ONOMA_ABI::cpu
