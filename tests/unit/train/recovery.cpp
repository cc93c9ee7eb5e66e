/// What a model and a trainer do after something went wrong, and with what others left behind.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/reference.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <limits>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

namespace test::recovery_tests {
namespace {

/// A host's executor that throws instead of its n-th call.
struct failing_executor {
  index_t calls_left = -1;
  [[nodiscard]] index_t concurrency() const { return 2; }
  void parallel_for(index_t count, onoma::function_ref<void(index_t)> task) {
    if (calls_left-- == 0) throw std::runtime_error("no more threads");
    for (index_t i = 0; i < count; ++i) task(i);
  }
};

onoma::tagged_batch some_batch() {
  onoma::tagged_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 3}, std::vector<std::int32_t>{-100, 1, -100, 4, -100});
  batch.add(std::vector<std::int32_t>{2, 30, 17, 3}, std::vector<std::int32_t>{-100, 0, 2, -100});
  return batch;
}

std::vector<float> logits_of(model& m, const onoma::tagged_batch& batch) {
  const auto logits = m.logits(batch.tokens);
  return {logits.data, logits.data + logits.rows * logits.cols};
}

/// The folder of the tiny model with another tokenizer.json.
template <class Change>
std::string with_tokenizer(const temporary_folder& folder, Change change) {
  const auto place = folder.path / "model";
  std::filesystem::copy(tiny, place);
  auto json = onoma::parse_json(onoma::read_text_file(place / "tokenizer.json"), "tokenizer.json");
  change(json);
  onoma::write_file_atomically(place / "tokenizer.json", json.dump());
  return place.string();
}

}  // namespace

TEST_CASE("the first word is tagged like the others where no special token stands before it") {
  const temporary_folder folder;
  const auto place = with_tokenizer(folder, [](onoma::json& j) { j["post_processor"] = nullptr; });
  const auto tokens = onoma::load_tokenizer(place);
  onoma::cpu_backend device;
  // One label, which is not "O": every word that gives a piece must have it.
  auto m = model::load(place, {"B-PER"}, device, {.replace_head = true});
  const std::vector<onoma::sentence> some = {make({"jane", "was", "in", "berlin"}, {}), make({"jane"}, {})};
  const auto found = onoma::predict(m, tokens, some);
  CHECK(found == onoma::tag_sequences{{"B-PER", "B-PER", "B-PER", "B-PER"}, {"B-PER"}});
}

TEST_CASE("a word that windows cut in two has one beginning") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const std::vector<onoma::sentence> one = {make({"zzzzzzzzzz", "berlin"}, {"B-PER", "O"})};
  const onoma::tag_set tags(labels);
  const auto id = [&](const char* tag) { return static_cast<std::int32_t>(*tags.find(tag)); };
  const auto pieces = onoma::make_examples(tokens, one, tags, {64, {}});
  REQUIRE(pieces.size() == 1);
  REQUIRE(pieces[0].ids.size() > 6);  // several pieces
  for (const bool all : {false, true}) {
    std::vector<std::int32_t> seen;
    for (const auto& example : onoma::make_examples(tokens, one, tags, {5, {all}})) {
      CHECK(example.ids.size() <= 5);
      std::copy_if(example.labels.begin(), example.labels.end(), std::back_inserter(seen),
                   [](std::int32_t label) { return label != onoma::ignored_label; });
    }
    CHECK(std::count(seen.begin(), seen.end(), id("B-PER")) == 1);
    CHECK(std::count(seen.begin(), seen.end(), id("O")) == 1);
    const auto whole = onoma::make_examples(tokens, one, tags, {64, {all}})[0].labels;
    CHECK(std::count(seen.begin(), seen.end(), id("I-PER")) ==
          std::count(whole.begin(), whole.end(), id("I-PER")));
  }
}

TEST_CASE_TEMPLATE("zeroed gradients have no history", B, onoma::cpu_backend, onoma::reference_backend<float>) {
  B device;
  onoma::token_classifier<B> m(config_with_dropout(), device, {.seed = 5});
  const auto batch = some_batch();
  auto& parameters = m.parameters();
  const auto norm = [&](double most) {
    m.set_dropout(1, 1);
    m.forward_loss(batch);
    m.backward();
    return onoma::clip_grad_norm(parameters, most);
  };
  const double expected = norm(1e-3);
  parameters.zero_gradients();
  CHECK(parameters.gradient_scale() == 1.0);
  const auto gradients = parameters.gradients();
  CHECK(std::all_of(gradients.begin(), gradients.end(), [](float g) { return g == 0.0F; }));
  CHECK(norm(1e-3) == expected);
}

template <class Model>
concept can_train = requires(Model& m, const onoma::tagged_batch& batch) { m.forward_loss(batch); } ||
                    requires(const Model& m) { m.save("folder"); } ||
                    requires(Model& m) { m.parameters().zero_gradients(); };

TEST_CASE("what is for inference cannot be trained or saved: it does not compile") {
  static_assert(can_train<model>);
  static_assert(!can_train<onoma::token_classifier_session<onoma::cpu_backend>>);
  static_assert(!can_train<const onoma::token_classifier_model<onoma::cpu_backend>>);
}

