/// The task of finding spans of words, which may overlap and nest.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/words/learn_word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>
#include <onoma/train/dataset.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

using span_example = example_of<span_targets>;  ///< for a head that labels spans

/// The label of no span: id 0.
inline constexpr std::string_view no_span_label = "O";

/// The labels of spans by id: none, then those of the documents in the order of their names.
/// @throws onoma::error (invalid_argument) for documents without any span, or a label "O".
[[nodiscard]] inline std::vector<std::string> span_labels(std::span<const document> documents) {
  std::set<std::string> names;
  for (const auto& d : documents) {
    for (const auto& e : d.spans) names.insert(e.label);
  }
  check(!names.empty(), error_code::invalid_argument, "labels of spans", "at least one span", "none");
  check(names.count(std::string(no_span_label)) == 0 && names.count("") == 0, error_code::invalid_argument,
        "labels of spans", "names other than 'O', which is that of no span", "one of these");
  std::vector<std::string> labels = {std::string(no_span_label)};
  labels.insert(labels.end(), names.begin(), names.end());
  return labels;
}

/// A true span that the model cannot find, and why.
struct unreached_span {
  /// Reasons.
  enum class reason {
    no_word,     ///< it does not begin and end with words of which the tokenizer makes pieces
    cut,         ///< it begins in one example and ends in the next: examples of a long text share no words
    too_wide,    ///< more words than the head looks at
    same_words,  ///< the same words have another label, and a span has one
  };
  std::size_t document = 0;  ///< its number
  std::size_t span = 0;      ///< its number there
  reason why = reason::no_word;  ///< the first that applies
};

/// A phrase that says so.
[[nodiscard]] constexpr std::string_view to_string(unreached_span::reason why) noexcept {
  switch (why) {
    case unreached_span::reason::too_wide: return "more words than the width";
    case unreached_span::reason::cut: return "cut by the end of an example";
    case unreached_span::reason::same_words: return "another label on the same words";
    case unreached_span::reason::no_word: return "no whole words with pieces";
  }
  return "?";
}

/// How documents become examples for a head of spans.
struct span_dataset_options {
  index_t max_length = 256;  ///< tokens per example; longer documents become several, without overlap
  index_t width = 12;        ///< words of the longest span
};

namespace detail {

/// Puts the examples of one document after another together.
class span_examples {
 public:
  span_examples(const std::vector<std::string>& labels, const span_dataset_options& options)
      : labels_(labels), options_(options) {}

  void add(std::size_t number, const document& d, std::vector<encoding>& windows) {
    where_.assign(d.words.size(), {});
    const encoding* before = nullptr;
    for (auto& window : windows) {
      span_example example{{}, {span_collector::first_pieces(window, std::exchange(before, &window)), {}}};
      for (std::size_t k = 0; k < example.labels.words.size(); ++k) {
        const auto word = window.word_ids[static_cast<std::size_t>(example.labels.words[k])];
        where_[static_cast<std::size_t>(word)] = {examples.size(), static_cast<std::int32_t>(k)};
      }
      example.ids = window.ids;
      examples.push_back(std::move(example));
    }
    for (std::size_t s = 0; s < d.spans.size(); ++s) add_span(number, s, d);
  }

  std::vector<span_example> examples;
  std::vector<unreached_span> unreached;

 private:
  using reason = unreached_span::reason;
  struct place {
    std::size_t example = SIZE_MAX;
    std::int32_t word = 0;
  };

  void add_span(std::size_t number, std::size_t s, const document& d) {
    const auto& e = d.spans[s];
    const auto miss = [&](reason why) { unreached.push_back({number, s, why}); };
    const auto at = [](const auto& all, index_t i) { return all[static_cast<std::size_t>(i)]; };
    const bool whole = e.first <= e.last && at(d.words, e.first).begin == e.span.bytes.begin &&
                       at(d.words, e.last).end == e.span.bytes.end;
    if (!whole) return miss(reason::no_word);
    const auto begin = at(where_, e.first);
    const auto end = at(where_, e.last);
    if (begin.example == SIZE_MAX || end.example == SIZE_MAX) return miss(reason::no_word);
    if (begin.example != end.example) return miss(reason::cut);
    if (end.word - begin.word >= options_.width) return miss(reason::too_wide);
    const auto label = std::find(labels_.begin(), labels_.end(), e.label);
    if (label == labels_.end() || label == labels_.begin()) {
      fail(error_code::out_of_range, "document " + std::to_string(number + 1) + ", the span '" + e.text + "'",
           "a label of the model", "'" + e.label + "'");
    }
    const auto id = static_cast<std::int32_t>(label - labels_.begin());
    auto& known = examples[begin.example].labels.spans;
    for (const auto& other : known) {
      if (other.first != begin.word || other.last != end.word) continue;
      if (other.label != id) miss(reason::same_words);  // the first stays
      return;
    }
    known.push_back({begin.word, end.word, id});
  }

  const std::vector<std::string>& labels_;
  const span_dataset_options& options_;
  std::vector<place> where_;  // by word of the document
};

}  // namespace detail

