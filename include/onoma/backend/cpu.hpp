/// The CPU backend: SIMD kernels, split over the host's threads by outputs only.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/cpu/attention.hpp>
#include <onoma/kernels/cpu/elementwise.hpp>
#include <onoma/kernels/cpu/gemm.hpp>
#include <onoma/kernels/cpu/norm.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/simd/arch.hpp>

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// Computes in float with the instruction set that the translation unit is compiled for.
///
/// Every function blocks until its result is there. Sums are never split between threads, so
/// results do not depend on the executor. One backend serves one calling thread at a time: its
/// workspaces grow to the largest call and stay. The executor must outlive the backend.
class cpu_backend {
 public:
  using scalar = float;
  using buffer = aligned_memory;
  using arch = simd::default_arch;

  /// A weight [M, K] in panels: `forward` for x w^T and, in training, `transposed` for dy w.
  struct packed_weight {
    index rows = 0;  ///< M
    index cols = 0;  ///< K
    aligned_memory forward;
    aligned_memory transposed;
  };

  cpu_backend() = default;
  explicit cpu_backend(executor_ref executor) : executor_(executor) {}

  void dry_run(bool on) noexcept { dry_run_ = on; }
  [[nodiscard]] bool dry_run() const noexcept { return dry_run_; }
  [[nodiscard]] executor_ref executor() const noexcept { return executor_; }

  [[nodiscard]] buffer allocate(std::size_t bytes) const { return aligned_memory(bytes); }
  void upload(const float* host, vec<float> v) const {
    if (!dry_run_) std::copy(host, host + v.size, v.data);
  }
  void download(vec<const float> v, float* host) const {
    if (!dry_run_) std::copy(v.begin(), v.end(), host);
  }
  void upload_ids(vec<const std::int32_t> host, vec<std::int32_t> ids) const {
    if (!dry_run_) std::copy(host.begin(), host.end(), ids.data);
  }
  void fill(vec<float> v, float value) const {
    if (!dry_run_) std::fill(v.begin(), v.end(), value);
  }
  void copy(vec<const float> from, vec<float> to) const {
    if (!dry_run_) std::copy(from.begin(), from.end(), to.data);
  }

  [[nodiscard]] packed_weight make_packed(index rows, index cols, bool with_transpose) const {
    packed_weight packed;
    packed.rows = rows;
    packed.cols = cols;
    packed.forward = aligned_memory(float_bytes(cpu::packed_size<arch>(cols, rows)));
    if (with_transpose) {
      packed.transposed = aligned_memory(float_bytes(cpu::packed_size<arch>(rows, cols)));
    }
    return packed;
  }

  void pack(mat<const float> w, packed_weight& packed) const {
    if (dry_run_) return;
    const index forward_panels = cpu::panels_of<arch>(w.rows);
    const index all =
        forward_panels + (packed.transposed.size() > 0 ? cpu::panels_of<arch>(w.cols) : 0);
    constexpr index nr = cpu::panel_width<arch>;
    executor_.parallel_for(all, [&](index i) {
      if (i < forward_panels) {
        cpu::pack_panel_transposed<arch>(w.data, w.stride, w.cols, w.rows, i,
                                         floats(packed.forward) + i * nr * w.cols);
      } else {
        const index p = i - forward_panels;
        cpu::pack_panel<arch>(w.data, w.stride, w.rows, w.cols, p,
                              floats(packed.transposed) + p * nr * w.rows);
      }
    });
  }

  void linear(mat<const float> x, const packed_weight& w, vec<const float> bias,
              mat<float> y) const {
    if (dry_run_) return;
    if (bias) {
      multiply(x, floats(w.forward), false, y, finish_bias{bias.data});
    } else {
      multiply(x, floats(w.forward), false, y, cpu::finish_nothing{});
    }
  }

  void linear_activation(mat<const float> x, const packed_weight& w, vec<const float> bias,
                         activation function, mat<float> pre, mat<float> y) const {
    if (dry_run_) return;
    with_activation(function, [&]<activation A>() {
      multiply(x, floats(w.forward), false, y,
               finish_activation<A>{bias.data, pre.data, pre.stride});
    });
  }

