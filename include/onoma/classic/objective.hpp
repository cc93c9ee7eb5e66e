/// How likely a chain makes the labels of its training data, and the gradient of that.
#pragma once

#include <onoma/classic/chain.hpp>
#include <onoma/classic/problem.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The negative log-likelihood of a problem as a function of the weights, in double precision.
///
/// Work is split over outputs (rows, sentences, attributes) and in parts whose number does not depend on the threads;
/// sums of parts are taken in their order: results have the same bits for any number of threads.
class crf_objective {
 public:
  /// `problem` and `features` must outlive it, and the executor too.
  crf_objective(const crf_problem& problem, const crf_features& features, executor_ref executor = {})
      : problem_(problem),
        features_(features),
        executor_(executor),
        labels_(static_cast<std::size_t>(problem.labels)),
        width_(chain_transitions::width_of(labels_)),
        chain_(labels_),
        rows_(problem.rows.size() * width_),
        words_(problem.words() * width_),
        sentences_(problem.sentences()),
        words_of_rows_(problem.word_rows.inverted(problem.rows.size())),
        rows_of_attributes_(problem.rows.inverted(static_cast<std::size_t>(problem.attributes))),
        words_of_attributes_(problem.word_attributes.inverted(static_cast<std::size_t>(problem.attributes))) {
    split_sentences();
    pairs_.resize((parts_.size() - 1) * labels_ * width_);
  }

  /// -log P(labels | words), over all sentences, at `weights`; `gradient` gets its derivatives. Both have a number for
  /// each weight of the features.
  /// @throws onoma::error (invalid_argument) if a sentence's sum is not finite, with its number.
  double operator()(std::span<const double> weights, std::span<double> gradient) {
    set_transitions(weights);
    score_rows(weights);
    run_sentences(weights);
    double loss = 0.0;
    for (std::size_t s = 0; s < sentences_.size(); ++s) {
      if (!std::isfinite(sentences_[s])) {
        fail(error_code::invalid_argument, "training a linear chain: sentence " + std::to_string(s + 1),
             "scores whose sums are finite", std::to_string(sentences_[s]));
      }
      loss += sentences_[s];
    }
    sum_rows();
    sum_attributes(gradient);
    sum_transitions(gradient);
    return loss;
  }

 private:
  static constexpr std::size_t words_of_part = 1024;
  static constexpr std::size_t items_of_part = 2048;

  /// Parts of about a thousand words.
  void split_sentences() {
    parts_ = {0};
    for (std::size_t s = 0; s < problem_.sentences(); ++s) {
      const std::size_t words = problem_.sentence_begins[s + 1] - problem_.sentence_begins[parts_.back()];
      if (words >= words_of_part || s + 1 == problem_.sentences()) parts_.push_back(s + 1);
    }
  }
  template <class Task>
  void in_parts(std::size_t count, Task task) {
    const auto parts = static_cast<index_t>((count + items_of_part - 1) / items_of_part);
    executor_.parallel_for(parts, [&](index_t part) {
      const std::size_t first = static_cast<std::size_t>(part) * items_of_part;
      const std::size_t end = std::min(count, first + items_of_part);
      for (std::size_t i = first; i < end; ++i) task(i);
    });
  }

