/// Sums over the paths of a linear chain and its best path, for models without a network.
#pragma once

#include <onoma/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The scores of two labels side by side, prepared for sums over paths: a path's score is that of its words' labels
/// and of its neighbours. A transition of minus infinity forbids.
///
/// Rows have a width that is a multiple of 4, with zeros behind the labels, so that loops have no rest.
class chain_transitions {
 public:
  /// The width of rows of so many labels.
  [[nodiscard]] static constexpr std::size_t width_of(std::size_t labels) noexcept { return (labels + 3) / 4 * 4; }

  /// Of L labels; all scores 0.
  explicit chain_transitions(std::size_t labels) : labels_(labels), width_(width_of(labels)) {
    scores_.resize(labels * width_);
    forward_.resize(labels * width_);
    backward_.resize(labels * width_);
    prepare();
  }

  /// L
  [[nodiscard]] std::size_t labels() const noexcept { return labels_; }
  /// Of a row.
  [[nodiscard]] std::size_t width() const noexcept { return width_; }
  /// The score of a label before another. `prepare` must follow a change.
  [[nodiscard]] double& operator()(std::size_t from, std::size_t to) { return scores_[from * width_ + to]; }
  /// The same.
  [[nodiscard]] double operator()(std::size_t from, std::size_t to) const { return scores_[from * width_ + to]; }

  /// Takes the exponentials.
  void prepare() {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    double least = infinity;
    largest_ = -infinity;
    for (std::size_t i = 0; i < labels_; ++i) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const double score = (*this)(i, j);
        largest_ = std::max(largest_, score);
        if (score > -infinity) least = std::min(least, score);
      }
    }
    if (largest_ == -infinity) largest_ = least = 0.0;
    range_ = largest_ - least;
    for (std::size_t i = 0; i < labels_; ++i) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const double weight = std::exp((*this)(i, j) - largest_);
        forward_[i * width_ + j] = weight;
        backward_[j * width_ + i] = weight;
      }
    }
  }

  /// [L, width] exponentials of the scores less the largest one: row: the earlier label.
  [[nodiscard]] const double* forward() const noexcept { return forward_.data(); }
  /// The same, row: the later label.
  [[nodiscard]] const double* backward() const noexcept { return backward_.data(); }
  /// The largest score.
  [[nodiscard]] double largest() const noexcept { return largest_; }
  /// The largest score less the least that does not forbid.
  [[nodiscard]] double range() const noexcept { return range_; }

 private:
  std::size_t labels_;
  std::size_t width_;
  std::vector<double> scores_, forward_, backward_;
  double largest_ = 0.0;
  double range_ = 0.0;
};

/// Forward and backward sums over the paths of one sentence after another. Memory of one thread.
///
/// Sums are products with exponentials, scaled word by word (Rabiner 1989, as CRFsuite takes them). Where scores are
/// so far apart that such a product could underflow, logarithms are added instead: results do not depend on the range
/// of the scores but for rounding.
class chain_sums {
 public:
  /// Takes a sentence of `words` words with `scores` [words, width], whose entries behind the labels are not read;
  /// minus infinity forbids a label.
  /// Returns the logarithm of the sum of the exponentials of all paths' scores; minus infinity: there is no path.
  double run(const chain_transitions& chain, const double* scores, std::size_t words) {
    labels_ = chain.labels();
    width_ = chain.width();
    words_ = words;
    const std::size_t size = words * width_;
    if (states_.size() < size) {
      states_.resize(size);
      alpha_.resize(size);
      beta_.resize(size);
    }
    scales_.resize(words);
    temporary_.resize(2 * width_);
    is_scaled_ = take_exponentials(chain, scores);
    if (is_scaled_) {
      const double sum = run_forward(chain);
      if (sum > -std::numeric_limits<double>::infinity()) run_backward(chain);
      return sum;
    }
    return run_logarithms(chain, scores);
  }

  /// After `run`: the probability of each label of a word [width], and zeros behind.
  void marginals(std::size_t word, double* out) const {
    const double* alpha = alpha_.data() + word * width_;
    const double* beta = beta_.data() + word * width_;
    if (is_scaled_) {
      for (std::size_t j = 0; j < width_; ++j) out[j] = alpha[j] * beta[j];
      return;
    }
    for (std::size_t j = 0; j < width_; ++j) out[j] = j < labels_ ? std::exp(alpha[j] + beta[j] - log_sum_) : 0.0;
  }