  void linear_dx(mat<const float> dy, const packed_weight& w, set_t, mat<float> dx) const {
    if (!dry_run_) multiply(dy, floats(w.transposed), false, dx, cpu::finish_nothing{});
  }
  void linear_dx(mat<const float> dy, const packed_weight& w, add_t, mat<float> dx) const {
    if (!dry_run_) multiply(dy, floats(w.transposed), true, dx, cpu::finish_nothing{});
  }

  void linear_dw(mat<const float> x, mat<const float> dy, mat<float> dw, vec<float> db) {
    if (dry_run_) return;
    constexpr index nr = cpu::panel_width<arch>;
    constexpr index mr = simd::tile<arch>::rows;
    const index tokens = x.rows;
    const index tiles = (dy.cols + mr - 1) / mr;
    const index panels = cpu::panels_of<arch>(x.cols);
    float* a = workspace(0, tiles * mr * tokens);
    float* b = workspace(1, panels * nr * tokens);
    // Groups of tiles as tasks: one alone is a few microseconds.
    constexpr index group = 8;
    const index groups = (tiles + group - 1) / group;
    executor_.parallel_for(groups + panels, [&](index i) {
      if (i >= groups) {
        const index p = i - groups;
        cpu::pack_panel<arch>(x.data, x.stride, tokens, x.cols, p, b + p * nr * tokens);
        return;
      }
      for (index t = i * group; t < std::min(tiles, (i + 1) * group); ++t) {
        cpu::pack_columns<arch>(dy.data, dy.stride, tokens, dy.cols, t, a + t * mr * tokens);
      }
      if (!db) return;
      const index first = i * group * mr;
      const index count = std::min(dy.cols - first, group * mr);
      for (index n = 0; n < tokens; ++n) {
        const float* row = dy.row_data(n) + first;
        for (index m = 0; m < count; ++m) db[first + m] += row[m];
      }
    });
    executor_.parallel_for(groups * panels, [&](index i) {
      const index p = i / groups;
      const index t = i % groups * group;
      const index first = t * mr;
      const index rows = std::min(dy.cols - first, group * mr);
      cpu::multiply<arch, cpu::a_layout::columns>(
          rows, tokens, x.cols, a + first * tokens, mr, mr * tokens, b, p, p + 1, true,
          dw.row_data(first), dw.stride, cpu::finish_nothing{}, first);
    });
  }

  void activation_backward(activation function, mat<const float> pre, mat<float> d) const {
    if (dry_run_) return;
    with_activation(function, [&]<activation A>() {
      for_rows(d.rows, [&](index n) {
        cpu::activation_backward_row<arch, A>(pre.row_data(n), d.cols, d.row_data(n));
      });
    });
  }

  void add_norm(mat<float> x, mat<const float> residual, const dropout_spec& spec,
                vec<const float> gamma, vec<const float> beta, float eps, mat<float> y,
                norm_statistics<float> kept) const {
    if (dry_run_) return;
    for_rows(x.rows, [&](index n) {
      const auto row = cpu::add_norm_row<arch>(
          x.row_data(n), residual ? residual.row_data(n) : nullptr, spec, n * x.cols, gamma.data,
          beta.data, eps, x.cols, y.row_data(n));
      if (kept.mean) kept.mean[n] = row.mean;
      if (kept.reciprocal_stddev) kept.reciprocal_stddev[n] = row.reciprocal_stddev;
    });
  }