  void set_transitions(std::span<const double> weights) {
    for (std::size_t i = 0; i < labels_; ++i) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const auto f = features_.transitions[i * labels_ + j];
        chain_(i, j) = f == crf_features::none ? 0.0 : weights[f];
      }
    }
    chain_.prepare();
  }

  void add_scores(std::uint32_t attribute, std::span<const double> weights, double* scores) const {
    for (std::size_t f = features_.begins[attribute]; f < features_.begins[attribute + 1]; ++f) {
      scores[features_.labels[f]] += weights[f];
    }
  }

  void score_rows(std::span<const double> weights) {
    in_parts(problem_.rows.size(), [&](std::size_t row) {
      double* scores = rows_.data() + row * width_;
      std::fill(scores, scores + width_, 0.0);
      for (const auto attribute : problem_.rows[row]) add_scores(attribute, weights, scores);
    });
  }

  /// For each word the probabilities of its labels, less 1 for its own; for each part the pairs likewise.
  void run_sentences(std::span<const double> weights) {
    executor_.parallel_for(static_cast<index_t>(parts_.size() - 1), [&](index_t part) {
      chain_sums sums;
      const auto p = static_cast<std::size_t>(part);
      double* pairs = pairs_.data() + p * labels_ * width_;
      std::fill(pairs, pairs + labels_ * width_, 0.0);
      for (std::size_t s = parts_[p]; s < parts_[p + 1]; ++s) run_sentence(s, weights, sums, pairs);
    });
  }
  void run_sentence(std::size_t s, std::span<const double> weights, chain_sums& sums, double* pairs) {
    const std::size_t first = problem_.sentence_begins[s];
    const std::size_t count = problem_.sentence_begins[s + 1] - first;
    double* scores = words_.data() + first * width_;
    double path = 0.0;
    for (std::size_t t = 0; t < count; ++t) {
      double* out = scores + t * width_;
      std::fill(out, out + width_, 0.0);
      for (const auto row : problem_.word_rows[first + t]) {
        const double* more = rows_.data() + row * width_;
        for (std::size_t j = 0; j < width_; ++j) out[j] += more[j];
      }
      for (const auto attribute : problem_.word_attributes[first + t]) add_scores(attribute, weights, out);
      const auto label = problem_.targets[first + t];
      path += out[label];
      if (t > 0) path += chain_(problem_.targets[first + t - 1], label);
    }
    sentences_[s] = sums.run(chain_, scores, count) - path;
    sums.add_pairs(chain_, pairs);
    for (std::size_t t = 0; t < count; ++t) {
      const auto label = problem_.targets[first + t];
      sums.marginals(t, scores + t * width_);
      scores[t * width_ + label] -= 1.0;
      if (t > 0) pairs[problem_.targets[first + t - 1] * width_ + label] -= 1.0;
    }
  }

  void add_words(std::span<const std::uint32_t> words, double* sum) const {
    for (const auto word : words) {
      const double* more = words_.data() + word * width_;
      for (std::size_t j = 0; j < width_; ++j) sum[j] += more[j];
    }
  }

  /// Rows get the sums of their words.
  void sum_rows() {
    in_parts(problem_.rows.size(), [&](std::size_t row) {
      double* sum = rows_.data() + row * width_;
      std::fill(sum, sum + width_, 0.0);
      add_words(words_of_rows_[row], sum);
    });
  }
  void sum_attributes(std::span<double> gradient) {
    const auto attributes = static_cast<std::size_t>(problem_.attributes);
    const auto parts = static_cast<index_t>((attributes + items_of_part - 1) / items_of_part);
    executor_.parallel_for(parts, [&](index_t part) {
      std::vector<double> sum(width_);
      const std::size_t first = static_cast<std::size_t>(part) * items_of_part;
      for (std::size_t a = first; a < std::min(attributes, first + items_of_part); ++a) {
        if (features_.begins[a] == features_.begins[a + 1]) continue;
        std::fill(sum.begin(), sum.end(), 0.0);
        for (const auto row : rows_of_attributes_[a]) {
          const double* more = rows_.data() + row * width_;
          for (std::size_t j = 0; j < width_; ++j) sum[j] += more[j];
        }
        add_words(words_of_attributes_[a], sum.data());
        for (std::size_t f = features_.begins[a]; f < features_.begins[a + 1]; ++f) {
          gradient[f] = sum[features_.labels[f]];
        }
      }
    });
  }
  void sum_transitions(std::span<double> gradient) const {
    for (std::size_t i = 0; i < labels_; ++i) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const auto f = features_.transitions[i * labels_ + j];
        if (f == crf_features::none) continue;
        double sum = 0.0;
        for (std::size_t p = 0; p + 1 < parts_.size(); ++p) sum += pairs_[(p * labels_ + i) * width_ + j];
        gradient[f] = sum;
      }
    }
  }

  const crf_problem& problem_;
  const crf_features& features_;
  executor_ref executor_;
  std::size_t labels_;
  std::size_t width_;
  chain_transitions chain_;
  std::vector<double> rows_;       // [R, width] scores, then sums of gradients
  std::vector<double> words_;      // [N, width] scores, then gradients
  std::vector<double> sentences_;  // the loss of each
  std::vector<double> pairs_;      // [parts, L, width]
  std::vector<std::size_t> parts_;
  number_lists words_of_rows_;
  number_lists rows_of_attributes_;
  number_lists words_of_attributes_;
};

}  // namespace onoma::inline ONOMA_ABI