TEST_CASE("an exception of the host's executor is gone with the call that it ended") {
  const auto batch = some_batch();
  onoma::cpu_backend plain;
  model other(config_with_dropout(), plain, {.seed = 5});
  const auto expected = logits_of(other, batch);
  other.set_dropout(1, 1);
  const double loss = other.forward_loss(batch).sum;
  bool ended = false;
  for (index_t call = 0; !ended; ++call) {
    failing_executor executor;
    onoma::cpu_backend device(executor);
    model m(config_with_dropout(), device, {.seed = 5});
    executor.calls_left = call;
    try {
      static_cast<void>(m.logits(batch.tokens));
      ended = true;  // it has fewer calls
    } catch (const std::runtime_error&) {
    }
    executor.calls_left = -1;
    CHECK(logits_of(m, batch) == expected);

    executor.calls_left = call;
    m.set_dropout(1, 1);
    try {
      m.forward_loss(batch);
    } catch (const std::runtime_error&) {
      CHECK_THROWS_AS(m.backward(), onoma::error);
    }
    executor.calls_left = -1;
    m.set_dropout(1, 1);
    CHECK(m.forward_loss(batch).sum == loss);
  }
}

TEST_CASE("a trainer does not begin with another's gradients, and owns its dev sentences") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto train = [&](bool leftovers) {
    onoma::cpu_backend device;
    model m(config_with_dropout(), device, {.seed = 5});
    if (leftovers) {
      m.forward_loss(some_batch());
      m.backward();
      onoma::clip_grad_norm(m.parameters(), 0.1);
    }
    onoma::trainer trainer(m, tokens, sentences(), sentences(), options());
    trainer.run();
    return weights_of(m);
  };
  CHECK(train(true) == train(false));
}

TEST_CASE("a training state belongs to its data, labels and alignment") {
  const temporary_folder folder;
  const auto tokens = onoma::load_tokenizer(tiny);
  auto o = options();
  o.checkpoint = folder.path / "state.safetensors";
  onoma::cpu_backend device;
  model m(config_with_dropout(), device, {.seed = 5});
  onoma::trainer(m, tokens, sentences(), {}, o).run([](const onoma::training_progress&) { return false; });

  CHECK_NOTHROW(onoma::trainer(m, tokens, sentences(), {}, o).resume(o.checkpoint));
  auto slower = o;
  slower.learning_rate = 1e-4;
  // What differs, and nothing else.
  CHECK_THROWS_WITH_AS(
      onoma::trainer(m, tokens, sentences(), {}, slower).resume(o.checkpoint),
      doctest::Contains("expected the state of a run with learning rate 0.0001, found learning rate 0.003"),
      onoma::error);
  auto swapped = sentences();
  std::swap(swapped[0].tags[0], swapped[0].tags[1]);
  CHECK_THROWS_AS(onoma::trainer(m, tokens, swapped, {}, o).resume(o.checkpoint), onoma::error);
  auto aligned = o;
  aligned.data.align.label_all_tokens = true;
  const std::vector<onoma::sentence> long_words = {make({"zzzzzzzzzz"}, {"B-PER"})};
  onoma::trainer(m, tokens, long_words, {}, o).run([](const onoma::training_progress&) { return false; });
  CHECK_THROWS_AS(onoma::trainer(m, tokens, long_words, {}, aligned).resume(o.checkpoint), onoma::error);
  auto config = config_with_dropout();
  std::reverse(config.labels.begin(), config.labels.end());
  model renamed(config, device, {.seed = 5});
  const std::vector<onoma::sentence> none = {make({"a"}, {"I-LOC"})};  // in the middle: the same id in both
  onoma::trainer(m, tokens, none, {}, o).run([](const onoma::training_progress&) { return false; });
  CHECK_THROWS_AS(onoma::trainer(renamed, tokens, none, {}, o).resume(o.checkpoint), onoma::error);
}

TEST_CASE("the loss of an epoch is that of all its steps, also after a resume") {
  const temporary_folder folder;
  const auto tokens = onoma::load_tokenizer(tiny);
  auto o = options();
  o.epochs = 1;
  o.checkpoint = folder.path / "state.safetensors";
  const auto epoch_loss = [&](index_t stop, bool resume) {
    onoma::cpu_backend device;
    model m(config_with_dropout(), device, {.seed = 5});
    onoma::trainer trainer(m, tokens, sentences(), {}, o);
    if (resume) trainer.resume(o.checkpoint);
    double loss = -1.0;
    trainer.run([&](const onoma::training_progress& p) {
      if (p.what == onoma::training_progress::kind::epoch) loss = p.loss;
      return p.what == onoma::training_progress::kind::epoch || p.step != stop;
    });
    return loss;
  };
  const double expected = epoch_loss(-1, false);
  for (const index_t stop : {1, 3}) {  // 3: the last step
    CHECK(epoch_loss(stop, false) == -1.0);
    CHECK(epoch_loss(-1, true) == expected);
  }
}

TEST_CASE("warm-up is rounded up, and options must be finite") {
  onoma::cpu_backend device;
  const auto tokens = onoma::load_tokenizer(tiny);
  model m(config_with_dropout(), device, {.seed = 5});
  auto o = options();
  o.warmup = 0.1;  // of 12 steps: 2
  std::vector<double> rates;
  onoma::trainer trainer(m, tokens, sentences(), {}, o);
  REQUIRE(trainer.total_steps() == 12);
  trainer.run([&](const onoma::training_progress& p) {
    if (p.what == onoma::training_progress::kind::step) rates.push_back(p.learning_rate);
    return true;
  });
  CHECK(rates[0] == 0.0);
  CHECK(rates[1] == doctest::Approx(o.learning_rate / 2));
  CHECK(rates[2] == doctest::Approx(o.learning_rate));
  for (double onoma::training_options::*field :
       {&onoma::training_options::weight_decay, &onoma::training_options::max_grad_norm}) {
    auto infinite = options();
    infinite.*field = std::numeric_limits<double>::infinity();
    CHECK_THROWS_AS(onoma::trainer(m, tokens, sentences(), {}, infinite), onoma::error);
  }
}

}  // namespace test::recovery_tests
