/// Linear-chain conditional random fields, one sequence at a time: sums over paths, and the best ones.
///
/// A number that stands for the logarithm of nothing is minus infinity: every sum leaves it out.
/// Source: Lafferty et al., ICML 2001; Rabiner, "A tutorial on hidden Markov models", Proc. IEEE 1989, sections
/// III.A and III.B; partial labels: Bellare and McCallum, "Learning extractors from unlabeled text", 2007, and
/// Tsuboi et al., COLING 2008.
#pragma once

#include <onoma/core/crf.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace onoma::inline ONOMA_ABI::ref {

/// One sequence of W > 0 words and the paths that count.
template <class T>
struct crf_sequence {
  mat<const T> emissions;   ///< [W, L]
  crf_chain<T> chain;       ///< weights and rules
  crf_targets targets{};    ///< of these words; empty: every path

  /// W
  [[nodiscard]] index_t words() const noexcept { return emissions.rows; }
  /// L
  [[nodiscard]] index_t labels() const noexcept { return emissions.cols; }
  /// The score of a word's label, or minus infinity if the targets exclude it.
  [[nodiscard]] T emission(index_t t, index_t l) const { return targets.allows(t, l) ? emissions(t, l) : none(); }
  /// The score of a first label, its emission included.
  [[nodiscard]] T start(index_t l) const {
    return chain.rules.starts(l) ? chain.weights.start[l] + emission(0, l) : none();
  }
  /// The score of a last label.
  [[nodiscard]] T end(index_t l) const { return chain.rules.ends(l) ? chain.weights.end[l] : none(); }
  /// The score of label j at word t > 0 behind label i, its emission included.
  [[nodiscard]] T step(index_t t, index_t i, index_t j) const {
    return chain.rules.follows(i, j) ? chain.weights.transitions(i, j) + emission(t, j) : none();
  }
  /// The logarithm of nothing.
  [[nodiscard]] static T none() { return T(-std::numeric_limits<double>::infinity()); }
};

/// log sum_i exp(terms[i]), shifted by the largest term.
template <class T>
[[nodiscard]] T log_sum_exp(const std::vector<T>& terms) {
  using std::exp;
  using std::log;
  const T none = crf_sequence<T>::none();
  T largest = none;
  for (const T& term : terms) {
    if (term > largest) largest = term;
  }
  if (!(largest > none)) return none;
  T sum = T(0);
  for (const T& term : terms) {
    if (term > none) sum += exp(term - largest);
  }
  return largest + log(sum);
}

/// alpha_t(j) = log of the sum over all beginnings that end with label j at word t [W, L]; the result is the
/// logarithm of the sum over all paths, minus infinity if there is none.
template <class T>
T crf_forward(const crf_sequence<T>& s, mat<T> alpha) {
  const index_t labels = s.labels();
  const index_t last = s.words() - 1;
  std::vector<T> terms(static_cast<std::size_t>(labels));
  for (index_t j = 0; j < labels; ++j) alpha(0, j) = s.start(j);
  for (index_t t = 1; t <= last; ++t) {
    for (index_t j = 0; j < labels; ++j) {
      for (index_t i = 0; i < labels; ++i) terms[static_cast<std::size_t>(i)] = alpha(t - 1, i) + s.step(t, i, j);
      alpha(t, j) = log_sum_exp(terms);
    }
  }
  for (index_t j = 0; j < labels; ++j) terms[static_cast<std::size_t>(j)] = alpha(last, j) + s.end(j);
  return log_sum_exp(terms);
}

/// beta_t(i) = log of the sum over all ends of paths behind label i at word t [W, L].
template <class T>
void crf_backward(const crf_sequence<T>& s, mat<T> beta) {
  const index_t labels = s.labels();
  const index_t last = s.words() - 1;
  std::vector<T> terms(static_cast<std::size_t>(labels));
  for (index_t i = 0; i < labels; ++i) beta(last, i) = s.end(i);
  for (index_t t = last; t > 0; --t) {
    for (index_t i = 0; i < labels; ++i) {
      for (index_t j = 0; j < labels; ++j) terms[static_cast<std::size_t>(j)] = s.step(t, i, j) + beta(t, j);
      beta(t - 1, i) = log_sum_exp(terms);
    }
  }
}

/// The logarithm of the sum over all paths of the sequence.
template <class T>
[[nodiscard]] T crf_log_sum(const crf_sequence<T>& s) {
  std::vector<T> alpha(static_cast<std::size_t>(s.words() * s.labels()));
  return crf_forward(s, mat<T>(alpha.data(), s.words(), s.labels()));
}

/// What the expectations of a sequence are added to. Null views are not wanted.
template <class T>
struct crf_expectations {
  mat<T> marginals;            ///< [W, L]
  crf_gradients<T> weights{};  ///< how often each transition, start and end is expected
};

