/// The head of spans on the encoder: gradients, training, what is saved, and what is found.
#include "support/temporary_folder.hpp"
#include "unit/train/slopes.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/reference.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/data/span_corpora.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/train/span_task.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace test::span_head_tests {
namespace {

using exact_backend = onoma::reference_backend<double>;
using span_model = onoma::trainable_model<onoma::cpu_backend, onoma::span_head<onoma::cpu_backend>>;
using span_session = onoma::session<onoma::cpu_backend, onoma::span_head<onoma::cpu_backend>>;
using onoma::document;

const std::vector<std::string> names = {"O", "LOC", "ORG", "PER"};

/// Sentences with a place inside of an organisation.
std::vector<document> documents() {
  std::string lines;
  for (const char* person : {"jane", "john", "Jane", "John"}) {
    for (const char* place : {"berlin", "paris", "york"}) {
      lines += R"({"tokens": [")" + std::string(person) + R"(", "was", "in", ")" + place +
               R"(", "."], "spans": [[0, 1, "PER"], [3, 4, "LOC"]]})" + "\n";
      lines += R"({"tokens": ["the", "new", ")" + std::string(place) + R"(", "museum", "and", ")" + person +
               R"(", "met", "on", "monday"], "spans": [[1, 4, "ORG"], [2, 3, "LOC"], [5, 6, "PER"]]})" + "\n";
    }
  }
  return onoma::parse_token_spans(lines, "x");
}

onoma::encoder_config span_config() {
  auto config = config_with_dropout();
  config.labels = names;
  return config;
}

onoma::json small(double negatives = 1.0) { return {{"width", 3}, {"size", 8}, {"negatives", negatives}}; }

template <class Model>
auto values_of(const Model& m) {
  const auto values = m.parameters().values();
  return std::vector(values.begin(), values.end());
}

onoma::span_batch small_batch() {
  onoma::span_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 20, 3}, {{1, 2, 4}, {{0, 2, 1}, {1, 1, 2}}});
  batch.add(std::vector<std::int32_t>{2, 3}, {});  // no word
  batch.add(std::vector<std::int32_t>{2, 30, 17, 3}, {{1, 2}, {{1, 1, 3}}});
  return batch;
}

onoma::training_options span_options() {
  auto o = options();
  o.accumulation = 1;
  o.learning_rate = 1e-2;
  return o;
}

/// "label(first-last) ..." of a document.
std::string listed(const std::vector<onoma::entity>& spans) {
  std::string text;
  for (const auto& e : spans) {
    text += e.label + "(" + std::to_string(e.first) + "-" + std::to_string(e.last) + ") ";
  }
  return text;
}

std::vector<float> train_with(index_t threads) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device(pool);
  span_model m(span_config(), device, {.seed = 5, .head = small(0.5)});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = documents();
  onoma::trainer trainer(m, onoma::span_task(m, tokens, data, data), options());
  trainer.run();
  return values_of(m);
}

}  // namespace

TEST_CASE("gradients of an encoder with a head of spans are the slopes of its loss") {
  for (const double negatives : {1.0, 0.4}) {
    exact_backend device;
    onoma::trainable_model<exact_backend, onoma::span_head<exact_backend>> m(
        span_config(), device, {.seed = 5, .head = small(negatives)});
    auto& parameters = m.parameters();
    for (const auto& entry : parameters.layout().entries()) {  // weights that are not small
      if (!entry.name.starts_with("span.")) continue;
      std::vector<double> values(static_cast<std::size_t>(entry.size()));
      for (std::size_t i = 0; i < values.size(); ++i) {
        values[i] = std::sin(static_cast<double>(3 * i + entry.name.size()));
      }
      parameters.upload(entry, values.data());
    }
    const auto batch = small_batch();
    m.set_dropout(11, 4);
    CHECK(m.forward_loss(batch).count == 5);
    // The third derivative times step^2, and the rounding of a loss of order 10 over the step.
    check_slopes(m, batch, [](double gradient) { return 1e-7 * std::max(1.0, std::abs(gradient)); });
    for (const auto& entry : parameters.layout().entries()) {
      if (!entry.name.starts_with("span.")) continue;
      const auto gradient = parameters.download_gradient(entry);
      CHECK(std::any_of(gradient.begin(), gradient.end(), [](double d) { return std::abs(d) > 1e-3; }));
    }
  }
}

