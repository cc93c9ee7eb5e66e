/// What every layer is handed beside its operands: the backend, the memory of this pass, and the
/// masks; and the workspace that sizes that memory.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/core/arena.hpp>
#include <onoma/nn/dropout.hpp>

#include <cstddef>

namespace onoma::inline ONOMA_ABI {

/// One forward or backward pass. In training, what backward reads is taken from `activations` and
/// lives until the step is over; in inference the same code takes it from `scratch`, where each
/// layer releases it when it returns.
template <inference_backend B>
struct pass {
  /// The type of numbers.
  using scalar = typename B::scalar;

  B& device;                ///< what computes
  arena& activations;       ///< memory until the step is over
  arena& scratch;           ///< memory of one layer
  bool training = false;    ///< whether backward follows
  dropout_masks dropout{};  ///< which masks
  /// The backward of a feed-forward block computes its inner values again instead of reading kept
  /// ones: half the activations for a tenth more work, and the same bits.
  bool recompute = false;

  /// Ids of host memory in the backend's, for as long as `kept()` memory lives.
  [[nodiscard]] vec<const std::int32_t> upload(vec<const std::int32_t> host) const {
    const auto ids = kept().template take<std::int32_t>(host.size);
    device.upload_ids(host, ids);
    return ids;
  }

  /// Numbers of host memory in the backend's, likewise.
  [[nodiscard]] vec<const scalar> upload(const std::vector<scalar>& host) const {
    const auto numbers = kept().template take<scalar>(static_cast<index_t>(host.size()));
    device.upload(host.data(), numbers);
    return numbers;
  }

  /// Memory for a value that backward will read.
  [[nodiscard]] arena& kept() const noexcept { return training ? activations : scratch; }
  /// An uninitialised matrix in that memory.
  [[nodiscard]] mat<scalar> keep(index_t rows, index_t cols) const {
    return kept().template take<scalar>(rows, cols);
  }
  /// x = dropout(x), which inference, with a backend that may not know how, never does.
  void drop(mat<scalar> x, const dropout_spec& spec) const {
    if constexpr (training_backend<B>) device.dropout(x, spec);
  }
};

/// Switches the backend's kernels off for a scope.
template <inference_backend B>
class dry_run_scope {
 public:
  /// Off from now on.
  explicit dry_run_scope(B& device) : device_(device) { device_.dry_run(true); }
  ~dry_run_scope() { device_.dry_run(false); }
  dry_run_scope(const dry_run_scope&) = delete;
  dry_run_scope& operator=(const dry_run_scope&) = delete;

 private:
  B& device_;
};

/// The two blocks of memory that passes use. They grow to the largest shape seen, with half as much to
/// spare, and stay: real batches differ a little in size, and each new block begins as pages that the
/// system must find and clear. What is spare is never touched.
template <inference_backend B>
class workspace {
 public:
  /// Holds nothing yet.
  explicit workspace(B& device)
      : device_(&device), activations_(device.allocate(1)), scratch_(device.allocate(1)) {}

  /// Bytes of both blocks, including what is spare.
  [[nodiscard]] index_t size() const noexcept {
    return static_cast<index_t>(activations_.size() + scratch_.size());
  }

  /// Runs a pass twice: on measuring arenas with the kernels switched off, which gives its size
  /// (microseconds), and for real. `work(activations, scratch)` takes all its memory from the
  /// arenas. `fresh`: what earlier passes kept is released first (a forward); otherwise it stays
  /// readable, and this pass takes from scratch only (a backward).
  template <class Work>
  auto run(bool fresh, Work&& work) {
    {
      arena activations;
      arena scratch;
      {
        const dry_run_scope<B> dry(*device_);
        work(activations, scratch);
      }
      if (fresh) grow(activations_, activations.peak());
      grow(scratch_, scratch.peak());
    }
    arena activations = over(activations_);
    arena scratch = over(scratch_);
    return work(activations, scratch);
  }

 private:
  void grow(typename B::buffer& buffer, index_t bytes) {
    const auto needed = static_cast<std::size_t>(bytes);
    if (buffer.size() >= needed) return;
    buffer = device_->allocate(1);  // first, so that old and new never exist together
    buffer = device_->allocate(needed + needed / 2);
  }
  static arena over(typename B::buffer& buffer) {
    return {buffer.data(), static_cast<index_t>(buffer.size())};
  }

  B* device_;
  typename B::buffer activations_;
  typename B::buffer scratch_;
};

}  // namespace onoma::inline ONOMA_ABI
