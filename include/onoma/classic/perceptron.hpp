/// The averaged perceptron for chains.
#pragma once

#include <onoma/classic/chain.hpp>
#include <onoma/classic/problem.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How the averaged perceptron learns.
struct perceptron_options {
  index_t epochs = 20;     ///< passes over the sentences, each in another order
  std::uint64_t seed = 1;  ///< of the orders
};

/// Where it stands after an epoch.
struct perceptron_progress {
  index_t epoch = 0;               ///< from 1
  index_t mistakes = 0;            ///< words that got another label than theirs in this epoch
  std::span<const double> weights; ///< averaged over all sentences so far
};

/// Learns from the best path of one sentence after another: what its labels have and the path has not gets one more,
/// the other way round one less; the result is the mean of the weights over all sentences.
/// Source: Collins, "Discriminative training methods for hidden Markov models", EMNLP 2002. One thread: each sentence
/// needs the weights that the one before it left.
class averaged_perceptron {
 public:
  /// All must outlive it.
  averaged_perceptron(const crf_problem& problem, const crf_features& features, perceptron_options options)
      : problem_(problem),
        features_(features),
        options_(options),
        labels_(static_cast<std::size_t>(problem.labels)),
        width_(chain_transitions::width_of(labels_)),
        weights_(features.count),
        sums_(features.count),
        means_(features.count),
        transitions_(labels_ * width_) {
    check(options.epochs >= 1, error_code::invalid_argument, "averaged perceptron", "at least one epoch", "none");
  }

  /// The mean weights after the last epoch, or the one after which `observe` returned false. It ends early after an
  /// epoch without a mistake.
  const std::vector<double>& run(function_ref<bool(const perceptron_progress&)> observe) {
    std::vector<std::uint32_t> order(problem_.sentences());
    std::iota(order.begin(), order.end(), std::uint32_t{0});
    for (index_t epoch = 1; epoch <= options_.epochs; ++epoch) {
      random_stream random(derive_key(options_.seed, static_cast<std::uint64_t>(epoch), 0));
      for (std::size_t i = order.size(); i > 1; --i) {
        std::swap(order[i - 1], order[random.below(static_cast<std::uint32_t>(i))]);
      }
      mistakes_ = 0;
      for (const auto sentence : order) learn(sentence);
      for (std::size_t f = 0; f < weights_.size(); ++f) means_[f] = weights_[f] - sums_[f] / time_;
      if (!observe({epoch, mistakes_, means_}) || mistakes_ == 0) break;
    }
    return means_;
  }

 private:
  template <class Use>
  void for_each_attribute(std::size_t word, Use use) const {
    for (const auto row : problem_.word_rows[word]) {
      for (const auto attribute : problem_.rows[row]) use(attribute);
    }
    for (const auto attribute : problem_.word_attributes[word]) use(attribute);
  }

  void learn(std::size_t sentence) {
    const std::size_t first = problem_.sentence_begins[sentence];
    const std::size_t count = problem_.sentence_begins[sentence + 1] - first;
    scores_.assign(count * width_, 0.0);
    for (std::size_t t = 0; t < count; ++t) {
      double* out = scores_.data() + t * width_;
      for_each_attribute(first + t, [&](std::uint32_t attribute) {
        for (std::size_t f = features_.begins[attribute]; f < features_.begins[attribute + 1]; ++f) {
          out[features_.labels[f]] += weights_[f];
        }
      });
    }
    path_.resize(count);
    static_cast<void>(viterbi_.run(scores_.data(), transitions_.data(), labels_, width_, count, path_.data()));
    for (std::size_t t = 0; t < count; ++t) {
      const auto right = problem_.targets[first + t];
      const auto found = static_cast<std::uint32_t>(path_[t]);
      if (right != found) {
        ++mistakes_;
        for_each_attribute(first + t, [&](std::uint32_t attribute) {
          move(features_.find(attribute, right), 1.0);
          move(features_.find(attribute, found), -1.0);
        });
      }
      if (t == 0) continue;
      move_transition(problem_.targets[first + t - 1], right, 1.0);
      move_transition(static_cast<std::uint32_t>(path_[t - 1]), found, -1.0);
    }
    time_ += 1.0;
  }
  void move(std::uint32_t feature, double by) {
    if (feature == crf_features::none) return;
    weights_[feature] += by;
    sums_[feature] += by * time_;
  }
  void move_transition(std::uint32_t from, std::uint32_t to, double by) {
    const auto feature = features_.transitions[from * labels_ + to];
    if (feature == crf_features::none) return;
    move(feature, by);
    transitions_[from * width_ + to] = weights_[feature];
  }

  const crf_problem& problem_;
  const crf_features& features_;
  perceptron_options options_;
  std::size_t labels_;
  std::size_t width_;
  std::vector<double> weights_;
  std::vector<double> sums_;         // of the changes, each times the time of it
  std::vector<double> means_;
  std::vector<double> transitions_;  // [L, width]
  double time_ = 1.0;                // the number of the sentence
  index_t mistakes_ = 0;
  std::vector<double> scores_;
  std::vector<std::int32_t> path_;
  best_path<double> viterbi_;
};

}  // namespace onoma::inline ONOMA_ABI
