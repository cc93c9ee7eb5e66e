/// Training's promises: the same bits for any number of threads and after a resume, no allocation,
/// saved models that load again, and a task that is learned.
#include "support/temporary_folder.hpp"
#include "support/count_new.hpp"
#include "unit/train/slopes.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>
#include <onoma/train/progress.hpp>
#include <onoma/train/trainer.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

namespace test::training_tests {
namespace {

namespace fs = std::filesystem;

std::vector<float> train_with(index_t threads) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device(pool);
  model m(config_with_dropout(), device, {.seed = 5});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  onoma::trainer trainer(m, tokens, data, data, options());
  trainer.run();
  return weights_of(m);
}

}  // namespace

TEST_CASE("the seed decides the weights, the number of threads does not") {
  const auto one = train_with(1);
  CHECK(one == train_with(2));
  CHECK(one == train_with(5));
}

TEST_CASE("a run that is stopped anywhere and resumed ends in the same weights") {
  const temporary_folder folder;
  const auto expected = train_with(1);
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  for (const index_t stop : {1, 3, 7, 10}) {
    auto o = options();
    o.checkpoint = folder.path / "state.safetensors";
    {
      onoma::cpu_backend device;
      model m(config_with_dropout(), device, {.seed = 5});
      onoma::trainer trainer(m, tokens, data, data, o);
      const auto result =
          trainer.run([&](const onoma::training_progress& p) { return p.step < stop; });
      CHECK(result.stopped);
    }
    onoma::cpu_backend device;
    model m(config_with_dropout(), device, {.seed = 77});  // its weights are replaced
    onoma::trainer trainer(m, tokens, data, data, o);
    trainer.resume(o.checkpoint);
    const auto result = trainer.run();
    CHECK_FALSE(result.stopped);
    CHECK(weights_of(m) == expected);
  }
  auto other = options();
  other.learning_rate = 1e-3;
  onoma::cpu_backend device;
  model m(config_with_dropout(), device, {.seed = 5});
  onoma::trainer trainer(m, tokens, data, data, other);
  CHECK_THROWS_AS(trainer.resume(folder.path / "state.safetensors"), onoma::error);
  CHECK_THROWS_AS(trainer.resume(folder.path / "none"), onoma::error);
}

TEST_CASE("no step allocates after the first of the largest shape") {
  onoma::thread_pool pool(2);
  onoma::cpu_backend device(pool);
  model m(config_with_dropout(), device, {.seed = 5});
  onoma::adamw optimizer(m.parameters());
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto examples = onoma::make_examples(tokens, sentences(), onoma::tag_set(labels));
  onoma::tagged_batch large;
  onoma::tagged_batch small;
  large.clear();
  small.clear();
  for (const auto& e : examples) large.add(e.ids, e.labels);
  small.add(examples[1].ids, examples[1].labels);
  const auto step = [&](const onoma::tagged_batch& batch) {
    m.forward_loss(batch);
    m.backward();
    onoma::clip_grad_norm(m.parameters(), 1.0);
    optimizer.step(1e-4);
  };
  const auto infer = [&](const onoma::tagged_batch& batch) { static_cast<void>(m.logits(batch.tokens)); };
  step(large);
  infer(large);
  const long before = allocations.load();
  step(small);
  step(large);
  infer(small);
  infer(large);
  CHECK(allocations.load() == before);
  static_cast<void>(std::vector<int>(100));
  CHECK(allocations.load() > before);  // the counter counts
}

