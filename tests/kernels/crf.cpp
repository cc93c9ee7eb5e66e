/// Linear chains over batches against the specification in double: numbers, edges, and what is refused.
#include "support/compare.hpp"
#include "support/random.hpp"
#include "support/views.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <string>
#include <vector>

namespace test::crf_tests {
namespace {

using onoma::crf_chain;
using onoma::crf_targets;
using onoma::ignored_label;
using onoma::mat;
using onoma::vec;
using bytes = std::vector<std::uint8_t>;
using ids = std::vector<std::int32_t>;

using reference = onoma::reference_backend<double>;
constexpr double eps = static_cast<double>(std::numeric_limits<float>::epsilon());

std::size_t at(index_t i) { return static_cast<std::size_t>(i); }

/// A batch under one chain. Every sequence has a path that obeys the rules and agrees with the targets.
template <class T>
struct chain_batch {
  index_t labels;
  ids offsets;
  matrix<T> emissions, transitions;
  std::vector<T> start, end;
  bytes may_follow, may_start, may_end, may_be;
  ids gold;   // [N] one path that counts
  ids known;  // [N] some of its labels

  chain_batch(generator& g, const std::vector<index_t>& lengths, index_t l, float scale, index_t forbidden)
      : labels(l),
        offsets(offsets_of(lengths)),
        emissions(matrix<T>::random(g, offsets.back(), l, 3, scale)),
        transitions(matrix<T>::random(g, l, l, 2, scale)),
        start(g.normals<T>(l, scale)),
        end(g.normals<T>(l, scale)) {
    const auto draw = [&g](index_t count, index_t percent) {
      bytes drawn;
      for (index_t i = 0; i < count; ++i) drawn.push_back(g.between(1, 100) > percent ? 1 : 0);
      return drawn;
    };
    may_follow = draw(l * l, forbidden);
    may_start = draw(l, forbidden);
    may_end = draw(l, forbidden);
    // Label 0 may stand anywhere: there is always a path.
    for (index_t i = 0; i < l; ++i) may_follow[at(i * l)] = may_follow[at(i)] = 1;
    may_start[0] = may_end[0] = 1;
    may_be = draw(offsets.back() * l, 40);
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      for (index_t n = offsets[b]; n < offsets[b + 1]; ++n) {
        index_t label = g.between(0, l - 1);
        if (n == offsets[b] && may_start[at(label)] == 0) label = 0;
        if (n > offsets[b] && may_follow[at(gold.back() * l + label)] == 0) label = 0;
        if (n + 1 == offsets[b + 1] && may_end[at(label)] == 0) label = 0;
        gold.push_back(static_cast<std::int32_t>(label));
        known.push_back(g.between(1, 3) == 1 ? gold.back() : ignored_label);
        may_be[at(n * l + label)] = 1;
      }
    }
  }
  template <class U>
  explicit chain_batch(const chain_batch<U>& o)
      : labels(o.labels), offsets(o.offsets), emissions(o.emissions.template as<T>()),
        transitions(o.transitions.template as<T>()), start(o.start.begin(), o.start.end()),
        end(o.end.begin(), o.end.end()), may_follow(o.may_follow), may_start(o.may_start), may_end(o.may_end),
        may_be(o.may_be), gold(o.gold), known(o.known) {}

  [[nodiscard]] crf_chain<T> chain(bool rules) const {
    crf_chain<T> c{{transitions.view(), view(start), view(end)}, {}};
    if (rules) c.rules = {{may_follow.data(), labels, labels}, view(may_start), view(may_end)};
    return c;
  }
  [[nodiscard]] mat<const T> x() const { return emissions.view(); }
  [[nodiscard]] onoma::sequences layout() const { return onoma::sequences::of(view(offsets)); }
  [[nodiscard]] index_t count() const { return layout().count(); }
  /// 0: nothing is known; 1: all; 2: some; 3: some, and sets of labels; 4: sets alone.
  [[nodiscard]] crf_targets targets(int kind) const {
    crf_targets t;
    if (kind == 1) t.labels = view(gold);
    if (kind == 2 || kind == 3) t.labels = view(known);
    if (kind >= 3) t.allowed = {may_be.data(), static_cast<index_t>(gold.size()), labels};
    return t;
  }
};

/// What the functions of a backend find for a batch.
template <class T>
struct chain_results {
  matrix<T> demissions, dtransitions, marginals;
  std::vector<T> dstart, dend;
  std::vector<double> log_sums, scores, best_scores;
  ids labels, paths;
  onoma::loss_result loss;

