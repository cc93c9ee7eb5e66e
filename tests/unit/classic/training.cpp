/// Training chains: CRFsuite's numbers, gradients, the minimiser, the perceptron, and threads.
#include <onoma/classic/lbfgs.hpp>
#include <onoma/classic/objective.hpp>
#include <onoma/classic/perceptron.hpp>
#include <onoma/classic/problem.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace test::classic_training_tests {
namespace {

using namespace onoma;

json read_golden() {
  const auto path = std::filesystem::path(ONOMA_TEST_DATA_DIR) / "classic.json";
  return parse_json(read_text_file(path), path.string());
}

/// Gives names numbers in the order in which they come.
struct names {
  std::map<std::string, std::uint32_t> numbers;
  std::uint32_t number(const std::string& name) {
    return numbers.emplace(name, static_cast<std::uint32_t>(numbers.size())).first->second;
  }
};

struct named_problem {
  names attributes;
  names labels;
  crf_problem problem;
};

/// The golden's sentences: of every second word the attributes come by a row, which words with the same ones share.
named_problem make_problem(const json& sentences, const json& labels) {
  named_problem made;
  for (const auto& label : labels) made.labels.number(label.get<std::string>());
  std::map<std::vector<std::uint32_t>, std::uint32_t> rows;
  auto& p = made.problem;
  for (const auto& sentence : sentences) {
    for (const auto& word : sentence) {
      std::vector<std::uint32_t> attributes;
      for (const auto& attribute : word[1]) attributes.push_back(made.attributes.number(attribute.get<std::string>()));
      if (p.targets.size() % 2 == 0) {
        const auto [row, is_new] = rows.emplace(attributes, static_cast<std::uint32_t>(rows.size()));
        if (is_new) {
          for (const auto attribute : attributes) p.rows.push(attribute);
          p.rows.close();
        }
        p.word_rows.push(row->second);
      } else {
        for (const auto attribute : attributes) p.word_attributes.push(attribute);
      }
      p.word_rows.close();
      p.word_attributes.close();
      p.targets.push_back(made.labels.numbers.at(word[0].get<std::string>()));
    }
    p.sentence_begins.push_back(p.targets.size());
  }
  p.labels = static_cast<index_t>(made.labels.numbers.size());
  p.attributes = static_cast<index_t>(made.attributes.numbers.size());
  p.validate();
  return made;
}

crf_feature_options feature_options(const json& options) {
  crf_feature_options made;
  made.min_frequency = options.value("feature.minfreq", 1);
  made.all_states = options.value("feature.possible_states", false);
  made.all_transitions = options.value("feature.possible_transitions", false);
  return made;
}

/// The golden's weights in the places of features. @return how many have one.
std::size_t fill_weights(const json& run, named_problem& p, const crf_features& features,
                         std::vector<double>& weights) {
  weights.assign(features.count, 0.0);
  std::size_t count = 0;
  for (const auto& w : run["states"]) {
    const auto attribute = p.attributes.number(w[0].get<std::string>());
    const auto f = features.find(attribute, p.labels.number(w[1].get<std::string>()));
    REQUIRE(f != crf_features::none);
    weights[f] = w[2].get<double>();
    ++count;
  }
  for (const auto& w : run["transitions"]) {
    const auto from = p.labels.number(w[0].get<std::string>());
    const auto f = features.transitions[from * p.labels.numbers.size() + p.labels.number(w[1].get<std::string>())];
    REQUIRE(f != crf_features::none);
    weights[f] = w[2].get<double>();
    ++count;
  }
  return count;
}

/// The best labels of each sentence by these weights, with the numbers of the problem.
std::vector<std::int32_t> best_labels(const crf_problem& p, const crf_features& features,
                                      const std::vector<double>& weights) {
  const auto labels = static_cast<std::size_t>(p.labels);
  std::vector<double> transitions;
  for (const auto f : features.transitions) transitions.push_back(f == crf_features::none ? 0.0 : weights[f]);
  std::vector<std::int32_t> all;
  for (std::size_t s = 0; s < p.sentences(); ++s) {
    const std::size_t words = p.sentence_begins[s + 1] - p.sentence_begins[s];
    std::vector<double> scores(words * labels);
    const auto add = [&](std::size_t t, std::uint32_t attribute) {
      for (std::size_t l = 0; l < labels; ++l) {
        const auto f = features.find(attribute, static_cast<std::uint32_t>(l));
        if (f != crf_features::none) scores[t * labels + l] += weights[f];
      }
    };
    for (std::size_t t = 0; t < words; ++t) {
      for (const auto attribute : p.word_attributes[p.sentence_begins[s] + t]) add(t, attribute);
      for (const auto row : p.word_rows[p.sentence_begins[s] + t]) {
        for (const auto attribute : p.rows[row]) add(t, attribute);
      }
    }
    std::vector<std::int32_t> path(words);
    best_path<double>().run(scores.data(), transitions.data(), labels, labels, words, path.data());
    all.insert(all.end(), path.begin(), path.end());
  }
  return all;
}

/// The loss with its penalty on squares.
double penalised(crf_objective& objective, double c2, std::span<const double> x, std::span<double> g) {
  double value = objective(x, g);
  for (std::size_t i = 0; i < x.size(); ++i) {
    value += c2 * x[i] * x[i];
    g[i] += 2.0 * c2 * x[i];
  }
  return value;
}

/// A problem of random attributes, by rows and without.
crf_problem random_problem(std::size_t sentences, unsigned seed) {
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t bound) { return static_cast<std::uint32_t>(random() % bound); };
  crf_problem p;
  p.labels = 5;
  p.attributes = 60;
  for (int row = 0; row < 30; ++row) {
    for (std::uint32_t i = below(5); i-- > 0;) p.rows.push(below(60));
    p.rows.close();
  }
  for (std::size_t s = 0; s < sentences; ++s) {
    for (std::uint32_t words = 1 + below(12); words-- > 0;) {
      for (std::uint32_t i = below(4); i-- > 0;) p.word_rows.push(below(30));
      for (std::uint32_t i = below(3); i-- > 0;) p.word_attributes.push(below(60));
      p.word_rows.close();
      p.word_attributes.close();
      p.targets.push_back(below(5));
    }
    p.sentence_begins.push_back(p.targets.size());
  }
  p.validate();
  return p;
}

