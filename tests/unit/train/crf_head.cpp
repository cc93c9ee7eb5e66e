/// The head of linear chains on the encoder: gradients, training, what is saved, and what is never decoded.
#include "support/temporary_folder.hpp"
#include "unit/train/slopes.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/data/check.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

namespace test::crf_head_tests {
namespace {

using crf = onoma::crf_head<onoma::cpu_backend>;
using crf_model = onoma::trainable_model<onoma::cpu_backend, crf>;
using crf_session = onoma::session<onoma::cpu_backend, crf>;

std::vector<float> values_of(const crf_model& m) {
  const auto values = m.parameters().values();
  return {values.begin(), values.end()};
}

using exact_backend = onoma::reference_backend<double>;
using exact_model = onoma::trainable_model<exact_backend, onoma::crf_head<exact_backend>>;
using path = std::vector<std::int32_t>;

/// Weights of the chain that are not zero.
void set_chain(exact_model& m) {
  auto& parameters = m.parameters();
  for (const auto& entry : parameters.layout().entries()) {
    if (!entry.name.starts_with("crf.")) continue;
    std::vector<double> values(static_cast<std::size_t>(entry.size()));
    for (std::size_t i = 0; i < values.size(); ++i) {
      values[i] = std::sin(static_cast<double>(3 * i + entry.name.size()));
    }
    parameters.upload(entry, values.data());
  }
}

std::vector<double> value_of(const exact_model& m, const std::string& name) {
  for (const auto& entry : m.parameters().layout().entries()) {
    if (entry.name == name) return m.parameters().download_value(entry);
  }
  FAIL("no parameter ", name);
  return {};
}

/// Calls use(path, exp of its score) for every sequence of labels of as many words as `emissions` has rows.
template <class Use>
void for_each_path(const exact_model& m, onoma::mat<const double> emissions, Use&& use) {
  const auto between = value_of(m, "crf.transitions");
  const auto start = value_of(m, "crf.start_transitions");
  const auto end = value_of(m, "crf.end_transitions");
  const index_t count = emissions.cols;
  path p(static_cast<std::size_t>(emissions.rows), 0);
  for (bool more = true; more;) {
    double score = start[static_cast<std::size_t>(p.front())] + end[static_cast<std::size_t>(p.back())];
    for (std::size_t n = 0; n < p.size(); ++n) {
      score += emissions(static_cast<index_t>(n), p[n]);
      if (n > 0) score += between[static_cast<std::size_t>(p[n - 1] * count + p[n])];
    }
    use(p, std::exp(score));
    more = false;
    for (auto& label : p) {
      if (++label < count) {
        more = true;
        break;
      }
      label = 0;
    }
  }
}

/// Of BIO, with the labels of the small task.
bool is_valid(const path& p) {
  std::string before = "O";
  for (const auto label : p) {
    const auto& tag = labels[static_cast<std::size_t>(label)];
    if (tag[0] == 'I' && (before == "O" || before.substr(2) != tag.substr(2))) return false;
    before = tag;
  }
  return true;
}

/// Every parameter's largest gradient against differences of the loss.
void check_chain_slopes(const onoma::json& settings, const std::vector<std::vector<std::int32_t>>& targets) {
  exact_backend device;
  exact_model m(config_with_dropout(), device, {.seed = 5, .head = settings});
  onoma::tagged_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 3}, targets[0]);
  batch.add(std::vector<std::int32_t>{2, 3}, {});  // no word
  batch.add(std::vector<std::int32_t>{2, 30, 17, 3}, targets[1]);
  check_slopes(m, batch);
  for (const auto& entry : m.parameters().layout().entries()) {
    if (!entry.name.starts_with("crf.")) continue;
    const auto gradient = m.parameters().download_gradient(entry);
    CHECK(std::any_of(gradient.begin(), gradient.end(), [](double d) { return std::abs(d) > 1e-3; }));
  }
}

onoma::encoder_config config_without_dropout() {
  auto config = config_with_dropout();
  config.classifier_dropout = config.hidden_dropout = config.attention_dropout = 0.0;
  return config;
}