  template <class B>
  chain_results(B&& device, const chain_batch<T>& c, bool rules, int kind, T scale = T(0.25), index_t best = 3)
      : demissions(c.emissions.rows, c.labels, 1),
        dtransitions(c.labels, c.labels, 4),
        marginals(c.emissions.rows, c.labels, 2),
        dstart(at(c.labels), T(0.5)),
        dend(dstart),
        log_sums(at(c.count())),
        scores(log_sums),
        best_scores(at(c.count() * best)),
        labels(c.gold.size()),
        paths(c.gold.size() * at(best)) {
    for (index_t i = 0; i < c.labels; ++i) {
      for (index_t j = 0; j < c.labels; ++j) dtransitions.view()(i, j) = T(0.5);
    }
    const auto chain = c.chain(rules);
    loss = device.crf_loss(chain, c.x(), c.layout(), c.targets(kind), scale, demissions.view(),
                           {dtransitions.view(), view(dstart), view(dend)});
    device.crf_marginals(chain, c.x(), c.layout(), c.targets(kind), marginals.view(), view(log_sums));
    device.crf_viterbi(chain, c.x(), c.layout(), c.targets(kind), view(labels), view(scores));
    device.crf_n_best(chain, c.x(), c.layout(), {paths.data(), best, static_cast<index_t>(c.gold.size())},
                      {best_scores.data(), c.count(), best});
  }
};

/// The largest emission or transition.
double largest_score(const chain_batch<double>& c) {
  double most = 0.0;
  for (const auto* m : {&c.emissions, &c.transitions}) {
    for (const double v : m->values()) most = std::max(most, std::abs(v));
  }
  return most;
}

/// A score carries the rounding of the largest numbers of its word, and so does the logarithm of a probability. The
/// factors, their sums and the rest of a step round some ten times more.
double probability_tolerance(const chain_batch<double>& c) {
  return 4.0 * eps * (2.0 * largest_score(c) + 10.0) + sum_tolerance(c.labels);
}

void check_against_specification(const chain_batch<float>& c, bool rules, int kind) {
  INFO("labels " << c.labels << " rules " << rules << " targets " << kind);
  onoma::thread_pool pool(2);
  const chain_batch<double> exact(c);
  const chain_results<float> found{onoma::cpu_backend(pool), c, rules, kind};
  const chain_results<double> expected{reference(), exact, rules, kind};
  const double p = probability_tolerance(exact);
  const auto words = static_cast<double>(c.gold.size());
  // Each word adds its rounding to a sum.
  CHECK(difference(found.log_sums, expected.log_sums, p, words) == "");
  CHECK(difference(std::vector<double>{found.loss.sum}, std::vector<double>{expected.loss.sum}, 2.0 * p, words) == "");
  CHECK(found.loss.count == expected.loss.count);
  CHECK(difference(found.marginals, expected.marginals, p, 1.0) == "");
  CHECK(difference(found.demissions, expected.demissions, p, 1.0) == "");
  const double pairs = p * std::sqrt(words) + sum_tolerance(static_cast<index_t>(words));  // errors of either sign
  CHECK(difference(found.dtransitions, expected.dtransitions, pairs, 1.0) == "");
  CHECK(difference(found.dstart, expected.dstart, pairs, 1.0) == "");
  CHECK(difference(found.dend, expected.dend, pairs, 1.0) == "");
  for (const auto* m : {&found.demissions, &found.dtransitions, &found.marginals}) CHECK(m->gaps_untouched());
  // The best path may be another one of the same score as far as float can tell. A path's own score is exact.
  CHECK(difference(found.scores, expected.scores, p, words) == "");
  for (std::size_t b = 0; b < found.scores.size(); ++b) CHECK(found.scores[b] <= expected.scores[b] + 1e-9);
  ids path = found.labels;
  std::vector<double> of_path(found.scores.size());
  auto all_known = exact.targets(1);
  all_known.labels = view(std::as_const(path));
  reference().crf_marginals(exact.chain(rules), exact.x(), exact.layout(), all_known, {}, view(of_path));
  CHECK(difference(found.scores, of_path, 1e-12, 1.0) == "");
  CHECK(found.paths == expected.paths);
  CHECK(found.best_scores == expected.best_scores);
}

}  // namespace

