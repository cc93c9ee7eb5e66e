/// Trains a classical model.
#pragma once

#include <onoma/classic/decoder.hpp>
#include <onoma/classic/dictionary.hpp>
#include <onoma/classic/lbfgs.hpp>
#include <onoma/classic/model.hpp>
#include <onoma/classic/objective.hpp>
#include <onoma/classic/perceptron.hpp>
#include <onoma/classic/problem.hpp>
#include <onoma/classic/templates.hpp>
#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/text/words/learn_word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How weights are learned.
enum class classic_algorithm {
  likelihood,  ///< the most likely weights, less penalties on their size: L-BFGS, or OWL-QN if c1 > 0
  perceptron,  ///< the averaged perceptron: faster, and without probabilities that mean something
};

/// Where training stands after an iteration (an epoch of the perceptron).
struct classic_progress {
  index_t iteration = 0;        ///< from 1
  double loss = 0.0;            ///< -log P of all labels with the penalties; of the perceptron: wrong words
  double gradient_norm = 0.0;   ///< of the loss; of the perceptron: 0
  index_t weights = 0;          ///< that are not 0
  std::optional<double> dev_f1; ///< of the dev sentences, where they were looked at after this iteration
};

/// How a classical model is trained.
struct classic_training_options {
  std::vector<feature_template> templates{};  ///< none: `default_templates`
  const gazetteer* list = nullptr;            ///< for the templates of lists; it is saved in the model
  index_t hash_bits = 0;                      ///< 0: each value has its own number; else so many bits of a hash
  crf_feature_options features{};             ///< which weights there are
  classic_algorithm algorithm = classic_algorithm::likelihood;  ///< how they are learned
  double c2 = 0.1;                            ///< times the sum of the squares of the weights, added to the loss
  lbfgs_options lbfgs{.c1 = 0.1};             ///< with c1, times the sum of their absolute values
  perceptron_options perceptron{};            ///< for the perceptron
  index_t dev_every = 0;  ///< > 0: after so many iterations the dev sentences are labelled, and the best weights stay
  bool scheme_rules = true;  ///< labels obey the scheme that most tags of the training sentences follow
  executor_ref executor{};   ///< the result has the same bits for any number of threads
  std::optional<cancellation> stop{};  ///< looked at between iterations
  json own = json::object();           ///< what else the model says of itself
};

/// Labels sentences on the threads of an executor; results do not depend on it.
/// @throws onoma::error as `classic_decoder::decode`.
[[nodiscard]] inline tag_sequences predict(const classic_model& model, std::span<const sentence> sentences,
                                           executor_ref executor = {}) {
  tag_sequences tags(sentences.size());
  const index_t tasks = std::min<index_t>(executor.concurrency(), static_cast<index_t>(sentences.size() / 16 + 1));
  std::atomic<std::size_t> next{0};
  executor.parallel_for(tasks, [&](index_t) {
    constexpr std::size_t some = 64;
    classic_decoder decoder(model);
    for (std::size_t first = next.fetch_add(some); first < sentences.size(); first = next.fetch_add(some)) {
      for (std::size_t s = first; s < std::min(sentences.size(), first + some); ++s) {
        const std::span<const std::string> words(sentences[s].words);
        for (const auto label : decoder.decode(words)) {
          tags[s].push_back(model.labels()[static_cast<std::size_t>(label)]);
        }
      }
    }
  });
  return tags;
}

/// Trains one model. An object for one run.
class classic_trainer {
 public:
  /// Reads the sentences; the tags that they have are the labels. `dev` may be empty. What the options refer to must
  /// outlive the trainer.
  /// @throws onoma::error (invalid_argument) for no sentence or options out of their domain; as
  /// `classic_dictionary::add`, naming the sentence.
  classic_trainer(std::span<const sentence> train, std::vector<sentence> dev, classic_training_options options)
      : options_(std::move(options)),
        dev_(std::move(dev)),
        plan_(options_.templates.empty() ? default_templates(options_.list != nullptr) : options_.templates),
        dictionary_(plan_, options_.list, options_.hash_bits) {
    check(options_.c2 >= 0 && options_.dev_every >= 0 && options_.features.min_frequency >= 0,
          error_code::invalid_argument, "training a classical model", "no negative option", "one");
    tag_sequences all;
    for (const auto& s : train) all.push_back(s.tags);
    tags_ = tag_set::from_tags(all);
    word_rules_learner words;
    for (std::size_t i = 0; i < train.size(); ++i) {
      try {
        dictionary_.add(train[i], tags_);
        words.add(train[i].words, train[i].tags);
      } catch (const error& problem) {
        fail(problem.code(), "sentence " + std::to_string(i + 1) + ": " + problem.operation(), problem.expected(),
             problem.found());
      }
    }
    dictionary_.problem().validate();
    features_ = make_features(dictionary_.problem(), options_.features);
    if (options_.scheme_rules) scheme_ = find_scheme(train);
    if (!options_.own.contains(word_rules_key)) options_.own[word_rules_key] = to_json(words.rules());
  }

