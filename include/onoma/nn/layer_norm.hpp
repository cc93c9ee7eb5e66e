/// "Add & Norm": dropout, residual addition and layer normalisation.
#pragma once

#include <onoma/nn/parameter.hpp>
#include <onoma/nn/pass.hpp>

namespace onoma::inline ONOMA_ABI {

/// y = gamma * (z - mean) / sqrt(variance + eps) + beta for each row of z = residual + dropout(x).
/// Source: Ba, Kiros, Hinton, "Layer normalization", arXiv 1607.06450.
template <backend B>
class layer_norm {
 public:
  using scalar = typename B::scalar;

  /// Backward needs the normalised value again: z and two numbers per row give it.
  struct saved {
    mat<const scalar> z;                 // [N, H]
    norm_statistics<scalar> statistics;  // [N] each
  };

  layer_norm(index size, double eps)
      : gamma_(parameter<scalar>::vector(size, initial_value::ones)),
        beta_(parameter<scalar>::vector(size, initial_value::zeros)),
        eps_(static_cast<scalar>(eps)) {}

  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    visitor(at / "weight", gamma_);
    visitor(at / "bias", beta_);
  }

  /// Returns y [N, H]. In training x becomes z and stays; in inference y replaces x, in place.
  /// `residual` [N, H] may be null.
  mat<scalar> forward(const pass<B>& run, mat<scalar> x, mat<const scalar> residual,
                      const dropout_spec& dropout, saved& keep) const {
    mat<scalar> y = x;
    keep = {};
    if (run.training) {
      y = run.keep(x.rows, x.cols);
      keep.z = x;
      keep.statistics = {run.kept().template take<scalar>(x.rows),
                         run.kept().template take<scalar>(x.rows)};
    }
    run.device.add_norm(x, residual, dropout, gamma_.value, beta_.value, eps_, y, keep.statistics);
    return y;
  }

  /// d [N, H] holds dy and becomes dz, the gradient of the residual. Returns the gradient of x: dz
  /// through the dropout mask, from scratch, or d itself where nothing was dropped.
  mat<const scalar> backward(const pass<B>& run, mat<scalar> d, const dropout_spec& dropout,
                             const saved& kept) const {
    const mat<scalar> dx =
        dropout.active() ? run.scratch.template take<scalar>(d.rows, d.cols) : mat<scalar>{};
    run.device.add_norm_backward(kept.z, kept.statistics, gamma_.value, d, dropout, d, dx,
                                 gamma_.gradient, beta_.gradient);
    return dropout.active() ? dx : d;
  }

 private:
  parameter<scalar> gamma_;  // [H]
  parameter<scalar> beta_;   // [H]
  scalar eps_;
};

}  // namespace onoma::inline ONOMA_ABI