TEST_CASE("chains of every width, with rules and targets of every kind") {
  generator g(41);
  for (const index_t labels : {1, 2, 3, 5, 8, 9, 16, 17, 23, 33, 64, 200}) {
    for (int kind = 0; kind < 5; ++kind) {
      const bool rules = (labels + kind) % 2 == 0;
      std::vector<index_t> lengths = {1, 2, g.between(3, 9), g.between(1, 30)};
      if (labels == 200) lengths = {1, 6};
      check_against_specification(chain_batch<float>(g, lengths, labels, kind == 3 ? 4.0F : 1.0F, 30), rules, kind);
    }
  }
}

TEST_CASE("chains whose scores are as large as 10,000") {
  generator g(42);
  for (const index_t labels : {3, 17}) {
    for (int kind = 0; kind < 5; ++kind) {
      check_against_specification(chain_batch<float>(g, {1, 5, 12}, labels, 1e4F, 30), kind % 2 == 0, kind);
    }
  }
}

TEST_CASE("chains that go on where the probability of a label underflows") {
  // Only label 1 may be followed by anything but itself, and at most words it scores `gap` lower.
  generator g(43);
  for (const float gap : {20.0F, 63.0F, 66.0F, 80.0F, 86.0F, 89.0F, 95.0F, 105.0F, 200.0F}) {
    const index_t labels = g.between(3, 20);
    chain_batch<float> c(g, {9, 3, 1, 60}, labels, 1.0F, 0);
    for (index_t i = 0; i < labels; ++i) {
      for (index_t j = 0; j < labels; ++j) c.may_follow[at(i * labels + j)] = i == 1 || (j == 1 && i == 2) ? 1 : 0;
    }
    for (index_t n = 0; n < c.emissions.rows; ++n) c.emissions.view()(n, 1) -= gap;
    std::fill(c.may_be.begin(), c.may_be.end(), std::uint8_t{1});
    std::fill(c.gold.begin(), c.gold.end(), 1);
    std::fill(c.known.begin(), c.known.end(), ignored_label);
    for (std::size_t n = 0; n < c.known.size(); n += 4) c.known[n] = 1;
    INFO("gap " << gap);
    for (int kind = 0; kind < 5; ++kind) check_against_specification(c, true, kind);
  }
}

TEST_CASE("shares of labels that all but underflow are summed over 10,000 words") {
  // Label 1 alone goes on to label 2; sums of p / s over the words would exceed a float if s were taken so small.
  generator g(54);
  chain_batch<float> c(g, {10000}, 3, 0.1F, 0);
  c.may_follow = {1, 1, 0, 1, 1, 1, 1, 1, 0};
  for (index_t n = 0; n < c.emissions.rows; ++n) {
    c.emissions.view()(n, 1) -= 84.0F;
    c.emissions.view()(n, 2) += 84.0F;
  }
  std::fill(c.gold.begin(), c.gold.end(), 0);
  check_against_specification(c, true, 0);
}

TEST_CASE("a label that may follow none scores nothing behind another, whatever its emission") {
  generator g(53);
  for (const index_t labels : {3, 17}) {
    chain_batch<float> c(g, {6, 2, 1}, labels, 1.0F, 0);
    for (index_t i = 0; i < labels; ++i) c.may_follow[at(i * labels + 2)] = 0;
    for (index_t n = 0; n < c.emissions.rows; ++n) c.emissions.view()(n, 2) += 150.0F;
    std::fill(c.gold.begin(), c.gold.end(), 0);
    check_against_specification(c, true, 0);
    check_against_specification(c, true, 1);
  }
}

TEST_CASE("a chain of 10,000 words") {
  generator g(44);
  const chain_batch<float> c(g, {10000}, 7, 2.0F, 30);
  check_against_specification(c, true, 2);
  const chain_results<float> found{onoma::cpu_backend(), c, true, 2};
  for (index_t n = 0; n < c.emissions.rows; ++n) {
    double sum = 0.0;
    for (const float p : found.marginals.view().row(n)) sum += static_cast<double>(p);
    REQUIRE(std::abs(sum - 1.0) <= sum_tolerance(7) / 4.0);  // of one division and six additions
  }
}

