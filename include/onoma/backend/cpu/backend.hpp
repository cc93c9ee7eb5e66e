/// The CPU backend: SIMD kernels, split over the host's threads by outputs only.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/backend/cpu/attention.hpp>
#include <onoma/backend/cpu/crf.hpp>
#include <onoma/backend/cpu/loss.hpp>
#include <onoma/backend/cpu/products.hpp>
#include <onoma/backend/cpu/rows.hpp>
#include <onoma/backend/cpu/spans.hpp>
#include <onoma/backend/cpu/update.hpp>
#include <onoma/backend/cpu/weight.hpp>
#include <onoma/backend/cpu/workbench.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/memory.hpp>
#include <onoma/kernels/table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <type_traits>

namespace onoma::inline ONOMA_ABI {

/// Computes in float with the kernels of one instruction set (backend/cpu/dispatch.hpp says which).
///
/// Every function blocks until its result is there. Sums are never split between threads, so
/// results do not depend on the executor. One backend serves one calling thread at a time: its
/// workspaces grow to the largest call and stay. The executor must outlive the backend.
class cpu_backend {
 public:
  using scalar = float;              ///< the type of numbers
  using buffer = aligned_memory;     ///< memory
  using packed_weight = cpu_weight;  ///< a linear weight as the kernels read it

  cpu_backend() = default;
  /// With the kernels of this machine, on the host's threads. @throws onoma::error (unsupported) for an
  /// instruction set in ONOMA_FORCE_ARCH that the machine lacks.
  explicit cpu_backend(executor_ref executor) : own_(executor) {}
  /// With kernels of one's own choice, which this machine must be able to run.
  cpu_backend(executor_ref executor, const kernel_table& kernels) : own_(executor, kernels) {}

  /// @{
  /// As backend/concept.hpp says.
  void dry_run(bool on) noexcept { dry_run_ = on; }
  /// @{
  /// As backend/concept.hpp says.
  [[nodiscard]] bool dry_run() const noexcept { return dry_run_; }
  /// 20 MB: two thirds of a last-level cache of 32 MB. int8 runs 16 x 128 tokens of BERT-base in two
  /// halves in 0.93 of the time. More where many threads would have little to do.
  [[nodiscard]] index_t rows_at_once(index_t values) const noexcept {
    return std::max((index_t{5} << 20) / values, 64 * executor().concurrency());
  }
  [[nodiscard]] executor_ref executor() const noexcept { return own_.executor; }
  [[nodiscard]] const kernel_table& kernels() const noexcept { return *own_.kernels; }

  // Memory.