/// Adds `factor` times the probabilities of labels and of pairs of neighbours to `to`: the gradient of
/// `factor` times the logarithm of the sum over all paths, which is returned. If there is no path nothing is
/// added.
template <class T>
T crf_expect(const crf_sequence<T>& s, T factor, const crf_expectations<T>& to) {
  using std::exp;
  const index_t words = s.words();
  const index_t labels = s.labels();
  std::vector<T> memory(static_cast<std::size_t>(2 * words * labels));
  const mat<T> alpha(memory.data(), words, labels);
  const mat<T> beta(memory.data() + words * labels, words, labels);
  const T none = s.none();
  const T log_sum = crf_forward(s, alpha);
  if (!(log_sum > none)) return log_sum;
  crf_backward(s, beta);
  const auto probability = [&](T score) { return score > none ? factor * exp(score - log_sum) : T(0); };
  for (index_t t = 0; t < words; ++t) {
    for (index_t j = 0; j < labels; ++j) {
      if (to.marginals) to.marginals(t, j) += probability(alpha(t, j) + beta(t, j));
      for (index_t i = 0; to.weights.dtransitions && t > 0 && i < labels; ++i) {
        to.weights.dtransitions(i, j) += probability(alpha(t - 1, i) + s.step(t, i, j) + beta(t, j));
      }
    }
  }
  for (index_t j = 0; to.weights.dstart && j < labels; ++j) {
    to.weights.dstart[j] += probability(alpha(0, j) + beta(0, j));
    to.weights.dend[j] += probability(alpha(words - 1, j) + beta(words - 1, j));
  }
  return log_sum;
}

/// The score of a path of W labels; minus infinity for one that the rules forbid.
template <class T>
[[nodiscard]] T crf_path_score(const crf_sequence<T>& s, vec<const std::int32_t> path) {
  T score = s.start(path[0]);
  for (index_t t = 1; t < s.words(); ++t) score += s.step(t, path[t - 1], path[t]);
  return score + s.end(path[s.words() - 1]);
}

/// What `crf_loss` compares: minus log(the probability of the paths that the targets allow).
template <class T>
struct crf_log_sums {
  T all;      ///< over all paths that the rules allow
  T allowed;  ///< over those of them that the targets allow: the score of a path whose labels are all known
  /// all - allowed
  [[nodiscard]] T loss() const { return all - allowed; }
};

/// The loss of a sequence by its targets; adds `scale` times its gradient to `to`: expectations over all paths
/// minus those over the allowed ones.
template <class T>
crf_log_sums<T> crf_loss(const crf_sequence<T>& s, T scale, const crf_expectations<T>& to) {
  const crf_sequence<T> all{s.emissions, s.chain, {}};
  return {crf_expect(all, scale, to), crf_expect(s, T(0) - scale, to)};
}

/// The `paths.rows` best paths [K, W], best first, and their scores [K]. Paths of equal score are ordered by
/// their last label, then the one before, and so on, lower ids first. Where there are fewer paths the rest has
/// labels -1 and the score minus infinity.
///
/// Each label at each word keeps the K best beginnings that end there, merged from those of the word before
/// (Soong and Huang, "A tree-trellis based fast search for finding the N best sentence hypotheses", 1991,
/// describe the search; here the lists are kept forward). K = 1 is the Viterbi algorithm.
template <class T>
void crf_n_best(const crf_sequence<T>& s, mat<std::int32_t> paths, vec<T> scores) {
  struct beginning {
    T score = crf_sequence<T>::none();
    std::int32_t label = -1;  // of the word before
    std::int32_t rank = -1;   // among the beginnings that end there
  };
  const index_t words = s.words();
  const index_t labels = s.labels();
  const index_t wanted = paths.rows;
  const T none = s.none();
  std::vector<beginning> memory(static_cast<std::size_t>(words * labels * wanted));
  const auto at = [&](index_t t, index_t l, index_t rank) -> beginning& {
    return memory[static_cast<std::size_t>((t * labels + l) * wanted + rank)];
  };
  std::vector<index_t> next(static_cast<std::size_t>(labels));  // rank that each label offers
  // The best of what all labels at word t still offer, each behind `step(label)`.
  const auto best = [&](index_t t, const auto& step) {
    beginning found;
    for (index_t i = 0; i < labels; ++i) {
      const index_t rank = next[static_cast<std::size_t>(i)];
      if (rank == wanted) continue;
      const T score = at(t, i, rank).score + step(i);
      if (score > found.score) {
        found = {score, static_cast<std::int32_t>(i), static_cast<std::int32_t>(rank)};
      }
    }
    if (found.label >= 0) ++next[static_cast<std::size_t>(found.label)];
    return found;
  };
  for (index_t j = 0; j < labels; ++j) at(0, j, 0).score = s.start(j);
  for (index_t t = 1; t < words; ++t) {
    for (index_t j = 0; j < labels; ++j) {
      next.assign(next.size(), 0);
      for (index_t k = 0; k < wanted; ++k) {
        at(t, j, k) = best(t - 1, [&](index_t i) { return s.step(t, i, j); });
        if (!(at(t, j, k).score > none)) break;
      }
    }
  }
  next.assign(next.size(), 0);
  for (index_t k = 0; k < wanted; ++k) {
    beginning step = best(words - 1, [&](index_t i) { return s.end(i); });
    scores[k] = step.score;
    for (index_t t = words - 1; t >= 0; --t) {
      paths(k, t) = step.label;
      if (step.label >= 0) step = at(t, step.label, step.rank);
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI::ref
