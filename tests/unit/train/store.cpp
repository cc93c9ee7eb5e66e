/// Checkpoints as a store: the last states, each whole; one run at a time; space for them; changed learning rates.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/io/atomic_file.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#if defined(__linux__)
#include <sys/mount.h>
#endif

namespace test::store_tests {
namespace {

namespace fs = std::filesystem;
using kind = onoma::training_progress::kind;

std::vector<std::string> names(const fs::path& folder) {
  std::vector<std::string> all;
  for (const auto& entry : fs::directory_iterator(folder)) all.push_back(entry.path().filename().string());
  std::sort(all.begin(), all.end());
  return all;
}

/// 12 steps, 3 of each epoch.
onoma::training_options run_in(const fs::path& checkpoint, index_t keep) {
  auto o = options();
  o.checkpoint = checkpoint;
  o.checkpoint_keep = keep;
  return o;
}

void flip(const fs::path& file) {
  auto bytes = onoma::read_text_file(file);
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  onoma::write_file_atomically(file, bytes);
}

/// A model, a trainer for it, and what a run of it gave.
struct small_run {
  explicit small_run(const onoma::training_options& o, bool dev = false)
      : m(config_with_dropout(), device, {.seed = 5}),
        trainer(m, tokens, sentences(), dev ? sentences() : std::vector<onoma::sentence>(), o) {}

  /// Calls `at_step` after each step, and stops after this one.
  void run(index_t stop = -1, const std::function<void(index_t)>& at_step = {}) {
    result = trainer.run([&](const onoma::training_progress& p) {
      if (p.what == kind::rollback) rollbacks.push_back(*p.change);
      if (p.what == kind::step && at_step) at_step(p.step);
      return p.what != kind::step || p.step != stop;
    });
  }
  void poison() {
    const auto values = m.parameters().values();
    std::fill(values.begin(), values.end(), std::numeric_limits<float>::quiet_NaN());
    m.parameters().changed();
  }
  /// A run in which the weights are lost after step 5, once; `ends`: and which fails in the step after it went back.
  void run_with_accident(index_t stop = -1, bool ends = false) {
    bool once = true;
    run(stop, [&](index_t step) {
      if (step == 5 && std::exchange(once, false)) poison();
      if (ends && !rollbacks.empty()) throw std::runtime_error("the end");
    });
  }

