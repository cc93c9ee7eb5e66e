/// A backend whose memory is out of reach between its own functions: finds layer code that cheats.
#pragma once

#include <onoma/backend/concept.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <span>
#include <string>
#include <utility>
#include <vector>

#if defined(__unix__) || defined(__APPLE__)

#include <sys/mman.h>

namespace onoma::inline ONOMA_ABI {

/// Wraps a backend of host memory. What `allocate` returns is mapped without any access rights
/// except while a function of the backend runs, so that a layer which reads or writes a tensor
/// itself ends in a segmentation fault on a machine without any device. What the host says about the
/// contents of backend memory is checked: `sequences::longest`. For tests (POSIX).
template <training_backend B>
class guarded_backend {
 public:
  using scalar = typename B::scalar;
  using packed_weight = typename B::packed_weight;
  using in = mat<const scalar>;
  using out = mat<scalar>;

 private:
  struct region {
    void* address;
    std::size_t bytes;
  };
  using regions = std::vector<region>;

 public:
  class buffer {
   public:
    buffer() = default;
    buffer(std::size_t bytes, std::shared_ptr<regions> all) : all_(std::move(all)), bytes_(bytes) {
      const std::size_t mapped = mapped_bytes();
      data_ = ::mmap(nullptr, mapped, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (data_ == MAP_FAILED) throw std::bad_alloc();
      all_->push_back({data_, mapped});
    }
    ~buffer() { release(); }
    buffer(const buffer&) = delete;
    buffer& operator=(const buffer&) = delete;
    buffer(buffer&& other) noexcept { swap(other); }
    buffer& operator=(buffer&& other) noexcept {
      swap(other);
      return *this;
    }
    [[nodiscard]] std::byte* data() const noexcept { return static_cast<std::byte*>(data_); }
    [[nodiscard]] std::size_t size() const noexcept { return bytes_; }

   private:
    [[nodiscard]] std::size_t mapped_bytes() const noexcept { return bytes_ > 0 ? bytes_ : 1; }
    void swap(buffer& other) noexcept {
      std::swap(all_, other.all_);
      std::swap(data_, other.data_);
      std::swap(bytes_, other.bytes_);
    }
    void release() noexcept {
      if (data_ == nullptr) return;
      for (auto& r : *all_) {
        if (r.address == data_) r.bytes = 0;
      }
      ::munmap(data_, mapped_bytes());
    }

    std::shared_ptr<regions> all_;
    void* data_ = nullptr;
    std::size_t bytes_ = 0;
  };

  /// Arguments are those of the wrapped backend.
  template <class... Args>
  explicit guarded_backend(Args&&... args) : inner_(std::forward<Args>(args)...) {}

  void dry_run(bool on) { inner_.dry_run(on); }
  [[nodiscard]] bool dry_run() const { return inner_.dry_run(); }
  [[nodiscard]] index_t rows_at_once(index_t values) const { return inner_.rows_at_once(values); }
  [[nodiscard]] buffer allocate(std::size_t bytes) { return buffer(bytes, regions_); }
  [[nodiscard]] packed_weight make_packed(index_t rows, index_t cols, bool with_transpose) {
    return inner_.make_packed(rows, cols, with_transpose);
  }

