/// The training loss of token classification: softmax cross-entropy over the labelled tokens.
#pragma once

#include <onoma/nn/pass.hpp>

namespace onoma::inline ONOMA_ABI {

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

  /// d(sum / divisor) / d(logits), [N, L]
  static mat<const scalar> backward(const saved& kept) { return kept.dlogits; }
};

}  // namespace onoma::inline ONOMA_ABI
