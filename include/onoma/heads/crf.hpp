/// Labels for the words of a sequence together: linear emissions under a linear chain.
#pragma once

#include <onoma/core/crf.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/heads/token.hpp>
#include <onoma/heads/transform.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/ner/transitions.hpp>
#include <onoma/nn/linear.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What a `crf_head` has beside its tensors; in config.json an object under "onoma", "crf".
struct crf_settings {
  /// Whether the rules hold in training too: probability is then shared among the sequences of tags that the scheme
  /// has, and a sequence of another kind (a window that begins inside an entity, say) is refused.
  bool rules_in_training = false;
};

/// The scheme whose tags these labels are: the first of IO, IOB2, IOE2, IOBES, BILOU and BMEWO that has all of their
/// prefixes; labels without a prefix are of IO. Labels do not tell IOB1 and IOE1 from their successors.
/// @throws onoma::error (invalid_argument) for prefixes that no scheme has together.
[[nodiscard]] inline tag_scheme scheme_of_labels(std::span<const std::string> labels) {
  constexpr tag_scheme schemes[] = {tag_scheme::io,    tag_scheme::iob2,  tag_scheme::ioe2,
                                    tag_scheme::iobes, tag_scheme::bilou, tag_scheme::bmewo};
  std::string prefixes;
  bool formed = true;
  for (const auto& label : labels) {
    prefixes += split_tag(label).prefix;
    formed = formed && is_formed_tag(label);
  }
  for (const auto scheme : schemes) {
    if (!formed && scheme != tag_scheme::io) break;
    if (prefixes.find_first_not_of(prefixes_of(scheme)) == std::string::npos) return scheme;
  }
  fail(error_code::invalid_argument, "the tag scheme of labels", "prefixes of one scheme", prefixes);
}

/// Reads them; what the object does not say is as `crf_settings` has it. Null: an object that says nothing.
/// @throws onoma::error (format) for a setting that is none, or of another type or value.
[[nodiscard]] inline crf_settings crf_settings_of(const json& source) {
  constexpr const char* where = "config.json: 'onoma': 'crf'";
  crf_settings settings;
  if (!source.is_null() && !source.is_object()) fail(error_code::format, where, "an object", describe(source));
  for (const auto& [key, value] : source.items()) {
    if (key == "rules_in_training") {
      settings.rules_in_training = require<bool>(source, "rules_in_training", where);
    } else {
      fail(error_code::format, where, "the setting rules_in_training alone", "'" + key + "'");
    }
  }
  return settings;
}

/// The words of each sequence: its tokens with a label, known or not. `offsets` [C + 1] are those of the C sequences
/// that have any, among the rows of `labelled_rows`. Returns the number of words of the longest.
inline index_t words_of_sequences(const tagged_batch& batch, std::vector<std::int32_t>& offsets) {
  offsets.assign(1, 0);
  index_t longest = 0;
  const auto layout = batch.tokens.layout();
  for (index_t b = 0; b < layout.count(); ++b) {
    const auto first = batch.targets.labels.begin() + layout.begin(b);
    const auto words =
        std::count_if(first, first + layout.length(b), [](auto label) { return label != ignored_label; });
    if (words == 0) continue;
    offsets.push_back(static_cast<std::int32_t>(offsets.back() + words));
    longest = std::max<index_t>(longest, words);
  }
  return longest;
}

/// Emissions [M, L] = dropout(hidden) W^T + b of words, under a linear chain (core/crf.hpp) of the words of each
/// sequence. A word is a token with a label: the first piece of a word of the text, so that no chain runs over
/// special tokens or the other pieces. The loss is minus the logarithm of the probability of the labels, summed over
/// the sequences; it counts words. A word of `unknown_label` may have any label: the probability is that of all
/// sequences that have the known ones.
///
/// The tensors are those of `token_head`, so that transformers loads the folder as a token classifier of the
/// emissions, and "crf.transitions" [L, L] from the row's label to the column's, "crf.start_transitions" [L] and
/// "crf.end_transitions" [L], named as in the PyPI package pytorch-crf. New ones are zero, and do not decay, as
/// biases do not: they are logarithms of odds, whatever their size.
///
/// Decoding keeps to the rules of the tag scheme that config.json names, or else the labels have.
/// Source: Lafferty, McCallum and Pereira, ICML 2001; Lample et al., "Neural architectures for named entity
/// recognition", NAACL 2016.
template <chain_backend B>
class crf_head {
 public:
  using backend_type = B;             ///< what computes
  using scalar = typename B::scalar;  ///< the type of numbers
  using targets = token_targets;      ///< what the loss compares with

