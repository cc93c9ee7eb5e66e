/// Labels for spans of words, which may overlap and nest: a biaffine form of their first and last words.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/random_places.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/span_scores.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/heads/transform.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/span_decode.hpp>
#include <onoma/nn/linear.hpp>
#include <onoma/nn/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What a `span_head` has beside its tensors; in config.json an object under "onoma", "span".
struct span_settings {
  index_t width = 12;      ///< W: words of the longest span that is looked at
  index_t size = 128;      ///< D: elements of a word as the first, and as the last, of a span
  double negatives = 1.0;  ///< part of the spans without a label that each step learns from, drawn anew for each
  span_decoding decoding = span_decoding::nested;  ///< which spans may stand beside each other
  /// [L] the probability from which on spans of a label are kept; that of id 0 is not used
  std::vector<double> thresholds;
};

/// Of labels whose threshold is not said: no two labels of one span have so much.
inline constexpr double default_span_threshold = 0.5;

/// Reads them; what the object does not say is as `span_settings` has it. Null: an object that says nothing.
/// `thresholds` are an object of numbers by label.
/// @throws onoma::error (format, invalid_argument) for a setting that is none, or of another type or value.
[[nodiscard]] inline span_settings span_settings_of(const json& source, std::span<const std::string> labels) {
  constexpr const char* where = "config.json: 'onoma': 'span'";
  span_settings s;
  s.thresholds.assign(labels.size(), default_span_threshold);
  if (source.is_null()) return s;
  if (!source.is_object()) fail(error_code::format, where, "an object", describe(source));
  const auto in_range = [&](bool ok, const char* expected, const json& found) {
    if (!ok) fail(error_code::invalid_argument, where, expected, found.dump());
  };
  for (const auto& [key, value] : source.items()) {
    if (key == "width" || key == "size") {
      auto& to = key == "width" ? s.width : s.size;
      to = require<index_t>(source, key.c_str(), where);
      in_range(to >= 1 && to <= 4096, key == "width" ? "a width of 1 to 4096 words" : "a size of 1 to 4096", value);
    } else if (key == "negatives") {
      s.negatives = require<double>(source, "negatives", where);
      in_range(s.negatives > 0.0 && s.negatives <= 1.0, "negatives above 0 and up to 1", value);
    } else if (key == "decoding") {
      s.decoding = span_decoding_from_name(require<std::string>(source, "decoding", where));
    } else if (key == "thresholds") {
      if (!value.is_object()) fail(error_code::format, where, "thresholds by label", describe(value));
      for (const auto& [label, threshold] : value.items()) {
        const auto at = std::find(labels.begin(), labels.end(), label);
        in_range(at != labels.end(), "thresholds of its labels", label);
        in_range(threshold.is_number() && threshold >= 0.0 && threshold <= 1.0, "thresholds from 0 to 1", threshold);
        s.thresholds[static_cast<std::size_t>(at - labels.begin())] = threshold.template get<double>();
      }
    } else {
      fail(error_code::format, where, "the settings width, size, negatives, decoding and thresholds", "'" + key + "'");
    }
  }
  return s;
}

/// The other way: thresholds are left out where they are the default.
[[nodiscard]] inline json to_json(const span_settings& s, std::span<const std::string> labels) {
  json all = {{"width", s.width}, {"size", s.size}, {"negatives", s.negatives}, {"decoding", to_string(s.decoding)}};
  for (std::size_t l = 1; l < labels.size(); ++l) {
    if (s.thresholds[l] != default_span_threshold) all["thresholds"][labels[l]] = s.thresholds[l];
  }
  return all;
}

/// Which spans of the words of a sequence have which label. All others have none.
struct span_targets {
  /// A labelled span.
  struct labelled {
    std::int32_t first = 0;  ///< word
    std::int32_t last = 0;   ///< word, inclusive
    std::int32_t label = 0;  ///< id, above 0
  };
  /// Of one sequence.
  struct item {
    std::vector<std::int32_t> words;  ///< its tokens that begin words, ascending
    std::vector<labelled> spans;      ///< in any order, each once
    /// How many words: how much there is of it.
    [[nodiscard]] std::size_t size() const noexcept { return words.size(); }
  };

  word_rows words;              ///< of all sequences
  std::vector<labelled> spans;  ///< of all sequences, words counted through