/// Finds spans, scored by their F1 on dev documents. A true span that the head cannot reach is no target, is counted
/// and listed (`unreached`), and counts as missed in every score.
class span_task {
 public:
  /// Documents are split into words. The tokenizer must outlive the task. `max_length`: tokens per example; 0: as many
  /// as the model takes.
  /// @throws onoma::error (out_of_range) for a label of `train` that the model does not have, (invalid_argument) for
  /// a document that is not split.
  template <class Model>
  span_task(const Model& model, const tokenizer& tokens, std::span<const document> train, std::vector<document> dev,
            index_t max_length = 0)
      : tokens_(&tokens), dev_(std::move(dev)), labels_(model.labels()), head_(model.model().head().settings()) {
    head_.erase("thresholds");
    options_.max_length = max_length > 0 ? std::min(max_length, model.max_length()) : model.max_length();
    options_.width = own_settings().width;
    detail::span_examples made(labels_, options_);
    word_rules_learner words;
    tokenizer::workspace work(tokens);
    for (std::size_t i = 0; i < train.size(); ++i) {
      const auto of_text = words_of(train[i]);
      auto windows = tokens.encode_words(of_text, {options_.max_length, 0, true}, work);
      made.add(i, train[i], windows);
      words.add(of_text, view_tags(train[i]).tags);
    }
    examples_ = std::move(made.examples);
    unreached_ = std::move(made.unreached);
    word_rules_ = words.rules();
  }

  /// The training documents as examples.
  [[nodiscard]] const std::vector<span_example>& examples() const noexcept { return examples_; }
  /// The spans of the training documents that the head cannot reach.
  [[nodiscard]] const std::vector<unreached_span>& unreached() const noexcept { return unreached_; }
  /// Gives the model the word rules, as `tagging_task` does, and takes thresholds away that were of other weights.
  template <class Model>
  void describe(Model& model) const {
    model.set_own(word_rules_key, to_json(word_rules_));
    model.set_own("span", head_);
  }
  /// Tokens per example and per window of dev documents.
  [[nodiscard]] index_t window_length() const noexcept { return options_.max_length; }
  /// What a training state must agree on to be resumed.
  [[nodiscard]] json settings() const {
    return {{"max length", options_.max_length},
            {"examples", examples_.size()},
            {"digest of the examples", digest(examples_)},
            {"labels", labels_},
            {"head", head_}};
  }
  /// Whether there are dev documents.
  [[nodiscard]] bool has_dev() const noexcept { return !dev_.empty(); }
  /// Scores of the dev documents, without thresholds of labels.
  template <class Model>
  [[nodiscard]] ner_report evaluate(Model& model) const {
    const auto found = predict_spans(model, *tokens_, dev_, own_settings(), {.max_length = options_.max_length});
    return onoma::evaluate(std::span<const document>(dev_), std::span<const document>(found));
  }
  /// What makes an epoch the best: micro F1.
  [[nodiscard]] double score(const ner_report& report) const noexcept { return report.micro.f1; }

  /// Chooses the threshold of each label by the dev documents (`best_thresholds`) and gives them to the model, which
  /// keeps them when it is saved.
  template <class Model>
  void tune(Model& model) const {
    auto how = own_settings();
    // Of what is less likely, not one in ten is right; it would crowd out what is.
    how.thresholds.assign(labels_.size(), 0.1);
    const auto found = predict_spans(model, *tokens_, dev_, how, {.max_length = options_.max_length});
    std::vector<judged_span> judged;
    std::vector<index_t> gold(labels_.size(), 0);
    const auto id = [&](const std::string& label) {
      return std::find(labels_.begin(), labels_.end(), label) - labels_.begin();
    };
    for (std::size_t i = 0; i < dev_.size(); ++i) {
      std::set<std::pair<std::pair<index_t, index_t>, std::string_view>> true_ones;
      const auto place = [](const entity& e) { return std::pair(e.span.bytes.begin, e.span.bytes.end); };
      for (const auto& e : dev_[i].spans) {
        const auto label = id(e.label);
        if (true_ones.emplace(place(e), e.label).second && label < std::ssize(gold)) {
          gold[static_cast<std::size_t>(label)] += 1;
        }
      }
      for (const auto& e : found[i].spans) {
        judged.push_back({static_cast<std::int32_t>(id(e.label)), e.score, true_ones.count({place(e), e.label}) != 0});
      }
    }
    how.thresholds = best_thresholds(std::move(judged), gold, default_span_threshold);
    model.set_own("span", to_json(how, labels_));
  }

 private:
  [[nodiscard]] span_settings own_settings() const { return span_settings_of(head_, labels_); }

  const tokenizer* tokens_;
  std::vector<document> dev_;
  std::vector<std::string> labels_;
  json head_;  // its settings, without thresholds
  span_dataset_options options_;
  std::vector<span_example> examples_;
  std::vector<unreached_span> unreached_;
  word_rules word_rules_;
};

}  // namespace onoma::inline ONOMA_ABI