TEST_CASE("a chain gives a sequence the same bits in every batch, on any number of threads") {
  generator g(45);
  const chain_batch<float> c(g, {7, 1, 40, 13, 25, 2, 9}, 17, 2.0F, 30);
  const chain_results<float> one{onoma::cpu_backend(), c, true, 3};
  for (const index_t threads : {2, 3, 7}) {
    onoma::thread_pool pool(threads);
    const chain_results<float> many{onoma::cpu_backend(pool), c, true, 3};
    CHECK(many.demissions.data == one.demissions.data);
    CHECK(many.dtransitions.data == one.dtransitions.data);
    CHECK(many.dstart == one.dstart);
    CHECK(many.dend == one.dend);
    CHECK(many.marginals.data == one.marginals.data);
    CHECK(many.log_sums == one.log_sums);
    CHECK(many.loss.sum == one.loss.sum);
    CHECK(many.labels == one.labels);
    CHECK(many.paths == one.paths);
  }
  double loss = 0.0;
  for (index_t b = 0; b < c.count(); ++b) {
    auto alone = c;
    const index_t first = c.offsets[at(b)];
    const index_t words = c.offsets[at(b + 1)] - first;
    alone.offsets = {0, static_cast<std::int32_t>(words)};
    alone.emissions = matrix<float>(words, c.labels, 1);
    for (index_t t = 0; t < words; ++t) {
      const auto row = c.x().row(first + t);
      std::copy(row.begin(), row.end(), alone.emissions.view().row_data(t));
    }
    const auto part = [&](const auto& v, index_t each) {
      return std::decay_t<decltype(v)>(v.begin() + first * each, v.begin() + (first + words) * each);
    };
    alone.gold = part(c.gold, 1);
    alone.known = part(c.known, 1);
    alone.may_be = part(c.may_be, c.labels);
    const chain_results<float> found{onoma::cpu_backend(), alone, true, 3};
    CHECK(found.demissions.values() == one.demissions.rows_of(first, words));
    CHECK(found.marginals.values() == one.marginals.rows_of(first, words));
    CHECK(found.labels == part(one.labels, 1));
    CHECK(found.log_sums.front() == one.log_sums[at(b)]);
    loss += found.loss.sum;
  }
  CHECK(loss == one.loss.sum);
}

TEST_CASE("a batch whose gradients of weights are more than are kept at a time") {
  generator g(46);
  check_against_specification(chain_batch<float>(g, std::vector<index_t>(40, 2), 190, 1.0F, 0), false, 1);
}

TEST_CASE("a chain: no sequences, loss alone, gradients of emissions alone") {
  generator g(47);
  onoma::cpu_backend device;
  const chain_batch<float> none(g, {}, 3, 1.0F, 0);
  const chain_results<float> nothing{device, none, true, 1};
  CHECK(nothing.loss.sum == 0.0);
  CHECK(nothing.loss.count == 0);
  const chain_batch<float> c(g, {4, 2}, 5, 1.0F, 20);
  chain_results<float> all{device, c, true, 2};
  const auto loss = device.crf_loss(c.chain(true), c.x(), c.layout(), c.targets(2), 1.0F, {}, {});
  CHECK(loss.sum == all.loss.sum);
  // Words of which something is known: a label, or that it is none of some.
  const bytes sets = {1, 1, 1, 1, 1, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 0, 0, 0, 0, 1};
  const ids some = {ignored_label, ignored_label, ignored_label, 0, 2, ignored_label};
  const crf_chain<float> free = c.chain(false);
  const auto counted = [&](const crf_targets& t) {
    return device.crf_loss(free, c.x(), c.layout(), t, 1.0F, {}, {}).count;
  };
  CHECK(counted({}) == 0);
  CHECK(counted({view(some), {}}) == 2);
  CHECK(counted({view(some), {sets.data(), 6, 5}}) == 4);
  CHECK(counted({{}, {sets.data(), 6, 5}}) == 3);
  const auto before = all.demissions.data;
  static_cast<void>(device.crf_loss(c.chain(true), c.x(), c.layout(), c.targets(2), 0.25F, all.demissions.view(), {}));
  CHECK(all.demissions.data == before);
  std::vector<double> log_sums(2);
  device.crf_marginals(c.chain(true), c.x(), c.layout(), c.targets(2), {}, view(log_sums));
  CHECK(log_sums == all.log_sums);
  device.dry_run(true);
  CHECK(device.crf_loss({}, {}, {}, {}, 1.0F, {}, {}).count == 0);
}