TEST_CASE("spans without a label are drawn by seed and step alone") {
  onoma::cpu_backend device;
  auto config = span_config();  // without what else depends on the step
  config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0.0;
  span_model m(config, device, {.seed = 5, .head = small(0.3)});
  span_model all(config, device, {.seed = 5, .head = small()});
  const auto batch = small_batch();
  const auto losses = [&](span_model& of, std::uint64_t seed) {
    std::vector<double> sums;
    for (std::uint64_t step = 1; step <= 8; ++step) {
      of.set_dropout(seed, step);
      sums.push_back(of.forward_loss(batch).sum);
    }
    return sums;
  };
  const auto first = losses(m, 1);
  CHECK(losses(m, 1) == first);
  CHECK(losses(m, 2) != first);
  CHECK(first != std::vector<double>(8, first[0]));
  const auto whole = losses(all, 1);
  CHECK(whole == std::vector<double>(8, whole[0]));
  for (const double sum : first) CHECK(sum <= whole[0]);  // 9 spans, 3 of them labelled
}

TEST_CASE("spans are trained to the same bits by any number of threads, and from a state of any step") {
  const auto expected = train_with(1);
  CHECK(expected == train_with(3));
  const temporary_folder folder;
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = documents();
  auto o = options();
  o.checkpoint = folder.path / "state.safetensors";
  onoma::cpu_backend device;
  {
    span_model m(span_config(), device, {.seed = 5, .head = small(0.5)});
    onoma::trainer trainer(m, onoma::span_task(m, tokens, data, data), o);
    CHECK(trainer.run([](const onoma::training_progress& p) { return p.step < 5; }).stopped);
  }
  span_model m(span_config(), device, {.seed = 77, .head = small(0.5)});
  onoma::trainer trainer(m, onoma::span_task(m, tokens, data, data), o);
  trainer.resume(o.checkpoint);
  trainer.run();
  CHECK(values_of(m) == expected);
  // With other settings it is another run.
  span_model other(span_config(), device, {.seed = 5, .head = small(0.6)});
  onoma::trainer refused(other, onoma::span_task(other, tokens, data, data), o);
  CHECK_THROWS_WITH_AS(refused.resume(o.checkpoint), doctest::Contains("head"), onoma::error);
}

TEST_CASE("nested spans are learned, saved to the same bits, and found by a pipeline as they are evaluated") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  onoma::cpu_backend device;
  auto m = span_model::load(tiny, names, device,
                            {.seed = 5, .replace_head = true, .head = {{"width", 4}, {"size", 16}}});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = documents();
  auto o = span_options();
  o.epochs = 60;
  onoma::trainer trainer(m, onoma::span_task(m, tokens, data, data), o);
  const auto result = trainer.run();
  CHECK(result.losses.back() < 0.1 * result.losses.front());
  trainer.task().tune(m);
  const auto how = onoma::span_settings_of(m.config());
  CHECK(how.thresholds[0] == 0.5);
  CHECK(how.thresholds != std::vector<double>(4, 0.5));
  const auto found = onoma::predict_spans(m, tokens, data, how);
  CHECK(onoma::evaluate(std::span<const document>(data), std::span<const document>(found)).micro.f1 > 0.95);
  const auto nesting = onoma::nesting_recall_of(data, found);
  CHECK(nesting.inner == 12);
  CHECK(nesting.inner_found > 10);
  m.save(path);
  CHECK_THROWS_AS(static_cast<void>(onoma::token_classifier<onoma::cpu_backend>::load(path, {}, device)), onoma::error);
  auto back = span_model::load(path, {}, device);
  CHECK(values_of(back) == values_of(m));
  CHECK(back.report().initialised.empty());
  CHECK(back.config().own["span"] == m.config().own["span"]);
  auto session = span_session::load(path, device);
  const auto again = onoma::predict_spans(session, tokens, data, onoma::span_settings_of(session.config()));
  auto finder = onoma::pipeline::load(path);
  for (std::size_t i = 0; i < data.size(); ++i) {
    CHECK(listed(again[i].spans) == listed(found[i].spans));
    const auto tagged = finder.tag_words(onoma::words_of(data[i]));
    CHECK(listed(tagged.entities) == listed(found[i].spans));
    for (std::size_t s = 0; s < tagged.size(); ++s) {
      CHECK(tagged[s].score == found[i].spans[s].score);
      CHECK(tagged[s].text == found[i].spans[s].text);
    }
  }
  const auto tagged = finder.tag("the new Paris museum and John met on monday");
  REQUIRE(tagged.size() == 3);
  CHECK(tagged[0].text == "new Paris museum");
  CHECK(tagged[1].text == "Paris");
  CHECK(tagged[1].span.code_points.begin == 8);
  CHECK_THROWS_WITH_AS(onoma::pipeline::load(path, {.strategy = onoma::aggregation::simple}),
                       doctest::Contains("'word'"), onoma::error);
}

