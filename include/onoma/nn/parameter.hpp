/// What a model learns: parameters as views into flat buffers that one walk over the model lays
/// out.
#pragma once

#include <onoma/backend/concept.hpp>
#include <onoma/core/random_places.hpp>
#include <onoma/nn/scope.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <map>
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

/// All of them, in the order in which their parameters lie in the flat buffers.
inline constexpr update_rule update_rules[] = {update_rule::decayed, update_rule::plain, update_rule::frozen};

/// How a forward reads a parameter: what inference keeps of it. Training has all of them in its flat
/// buffers, where the optimizer changes them.
enum class read_as {
  values,  ///< all of it: in the flat buffer
  rows,    ///< some rows of a table: apart, and where the backend can, in the file that they come from
  packed,  ///< in a layout of the kernels' own: that alone
};

/// A matrix [rows, cols], or a vector (rows = 1), that a layer owns. Its memory belongs to the
/// `parameter_store`, which binds the views: null before that. In inference `gradient` stays null, and
/// so does the `value` of a weight that is packed.
template <class T>
struct parameter {
  index_t rows = 0;                              ///< 1 for a vector
  index_t cols = 0;                              ///< elements in a row
  bool is_matrix = false;                      ///< else a vector
  initial_value start = initial_value::zeros;  ///< what it begins with where no file has it
  update_rule rule = update_rule::plain;       ///< how the optimizer treats it
  read_as reading = read_as::values;           ///< how a forward reads it
  index_t entry = -1;                            ///< its number in the layout, once a store has bound it
  vec<const T> value{};                        ///< [rows * cols] in backend memory
  vec<T> gradient{};                           ///< likewise
  /// Of a table in training: [rows], not 0 for the rows of `gradient` that a step may have added to.
  /// `backend::embed_backward` marks them; who writes such a gradient otherwise must do so too, since
  /// norms and optimizers pass by the other rows.
  vec<std::uint8_t> used{};

  /// A matrix that is read as it lies.
  [[nodiscard]] static parameter matrix(index_t rows, index_t cols) {
    return {.rows = rows,
            .cols = cols,
            .is_matrix = true,
            .start = initial_value::normal,
            .rule = update_rule::decayed};
  }
  /// A matrix whose rows are looked up.
  [[nodiscard]] static parameter table(index_t rows, index_t cols) {
    auto p = matrix(rows, cols);
    p.reading = read_as::rows;
    return p;
  }
  /// The weight of a linear layer.
  [[nodiscard]] static parameter weight(index_t outputs, index_t inputs) {
    auto p = matrix(outputs, inputs);
    p.reading = read_as::packed;
    return p;
  }
  /// A vector: a bias, or the weight of a norm.
  [[nodiscard]] static parameter vector(index_t size, initial_value start) {
    return {.rows = 1, .cols = size, .start = start};
  }

  /// Elements.
  [[nodiscard]] index_t size() const noexcept { return rows * cols; }
  /// [rows, cols]
  [[nodiscard]] mat<const T> value_matrix() const noexcept { return {value.data, rows, cols}; }
  /// [rows, cols]
  [[nodiscard]] mat<T> gradient_matrix() const noexcept { return {gradient.data, rows, cols}; }
  /// The gradient of a table, with its marks.
  [[nodiscard]] table_gradient<T> gradient_table() const noexcept {
    return {gradient_matrix(), used};
  }
};

/// Where one parameter lies in the flat buffers, and its name in the model.
struct parameter_entry {
  std::string name;  ///< "layer.3.attention.output.weight"
  index_t rows = 0;    ///< as those of the parameter, and so are the next five
  index_t cols = 0;    ///< elements in a row
  bool is_matrix = false;                      ///< else a vector
  initial_value start = initial_value::zeros;  ///< what it begins with where no file has it
  update_rule rule = update_rule::plain;       ///< how the optimizer treats it
  read_as reading = read_as::values;           ///< how a forward reads it
  index_t place = 0;      ///< among all parameters, in elements: names its stream of random numbers
  index_t offset = 0;     ///< in the flat buffers; -1: they leave it out
  index_t first_row = 0;  ///< of a table, among the rows of all tables