std::vector<float> train_with(index_t threads) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device(pool);
  crf_model m(config_with_dropout(), device, {.seed = 5});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  onoma::trainer trainer(m, tokens, data, data, options());
  trainer.run();
  return values_of(m);
}

/// Sentences of any words, whose emissions of a model with new weights obey no scheme.
std::vector<onoma::sentence> noise() {
  const std::vector<std::string> words = {"jane", "was", "in", "york", "the", "new", "museum", "and", "met", "."};
  std::vector<onoma::sentence> all;
  for (std::size_t n = 1; n < 40; ++n) {
    onoma::sentence s;
    for (std::size_t w = 0; w < n; ++w) s.words.push_back(words[(w * 7 + n * n) % words.size()]);
    s.tags.assign(n, "O");
    all.push_back(std::move(s));
  }
  return all;
}

/// Tags that continue nothing.
index_t broken_tags(const onoma::tag_sequences& tags) {
  index_t broken = 0;
  for (const auto& sequence : tags) {
    std::string before = "O";
    for (const auto& tag : sequence) {
      if (tag[0] == 'I' && (before == "O" || before.substr(2) != tag.substr(2))) ++broken;
      before = tag;
    }
  }
  return broken;
}

}  // namespace

TEST_CASE("gradients of chains are the slopes of the loss, with and without the rules of the scheme") {
  // Labels: B-LOC B-PER I-LOC I-PER O. I-PER begins a sequence only without rules.
  check_chain_slopes(nullptr, {{-100, 3, -100, 4, -100}, {-100, 0, 2, -100}});
  check_chain_slopes({{"rules_in_training", true}}, {{-100, 1, 3, 4, -100}, {-100, 0, 2, -100}});
}

TEST_CASE("words get the likeliest labels that the scheme allows, and their probabilities among all paths") {
  exact_backend device;
  exact_model m(config_with_dropout(), device);
  set_chain(m);
  const auto count = static_cast<index_t>(labels.size());
  // Two sequences, of 4 words and of 1.
  const std::vector<std::int32_t> offsets = {0, 4, 5};
  std::vector<double> emissions;
  for (int i = 0; i < 5 * static_cast<int>(count); ++i) emissions.push_back(std::cos(static_cast<double>(7 * i)));
  path found(5);
  std::vector<double> confidences(5);
  onoma::session_of(m).decode_words({emissions.data(), 5, count}, onoma::sequences::of({offsets.data(), 3}),
                                    {found.data(), 5}, {confidences.data(), 5});
  for (std::size_t s = 0; s < 2; ++s) {
    const auto first = static_cast<std::size_t>(offsets[s]);
    const auto words = static_cast<std::size_t>(offsets[s + 1]) - first;
    double sum = 0.0;
    double best = 0.0;
    path likeliest;
    std::vector<double> with_label(words, 0.0);
    for_each_path(m, {emissions.data() + first * labels.size(), static_cast<index_t>(words), count},
                  [&](const path& p, double weight) {
      if (!is_valid(p)) return;
      sum += weight;
      if (weight > best) {
        best = weight;
        likeliest = p;
      }
      for (std::size_t n = 0; n < words; ++n) with_label[n] += p[n] == found[first + n] ? weight : 0.0;
    });
    CHECK(path(found.begin() + offsets[s], found.begin() + offsets[s + 1]) == likeliest);
    for (std::size_t n = 0; n < words; ++n) {
      // Sums of at most 5^4 terms in double.
      CHECK(confidences[first + n] == doctest::Approx(with_label[n] / sum).epsilon(1e-12));
    }
  }
}

