/// The backend of the specification: scalar kernels for any number type, on the calling thread.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/kernels/ref/activation.hpp>
#include <onoma/kernels/ref/adamw.hpp>
#include <onoma/kernels/ref/attention.hpp>
#include <onoma/kernels/ref/crf.hpp>
#include <onoma/kernels/ref/dropout.hpp>
#include <onoma/kernels/ref/embedding.hpp>
#include <onoma/kernels/ref/gate.hpp>
#include <onoma/kernels/ref/linear.hpp>
#include <onoma/kernels/ref/loss.hpp>
#include <onoma/kernels/ref/norm.hpp>
#include <onoma/kernels/ref/quantized.hpp>
#include <onoma/kernels/ref/rotary.hpp>
#include <onoma/kernels/ref/spans.hpp>

#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>
#include <type_traits>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Slow and plain on purpose: the oracle of the other backends. `T` is float, double, or any type
/// with the arithmetic and the math functions that the kernels use.
template <class T>
class reference_backend {
 public:
  using scalar = T;  ///< the type of numbers

  /// Zeroed host memory, aligned like the arenas that live in it.
  class buffer {
   public:
    /// Holds nothing.
    buffer() = default;
    /// `bytes` zero bytes.
    explicit buffer(std::size_t bytes) : bytes_(bytes), blocks_(new block[bytes / 64 + 1]()) {}
    /// The first byte.
    [[nodiscard]] std::byte* data() const noexcept {
      return reinterpret_cast<std::byte*>(blocks_.get());
    }
    /// Bytes.
    [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

   private:
    struct alignas(64) block {
      std::byte bytes[64];
    };
    std::size_t bytes_ = 0;
    std::unique_ptr<block[]> blocks_;
  };

  /// A plain copy of the weight: values, or codes and scales.
  struct packed_weight {
    std::vector<T> values;             ///< [rows * cols]; empty for int8
    index_t rows = 0;                    ///< M
    index_t cols = 0;                    ///< K
    std::vector<std::int8_t> codes{};  ///< [rows * cols] for int8
    std::vector<float> scales{};       ///< [rows] for int8
    /// The values [M, K].
    [[nodiscard]] mat<const T> view() const noexcept { return {values.data(), rows, cols}; }
  };

  /// @{
  /// As backend/concept.hpp says.
  void dry_run(bool on) noexcept { dry_run_ = on; }
  /// @{
  /// As backend/concept.hpp says.
  [[nodiscard]] bool dry_run() const noexcept { return dry_run_; }
  [[nodiscard]] index_t rows_at_once(index_t /*values*/) const noexcept { return 1024; }

  [[nodiscard]] buffer allocate(std::size_t bytes) const { return buffer(bytes); }
  void upload(const T* host, vec<T> v) const {
    if (!dry_run_) std::copy(host, host + v.size, v.data);
  }
  void upload(const stored_matrix& host, vec<T> v) const {
    if (!dry_run_) convert(host, 0, v.size, v.data);
  }
  void download(vec<const T> v, T* host) const {
    if (!dry_run_) std::copy(v.begin(), v.end(), host);
  }
  void upload_ids(vec<const std::int32_t> host, vec<std::int32_t> ids) const {
    if (!dry_run_) std::copy(host.begin(), host.end(), ids.data);
  }
  void fill(vec<T> v, T value) const {
    if (!dry_run_) std::fill(v.begin(), v.end(), value);
  }
  void fill(vec<std::uint8_t> marks, std::uint8_t value) const {
    if (!dry_run_) std::fill(marks.begin(), marks.end(), value);
  }

  [[nodiscard]] packed_weight make_packed(index_t rows, index_t cols, bool /*with_transpose*/) const {
    return {std::vector<T>(static_cast<std::size_t>(rows * cols)), rows, cols};
  }
  void pack(mat<const T> w, packed_weight& packed) const {
    if (dry_run_) return;
    for (index_t i = 0; i < w.rows; ++i) {
      const auto row = w.row(i);
      std::copy(row.begin(), row.end(), packed.values.begin() + i * w.cols);
    }
  }

  bool pack(std::span<const stored_matrix> rows, packed_weight& packed) const {
    if (dry_run_) return true;
    if (rows.front().type == dtype::i8) {
      pack_int8(rows, packed);
      return true;
    }
    bool finite = true;
    T* out = packed.values.data();
    for (const auto& piece : rows) {
      finite = finite && all_finite(piece);
      convert(piece, 0, piece.size(), out);
      out += piece.size();
    }
    return finite;
  }