  [[nodiscard]] buffer allocate(std::size_t bytes) const { return aligned_memory(bytes); }
  void upload(const float* host, vec<float> v) const {
    if (!dry_run_) std::copy(host, host + v.size, v.data);
  }
  void upload(const stored_matrix& host, vec<float> v) const {
    if (dry_run_) return;
    constexpr index_t chunk = 16 * cpu::flat_chunk;
    executor().parallel_for((v.size + chunk - 1) / chunk, [&](index_t i) {
      const index_t first = i * chunk;
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
    if (!dry_run_) cpu::fill(v, value, executor());
  }
  void fill(vec<std::uint8_t> marks, std::uint8_t value) const {
    if (!dry_run_) std::fill(marks.begin(), marks.end(), value);
  }

  // Weights.

  [[nodiscard]] packed_weight make_packed(index_t rows, index_t cols, bool with_transpose) const {
    packed_weight packed;
    packed.rows = rows;
    packed.cols = cols;
    packed.forward = aligned_memory(cpu::float_bytes(kernels().packed_size(cols, rows)));
    if (with_transpose && !kernels().reads_rows) {
      packed.transposed = aligned_memory(cpu::float_bytes(kernels().packed_size(rows, cols)));
    }
    return packed;
  }
  void pack(mat<const float> w, packed_weight& packed) const {
    if (!dry_run_) pack_values(w, packed, kernels(), executor());
  }
  bool pack(std::span<const stored_matrix> pieces, packed_weight& packed) const {
    return dry_run_ || pack_stored(pieces, packed, kernels(), executor());
  }
  [[nodiscard]] std::string packed_layout() const {
    return std::string(kernels().name) + ", panels of " + std::to_string(kernels().panel_width);
  }
  [[nodiscard]] std::span<const std::byte> packed_bytes(const packed_weight& w) const noexcept {
    return std::as_bytes(std::span(cpu::forward_panels(w), static_cast<std::size_t>(
                                       kernels().packed_size(w.cols, w.rows))));
  }
  /// @throws onoma::error (format) for another number of bytes, or bytes that are not aligned.
  [[nodiscard]] packed_weight packed_in_place(index_t rows, index_t cols,
                                              std::span<const std::byte> bytes) const {
    return view_packed(rows, cols, bytes, kernels());
  }

  // Products.

  void linear(mat<const float> x, const packed_weight& w, vec<const float> bias, mat<float> y) {
    epilogue finish;
    finish.kind = bias ? epilogue_kind::bias : epilogue_kind::none;
    finish.bias = bias.data;
    if (!dry_run_) cpu::multiply_forward(own_, x, w, y, finish);
  }
  void linear(mat<const float> x, const packed_weight& w, vec<const float> bias,
              mat<const float> residual, mat<float> y) {
    epilogue finish;
    finish.kind = epilogue_kind::residual;
    finish.bias = bias.data;
    finish.residual = residual.data;
    finish.residual_stride = residual.stride;
    if (!dry_run_) cpu::multiply_forward(own_, x, w, y, finish);
  }
  void linear_activation(mat<const float> x, const packed_weight& w, vec<const float> bias,
                         activation function, mat<float> pre, mat<float> y) {
    epilogue finish;
    finish.kind = epilogue_kind::activation;
    finish.function = function;
    finish.bias = bias.data;
    finish.pre = pre.data;
    finish.pre_stride = pre.stride;
    if (!dry_run_) cpu::multiply_forward(own_, x, w, y, finish);
  }

  void linear_dx(mat<const float> dy, const packed_weight& w, set_t, mat<float> dx) {
    if (!dry_run_) cpu::multiply(own_, dy, cpu::rows_of(w), false, dx, {});
  }
  void linear_dx(mat<const float> dy, const packed_weight& w, add_t, mat<float> dx) {
    if (!dry_run_) cpu::multiply(own_, dy, cpu::rows_of(w), true, dx, {});
  }
  void linear_dx(mat<const float> dy, const packed_weight& w, activation function,
                 mat<const float> pre, mat<float> dx) {
    if (dry_run_) return;
    cpu::multiply(own_, dy, cpu::rows_of(w), false, dx, {},
                  [&](index_t n, index_t rows, index_t first, index_t columns) {
                    kernels().activation_backward(function, rows, columns, pre.row_data(n) + first,
                                                  pre.stride, dx.row_data(n) + first, dx.stride);
                  });
  }
  void activation_backward(activation function, mat<const float> pre, mat<float> d) const {
    if (dry_run_) return;
    own_.for_rows(d.rows, [&](index_t n, index_t rows) {
      kernels().activation_backward(function, rows, d.cols, pre.row_data(n), pre.stride, d.row_data(n), d.stride);
    });
  }
  void linear_dw(mat<const float> x, mat<const float> dy, mat<float> dw, vec<float> db) {
    if (!dry_run_) cpu::weight_gradient(own_, x, dy).add_to(dw, db);
  }

  // Rows.

  void gate(mat<const float> pre, activation function, mat<float> y) const {
    if (!dry_run_) cpu::gate(own_, pre, function, y);
  }
  void gate_backward(mat<const float> pre, activation function, mat<const float> dy,
                     mat<float> dpre) const {
    if (!dry_run_) cpu::gate_backward(own_, pre, function, dy, dpre);
  }

  /// `Weights`: layer_norm_weights or rms_norm_weights.
  template <template <class> class Weights>
  void add_norm(mat<float> x, mat<const float> residual, const dropout_spec& spec,
                const Weights<float>& weights, mat<float> y,
                const norm_statistics<float>& kept) const {
    if (!dry_run_) cpu::add_norm(own_, x, residual, spec, weights, y, kept);
  }
  /// `Mode`: set or add.
  template <template <class> class Weights, class Mode>
  void add_norm_backward(mat<const float> z, const norm_statistics<float>& kept,
                         const Weights<float>& weights, mat<const float> dy,
                         const dropout_spec& spec, Mode /*mode*/, mat<float> dz, mat<float> dx,
                         const norm_gradients<float>& gradients) const {
    if (dry_run_) return;
    const cpu::norm_targets to{std::is_same_v<Mode, add_t>, dz, dx};
    cpu::add_norm_backward(own_, z, kept, weights, dy, spec, to, gradients);
  }
  void dropout(mat<float> x, const dropout_spec& spec) const {
    if (!dry_run_) cpu::dropout(own_, x, spec);
  }

  void embed(const embedding_rows& rows, const embedding_tables<const float>& tables,
             mat<float> y) const {
    if (!dry_run_) cpu::embed(own_, rows, tables, y);
  }
  void embed_backward(const embedding_rows& rows, mat<const float> dy,
                      const embedding_gradients<float>& gradients) const {
    if (!dry_run_) cpu::embed_backward(own_, rows, dy, gradients);
  }
  void gather(mat<const float> x, vec<const std::int32_t> rows, mat<float> y) const {
    if (!dry_run_) cpu::gather(own_, x, rows, y);
  }
  void scatter(mat<const float> x, vec<const std::int32_t> rows, mat<float> y) const {
    if (!dry_run_) cpu::scatter(own_, x, rows, y);
  }

  // Attention.

  void rotary(vec<const std::int32_t> positions, double base, const rotary_angles<float>& angles) {
    if (!dry_run_) cpu::rotary(own_, positions, base, angles);
  }
  void rotate(mat<float> x, const rotary_angles<const float>& angles) const {
    if (!dry_run_) cpu::rotate(own_, x, angles, false);
  }
  void rotate_backward(mat<float> d, const rotary_angles<const float>& angles) const {
    if (!dry_run_) cpu::rotate(own_, d, angles, true);
  }
  void attention(const attention_operands<float>& operands, const attention_shape<float>& shape,
                 const attention_result<float>& result) {
    if (!dry_run_) cpu::attention_tasks(own_, operands, shape).forward(result);
  }
  void attention_backward(const attention_operands<float>& operands,
                          const attention_shape<float>& shape,
                          const attention_result<const float>& result, mat<const float> dout,
                          const attention_gradients<float>& gradients) {
    if (!dry_run_) cpu::attention_tasks(own_, operands, shape).backward(result, dout, gradients);
  }

  // The loss and the optimizer.

  [[nodiscard]] loss_result softmax_cross_entropy(mat<const float> logits,
                                                  vec<const std::int32_t> labels, float scale,
                                                  mat<float> dlogits) {
    return dry_run_ ? loss_result{} : cpu::cross_entropy(own_, logits, labels, scale, dlogits);
  }
  [[nodiscard]] loss_result softmax_cross_entropy(mat<const float> logits, vec<const std::int32_t> labels,
                                                  const cross_entropy_rule<float>& rule, float scale,
                                                  mat<float> dlogits) {
    return dry_run_ ? loss_result{} : cpu::cross_entropy(own_, logits, labels, rule, scale, dlogits);
  }
  void softmax(mat<const float> x, mat<float> y) const {
    if (!dry_run_) cpu::softmax(own_, x, y);
  }

  // Spans.

  void span_scores(const span_operands<float>& operands, const sequences& batch, mat<float> scores) const {
    if (dry_run_) return;
    check_span_shapes(operands, scores);
    cpu::span_scores(own_, operands, batch, scores);
  }
  void span_scores_backward(const span_operands<float>& operands, const sequences& batch, mat<const float> dscores,
                            const span_gradients<float>& gradients) const {
    if (dry_run_) return;
    check_span_shapes(operands, dscores);
    cpu::span_scores_backward(own_, operands, batch, dscores, gradients);
  }

  // Linear chains.

  [[nodiscard]] loss_result crf_loss(const crf_chain<float>& chain, mat<const float> emissions,
                                     const sequences& batch, const crf_targets& targets, float scale,
                                     mat<float> demissions, const crf_gradients<float>& gradients) {
    if (dry_run_) return {};
    check_crf(chain, emissions, batch);
    const index_t known = check_crf_targets(targets, emissions.rows, chain.labels());
    cpu::crf_tasks tasks(own_, chain, emissions, batch);
    return {tasks.loss(targets, scale, demissions, gradients), known};
  }
  void crf_marginals(const crf_chain<float>& chain, mat<const float> emissions, const sequences& batch,
                     const crf_targets& targets, mat<float> probabilities, vec<double> log_sums) {
    if (dry_run_) return;
    check_crf(chain, emissions, batch);
    static_cast<void>(check_crf_targets(targets, emissions.rows, chain.labels()));
    cpu::crf_tasks(own_, chain, emissions, batch).marginals(targets, probabilities, log_sums);
  }
  void crf_viterbi(const crf_chain<float>& chain, mat<const float> emissions, const sequences& batch,
                   const crf_targets& targets, vec<std::int32_t> labels, vec<double> scores) {
    if (dry_run_) return;
    check_crf(chain, emissions, batch);
    static_cast<void>(check_crf_targets(targets, emissions.rows, chain.labels()));
    cpu::crf_tasks(own_, chain, emissions, batch).viterbi(targets, labels, scores);
  }
  void crf_n_best(const crf_chain<float>& chain, mat<const float> emissions, const sequences& batch,
                  mat<std::int32_t> paths, mat<double> scores) const {
    if (dry_run_) return;
    check_crf(chain, emissions, batch);
    cpu::crf_n_best(own_, chain, emissions, batch, paths, scores);
  }

  [[nodiscard]] double squared_norm(vec<const float> v) { return norm_of(v); }
  [[nodiscard]] double squared_norm(const table_gradient<float>& gradient) {
    return norm_of(gradient);
  }
  void clear(const table_gradient<float>& gradient) const {
    if (!dry_run_) cpu::clear(gradient, executor());
  }
  void adamw(const adamw_step<float>& step, vec<float> parameter, vec<float> gradient,
             vec<float> moment1, vec<float> moment2) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, kernels(), executor());
  }
  void adamw(const adamw_step<float>& step, mat<float> parameter, mat<float> gradient,
             mat<float> moment1, mat<float> moment2, packed_weight& packed) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, packed, kernels(), executor());
  }
  void adamw(const adamw_step<float>& step, mat<float> parameter,
             const table_gradient<float>& gradient, mat<float> moment1, mat<float> moment2,
             vec<std::uint8_t> seen) const {
    if (dry_run_) return;
    cpu::adamw(step, parameter, gradient, moment1, moment2, seen, kernels(), executor());
  }
  /// @}
  /// @}

 private:
  /// Of a flat range or of a table.
  template <class Gradient>
  [[nodiscard]] double norm_of(const Gradient& gradient) {
    if (dry_run_) return 0.0;
    auto* partial = reinterpret_cast<double*>(own_.workspace(0, 2 * cpu::norm_parts(gradient)));
    return cpu::squared_norm(gradient, partial, kernels(), executor());
  }

  cpu::workbench own_;
  bool dry_run_ = false;
};

static_assert(training_backend<cpu_backend>);
static_assert(chain_training_backend<cpu_backend>);
static_assert(reads_host_memory<cpu_backend>);

}  // namespace onoma::inline ONOMA_ABI