TEST_CASE("words of unknown label may have any: the loss is that of all sequences with the known labels") {
  exact_backend device;
  exact_model m(config_without_dropout(), device);
  set_chain(m);
  // The first sequence has a word of unknown label inside and one at its end, the second knows nothing.
  const std::vector<std::vector<std::int32_t>> ids = {{2, 17, 18, 19, 30, 3}, {2, 30, 17, 3}};
  const std::vector<path> known = {{-100, 1, -101, 3, -101, -100}, {-100, -101, -101, -100}};
  onoma::tagged_batch batch;
  for (std::size_t s = 0; s < ids.size(); ++s) batch.add(ids[s], known[s]);
  const auto loss = m.forward_loss(batch);
  CHECK(loss.count == 2);
  double expected = 0.0;
  const auto count = static_cast<index_t>(labels.size());
  for (std::size_t s = 0; s < ids.size(); ++s) {
    onoma::tagged_batch alone;
    alone.add(ids[s], known[s]);
    const auto all = m.logits(alone.tokens);
    std::vector<double> emissions(all.data + count, all.data + (all.rows - 1) * count);  // without special tokens
    double sum = 0.0;
    double agrees = 0.0;
    for_each_path(m, {emissions.data(), all.rows - 2, count}, [&](const path& p, double weight) {
      sum += weight;
      bool same = true;
      for (std::size_t n = 0; n < p.size(); ++n) same = same && (known[s][n + 1] < 0 || known[s][n + 1] == p[n]);
      agrees += same ? weight : 0.0;
    });
    expected += std::log(sum) - std::log(agrees);
  }
  // Sums of at most 5^4 terms in double, of a loss of order 1.
  CHECK(loss.sum == doctest::Approx(expected).epsilon(1e-11));
  check_chain_slopes(nullptr, {{-100, 3, -101, 4, -100}, {-100, -101, 2, -100}});
  check_chain_slopes({{"rules_in_training", true}}, {{-100, 1, -101, 4, -100}, {-100, -101, 2, -100}});
}

TEST_CASE("a word of unknown label is in a chain, and nothing for a head of words by themselves") {
  onoma::cpu_backend device;
  const auto loss_and_gradient = [&](auto& m, std::int32_t target) {
    onoma::tagged_batch batch;
    batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 3}, path{-100, 1, target, 4, -100});
    batch.add(std::vector<std::int32_t>{2, 30, 3}, path{-100, target, -100});
    m.parameters().zero_gradients();
    const auto loss = m.forward_loss(batch);
    CHECK(loss.count == 2);
    m.backward();
    const auto gradients = m.parameters().gradients();
    std::vector<float> all(gradients.begin(), gradients.end());
    all.push_back(static_cast<float>(loss.sum));
    return all;
  };
  const auto config = config_without_dropout();
  model words(config, device, {.seed = 5});
  CHECK(loss_and_gradient(words, onoma::unknown_label) == loss_and_gradient(words, onoma::ignored_label));
  CHECK(onoma::token_targets::count(path{-100, 1, onoma::unknown_label, 4}) == 2);
  onoma::tagged_batch nothing;
  nothing.add(std::vector<std::int32_t>{17, 18}, path{onoma::unknown_label, onoma::unknown_label});
  CHECK(words.forward_loss(nothing).count == 0);
  crf_model chains(config, device, {.seed = 5});
  CHECK(chains.forward_loss(nothing).sum == 0.0);
  CHECK(loss_and_gradient(chains, onoma::unknown_label) != loss_and_gradient(chains, onoma::ignored_label));
}