  /// Trains, and calls `observe` after each iteration; false ends training with the weights as they are.
  /// @throws onoma::error (cancelled) as the options say; then there is no model.
  [[nodiscard]] classic_model run(function_ref<bool(const classic_progress&)> observe) {
    std::vector<double> weights = options_.algorithm == classic_algorithm::perceptron ? run_perceptron(observe)
                                                                                      : run_likelihood(observe);
    if (!best_.empty()) weights = best_;
    return make_model(weights);
  }
  /// The same, unobserved.
  [[nodiscard]] classic_model run() {
    return run([](const classic_progress&) { return true; });
  }

  /// The labels.
  [[nodiscard]] const tag_set& tags() const noexcept { return tags_; }
  /// What is learned from: words as attributes.
  [[nodiscard]] const classic_dictionary& dictionary() const noexcept { return dictionary_; }
  /// The weights that there are.
  [[nodiscard]] const crf_features& features() const noexcept { return features_; }
  /// The scheme whose rules labels obey, if there is one.
  [[nodiscard]] const std::optional<tag_scheme>& scheme() const noexcept { return scheme_; }
  /// Of the loss, after `run`: why it ended.
  [[nodiscard]] lbfgs_end end() const noexcept { return end_; }
  /// A model of other weights, one for each of `features()`.
  [[nodiscard]] classic_model make_model(std::span<const double> weights) const {
    return dictionary_.make_model(tags_, features_, weights, scheme_, options_.own);
  }

 private:
  /// None where some tag is foreign to it, or its rules leave no path.
  [[nodiscard]] std::optional<tag_scheme> find_scheme(std::span<const sentence> train) const {
    const auto guess = guess_scheme(train);
    if (!guess.scheme || guess.foreign > 0) return std::nullopt;
    try {
      static_cast<void>(transitions_of(tags_, *guess.scheme));
    } catch (const error&) {
      return std::nullopt;
    }
    return guess.scheme;
  }

  [[nodiscard]] static index_t count_weights(std::span<const double> weights) {
    index_t count = 0;
    for (const double w : weights) count += w != 0.0 ? 1 : 0;
    return count;
  }

  /// The F1 on the dev sentences, if it is their turn; the best weights are kept.
  [[nodiscard]] std::optional<double> look_at_dev(index_t iteration, std::span<const double> weights) {
    if (dev_.empty() || options_.dev_every == 0 || iteration % options_.dev_every != 0) return std::nullopt;
    const double f1 = evaluate(tags_of(dev_), predict(make_model(weights), dev_, options_.executor)).micro.f1;
    if (best_.empty() || f1 > best_f1_) {
      best_f1_ = f1;
      best_.assign(weights.begin(), weights.end());
    }
    return f1;
  }
  void check_stop() const {
    if (options_.stop) options_.stop->check("training a classical model");
  }

  std::vector<double> run_likelihood(function_ref<bool(const classic_progress&)> observe) {
    crf_objective objective(dictionary_.problem(), features_, options_.executor);
    vector_work work(features_.count, options_.executor);
    const double c2 = options_.c2;
    const auto loss = [&](std::span<const double> x, std::span<double> g) {
      check_stop();
      const double value = objective(x, g);
      if (c2 == 0.0) return value;
      return value + c2 * work.sum([&](std::size_t i) {
        g[i] += 2.0 * c2 * x[i];
        return x[i] * x[i];
      });
    };
    lbfgs search(features_.count, options_.lbfgs, options_.executor);
    end_ = search.run(loss, [&](const lbfgs_progress& p) {
      classic_progress now{p.iteration, p.value, p.gradient_norm, count_weights(p.arguments), {}};
      now.dev_f1 = look_at_dev(p.iteration, p.arguments);
      return observe(now);
    });
    return search.arguments();
  }

  std::vector<double> run_perceptron(function_ref<bool(const classic_progress&)> observe) {
    averaged_perceptron learner(dictionary_.problem(), features_, options_.perceptron);
    return learner.run([&](const perceptron_progress& p) {
      check_stop();
      classic_progress now{p.epoch, static_cast<double>(p.mistakes), 0.0, count_weights(p.weights), {}};
      now.dev_f1 = look_at_dev(p.epoch, p.weights);
      return observe(now);
    });
  }

  classic_training_options options_;
  std::vector<sentence> dev_;
  template_plan plan_;
  classic_dictionary dictionary_;
  tag_set tags_;
  crf_features features_;
  std::optional<tag_scheme> scheme_;
  std::vector<double> best_;
  double best_f1_ = 0.0;
  lbfgs_end end_ = lbfgs_end::converged;
};

}  // namespace onoma::inline ONOMA_ABI