  // Each function opens the memory, forwards, and closes it again.
  void upload(const scalar* host, vec<scalar> v) {
    const opened access(*regions_);
    inner_.upload(host, v);
  }
  void upload(const stored_matrix& host, vec<scalar> v) {
    const opened access(*regions_);
    inner_.upload(host, v);
  }
  void download(vec<const scalar> v, scalar* host) {
    const opened access(*regions_);
    inner_.download(v, host);
  }
  void upload_ids(vec<const std::int32_t> host, vec<std::int32_t> ids) {
    const opened access(*regions_);
    inner_.upload_ids(host, ids);
  }
  void fill(vec<scalar> v, scalar value) {
    const opened access(*regions_);
    inner_.fill(v, value);
  }
  void fill(vec<std::uint8_t> marks, std::uint8_t value) {
    const opened access(*regions_);
    inner_.fill(marks, value);
  }
  void pack(in w, packed_weight& packed) {
    const opened access(*regions_);
    inner_.pack(w, packed);
  }
  bool pack(std::span<const stored_matrix> rows, packed_weight& packed) {
    const opened access(*regions_);
    return inner_.pack(rows, packed);
  }
  void linear(in x, const packed_weight& w, vec<const scalar> bias, out y) {
    const opened access(*regions_);
    inner_.linear(x, w, bias, y);
  }
  void linear(in x, const packed_weight& w, vec<const scalar> bias, in residual, out y) {
    const opened access(*regions_);
    inner_.linear(x, w, bias, residual, y);
  }
  void linear_activation(in x, const packed_weight& w, vec<const scalar> bias, activation act,
                         out pre, out y) {
    const opened access(*regions_);
    inner_.linear_activation(x, w, bias, act, pre, y);
  }
  /// `Mode`: set or add.
  template <class Mode>
  void linear_dx(in dy, const packed_weight& w, Mode mode, out dx) {
    const opened access(*regions_);
    inner_.linear_dx(dy, w, mode, dx);
  }
  void linear_dx(in dy, const packed_weight& w, activation act, in pre, out dx) {
    const opened access(*regions_);
    inner_.linear_dx(dy, w, act, pre, dx);
  }
  void linear_dw(in x, in dy, out dw, vec<scalar> db) {
    const opened access(*regions_);
    inner_.linear_dw(x, dy, dw, db);
  }
  void gate(in pre, activation act, out y) {
    const opened access(*regions_);
    inner_.gate(pre, act, y);
  }
  void activation_backward(activation act, in pre, out d) {
    const opened access(*regions_);
    inner_.activation_backward(act, pre, d);
  }
  void gate_backward(in pre, activation act, in dy, out dpre) {
    const opened access(*regions_);
    inner_.gate_backward(pre, act, dy, dpre);
  }
  /// `Weights`: layer_norm_weights or rms_norm_weights.
  template <template <class> class Weights>
  void add_norm(out x, in residual, const dropout_spec& spec, const Weights<scalar>& weights, out y,
                const norm_statistics<scalar>& kept) {
    const opened access(*regions_);
    inner_.add_norm(x, residual, spec, weights, y, kept);
  }
  template <template <class> class Weights, class Mode>
  void add_norm_backward(in z, const norm_statistics<scalar>& kept, const Weights<scalar>& weights,
                         in dy, const dropout_spec& spec, Mode mode, out dz, out dx,
                         const norm_gradients<scalar>& gradients) {
    const opened access(*regions_);
    inner_.add_norm_backward(z, kept, weights, dy, spec, mode, dz, dx, gradients);
  }
  void dropout(out x, const dropout_spec& spec) {
    const opened access(*regions_);
    inner_.dropout(x, spec);
  }
  void rotary(vec<const std::int32_t> positions, double base, const rotary_angles<scalar>& angles) {
    const opened access(*regions_);
    inner_.rotary(positions, base, angles);
  }
  void rotate(out x, const rotary_angles<const scalar>& angles) {
    const opened access(*regions_);
    inner_.rotate(x, angles);
  }
  void rotate_backward(out d, const rotary_angles<const scalar>& angles) {
    const opened access(*regions_);
    inner_.rotate_backward(d, angles);
  }
  void attention(const attention_operands<scalar>& operands, const attention_shape<scalar>& shape,
                 const attention_result<scalar>& result) {
    const opened access(*regions_);
    check_shape(shape);
    inner_.attention(operands, shape, result);
  }
  void attention_backward(const attention_operands<scalar>& operands,
                          const attention_shape<scalar>& shape,
                          const attention_result<const scalar>& result, in dout,
                          const attention_gradients<scalar>& gradients) {
    const opened access(*regions_);
    check_shape(shape);
    inner_.attention_backward(operands, shape, result, dout, gradients);
  }
  void embed(const embedding_rows& rows, const embedding_tables<const scalar>& tables, out y) {
    const opened access(*regions_);
    inner_.embed(rows, tables, y);
  }
  void embed_backward(const embedding_rows& rows, in dy,
                      const embedding_gradients<scalar>& gradients) {
    const opened access(*regions_);
    inner_.embed_backward(rows, dy, gradients);
  }
  void gather(in x, vec<const std::int32_t> rows, out y) {
    const opened access(*regions_);
    inner_.gather(x, rows, y);
  }
  void scatter(in x, vec<const std::int32_t> rows, out y) {
    const opened access(*regions_);
    inner_.scatter(x, rows, y);
  }
  [[nodiscard]] loss_result softmax_cross_entropy(in logits, vec<const std::int32_t> labels,
                                                  scalar scale, out dlogits) {
    const opened access(*regions_);
    return inner_.softmax_cross_entropy(logits, labels, scale, dlogits);
  }
  [[nodiscard]] loss_result softmax_cross_entropy(in logits, vec<const std::int32_t> labels,
                                                  const cross_entropy_rule<scalar>& rule, scalar scale,
                                                  out dlogits) {
    const opened access(*regions_);
    return inner_.softmax_cross_entropy(logits, labels, rule, scale, dlogits);
  }
  void softmax(in x, out y) {
    const opened access(*regions_);
    inner_.softmax(x, y);
  }
  void span_scores(const span_operands<scalar>& operands, const sequences& batch, out scores) {
    const opened access(*regions_);
    if (!inner_.dry_run()) check_longest(batch);
    inner_.span_scores(operands, batch, scores);
  }
  void span_scores_backward(const span_operands<scalar>& operands, const sequences& batch, in dscores,
                            const span_gradients<scalar>& gradients) {
    const opened access(*regions_);
    if (!inner_.dry_run()) check_longest(batch);
    inner_.span_scores_backward(operands, batch, dscores, gradients);
  }
  [[nodiscard]] loss_result crf_loss(const crf_chain<scalar>& chain, in emissions, const sequences& batch,
                                     const crf_targets& targets, scalar scale, out demissions,
                                     const crf_gradients<scalar>& gradients) {
    const opened access(*regions_);
    return inner_.crf_loss(chain, emissions, batch, targets, scale, demissions, gradients);
  }
  void crf_marginals(const crf_chain<scalar>& chain, in emissions, const sequences& batch,
                     const crf_targets& targets, out probabilities, vec<double> log_sums) {
    const opened access(*regions_);
    inner_.crf_marginals(chain, emissions, batch, targets, probabilities, log_sums);
  }
  void crf_viterbi(const crf_chain<scalar>& chain, in emissions, const sequences& batch,
                   const crf_targets& targets, vec<std::int32_t> labels, vec<double> scores) {
    const opened access(*regions_);
    inner_.crf_viterbi(chain, emissions, batch, targets, labels, scores);
  }
  void crf_n_best(const crf_chain<scalar>& chain, in emissions, const sequences& batch,
                  mat<std::int32_t> paths, mat<double> scores) {
    const opened access(*regions_);
    inner_.crf_n_best(chain, emissions, batch, paths, scores);
  }
  [[nodiscard]] double squared_norm(vec<const scalar> v) {
    const opened access(*regions_);
    return inner_.squared_norm(v);
  }
  void adamw(const adamw_step<scalar>& step, vec<scalar> w, vec<scalar> g, vec<scalar> m,
             vec<scalar> v) {
    const opened access(*regions_);
    inner_.adamw(step, w, g, m, v);
  }
  void adamw(const adamw_step<scalar>& step, out w, out g, out m, out v, packed_weight& packed) {
    const opened access(*regions_);
    inner_.adamw(step, w, g, m, v, packed);
  }
  [[nodiscard]] double squared_norm(const table_gradient<scalar>& gradient) {
    const opened access(*regions_);
    return inner_.squared_norm(gradient);
  }
  void clear(const table_gradient<scalar>& gradient) {
    const opened access(*regions_);
    inner_.clear(gradient);
  }
  void adamw(const adamw_step<scalar>& step, out w, const table_gradient<scalar>& gradient,
             out moment1, out moment2, vec<std::uint8_t> seen) {
    const opened access(*regions_);
    inner_.adamw(step, w, gradient, moment1, moment2, seen);
  }