TEST_CASE("ties of a chain: the lowest label at the last word where paths differ") {
  generator g(48);
  chain_batch<float> c(g, {1, 3, 6}, 4, 1.0F, 0);
  std::fill(c.emissions.data.begin(), c.emissions.data.end(), 0.0F);
  std::fill(c.transitions.data.begin(), c.transitions.data.end(), 0.0F);
  c.start.assign(c.start.size(), 0.0F);
  c.end.assign(c.end.size(), 0.0F);
  const chain_results<float> found{onoma::cpu_backend(), c, false, 0};
  CHECK(found.labels == ids(10, 0));
  CHECK(ids(found.paths.begin() + 10, found.paths.begin() + 20) == ids{1, 1, 0, 0, 1, 0, 0, 0, 0, 0});
}

namespace {

/// The message that `f` fails with.
template <class F>
std::string message(F f) {
  try {
    f();
  } catch (const onoma::error& e) {
    return e.what();
  }
  return "no error";
}

/// Every function of the backend refuses the batch with this text.
template <class T, class B>
void check_refused(B&& device, const chain_batch<T>& c, const crf_chain<T>& chain, const crf_targets& targets,
                   const std::string& text, bool by_targets = false) {
  matrix<T> m(c.emissions.rows, c.labels);
  matrix<T> d(c.labels, c.labels);
  std::vector<T> dstart(at(c.labels)), dend(at(c.labels));
  const auto before = d.data;
  ids labels(c.gold.size());
  std::vector<double> numbers(at(c.count()));
  const auto check = [&](const std::string& found) {
    CHECK_MESSAGE(found.find(text) != std::string::npos, found);
  };
  check(message([&] {
    static_cast<void>(device.crf_loss(chain, c.x(), c.layout(), targets, T(1), m.view(),
                                      {d.view(), view(dstart), view(dend)}));
  }));
  CHECK(d.data == before);
  check(message([&] { device.crf_marginals(chain, c.x(), c.layout(), targets, m.view(), view(numbers)); }));
  check(message([&] { device.crf_viterbi(chain, c.x(), c.layout(), targets, view(labels), view(numbers)); }));
  if (by_targets) return;
  const mat<std::int32_t> paths(labels.data(), 1, static_cast<index_t>(labels.size()));
  check(message([&] { device.crf_n_best(chain, c.x(), c.layout(), paths, {numbers.data(), c.count(), 1}); }));
}

template <class B>
void check_refusals() {
  using T = typename B::scalar;
  generator g(49);
  const chain_batch<T> good(g, {2, 3}, 3, 1.0F, 0);
  const auto chain = good.chain(true);
  for (const T odd : {std::numeric_limits<T>::quiet_NaN(), std::numeric_limits<T>::infinity()}) {
    auto c = good;
    c.emissions.view()(3, 1) = odd;
    check_refused(B(), c, chain, {}, "linear-chain CRF: emissions: invalid argument: expected finite numbers");
    check_refused(B(), c, chain, {}, "at row 3, column 1");
    c = good;
    c.transitions.view()(2, 0) = odd;
    check_refused(B(), c, c.chain(true), {}, "transitions: invalid argument: expected finite numbers");
    c = good;
    c.start[1] = odd;
    check_refused(B(), c, c.chain(true), {}, "starts: invalid argument: expected finite numbers");
    c = good;
    c.end[2] = odd;
    check_refused(B(), c, c.chain(true), {}, "at row 0, column 2");
  }
  auto c = good;
  c.offsets = {0, 2, 2, 5};
  check_refused(B(), c, chain, {}, "expected sequences of at least one word, found sequence 1 with 0");
  c.offsets = {0, 2};
  check_refused(B(), c, chain, {}, "emissions: shape mismatch: expected 2 x 3, found 5 x 3");
  const chain_batch<T> wider(g, {2, 3}, 4, 1.0F, 0);
  check_refused(B(), wider, chain, {}, "emissions: shape mismatch: expected 5 x 3, found 5 x 4");
  auto mixed = chain;
  mixed.rules.transitions = {wider.may_follow.data(), 4, 4};
  check_refused(B(), good, mixed, {}, "rules of transitions: shape mismatch: expected 3 x 3, found 4 x 4");
  check_refused(B(), good, {{}, {}}, {}, "at least one label");
  mixed = chain;
  mixed.weights.end = view(wider.end);
  check_refused(B(), good, mixed, {}, "weights of ends: shape mismatch: expected 3 labels, found 4");
  mixed = chain;
  mixed.rules.start = view(wider.may_start);
  check_refused(B(), good, mixed, {}, "rules of starts: shape mismatch: expected 3 labels, found 4");
  check_refused(B(), good, chain, {vec<const std::int32_t>(good.gold.data(), 4), {}},
                "labels of words: shape mismatch: expected 5 x 1, found 4 x 1", true);
  check_refused(B(), good, chain, wider.targets(4), "allowed labels: shape mismatch: expected 5 x 3, found 5 x 4",
                true);

  c = good;
  c.gold[4] = 3;
  check_refused(B(), c, chain, c.targets(1), "label of word 4: out of range: expected 0 to 2 or -100, found 3", true);
  c = good;
  for (const index_t l : {0, 1, 2}) c.may_be[at(3 * 3 + l)] = 0;
  check_refused(B(), c, chain, c.targets(4), "word 3: invalid argument: expected at least one label", true);
}

template <class B>
void check_no_path() {
  using T = typename B::scalar;
  generator g(50);
  auto c = chain_batch<T>(g, {1, 3, 2}, 3, 1.0F, 0);
  // A known label that may not end a sequence.
  c.may_end = {1, 1, 0};
  c.gold = {0, 2, 2, 1, 2, 2};
  check_refused(B(), c, c.chain(true), c.targets(1), "sequence 2: invalid argument: expected a path that the rules "
                "of transitions allow, found none that agrees with its targets", true);
  c.may_follow.assign(9, 0);
  ids labels(6);
  std::vector<double> scores(3);
  const auto viterbi = message([&] {
    B().crf_viterbi(c.chain(true), c.x(), c.layout(), {}, view(labels), view(scores));
  });
  CHECK_MESSAGE(viterbi.find("sequence 1: invalid argument: expected a path") != std::string::npos, viterbi);
  c.may_start.assign(3, 0);
  const auto loss = message([&] {
    static_cast<void>(B().crf_loss(c.chain(true), c.x(), c.layout(), {}, T(1), {}, {}));
  });
  CHECK_MESSAGE(loss.find("sequence 0: invalid argument: expected a path that the rules of transitions allow, found "
                          "none at all") != std::string::npos, loss);
}

}  // namespace