TEST_CASE("after the largest batch, chains allocate nothing") {
  onoma::thread_pool pool(2);
  onoma::cpu_backend device(pool);
  const std::vector<float> numbers(40 * 9, 0.5F);
  const std::vector<std::uint8_t> all(81, 1);
  std::vector<float> gradient(numbers.size()), weights(81 + 9 + 9);
  std::vector<std::int32_t> gold(40, 3), best(40);
  std::vector<double> scores(4);
  const onoma::crf_chain<float> chain{{{numbers.data(), 9, 9}, {numbers.data(), 9}, {numbers.data(), 9}},
                                      {{all.data(), 9, 9}, {all.data(), 9}, {all.data(), 9}}};
  const onoma::crf_gradients<float> to{{weights.data(), 9, 9}, {weights.data() + 81, 9}, {weights.data() + 90, 9}};
  gold[7] = onoma::ignored_label;
  const auto run = [&](const std::vector<std::int32_t>& offsets) {
    const auto batch = onoma::sequences::of({offsets.data(), static_cast<onoma::index_t>(offsets.size())});
    const onoma::index_t words = batch.tokens();
    const onoma::mat<const float> x(numbers.data(), words, 9);
    const onoma::vec<double> found{scores.data(), batch.count()};
    const onoma::crf_targets known{{gold.data(), words}, {}};
    static_cast<void>(device.crf_loss(chain, x, batch, known, 1.0F, {gradient.data(), words, 9}, to));
    device.crf_marginals(chain, x, batch, known, {gradient.data(), words, 9}, found);
    device.crf_viterbi(chain, x, batch, {}, {best.data(), words}, found);
  };
  const std::vector<std::int32_t> large = {0, 25, 26, 33, 40};
  const std::vector<std::int32_t> small = {0, 3, 20};
  run(large);
  const long before = allocations.load();
  run(small);
  run(large);
  CHECK(allocations.load() == before);
}

TEST_CASE("a saved folder loads to the same bits and keeps its tokenizer") {
  const temporary_folder folder;
  onoma::cpu_backend device;
  auto m = model::load(tiny, {}, device);
  m.save(folder.path / "model");
  auto back = model::load(folder.path / "model", {}, device);
  CHECK(weights_of(m) == weights_of(back));
  CHECK(back.labels() == m.labels());
  CHECK(back.report().initialised.empty());
  const auto a = onoma::load_tokenizer(tiny).encode("Jane met John.").front().ids;
  CHECK(onoma::load_tokenizer(folder.path / "model").encode("Jane met John.").front().ids == a);
  back.save(folder.path / "model");  // over itself
  CHECK(weights_of(model::load(folder.path / "model", {}, device)) == weights_of(m));
  CHECK_THROWS_AS(m.save(fs::path(tiny) / "config.json"), onoma::error);
}

TEST_CASE("a trained model keeps how its training sentences are cut into words") {
  const temporary_folder folder;
  onoma::cpu_backend device;
  const auto tokens = onoma::load_tokenizer(tiny);
  model m(config_with_dropout(), device, {.seed = 5});
  m.set_own("note", "kept");
  auto data = sentences();
  for (int i = 0; i < 6; ++i) {
    data.push_back(make({"the", "well", "-", "known", "john", "of", "new", "-", "york"},
                        {"O", "O", "O", "O", "B-PER", "O", "B-LOC", "I-LOC", "I-LOC"}));
  }
  const onoma::trainer trainer(m, tokens, data, {}, options());
  const auto& rules = trainer.task().words();
  CHECK(rules != onoma::general_word_rules());
  CHECK(onoma::find_word_rules(m.config().own) == rules);
  m.save(folder.path / "model");
  const auto back = model::load(folder.path / "model", {}, device);
  CHECK(onoma::find_word_rules(back.config().own) == rules);
  CHECK(back.config().own["note"] == "kept");
  // Other training, other words.
  auto again = model::load(folder.path / "model", {}, device);
  const onoma::trainer next(again, tokens, sentences(), {}, options());
  CHECK(onoma::find_word_rules(again.config().own) == next.task().words());
  CHECK(next.task().words() != rules);
}

