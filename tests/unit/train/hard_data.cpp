/// Training for data whose labels are rare, uneven or wrong: losses with weights, rates by layer, repeated sentences.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/train/layer_rates.hpp>
#include <onoma/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

namespace test::hard_data_tests {
namespace {

/// All that a run may be told about hard data at once.
onoma::training_options hard_options() {
  auto o = options();
  o.loss = {.class_weights = {2.0, 3.0, 1.0, 1.0, 0.5}, .smoothing = 0.1, .focus = 1.5, .dropped = 0.1};
  o.layer_decay = 0.8;
  o.frozen_layers = 0;
  o.data.repeat_threshold = 0.9;
  return o;
}

/// Gold sentences, some that are trusted less, and some without entities.
std::vector<onoma::sentence> mixed_sentences() {
  auto all = sentences();
  for (int i = 0; i < 10; ++i) all.push_back(make({"it", "rains", "."}, {"O", "O", "O"}));
  for (std::size_t i = 0; i < all.size(); i += 3) all[i].weight = 0.25F;
  return all;
}

std::vector<float> train_with(index_t threads, const onoma::training_options& o) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device(pool);
  model m(config_with_dropout(), device, {.seed = 5});
  const auto tokens = onoma::load_tokenizer(tiny);
  onoma::trainer trainer(m, tokens, mixed_sentences(), sentences(), o);
  trainer.run();
  return weights_of(m);
}

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return "no error";
}

onoma::tagged_batch batch_of(const std::vector<onoma::sentence>& some) {
  const auto tokens = onoma::load_tokenizer(tiny);
  onoma::tagged_batch batch;
  batch.clear();
  for (const auto& e : onoma::make_examples(tokens, some, onoma::tag_set(labels))) {
    batch.add(e.ids, e.labels, e.weight);
  }
  return batch;
}

/// A model without dropout.
model plain_model(onoma::cpu_backend& device) {
  auto config = config_with_dropout();
  config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0.0;
  return model(config, device, {.seed = 5});
}