 private:
  /// A dry run has no offsets to look at.
  void check_shape(const attention_shape<scalar>& shape) const {
    if (inner_.dry_run()) return;
    check_longest(shape.queries);
    check_longest(shape.keys);
    if (shape.queries.count() != shape.keys.count()) {
      fail(error_code::invalid_argument, "attention_shape.keys",
           std::to_string(shape.queries.count()) + " sequences", std::to_string(shape.keys.count()));
    }
    for (index_t b = 0; b < shape.queries.count(); ++b) {
      if (shape.queries.length(b) > shape.keys.length(b)) {
        fail(error_code::invalid_argument, "attention_shape.keys",
             "at least " + std::to_string(shape.queries.length(b)) + " keys, one for each query",
             std::to_string(shape.keys.length(b)));
      }
    }
  }
  static void check_longest(const sequences& batch) {
    if (const index_t longest = sequences::of(batch.offsets).longest; longest != batch.longest) {
      fail(error_code::invalid_argument, "sequences.longest", std::to_string(longest),
           std::to_string(batch.longest));
    }
  }

  class opened {
   public:
    explicit opened(const regions& all) : all_(all) { protect(PROT_READ | PROT_WRITE); }
    ~opened() { protect(PROT_NONE); }
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;

   private:
    void protect(int rights) const noexcept {
      for (const auto& r : all_) {
        if (r.bytes > 0) static_cast<void>(::mprotect(r.address, r.bytes, rights));
      }
    }
    const regions& all_;
  };

  B inner_;
  std::shared_ptr<regions> regions_ = std::make_shared<regions>();
};

}  // namespace onoma::inline ONOMA_ABI

#endif