  void linear(mat<const T> x, const packed_weight& w, vec<const T> bias, mat<T> y) const {
    if (dry_run_) return;
    if (w.codes.empty()) {
      ref::linear(x, w.view(), bias, y);
    } else {
      ref::quantized_linear(x, {w.codes.data(), w.rows, w.cols}, {w.scales.data(), w.rows}, bias, y);
    }
  }
  void linear(mat<const T> x, const packed_weight& w, vec<const T> bias, mat<const T> residual,
              mat<T> y) const {
    if (dry_run_) return;
    linear(x, w, bias, y);
    for (index_t n = 0; n < y.rows; ++n) {
      for (index_t m = 0; m < y.cols; ++m) y(n, m) += residual(n, m);
    }
  }
  void linear_activation(mat<const T> x, const packed_weight& w, vec<const T> bias,
                         activation function, mat<T> pre, mat<T> y) const {
    if (dry_run_) return;
    const mat<T> before = pre ? pre : y;
    linear(x, w, bias, before);
    ref::activate(function, mat<const T>(before), y);
  }
  void linear_dx(mat<const T> dy, const packed_weight& w, set_t, mat<T> dx) const {
    if (!dry_run_) ref::linear_dx(dy, w.view(), false, dx);
  }
  void linear_dx(mat<const T> dy, const packed_weight& w, add_t, mat<T> dx) const {
    if (!dry_run_) ref::linear_dx(dy, w.view(), true, dx);
  }
  void linear_dx(mat<const T> dy, const packed_weight& w, activation function, mat<const T> pre,
                 mat<T> dx) const {
    if (dry_run_) return;
    ref::linear_dx(dy, w.view(), false, dx);
    ref::activation_backward(function, pre, dx);
  }
  void linear_dw(mat<const T> x, mat<const T> dy, mat<T> dw, vec<T> db) const {
    if (!dry_run_) ref::linear_dw(x, dy, dw, db);
  }

  void gate(mat<const T> pre, activation function, mat<T> y) const {
    if (!dry_run_) ref::gate(pre, function, y);
  }
  void activation_backward(activation function, mat<const T> pre, mat<T> d) const {
    if (!dry_run_) ref::activation_backward(function, pre, d);
  }
  void gate_backward(mat<const T> pre, activation function, mat<const T> dy, mat<T> dpre) const {
    if (!dry_run_) ref::gate_backward(pre, function, dy, dpre);
  }

  /// `Weights`: layer_norm_weights or rms_norm_weights.
  template <template <class> class Weights>
  void add_norm(mat<T> x, mat<const T> residual, const dropout_spec& spec, const Weights<T>& weights,
                mat<T> y, const norm_statistics<T>& kept) const {
    if (!dry_run_) ref::add_norm(x, residual, spec, weights, y, kept);
  }
  /// `Mode`: set or add.
  template <template <class> class Weights, class Mode>
  void add_norm_backward(mat<const T> z, const norm_statistics<T>& kept, const Weights<T>& weights,
                         mat<const T> dy, const dropout_spec& spec, Mode /*mode*/, mat<T> dz,
                         mat<T> dx, const norm_gradients<T>& gradients) const {
    if (dry_run_) return;
    constexpr bool accumulate = std::is_same_v<Mode, add_t>;
    ref::add_norm_backward(z, kept, weights, dy, spec, ref::add_norm_targets<T>{accumulate, dz, dx},
                           gradients);
  }
  void dropout(mat<T> x, const dropout_spec& spec) const {
    if (!dry_run_) ref::dropout(x, spec);
  }

  void rotary(vec<const std::int32_t> positions, double base, const rotary_angles<T>& angles) const {
    if (!dry_run_) ref::rotary(positions, base, angles);
  }
  void rotate(mat<T> x, const rotary_angles<const T>& angles) const {
    if (!dry_run_) ref::rotate(x, angles);
  }
  void rotate_backward(mat<T> d, const rotary_angles<const T>& angles) const {
    if (!dry_run_) ref::rotate_backward(d, angles);
  }

  void attention(const attention_operands<T>& operands, const attention_shape<T>& shape,
                 const attention_result<T>& result) const {
    if (!dry_run_) ref::attention(operands, shape, result);
  }
  void attention_backward(const attention_operands<T>& operands, const attention_shape<T>& shape,
                          const attention_result<const T>& result, mat<const T> dout,
                          const attention_gradients<T>& gradients) const {
    if (!dry_run_) ref::attention_backward(operands, shape, result, dout, gradients);
  }