  /// Elements.
  [[nodiscard]] index_t size() const noexcept { return rows * cols; }
  /// False for what inference keeps elsewhere: tables and packed weights.
  [[nodiscard]] bool has_place() const noexcept { return offset >= 0; }
  /// False for a packed weight in inference: no one but its layer has it.
  [[nodiscard]] bool has_value() const noexcept {
    return has_place() || reading != read_as::packed;
  }
};

/// The order in which parameters lie in the flat buffers: all that decay, then the plain ones, then
/// the frozen ones, so that an optimizer step is one pass over each of two ranges. Each begins at a
/// multiple of 64 bytes; what lies between stays zero. Computed without allocating the parameters,
/// so that a checkpoint is checked first.
class parameter_layout {
 public:
  static constexpr index_t alignment = 16;  ///< of each parameter, in elements: 64 bytes of float

  /// `model.visit(scope, f)` calls f(scope, parameter&) for each parameter, in a fixed order.
  /// Without `training`, tables and packed weights have no place.
  template <class T, class Model>
  [[nodiscard]] static parameter_layout of(Model& model, bool training) {
    parameter_layout layout;
    index_t place = 0;
    for (const auto rule : update_rules) {
      model.visit(scope{}, [&](const scope& at, const parameter<T>& p) {
        if (p.rule != rule) return;
        const bool has_place = training || p.reading == read_as::values;
        layout.entries_.push_back({at.name(), p.rows, p.cols, p.is_matrix, p.start, p.rule,
                                   p.reading, place, has_place ? layout.size_ : -1,
                                   layout.table_rows_});
        place += padded(p.size());
        if (p.reading == read_as::rows) layout.table_rows_ += p.rows;
        if (has_place) layout.size_ += padded(p.size());
      });
      layout.ends_[static_cast<std::size_t>(rule)] = layout.size_;
    }
    return layout;
  }

  /// All parameters, in the order in which they lie.
  [[nodiscard]] std::span<const parameter_entry> entries() const noexcept { return entries_; }
  /// Elements of a flat buffer, padding included.
  [[nodiscard]] index_t size() const noexcept { return size_; }
  /// One past the last element with this rule.
  [[nodiscard]] index_t end(update_rule rule) const noexcept {
    return ends_[static_cast<std::size_t>(rule)];
  }
  /// Rows of all tables together.
  [[nodiscard]] index_t table_rows() const noexcept { return table_rows_; }

  /// For training: calls alone(entry) for each parameter with this rule for which is_alone(entry), and
  /// range(offset, count) for the ranges of the flat buffers that the others make, in the order of
  /// places.
  template <class IsAlone, class Alone, class Range>
  void for_each_part(update_rule rule, IsAlone&& is_alone, Alone&& alone, Range&& range) const {
    index_t first = rule == update_rule::decayed
                      ? 0
                      : end(static_cast<update_rule>(static_cast<int>(rule) - 1));
    const auto range_until = [&](index_t last) {
      if (last > first) range(first, last - first);
    };
    for (const auto& entry : entries_) {
      if (entry.rule != rule || !is_alone(entry)) continue;
      range_until(entry.offset);
      alone(entry);
      first = entry.offset + padded(entry.size());
    }
    range_until(end(rule));
  }

 private:
  static constexpr index_t padded(index_t size) {
    return (size + alignment - 1) / alignment * alignment;
  }

  std::vector<parameter_entry> entries_;
  index_t size_ = 0;
  index_t table_rows_ = 0;
  index_t ends_[std::size(update_rules)] = {};
};

