/// The CPU backend: SIMD kernels, split over the host's threads by outputs only.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/bias.hpp>
#include <onoma/backend/cpu/dispatch.hpp>
#include <onoma/backend/cpu/tasks.hpp>
#include <onoma/backend/cpu/update.hpp>
#include <onoma/backend/cpu/weight.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <array>
#include <cstring>
#include <span>
#include <string>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// Computes in float with the kernels of one instruction set (backend/cpu/dispatch.hpp says which).
///
/// Every function blocks until its result is there. Sums are never split between threads, so
/// results do not depend on the executor. One backend serves one calling thread at a time: its
/// workspaces grow to the largest call and stay. The executor must outlive the backend.
class cpu_backend {
 public:
  using scalar = float;
  using buffer = aligned_memory;
  using packed_weight = cpu_weight;

  cpu_backend() = default;
  explicit cpu_backend(executor_ref executor) : executor_(executor) {}
  /// With kernels of one's own choice, which this machine must be able to run.
  cpu_backend(executor_ref executor, const kernel_table& kernels)
      : kernels_(&kernels), executor_(executor) {}

  void dry_run(bool on) noexcept { dry_run_ = on; }
  [[nodiscard]] bool dry_run() const noexcept { return dry_run_; }
  /// 20 MB: two thirds of a last-level cache of 32 MB. int8 runs 16 x 128 tokens of BERT-base in two
  /// halves in 0.93 of the time. More where many threads would have little to do.
  [[nodiscard]] index rows_at_once(index values) const noexcept {
    return std::max((index{5} << 20) / values, 64 * executor_.concurrency());
  }
  [[nodiscard]] executor_ref executor() const noexcept { return executor_; }
  [[nodiscard]] const kernel_table& kernels() const noexcept { return *kernels_; }

  [[nodiscard]] buffer allocate(std::size_t bytes) const { return aligned_memory(bytes); }
  void upload(const float* host, vec<float> v) const {
    if (!dry_run_) std::copy(host, host + v.size, v.data);
  }
  void upload(const stored_matrix& host, vec<float> v) const {
    if (dry_run_) return;
    constexpr index chunk = 16 * cpu::flat_chunk;
    executor_.parallel_for((v.size + chunk - 1) / chunk, [&](index i) {
      const index first = i * chunk;
      convert(host, first, std::min(chunk, v.size - first), v.data + first);
    });
  }
  [[nodiscard]] vec<const float> in_place(std::span<const stored_matrix> stored) const noexcept {
    if (stored.size() != 1) return {};
    const auto& whole = stored.front();
    return {rows_as_floats(stored, 0, whole.rows), whole.size()};
  }
  void download(vec<const float> v, float* host) const {
    if (!dry_run_) std::copy(v.begin(), v.end(), host);
  }
  void upload_ids(vec<const std::int32_t> host, vec<std::int32_t> ids) const {
    if (!dry_run_) std::copy(host.begin(), host.end(), ids.data);
  }
  void fill(vec<float> v, float value) const {
    if (!dry_run_) cpu::fill(v, value, executor_);
  }
  void fill(vec<std::uint8_t> marks, std::uint8_t value) const {
    if (!dry_run_) std::fill(marks.begin(), marks.end(), value);
  }

  [[nodiscard]] packed_weight make_packed(index rows, index cols, bool with_transpose) const {
    packed_weight packed;
    packed.rows = rows;
    packed.cols = cols;
    packed.forward = aligned_memory(float_bytes(kernels_->packed_size(cols, rows)));
    if (with_transpose && !kernels_->reads_rows) {
      packed.transposed = aligned_memory(float_bytes(kernels_->packed_size(rows, cols)));
    }
    return packed;
  }

  void pack(mat<const float> w, packed_weight& packed) const {
    if (!dry_run_) pack_values(w, packed, *kernels_, executor_);
  }

  void pack(std::span<const stored_matrix> pieces, packed_weight& packed) const {
    if (!dry_run_) pack_stored(pieces, packed, *kernels_, executor_);
  }