std::vector<double> random_weights(std::size_t count, unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal;
  std::vector<double> weights(count);
  for (auto& w : weights) w = normal(random);
  return weights;
}

std::vector<double> train(const crf_problem& p, const crf_features& features, executor_ref executor, double c1) {
  crf_objective objective(p, features, executor);
  lbfgs_options options;
  options.c1 = c1;
  options.max_iterations = 30;
  lbfgs search(features.count, options, executor);
  search.run([&](std::span<const double> x, std::span<double> g) { return penalised(objective, 0.1, x, g); },
             [](const lbfgs_progress&) { return true; });
  return search.arguments();
}

}  // namespace

TEST_CASE("at CRFsuite's weights the likelihood of each problem is CRFsuite's, and so are the best labels") {
  const json golden = read_golden();
  for (const auto& run : golden["runs"]) {
    INFO(run["options"].dump());
    auto p = make_problem(golden["sentences"], run["labels"]);
    const auto features = make_features(p.problem, feature_options(run["options"]));
    std::vector<double> weights;
    const std::size_t given = fill_weights(run, p, features, weights);
    // With a penalty on absolute values CRFsuite leaves out weights that are 0.
    CHECK((run["options"]["c1"] == 0 ? given == features.count : given < features.count));
    double expected = 0.0;
    for (const auto& sentence : run["sentences"]) expected -= sentence["log_probability"].get<double>();
    crf_objective objective(p.problem, features);
    std::vector<double> gradient(features.count);
    CHECK(std::abs(objective(weights, gradient) - expected) < 1e-9);
    std::vector<std::int32_t> best;
    for (const auto& sentence : run["sentences"]) {
      for (const auto& label : sentence["best"]) {
        best.push_back(static_cast<std::int32_t>(p.labels.number(label.get<std::string>())));
      }
    }
    CHECK(best_labels(p.problem, features, weights) == best);
  }
}

TEST_CASE("training ends at CRFsuite's optimum") {
  const json golden = read_golden();
  for (const auto& run : golden["runs"]) {
    INFO(run["options"].dump());
    auto p = make_problem(golden["sentences"], run["labels"]);
    const auto features = make_features(p.problem, feature_options(run["options"]));
    crf_objective objective(p.problem, features);
    lbfgs_options options;
    options.c1 = run["options"]["c1"].get<double>();
    options.epsilon = 1e-9;
    options.delta = 1e-12;
    const double c2 = run["options"]["c2"].get<double>();
    lbfgs search(features.count, options);
    double before = std::numeric_limits<double>::infinity();
    search.run([&](std::span<const double> x, std::span<double> g) { return penalised(objective, c2, x, g); },
               [&](const lbfgs_progress& now) {
                 CHECK(now.value <= before);
                 before = now.value;
                 return true;
               });
    // CRFsuite prints six digits after the point, and stops as we do.
    CHECK(search.value() == doctest::Approx(run["loss"].get<double>()).epsilon(1e-7));
    std::size_t zeros = 0;
    for (const double w : search.arguments()) zeros += w == 0.0 ? 1 : 0;
    CHECK(features.count - zeros == run["states"].size() + run["transitions"].size());
  }
}