  /// After `run`: adds the expected number of times that each two labels are side by side, to [L, width] `counts`.
  void add_pairs(const chain_transitions& chain, double* counts) const {
    for (std::size_t t = 0; t + 1 < words_; ++t) {
      const double* alpha = alpha_.data() + t * width_;
      const double* state = states_.data() + (t + 1) * width_;
      const double* beta = beta_.data() + (t + 1) * width_;
      if (is_scaled_) {
        double* next = temporary_.data();
        for (std::size_t j = 0; j < width_; ++j) next[j] = state[j] * beta[j] * scales_[t + 1];
        for (std::size_t i = 0; i < labels_; ++i) {
          double* row = counts + i * width_;
          const double* weights = chain.forward() + i * width_;
          const double by = alpha[i];
          for (std::size_t j = 0; j < width_; ++j) row[j] += by * weights[j] * next[j];
        }
        continue;
      }
      for (std::size_t i = 0; i < labels_; ++i) {
        for (std::size_t j = 0; j < labels_; ++j) {
          counts[i * width_ + j] += std::exp(alpha[i] + chain(i, j) + state[j] + beta[j] - log_sum_);
        }
      }
    }
  }

 private:
  /// False: some product could underflow. From any label any other one is reached within two words, so that what is
  /// 1e-308 of the largest at some word can gain at most twice both ranges on it.
  bool take_exponentials(const chain_transitions& chain, const double* scores) {
    constexpr double most = 300.0;
    double range = 0.0;
    shift_ = 0.0;
    for (std::size_t t = 0; t < words_; ++t) {
      const double* row = scores + t * width_;
      double* out = states_.data() + t * width_;
      constexpr double infinity = std::numeric_limits<double>::infinity();
      double least = infinity;
      double largest = -infinity;
      for (std::size_t j = 0; j < labels_; ++j) {
        largest = std::max(largest, row[j]);
        if (row[j] > -infinity) least = std::min(least, row[j]);
      }
      if (largest == -infinity) return false;
      range = std::max(range, largest - least);
      shift_ += largest;
      for (std::size_t j = 0; j < labels_; ++j) out[j] = std::exp(row[j] - largest);
      for (std::size_t j = labels_; j < width_; ++j) out[j] = 0.0;
    }
    return range + chain.range() < most;
  }

  double run_forward(const chain_transitions& chain) {
    const double* weights = chain.forward();
    double log_scales = 0.0;
    for (std::size_t t = 0; t < words_; ++t) {
      double* alpha = alpha_.data() + t * width_;
      const double* state = states_.data() + t * width_;
      if (t == 0) {
        std::copy(state, state + width_, alpha);
      } else {
        const double* before = alpha - width_;
        std::fill(alpha, alpha + width_, 0.0);
        for (std::size_t i = 0; i < labels_; ++i) {
          const double by = before[i];
          const double* row = weights + i * width_;
          for (std::size_t j = 0; j < width_; ++j) alpha[j] += by * row[j];
        }
        for (std::size_t j = 0; j < width_; ++j) alpha[j] *= state[j];
      }
      double sum = 0.0;
      for (std::size_t j = 0; j < labels_; ++j) sum += alpha[j];
      if (sum <= 0.0) return -std::numeric_limits<double>::infinity();
      scales_[t] = 1.0 / sum;
      for (std::size_t j = 0; j < width_; ++j) alpha[j] *= scales_[t];
      log_scales += std::log(sum);
    }
    return log_scales + shift_ + static_cast<double>(words_ - 1) * chain.largest();
  }

  /// beta such that alpha * beta is the probability.
  void run_backward(const chain_transitions& chain) {
    const double* weights = chain.backward();
    double* last = beta_.data() + (words_ - 1) * width_;
    for (std::size_t j = 0; j < width_; ++j) last[j] = j < labels_ ? 1.0 : 0.0;
    double* next = temporary_.data();
    for (std::size_t t = words_ - 1; t > 0; --t) {
      const double* beta = beta_.data() + t * width_;
      const double* state = states_.data() + t * width_;
      double* out = beta_.data() + (t - 1) * width_;
      for (std::size_t j = 0; j < width_; ++j) next[j] = state[j] * beta[j] * scales_[t];
      std::fill(out, out + width_, 0.0);
      for (std::size_t j = 0; j < labels_; ++j) {
        const double by = next[j];
        const double* row = weights + j * width_;
        for (std::size_t i = 0; i < width_; ++i) out[i] += by * row[i];
      }
    }
  }