  [[nodiscard]] std::string packed_layout() const {
    return std::string(kernels_->name) + ", panels of " + std::to_string(kernels_->panel_width);
  }
  [[nodiscard]] std::span<const std::byte> packed_bytes(const packed_weight& w) const noexcept {
    return std::as_bytes(std::span(forward_panels(w), static_cast<std::size_t>(
                                       kernels_->packed_size(w.cols, w.rows))));
  }
  /// @throws onoma::error (format) for another number of bytes, or bytes that are not aligned.
  [[nodiscard]] packed_weight packed_in_place(index rows, index cols,
                                              std::span<const std::byte> bytes) const {
    return view_packed(rows, cols, bytes, *kernels_);
  }

  void linear(mat<const float> x, const packed_weight& w, vec<const float> bias, mat<float> y) {
    epilogue finish;
    finish.kind = bias ? epilogue_kind::bias : epilogue_kind::none;
    finish.bias = bias.data;
    multiply_forward(x, w, y, finish);
  }

  void linear_activation(mat<const float> x, const packed_weight& w, vec<const float> bias,
                         activation function, mat<float> pre, mat<float> y) {
    multiply_forward(x, w, y,
                     {epilogue_kind::activation, function, bias.data, pre.data, pre.stride});
  }

  void linear_dx(mat<const float> dy, const packed_weight& w, set_t, mat<float> dx) {
    multiply(dy, rows_of(w), false, dx, {});
  }
  void linear_dx(mat<const float> dy, const packed_weight& w, add_t, mat<float> dx) {
    multiply(dy, rows_of(w), true, dx, {});
  }
  void linear_dx(mat<const float> dy, const packed_weight& w, activation function,
                 mat<const float> pre, mat<float> dx) {
    multiply(dy, rows_of(w), false, dx, {}, [&](index n, index rows, index first, index columns) {
      kernels_->activation_backward(function, rows, columns, pre.row_data(n) + first, pre.stride,
                                    dx.row_data(n) + first, dx.stride);
    });
  }

  void linear_dw(mat<const float> x, mat<const float> dy, mat<float> dw, vec<float> db) {
    if (dry_run_) return;
    const index tile = kernels_->tile_rows;
    const index tokens = x.rows;
    const index tiles = (dy.cols + tile - 1) / tile;
    const index panels = panels_of(x.cols);
    const index panels_to_pack = kernels_->reads_rows ? 0 : panels;
    float* a = workspace(1, kernels_->packed_rows_size(tokens, dy.cols));
    float* b = panels_to_pack == 0 ? nullptr : workspace(2, kernels_->packed_size(tokens, x.cols));
    // Groups of tiles as tasks: one alone is a few microseconds.
    const index group = std::max<index>(1, 48 / tile);
    const index groups = (tiles + group - 1) / group;
    executor_.parallel_for(groups + panels_to_pack, [&](index i) {
      if (i >= groups) {
        const index p = i - groups;
        kernels_->pack({x.data, x.stride, tokens, x.cols, false, p, p + 1, b});
        return;
      }
      kernels_->pack_rows(
          {dy.data, dy.stride, tokens, dy.cols, i * group, std::min(tiles, (i + 1) * group), a});
      if (!db) return;
      const index first = i * group * tile;
      kernels_->add_rows(tokens, std::min(dy.cols - first, group * tile), dy.data + first,
                         dy.stride, db.data + first);
    });
    // Tiles of rows in blocks, panels in groups.
    const index block = std::max(group, kernels_->row_block / tile / group * group);
    const index blocks = (tiles + block - 1) / block;
    const index panel_groups = groups_of(panels, blocks, dy.cols);
    const index most_panels = (panels + panel_groups - 1) / panel_groups;
    const index scratch_bytes =
        kernels_->gemm_packed_scratch(std::min(dy.cols, block * tile), tokens, most_panels);
    for_each_with_scratch(
        blocks * panel_groups, scratch_bytes, [&](index i, index /*previous*/, std::byte* scratch) {
          const index p = i / blocks;
          const index first = i % blocks * block * tile;
          gemm_call call;
          call.rows = std::min(dy.cols - first, block * tile);
          call.depth = tokens;
          call.columns = x.cols;
          call.a = a;
          call.b = b != nullptr ? b : x.data;
          call.b_stride = b != nullptr ? 0 : x.stride;
          call.first_panel = panels * p / panel_groups;
          call.last_panel = panels * (p + 1) / panel_groups;
          call.accumulate = true;
          call.c = dw.row_data(first);
          call.c_stride = dw.stride;
          call.row = first;
          call.scratch = scratch;
          kernels_->gemm_packed(call);
        });
  }