std::vector<float> gradients_of(model& m) {
  const auto values = m.parameters().gradients();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("hard data: the seed decides the weights, the number of threads does not") {
  const auto one = train_with(1, hard_options());
  CHECK(one == train_with(3, hard_options()));
  CHECK(one != train_with(1, options()));
}

TEST_CASE("hard data: a run that is stopped and resumed ends in the same weights, and another recipe is named") {
  const temporary_folder folder;
  const auto expected = train_with(1, hard_options());
  const auto tokens = onoma::load_tokenizer(tiny);
  auto o = hard_options();
  o.checkpoint = folder.path / "state.safetensors";
  onoma::cpu_backend device;
  {
    model m(config_with_dropout(), device, {.seed = 5});
    onoma::trainer trainer(m, tokens, mixed_sentences(), sentences(), o);
    CHECK(trainer.run([](const onoma::training_progress& p) { return p.step < 5; }).stopped);
  }
  model m(config_with_dropout(), device, {.seed = 77});
  const auto resumed = [&](onoma::training_options with, const std::vector<onoma::sentence>& data) {
    with.checkpoint.clear();
    onoma::trainer trainer(m, tokens, data, sentences(), with);
    trainer.resume(o.checkpoint);
    trainer.run();
    return weights_of(m);
  };
  CHECK(resumed(o, mixed_sentences()) == expected);
  const auto refused = [&](const std::function<void(onoma::training_options&)>& change) {
    auto other = o;
    change(other);
    return message_of([&] { static_cast<void>(resumed(other, mixed_sentences())); });
  };
  CHECK(refused([](auto& with) { with.loss.focus = 0.0; }).find("focus") != std::string::npos);
  CHECK(refused([](auto& with) { with.loss.smoothing = 0.2; }).find("label smoothing") != std::string::npos);
  CHECK(refused([](auto& with) { with.loss.class_weights = {}; }).find("class weights") != std::string::npos);
  CHECK(refused([](auto& with) { with.loss.dropped = 0.0; }).find("dropped") != std::string::npos);
  CHECK(refused([](auto& with) { with.drop_ramp = 3; }).find("drop ramp") != std::string::npos);
  CHECK(refused([](auto& with) { with.layer_decay = 0.9; }).find("layer decay") != std::string::npos);
  CHECK(refused([](auto& with) { with.frozen_layers = 1; }).find("frozen layers") != std::string::npos);
  CHECK(refused([](auto& with) { with.data.repeat_threshold = 0.0; }).find("digest of the examples") !=
        std::string::npos);
  CHECK(message_of([&] { static_cast<void>(resumed(o, sentences())); }).find("digest of the examples") !=
        std::string::npos);
}

TEST_CASE("a sentence of weight 2 counts as two, one of weight 0 as none") {
  onoma::cpu_backend device;
  const auto all = sentences();
  const std::vector<onoma::sentence> once = {all[0], all[1]};
  auto weighted = once;
  weighted[0].weight = 2.0F;
  auto without = once;
  without[1].weight = 0.0F;
  const auto run = [&](const std::vector<onoma::sentence>& some) {
    auto m = plain_model(device);
    m.set_loss({.class_weights = {2.0, 3.0, 1.0, 1.0, 0.5}});
    const auto batch = batch_of(some);
    const auto loss = m.forward_loss(batch);
    m.backward();
    return std::pair(loss.sum / m.model().head().weigh(batch), gradients_of(m));
  };
  const auto check_same = [](const auto& a, const auto& b) {
    CHECK(std::abs(a.first - b.first) <= 1e-6 * std::abs(b.first));
    double difference = 0.0;
    double largest = 0.0;
    for (std::size_t i = 0; i < a.second.size(); ++i) {
      difference = std::max(difference, static_cast<double>(std::abs(a.second[i] - b.second[i])));
      largest = std::max(largest, static_cast<double>(std::abs(b.second[i])));
    }
    CHECK(largest > 0.0);
    CHECK(difference <= 1e-5 * largest);  // float, summed in another order
  };
  check_same(run(weighted), run({all[0], all[0], all[1]}));
  check_same(run(without), run({all[0]}));
}

TEST_CASE("the plain loss is what it was, and weights of 1 are no others") {
  onoma::cpu_backend device;
  const auto batch = batch_of(sentences());
  CHECK(batch.weights.empty());
  auto m = plain_model(device);
  const auto before = m.forward_loss(batch);
  m.set_loss({.class_weights = {1.0, 1.0, 1.0, 1.0, 1.0}});
  const auto after = m.forward_loss(batch);
  CHECK(after.count == before.count);
  CHECK(std::abs(after.sum - before.sum) <= 1e-5 * before.sum);
  m.set_loss({});
  CHECK(m.forward_loss(batch).sum == before.sum);
  // What is sure already counts less with focus.
  m.set_loss({.focus = 2.0});
  CHECK(m.forward_loss(batch).sum < before.sum);
}

TEST_CASE("the words of the highest losses are dropped, of equal ones the later, with their gradients") {
  const std::vector<std::int32_t> targets = {0, -100, 1, 0, 1, 0};
  const std::vector<double> losses = {1.0, 9.0, 3.0, 2.0, 3.0, 0.5};
  std::vector<index_t> dropped;
  const auto drop = [&](double part) {
    onoma::ref::find_dropped_rows({losses.data(), 6}, {targets.data(), 6}, part, dropped);
    std::sort(dropped.begin(), dropped.end());
    return dropped;
  };
  CHECK(drop(0.0).empty());
  CHECK(drop(0.19).empty());  // of 5, rounded down
  CHECK(drop(0.2) == std::vector<index_t>{4});
  CHECK(drop(0.6) == std::vector<index_t>{2, 3, 4});

  onoma::cpu_backend fast;
  onoma::reference_backend<double> slow;
  const std::vector<float> logits = {2, 0, 5, 5, 0, 1, -1, 0, 3, 1, 2, 1};
  const std::vector<double> exact(logits.begin(), logits.end());
  std::vector<float> d(12, 9.0F);
  std::vector<double> exact_d(12, 9.0);
  const onoma::cross_entropy_rule<float> rule{.dropped = 0.4};
  const onoma::cross_entropy_rule<double> exact_rule{.dropped = 0.4};
  const auto loss = fast.softmax_cross_entropy({logits.data(), 6, 2}, {targets.data(), 6}, rule, 1.0F,
                                               {d.data(), 6, 2});
  const auto exact_loss = slow.softmax_cross_entropy({exact.data(), 6, 2}, {targets.data(), 6}, exact_rule, 1.0,
                                                     {exact_d.data(), 6, 2});
  CHECK(loss.count == 5);
  CHECK(loss.sum == doctest::Approx(exact_loss.sum));
  // Rows 3 (label 0, -1 and 0) and 4 (label 1, 3 and 1) fit least.
  for (const std::size_t i : {6U, 7U, 8U, 9U}) CHECK((d[i] == 0.0F && exact_d[i] == 0.0));
  for (const std::size_t i : {0U, 5U, 11U}) CHECK((d[i] != 0.0F && exact_d[i] != 0.0));
}

TEST_CASE("a loss reaches tensors through the backend alone") {
  using guarded = onoma::guarded_backend<onoma::cpu_backend>;
  const auto loss_of = [](auto& device) {
    using B = std::remove_reference_t<decltype(device)>;
    auto m = onoma::token_classifier<B>::load(tiny, {}, device);
    m.set_loss({.class_weights = std::vector<double>(m.labels().size(), 2.0), .smoothing = 0.1, .focus = 1.0});
    onoma::tagged_batch batch;
    batch.clear();
    batch.add(std::vector<std::int32_t>{2, 9, 30, 3}, std::vector<std::int32_t>{-100, 1, 0, -100}, 0.5F);
    batch.add(std::vector<std::int32_t>{2, 41, 3}, std::vector<std::int32_t>{-100, 4, -100});
    const double loss = m.forward_loss(batch).sum;
    m.backward();
    return loss;
  };
  guarded behind;
  onoma::cpu_backend plain;
  CHECK(loss_of(behind) == loss_of(plain));
}

TEST_CASE("numbers that no loss has are refused") {
  onoma::cpu_backend device;
  auto m = plain_model(device);
  const auto refuse = [&](const onoma::loss_options& loss) { return message_of([&] { m.set_loss(loss); }); };
  const std::string begin = "loss options: invalid argument: expected ";
  CHECK(refuse({.class_weights = {1.0}}) == begin + "a weight for each label");
  CHECK(refuse({.class_weights = {0.0, 0.0, 0.0, 0.0, 0.0}}) == begin + "a class weight above 0");
  CHECK(refuse({.class_weights = {-1.0, 1.0, 1.0, 1.0, 1.0}}).find(begin + "finite class weights") == 0);
  CHECK(refuse({.smoothing = 1.0}).find(begin + "a label smoothing") == 0);
  CHECK(refuse({.dropped = 1.0}).find(begin + "a dropped part") == 0);
  CHECK(refuse({.focus = -1.0}) == begin + "a focus of at least 0");
}

TEST_CASE("a head that counts all words alike refuses other losses by its name") {
  onoma::cpu_backend device;
  const auto tokens = onoma::load_tokenizer(tiny);
  using chains = onoma::trainable_model<onoma::cpu_backend, onoma::crf_head<onoma::cpu_backend>>;
  const auto train = [&](const onoma::training_options& o, const std::vector<onoma::sentence>& data) {
    return message_of([&] {
      chains m(config_with_dropout(), device, {.seed = 5});
      onoma::trainer trainer(m, tokens, data, {}, o);
    });
  };
  auto o = options();
  CHECK(train(o, sentences()) == "no error");
  CHECK(train(o, mixed_sentences()).find("the loss of a head 'crf': unsupported") == 0);
  o.loss.focus = 1.0;
  CHECK(train(o, sentences()).find("the loss of a head 'crf': unsupported") == 0);
  // What is not of the loss goes with each head.
  o.loss = {};
  o.frozen_layers = 1;
  o.layer_decay = 0.9;
  o.data.repeat_threshold = 0.5;
  CHECK(train(o, sentences()) == "no error");
}

TEST_CASE("rates fall from layer to layer downwards, and frozen parameters keep their bits") {
  onoma::cpu_backend device;
  auto m = plain_model(device);
  const index_t layers = m.config().layers;
  REQUIRE(layers == 2);
  const auto& layout = m.parameters().layout();
  const auto factors = onoma::layer_rate_factors(layout, layers, 0.5, 1);
  REQUIRE(factors.size() == layout.entries().size());
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const auto& name = layout.entries()[i].name;
    INFO(name);
    CHECK(factors[i] == (name.starts_with("embeddings.") || name.starts_with("layer.0.") ? 0.0
                         : name.starts_with("layer.1.")                                  ? 0.5
                                                                                         : 1.0));
  }
  CHECK(onoma::layer_rate_factors(layout, layers, 1.0, -1).empty());
  CHECK(onoma::depth_of("layer.11.attention.output.weight", 12) == 12);
  CHECK(onoma::depth_of("relative_bias", 12) == 1);
  CHECK(onoma::depth_of("final_norm.weight", 12) == 13);
  CHECK(message_of([&] { static_cast<void>(onoma::layer_rate_factors(layout, layers, 1.0, 3)); }) ==
        "freezing layers: invalid argument: expected at most 2, found 3");
  CHECK(message_of([&] { static_cast<void>(onoma::layer_rate_factors(layout, layers, 0.0, -1)); }).find("a decay") !=
        std::string::npos);

  const auto batch = batch_of(sentences());
  const auto step = [&](std::vector<double> with, double& norm) {
    auto trained = plain_model(device);
    trained.parameters().set_rate_factors(std::move(with));
    onoma::adamw optimizer(trained.parameters());
    const auto before = weights_of(trained);
    for (int i = 0; i < 2; ++i) {
      trained.forward_loss(batch);
      trained.backward();
      norm = onoma::clip_grad_norm(trained.parameters(), 1.0);
      optimizer.step(1e-2);
    }
    auto after = weights_of(trained);
    for (const auto& gradient : gradients_of(trained)) CHECK(gradient == 0.0F);
    return std::pair(before, after);
  };
  double norm = 0.0;
  double whole = 0.0;
  const auto [before, after] = step(factors, norm);
  for (std::size_t i = 0; i < factors.size(); ++i) {
    const auto& entry = layout.entries()[i];
    INFO(entry.name);
    const auto begin = static_cast<std::size_t>(entry.offset);
    const auto end = begin + static_cast<std::size_t>(entry.size());
    const bool same = std::equal(before.begin() + static_cast<std::ptrdiff_t>(begin),
                                 before.begin() + static_cast<std::ptrdiff_t>(end),
                                 after.begin() + static_cast<std::ptrdiff_t>(begin));
    CHECK(same == (factors[i] == 0.0));
  }
  // Factors of 1 are none, to the bit; the norm is that of what learns.
  const auto all = step(std::vector<double>(factors.size(), 1.0), whole);
  double plain_norm = 0.0;
  CHECK(all.second == step({}, plain_norm).second);
  CHECK(whole == plain_norm);
  CHECK(norm < whole);
  CHECK(message_of([&] { m.parameters().set_rate_factors({1.0}); }).find("one for each parameter") !=
        std::string::npos);
}