  static constexpr std::string_view kind = "crf";                          ///< its name in config.json
  static constexpr std::string_view prefixes[] = {"classifier.", "crf.", "span."};  ///< of the names of its tensors
  /// The same as a span, for `checkpoint_map`
  static constexpr std::span<const std::string_view> tensor_prefixes = prefixes;

  /// What backward reads.
  struct saved {
    typename head_transform<B>::saved transform;  ///< of the layer before, if there is one
    mat<scalar> hidden;                           ///< [M, H] of the wanted tokens, after dropout
    mat<scalar> emissions;                        ///< [M, L]
    sequences words;                              ///< of each chain
    crf_targets known;                            ///< [M] the labels of these tokens
    scalar scale = scalar(0);                     ///< of the gradient
    std::vector<std::int32_t> labels;             ///< [M] in host memory
    std::vector<std::int32_t> offsets;            ///< of the chains, in host memory
  };

  /// Of these sizes, without memory for its parameters yet.
  /// @throws onoma::error as `crf_settings_of`, `scheme_of_labels` where nobody said the scheme, and `transitions_of`.
  explicit crf_head(const head_settings& s)
      : classifier_(s.hidden, s.labels),
        transitions_(parameter<scalar>::matrix(s.labels, s.labels)),
        start_(parameter<scalar>::vector(s.labels, initial_value::zeros)),
        end_(parameter<scalar>::vector(s.labels, initial_value::zeros)),
        settings_(crf_settings_of(s.own)),
        scheme_(s.scheme ? *s.scheme : scheme_of_labels(s.names)),
        rules_(transitions_of(tag_set(std::vector<std::string>(s.names.begin(), s.names.end())), scheme_)),
        labels_(s.labels),
        dropout_(static_cast<float>(s.dropout)) {
    transitions_.start = initial_value::zeros;
    transitions_.rule = update_rule::plain;
    if (s.transform) transform_.emplace(s.hidden, *s.transform);
  }