  void add_norm_backward(mat<const float> z, norm_statistics<float> kept, vec<const float> gamma,
                         mat<const float> dy, const dropout_spec& spec, mat<float> dz,
                         mat<float> dx, vec<float> dgamma, vec<float> dbeta) const {
    if (dry_run_) return;
    const auto statistics = [&](index n) {
      return cpu::row_statistics{kept.mean[n], kept.reciprocal_stddev[n]};
    };
    // First the parameters, since dz may overwrite dy: a sum over rows, split over columns.
    constexpr index columns = 64;
    executor_.parallel_for((z.cols + columns - 1) / columns, [&](index i) {
      const index first = i * columns;
      const index count = std::min(columns, z.cols - first);
      for (index n = 0; n < z.rows; ++n) {
        cpu::add_norm_parameters_row<arch>(z.row_data(n) + first, statistics(n),
                                           dy.row_data(n) + first, count, dgamma.data + first,
                                           dbeta.data + first);
      }
    });
    for_rows(z.rows, [&](index n) {
      cpu::add_norm_backward_row<arch>(z.row_data(n), statistics(n), gamma.data, dy.row_data(n),
                                       spec, n * z.cols, z.cols, dz.row_data(n),
                                       dx ? dx.row_data(n) : nullptr);
    });
  }

  void dropout(mat<float> x, const dropout_spec& spec) const {
    if (dry_run_ || !spec.active()) return;
    for_rows(x.rows, [&](index n) {
      cpu::dropout_row<arch>(spec, n * x.cols, x.cols, x.row_data(n), x.row_data(n));
    });
  }

  void attention(mat<const float> qkv, const attention_shape<float>& shape, mat<float> out,
                 mat<float> log_sum_exp) {
    if (dry_run_) return;
    const index width = qkv.cols / 3 / shape.heads;
    const index longest = shape.batch.max_length();
    const index each = cpu::attention_scratch<arch>(longest, width);
    for_heads(shape, each, [&](index b, index a, float* scratch) {
      const index first = shape.batch.begin(b);
      const auto head = head_of(qkv, shape, longest, b, a);
      if (head.length == 0) return;
      cpu::attention_forward<arch>(head, scratch, out.row_data(first) + a * width, out.stride,
                                   log_sum_exp ? log_sum_exp.row_data(a) + first : nullptr);
    });
  }

  void attention_backward(mat<const float> qkv, const attention_shape<float>& shape,
                          mat<const float> out, mat<const float> log_sum_exp,
                          mat<const float> dout, mat<float> dqkv) {
    if (dry_run_) return;
    const index hidden = qkv.cols / 3;
    const index width = hidden / shape.heads;
    const index longest = shape.batch.max_length();
    const index each = cpu::attention_backward_scratch<arch>(longest, width);
    for_heads(shape, each, [&](index b, index a, float* scratch) {
      const index first = shape.batch.begin(b);
      const auto head = head_of(qkv, shape, longest, b, a);
      if (head.length == 0) return;
      float* d = dqkv.row_data(first) + a * width;
      cpu::attention_backward<arch>(head, log_sum_exp.row_data(a) + first,
                                    out.row_data(first) + a * width, out.stride,
                                    dout.row_data(first) + a * width, dout.stride, scratch,
                                    {d, d + hidden, d + 2 * hidden, dqkv.stride});
    });
  }

  void embed(const embedding_rows& rows, const embedding_tables<const float>& tables,
             mat<float> y) const {
    if (dry_run_) return;
    for_rows(y.rows, [&](index n) {
      const float* word = tables.word.row_data(rows.word[n]);
      const float* position = tables.position.row_data(rows.position[n]);
      if (tables.type) {
        const float* type = tables.type.row_data(rows.type ? rows.type[n] : 0);
        simd::map_row<arch>(y.cols, y.row_data(n),
                            [](batch w, batch t, batch p) { return w + t + p; }, word, type,
                            position);
      } else {
        simd::map_row<arch>(y.cols, y.row_data(n), [](batch w, batch p) { return w + p; }, word,
                            position);
      }
    });
  }