TEST_CASE("sentences with rare types come more often, by their type's part of the sentences") {
  std::vector<onoma::sentence> data(100, make({"a"}, {"O"}));
  for (std::size_t i = 0; i < 50; ++i) data[i] = make({"b"}, {"B-LOC"});
  for (std::size_t i = 48; i < 52; ++i) data[i] = make({"b", "c", "d"}, {"B-LOC", "B-PER", "I-PER"});
  const auto factors = onoma::repeat_factors(data, 0.25);
  CHECK(factors[0] == 1.0);                             // LOC: 52 of 100
  CHECK(factors[50] == doctest::Approx(std::sqrt(0.25 / 0.04)));  // PER: 4 of 100
  CHECK(factors[99] == 1.0);
  CHECK(onoma::repeat_factors(data, 0.0) == std::vector<double>(100, 1.0));
  CHECK_THROWS_AS(onoma::repeat_factors(data, 1.5), onoma::error);

  struct example {
    std::vector<std::int32_t> ids = {1, 2};
    float repeats = 1.0F;
  };
  std::vector<example> examples(100);
  const onoma::batch_options batches{.batch_size = 7, .seed = 4};
  const auto plain = onoma::plan_batches(examples, 0, batches);
  examples[3].repeats = 2.5F;
  examples[8].repeats = 4.0F;
  index_t third = 0;
  for (index_t epoch = 0; epoch < 200; ++epoch) {
    std::vector<index_t> counts(100, 0);
    for (const auto& batch : onoma::plan_batches(examples, epoch, batches)) {
      for (const auto i : batch) ++counts[static_cast<std::size_t>(i)];
    }
    third += counts[3];
    CHECK((counts[3] == 2 || counts[3] == 3));
    CHECK(counts[8] == 4);
    CHECK(std::count(counts.begin(), counts.end(), 1) == 98);
  }
  CHECK(std::abs(static_cast<double>(third) / 200.0 - 2.5) < 0.15);  // 4 standard deviations
  CHECK(onoma::plan_batches(examples, 5, batches) == onoma::plan_batches(examples, 5, batches));
  // Without repeats, the order is what it was.
  for (auto& e : examples) e.repeats = 1.0F;
  CHECK(onoma::plan_batches(examples, 0, batches) == plain);
}

TEST_CASE("balanced weights are scikit-learn's") {
  const std::vector<onoma::sentence> data = {
      make({"a", "b", "c", "d", "e", "f"}, {"O", "O", "O", "O", "B-PER", "I-PER"}), make({"a", "b"}, {"O", "B-PER"})};
  // compute_class_weight("balanced", classes=["B-PER", "I-PER", "O"], y=...): 8 / (3 n).
  const auto weights = onoma::balanced_class_weights(data, onoma::tag_set(labels));
  REQUIRE(weights.size() == 5);
  CHECK(weights[0] == 1.0);  // B-LOC does not occur
  CHECK(weights[1] == doctest::Approx(8.0 / 6.0));
  CHECK(weights[3] == doctest::Approx(8.0 / 3.0));
  CHECK(weights[4] == doctest::Approx(8.0 / 15.0));
}

}  // namespace test::hard_data_tests
