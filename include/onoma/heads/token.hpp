/// A label for each token: dropout and a linear layer, as in transformers' token classifiers.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/heads/transform.hpp>
#include <onoma/nn/linear.hpp>
#include <onoma/nn/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A label id for each token, or `ignored_label`, or `unknown_label`.
struct token_targets {
  using item = std::vector<std::int32_t>;  ///< [tokens of the sequence]; empty: none counts

  std::vector<std::int32_t> labels;  ///< [N]

  /// Takes all labels out.
  void clear() { labels.clear(); }
  /// @throws onoma::error (shape_mismatch) for another number of labels than tokens.
  /// Appends the labels of one sequence of `tokens` tokens.
  void add(std::size_t tokens, const item& of_sequence) {
    if (!of_sequence.empty() && of_sequence.size() != tokens) {
      fail(error_code::shape_mismatch, "labels of a sequence", std::to_string(tokens) + " labels",
           std::to_string(of_sequence.size()));
    }
    labels.insert(labels.end(), of_sequence.begin(), of_sequence.end());
    labels.resize(labels.size() + (tokens - of_sequence.size()), ignored_label);
  }

  /// How many tokens of a sequence the loss counts: those whose label is known.
  [[nodiscard]] static index_t count(const item& of_sequence) {
    return std::count_if(of_sequence.begin(), of_sequence.end(), is_known);
  }
  /// Calls mix(number) for every number of a sequence's targets.
  template <class Mix>
  static void visit_numbers(const item& of_sequence, Mix&& mix) {
    for (const auto label : of_sequence) mix(static_cast<std::uint32_t>(label));
  }
};

/// A batch for a head that labels tokens.
using tagged_batch = training_batch<token_targets>;

/// How many tokens have a known label. @throws onoma::error (out_of_range) for a label that is neither an id below
/// `labels` nor `ignored_label` nor `unknown_label`.
inline index_t check_labels(const tagged_batch& batch, index_t labels) {
  index_t labelled = 0;
  for (const auto label : batch.targets.labels) {
    if (!is_known(label)) continue;
    if (label < 0 || label >= labels) {
      fail(error_code::out_of_range, "label of a token",
           "0 to " + std::to_string(labels - 1) + " or " + std::to_string(ignored_label) + " or " +
               std::to_string(unknown_label),
           std::to_string(label));
    }
    ++labelled;
  }
  return labelled;
}

/// Which tokens a loss reads.
enum class labelled_tokens {
  known,  ///< those whose label is known
  all,    ///< those of unknown label too
};

/// The labelled tokens, ascending. None where all are labelled, or none is.
inline void labelled_rows(const tagged_batch& batch, std::vector<std::int32_t>& rows,
                          labelled_tokens which = labelled_tokens::known) {
  rows.clear();
  rows.reserve(batch.targets.labels.size());
  for (std::size_t n = 0; n < batch.targets.labels.size(); ++n) {
    const auto label = batch.targets.labels[n];
    if (is_known(label) || (which == labelled_tokens::all && label == unknown_label)) {
      rows.push_back(static_cast<std::int32_t>(n));
    }
  }
  if (rows.size() == batch.targets.labels.size()) rows.clear();
}

/// The labels of `rows` hidden states: of all tokens, or of those of `labelled_rows`. Unknown ones are ignored ones.
inline void labels_of_rows(const tagged_batch& batch, index_t rows, std::vector<std::int32_t>& labels,
                           labelled_tokens which = labelled_tokens::known) {
  labels = batch.targets.labels;
  if (rows != batch.tokens.tokens()) {
    std::erase_if(labels, [which](auto label) {
      return !is_known(label) && !(which == labelled_tokens::all && label == unknown_label);
    });
  }
  std::replace(labels.begin(), labels.end(), unknown_label, ignored_label);
}

/// logits [N, L] = dropout(hidden) W^T + b; cross-entropy over the labelled tokens. Some families have a layer
/// before the dropout (`head_transform`).
/// Source: Devlin et al., NAACL 2019, section 5.3; transformers, BertForTokenClassification.
template <inference_backend B>
class token_head {
 public:
  using backend_type = B;             ///< what computes
  using scalar = typename B::scalar;  ///< the type of numbers
  using targets = token_targets;      ///< what the loss compares with

  static constexpr std::string_view kind = "token";  ///< its name in config.json
  /// Of the names of its tensors, and of those of a `crf_head` beside them
  static constexpr std::string_view prefixes[] = {"classifier.", "crf.", "span."};
  /// The same as a span, for `checkpoint_map`
  static constexpr std::span<const std::string_view> tensor_prefixes = prefixes;

  /// What backward reads.
  struct saved {
    typename head_transform<B>::saved transform;  ///< of the layer before, if there is one
    mat<scalar> hidden;                     ///< [M, H] of the wanted tokens, after dropout
    typename cross_entropy<B>::saved loss;  ///< of the loss
    std::vector<std::int32_t> labels;       ///< [M] of these tokens, in host memory
    std::vector<scalar> row_weights;        ///< [M] likewise, where sequences have weights
  };

  /// Of these sizes, without memory for its parameters yet.
  explicit token_head(const head_settings& s)
      : classifier_(s.hidden, s.labels), labels_(s.labels), dropout_(static_cast<float>(s.dropout)) {
    if (s.transform) transform_.emplace(s.hidden, *s.transform);
  }