  /// Takes all out.
  void clear() {
    words.clear();
    spans.clear();
    tokens_ = 0;
  }
  /// Appends those of one sequence of `tokens` tokens. @throws onoma::error (shape_mismatch) for words that are not
  /// ascending tokens of the sequence, (out_of_range) for spans that are not of its words.
  void add(std::size_t tokens, const item& of_sequence) {
    const auto count = static_cast<std::int32_t>(of_sequence.words.size());
    std::int32_t before = -1;
    for (const auto token : of_sequence.words) {
      check(token > std::exchange(before, token) && token < static_cast<std::int32_t>(tokens),
            error_code::shape_mismatch, "words of a sequence", "ascending tokens of it", "others");
    }
    const auto first = static_cast<std::int32_t>(words.rows.size());
    for (const auto& s : of_sequence.spans) {
      check(s.first >= 0 && s.first <= s.last && s.last < count, error_code::out_of_range, "spans of a sequence",
            "spans of its words", "another");
      spans.push_back({first + s.first, first + s.last, s.label});
    }
    words.add(tokens_, of_sequence.words);
    tokens_ += static_cast<index_t>(tokens);
  }

  /// What the loss is divided by: words.
  [[nodiscard]] static index_t count(const item& of_sequence) {
    return static_cast<index_t>(of_sequence.words.size());
  }
  /// Calls mix(number) for every number of a sequence's targets.
  template <class Mix>
  static void visit_numbers(const item& of_sequence, Mix&& mix) {
    for (const auto token : of_sequence.words) mix(static_cast<std::uint32_t>(token));
    for (const auto& s : of_sequence.spans) {
      for (const auto number : {s.first, s.last, s.label}) mix(static_cast<std::uint32_t>(number));
    }
  }

 private:
  index_t tokens_ = 0;
};

/// A batch for a head that labels spans.
using span_batch = training_batch<span_targets>;

/// A label for every span of up to W words, id 0 for none: words are read at their first tokens, through two layers
/// with GELU, as the first (s) and as the last (e) word of spans, and label l of a span of w + 1 words scores
/// s^T U_l e + a_l . s + c_l . e + b_l + width_wl (core/span_scores.hpp: U, c in one linear layer, a, b in another).
/// Probabilities are the softmax over the labels of one span. The loss is the cross-entropy of all labelled spans and
/// of those that `span_settings::negatives` leaves of the others, summed and divided by the words.
///
/// With the softmax, a span has one label at most: of two layers that label the same words otherwise, one is learned.
/// Time and memory are in proportion to words times width, in training too.
///
/// Tensors are named "span.begin", "span.end", "span.pair", "span.label" (each with weight and bias) and "span.width".
/// Source: Yu, Bohnet and Poesio, ACL 2020; a part of the spans without a label: Li, Liu and Shi, "Empirical analysis
/// of unlabeled entity problem in named entity recognition", ICLR 2021.
template <span_backend B>
class span_head {
 public:
  using backend_type = B;             ///< what computes
  using scalar = typename B::scalar;  ///< the type of numbers
  using targets = span_targets;       ///< what the loss compares with

  static constexpr std::string_view kind = "span";  ///< its name in config.json
  /// Of the names of its tensors, and of those of other heads
  static constexpr std::string_view prefixes[] = {"classifier.", "crf.", "span."};
  /// The same as a span, for `checkpoint_map`
  static constexpr std::span<const std::string_view> tensor_prefixes = prefixes;

  /// What backward reads.
  struct saved {
    typename head_transform<B>::saved transform;  ///< of the layer before, if there is one
    mat<scalar> hidden;                           ///< [M, H] of the words, after dropout
    mat<scalar> begin_pre;                        ///< [M, D] words as the first, before GELU
    mat<scalar> begin;                            ///< [M, D] behind it
    mat<scalar> end_pre;                          ///< [M, D] words as the last, before GELU
    mat<scalar> end;                              ///< [M, D] behind it
    mat<scalar> pair;                             ///< [M, L D]
    mat<scalar> label;                            ///< [M, L]
    sequences words;                              ///< of each sequence
    typename cross_entropy<B>::saved loss;        ///< of the loss
    std::vector<std::int32_t> labels;             ///< [M W] of the spans, in host memory
  };