TEST_CASE("checkpoints of other shapes load or are refused with every reason") {
  onoma::cpu_backend device;
  const std::string data = ONOMA_TEST_DATA_DIR;
  const auto whole = weights_of(model::load(tiny, {}, device));
  CHECK(weights_of(model::load(data + "/bert-tiny-gamma", {}, device)) == whole);
  for (const char* half : {"/bert-tiny-f16", "/bert-tiny-bf16"}) {
    const auto rounded = weights_of(model::load(data + half, {}, device));
    REQUIRE(rounded.size() == whole.size());
    for (std::size_t i = 0; i < whole.size(); ++i) {
      // bf16 keeps 8 bits: half a unit in the last place is 2^-9 of the value.
      CHECK(std::abs(rounded[i] - whole[i]) <= std::abs(whole[i]) * 0x1p-8F + 1e-7F);
    }
  }
  auto bare = model::load(data + "/bert-tiny-bare", labels, device, {.seed = 9});
  CHECK(bare.report().initialised.size() == 2);
  CHECK(weights_of(bare) == weights_of(model::load(data + "/bert-tiny-bare", labels, device, {.seed = 9})));
  CHECK_THROWS_AS(static_cast<void>(model::load(tiny, {"A", "B"}, device)), onoma::error);
  CHECK(model::load(tiny, {"A", "B"}, device, {.replace_head = true}).labels().size() == 2);
}

TEST_CASE("sequences of a batch do not see each other, and their order does not matter") {
  onoma::cpu_backend device;
  auto m = model::load(tiny, {}, device);
  const auto tokens = onoma::load_tokenizer(tiny);
  std::vector<std::vector<std::int32_t>> sequences;
  for (const char* text : {"Jane was in Paris.", "x", "the river and the old museum of new york"}) {
    sequences.push_back(tokens.encode(text).front().ids);
  }
  const auto rows = [&](const std::vector<std::size_t>& order) {
    onoma::token_batch batch;
    batch.clear();
    for (const auto i : order) batch.add(sequences[i]);
    const auto logits = m.logits(batch);
    std::vector<std::vector<float>> result(order.size());
    for (std::size_t b = 0; b < order.size(); ++b) {
      const auto at = static_cast<index_t>(b);
      result[b].assign(logits.row_data(batch.layout().begin(at)),
                       logits.row_data(batch.layout().begin(at) + batch.layout().length(at)));
    }
    return result;
  };
  const auto all = rows({0, 1, 2});
  const auto reversed = rows({2, 1, 0});
  for (const std::size_t i : {0U, 1U, 2U}) {
    CHECK(rows({i})[0] == all[i]);
    CHECK(reversed[2 - i] == all[i]);
  }
}

namespace {

/// Every place of a pre-norm encoder that drops.
onoma::encoder_config modernbert_with_dropout() {
  const auto folder = std::string(ONOMA_TEST_DATA_DIR) + "/modernbert-tiny";
  auto config = onoma::encoder_config::from_json(onoma::model_folder::open(folder).config());
  config.attention_dropout = config.classifier_dropout = 0.1;
  config.pre_norm->embedding_dropout = config.pre_norm->inner_dropout = 0.1;
  config.pre_norm->radius = 1;  // less than the sequences below
  config.initializer_range = 0.2;
  return config;
}

void check_slopes_of(const onoma::encoder_config& config) {
  using exact = onoma::token_classifier<onoma::reference_backend<double>>;
  onoma::reference_backend<double> device;
  exact m(config, device, {.seed = 5});
  onoma::tagged_batch batch;
  batch.add(std::vector<std::int32_t>{2, 17, 18, 19, 3},
            std::vector<std::int32_t>{-100, 1, -100, 4, -100});
  batch.add(std::vector<std::int32_t>{2, 30, 17, 3}, std::vector<std::int32_t>{-100, 0, 2, -100});
  check_slopes(m, batch);
}

}  // namespace

TEST_CASE("gradients are the slopes of the loss, with dropout and tokens without a label") {
  check_slopes_of(config_with_dropout());
  check_slopes_of(modernbert_with_dropout());
}

TEST_CASE("a small task is learned, and the best epoch is kept") {
  onoma::thread_pool pool(2);
  onoma::cpu_backend device(pool);
  model m(config_with_dropout(), device, {.seed = 5});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  auto o = options();
  o.epochs = 25;
  o.accumulation = 1;
  o.learning_rate = 1e-2;
  o.patience = 8;
  onoma::trainer trainer(m, tokens, data, data, o);
  std::string text;
  const auto result = trainer.run([&](const onoma::training_progress& p) {
    text += onoma::progress_bar(p) + onoma::progress_line(p);
    return true;
  });
  CHECK(result.losses.back() < 0.3 * result.losses.front());
  const auto report = onoma::evaluate_on(m, tokens, data);
  CHECK(report.micro.f1 == doctest::Approx(result.position.best_score).epsilon(1e-12));
  CHECK(report.micro.f1 > 0.9);
  CHECK(text.find("tokens/s") != std::string::npos);
}

