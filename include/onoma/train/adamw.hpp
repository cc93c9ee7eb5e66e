/// AdamW over a model's flat parameter buffers, and gradient clipping.
#pragma once

#include <onoma/core/finite.hpp>
#include <onoma/nn/parameter.hpp>

#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The defaults of torch.optim.AdamW but for the learning rate, which suits fine-tuning.
struct adamw_options {
  double learning_rate = 5e-5;  ///< of `step()`
  double beta1 = 0.9;           ///< decay of the mean of the gradient
  double beta2 = 0.999;         ///< decay of the mean of its square
  double eps = 1e-8;            ///< added to the root of that mean
  double weight_decay = 0.01;   ///< not on biases and LayerNorm weights
};

/// Decoupled weight decay (Loshchilov and Hutter, ICLR 2019), with torch.optim.AdamW's order of
/// operations. Refers to the parameters, which must outlive it.
template <training_backend B>
class adamw {
 public:
  using scalar = typename B::scalar;  ///< the type of numbers

  /// @throws onoma::error (invalid_argument) for parameters without gradients or an option outside
  /// its domain.
  explicit adamw(parameter_store<B>& parameters, adamw_options options = {})
      : parameters_(&parameters),
        options_(options),
        moment1_(parameters.backend().allocate(bytes())),
        moment2_(parameters.backend().allocate(bytes())),
        seen_(parameters.backend().allocate(
            static_cast<std::size_t>(parameters.layout().table_rows()))) {
    check(parameters.has_gradients(), error_code::invalid_argument, "adamw",
          "a model loaded for training");
    const auto is_beta = [](double beta) { return beta >= 0.0 && beta < 1.0; };
    check(is_beta(options.beta1) && is_beta(options.beta2), error_code::invalid_argument, "adamw",
          "beta1 and beta2 in [0, 1)");
    check(options.eps > 0.0 && options.weight_decay >= 0.0 && std::isfinite(options.weight_decay),
          error_code::invalid_argument, "adamw", "eps above 0 and weight_decay of at least 0");
  }

  /// One update of every trainable parameter, with the gradients times the store's pending scale;
  /// gradients are zero afterwards, and weights packed.
  void step(double learning_rate) {
    ++steps_;
    learning_rate_ = learning_rate;
    const auto t = static_cast<double>(steps_);
    adamw_step<scalar> update;
    update.learning_rate = static_cast<scalar>(learning_rate);
    update.beta1 = static_cast<scalar>(options_.beta1);
    update.beta2 = static_cast<scalar>(options_.beta2);
    update.eps = static_cast<scalar>(options_.eps);
    update.weight_decay = static_cast<scalar>(options_.weight_decay);
    update.gradient_scale = static_cast<scalar>(parameters_->take_gradient_scale());
    update.bias_correction1 = 1.0 - std::pow(options_.beta1, t);
    update.bias_correction2 = 1.0 - std::pow(options_.beta2, t);

    apply(update, update_rule::decayed);
    update.weight_decay = scalar(0);
    apply(update, update_rule::plain);
  }
  /// An update with the learning rate of the options.
  void step() { step(options_.learning_rate); }

  /// Updates so far; the bias correction depends on it.
  [[nodiscard]] index_t steps() const noexcept { return steps_; }
  /// Running means of the gradient and of its square, in backend memory, laid out as the values.
  [[nodiscard]] vec<const scalar> moment1() const noexcept { return flat(moment1_); }
  /// The mean of the squares, likewise.
  [[nodiscard]] vec<const scalar> moment2() const noexcept { return flat(moment2_); }

  /// Goes on where another optimizer was after so many steps: with its moments, from host memory.
  void restore(index_t steps, const scalar* moment1, const scalar* moment2) {
    auto& device = parameters_->backend();
    device.upload(moment1, flat(moment1_));
    device.upload(moment2, flat(moment2_));
    steps_ = steps;
    for (const auto& entry : parameters_->layout().entries()) {
      if (entry.reading != read_as::rows) continue;
      // Rows whose moments are zero may count as seen: that costs time and changes nothing.
      device.fill(parameter_store<B>::marks(seen_, entry), std::uint8_t{1});
    }
  }

