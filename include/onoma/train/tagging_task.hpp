/// What a trainer trains a model for, and the task of tagging sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/text/words/learn_word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>
#include <onoma/train/dataset.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A task makes the examples that a model learns from and says how good the model is. `settings` names, as
/// an object of JSON, everything of it that decides what a step does: a training state belongs to it.
/// `window_length` is that of its examples, in tokens. A task may also have `describe(model)`, which tells
/// the model what is saved with it.
template <class T, class Model>
concept training_task = requires(T& task, const T& constant, Model& model) {
  { constant.examples() } -> std::same_as<const std::vector<example_of<typename Model::targets>>&>;
  { constant.window_length() } -> std::same_as<index_t>;
  { constant.settings() } -> std::same_as<json>;
  { constant.has_dev() } -> std::same_as<bool>;
  { task.evaluate(model) } -> std::same_as<ner_report>;
  { constant.score(ner_report{}) } -> std::same_as<double>;
};

/// Labels for the words of sentences, scored by the F1 of the entities of dev sentences. Raw text has other
/// words than these unless it is cut as they were: rules for that are learned too.
class tagging_task {
 public:
  /// The tokenizer must outlive the task.
  /// @throws onoma::error (out_of_range) for a tag of `train` that the model does not have, (invalid_argument) for
  /// `label_all_tokens` with a head that labels words together.
  template <class Model>
  tagging_task(const Model& model, const tokenizer& tokens, const std::vector<sentence>& train,
               std::vector<sentence> dev, const dataset_options& options = {})
      : tokens_(&tokens), dev_(std::move(dev)), options_(options) {
    options_.max_length = options.max_length > 0 ? std::min(options.max_length, model.max_length())
                                                 : model.max_length();
    examples_ = make_examples(tokens, train, tag_set(model.labels()), options_);
    labels_ = model.labels();
    if constexpr (requires { model.model().head().settings(); }) {
      head_ = model.model().head().settings();
      if (const auto& scheme = model.config().scheme) head_["scheme"] = to_string(*scheme);
      check(!options_.align.label_all_tokens, error_code::invalid_argument, "a head that labels words together",
            "labels of the first pieces of words alone", "of all pieces");
    }
    word_rules_learner words;
    for (const auto& s : train) words.add(s.words, s.tags);
    word_rules_ = words.rules();
  }

  /// The training sentences as examples.
  [[nodiscard]] const std::vector<training_example>& examples() const noexcept { return examples_; }
  /// How the training sentences are cut into words, for raw text.
  [[nodiscard]] const word_rules& words() const noexcept { return word_rules_; }
  /// Gives the model the word rules: who loads it finds the words of raw text by them.
  template <class Model>
  void describe(Model& model) const {
    model.set_own(word_rules_key, to_json(word_rules_));
  }
  /// Tokens per example and per window of dev sentences.
  [[nodiscard]] index_t window_length() const noexcept { return options_.max_length; }
  /// What a training state must agree on to be resumed.
  [[nodiscard]] json settings() const {
    json all = {{"max length", options_.max_length},
                {"label all tokens", options_.align.label_all_tokens},
                {"examples", examples_.size()},
                {"digest of the examples", digest(examples_)},
                {"labels", labels_}};
    if (!head_.is_null()) all["head"] = head_;
    return all;
  }
  /// Whether there are dev sentences.
  [[nodiscard]] bool has_dev() const noexcept { return !dev_.empty(); }
  /// Scores of the dev sentences.
  template <class Model>
  [[nodiscard]] ner_report evaluate(Model& model) const {
    return evaluate_on(model, *tokens_, dev_, {}, {.max_length = options_.max_length});
  }
  /// What makes an epoch the best: micro F1.
  [[nodiscard]] double score(const ner_report& report) const noexcept { return report.micro.f1; }

 private:
  const tokenizer* tokens_;
  std::vector<sentence> dev_;
  dataset_options options_;
  std::vector<std::string> labels_;
  json head_;  // its settings, if it has some
  std::vector<training_example> examples_;
  word_rules word_rules_;
};

}  // namespace onoma::inline ONOMA_ABI