TEST_CASE("words of unknown tag are trained on and evaluated as such, and their tag is no label") {
  auto data = sentences();
  for (std::size_t s = 0; s < data.size(); ++s) data[s].tags[s % data[s].tags.size()] = "-";
  const auto tags = onoma::tag_set::from_tags(onoma::tags_of(data));
  CHECK(tags.labels() == onoma::tag_set::from_tags(onoma::tags_of(sentences())).labels());
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto examples = onoma::make_examples(tokens, data, tags);
  index_t unknown = 0;
  for (const auto& e : examples) unknown += std::count(e.labels.begin(), e.labels.end(), onoma::unknown_label);
  CHECK(unknown == static_cast<index_t>(data.size()));
  CHECK(onoma::check_corpus(data).unknown == unknown);
  CHECK(onoma::check_corpus(data).tags.count("-") == 0);
  CHECK_THROWS_WITH_AS(onoma::to_document(data[0]), doctest::Contains("unknown tag"), onoma::error);

  onoma::cpu_backend device;
  auto m = crf_model::load(tiny, labels, device, {.seed = 5, .replace_head = true});
  auto o = options();
  o.epochs = 25;
  o.accumulation = 1;
  o.learning_rate = 1e-2;
  onoma::trainer trainer(m, tokens, data, data, o);
  trainer.run();
  const auto report = onoma::evaluate_on(m, tokens, data);
  CHECK(report.unknown_words == unknown);
  const auto whole = onoma::evaluate_on(m, tokens, sentences());
  CHECK(report.tokens == whole.tokens - unknown);
  CHECK(whole.micro.f1 > 0.9);  // also where nobody looked
}

TEST_CASE("a head of chains touches no number of a tensor itself") {
  using guarded = onoma::guarded_backend<onoma::reference_backend<double>>;
  guarded device;
  onoma::trainable_model<guarded, onoma::crf_head<guarded>> m(config_with_dropout(), device, {.seed = 5});
  onoma::tagged_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 3}, {-100, 1, 3, 4, -100});
  m.set_dropout(11, 4);
  CHECK(m.forward_loss(batch).count == 3);
  m.backward();
  const auto tokens = onoma::load_tokenizer(tiny);
  CHECK(onoma::predict(m, tokens, sentences()).size() == sentences().size());
}

TEST_CASE("a chain that the rules in training do not allow is refused") {
  onoma::cpu_backend device;
  crf_model m(config_with_dropout(), device, {.head = {{"rules_in_training", true}}});
  onoma::tagged_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 3}, std::vector<std::int32_t>{-100, 3, -100});
  CHECK_THROWS_WITH_AS(m.forward_loss(batch), doctest::Contains("a path that the rules of transitions allow"),
                       onoma::error);
}

TEST_CASE("chains are trained to the same bits by any number of threads, and from a state of any step") {
  const auto expected = train_with(1);
  CHECK(expected == train_with(3));
  const temporary_folder folder;
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  auto o = options();
  o.checkpoint = folder.path / "state.safetensors";
  onoma::cpu_backend device;
  {
    crf_model m(config_with_dropout(), device, {.seed = 5});
    onoma::trainer trainer(m, tokens, data, data, o);
    CHECK(trainer.run([](const onoma::training_progress& p) { return p.step < 5; }).stopped);
  }
  crf_model m(config_with_dropout(), device, {.seed = 77});
  onoma::trainer trainer(m, tokens, data, data, o);
  trainer.resume(o.checkpoint);
  trainer.run();
  CHECK(values_of(m) == expected);
  // With other rules it is another run.
  crf_model other(config_with_dropout(), device, {.seed = 5, .head = {{"rules_in_training", true}}});
  onoma::trainer refused(other, tokens, data, data, o);
  CHECK_THROWS_WITH_AS(refused.resume(o.checkpoint), doctest::Contains("head"), onoma::error);
}

TEST_CASE("a folder with chains loads to the same bits and settings, and to no other head") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  onoma::cpu_backend device;
  auto m = crf_model::load(tiny, labels, device, {.replace_head = true, .head = {{"rules_in_training", true}}});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  onoma::trainer trainer(m, tokens, data, {}, options());
  trainer.run();
  m.save(path);
  auto back = crf_model::load(path, {}, device);
  CHECK(values_of(back) == values_of(m));
  CHECK(back.model().head().settings() == m.model().head().settings());
  CHECK(back.report().initialised.empty());
  auto session = crf_session::load(path, device);
  CHECK(onoma::predict(session, tokens, data) == onoma::predict(m, tokens, data));
  CHECK_THROWS_WITH_AS(model::load(path, {}, device), doctest::Contains("'crf'"), onoma::error);
  CHECK_THROWS_WITH_AS(onoma::token_classifier_session<onoma::cpu_backend>::load(path, device),
                       doctest::Contains("'crf'"), onoma::error);
  const auto plain = model::load(path, labels, device, {.replace_head = true});
  CHECK(plain.report().initialised.size() == 2);
  CHECK_FALSE(plain.config().own.contains("crf"));
}