  void embed_backward(const embedding_rows& rows, mat<const float> dy,
                      const embedding_tables<float>& gradients) const {
    if (dry_run_) return;
    // Two tokens may share a row: split over columns, every task sees all tokens in their order.
    constexpr index columns = 64;
    executor_.parallel_for((dy.cols + columns - 1) / columns, [&](index i) {
      const index first = i * columns;
      const index count = std::min(columns, dy.cols - first);
      const auto add_to = [&](float* to, const float* from) {
        simd::map_row<arch>(count, to, [](batch a, batch b) { return a + b; },
                            static_cast<const float*>(to), from);
      };
      for (index n = 0; n < dy.rows; ++n) {
        const float* from = dy.row_data(n) + first;
        add_to(gradients.word.row_data(rows.word[n]) + first, from);
        add_to(gradients.position.row_data(rows.position[n]) + first, from);
        if (gradients.type) {
          add_to(gradients.type.row_data(rows.type ? rows.type[n] : 0) + first, from);
        }
      }
    });
  }

  /// Labels are few, so this is a small part of a step: the reference, on the calling thread.
  [[nodiscard]] loss_result softmax_cross_entropy(mat<const float> logits,
                                                  vec<const std::int32_t> labels, float scale,
                                                  mat<float> dlogits) const {
    loss_result loss;
    if (!dry_run_) {
      loss.sum = ref::softmax_cross_entropy<double>(logits, labels, scale, dlogits, loss.count);
    }
    return loss;
  }
  void softmax(mat<const float> x, mat<float> y) const {
    if (!dry_run_) ref::softmax(x, y);
  }

  [[nodiscard]] double squared_norm(vec<const float> v) {
    if (dry_run_) return 0.0;
    const index chunks = (v.size + flat_chunk - 1) / flat_chunk;
    auto* partial = reinterpret_cast<double*>(workspace(0, 2 * chunks));
    executor_.parallel_for(chunks, [&](index i) {
      const index first = i * flat_chunk;
      partial[i] =
          cpu::squares_range(std::min(flat_chunk, v.size - first), v.data + first);
    });
    double sum = 0.0;
    for (index i = 0; i < chunks; ++i) sum += partial[i];
    return sum;
  }

  void adamw(const adamw_step<float>& step, vec<float> parameter, vec<float> gradient,
             vec<float> moment1, vec<float> moment2) const {
    if (dry_run_) return;
    const cpu::adamw_constants k{
        static_cast<float>(static_cast<double>(step.learning_rate) / step.bias_correction1),
        static_cast<float>(1.0 / std::sqrt(step.bias_correction2)),
        1.0F - step.learning_rate * step.weight_decay,
        1.0F - step.beta1,
        step.beta2,
        1.0F - step.beta2,
        step.eps,
        step.gradient_scale};
    executor_.parallel_for((parameter.size + flat_chunk - 1) / flat_chunk, [&](index i) {
      const index first = i * flat_chunk;
      cpu::adamw_range<arch>(k, std::min(flat_chunk, parameter.size - first),
                             parameter.data + first, gradient.data + first, moment1.data + first,
                             moment2.data + first);
    });
  }

 private:
  using batch = simd::floats<arch>;

  /// Elements of a flat range per task: 64 KiB, enough to hide the hand-over.
  static constexpr index flat_chunk = 16384;
  /// Rows of A per task of a product. 192 rows of 384 columns are 288 KiB: with a panel's share of
  /// B (96 KiB) they stay in L2.
  static constexpr index row_block = 192;

  struct finish_bias {
    const float* bias;
    template <class Arch>
    [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index, index column,
                                           index count) const {
      return sum + load_some(bias + column, count);
    }
  };

  template <activation A>
  struct finish_activation {
    const float* bias;  // may be null
    float* pre;         // may be null
    index pre_stride;
    template <class Arch>
    [[nodiscard]] simd::floats<Arch> apply(simd::floats<Arch> sum, index row, index column,
                                           index count) const {
      if (bias != nullptr) sum += load_some(bias + column, count);
      if (pre != nullptr) {
        float* to = pre + row * pre_stride + column;
        if (count == simd::width<Arch>) {
          simd::store<Arch>(to, sum);
        } else {
          simd::store_partial<Arch>(to, sum, count);
        }
      }
      return cpu::activate<Arch, A>(sum);
    }
  };

  [[nodiscard]] static batch load_some(const float* p, index count) {
    return count == simd::width<arch> ? simd::load<arch>(p) : simd::load_partial<arch>(p, count);
  }

