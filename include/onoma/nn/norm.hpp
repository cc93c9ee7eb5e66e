/// Residual addition and normalisation: layer or RMS, after a block ("add & norm") or before one.
#pragma once

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

#include <type_traits>

namespace onoma::inline ONOMA_ABI {

/// y = normalised(z) for each row of z = residual + dropout(x). `Weights` says how: use `layer_norm` or
/// `rms_norm`. kernels/ref/norm.hpp has the formulas and their sources.
template <inference_backend B, template <class> class Weights>
class norm {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// Backward needs the normalised value again: z and what the kernels keep per row give it.
  struct saved {
    mat<const scalar> z;                 ///< [N, H]
    norm_statistics<scalar> statistics;  ///< [N] each
  };

  /// `bias`: whether layer normalisation adds beta. RMS normalisation has none.
  norm(index_t size, double eps, bool bias = has_mean)
      : gamma_(parameter<scalar>::vector(size, initial_value::ones)),
        eps_(static_cast<scalar>(eps)) {
    if (bias && has_mean) beta_ = parameter<scalar>::vector(size, initial_value::zeros);
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "weight", gamma_);
    if (beta_.rows > 0) visitor(at / "bias", beta_);
  }

  /// After a block: returns y [N, H]. In training x becomes z and stays; in inference y replaces x, in
  /// place. `residual` [N, H] may be null.
  mat<scalar> forward(const pass<B>& run, mat<scalar> x, mat<const scalar> residual,
                      const dropout_spec& dropout, saved& keep) const {
    return forward_into(run, x, residual, dropout, run.training ? run.keep(x.rows, x.cols) : x, keep);
  }

  /// Before a block: returns y [N, H], from memory of its own, and x becomes z, which goes on beside the
  /// block. `residual` [N, H] may be null.
  mat<scalar> forward_beside(const pass<B>& run, mat<scalar> x, mat<const scalar> residual,
                             const dropout_spec& dropout, saved& keep) const {
    return forward_into(run, x, residual, dropout, run.keep(x.rows, x.cols), keep);
  }

  /// Of `forward`: d [N, H] holds dy and becomes dz, the gradient of the residual. Returns the gradient of
  /// x: dz through the dropout mask, from scratch, or d itself where nothing was dropped.
  mat<const scalar> backward(const pass<B>& run, mat<scalar> d, const dropout_spec& dropout,
                             const saved& kept) const
    requires training_backend<B>
  {
    return backward_into(run, d, dropout, set, d, kept);
  }

  /// Of `forward_beside`: d [N, H] is the gradient of z from beside the block, and that through the block
  /// is added: block(mode, dy) sets or adds to dy the gradient of y, which is scratch. Returns the
  /// gradient of x, as `backward`.
  template <class Block>
  mat<const scalar> backward_beside(const pass<B>& run, mat<scalar> d, const dropout_spec& dropout,
                                    const saved& kept, Block&& block) const
    requires training_backend<B>
  {
    const auto dy = run.scratch.template take<scalar>(d.rows, d.cols);
    block(set, dy);
    return backward_into(run, dy, dropout, add, d, kept);
  }

 private:
  static constexpr bool has_mean = std::is_same_v<Weights<scalar>, layer_norm_weights<scalar>>;

  [[nodiscard]] Weights<scalar> weights() const {
    if constexpr (has_mean) {
      return {gamma_.value, beta_.value, eps_};
    } else {
      return {gamma_.value, eps_};
    }
  }

  mat<scalar> forward_into(const pass<B>& run, mat<scalar> x, mat<const scalar> residual,
                           const dropout_spec& dropout, mat<scalar> y, saved& keep) const {
    keep = {};
    if (run.training) {
      keep.z = x;
      if (has_mean) keep.statistics.mean = run.kept().template take<scalar>(x.rows);
      keep.statistics.reciprocal_stddev = run.kept().template take<scalar>(x.rows);
    }
    run.device.add_norm(x, residual, dropout, weights(), y, keep.statistics);
    return y;
  }

  template <class Mode>
  mat<const scalar> backward_into(const pass<B>& run, mat<const scalar> dy,
                                  const dropout_spec& dropout, Mode mode, mat<scalar> dz,
                                  const saved& kept) const {
    const mat<scalar> dx =
        dropout.active() ? run.scratch.template take<scalar>(dz.rows, dz.cols) : mat<scalar>{};
    run.device.add_norm_backward(kept.z, kept.statistics, weights(), dy, dropout, mode, dz, dx,
                                 {gamma_.gradient, beta_.gradient});
    return dropout.active() ? dx : dz;
  }

  parameter<scalar> gamma_;   // [H]
  parameter<scalar> beta_{};  // [H], or no rows
  scalar eps_;
};

/// y = gamma * (z - mean) / sqrt(variance + eps) + beta (Ba, Kiros, Hinton, arXiv 1607.06450).
template <inference_backend B>
using layer_norm = norm<B, layer_norm_weights>;

/// y = gamma * z / sqrt(mean square + eps) (Zhang and Sennrich, arXiv 1910.07467).
template <inference_backend B>
using rms_norm = norm<B, rms_norm_weights>;

/// The norm of a block that has none before it: y is x.
template <inference_backend B>
class no_norm {
 public:
  /// The type of numbers.
  using scalar = typename B::scalar;

  /// What backward reads.
  struct saved {};

  /// Takes what norms take.
  no_norm(index_t /*size*/, double /*eps*/, bool /*bias*/ = false) {}

  /// There are no parameters.
  template <class Visitor>
  void visit(const scope& /*at*/, Visitor&& /*visitor*/) {}

  /// Nothing is added and nothing dropped: `residual` is null.
  mat<scalar> forward_beside(const pass<B>& /*run*/, mat<scalar> x, mat<const scalar> /*residual*/,
                             const dropout_spec& /*dropout*/, saved& /*keep*/) const {
    return x;
  }
  /// The gradient as it is.
  template <class Block>
  mat<const scalar> backward_beside(const pass<B>& /*run*/, mat<scalar> d,
                                    const dropout_spec& /*dropout*/, const saved& /*kept*/,
                                    Block&& block) const {
    block(add, d);
    return d;
  }
};

}  // namespace onoma::inline ONOMA_ABI