TEST_CASE("chains are learned, and a pipeline tags with them as they are evaluated") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  onoma::cpu_backend device;
  auto m = crf_model::load(tiny, labels, device, {.seed = 5, .replace_head = true});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  auto o = options();
  o.epochs = 25;
  o.accumulation = 1;
  o.learning_rate = 1e-2;
  onoma::trainer trainer(m, tokens, data, data, o);
  const auto result = trainer.run();
  CHECK(result.losses.back() < 0.3 * result.losses.front());
  CHECK(onoma::evaluate_on(m, tokens, data).micro.f1 > 0.9);
  m.save(path);
  auto finder = onoma::pipeline::load(path);
  const auto tags = onoma::predict(m, tokens, data);
  for (std::size_t s = 0; s < data.size(); ++s) {
    std::vector<std::string> found(data[s].words.size(), "O");
    for (const auto& e : finder.tag_words(data[s].words)) {
      CHECK((e.score > 0.0 && e.score <= 1.0));
      for (auto w = e.first; w <= e.last; ++w) {
        found[static_cast<std::size_t>(w)] = (w == e.first ? "B-" : "I-") + e.label;
      }
    }
    CHECK(found == tags[s]);
  }
  CHECK_FALSE(finder.tag_batch(std::vector<std::string>{"Jane was in Berlin.", ""})[0].entities.empty());
  CHECK_THROWS_WITH_AS(onoma::pipeline::load(path, {.strategy = onoma::aggregation::simple}),
                       doctest::Contains("'word'"), onoma::error);
}

TEST_CASE("settings of chains that are none, or are of other labels, are refused by name") {
  onoma::cpu_backend device;
  const auto refuses = [&](const onoma::json& settings, const char* name) {
    INFO(name);
    CHECK_THROWS_WITH_AS(crf_model(config_with_dropout(), device, {.head = settings}), doctest::Contains(name),
                         onoma::error);
  };
  refuses({{"scheme", "IOB2"}}, "'scheme'");
  refuses({{"rules_in_training", 1}}, "'rules_in_training'");
  refuses("IOB2", "settings of a head");
  CHECK_THROWS_WITH_AS(crf_model(config_with_dropout(), device, {.scheme = onoma::tag_scheme::ioe2}),
                       doctest::Contains("'B-LOC'"), onoma::error);
  CHECK_THROWS_WITH_AS(model(config_with_dropout(), device, {.head = {{"rules_in_training", true}}}),
                       doctest::Contains("settings of a head"), onoma::error);
}

TEST_CASE("no sequence of tags that the scheme does not have is ever decoded, also where windows meet") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = noise();
  index_t broken_words = 0;
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    onoma::cpu_backend device;
    auto config = config_with_dropout();
    config.initializer_range = 0.5;
    crf_model chains(config, device, {.seed = seed});
    model words(config, device, {.seed = seed});
    for (const index_t length : {8, 64}) {
      const onoma::prediction_options windows{.max_length = length, .stride = 2};
      CHECK(broken_tags(onoma::predict(chains, tokens, data, windows)) == 0);
      broken_words += broken_tags(onoma::predict(words, tokens, data, windows));
    }
  }
  CHECK(broken_words > 0);  // the sentences show what a head of words does
}

TEST_CASE("pieces behind the first of a word are no part of a chain") {
  onoma::cpu_backend device;
  const crf_model m(config_with_dropout(), device);
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  onoma::dataset_options all;
  all.align.label_all_tokens = true;
  CHECK_THROWS_WITH_AS(onoma::tagging_task(m, tokens, data, {}, all), doctest::Contains("first pieces"),
                       onoma::error);
}

}  // namespace test::crf_head_tests