  onoma::tokenizer tokens = onoma::load_tokenizer(tiny);
  onoma::cpu_backend device;
  model m;
  onoma::trainer<model, onoma::tagging_task> trainer;
  onoma::training_result result;
  std::vector<onoma::rate_change> rollbacks;
};

}  // namespace

TEST_CASE("a folder keeps the last states and what it did not make") {
  const temporary_folder folder;
  const auto store = folder.path / "states";
  auto o = run_in(store, 3);
  o.checkpoint_every = 2;
  fs::create_directory(store);
  for (const char* name : {"notes.txt", "step-1.safetensors", "step-000000001.safetensors.bak",
                           "step-000000001.backup-copy"}) {
    onoma::write_file_atomically(store / name, "mine");
  }
  small_run whole(o);
  whole.run();
  CHECK(names(store) == std::vector<std::string>{"notes.txt", "step-000000001.backup-copy",
                                                 "step-000000001.safetensors.bak", "step-000000009.safetensors",
                                                 "step-000000010.safetensors", "step-000000012.safetensors",
                                                 "step-1.safetensors"});
  CHECK(names(folder.path) == std::vector<std::string>{"states"});
  // From each of them to the same weights; states of later steps belong to a future that is gone.
  small_run other(o);
  const auto from = other.trainer.resume(store / "step-000000009.safetensors");
  CHECK(from.path == store / "step-000000009.safetensors");
  other.run(11);
  CHECK(onoma::checkpoint_store::states(store) ==
        std::vector<fs::path>{store / "step-000000011.safetensors", store / "step-000000010.safetensors",
                              store / "step-000000009.safetensors"});
  small_run again(o);
  CHECK(again.trainer.resume(store).passed_over.empty());
  again.run();
  CHECK(weights_of(again.m) == weights_of(whole.m));
  // Another run that begins anew keeps nothing of this one, neither later steps nor earlier ones.
  fs::copy(store / "step-000000012.safetensors", store / "step-000000001.safetensors");
  small_run fresh(o);
  fresh.run(2);
  CHECK(onoma::checkpoint_store::states(store) == std::vector<fs::path>{store / "step-000000002.safetensors"});
}

TEST_CASE("a damaged state is passed over by name, and the best weights survive") {
  const temporary_folder folder;
  const auto o = run_in(folder.path / "states", 2);
  small_run whole(o, true);
  whole.run();
  const auto newest = onoma::checkpoint_store::states(o.checkpoint).front();
  flip(newest);
  small_run other(o, true);
  const auto from = other.trainer.resume(o.checkpoint);
  CHECK(from.path == o.checkpoint / "step-000000009.safetensors");
  REQUIRE(from.passed_over.size() == 1);
  CAPTURE(from.passed_over[0]);
  CHECK(from.passed_over[0].find("resuming from " + newest.string()) == 0);
  CHECK(from.passed_over[0].find("expected the bytes that were written") != std::string::npos);
  other.run();
  CHECK(other.result.passed_over == from.passed_over);
  CHECK(other.result.position.best_epoch == whole.result.position.best_epoch);
  CHECK(weights_of(other.m) == weights_of(whole.m));
  // If none can be read, the error is that of the newest.
  for (const auto& state : onoma::checkpoint_store::states(o.checkpoint)) flip(state);
  CHECK_THROWS_WITH_AS(small_run(o, true).trainer.resume(o.checkpoint), doctest::Contains(newest.string().c_str()),
                       onoma::error);
  fs::remove_all(o.checkpoint);
  fs::create_directory(o.checkpoint);
  CHECK_THROWS_WITH_AS(small_run(o, true).trainer.resume(o.checkpoint), doctest::Contains("found none"),
                       onoma::error);
}

TEST_CASE("one run at a time uses a checkpoint") {
  const temporary_folder folder;
  for (const index_t keep : {1, 2}) {
    const auto o = run_in(folder.path / ("states" + std::to_string(keep)), keep);
    int refused = 0;
    small_run first(o);
    first.run(4, [&](index_t) {
      small_run second(o);
      CHECK_THROWS_WITH_AS(second.run(1), doctest::Contains("expected no other run that uses it"), onoma::error);
      CHECK_THROWS_WITH_AS(second.trainer.resume(o.checkpoint), doctest::Contains(".lock"), onoma::error);
      ++refused;
    });
    CHECK(refused == 4);
    small_run second(o);
    CHECK_NOTHROW(second.trainer.resume(o.checkpoint));
    CHECK_NOTHROW(second.run());
  }
}

#if defined(__linux__)
TEST_CASE("the space for the states is there before training starts, and stays") {
  const temporary_folder folder;
  const auto bytes = static_cast<std::uintmax_t>(small_run(options()).m.parameters().layout().size()) * 12;
  for (const index_t keep : {1, 3}) {
    for (const bool fits : {false, true}) {
      const temporary_folder disk;
      // States, one more, and a bit for descriptions and the file system.
      const auto size = (static_cast<std::uintmax_t>(keep) + (fits ? 1 : 0)) * (bytes + 80'000) + 80'000;
      if (::mount("tmpfs", disk.path.c_str(), "tmpfs", 0, ("size=" + std::to_string(size)).c_str()) != 0) {
        MESSAGE("skipped: mounting is not allowed here");
        return;
      }
      const auto o = run_in(disk.path / "states", keep);
      index_t steps = 0;
      small_run run(o);
      const auto go = [&] {
        run.run(-1, [&](index_t step) {
          steps = step;
          // From the first step on the disk is full.
          std::ofstream other(disk.path / "other", std::ios::app);
          while (other << std::string(4096, 'x') << std::flush) {
          }
        });
      };
      if (fits) {
        CHECK_NOTHROW(go());
        CHECK(steps == 12);
        CHECK(onoma::checkpoint_store::states(o.checkpoint).size() == static_cast<std::size_t>(keep));
      } else {
        CHECK_THROWS_WITH_AS(go(), doctest::Contains("bytes that are free"), onoma::error);
        CHECK(steps == 0);
      }
      CHECK(::umount(disk.path.c_str()) == 0);
    }
  }
}
#endif

TEST_CASE("a changed learning rate is taken when asked for, and noted; nothing else may change") {
  const temporary_folder folder;
  const auto o = run_in(folder.path / "state", 1);
  const auto early = folder.path / "early";
  {
    small_run first(o);
    first.run(4);
    fs::copy(o.checkpoint, early);
  }
  auto slower = o;
  slower.learning_rate = 1e-4;
  CHECK_THROWS_WITH_AS(small_run(slower).trainer.resume(o.checkpoint), doctest::Contains("learning rate 0.0001"),
                       onoma::error);
  auto seeded = slower;
  seeded.batch.seed = 4;
  CHECK_THROWS_WITH_AS(small_run(seeded).trainer.resume(o.checkpoint, {.change_learning_rate = true}),
                       doctest::Contains("expected the state of a run with seed 4, found seed 3"), onoma::error);

  const auto check_changes = [&](const onoma::training_position& at) {
    REQUIRE(at.rate_changes.size() == 1);
    CHECK(at.rate_changes[0].step == 4);
    CHECK(at.rate_changes[0].from == 3e-3);
    CHECK(at.rate_changes[0].to == 1e-4);
    CHECK(at.rate_changes[0].diverged_at == 0);
  };
  small_run whole(slower);
  whole.trainer.resume(early, {.change_learning_rate = true});
  CHECK(whole.trainer.learning_rate() == 1e-4);
  whole.run();
  check_changes(whole.result.position);
  {
    small_run part(slower);
    part.trainer.resume(early, {.change_learning_rate = true});
    part.run(7);
  }
  small_run rest(slower);
  rest.trainer.resume(o.checkpoint, {.change_learning_rate = true});  // again, as a script would: no change
  rest.run();
  check_changes(rest.result.position);
  CHECK(weights_of(rest.m) == weights_of(whole.m));
  small_run same(o);
  same.trainer.resume(early);
  same.run();
  CHECK(weights_of(same.m) != weights_of(whole.m));
}

TEST_CASE("a run that diverges goes back to its checkpoint with a lower rate, exactly") {
  const temporary_folder folder;
  // Without dev sentences: the weights are those of the last step.
  for (const index_t keep : {1, 3}) {
    CAPTURE(keep);
    auto o = run_in(folder.path / ("a" + std::to_string(keep)), keep);
    o.divergence_retries = 2;
    o.divergence_factor = 0.25;
    small_run whole(o);
    whole.run_with_accident();
    REQUIRE(whole.rollbacks.size() == 1);
    CHECK(whole.rollbacks[0].step == 3);
    CHECK(whole.rollbacks[0].from == 3e-3);
    CHECK(whole.rollbacks[0].to == 3e-3 / 4);
    CHECK(whole.rollbacks[0].diverged_at == 6);
    CHECK(whole.result.position.rate_changes.size() == 1);
    CHECK(whole.result.losses.size() == 12);

    // Stopped afterwards, or ended before it could write anything more, and gone on with.
    for (const bool ends : {false, true}) {
      CAPTURE(ends);
      o.checkpoint = folder.path / ((ends ? "b" : "c") + std::to_string(keep));
      {
        small_run part(o);
        if (ends) {
          CHECK_THROWS_AS(part.run_with_accident(-1, true), std::runtime_error);
        } else {
          part.run_with_accident(7);
        }
        CHECK(part.rollbacks.size() == 1);
      }
      small_run rest(o);
      rest.trainer.resume(o.checkpoint);
      CHECK(rest.trainer.learning_rate() == 3e-3 / 4);
      rest.run();
      CHECK(rest.result.position.rate_changes.size() == 1);
      CHECK(weights_of(rest.m) == weights_of(whole.m));
    }

    // The same choice by hand, from the state of the same step.
    o.checkpoint = folder.path / ("d" + std::to_string(keep));
    {
      small_run part(o);
      part.run(3);
    }
    auto lower = o;
    lower.learning_rate = 3e-3 / 4;
    small_run chosen(lower);
    chosen.trainer.resume(o.checkpoint, {.change_learning_rate = true});
    chosen.run();
    CHECK(weights_of(chosen.m) == weights_of(whole.m));
  }
}

TEST_CASE("a run that diverges again and again ends, and its last good state stays") {
  const temporary_folder folder;
  auto o = run_in(folder.path / "state", 1);
  o.divergence_retries = 2;
  small_run run(o);
  CHECK_THROWS_WITH_AS(run.run(-1,
                               [&](index_t step) {
                                 if (step == 5) run.poison();
                               }),
                       doctest::Contains("training step 6: "), onoma::divergence_error);
  CHECK(run.rollbacks.size() == 2);
  const onoma::divergence_error problem(3, "finite (and small) numbers", "others");
  CHECK(problem.wanted() == "finite (and small) numbers");
  CHECK(problem.expected().find(problem.wanted() + " (a lower learning rate may help: ") == 0);
  CHECK(run.rollbacks.back().to == 3e-3 / 4);
  small_run rest(o);
  rest.trainer.resume(o.checkpoint);
  CHECK(rest.trainer.learning_rate() == 3e-3 / 4);
  CHECK_NOTHROW(rest.run());
  // Before the first state with a rate that somebody chose, which begins the count of retries anew: back to the
  // state with the other rate, and both changes are told.
  {
    small_run part(o);
    part.run(4);
  }
  auto slower = o;
  slower.learning_rate = 1e-3;
  slower.divergence_retries = 1;
  small_run chosen(slower);
  chosen.trainer.resume(o.checkpoint, {.change_learning_rate = true});
  chosen.run_with_accident();
  const auto& changes = chosen.result.position.rate_changes;
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].to == 1e-3);
  CHECK(changes[0].diverged_at == 0);
  CHECK(changes[1].step == 4);
  CHECK(changes[1].from == 1e-3);
  CHECK(changes[1].to == 1e-3 / 2);
  CHECK(changes[1].diverged_at == 6);
  // Further back, since the newest state is damaged: the choices that were made since are told too.
  auto several = o;
  several.checkpoint = folder.path / "states";
  several.checkpoint_keep = 3;
  small_run deep(several);
  deep.run(-1, [&](index_t step) {
    if (step != 5 || deep.rollbacks.size() == 2) return;
    deep.poison();
    if (deep.rollbacks.size() == 1) flip(onoma::checkpoint_store::states(several.checkpoint).front());
  });
  REQUIRE(deep.result.position.rate_changes.size() == 2);
  CHECK(deep.result.position.rate_changes[0].step == 3);
  CHECK(deep.result.position.rate_changes[1].step == 0);
  CHECK(deep.result.passed_over.size() == 1);
  // Before the first state: back to the start.
  auto wild = o;
  wild.learning_rate = 1e30;
  wild.divergence_factor = 1e-33;
  wild.warmup = 0.0;
  small_run start(wild);
  start.run();
  REQUIRE(start.rollbacks.size() == 1);
  CHECK(start.rollbacks[0].step == 0);
  // Off by default, and not without a checkpoint.
  o.divergence_retries = 0;
  small_run off(o);
  CHECK_THROWS_AS(off.run_with_accident(), onoma::divergence_error);
  o.divergence_retries = 1;
  o.checkpoint.clear();
  CHECK_THROWS_AS(small_run{o}, onoma::error);
}

TEST_CASE("a state from before rates could change is resumed") {
  const temporary_folder folder;
  const auto o = run_in(folder.path / "state", 1);
  small_run whole(o);
  whole.run();
  {
    small_run part(o);
    part.run(4);
  }
  {
    const auto file = onoma::safetensors_file::open(o.checkpoint);
    auto metadata = file.metadata();
    auto position = onoma::parse_json(metadata["position"], "position");
    position.erase("rate_changes");
    position.erase("learning_rate");
    metadata["position"] = position.dump();
    onoma::write_sealed_tensors(o.checkpoint, file.tensors(), metadata);
  }
  small_run rest(o);
  rest.trainer.resume(o.checkpoint);
  rest.run();
  CHECK(weights_of(rest.m) == weights_of(whole.m));
}

}  // namespace test::store_tests
