/// What a model learns: parameters as views into flat buffers that one walk over the model lays
/// out.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/nn/scope.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <numbers>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a parameter that no checkpoint provides begins.
enum class initial_value { normal, zeros, ones };

/// How the optimizer treats a parameter. Biases and LayerNorm weights take no weight decay
/// (transformers, Trainer.get_decay_parameter_names); frozen ones keep their values.
enum class update_rule { decayed, plain, frozen };

/// A matrix [rows, cols], or a vector (rows = 1), that a layer owns. Its memory belongs to the
/// `parameter_store`, which binds the views: null before that, and `gradient` null in inference.
template <class T>
struct parameter {
  index rows = 0;
  index cols = 0;
  bool is_matrix = false;
  initial_value start = initial_value::zeros;
  update_rule rule = update_rule::plain;
  vec<T> value;
  vec<T> gradient;

  [[nodiscard]] static parameter matrix(index rows, index cols) {
    return {rows, cols, true, initial_value::normal, update_rule::decayed, {}, {}};
  }
  [[nodiscard]] static parameter vector(index size, initial_value start) {
    return {1, size, false, start, update_rule::plain, {}, {}};
  }

  [[nodiscard]] index size() const noexcept { return rows * cols; }
  [[nodiscard]] mat<const T> value_matrix() const noexcept { return {value.data, rows, cols}; }
  [[nodiscard]] mat<T> gradient_matrix() const noexcept { return {gradient.data, rows, cols}; }
};

/// Where one parameter lies in the flat buffers, and its name in the model.
struct parameter_entry {
  std::string name;
  index rows = 0;
  index cols = 0;
  bool is_matrix = false;
  initial_value start = initial_value::zeros;
  update_rule rule = update_rule::plain;
  index offset = 0;

  [[nodiscard]] index size() const noexcept { return rows * cols; }
};

/// The order in which parameters lie in the flat buffers: all that decay, then the plain ones, then
/// the frozen ones, so that an optimizer step is one pass over each of two ranges. Each begins at a
/// multiple of 64 bytes; what lies between stays zero. Computed without allocating the parameters,
/// so that a checkpoint is checked first.
class parameter_layout {
 public:
  static constexpr index alignment = 16;  // elements: 64 bytes of float

  /// `model.visit(scope, f)` calls f(scope, parameter&) for each parameter, in a fixed order.
  template <class T, class Model>
  [[nodiscard]] static parameter_layout of(Model& model) {
    parameter_layout layout;
    for (const auto rule : {update_rule::decayed, update_rule::plain, update_rule::frozen}) {
      model.visit(scope{}, [&](const scope& at, const parameter<T>& p) {
        if (p.rule != rule) return;
        layout.entries_.push_back(
            {at.name(), p.rows, p.cols, p.is_matrix, p.start, p.rule, layout.size_});
        layout.size_ += (p.size() + alignment - 1) / alignment * alignment;
      });
      layout.ends_[static_cast<std::size_t>(rule)] = layout.size_;
    }
    return layout;
  }

  [[nodiscard]] std::span<const parameter_entry> entries() const noexcept { return entries_; }
  /// Elements of a flat buffer, padding included.
  [[nodiscard]] index size() const noexcept { return size_; }
  /// One past the last element with this rule.
  [[nodiscard]] index end(update_rule rule) const noexcept {
    return ends_[static_cast<std::size_t>(rule)];
  }

 private:
  std::vector<parameter_entry> entries_;
  index size_ = 0;
  index ends_[3] = {};
};

/// Owns the values and gradients of a model's parameters in backend memory.
///
/// A writer of values calls `changed()` (the optimizer does): layers that keep a weight in another
/// layout refresh it before the next forward when the version differs. Not copyable or movable: a
/// model holds it by pointer, so that an optimizer's reference survives a move of the model.
template <backend B>
class parameter_store {
 public:
  using scalar = typename B::scalar;