TEST_CASE("a model for inference has the same bits, and weights in packed form alone") {
  onoma::thread_pool pool(2);
  onoma::cpu_backend device(pool);
  for (const char* name : {"/bert-tiny", "/bert-tiny-f16", "/bert-tiny-bf16", "/distilbert-tiny"}) {
    INFO(name);
    const auto folder = std::string(ONOMA_TEST_DATA_DIR) + name;
    auto trained = model::load(folder, {}, device);
    auto used = onoma::token_classifier_session<onoma::cpu_backend>::load(folder, device);
    onoma::token_batch batch;
    batch.add(std::vector<std::int32_t>{2, 11, 57, 8, 3});
    batch.add(std::vector<std::int32_t>{2, 30, 3});
    const auto expected = trained.logits(batch);
    const auto found = used.logits(batch);
    CHECK(std::equal(expected.data, expected.data + expected.rows * expected.cols, found.data));

    const auto& parameters = used.model().parameters();
    const auto& layout = parameters.layout();
    CHECK(layout.entries().size() == trained.parameters().layout().entries().size());
    index_t outside = 0;
    index_t packed = 0;
    for (const auto& entry : layout.entries()) {
      if (!entry.has_place()) outside += entry.size();
      if (entry.has_value()) {
        const auto& trained_entries = trained.parameters().layout().entries();
        const auto same = std::find_if(trained_entries.begin(), trained_entries.end(),
                                       [&](const auto& e) { return e.name == entry.name; });
        CHECK(parameters.download_value(entry) ==
              trained.parameters().download_value(*same));
        continue;
      }
      packed += entry.size();
      CHECK_THROWS_AS(parameters.download_value(entry), onoma::error);
    }
    CHECK(packed > 0);
    CHECK(outside > packed);  // tables
    CHECK(layout.size() + outside <= trained.parameters().layout().size());
  }
  // New weights too: they depend on the seed, not on what the model is for.
  model trained(config_with_dropout(), device, {.seed = 5});
  onoma::token_classifier_session<onoma::cpu_backend> used(
      onoma::token_classifier_model<onoma::cpu_backend>::make(config_with_dropout(), device, 5), device);
  onoma::token_batch batch;
  batch.add(std::vector<std::int32_t>{2, 11, 57, 8, 3});
  const auto expected = trained.logits(batch);
  const auto found = used.logits(batch);
  CHECK(std::equal(expected.data, expected.data + expected.rows * expected.cols, found.data));
}

TEST_CASE("recomputing the feed-forward gives the same bits for less memory") {
  onoma::thread_pool pool(2);
  onoma::cpu_backend device(pool);
  model kept(config_with_dropout(), device, {.seed = 5});
  model recomputed(config_with_dropout(), device, {.seed = 5, .recompute = true});
  onoma::tagged_batch batch;
  for (index_t b = 0; b < 40; ++b) {
    std::vector<std::int32_t> ids(20, 2 + static_cast<std::int32_t>(b));
    batch.add(ids, std::vector<std::int32_t>(20, static_cast<std::int32_t>(b % 5)));
  }
  onoma::adamw a(kept.parameters());
  onoma::adamw b(recomputed.parameters());
  for (int step = 0; step < 3; ++step) {
    CHECK(kept.forward_loss(batch).sum == recomputed.forward_loss(batch).sum);
    kept.backward();
    recomputed.backward();
    const auto expected = kept.parameters().gradients();
    const auto found = recomputed.parameters().gradients();
    CHECK(std::equal(expected.begin(), expected.end(), found.begin()));
    CHECK(std::any_of(expected.begin(), expected.end(), [](float g) { return g != 0.0F; }));
    a.step(1e-3);
    b.step(1e-3);
  }
  // What is measured without memory is what a model takes.
  for (const auto* m : {&kept, &recomputed}) {
    const auto memory =
        model::measure_training(m->config(), device, batch, {.recompute = m == &recomputed});
    const auto with_spare = [](index_t bytes) { return bytes + bytes / 2; };
    CHECK(m->workspace_size() == with_spare(memory.activations) + with_spare(memory.scratch));
    CHECK(memory.parameters == 4 * 4 * m->parameters().layout().size());
  }
  CHECK(recomputed.workspace_size() < kept.workspace_size());
}