  template <class Term>
  [[nodiscard]] double log_sum(Term term) const {
    double largest = -std::numeric_limits<double>::infinity();
    for (std::size_t i = 0; i < labels_; ++i) largest = std::max(largest, term(i));
    if (largest == -std::numeric_limits<double>::infinity()) return largest;
    double sum = 0.0;
    for (std::size_t i = 0; i < labels_; ++i) sum += std::exp(term(i) - largest);
    return largest + std::log(sum);
  }

  double run_logarithms(const chain_transitions& chain, const double* scores) {
    for (std::size_t t = 0; t < words_; ++t) {
      std::copy(scores + t * width_, scores + t * width_ + labels_, states_.begin() + static_cast<index_t>(t * width_));
    }
    const auto at = [&](const std::vector<double>& list, std::size_t t, std::size_t j) { return list[t * width_ + j]; };
    for (std::size_t t = 0; t < words_; ++t) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const double before =
            t == 0 ? 0.0 : log_sum([&](std::size_t i) { return at(alpha_, t - 1, i) + chain(i, j); });
        alpha_[t * width_ + j] = before + at(states_, t, j);
      }
    }
    for (std::size_t t = words_; t-- > 0;) {
      for (std::size_t i = 0; i < labels_; ++i) {
        beta_[t * width_ + i] =
            t + 1 == words_ ? 0.0 : log_sum([&](std::size_t j) {
              return chain(i, j) + at(states_, t + 1, j) + at(beta_, t + 1, j);
            });
      }
    }
    log_sum_ = log_sum([&](std::size_t j) { return at(alpha_, words_ - 1, j); });
    return log_sum_;
  }

  std::size_t labels_ = 0;
  std::size_t width_ = 0;
  std::size_t words_ = 0;
  bool is_scaled_ = true;
  double shift_ = 0.0;
  double log_sum_ = 0.0;
  std::vector<double> states_, alpha_, beta_, scales_;
  mutable std::vector<double> temporary_;
};

/// The best path of one sentence after another. Memory of one thread. T: float or double.
template <class T>
class best_path {
 public:
  /// `scores` [words, width], `transitions` [labels, width] from the row's label to the column's; minus infinity
  /// forbids. `path` gets a label for each word; of equally good paths, the one whose last label, then the one before
  /// it and so on, has the smallest number. Returns the path's score; minus infinity: there is none.
  T run(const T* scores, const T* transitions, std::size_t labels, std::size_t width, std::size_t words,
        std::int32_t* path) {
    best_.resize(2 * width);
    before_.resize(words * width);
    T* now = best_.data();
    T* next = now + width;
    std::copy(scores, scores + width, now);
    for (std::size_t t = 1; t < words; ++t) {
      std::int32_t* from = before_.data() + t * width;
      const T* row = transitions;
      for (std::size_t j = 0; j < width; ++j) {
        next[j] = now[0] + row[j];
        from[j] = 0;
      }
      for (std::size_t i = 1; i < labels; ++i) {
        row += width;
        const T by = now[i];
        const auto number = static_cast<std::int32_t>(i);
        for (std::size_t j = 0; j < width; ++j) {
          const T score = by + row[j];
          const bool better = score > next[j];
          next[j] = better ? score : next[j];
          from[j] = better ? number : from[j];
        }
      }
      for (std::size_t j = 0; j < width; ++j) next[j] += scores[t * width + j];
      std::swap(now, next);
    }
    const T* last = std::max_element(now, now + labels);
    path[words - 1] = static_cast<std::int32_t>(last - now);
    for (std::size_t t = words - 1; t > 0; --t) {
      path[t - 1] = before_[t * width + static_cast<std::size_t>(path[t])];
    }
    return *last;
  }

 private:
  std::vector<T> best_;
  std::vector<std::int32_t> before_;
};

}  // namespace onoma::inline ONOMA_ABI