TEST_CASE("the gradient of the loss is that of small differences") {
  const auto p = random_problem(6, 3);
  const auto features = make_features(p, {.all_transitions = true});
  crf_objective objective(p, features);
  auto x = random_weights(features.count, 4);
  std::vector<double> gradient(x.size());
  std::vector<double> unused(x.size());
  static_cast<void>(objective(x, gradient));
  for (std::size_t i = 0; i < x.size(); ++i) {
    constexpr double h = 1e-5;
    const double at = x[i];
    x[i] = at + h;
    const double up = objective(x, unused);
    x[i] = at - h;
    const double down = objective(x, unused);
    x[i] = at;
    // Error of the central difference: h^2 times third derivatives below 10, and rounding 1e-14 / h.
    CHECK(std::abs(gradient[i] - (up - down) / (2 * h)) < 1e-8);
  }
}

TEST_CASE("attributes that come by rows count as those that do not") {
  auto p = random_problem(20, 5);
  auto flat = p;
  flat.rows = {};
  flat.word_rows = {};
  flat.word_attributes = {};
  for (std::size_t w = 0; w < p.words(); ++w) {
    for (const auto row : p.word_rows[w]) {
      for (const auto attribute : p.rows[row]) flat.word_attributes.push(attribute);
    }
    for (const auto attribute : p.word_attributes[w]) flat.word_attributes.push(attribute);
    flat.word_attributes.close();
    flat.word_rows.close();
  }
  for (const index_t frequency : {1, 3}) {
    const auto features = make_features(p, {.min_frequency = frequency});
    const auto same = make_features(flat, {.min_frequency = frequency});
    CHECK(features.labels == same.labels);
    CHECK(features.begins == same.begins);
    CHECK(features.transitions == same.transitions);
    const auto x = random_weights(features.count, 6);
    std::vector<double> a(x.size());
    std::vector<double> b(x.size());
    crf_objective one(p, features);
    crf_objective other(flat, features);
    CHECK(one(x, a) == doctest::Approx(other(x, b)).epsilon(1e-13));
    for (std::size_t i = 0; i < a.size(); ++i) CHECK(std::abs(a[i] - b[i]) < 1e-11);  // sums of 100 words
  }
}

TEST_CASE("training has the same bits for any number of threads") {
  const auto p = random_problem(600, 7);  // several parts of each kind
  const auto features = make_features(p, {.all_states = true});
  for (const double c1 : {0.0, 0.2}) {
    const auto expected = train(p, features, {}, c1);
    for (const index_t threads : {2, 3, 5}) {
      thread_pool pool(threads);
      CHECK(train(p, features, pool, c1) == expected);
    }
  }
}

TEST_CASE("a penalty on absolute values leaves the weights where one-sided slopes hold them") {
  const auto p = random_problem(60, 8);
  const auto features = make_features(p, {});
  crf_objective objective(p, features);
  lbfgs_options options;
  options.c1 = 0.7;
  options.epsilon = 1e-7;
  options.delta = 0.0;
  options.period = 0;
  lbfgs search(features.count, options);
  search.run([&](std::span<const double> x, std::span<double> g) { return penalised(objective, 0.01, x, g); },
             [](const lbfgs_progress&) { return true; });
  const auto& x = search.arguments();
  std::vector<double> g(x.size());
  penalised(objective, 0.01, x, g);
  std::size_t zeros = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    zeros += x[i] == 0.0 ? 1 : 0;
    // Slopes end below epsilon times the norm of x, which is below 100.
    if (x[i] == 0.0) CHECK(std::abs(g[i]) <= 0.7 + 1e-5);
    if (x[i] != 0.0) CHECK(std::abs(g[i] + (x[i] < 0 ? -0.7 : 0.7)) <= 1e-5);
  }
  CHECK(zeros > 10);
  CHECK(zeros < x.size());
}