TEST_CASE("docs/memory.md says what the arenas measure") {
  std::ifstream file(std::string(ONOMA_SOURCE_DIR) + "/docs/memory.md");
  REQUIRE(file.is_open());
  onoma::cpu_backend device;
  onoma::tagged_batch batch;  // 1,000 tokens, all of them labelled or none: the same memory
  for (int b = 0; b < 8; ++b) batch.add(std::vector<std::int32_t>(125, 5), {});
  index_t rows = 0;
  for (std::string line; std::getline(file, line);) {
    // | model | layers | H | A | F | V | parameters, MB | kept | scratch | kept, recompute | scratch
    for (auto& c : line) {
      if (c == '|' || c == ',') c = ' ';
    }
    std::istringstream words(line);
    std::string name;
    words >> name;
    onoma::encoder_config config(onoma::family_of(name == "DistilBERT" ? "distilbert" : "bert"));
    index_t written[6] = {};
    if (!(words >> config.layers >> config.hidden >> config.heads >> config.inner >>
          config.vocabulary)) {
      continue;
    }
    for (auto& value : written) words >> value;
    INFO(name);
    REQUIRE(words);
    ++rows;
    if (name == "RoBERTa-large") config.types = 1;
    config.labels.assign(9, "O");
    for (std::size_t i = 0; i < config.labels.size(); ++i) config.labels[i] += std::to_string(i);
    const auto plain = model::measure_training(config, device, batch);
    const auto small = model::measure_training(config, device, batch, {.recompute = true});
    const auto megabytes = [](index_t bytes) { return (bytes + 500'000) / 1'000'000; };
    CHECK(written[0] == megabytes(plain.parameters));
    CHECK(written[1] == megabytes(plain.packed));
    CHECK(written[2] == megabytes(plain.activations));
    CHECK(written[3] == megabytes(plain.scratch));
    CHECK(written[4] == megabytes(small.activations));
    CHECK(written[5] == megabytes(small.scratch));
  }
  CHECK(rows == 4);
}

TEST_CASE("bad inputs are refused before anything is computed") {
  onoma::cpu_backend device;
  auto m = model::load(tiny, {}, device);
  const auto logits_of = [&](std::vector<std::int32_t> ids) {
    onoma::token_batch batch;
    batch.add(ids);
    static_cast<void>(m.logits(batch));
  };
  CHECK_THROWS_AS(logits_of({-1}), onoma::error);
  CHECK_THROWS_AS(logits_of({100000}), onoma::error);
  CHECK_THROWS_AS(logits_of(std::vector<std::int32_t>(65, 1)), onoma::error);
  onoma::tagged_batch batch;
  CHECK_THROWS_AS(batch.add(std::vector<std::int32_t>{1, 2}, std::vector<std::int32_t>{1}), onoma::error);
  batch.clear();
  batch.add(std::vector<std::int32_t>{1}, std::vector<std::int32_t>{5});
  CHECK_THROWS_AS(m.forward_loss(batch), onoma::error);
  CHECK_THROWS_AS(m.backward(), onoma::error);
  const auto tokens = onoma::load_tokenizer(tiny);
  const std::vector<onoma::sentence> unknown = {make({"a"}, {"B-X"})};
  CHECK_THROWS_AS(onoma::trainer(m, tokens, unknown, {}, {}), onoma::error);
  CHECK_THROWS_AS(onoma::trainer(m, tokens, {}, {}, {}), onoma::error);
  auto o = options();
  o.learning_rate = -1.0;
  CHECK_THROWS_AS(onoma::trainer(m, tokens, sentences(), {}, o), onoma::error);
}

}  // namespace test::training_tests
