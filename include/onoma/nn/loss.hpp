/// The training loss of token classification: softmax cross-entropy over the labelled tokens.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/operands.hpp>
#include <onoma/nn/pass.hpp>

#include <cmath>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a loss counts labels, for data whose labels are rare, uneven or wrong. As it is made, all count alike. The loss
/// and the sources are those of `ref::cross_entropy_of_row`.
struct loss_options {
  std::vector<double> class_weights{};  ///< of the labels, by id; none: 1 each
  double smoothing = 0.0;               ///< label smoothing, 0 to 1
  double focus = 0.0;                   ///< gamma of the focal loss, at least 0
  /// The part of a batch's labelled tokens, those of the highest losses, that counts 0, since labels that a model
  /// does not believe may be wrong; below 1. A trainer lets it rise (`training_options::drop_ramp`).
  double dropped = 0.0;

  /// Whether all labels count alike and in full.
  [[nodiscard]] bool is_plain() const noexcept {
    return class_weights.empty() && smoothing == 0.0 && focus == 0.0 && dropped == 0.0;
  }
  /// @throws onoma::error (invalid_argument) for numbers outside of their domain, and for another number of weights
  /// than `labels`, or none above 0.
  void check_for(index_t labels) const {
    const auto require_that = [](bool ok, const char* expected) {
      check(ok, error_code::invalid_argument, "loss options", expected);
    };
    require_that(smoothing >= 0.0 && smoothing < 1.0, "a label smoothing from 0 to below 1");
    require_that(std::isfinite(focus) && focus >= 0.0, "a focus of at least 0");
    require_that(dropped >= 0.0 && dropped < 1.0, "a dropped part from 0 to below 1");
    if (class_weights.empty()) return;
    require_that(static_cast<index_t>(class_weights.size()) == labels, "a weight for each label");
    double sum = 0.0;
    for (const double weight : class_weights) {
      require_that(std::isfinite(weight) && weight >= 0.0, "finite class weights of at least 0");
      sum += weight;
    }
    require_that(sum > 0.0, "a class weight above 0");
  }
};

/// Cross-entropy as torch.nn.CrossEntropyLoss(ignore_index = -100) computes it.
template <inference_backend B>
struct cross_entropy {
  using scalar = typename B::scalar;  ///< the type of numbers

  /// The gradient is known as soon as the loss is: the forward computes both in one pass.
  struct saved {
    mat<scalar> dlogits;  ///< [N, L]
  };

  /// Sum and count over labelled rows of logits [N, L]; labels [N] in backend memory. `divisor` is
  /// what the loss is divided by: this batch's labelled tokens, or those of all batches whose
  /// gradients accumulate.
  static loss_result forward(const pass<B>& run, mat<const scalar> logits,
                             vec<const std::int32_t> labels, double divisor, saved& keep) {
    keep.dlogits = run.training ? run.keep(logits.rows, logits.cols) : mat<scalar>{};
    return run.device.softmax_cross_entropy(logits, labels, static_cast<scalar>(1.0 / divisor),
                                            keep.dlogits);
  }

  /// The same by a rule, whose weights lie in backend memory.
  static loss_result forward(const pass<B>& run, mat<const scalar> logits, vec<const std::int32_t> labels,
                             const cross_entropy_rule<scalar>& rule, double divisor, saved& keep) {
    keep.dlogits = run.training ? run.keep(logits.rows, logits.cols) : mat<scalar>{};
    return run.device.softmax_cross_entropy(logits, labels, rule, static_cast<scalar>(1.0 / divisor), keep.dlogits);
  }

  /// d(sum / divisor) / d(logits), [N, L]
  static mat<const scalar> backward(const saved& kept) { return kept.dlogits; }
};

}  // namespace onoma::inline ONOMA_ABI
