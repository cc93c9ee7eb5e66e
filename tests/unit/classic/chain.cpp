/// Chains of models without a network against enumerating every path.
#include <onoma/classic/chain.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

namespace test::classic_chain_tests {
namespace {

using namespace onoma;

constexpr double infinity = std::numeric_limits<double>::infinity();

/// A chain and a sentence with random scores, and what enumeration makes of them.
struct problem {
  std::size_t labels;
  std::size_t words;
  chain_transitions chain;
  std::vector<double> scores;  // [words, width]

  problem(std::size_t l, std::size_t w, double spread, double forbid, unsigned seed)
      : labels(l), words(w), chain(l), scores(w * chain.width(), 7.0) {  // 7: behind the labels, not to be read
    std::mt19937 random(seed);
    std::normal_distribution<double> score(0.0, spread);
    std::uniform_real_distribution<double> chance(0.0, 1.0);
    for (std::size_t i = 0; i < l; ++i) {
      for (std::size_t j = 0; j < l; ++j) chain(i, j) = chance(random) < forbid && i != j ? -infinity : score(random);
    }
    for (std::size_t t = 0; t < w; ++t) {
      for (std::size_t j = 0; j < l; ++j) scores[t * chain.width() + j] = score(random);
    }
    if (forbid > 0) scores[1] = -infinity;
    chain.prepare();
  }

  [[nodiscard]] double score(const std::vector<std::size_t>& path) const {
    double sum = 0.0;
    for (std::size_t t = 0; t < words; ++t) {
      sum += scores[t * chain.width() + path[t]] + (t > 0 ? chain(path[t - 1], path[t]) : 0.0);
    }
    return sum;
  }
  template <class Use>
  void for_each_path(Use use) const {
    std::vector<std::size_t> path(words, 0);
    for (;;) {
      use(path);
      std::size_t at = 0;
      while (at < words && ++path[at] == labels) path[at++] = 0;
      if (at == words) return;
    }
  }
};

/// Everything that `chain_sums` says, compared with sums over all paths.
void compare(const problem& p) {
  INFO(p.labels << " labels, " << p.words << " words");
  double largest = -infinity;
  p.for_each_path([&](const auto& path) { largest = std::max(largest, p.score(path)); });
  double total = 0.0;
  const std::size_t width = p.chain.width();
  std::vector<double> marginals(p.words * width);
  std::vector<double> pairs(p.labels * width);
  p.for_each_path([&](const auto& path) {
    const double weight = std::exp(p.score(path) - largest);
    total += weight;
    for (std::size_t t = 0; t < p.words; ++t) {
      marginals[t * width + path[t]] += weight;
      if (t > 0) pairs[path[t - 1] * width + path[t]] += weight;
    }
  });
  chain_sums sums;
  const double found = sums.run(p.chain, p.scores.data(), p.words);
  // A few thousand roundings of numbers of this size.
  const double tolerance = 1e-11 * std::max(1.0, std::abs(largest));
  CHECK(found == doctest::Approx(largest + std::log(total)).epsilon(tolerance));
  std::vector<double> row(width, -1.0);
  for (std::size_t t = 0; t < p.words; ++t) {
    sums.marginals(t, row.data());
    for (std::size_t j = 0; j < width; ++j) CHECK(std::abs(row[j] - marginals[t * width + j] / total) < tolerance);
  }
  std::vector<double> counts(p.labels * width, 1.0);
  sums.add_pairs(p.chain, counts.data());
  for (std::size_t i = 0; i < counts.size(); ++i) CHECK(std::abs(counts[i] - 1.0 - pairs[i] / total) < tolerance);
}

}  // namespace

TEST_CASE("sums, probabilities and expected pairs are those of all paths") {
  for (const std::size_t labels : {1U, 2U, 3U, 4U, 5U}) {
    for (const std::size_t words : {1U, 2U, 5U}) compare({labels, words, 1.5, 0.0, 7U});
  }
}

TEST_CASE("forbidden labels and transitions have no part in them") {
  for (unsigned seed = 0; seed < 10; ++seed) compare({3, 4, 1.0, 0.3, seed});
}

TEST_CASE("scores so far apart that products would underflow") {
  for (unsigned seed = 0; seed < 5; ++seed) {
    compare({3, 5, 100.0, 0.0, seed});
    compare({3, 5, 2000.0, 0.0, seed});
    compare({4, 4, 1000.0, 0.3, seed});
  }
}

TEST_CASE("a sentence without a path has the sum of nothing") {
  chain_transitions chain(2);
  chain(0, 0) = chain(0, 1) = chain(1, 0) = -infinity;
  chain.prepare();
  chain_sums sums;
  const std::vector<double> scores = {0, -infinity, 0, 0, 0, 0, 0, 0};
  CHECK(sums.run(chain, scores.data(), 2) == -infinity);
  const std::vector<double> none(8, -infinity);
  CHECK(sums.run(chain, none.data(), 2) == -infinity);
}

TEST_CASE("the best path is the one that enumeration finds") {
  for (unsigned seed = 0; seed < 20; ++seed) {
    const problem p(1 + seed % 5, 1 + seed % 6, 1.0, 0.2, seed);
    const std::size_t width = p.chain.width();
    std::vector<double> transitions(p.labels * width);
    for (std::size_t i = 0; i < p.labels; ++i) {
      for (std::size_t j = 0; j < p.labels; ++j) transitions[i * width + j] = p.chain(i, j);
    }
    double best = -infinity;
    std::vector<std::size_t> expected(p.words);
    p.for_each_path([&](const auto& path) {
      if (p.score(path) <= best) return;
      best = p.score(path);
      expected = path;
    });
    best_path<double> viterbi;
    std::vector<std::int32_t> path(p.words);
    CHECK(viterbi.run(p.scores.data(), transitions.data(), p.labels, width, p.words, path.data()) ==
          doctest::Approx(best).epsilon(1e-13));
    CHECK(std::equal(path.begin(), path.end(), expected.begin(),
                     [](auto a, auto b) { return a == static_cast<std::int32_t>(b); }));
  }
}

TEST_CASE("of equally good paths the one with the smallest last labels is taken") {
  best_path<float> viterbi;
  const std::vector<float> zeros(16, 0.0F);
  std::vector<std::int32_t> path(4, -1);
  CHECK(viterbi.run(zeros.data(), zeros.data(), 3, 4, 4, path.data()) == 0.0F);
  CHECK(path == std::vector<std::int32_t>(4, 0));
}

}  // namespace test::classic_chain_tests