TEST_CASE("a folder with spans loads to no other head, and another head leaves nothing behind") {
  const temporary_folder folder;
  onoma::cpu_backend device;
  span_model m(span_config(), device, {.head = small()});
  m.save(folder.path / "spans");
  using chains = onoma::trainable_model<onoma::cpu_backend, onoma::crf_head<onoma::cpu_backend>>;
  CHECK_THROWS_WITH_AS(model::load(folder.path / "spans", {}, device), doctest::Contains("'span'"), onoma::error);
  const auto plain = model::load(folder.path / "spans", labels, device, {.replace_head = true});
  CHECK(plain.report().initialised.size() == 2);
  CHECK_FALSE(plain.config().own.contains("span"));
  const auto chain = chains::load(folder.path / "spans", labels, device, {.replace_head = true});
  chain.save(folder.path / "chains");
  CHECK_THROWS_WITH_AS(span_model::load(folder.path / "chains", {}, device), doctest::Contains("'crf'"), onoma::error);
  const auto spans = span_model::load(folder.path / "chains", names, device, {.replace_head = true});
  CHECK(spans.report().initialised.size() == 9);
}

TEST_CASE("a true span that the head cannot reach is counted with its reason") {
  const auto tokens = onoma::load_tokenizer(tiny);
  onoma::cpu_backend device;
  const span_model m(span_config(), device, {.head = small()});
  auto data = onoma::parse_token_spans(
      "{\"tokens\": [\"jane\", \"was\", \"in\", \"berlin\", \".\", \"\\u0001\"], \"spans\": [[0, 4, \"ORG\"], "
      "[0, 3, \"PER\"], [0, 3, \"LOC\"], [4, 6, \"PER\"], [1, 2, \"PER\"]]}\n",
      "x");
  data.push_back(data[0]);
  data[1].spans.resize(1);
  data[1].spans[0].span.bytes.end -= 1;  // inside of a word
  const auto reasons = [&](index_t length) {
    std::map<std::string, int> counts;
    const onoma::span_task task(m, tokens, data, {}, length);
    for (const auto& u : task.unreached()) {
      counts[std::string(to_string(u.why))] += 1;
    }
    return counts;
  };
  CHECK(reasons(0) == std::map<std::string, int>{{"more words than the width", 1},
                                                 {"another label on the same words", 1},
                                                 {"no whole words with pieces", 2}});
  // Two words to an example, or fewer.
  CHECK(reasons(4)["cut by the end of an example"] == 3);
}

TEST_CASE("settings of spans that are none, or are of other labels, are refused by name") {
  onoma::cpu_backend device;
  const auto refuses = [&](const onoma::json& settings, const char* name) {
    INFO(name);
    CHECK_THROWS_WITH_AS(span_model(span_config(), device, {.head = settings}), doctest::Contains(name), onoma::error);
  };
  refuses({{"widht", 3}}, "'widht'");
  refuses({{"width", 0}}, "a width of 1");
  refuses({{"width", 1.5}}, "'width'");
  refuses({{"size", 5000}}, "a size of 1");
  refuses({{"negatives", 0.0}}, "negatives above 0");
  refuses({{"decoding", "deep"}}, "'deep'");
  refuses({{"thresholds", {{"DATE", 0.5}}}}, "DATE");
  refuses({{"thresholds", {{"PER", 1.5}}}}, "thresholds from 0 to 1");
  refuses("flat", "settings of a head");
}

TEST_CASE("targets that are not of the words are refused") {
  onoma::cpu_backend device;
  span_model m(span_config(), device, {.head = small()});
  const std::vector<std::int32_t> ids = {2, 17, 18, 19, 20, 3};
  const auto refuses = [&](onoma::span_targets::item item, const char* what) {
    INFO(what);
    onoma::span_batch batch;
    CHECK_THROWS_WITH_AS((batch.add(ids, item), m.forward_loss(batch)), doctest::Contains(what), onoma::error);
  };
  refuses({{1, 1}, {}}, "ascending tokens");
  refuses({{1, 6}, {}}, "ascending tokens");
  refuses({{1, 2}, {{0, 2, 1}}}, "spans of its words");
  refuses({{1, 2}, {{1, 0, 1}}}, "spans of its words");
  refuses({{1, 2}, {{0, 1, 0}}}, "label of a span");
  refuses({{1, 2}, {{0, 1, 4}}}, "label of a span");
  refuses({{1, 2, 3, 4}, {{0, 3, 1}}}, "at most 3 words");
}

}  // namespace test::span_head_tests