  void add_norm(mat<float> x, mat<const float> residual, const dropout_spec& spec,
                vec<const float> gamma, vec<const float> beta, float eps, mat<float> y,
                norm_statistics<float> kept) const {
    if (dry_run_) return;
    for_rows(x.rows, [&](index n, index rows) {
      add_norm_call call;
      call.rows = rows;
      call.hidden = x.cols;
      call.x = x.row_data(n);
      call.x_stride = x.stride;
      call.residual = residual ? residual.row_data(n) : nullptr;
      call.residual_stride = residual.stride;
      call.dropout = {spec.probability, spec.key};
      call.number = n * x.cols;
      call.gamma = gamma.data;
      call.beta = beta.data;
      call.eps = eps;
      call.y = y.row_data(n);
      call.y_stride = y.stride;
      call.mean = kept.mean ? kept.mean.data + n : nullptr;
      call.reciprocal_stddev = kept.reciprocal_stddev ? kept.reciprocal_stddev.data + n : nullptr;
      kernels_->add_norm(call);
    });
  }

  void add_norm_backward(mat<const float> z, norm_statistics<float> kept, vec<const float> gamma,
                         mat<const float> dy, const dropout_spec& spec, mat<float> dz,
                         mat<float> dx, vec<float> dgamma, vec<float> dbeta) const {
    if (dry_run_) return;
    // First the parameters, since dz may overwrite dy: a sum over rows, split over columns.
    for_columns(z.cols, [&](index first, index columns) {
      kernels_->add_norm_parameters({z.rows, columns, z.data + first, z.stride, kept.mean.data,
                                     kept.reciprocal_stddev.data, dy.data + first, dy.stride,
                                     dgamma.data + first, dbeta.data + first});
    });
    for_rows(z.rows, [&](index n, index rows) {
      add_norm_backward_call call;
      call.rows = rows;
      call.hidden = z.cols;
      call.z = z.row_data(n);
      call.z_stride = z.stride;
      call.mean = kept.mean.data + n;
      call.reciprocal_stddev = kept.reciprocal_stddev.data + n;
      call.gamma = gamma.data;
      call.dy = dy.row_data(n);
      call.dy_stride = dy.stride;
      call.dropout = {spec.probability, spec.key};
      call.number = n * z.cols;
      call.dz = dz.row_data(n);
      call.dz_stride = dz.stride;
      call.dx = dx ? dx.row_data(n) : nullptr;
      call.dx_stride = dx.stride;
      kernels_->add_norm_backward(call);
    });
  }

  void dropout(mat<float> x, const dropout_spec& spec) const {
    if (dry_run_ || !spec.active()) return;
    for_rows(x.rows, [&](index n, index rows) {
      kernels_->dropout({spec.probability, spec.key}, n * x.cols, rows, x.cols, x.row_data(n),
                        x.stride);
    });
  }

  void attention(mat<const float> qkv, const attention_shape<float>& shape, mat<float> out,
                 mat<float> log_sum_exp) {
    if (dry_run_) return;
    const index width = qkv.cols / 3 / shape.heads;
    for_heads(qkv, shape, kernels_->attention_scratch(shape.batch.longest, width),
              [&](const attention_operand& head, index first, index a) {
                kernels_->attention({head, out.row_data(first) + a * width, out.stride,
                                     log_sum_exp ? log_sum_exp.row_data(a) + first : nullptr});
              });
  }