/// What a parameter starts with where no checkpoint provides it: normal ones are drawn from
/// N(0, stddev).
[[nodiscard]] inline std::vector<double> initial_values(const parameter_entry& entry, double stddev,
                                                        std::uint64_t seed) {
  std::vector<double> values(static_cast<std::size_t>(entry.size()));
  if (entry.start == initial_value::ones) values.assign(values.size(), 1.0);
  if (entry.start == initial_value::normal) {
    // Box and Muller, Annals of Mathematical Statistics 1958.
    random_stream random(derive_key(seed, 0, random_place::initial_values(entry.place)));
    for (auto& value : values) {
      const double radius = std::sqrt(-2.0 * std::log(1.0 - random.uniform()));
      const double angle = 2.0 * std::numbers::pi * random.uniform();
      value = stddev * radius * std::cos(angle);
    }
  }
  return values;
}

/// Owns the values and gradients of a model's parameters in backend memory, and the weights of its
/// linear layers once more, packed as the kernels read them.
///
/// Who writes the value of a weight packs it too, as `adamw` does, or calls `changed()`: then all are
/// packed before the next forward. Not copyable or movable: a model holds it by pointer, so that its
/// layers' views and an optimizer's reference survive a move of the model.
template <inference_backend B>
class parameter_store {
 public:
  using scalar = typename B::scalar;                ///< the type of numbers
  using packed_weight = typename B::packed_weight;  ///< a linear weight as kernels read it

  /// Allocates (zeroed) and binds the views of every parameter of `model`, and the packed weights of
  /// its linear layers: model.visit_linears(f) calls f(linear<B>&). Gradients need a layout for
  /// training.
  template <class Model>
  parameter_store(B& backend, parameter_layout layout, Model& model, bool with_gradients)
      : backend_(&backend),
        layout_(std::move(layout)),
        values_(backend.allocate(bytes(layout_.size()))) {
    if (with_gradients) {
      gradients_.emplace_back(backend.allocate(bytes(layout_.size())));
      used_ = backend.allocate(static_cast<std::size_t>(layout_.table_rows()));
    }
    index_t number = 0;
    for (const auto rule : update_rules) {
      model.visit(scope{}, [&](const scope&, parameter<scalar>& p) {
        if (p.rule != rule) return;
        p.entry = number;
        const auto& entry = layout_.entries()[static_cast<std::size_t>(number++)];
        if (entry.has_place()) p.value = values().slice(entry.offset, p.size());
        if (!with_gradients) return;
        p.gradient = flat(gradients_.front()).slice(entry.offset, p.size());
        if (p.reading == read_as::rows) p.used = marks(used_, entry);
      });
    }
    model.visit_linears([&](auto& layer) {
      const auto& entry = entry_of(layer.weight());
      auto& packed = packed_[entry.place];
      if (entry.has_place()) packed = backend.make_packed(entry.rows, entry.cols, true);
      layer.read(packed);
    });
  }

  parameter_store(const parameter_store&) = delete;
  parameter_store& operator=(const parameter_store&) = delete;

  /// Whose memory it is.
  [[nodiscard]] B& backend() const noexcept { return *backend_; }
  /// Where each parameter lies.
  [[nodiscard]] const parameter_layout& layout() const noexcept { return layout_; }
  /// Where this one lies.
  [[nodiscard]] const parameter_entry& entry_of(const parameter<scalar>& p) const {
    return layout_.entries()[static_cast<std::size_t>(p.entry)];
  }
  /// Whether it was made for training.
  [[nodiscard]] bool has_gradients() const noexcept { return !gradients_.empty(); }

  /// The flat buffers, in backend memory: [layout().size()]. Gradients of tables: see `parameter::used`.
  [[nodiscard]] vec<scalar> values() const noexcept { return flat(values_); }
  /// Likewise; null without gradients.
  [[nodiscard]] vec<scalar> gradients() const noexcept {
    return gradients_.empty() ? vec<scalar>{} : flat(gradients_.front());
  }