 private:
  [[nodiscard]] std::size_t bytes() const {
    return static_cast<std::size_t>(parameters_->layout().size()) * sizeof(scalar);
  }
  vec<scalar> flat(const typename B::buffer& buffer) const noexcept {
    return {reinterpret_cast<scalar*>(buffer.data()), parameters_->layout().size()};
  }
  /// The update with a parameter's own rate.
  void apply(adamw_step<scalar> update, update_rule rule) {
    auto& device = parameters_->backend();
    const auto values = parameters_->values();
    const bool own_rates = parameters_->has_rate_factors();
    const double learning_rate = learning_rate_;
    parameters_->layout().for_each_part(
        rule,
        [&](const parameter_entry& entry) { return own_rates || entry.reading != read_as::values; },
        [&](const parameter_entry& entry) {
          using store = parameter_store<B>;
          const double factor = parameters_->rate_factor(entry);
          if (factor == 0.0) {
            parameters_->zero_gradient(entry);
            return;
          }
          if (own_rates) update.learning_rate = static_cast<scalar>(learning_rate * factor);
          const auto value = store::matrix(values, entry);
          const auto m = store::matrix(flat(moment1_), entry);
          const auto v = store::matrix(flat(moment2_), entry);
          if (entry.reading == read_as::rows) {
            device.adamw(update, value, parameters_->gradient_table(entry), m, v,
                         store::marks(seen_, entry));
          } else if (entry.reading == read_as::values) {
            const auto part = [&](vec<scalar> all) { return all.slice(entry.offset, entry.size()); };
            device.adamw(update, part(values), part(parameters_->gradients()), part(flat(moment1_)),
                         part(flat(moment2_)));
          } else {
            device.adamw(update, value, store::matrix(parameters_->gradients(), entry), m, v,
                         parameters_->packed(entry));
          }
        },
        [&](index_t first, index_t count) {
          device.adamw(update, values.slice(first, count),
                       parameters_->gradients().slice(first, count),
                       flat(moment1_).slice(first, count), flat(moment2_).slice(first, count));
        });
  }

  parameter_store<B>* parameters_;
  adamw_options options_;
  typename B::buffer moment1_;
  typename B::buffer moment2_;
  typename B::buffer seen_;  // a mark for each row of a table that ever had a gradient
  index_t steps_ = 0;
  double learning_rate_ = 0.0;  // of the step that is being made
};

/// @throws onoma::error (format) if a parameter is not finite, naming it and where.
template <training_backend B>
void refuse_not_finite(const parameter_store<B>& parameters) {
  // A sum of squares is finite where all are, but for numbers of which nobody computes with the square.
  if (std::isfinite(parameters.backend().squared_norm(parameters.values()))) return;
  for (const auto& entry : parameters.layout().entries()) {
    const auto values = parameters.download_value(entry);
    const std::vector<float> floats(values.begin(), values.end());
    refuse_not_finite("parameter " + entry.name, std::span(floats));
  }
}

/// Scales the gradients, if their joint Euclidean norm exceeds `max_norm`, so that it becomes
/// max_norm; returns the norm before. As torch.nn.utils.clip_grad_norm_. The factor is applied by
/// the next optimizer step as it reads the gradients. Those of frozen parameters do not count.
template <training_backend B>
double clip_grad_norm(parameter_store<B>& parameters, double max_norm) {
  auto& device = parameters.backend();
  double squares = 0.0;
  for (const auto rule : {update_rule::decayed, update_rule::plain}) {
    parameters.layout().for_each_part(
        rule,
        [&](const parameter_entry& entry) {
          return entry.reading == read_as::rows || parameters.rate_factor(entry) == 0.0;
        },
        [&](const parameter_entry& entry) {
          if (parameters.rate_factor(entry) == 0.0) return;
          squares += device.squared_norm(parameters.gradient_table(entry));
        },
        [&](index_t first, index_t count) {
          squares += device.squared_norm(parameters.gradients().slice(first, count));
        });
  }
  const double norm = parameters.gradient_scale() * std::sqrt(squares);
  if (const double factor = max_norm / (norm + 1e-6); factor < 1.0) {
    parameters.scale_gradients(factor);
  }
  return norm;
}

}  // namespace onoma::inline ONOMA_ABI