  void attention_backward(mat<const float> qkv, const attention_shape<float>& shape,
                          mat<const float> out, mat<const float> log_sum_exp, mat<const float> dout,
                          mat<float> dqkv, mat<float> dbias = {}) {
    if (dry_run_) return;
    const index hidden = qkv.cols / 3;
    const index width = hidden / shape.heads;
    float* by_distance = dbias ? workspace(2, shape.heads * 2 * qkv.rows) : nullptr;
    if (dbias) std::fill_n(by_distance, shape.heads * 2 * qkv.rows, 0.0F);
    for_heads(qkv, shape, kernels_->attention_backward_scratch(shape.batch.longest, width),
              [&](const attention_operand& head, index first, index a) {
                float* d = dqkv.row_data(first) + a * width;
                attention_backward_call call;
                call.head = head;
                call.out = out.row_data(first) + a * width;
                call.out_stride = out.stride;
                call.log_sum_exp = log_sum_exp.row_data(a) + first;
                call.dout = dout.row_data(first) + a * width;
                call.dout_stride = dout.stride;
                call.dq = d;
                call.dk = d + hidden;
                call.dv = d + 2 * hidden;
                call.gradient_stride = dqkv.stride;
                if (dbias) call.dbias = by_distance + 2 * (a * qkv.rows + first) + head.length;
                kernels_->attention_backward(call);
              });
    if (dbias) cpu::add_bias_gradient(shape, qkv.rows, by_distance, dbias, executor_);
  }

  void embed(const embedding_rows& rows, const embedding_tables<const float>& tables,
             mat<float> y) const {
    if (dry_run_) return;
    for_rows(y.rows, [&](index n, index count) {
      kernels_->embed(
          {count,
           y.cols,
           {tables.word.data, tables.word.stride, rows.word.data + n},
           {tables.position.data, tables.position.stride, rows.position.data + n},
           {tables.type.data, tables.type.stride, rows.type ? rows.type.data + n : nullptr},
           y.row_data(n),
           y.stride});
    });
  }

  void embed_backward(const embedding_rows& rows, mat<const float> dy,
                      const embedding_gradients<float>& gradients) const {
    if (dry_run_) return;
    // Two tokens may share a row: split over columns, every task sees all tokens in their order.
    for_columns(dy.cols, [&](index first, index columns) {
      const auto add_to = [&](const table_gradient<float>& table, vec<const std::int32_t> targets) {
        if (!table.values) return;
        kernels_->scatter_add({dy.rows, columns, dy.data + first, dy.stride,
                               table.values.data + first, table.values.stride, targets.data});
        if (first == 0 && table.used) {
          for (index n = 0; n < dy.rows; ++n) table.used[targets ? targets[n] : 0] = 1;
        }
      };
      add_to(gradients.word, rows.word);
      add_to(gradients.position, rows.position);
      add_to(gradients.type, rows.type);
    });
  }

