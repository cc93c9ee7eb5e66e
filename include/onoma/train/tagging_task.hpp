/// What a trainer trains a model for, and the task of tagging sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/train/dataset.hpp>

#include <concepts>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A task makes the examples that a model learns from and says how good the model is. `settings` names, as
/// an object of JSON, everything of it that decides what a step does: a training state belongs to it.
/// `window_length` is that of its examples, in tokens.
template <class T, class Model>
concept training_task = requires(T& task, const T& constant, Model& model) {
  { constant.examples() } -> std::same_as<const std::vector<example_of<typename Model::targets>>&>;
  { constant.window_length() } -> std::same_as<index_t>;
  { constant.settings() } -> std::same_as<json>;
  { constant.has_dev() } -> std::same_as<bool>;
  { task.evaluate(model) } -> std::same_as<ner_report>;
  { constant.score(ner_report{}) } -> std::same_as<double>;
};

/// Labels for the words of sentences, scored by the F1 of the entities of dev sentences.
class tagging_task {
 public:
  /// The tokenizer must outlive the task.
  /// @throws onoma::error (out_of_range) for a tag of `train` that the model does not have.
  template <class Model>
  tagging_task(const Model& model, const tokenizer& tokens, const std::vector<sentence>& train,
               std::vector<sentence> dev, const dataset_options& options = {})
      : tokens_(&tokens), dev_(std::move(dev)), options_(options) {
    options_.max_length = options.max_length > 0 ? std::min(options.max_length, model.max_length())
                                                 : model.max_length();
    examples_ = make_examples(tokens, train, tag_set(model.labels()), options_);
    labels_ = model.labels();
  }

  /// The training sentences as examples.
  [[nodiscard]] const std::vector<training_example>& examples() const noexcept { return examples_; }
  /// Tokens per example and per window of dev sentences.
  [[nodiscard]] index_t window_length() const noexcept { return options_.max_length; }
  /// What a training state must agree on to be resumed.
  [[nodiscard]] json settings() const {
    return {{"max length", options_.max_length},
            {"label all tokens", options_.align.label_all_tokens},
            {"examples", examples_.size()},
            {"digest of the examples", digest(examples_)},
            {"labels", labels_}};
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
  std::vector<training_example> examples_;
};

}  // namespace onoma::inline ONOMA_ABI
