/// Training that fails on its way: what was good stays, what is half done is never built on.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <cstring>
#include <filesystem>
#include <limits>
#include <new>
#include <string>
#include <utility>
#include <vector>

namespace test::faults_tests {
namespace {

namespace fs = std::filesystem;

/// A tagging task whose evaluation fails as often as told.
struct failing_task : onoma::tagging_task {
  failing_task(const model& m, const onoma::tokenizer& tokens, int* times)
      : tagging_task(m, tokens, sentences(), sentences()), failures(times) {}
  onoma::ner_report evaluate(model& m) {
    if (*failures > 0 && --*failures >= 0) throw std::bad_alloc();
    return tagging_task::evaluate(m);
  }
  int* failures;
};

/// An executor that throws in the call of this number.
struct failing_executor {
  static index_t concurrency() { return 2; }
  void parallel_for(index_t count, onoma::function_ref<void(index_t)> task) {
    for (index_t i = 0; i < count; ++i) task(i);
    if (calls++ == fail_at) throw std::bad_alloc();
  }
  index_t calls = 0;
  index_t fail_at = -1;
};

onoma::training_options short_run() {
  auto o = options();
  o.epochs = 2;
  return o;
}

}  // namespace

TEST_CASE("a run that a dev evaluation ended goes on to the same weights") {
  const auto tokens = onoma::load_tokenizer(tiny);
  onoma::cpu_backend device;
  int none = 0;
  model plain(config_with_dropout(), device, {.seed = 5});
  onoma::trainer<model, failing_task> whole(plain, failing_task(plain, tokens, &none), short_run());
  whole.run();

  int failures = 2;
  model other(config_with_dropout(), device, {.seed = 5});
  onoma::trainer<model, failing_task> broken(other, failing_task(other, tokens, &failures), short_run());
  CHECK_THROWS_AS(broken.run(), std::bad_alloc);
  CHECK_THROWS_AS(broken.run(), std::bad_alloc);
  const auto result = broken.run();
  CHECK(result.position.epoch == 2);
  CHECK(weights_of(other) == weights_of(plain));
}

TEST_CASE("a step that fails before the optimizer is made again, and one that fails in it ends the run") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto train = [&](index_t fail_at, index_t* calls) {
    failing_executor executor;
    onoma::cpu_backend device{onoma::executor_ref(executor)};
    model m(config_with_dropout(), device, {.seed = 5});
    onoma::trainer trainer(m, tokens, sentences(), {}, short_run());
    executor.fail_at = fail_at < 0 ? -1 : executor.calls + fail_at;
    const auto before = executor.calls;
    std::string end = "weights";
    for (bool again = true; again;) {
      try {
        trainer.run();
        again = false;
      } catch (const std::bad_alloc&) {
      } catch (const onoma::error& e) {
        end = e.what();
        again = false;
      }
    }
    if (calls != nullptr) *calls = executor.calls - before;
    return std::pair(end, weights_of(m));
  };
  index_t calls = 0;
  const auto expected = train(-1, &calls).second;
  REQUIRE(calls > 100);
  int exact = 0;
  int refused = 0;
  for (index_t at = 0; at < calls; at += 7) {
    CAPTURE(at);
    const auto [end, weights] = train(at, nullptr);
    if (end == "weights") {
      CHECK(weights == expected);
      ++exact;
    } else {
      CHECK(end.find("expected the state before a step (resume from a checkpoint)") != std::string::npos);
      ++refused;
    }
  }
  CHECK(exact > 10);
  CHECK(refused > 0);
}

TEST_CASE("a last step that overflows is no result, and leaves the last good state") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const temporary_folder folder;
  onoma::cpu_backend device;
  auto o = short_run();
  o.epochs = 1;
  o.checkpoint = (folder.path / "state").string();
  o.checkpoint_every = 1;
  o.learning_rate = 1e38;
  o.warmup = 0.0;
  o.max_grad_norm = 0.0;
  o.batch.batch_size = 100;  // one step
  o.accumulation = 1;
  onoma::write_file_atomically(o.checkpoint, "good");
  model m(config_with_dropout(), device, {.seed = 5});
  onoma::trainer trainer(m, tokens, sentences(), {}, o);
  CHECK_THROWS_WITH_AS(trainer.run(), doctest::Contains("expected finite parameters"), onoma::error);
  CHECK(onoma::read_text_file(o.checkpoint) == "good");
  CHECK_THROWS_WITH_AS(m.save(folder.path / "model"), doctest::Contains("finite numbers"), onoma::error);
  CHECK_FALSE(fs::exists(folder.path / "model"));
}

TEST_CASE("a flipped bit of a training state is noticed, wherever it is") {
  const auto tokens = onoma::load_tokenizer(tiny);
  const temporary_folder folder;
  onoma::cpu_backend device;
  auto o = short_run();
  o.epochs = 1;
  o.checkpoint = (folder.path / "state").string();
  model m(config_with_dropout(), device, {.seed = 5});
  onoma::trainer trainer(m, tokens, sentences(), {}, o);
  trainer.run();
  const auto clean = onoma::read_text_file(o.checkpoint);
  std::uint64_t header = 0;
  std::memcpy(&header, clean.data(), 8);
  CHECK_NOTHROW(trainer.resume(o.checkpoint));
  for (std::size_t i = 0; i < 60; ++i) {
    CAPTURE(i);
    const std::size_t size = i % 2 == 0 ? 8 + header : clean.size() - 8 - header;
    const std::size_t at = (i % 2 == 0 ? 0 : 8 + header) + i * 7919 % size;
    auto bytes = clean;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << i % 8));
    // Blanks at the end of the header, which only align what follows.
    if (bytes[at] == ' ' || clean[at] == ' ') continue;
    onoma::write_file_atomically(o.checkpoint, bytes);
    CHECK_THROWS_AS(trainer.resume(o.checkpoint), onoma::error);
  }
}

}  // namespace test::faults_tests
