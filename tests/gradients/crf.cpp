/// The specification of linear chains against the enumeration of every path, and its gradients against duals.
#include "support/dual.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/kernels/ref/crf.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace test::crf_tests {
namespace {

using onoma::ignored_label;
using onoma::mat;
using onoma::vec;
using bytes = std::vector<std::uint8_t>;
using ids = std::vector<std::int32_t>;

/// Sums of at most a few thousand terms in double, of scores below 30: 1e-12 of them is a hundred roundings.
constexpr double promised = 1e-12;

/// One random sequence: numbers in any type, rules and targets.
template <class T>
struct chain_case {
  index_t words, labels;
  std::vector<T> emissions, transitions, start, end;
  bytes may_follow, may_start, may_end, may_be;
  ids known;
  bool rules = false, targets = false, sets = false;

  chain_case(generator& g, index_t w, index_t l, float scale = 2.0F)
      : words(w),
        labels(l),
        emissions(g.normals<T>(w * l, scale)),
        transitions(g.normals<T>(l * l, scale)),
        start(g.normals<T>(l, scale)),
        end(g.normals<T>(l, scale)) {
    const auto draw = [&g](index_t count, index_t percent) {
      bytes drawn;
      for (index_t i = 0; i < count; ++i) drawn.push_back(g.between(1, 100) <= percent ? 1 : 0);
      return drawn;
    };
    may_follow = draw(l * l, 80);
    may_start = draw(l, 80);
    may_end = draw(l, 80);
    may_be = draw(w * l, 60);
    for (index_t t = 0; t < w; ++t) {
      may_be[static_cast<std::size_t>(t * l + g.between(0, l - 1))] = 1;
      known.push_back(static_cast<std::int32_t>(g.between(1, 10) <= 4 ? g.between(0, l - 1) : ignored_label));
    }
  }
  template <class U>
  explicit chain_case(const chain_case<U>& o)
      : words(o.words), labels(o.labels), emissions(o.emissions.begin(), o.emissions.end()),
        transitions(o.transitions.begin(), o.transitions.end()), start(o.start.begin(), o.start.end()),
        end(o.end.begin(), o.end.end()), may_follow(o.may_follow), may_start(o.may_start), may_end(o.may_end),
        may_be(o.may_be), known(o.known), rules(o.rules), targets(o.targets), sets(o.sets) {}

  [[nodiscard]] onoma::ref::crf_sequence<T> sequence() const {
    onoma::ref::crf_sequence<T> s;
    s.emissions = {emissions.data(), words, labels};
    s.chain.weights = {{transitions.data(), labels, labels}, view(start), view(end)};
    if (rules) s.chain.rules = {{may_follow.data(), labels, labels}, view(may_start), view(may_end)};
    if (targets) s.targets.labels = view(known);
    if (sets) s.targets.allowed = {may_be.data(), words, labels};
    return s;
  }
};

struct path {
  ids labels;
  double score;
};

/// All paths that count with their scores, by the definition.
std::vector<path> enumerate(const chain_case<double>& c) {
  std::vector<path> all;
  ids labels(static_cast<std::size_t>(c.words), 0);
  const auto byte = [](const bytes& b, index_t i) { return b[static_cast<std::size_t>(i)] != 0; };
  const auto number = [](const std::vector<double>& v, index_t i) { return v[static_cast<std::size_t>(i)]; };
  for (;;) {
    double score = number(c.start, labels.front()) + number(c.end, labels.back());
    bool counts = !c.rules || (byte(c.may_start, labels.front()) && byte(c.may_end, labels.back()));
    for (index_t t = 0; t < c.words; ++t) {
      const index_t l = labels[static_cast<std::size_t>(t)];
      score += number(c.emissions, t * c.labels + l);
      const auto known = c.known[static_cast<std::size_t>(t)];
      if (c.targets && known != ignored_label) {
        counts = counts && known == l;
      } else if (c.sets) {
        counts = counts && byte(c.may_be, t * c.labels + l);
      }
      if (t == 0) continue;
      const index_t pair = labels[static_cast<std::size_t>(t - 1)] * c.labels + l;
      score += number(c.transitions, pair);
      counts = counts && (!c.rules || byte(c.may_follow, pair));
    }
    if (counts) all.push_back({labels, score});
    std::size_t at = 0;
    while (at < labels.size() && ++labels[at] == c.labels) labels[at++] = 0;
    if (at == labels.size()) return all;
  }
}

/// The order that `crf_n_best` states: by score, then by the labels from the last to the first.
bool before(const path& a, const path& b) {
  if (a.score != b.score) return a.score > b.score;
  return std::lexicographical_compare(a.labels.rbegin(), a.labels.rend(), b.labels.rbegin(), b.labels.rend());
}

double log_sum(const std::vector<path>& paths) {
  if (paths.empty()) return onoma::crf_no_path;
  const double most = std::max_element(paths.begin(), paths.end(), [](const path& a, const path& b) {
                        return a.score < b.score;
                      })->score;
  double sum = 0.0;
  for (const auto& p : paths) sum += std::exp(p.score - most);
  return most + std::log(sum);
}

void check_equal(double found, double expected) {
  if (std::isinf(expected)) {
    CHECK(found == expected);
  } else {
    CHECK(std::abs(found - expected) <= promised * std::max(1.0, std::abs(expected)));
  }
}

void check_expectations(const chain_case<double>& c, const std::vector<path>& paths) {
  const auto size = [](index_t n) { return static_cast<std::size_t>(n); };
  const index_t l = c.labels;
  std::vector<double> marginals(size(c.words * l)), pairs(size(l * l)), starts(size(l)), ends(size(l));
  const onoma::ref::crf_expectations<double> to{{marginals.data(), c.words, l},
                                                {{pairs.data(), l, l}, view(starts), view(ends)}};
  const double sum = log_sum(paths);
  check_equal(onoma::ref::crf_expect(c.sequence(), 1.0, to), sum);
  for (const auto& p : paths) {
    const double probability = std::exp(p.score - sum);
    starts[size(p.labels.front())] -= probability;
    ends[size(p.labels.back())] -= probability;
    for (index_t t = 0; t < c.words; ++t) {
      marginals[size(t * l + p.labels[size(t)])] -= probability;
      if (t > 0) pairs[size(p.labels[size(t - 1)] * l + p.labels[size(t)])] -= probability;
    }
  }
  for (const auto* rest : {&marginals, &pairs, &starts, &ends}) {
    for (const double r : *rest) CHECK(std::abs(r) <= promised * 10.0);  // of up to 8 words
  }
}

void check_best(const chain_case<double>& c, std::vector<path> paths) {
  std::sort(paths.begin(), paths.end(), before);
  const index_t wanted = 12;
  ids found(static_cast<std::size_t>(wanted * c.words));
  std::vector<double> scores(static_cast<std::size_t>(wanted));
  onoma::ref::crf_n_best<double>(c.sequence(), {found.data(), wanted, c.words}, view(scores));
  for (index_t k = 0; k < wanted; ++k) {
    const ids labels(found.begin() + k * c.words, found.begin() + (k + 1) * c.words);
    if (k < static_cast<index_t>(paths.size())) {
      const auto& expected = paths[static_cast<std::size_t>(k)];
      check_equal(scores[static_cast<std::size_t>(k)], expected.score);
      CHECK(labels == expected.labels);
      check_equal(onoma::ref::crf_path_score(c.sequence(), view(labels)), expected.score);
    } else {
      CHECK(scores[static_cast<std::size_t>(k)] == onoma::crf_no_path);
      CHECK(labels == ids(static_cast<std::size_t>(c.words), -1));
    }
  }
}

}  // namespace