  /// Calls visitor(scope, parameter) for weight and bias, and the weights of the chain.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    if (transform_) transform_->visit(at / "head", visitor);
    classifier_.visit(at / "classifier", visitor);
    const auto chain = at / "crf";
    visitor(chain / "transitions", transitions_);
    visitor(chain / "start_transitions", start_);
    visitor(chain / "end_transitions", end_);
  }
  /// Calls visitor(layer) for its linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    if (transform_) transform_->visit_linears(visitor);
    classifier_.visit_linears(visitor);
  }

  /// L
  [[nodiscard]] index_t columns() const noexcept { return labels_; }
  /// As config.json keeps them.
  [[nodiscard]] json settings() const {
    return {{"rules_in_training", settings_.rules_in_training}};
  }
  /// Whose rules say which label may follow which.
  [[nodiscard]] tag_scheme scheme() const noexcept { return scheme_; }
  /// Which label may follow which.
  [[nodiscard]] const tag_transitions& rules() const noexcept { return rules_; }

  /// How many words have a known label.
  /// @throws onoma::error (out_of_range) as `check_labels`.
  index_t check(const tagged_batch& batch) const { return check_labels(batch, labels_); }
  /// See `labelled_rows`.
  void wanted(const tagged_batch& batch, std::vector<std::int32_t>& rows) const {
    labelled_rows(batch, rows, labelled_tokens::all);
  }

  /// Emissions [M, L].
  mat<scalar> scores(const pass<B>& run, mat<scalar> hidden) const {
    typename head_transform<B>::saved unused;
    return forward(run, hidden, unused);
  }
  /// Leaves emissions as they are: probabilities are those of words in chains, which `decode` finds.
  void normalise(const pass<B>& /*run*/, mat<scalar> /*emissions*/) const {}

  /// The likeliest labels [M] of the words of each sequence that the rules allow, and the probability of each of them
  /// [M] under all sequences that they allow. `emissions` [M, L], `words` and both results are in host memory.
  void decode(const pass<B>& run, mat<const scalar> emissions, const sequences& words, vec<std::int32_t> labels,
              vec<scalar> confidences) const {
    const index_t count = emissions.rows;
    const auto rows = run.scratch.template take<scalar>(count, labels_);
    const auto marginals = run.scratch.template take<scalar>(count, labels_);
    const sequences uploaded{run.upload(words.offsets), words.longest};
    std::vector<double> sums(static_cast<std::size_t>(words.count()));
    std::vector<scalar> host(static_cast<std::size_t>(count * labels_));
    run.device.upload(emissions.data, {rows.data, count * labels_});
    const vec<double> each{sums.data(), words.count()};
    const auto allowed = chain(true);
    run.device.crf_viterbi(allowed, rows, uploaded, {}, labels, each);
    run.device.crf_marginals(allowed, rows, uploaded, {}, marginals, each);
    if (run.device.dry_run()) return;
    run.device.download(vec<const scalar>{marginals.data, count * labels_}, host.data());
    for (index_t n = 0; n < count; ++n) confidences[n] = host[static_cast<std::size_t>(n * labels_ + labels[n])];
  }

  /// Minus the logarithm of the probability of the labels, of the wanted hidden states [M, H], which dropout changes
  /// in place. @throws onoma::error (invalid_argument) for labels that rules in training do not allow.
  loss_result forward_loss(const pass<B>& run, const tagged_batch& batch, mat<scalar> hidden, double divisor,
                           saved& keep) const {
    keep.emissions = forward(run, hidden, keep.transform);
    keep.hidden = hidden;
    labels_of_rows(batch, hidden.rows, keep.labels, labelled_tokens::all);
    const index_t longest = words_of_sequences(batch, keep.offsets);
    keep.words = {run.upload({keep.offsets.data(), static_cast<index_t>(keep.offsets.size())}), longest};
    keep.known.labels = run.upload({keep.labels.data(), hidden.rows});
    keep.scale = static_cast<scalar>(1.0 / divisor);
    if (keep.words.count() == 0) return {};
    return run.device.crf_loss(chain(settings_.rules_in_training), keep.emissions, keep.words, keep.known, keep.scale,
                               {}, {});
  }

  /// The gradient of the hidden states [M, H], from scratch; adds to those of the parameters.
  mat<scalar> backward(const pass<B>& run, const saved& kept) const {
    const auto demissions = run.scratch.template take<scalar>(kept.emissions.rows, labels_);
    if (kept.words.count() == 0) {
      run.device.fill(vec<scalar>{demissions.data, demissions.rows * labels_}, scalar(0));
    } else {
      static_cast<void>(run.device.crf_loss(
          chain(settings_.rules_in_training), kept.emissions, kept.words, kept.known, kept.scale, demissions,
          {transitions_.gradient_matrix(), start_.gradient, end_.gradient}));
    }
    const auto d = run.scratch.template take<scalar>(kept.hidden.rows, kept.hidden.cols);
    classifier_.backward(run.device, kept.hidden, demissions, set, d);
    run.device.dropout(d, mask(run));
    if (!transform_) return d;
    const auto dhidden = run.scratch.template take<scalar>(d.rows, d.cols);
    transform_->backward(run, d, dhidden, kept.transform);
    return dhidden;
  }

 private:
  /// Emissions; `hidden` becomes what the classifier reads.
  mat<scalar> forward(const pass<B>& run, mat<scalar>& hidden, typename head_transform<B>::saved& keep) const {
    if (transform_) hidden = transform_->forward(run, hidden, keep);
    run.drop(hidden, mask(run));
    const auto emissions = run.keep(hidden.rows, labels_);
    classifier_.forward(run.device, hidden, emissions);
    return emissions;
  }
  dropout_spec mask(const pass<B>& run) const { return run.dropout.at(random_place::head_dropout, dropout_); }
  [[nodiscard]] crf_chain<scalar> chain(bool obeys_rules) const {
    crf_chain<scalar> c{{transitions_.value_matrix(), start_.value, end_.value}};
    if (obeys_rules) c.rules = rules_.rules();
    return c;
  }

  std::optional<head_transform<B>> transform_;
  linear<B> classifier_;           // [L, H]
  parameter<scalar> transitions_;  // [L, L]
  parameter<scalar> start_;        // [L]
  parameter<scalar> end_;          // [L]
  crf_settings settings_;
  tag_scheme scheme_;
  tag_transitions rules_;
  index_t labels_;
  float dropout_;
};

}  // namespace onoma::inline ONOMA_ABI