  /// One parameter in a buffer that is laid out as the values.
  [[nodiscard]] static mat<scalar> matrix(vec<scalar> of_all, const parameter_entry& entry) {
    return {place(of_all, entry).data, entry.rows, entry.cols};
  }
  /// The gradient of a table, with its marks.
  [[nodiscard]] table_gradient<scalar> gradient_table(const parameter_entry& table) const {
    return {matrix(gradients(), table), marks(used_, table)};
  }
  /// The marks of a table's rows in a buffer with one for each row of all tables.
  [[nodiscard]] static vec<std::uint8_t> marks(const typename B::buffer& of_all,
                                               const parameter_entry& table) noexcept {
    return {reinterpret_cast<std::uint8_t*>(of_all.data()) + table.first_row, table.rows};
  }

  /// Also forgets the factor of `scale_gradients`. @throws onoma::error (invalid_argument) for a model
  /// loaded for inference.
  void zero_gradients()
    requires training_backend<B>
  {
    check(has_gradients(), error_code::invalid_argument, "zero_gradients",
          "a model loaded for training");
    for (const auto rule : update_rules) {
      layout_.for_each_part(
          rule, [](const parameter_entry& entry) { return entry.reading == read_as::rows; },
          [&](const parameter_entry& table) { backend_->clear(gradient_table(table)); },
          [&](index_t first, index_t count) {
            backend_->fill(gradients().slice(first, count), scalar(0));
          });
    }
    gradient_scale_ = 1.0;
  }

  /// Sets the gradient of one parameter to zero.
  void zero_gradient(const parameter_entry& entry)
    requires training_backend<B>
  {
    if (entry.reading == read_as::rows) {
      backend_->clear(gradient_table(entry));
    } else {
      backend_->fill(place(gradients(), entry), scalar(0));
    }
  }

  /// Factors of the learning rate, one for each entry of the layout; none: 1 each. What has the factor 0 is frozen: it
  /// keeps its value, and its gradient is no part of a norm.
  /// @throws onoma::error (invalid_argument) for another number of factors, or one that is not finite or below 0.
  void set_rate_factors(std::vector<double> factors) {
    check(factors.empty() || factors.size() == layout_.entries().size(), error_code::invalid_argument,
          "factors of the learning rate", "one for each parameter");
    for (const double factor : factors) {
      check(std::isfinite(factor) && factor >= 0.0, error_code::invalid_argument, "factors of the learning rate",
            "finite ones of at least 0");
    }
    rate_factors_ = std::move(factors);
  }
  /// Whether some parameters have a rate of their own.
  [[nodiscard]] bool has_rate_factors() const noexcept { return !rate_factors_.empty(); }
  /// The factor of one parameter, an element of the layout's entries.
  [[nodiscard]] double rate_factor(const parameter_entry& entry) const {
    if (rate_factors_.empty()) return 1.0;
    return rate_factors_[static_cast<std::size_t>(&entry - layout_.entries().data())];
  }

  /// A factor that the optimizer applies to all gradients as it reads them: clipping costs no pass
  /// of its own. Factors multiply until an optimizer step takes them.
  void scale_gradients(double factor) noexcept { gradient_scale_ *= factor; }
  /// The factor, which is 1 again afterwards: for optimizers.
  [[nodiscard]] double take_gradient_scale() noexcept {
    return std::exchange(gradient_scale_, 1.0);
  }
  /// The factor that is pending.
  [[nodiscard]] double gradient_scale() const noexcept { return gradient_scale_; }

  /// The value of a linear layer's weight as kernels read it. The reference stays valid.
  [[nodiscard]] packed_weight& packed(const parameter_entry& weight) {
    return packed_.at(weight.place);
  }
  /// In training: some packed weights are not what the values are.
  void changed() noexcept { is_packed_ = false; }
  /// In training: packs all weights if something changed.
  void pack_changed()
    requires training_backend<B>
  {
    if (is_packed_) return;
    for (const auto& entry : layout_.entries()) {
      if (entry.reading != read_as::packed) continue;
      backend_->pack(matrix(values(), entry), packed(entry));
    }
    is_packed_ = true;
  }
  /// In inference: packs a weight from host memory as a file has it, `pieces` below one another.
  bool pack(const parameter_entry& weight, std::span<const stored_matrix> pieces) {
    packed(weight) = backend_->make_packed(weight.rows, weight.cols, false);
    return backend_->pack(pieces, packed(weight));
  }