TEST_CASE("the minimiser finds the least of Rosenbrock's function, says why it ended and can be stopped") {
  const auto rosenbrock = [](std::span<const double> x, std::span<double> g) {
    const double a = 1 - x[0];
    const double b = x[1] - x[0] * x[0];
    g[0] = -2 * a - 400 * x[0] * b;
    g[1] = 200 * b;
    return a * a + 100 * b * b;
  };
  const auto go_on = [](const lbfgs_progress&) { return true; };
  lbfgs_options options;
  options.period = 0;
  options.epsilon = 1e-10;
  lbfgs search(2, options);
  search.arguments() = {-1.2, 1.0};
  CHECK(search.run(rosenbrock, go_on) == lbfgs_end::converged);
  CHECK(search.arguments()[0] == doctest::Approx(1.0).epsilon(1e-8));
  CHECK(search.arguments()[1] == doctest::Approx(1.0).epsilon(1e-8));
  CHECK(search.run(rosenbrock, go_on) == lbfgs_end::converged);  // it is there already

  options.max_iterations = 3;
  lbfgs few(2, options);
  CHECK(few.run(rosenbrock, go_on) == lbfgs_end::iterations);
  lbfgs stopped(2, options);
  CHECK(stopped.run(rosenbrock, [](const lbfgs_progress& p) { return p.iteration < 2; }) == lbfgs_end::stopped);
  options.max_iterations = 0;
  options.period = 2;
  options.delta = 1e9;
  lbfgs settled(2, options);
  CHECK(settled.run(rosenbrock, go_on) == lbfgs_end::settled);

  CHECK_THROWS_AS(lbfgs(2, {.memory = 0}), error);
  lbfgs broken(1, {});
  CHECK_THROWS_AS(broken.run([](std::span<const double>, std::span<double>) { return std::nan(""); }, go_on), error);
}

TEST_CASE("the averaged perceptron learns what a chain can say, and its result is the mean of its steps") {
  // One attribute that says the label of the word, and one that says nothing.
  crf_problem p;
  p.labels = 2;
  p.attributes = 3;
  for (std::uint32_t w = 0; w < 8; ++w) {
    p.word_attributes.push(w % 3 == 0 ? 0U : 1U);
    p.word_attributes.push(2U);
    p.word_attributes.close();
    p.word_rows.close();
    p.targets.push_back(w % 3 == 0 ? 0U : 1U);
    if (w % 4 == 3) p.sentence_begins.push_back(p.targets.size());
  }
  p.validate();
  const auto features = make_features(p, {.all_states = true, .all_transitions = true});
  averaged_perceptron learner(p, features, {.epochs = 10});
  index_t epochs = 0;
  index_t last = -1;
  const auto weights = learner.run([&](const perceptron_progress& now) {
    ++epochs;
    last = now.mistakes;
    return true;
  });
  CHECK(last == 0);
  CHECK(epochs < 10);
  CHECK(weights[features.find(0, 0)] > weights[features.find(0, 1)]);
  CHECK(weights[features.find(1, 1)] > weights[features.find(1, 0)]);

  // Two sentences of one word, of label 0 and 1, one epoch. If that of label 1 comes first, it is got wrong at weights
  // of 0, and then the other too, which takes the change back; else that of label 1 is got wrong as the second. The
  // mean is over three moments, with that before the first.
  crf_problem two;
  two.labels = 2;
  two.attributes = 1;
  for (const std::uint32_t label : {0U, 1U}) {
    two.word_attributes.push(0U);
    two.word_attributes.close();
    two.word_rows.close();
    two.targets.push_back(label);
    two.sentence_begins.push_back(two.targets.size());
  }
  const auto few = make_features(two, {.all_states = true});
  averaged_perceptron once(two, few, {.epochs = 1});
  const auto mean = once.run([](const perceptron_progress&) { return true; });
  CHECK(mean[few.find(0, 1)] == doctest::Approx(1.0 / 3.0));
  CHECK(mean[few.find(0, 0)] == doctest::Approx(-1.0 / 3.0));
}

TEST_CASE("a problem whose numbers lead nowhere is refused") {
  const auto good = random_problem(3, 1);
  const auto refused = [&](auto change) {
    auto p = good;
    change(p);
    CHECK_THROWS_AS(p.validate(), error);
  };
  refused([](crf_problem& p) { p.targets[0] = 5; });
  refused([](crf_problem& p) { p.rows.items[0] = 60; });
  refused([](crf_problem& p) { p.word_attributes.items[0] = 60; });
  refused([](crf_problem& p) { p.word_rows.items[0] = 30; });
  refused([](crf_problem& p) { p.sentence_begins[1] = 0; });
  refused([](crf_problem& p) { p.sentence_begins.back() += 1; });
  refused([](crf_problem& p) { p.labels = 0; });
  refused([](crf_problem& p) { p.word_rows.close(); });
  refused([](crf_problem& p) { p = crf_problem(); });
}

}  // namespace test::classic_training_tests