  /// Calls visitor(scope, parameter) for weight and bias.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    if (transform_) transform_->visit(at / "head", visitor);
    classifier_.visit(at / "classifier", visitor);
  }
  /// Calls visitor(layer) for its linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    if (transform_) transform_->visit_linears(visitor);
    classifier_.visit_linears(visitor);
  }

  /// How its loss counts labels from now on. @throws onoma::error (invalid_argument) as `loss_options::check_for`.
  void set_loss(const loss_options& loss) {
    loss.check_for(labels_);
    loss_ = loss;
    class_weights_.assign(loss.class_weights.begin(), loss.class_weights.end());
  }
  /// The sum of the class weights of labels, those that count; as torch.nn.CrossEntropyLoss divides by.
  [[nodiscard]] double weigh(std::span<const std::int32_t> labels) const {
    double sum = 0.0;
    for (const auto label : labels) {
      if (is_known(label)) {
        sum += class_weights_.empty() ? 1.0 : static_cast<double>(class_weights_[static_cast<std::size_t>(label)]);
      }
    }
    return sum;
  }
  /// The same of one sequence.
  [[nodiscard]] double weigh(const token_targets::item& of_sequence) const {
    return weigh(std::span<const std::int32_t>(of_sequence));
  }
  /// The sum over the sequences of a batch, each times its weight.
  [[nodiscard]] double weigh(const tagged_batch& batch) const {
    const std::span<const std::int32_t> labels(batch.targets.labels);
    if (batch.weights.empty()) return weigh(labels);
    const auto layout = batch.tokens.layout();
    double sum = 0.0;
    for (index_t b = 0; b < layout.count(); ++b) {
      sum += static_cast<double>(batch.weights[static_cast<std::size_t>(b)]) *
             weigh(labels.subspan(static_cast<std::size_t>(layout.begin(b)),
                                  static_cast<std::size_t>(layout.length(b))));
    }
    return sum;
  }

  /// L
  [[nodiscard]] index_t columns() const noexcept { return labels_; }

  /// How many tokens have a label.
  /// @throws onoma::error (out_of_range) as `check_labels`.
  index_t check(const tagged_batch& batch) const { return check_labels(batch, labels_); }
  /// See `labelled_rows`.
  void wanted(const tagged_batch& batch, std::vector<std::int32_t>& rows) const { labelled_rows(batch, rows); }

  /// Logits [M, L].
  mat<scalar> scores(const pass<B>& run, mat<scalar> hidden) const {
    typename head_transform<B>::saved unused;
    return forward(run, hidden, unused);
  }
  /// Logits become probabilities of the labels, each row summing to 1.
  void normalise(const pass<B>& run, mat<scalar> logits) const { run.device.softmax(logits, logits); }

  /// Cross-entropy of the wanted hidden states [M, H], which dropout changes in place; see `cross_entropy`.
  loss_result forward_loss(const pass<B>& run, const tagged_batch& batch, mat<scalar> hidden,
                           double divisor, saved& keep) const {
    const auto logits = forward(run, hidden, keep.transform);
    keep.hidden = hidden;
    labels_of_rows(batch, hidden.rows, keep.labels);
    const auto labels = run.upload(vec<const std::int32_t>{keep.labels.data(), hidden.rows});
    if (loss_.is_plain() && batch.weights.empty()) {
      return cross_entropy<B>::forward(run, logits, labels, divisor, keep.loss);
    }
    cross_entropy_rule<scalar> rule;
    rule.smoothing = loss_.smoothing;
    rule.focus = loss_.focus;
    rule.dropped = loss_.dropped;
    if (!class_weights_.empty()) rule.class_weights = run.upload(class_weights_);
    if (!batch.weights.empty()) {
      weights_of_rows(batch, hidden.rows, keep.row_weights);
      rule.row_weights = run.upload(keep.row_weights);
    }
    return cross_entropy<B>::forward(run, logits, labels, rule, divisor, keep.loss);
  }

  /// The gradient of the hidden states [M, H], from scratch; adds to those of weight and bias.
  mat<scalar> backward(const pass<B>& run, const saved& kept) const {
    const auto d = run.scratch.template take<scalar>(kept.hidden.rows, kept.hidden.cols);
    classifier_.backward(run.device, kept.hidden, cross_entropy<B>::backward(kept.loss), set, d);
    run.device.dropout(d, mask(run));
    if (!transform_) return d;
    const auto dhidden = run.scratch.template take<scalar>(d.rows, d.cols);
    transform_->backward(run, d, dhidden, kept.transform);
    return dhidden;
  }

 private:
  /// Logits; `hidden` becomes what the classifier reads.
  mat<scalar> forward(const pass<B>& run, mat<scalar>& hidden,
                      typename head_transform<B>::saved& keep) const {
    if (transform_) hidden = transform_->forward(run, hidden, keep);
    run.drop(hidden, mask(run));
    const auto logits = run.keep(hidden.rows, labels_);
    classifier_.forward(run.device, hidden, logits);
    return logits;
  }
  /// The weights of the sequences of `rows` hidden states, as `labels_of_rows`.
  static void weights_of_rows(const tagged_batch& batch, index_t rows, std::vector<scalar>& weights) {
    weights.clear();
    const auto layout = batch.tokens.layout();
    const bool all = rows == batch.tokens.tokens();
    for (index_t b = 0; b < layout.count(); ++b) {
      for (index_t n = layout.begin(b); n < layout.begin(b) + layout.length(b); ++n) {
        if (!all && !is_known(batch.targets.labels[static_cast<std::size_t>(n)])) continue;
        weights.push_back(static_cast<scalar>(batch.weights[static_cast<std::size_t>(b)]));
      }
    }
  }
  dropout_spec mask(const pass<B>& run) const { return run.dropout.at(random_place::head_dropout, dropout_); }

  std::optional<head_transform<B>> transform_;
  linear<B> classifier_;  // [L, H]
  index_t labels_;
  float dropout_;
  loss_options loss_{};
  std::vector<scalar> class_weights_;  // [L], or none
};

}  // namespace onoma::inline ONOMA_ABI