  void gather(mat<const float> x, vec<const std::int32_t> rows, mat<float> y) const {
    if (dry_run_) return;
    for_rows(y.rows, [&](index first, index count) {
      for (index i = first; i < first + count; ++i) {
        std::copy_n(x.row_data(rows[i]), y.cols, y.row_data(i));
      }
    });
  }
  void scatter(mat<const float> x, vec<const std::int32_t> rows, mat<float> y) const {
    if (dry_run_) return;
    for_rows(y.rows, [&](index first, index count) {
      const auto* from = std::lower_bound(rows.begin(), rows.end(), first);
      for (index n = first; n < first + count; ++n) {
        if (from != rows.end() && *from == n) {
          std::copy_n(x.row_data(from++ - rows.begin()), y.cols, y.row_data(n));
        } else {
          std::fill_n(y.row_data(n), y.cols, 0.0F);
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

  [[nodiscard]] double squared_norm(vec<const float> v) { return norm_of(v); }
  [[nodiscard]] double squared_norm(const table_gradient<float>& gradient) {
    return norm_of(gradient);
  }

  void clear(const table_gradient<float>& gradient) const {
    if (!dry_run_) cpu::clear(gradient, executor_);
  }

  void adamw(const adamw_step<float>& step, vec<float> parameter, vec<float> gradient,
             vec<float> moment1, vec<float> moment2) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, *kernels_, executor_);
  }
  void adamw(const adamw_step<float>& step, mat<float> parameter, mat<float> gradient,
             mat<float> moment1, mat<float> moment2, packed_weight& packed) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, packed, *kernels_, executor_);
  }
  void adamw(const adamw_step<float>& step, mat<float> parameter,
             const table_gradient<float>& gradient, mat<float> moment1, mat<float> moment2,
             vec<std::uint8_t> seen) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, seen, *kernels_, executor_);
  }

 private:
  /// Of a flat range or of a table.
  template <class Gradient>
  [[nodiscard]] double norm_of(const Gradient& gradient) {
    if (dry_run_) return 0.0;
    auto* partial = reinterpret_cast<double*>(workspace(0, 2 * cpu::norm_parts(gradient)));
    return cpu::squared_norm(gradient, partial, *kernels_, executor_);
  }

  static std::size_t float_bytes(index count) {
    return static_cast<std::size_t>(count) * sizeof(float);
  }
  static float* floats(const aligned_memory& memory) {
    return reinterpret_cast<float*>(memory.data());
  }

  static const float* forward_panels(const packed_weight& w) noexcept {
    return w.mapped != nullptr ? w.mapped : floats(w.forward);
  }

  [[nodiscard]] index panels_of(index columns) const {
    return (columns + kernels_->panel_width - 1) / kernels_->panel_width;
  }

  /// B of a product: packed, or rows `stride` apart.
  struct b_operand {
    const float* data = nullptr;
    index stride = 0;
  };
  [[nodiscard]] static b_operand rows_of(const packed_weight& w) {
    if (w.transposed.size() > 0) return {floats(w.transposed)};
    return {w.source.data, w.source.stride};
  }

  /// How many groups of panels make a few tasks per thread, which evens out their speeds: eight where a
  /// task has nothing to prepare, else two, since a task begins with work that its products do not hide;
  /// four where rows are few and most of the time goes into reading B.
  [[nodiscard]] index groups_of(index panels, index blocks, index rows) const {
    const index each = kernels_->gemm_prepare == nullptr ? 8 : rows > 64 ? 2 : 4;
    return cpu::panel_groups(panels, kernels_->panel_block, blocks, each, executor_.concurrency());
  }

  void multiply_forward(mat<const float> x, const packed_weight& w, mat<float> y,
                        const epilogue& finish) {
    if (w.int8.empty()) return multiply(x, {forward_panels(w)}, false, y, finish);
    if (dry_run_) return;
    const index size = int8_weight::workspace(x.rows, x.cols, executor_);
    w.int8.multiply(x, y, finish, {workspace(0, size), size}, *kernels_, executor_);
  }

  struct ignore_done {
    void operator()(index, index, index, index) const noexcept {}
  };
  /// y (= | +=) x B: tasks are blocks of rows times groups of panels. Few rows: many groups, so that
  /// every thread streams its own part of the weights. After each task, done(row, rows, column, columns)
  /// finds its part of y in the cache.
  template <class Done = ignore_done>
  void multiply(mat<const float> x, b_operand b, bool accumulate, mat<float> y,
                const epilogue& finish, Done done = {}) {
    if (dry_run_ || x.rows == 0) return;
    const index panels = panels_of(y.cols);
    const index blocks =
        cpu::row_blocks(x.rows, kernels_->row_block, panels, executor_.concurrency());
    const index groups = groups_of(panels, blocks, x.rows);
    const index scratch_bytes = kernels_->gemm_scratch(
        (x.rows + blocks - 1) / blocks, x.cols, (panels + groups - 1) / groups);
    for_each_with_scratch(
        blocks * groups, scratch_bytes, [&](index i, index previous, std::byte* scratch) {
          const index block = i / groups;
          const index group = i % groups;
          const index first = x.rows * block / blocks;
          gemm_call call;
          call.rows = x.rows * (block + 1) / blocks - first;
          call.depth = x.cols;
          call.columns = y.cols;
          call.a = x.row_data(first);
          call.a_stride = x.stride;
          call.b = b.data;
          call.b_stride = b.stride;
          call.first_panel = panels * group / groups;
          call.last_panel = panels * (group + 1) / groups;
          call.accumulate = accumulate;
          call.c = y.row_data(first);
          call.c_stride = y.stride;
          call.finish = finish;
          call.row = first;
          call.scratch = scratch;
          const bool same_rows = previous >= 0 && previous / groups == block;
          if (kernels_->gemm_prepare != nullptr && !same_rows) kernels_->gemm_prepare(call);
          kernels_->gemm(call);
          const index column = call.first_panel * kernels_->panel_width;
          done(first, call.rows, column,
               std::min(y.cols, call.last_panel * kernels_->panel_width) - column);
        });
  }

  /// f(n, count) for blocks of 16 rows.
  template <class F>
  void for_rows(index rows, F f) const {
    constexpr index block = 16;
    executor_.parallel_for((rows + block - 1) / block,
                           [&](index i) { f(i * block, std::min(block, rows - i * block)); });
  }

  /// f(first, count) for blocks of 64 columns: one cache line of 16 and three to spare.
  template <class F>
  void for_columns(index columns, F f) const {
    constexpr index block = 64;
    executor_.parallel_for((columns + block - 1) / block,
                           [&](index i) { f(i * block, std::min(block, columns - i * block)); });
  }

  /// cpu::for_each_in_lanes, with memory of this backend.
  template <class F>
  void for_each_with_scratch(index count, index scratch_bytes, F f) {
    const index bytes = cpu::lanes_size(executor_, count, scratch_bytes);
    auto* memory = workspace(0, bytes / static_cast<index>(sizeof(float)));
    cpu::for_each_in_lanes(executor_, count, reinterpret_cast<std::byte*>(memory), scratch_bytes, f);
  }

  /// Null without a bias.
  [[nodiscard]] const float* bias_by_distance(const attention_shape<float>& shape) {
    if (!shape.bias) return nullptr;
    float* expanded = workspace(1, shape.heads * 2 * shape.batch.longest);
    cpu::expand_bias(shape, expanded);
    return expanded;
  }

  /// f(head, first token, number of the head) for all sequences and heads.
  template <class F>
  void for_heads(mat<const float> qkv, const attention_shape<float>& shape, index scratch_floats,
                 F f) {
    const index hidden = qkv.cols / 3;
    const index width = hidden / shape.heads;
    const index longest = shape.batch.longest;
    const index bytes = static_cast<index>(float_bytes(scratch_floats));
    const float* bias = bias_by_distance(shape);
    for_each_with_scratch(shape.batch.count() * shape.heads, bytes,
                          [&](index i, index /*previous*/, std::byte* scratch) {
                            const index b = i / shape.heads;
                            const index a = i % shape.heads;
                            if (shape.batch.length(b) == 0) return;
                            const index first = shape.batch.begin(b);
                            attention_operand head;
                            head.q = qkv.row_data(first) + a * width;
                            head.k = head.q + hidden;
                            head.v = head.k + hidden;
                            head.stride = qkv.stride;
                            head.length = shape.batch.length(b);
                            head.width = width;
                            head.scale = shape.scale;
                            head.dropout = {shape.dropout.probability, shape.dropout.key};
                            head.first_number = (a * qkv.rows + first) * longest;
                            head.number_stride = longest;
                            if (bias != nullptr) head.bias = bias + (2 * a + 1) * longest;
                            head.scratch = reinterpret_cast<float*>(scratch);
                            f(head, first, a);
                          });
  }

  [[nodiscard]] float* workspace(std::size_t which, index count) {
    auto& memory = workspaces_[which];
    if (memory.size() < float_bytes(count)) {
      // Half as much again: batches of slightly growing size do not allocate each time.
      memory = aligned_memory(float_bytes(count + count / 2));
    }
    return floats(memory);
  }

  const kernel_table* kernels_ = &default_kernels();
  executor_ref executor_;
  bool dry_run_ = false;
  std::array<aligned_memory, 3> workspaces_;
};

static_assert(reads_host_memory<cpu_backend>);

}  // namespace onoma::inline ONOMA_ABI