  static std::size_t float_bytes(index count) {
    return static_cast<std::size_t>(count) * sizeof(float);
  }
  static float* floats(const aligned_memory& memory) {
    return reinterpret_cast<float*>(memory.data());
  }

  template <class F>
  static void with_activation(activation function, F f) {
    switch (function) {
      case activation::gelu: f.template operator()<activation::gelu>(); break;
      case activation::gelu_tanh: f.template operator()<activation::gelu_tanh>(); break;
      case activation::relu: f.template operator()<activation::relu>(); break;
    }
  }

  /// y (= | +=) x B with B packed: tasks are blocks of rows times groups of panels. Few rows: many
  /// groups, so that every thread streams its own part of the weights.
  template <class Finish>
  void multiply(mat<const float> x, const float* packed, bool accumulate, mat<float> y,
                const Finish& finish) const {
    const index panels = cpu::panels_of<arch>(y.cols);
    const index blocks = (x.rows + row_block - 1) / row_block;
    const index threads = executor_.concurrency();
    // About four tasks per thread even out their speeds; panels of one task share rows of A.
    const index wanted = threads == 1 ? 1 : (4 * threads + blocks - 1) / blocks;
    const index groups = std::min(panels, wanted);
    executor_.parallel_for(blocks * groups, [&](index i) {
      const index block = i / groups;
      const index group = i % groups;
      const index first = x.rows * block / blocks;
      const index last = x.rows * (block + 1) / blocks;
      cpu::multiply<arch, cpu::a_layout::rows>(
          last - first, x.cols, y.cols, x.row_data(first), x.stride, 0, packed,
          panels * group / groups, panels * (group + 1) / groups, accumulate, y.row_data(first),
          y.stride, finish, first);
    });
  }

  /// f(n) for every row, in blocks of 16 rows a task.
  template <class F>
  void for_rows(index rows, F f) const {
    constexpr index block = 16;
    executor_.parallel_for((rows + block - 1) / block, [&](index i) {
      for (index n = i * block; n < std::min(rows, (i + 1) * block); ++n) f(n);
    });
  }

  /// f(sequence, head, scratch) for all pairs. Scratch belongs to a lane, and a lane runs its pairs
  /// one after another, so that memory does not grow with the batch.
  template <class F>
  void for_heads(const attention_shape<float>& shape, index scratch_floats, F f) {
    const index pairs = shape.batch.count() * shape.heads;
    const index lanes = std::min(pairs, executor_.concurrency());
    const index each = (scratch_floats + 15) / 16 * 16;
    float* scratch = workspace(0, lanes * each);
    std::atomic<index> next{0};
    executor_.parallel_for(lanes, [&](index lane) {
      for (index i = next.fetch_add(1); i < pairs; i = next.fetch_add(1)) {
        f(i / shape.heads, i % shape.heads, scratch + lane * each);
      }
    });
  }

  [[nodiscard]] static cpu::attention_head head_of(mat<const float> qkv,
                                                   const attention_shape<float>& shape,
                                                   index longest, index b, index a) {
    const index hidden = qkv.cols / 3;
    const index width = hidden / shape.heads;
    const index first = shape.batch.begin(b);
    const float* q = qkv.row_data(first) + a * width;
    return {q,
            q + hidden,
            q + 2 * hidden,
            qkv.stride,
            shape.batch.length(b),
            width,
            shape.scale,
            shape.dropout,
            (a * qkv.rows + first) * longest,
            longest};
  }

  [[nodiscard]] float* workspace(std::size_t which, index count) {
    auto& memory = workspaces_[which];
    if (memory.size() < float_bytes(count)) {
      // A quarter more than asked: batches of slightly growing size do not allocate each time.
      memory = aligned_memory(float_bytes(count + count / 4));
    }
    return floats(memory);
  }

  executor_ref executor_;
  bool dry_run_ = false;
  std::array<aligned_memory, 2> workspaces_;
};

static_assert(backend<cpu_backend>);

}  // namespace onoma::inline ONOMA_ABI