  void embed(const embedding_rows& rows, const embedding_tables<const T>& tables,
             mat<T> y) const {
    if (!dry_run_) ref::embed(rows, tables, y);
  }
  void embed_backward(const embedding_rows& rows, mat<const T> dy,
                      const embedding_gradients<T>& gradients) const {
    if (!dry_run_) ref::embed_backward(rows, dy, gradients);
  }

  void gather(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) const {
    if (!dry_run_) ref::gather(x, rows, y);
  }
  void scatter(mat<const T> x, vec<const std::int32_t> rows, mat<T> y) const {
    if (!dry_run_) ref::scatter(x, rows, y);
  }

  [[nodiscard]] loss_result softmax_cross_entropy(mat<const T> logits,
                                                  vec<const std::int32_t> labels, T scale,
                                                  mat<T> dlogits) const {
    loss_result loss;
    if (dry_run_) return loss;
    if constexpr (std::is_floating_point_v<T>) {
      loss.sum =
          ref::softmax_cross_entropy<double>(logits, labels, scale, dlogits, loss.count);
    } else {
      loss.sum = static_cast<double>(
          ref::softmax_cross_entropy<T>(logits, labels, scale, dlogits, loss.count));
    }
    return loss;
  }
  [[nodiscard]] loss_result softmax_cross_entropy(mat<const T> logits, vec<const std::int32_t> labels,
                                                  const cross_entropy_rule<T>& rule, T scale,
                                                  mat<T> dlogits) const {
    using number = std::conditional_t<std::is_floating_point_v<T>, double, T>;
    loss_result loss;
    if (dry_run_) return loss;
    loss.sum = static_cast<double>(
        ref::softmax_cross_entropy<number>(logits, labels, rule, scale, dlogits, loss.count));
    return loss;
  }
  void softmax(mat<const T> x, mat<T> y) const {
    if (!dry_run_) ref::softmax(x, y);
  }

  void span_scores(const span_operands<T>& operands, const sequences& batch, mat<T> scores) const {
    if (dry_run_) return;
    check_span_shapes(operands, scores);
    ref::span_scores(operands, batch, scores);
  }
  void span_scores_backward(const span_operands<T>& operands, const sequences& batch, mat<const T> dscores,
                            const span_gradients<T>& gradients) const {
    if (dry_run_) return;
    check_span_shapes(operands, dscores);
    ref::span_scores_backward(operands, batch, dscores, gradients);
  }

  [[nodiscard]] loss_result crf_loss(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch,
                                     const crf_targets& targets, T scale, mat<T> demissions,
                                     const crf_gradients<T>& gradients) const {
    loss_result loss;
    if (dry_run_) return loss;
    check_crf(chain, emissions, batch);
    loss.count = check_crf_targets(targets, emissions.rows, chain.labels());
    std::vector<double> all;
    std::vector<double> allowed;
    for (index_t b = 0; b < batch.count(); ++b) {
      const auto sums = ref::crf_loss(crf_sequence_of(chain, emissions, batch, targets, b), scale, {});
      all.push_back(static_cast<double>(sums.all));
      allowed.push_back(static_cast<double>(sums.allowed));
      loss.sum += all.back() - allowed.back();
    }
    check_crf_sums({all.data(), batch.count()}, "at all");
    check_crf_sums({allowed.data(), batch.count()}, "that agrees with its targets");
    if (!demissions) return loss;
    for (index_t n = 0; n < demissions.rows; ++n) fill(demissions.row(n), T(0));
    for (index_t b = 0; b < batch.count(); ++b) {
      const auto marginals = demissions.rows_slice(batch.begin(b), batch.length(b));
      ref::crf_loss(crf_sequence_of(chain, emissions, batch, targets, b), scale, {marginals, gradients});
    }
    return loss;
  }
  void crf_marginals(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch,
                     const crf_targets& targets, mat<T> probabilities, vec<double> log_sums) const {
    if (dry_run_) return;
    check_crf(chain, emissions, batch);
    static_cast<void>(check_crf_targets(targets, emissions.rows, chain.labels()));
    for (index_t n = 0; n < probabilities.rows; ++n) fill(probabilities.row(n), T(0));
    for (index_t b = 0; b < batch.count(); ++b) {
      const auto sequence = crf_sequence_of(chain, emissions, batch, targets, b);
      ref::crf_expectations<T> to;
      if (probabilities) to.marginals = probabilities.rows_slice(batch.begin(b), batch.length(b));
      log_sums[b] = static_cast<double>(ref::crf_expect(sequence, T(1), to));
    }
    check_crf_sums(log_sums, "that agrees with its targets");
  }
  void crf_viterbi(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch,
                   const crf_targets& targets, vec<std::int32_t> labels, vec<double> scores) const {
    if (dry_run_) return;
    static_cast<void>(check_crf_targets(targets, emissions.rows, chain.labels()));
    best_paths(chain, emissions, batch, targets, {labels.data, 1, labels.size}, {scores.data, scores.size, 1});
    check_crf_sums(scores, "that agrees with its targets");
  }
  void crf_n_best(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch,
                  mat<std::int32_t> paths, mat<double> scores) const {
    if (!dry_run_) best_paths(chain, emissions, batch, {}, paths, scores);
  }

