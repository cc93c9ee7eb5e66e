/// A head of one's own, explained in docs/own_head.md: two layers on the encoder instead of one.
#pragma once

#include <onoma/onoma.hpp>

/// logits = token_head(f(hidden W^T + b))
template <onoma::training_backend B>
class two_layer_head {
 public:
  using backend_type = B;
  using scalar = typename B::scalar;
  using targets = onoma::token_targets;  // a label for each token

  static constexpr std::string_view kind = "two_layer";
  static constexpr std::string_view prefixes[] = {"dense.", "classifier."};
  static constexpr std::span<const std::string_view> tensor_prefixes = prefixes;

  struct saved {  // what backward reads
    onoma::mat<const scalar> hidden, before;  // [M, H] each
    typename onoma::token_head<B>::saved last;
  };

  explicit two_layer_head(const onoma::head_settings& s) : dense_(s.hidden, s.hidden), last_(s) {}

  void visit(const onoma::scope& at, auto&& visitor) {
    dense_.visit(at / "dense", visitor);
    last_.visit(at, visitor);
  }
  void visit_linears(auto&& visitor) {
    dense_.visit_linears(visitor);
    last_.visit_linears(visitor);
  }

  // The targets are those of the library's token head, and so is what is done with them.
  onoma::index_t columns() const { return last_.columns(); }
  onoma::index_t check(const onoma::tagged_batch& batch) const { return last_.check(batch); }
  void wanted(const onoma::tagged_batch& batch, std::vector<std::int32_t>& rows) const { last_.wanted(batch, rows); }
  void normalise(const onoma::pass<B>& run, onoma::mat<scalar> logits) const { last_.normalise(run, logits); }

  onoma::mat<scalar> scores(const onoma::pass<B>& run, onoma::mat<scalar> hidden) const {
    saved unused;
    return last_.scores(run, dense(run, hidden, unused));
  }
  onoma::loss_result forward_loss(const onoma::pass<B>& run, const onoma::tagged_batch& batch,
                                  onoma::mat<scalar> hidden, double divisor, saved& keep) const {
    return last_.forward_loss(run, batch, dense(run, hidden, keep), divisor, keep.last);
  }
  onoma::mat<scalar> backward(const onoma::pass<B>& run, const saved& kept) const {
    const auto dafter = last_.backward(run, kept.last);
    run.device.activation_backward(onoma::activation::gelu, kept.before, dafter);
    const auto dhidden = run.scratch.template take<scalar>(dafter.rows, dafter.cols);
    dense_.backward(run.device, kept.hidden, dafter, onoma::set, dhidden);
    return dhidden;
  }

 private:
  onoma::mat<scalar> dense(const onoma::pass<B>& run, onoma::mat<scalar> hidden, saved& keep) const {
    const auto before = run.training ? run.keep(hidden.rows, hidden.cols) : onoma::mat<scalar>{};
    const auto after = run.keep(hidden.rows, hidden.cols);
    dense_.forward(run.device, hidden, onoma::activation::gelu, before, after);
    keep.hidden = hidden;
    keep.before = before;
    return after;
  }

  onoma::linear<B> dense_;  // [H, H]
  onoma::token_head<B> last_;
};