  /// Of these sizes, without memory for its parameters yet.
  /// @throws onoma::error as `span_settings_of`.
  explicit span_head(const head_settings& s)
      : settings_(span_settings_of(s.own, s.names)),
        begin_(s.hidden, settings_.size),
        end_(s.hidden, settings_.size),
        pair_(settings_.size, s.labels * settings_.size),
        label_(settings_.size, s.labels),
        width_(parameter<scalar>::matrix(settings_.width, s.labels)),
        names_(s.names.begin(), s.names.end()),
        labels_(s.labels),
        dropout_(static_cast<float>(s.dropout)) {
    if (s.transform) transform_.emplace(s.hidden, *s.transform);
  }

  /// Calls visitor(scope, parameter) for each parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    if (transform_) transform_->visit(at / "head", visitor);
    const auto own = at / "span";
    begin_.visit(own / "begin", visitor);
    end_.visit(own / "end", visitor);
    pair_.visit(own / "pair", visitor);
    label_.visit(own / "label", visitor);
    visitor(own / "width", width_);
  }
  /// Calls visitor(layer) for each linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    if (transform_) transform_->visit_linears(visitor);
    for (auto* layer : {&begin_, &end_, &pair_, &label_}) layer->visit_linears(visitor);
  }

  /// What config.json keeps.
  [[nodiscard]] json settings() const { return to_json(settings_, names_); }
  /// W L
  [[nodiscard]] index_t columns() const noexcept { return settings_.width * labels_; }

  /// How many words there are. @throws onoma::error (out_of_range) for a label that is none of a span, or a span that
  /// has more words than are looked at.
  index_t check(const span_batch& batch) const {
    for (const auto& s : batch.targets.spans) {
      if (s.label < 1 || s.label >= labels_) {
        fail(error_code::out_of_range, "label of a span", "1 to " + std::to_string(labels_ - 1),
             std::to_string(s.label));
      }
      if (s.last - s.first >= settings_.width) {
        fail(error_code::out_of_range, "a labelled span", "at most " + std::to_string(settings_.width) + " words",
             std::to_string(s.last - s.first + 1));
      }
    }
    return static_cast<index_t>(batch.targets.words.rows.size());
  }
  /// The first tokens of words.
  void wanted(const span_batch& batch, std::vector<std::int32_t>& rows) const { rows = batch.targets.words.rows; }

  /// Logits [M, W L] of spans.
  mat<scalar> scores(const pass<B>& run, mat<scalar> hidden, const sequences& words) const {
    saved unused;
    unused.words = words;
    return forward(run, hidden, unused);
  }
  /// Logits become probabilities of the labels of each span, which sum to 1.
  void normalise(const pass<B>& run, mat<scalar> logits) const {
    const auto rows = by_span(logits);
    run.device.softmax(rows, rows);
  }

  /// The loss of the hidden states [M, H] of words, which dropout changes in place.
  loss_result forward_loss(const pass<B>& run, const span_batch& batch, mat<scalar> hidden, double divisor,
                           saved& keep) const {
    keep.hidden = hidden;
    keep.words = {};
    const auto& words = batch.targets.words;
    if (words.rows.empty()) return {};
    keep.words = {run.upload({words.offsets.data(), static_cast<index_t>(words.offsets.size())}),
                  words.layout().longest};
    const auto logits = by_span(forward(run, keep.hidden, keep));
    choose_labels(run.dropout, batch.targets, keep.labels);
    const auto labels = run.upload({keep.labels.data(), static_cast<index_t>(keep.labels.size())});
    auto loss = cross_entropy<B>::forward(run, logits, labels, divisor, keep.loss);
    loss.count = static_cast<index_t>(words.rows.size());
    return loss;
  }

  /// The gradient of the hidden states [M, H], from scratch; adds to those of the parameters.
  mat<scalar> backward(const pass<B>& run, const saved& kept) const {
    const auto take = [&](index_t columns) {
      return run.scratch.template take<scalar>(kept.hidden.rows, columns);
    };
    const auto d = take(kept.hidden.cols);
    if (kept.words.count() == 0) {
      run.device.fill(vec<scalar>{d.data, d.rows * d.cols}, scalar(0));
      return d;
    }
    const auto dpair = take(kept.pair.cols);
    const auto dlabel = take(labels_);
    const auto dbegin = take(settings_.size);
    const auto dend = take(settings_.size);
    const auto dlogits = cross_entropy<B>::backward(kept.loss);
    run.device.span_scores_backward(operands(kept), kept.words, {dlogits.data, kept.hidden.rows, columns()},
                                    {dpair, dend, dlabel, width_.gradient});
    pair_.backward(run.device, kept.begin, dpair, set, dbegin);
    label_.backward(run.device, kept.begin, dlabel, add, dbegin);
    run.device.activation_backward(activation::gelu, kept.begin_pre, dbegin);
    run.device.activation_backward(activation::gelu, kept.end_pre, dend);
    begin_.backward(run.device, kept.hidden, dbegin, set, d);
    end_.backward(run.device, kept.hidden, dend, add, d);
    run.device.dropout(d, mask(run));
    if (!transform_) return d;
    const auto dhidden = take(kept.hidden.cols);
    transform_->backward(run, d, dhidden, kept.transform);
    return dhidden;
  }

 private:
  /// Logits [M, W L]; `hidden` becomes what the layers read. `keep.words` is there already.
  mat<scalar> forward(const pass<B>& run, mat<scalar>& hidden, saved& keep) const {
    if (transform_) hidden = transform_->forward(run, hidden, keep.transform);
    run.drop(hidden, mask(run));
    const index_t words = hidden.rows;
    const auto activated = [&](const linear<B>& layer, mat<scalar>& pre, mat<scalar>& y) {
      pre = run.training ? run.keep(words, settings_.size) : mat<scalar>{};
      y = run.keep(words, settings_.size);
      layer.forward(run.device, hidden, activation::gelu, pre, y);
    };
    activated(begin_, keep.begin_pre, keep.begin);
    activated(end_, keep.end_pre, keep.end);
    keep.pair = run.keep(words, labels_ * settings_.size);
    pair_.forward(run.device, keep.begin, keep.pair);
    keep.label = run.keep(words, labels_);
    label_.forward(run.device, keep.begin, keep.label);
    const auto logits = run.keep(words, columns());
    run.device.span_scores(operands(keep), keep.words, logits);
    return logits;
  }
  [[nodiscard]] span_operands<scalar> operands(const saved& kept) const {
    return {kept.pair, kept.end, kept.label, width_.value};
  }
  /// [M W, L]
  [[nodiscard]] mat<scalar> by_span(mat<scalar> logits) const {
    return {logits.data, logits.rows * settings_.width, labels_};
  }
  dropout_spec mask(const pass<B>& run) const { return run.dropout.at(random_place::head_dropout, dropout_); }

  /// The label of each span; `ignored_label` beyond a sequence, and for spans without a label that are left out: by
  /// seed, step and place in the batch.
  void choose_labels(const dropout_masks& of_step, const span_targets& known,
                     std::vector<std::int32_t>& labels) const {
    const auto words = known.words.layout();
    labels.assign(known.words.rows.size() * static_cast<std::size_t>(settings_.width), ignored_label);
    const auto key = derive_key(of_step.seed, of_step.step, random_place::negative_spans);
    const double below = settings_.negatives * 4294967296.0;  // of 32 random bits
    for (index_t b = 0; b < words.count(); ++b) {
      for (index_t n = words.begin(b); n < words.begin(b) + words.length(b); ++n) {
        const index_t fit = span_widths(words.begin(b) + words.length(b) - n, settings_.width);
        for (index_t i = n * settings_.width; i < n * settings_.width + fit; ++i) {
          const bool chosen = settings_.negatives >= 1.0 ||
                              static_cast<double>(random_bits(key, static_cast<std::uint64_t>(i))) < below;
          if (chosen) labels[static_cast<std::size_t>(i)] = 0;
        }
      }
    }
    for (const auto& s : known.spans) {
      labels[static_cast<std::size_t>(s.first * settings_.width + s.last - s.first)] = s.label;
    }
  }

  span_settings settings_;
  std::optional<head_transform<B>> transform_;
  linear<B> begin_;          // [D, H]
  linear<B> end_;            // [D, H]
  linear<B> pair_;           // [L D, D]
  linear<B> label_;          // [L, D]
  parameter<scalar> width_;  // [W, L]
  std::vector<std::string> names_;
  index_t labels_;
  float dropout_;
};

}  // namespace onoma::inline ONOMA_ABI