TEST_CASE("chains refuse by name what they cannot compute with") {
  check_refusals<onoma::cpu_backend>();
  check_refusals<reference>();
  check_no_path<onoma::cpu_backend>();
  check_no_path<reference>();
}

TEST_CASE("chains whose sums exceed what a float holds are refused") {
  generator g(51);
  for (const float huge : {3e38F, -3e38F}) {
    chain_batch<float> c(g, {1, 4}, 5, 1.0F, 0);
    for (auto* m : {&c.emissions, &c.transitions}) std::fill(m->data.begin(), m->data.end(), huge);
    ids labels(5);
    std::vector<double> scores(2);
    matrix<float> m(5, 5);
    const auto refused = [](const std::string& text) {
      CHECK_MESSAGE((text.find("expected scores whose sums are finite") != std::string::npos ||
                     text.find("expected a path") != std::string::npos), text);
    };
    onoma::cpu_backend device;
    refused(message([&] { device.crf_marginals(c.chain(false), c.x(), c.layout(), {}, m.view(), view(scores)); }));
    refused(message([&] { device.crf_viterbi(c.chain(false), c.x(), c.layout(), {}, view(labels), view(scores)); }));
  }
}

#if defined(__unix__) || defined(__APPLE__)
TEST_CASE("chains compute in the memory of a guarded backend") {
  static_assert(onoma::chain_training_backend<onoma::guarded_backend<onoma::cpu_backend>>);
  generator g(52);
  const chain_batch<float> c(g, {4, 2}, 5, 1.0F, 20);
  const chain_results<float> found{onoma::guarded_backend<onoma::cpu_backend>(), c, true, 2};
  const chain_results<float> expected{onoma::cpu_backend(), c, true, 2};
  CHECK(found.demissions.data == expected.demissions.data);
  CHECK(found.labels == expected.labels);
}
#endif

}  // namespace test::crf_tests