TEST_CASE("sums, marginals and best paths of chains are those of enumeration") {
  generator g(31);
  for (int round = 0; round < 240; ++round) {
    const index_t labels = g.between(1, 4);
    chain_case<double> c(g, g.between(1, labels == 4 ? 5 : 7), labels);
    c.rules = round % 2 != 0;
    c.targets = round % 3 != 0;
    c.sets = round % 5 != 0;
    if (round % 7 == 0) {  // ties everywhere
      for (auto* values : {&c.emissions, &c.transitions, &c.start, &c.end}) {
        for (auto& v : *values) v = std::round(v / 2.0);
      }
    }
    INFO("round " << round << " words " << c.words << " labels " << labels);
    const auto paths = enumerate(c);
    check_equal(onoma::ref::crf_log_sum(c.sequence()), log_sum(paths));
    check_expectations(c, paths);
    check_best(c, paths);
  }
}

TEST_CASE("a chain without a path says so") {
  generator g(32);
  chain_case<double> c(g, 3, 2);
  c.rules = true;
  c.may_follow.assign(4, 0);
  CHECK(onoma::ref::crf_log_sum(c.sequence()) == onoma::crf_no_path);
  check_best(c, {});
}

TEST_CASE("the loss of a chain and its gradient: duals") {
  generator g(33);
  for (int round = 0; round < 12; ++round) {
    chain_case<double> c(g, g.between(1, 5), g.between(1, 4));
    c.targets = true;
    c.sets = round % 2 == 0;
    if (round % 3 == 0) {  // every label is known
      for (auto& label : c.known) label = static_cast<std::int32_t>(g.between(0, c.labels - 1));
    }
    const double scale = round % 4 == 0 ? 1.0 : 0.37;
    auto demissions = c.emissions;  // whatever is there is added to
    auto dtransitions = c.transitions;
    auto dstart = c.start;
    auto dend = c.end;
    const onoma::ref::crf_expectations<double> to{
        {demissions.data(), c.words, c.labels},
        {{dtransitions.data(), c.labels, c.labels}, view(dstart), view(dend)}};
    const auto loss = onoma::ref::crf_loss(c.sequence(), scale, to).loss();
    CHECK(loss >= -promised);
    chain_case<dual> lifted(c);
    const auto slope = [&](dual& input) {
      input.slope = 1.0;
      const dual value = onoma::ref::crf_loss<dual>(lifted.sequence(), dual(1.0), {}).loss();
      input.slope = 0.0;
      CHECK(std::abs(value.value - loss) <= promised * std::max(1.0, loss));
      return scale * value.slope;
    };
    const auto check = [&](std::vector<dual>& inputs, const std::vector<double>& added,
                           const std::vector<double>& initial) {
      for (std::size_t i = 0; i < inputs.size(); ++i) {
        CHECK(std::abs(added[i] - initial[i] - slope(inputs[i])) <= 1e-11);  // rounding of `initial`, below 8
      }
    };
    check(lifted.emissions, demissions, c.emissions);
    check(lifted.transitions, dtransitions, c.transitions);
    check(lifted.start, dstart, c.start);
    check(lifted.end, dend, c.end);
  }
}

TEST_CASE("the sums of a chain hold scores of any size, and 10,000 words") {
  generator g(34);
  chain_case<double> large(g, 5, 3, 1e4F);
  check_equal(onoma::ref::crf_log_sum(large.sequence()), log_sum(enumerate(large)));
  // Transitions alone, all zero: L^W paths of equal score.
  chain_case<double> c(g, 10000, 3);
  for (auto* values : {&c.emissions, &c.transitions, &c.start, &c.end}) values->assign(values->size(), 0.0);
  check_equal(onoma::ref::crf_log_sum(c.sequence()), 10000.0 * std::log(3.0));
}

}  // namespace test::crf_tests