  [[nodiscard]] double squared_norm(vec<const T> v) const {
    double sum = 0.0;
    if (dry_run_) return sum;
    for (const T& value : v) sum += static_cast<double>(value) * static_cast<double>(value);
    return sum;
  }
  void adamw(const adamw_step<T>& step, vec<T> parameter, vec<T> gradient, vec<T> moment1,
             vec<T> moment2) const {
    if (!dry_run_) ref::adamw(step, parameter, gradient, moment1, moment2);
  }
  void adamw(const adamw_step<T>& step, mat<T> parameter, mat<T> gradient, mat<T> moment1,
             mat<T> moment2, packed_weight& packed) const {
    if (dry_run_) return;
    for (index_t row = 0; row < parameter.rows; ++row) {
      ref::adamw(step, parameter.row(row), gradient.row(row), moment1.row(row), moment2.row(row));
    }
    pack(parameter, packed);
  }

  [[nodiscard]] double squared_norm(const table_gradient<T>& gradient) const {
    double sum = 0.0;
    if (dry_run_) return sum;
    for (index_t row = 0; row < gradient.values.rows; ++row) {
      if (gradient.used[row] != 0) sum += squared_norm(vec<const T>(gradient.values.row(row)));
    }
    return sum;
  }
  void clear(const table_gradient<T>& gradient) const {
    if (dry_run_) return;
    for (index_t row = 0; row < gradient.values.rows; ++row) {
      if (std::exchange(gradient.used[row], 0) != 0) fill(gradient.values.row(row), T(0));
    }
  }
  void adamw(const adamw_step<T>& step, mat<T> parameter, const table_gradient<T>& gradient,
             mat<T> moment1, mat<T> moment2, vec<std::uint8_t> seen) const {
    if (dry_run_) return;
    for (index_t row = 0; row < parameter.rows; ++row) {
      seen[row] = seen[row] != 0 || gradient.used[row] != 0 ? 1 : 0;
      gradient.used[row] = 0;
      if (seen[row] != 0) {
        ref::adamw(step, parameter.row(row), gradient.values.row(row), moment1.row(row),
                   moment2.row(row));
      } else {
        for (T& w : parameter.row(row)) w *= T(1) - step.learning_rate * step.weight_decay;
      }
    }
  }
  /// @}
  /// @}

 private:
  [[nodiscard]] static ref::crf_sequence<T> crf_sequence_of(const crf_chain<T>& chain, mat<const T> emissions,
                                                            const sequences& batch, const crf_targets& targets,
                                                            index_t b) {
    const index_t first = batch.begin(b);
    const index_t count = batch.length(b);
    return {emissions.rows_slice(first, count), chain, targets.slice(first, count)};
  }
  static void best_paths(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch,
                         const crf_targets& targets, mat<std::int32_t> paths, mat<double> scores) {
    check_crf(chain, emissions, batch);
    std::vector<T> found(static_cast<std::size_t>(paths.rows));
    for (index_t b = 0; b < batch.count(); ++b) {
      ref::crf_n_best(crf_sequence_of(chain, emissions, batch, targets, b),
                      paths.cols_slice(batch.begin(b), batch.length(b)), vec<T>{found.data(), paths.rows});
      for (index_t k = 0; k < paths.rows; ++k) scores(b, k) = static_cast<double>(found[static_cast<std::size_t>(k)]);
    }
  }
  static void pack_int8(std::span<const stored_matrix> rows, packed_weight& packed) {
    packed.values.clear();
    for (const auto& piece : rows) {
      const auto* codes = reinterpret_cast<const std::int8_t*>(piece.data);
      packed.codes.insert(packed.codes.end(), codes, codes + piece.size());
      for (index_t i = 0; i < piece.rows; ++i) packed.scales.push_back(scale_of(piece, i));
    }
  }

  bool dry_run_ = false;
};

static_assert(training_backend<reference_backend<float>>);
static_assert(training_backend<reference_backend<double>>);
static_assert(chain_training_backend<reference_backend<double>>);

}  // namespace onoma::inline ONOMA_ABI