  /// Copies one parameter from host memory: `values` has entry.size() elements.
  /// @throws onoma::error (unsupported) for what inference keeps out of the flat buffers.
  void upload(const parameter_entry& entry, const scalar* from) {
    backend_->upload(from, place(values(), entry));
    changed();
  }
  /// Gives a parameter that is not only packed its value as a file has it, `pieces` below one another.
  /// `stay`: the pieces outlive the store, and a table of inference may be read there.
  void fill(parameter<scalar>& p, std::span<const stored_matrix> pieces, bool stay) {
    const auto& entry = entry_of(p);
    if (entry.has_place()) {
      upload(pieces, place(values(), entry));
      changed();
      return;
    }
    p.value = {};
    if constexpr (reads_host_memory<B>) {
      if (stay) p.value = backend_->in_place(pieces);
    }
    reads_pieces_ = reads_pieces_ || p.value;
    if (!p.value) {
      const auto& memory = tables_.emplace_back(backend_->allocate(bytes(p.size())));
      const vec<scalar> copy{reinterpret_cast<scalar*>(memory.data()), p.size()};
      upload(pieces, copy);
      p.value = copy;
    }
    table_values_[entry.place] = p.value;
  }
  /// Whether a table is read in the pieces that `fill` was given.
  [[nodiscard]] bool reads_pieces() const noexcept { return reads_pieces_; }

  /// @throws onoma::error (unsupported) for a weight that is only packed.
  [[nodiscard]] std::vector<scalar> download_value(const parameter_entry& entry) const {
    const auto table = table_values_.find(entry.place);
    return download(table != table_values_.end() ? table->second : place(values(), entry));
  }
  /// One parameter's gradient, in host memory.
  [[nodiscard]] std::vector<scalar> download_gradient(const parameter_entry& entry) const {
    return download(place(gradients(), entry));
  }

 private:
  static std::size_t bytes(index_t elements) {
    return static_cast<std::size_t>(elements) * sizeof(scalar);
  }
  vec<scalar> flat(const typename B::buffer& buffer) const noexcept {
    return {reinterpret_cast<scalar*>(buffer.data()), layout_.size()};
  }
  std::vector<scalar> download(vec<const scalar> from) const {
    std::vector<scalar> host(static_cast<std::size_t>(from.size));
    backend_->download(from, host.data());
    return host;
  }
  void upload(std::span<const stored_matrix> pieces, vec<scalar> to) {
    for (const auto& piece : pieces) {
      backend_->upload(piece, to.slice(0, piece.size()));
      to = to.slice(piece.size(), to.size - piece.size());
    }
  }
  static vec<scalar> place(vec<scalar> flat, const parameter_entry& entry) {
    if (!entry.has_place()) {
      fail(error_code::unsupported, "the value of parameter '" + entry.name + "'",
           "a model loaded for training",
           entry.has_value() ? "one for inference, which only reads it"
                             : "one for inference, which keeps it in packed form alone");
    }
    return flat.slice(entry.offset, entry.size());
  }

  B* backend_;
  parameter_layout layout_;
  typename B::buffer values_;
  std::vector<typename B::buffer> gradients_;  // none or one
  typename B::buffer used_;                    // marks of rows, with gradients
  std::vector<typename B::buffer> tables_;     // copies of tables that the flat buffer leaves out
  std::map<index_t, vec<const scalar>> table_values_;  // of all such tables, by their entry's `place`
  std::map<index_t, packed_weight> packed_;            // of all linear weights, likewise
  bool is_packed_ = false;  // in training: they are what the values are
  bool reads_pieces_ = false;
  double gradient_scale_ = 1.0;
  std::vector<double> rate_factors_;  // of the entries, or none
};

}  // namespace onoma::inline ONOMA_ABI