  /// Allocates (zeroed) and binds the views of every parameter of `model`.
  template <class Model>
  parameter_store(B& backend, parameter_layout layout, Model& model, bool with_gradients)
      : backend_(&backend),
        layout_(std::move(layout)),
        values_(backend.allocate(bytes(layout_.size()))) {
    if (with_gradients) gradients_.emplace_back(backend.allocate(bytes(layout_.size())));
    auto entry = layout_.entries().begin();
    for (const auto rule : {update_rule::decayed, update_rule::plain, update_rule::frozen}) {
      model.visit(scope{}, [&](const scope&, parameter<scalar>& p) {
        if (p.rule != rule) return;
        p.value = values().slice(entry->offset, p.size());
        if (with_gradients) p.gradient = gradients().slice(entry->offset, p.size());
        ++entry;
      });
    }
  }

  parameter_store(const parameter_store&) = delete;
  parameter_store& operator=(const parameter_store&) = delete;

  [[nodiscard]] B& backend() const noexcept { return *backend_; }
  [[nodiscard]] const parameter_layout& layout() const noexcept { return layout_; }
  [[nodiscard]] bool has_gradients() const noexcept { return !gradients_.empty(); }

  /// The flat buffers, in backend memory: [layout().size()].
  [[nodiscard]] vec<scalar> values() const noexcept { return flat(values_); }
  [[nodiscard]] vec<scalar> gradients() const noexcept {
    return gradients_.empty() ? vec<scalar>{} : flat(gradients_.front());
  }

  void zero_gradients() { backend_->fill(gradients(), scalar(0)); }

  /// A factor that the optimizer applies to all gradients as it reads them: clipping costs no pass
  /// of its own. Factors multiply until an optimizer step takes them.
  void scale_gradients(double factor) noexcept { gradient_scale_ *= factor; }
  [[nodiscard]] double take_gradient_scale() noexcept {
    return std::exchange(gradient_scale_, 1.0);
  }
  [[nodiscard]] double gradient_scale() const noexcept { return gradient_scale_; }

  void changed() noexcept { ++version_; }
  [[nodiscard]] std::uint64_t version() const noexcept { return version_; }

  /// Copies one parameter from host memory: `values` has entry.size() elements.
  void upload(const parameter_entry& entry, const scalar* from) {
    backend_->upload(from, values().slice(entry.offset, entry.size()));
    changed();
  }
  [[nodiscard]] std::vector<scalar> download_value(const parameter_entry& entry) const {
    return download(values(), entry);
  }
  [[nodiscard]] std::vector<scalar> download_gradient(const parameter_entry& entry) const {
    return download(gradients(), entry);
  }

  /// Gives one parameter its starting value: normal ones are drawn from N(0, stddev).
  void initialise(const parameter_entry& entry, double stddev, std::uint64_t seed) {
    std::vector<scalar> host(static_cast<std::size_t>(entry.size()));
    if (entry.start == initial_value::ones) host.assign(host.size(), scalar(1));
    if (entry.start == initial_value::normal) {
      // Box and Muller, Annals of Mathematical Statistics 1958. The stream depends on the seed and
      // on the parameter's place alone.
      random_stream random(
          derive_key(seed, 0, initial_value_place + static_cast<std::uint64_t>(entry.offset)));
      for (auto& value : host) {
        const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
        const double angle = 2.0 * std::numbers::pi * random.uniform();
        value = static_cast<scalar>(stddev * radius * std::cos(angle));
      }
    }
    upload(entry, host.data());
  }

 private:
  // Far from the places of dropout (nn/dropout.hpp).
  static constexpr std::uint64_t initial_value_place = std::uint64_t{1} << 40;

  static std::size_t bytes(index elements) {
    return static_cast<std::size_t>(elements) * sizeof(scalar);
  }
  vec<scalar> flat(const typename B::buffer& buffer) const noexcept {
    return {reinterpret_cast<scalar*>(buffer.data()), layout_.size()};
  }
  std::vector<scalar> download(vec<scalar> from, const parameter_entry& entry) const {
    std::vector<scalar> host(static_cast<std::size_t>(entry.size()));
    backend_->download(from.slice(entry.offset, entry.size()), host.data());
    return host;
  }

  B* backend_;
  parameter_layout layout_;
  typename B::buffer values_;
  std::vector<typename B::buffer> gradients_;  // none or one
  double gradient_scale_ = 1.0;
  std::uint64_t version_ = 1;
};

}  // namespace onoma::inline ONOMA_ABI
