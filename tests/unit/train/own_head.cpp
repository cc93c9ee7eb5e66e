/// A head that the library does not have: the one of the examples.
#include "../../../examples/two_layer_head.hpp"
#include "support/temporary_folder.hpp"
#include "unit/train/slopes.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <doctest/doctest.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

namespace test::own_head_tests {
namespace {

template <class B>
using model_of = onoma::trainable_model<B, two_layer_head<B>>;
using own_model = model_of<onoma::cpu_backend>;

onoma::tagged_batch batch() {
  onoma::tagged_batch made;
  const auto none = onoma::ignored_label;
  made.add(std::vector<std::int32_t>{2, 17, 18, 19, 3}, {none, 1, none, 4, none});
  made.add(std::vector<std::int32_t>{2, 3}, {});
  made.add(std::vector<std::int32_t>{2, 30, 17, 3}, {none, 0, 2, none});
  return made;
}

std::vector<float> train_with(index_t threads, const std::filesystem::path& folder) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend device(pool);
  own_model m(config_with_dropout(), device, {.seed = 5});
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = sentences();
  auto how = options();
  how.epochs = 16;
  onoma::trainer trainer(m, tokens, data, {}, how);
  const auto result = trainer.run();
  CHECK(result.losses.back() < 0.5 * result.losses.front());
  m.save(folder);
  const auto values = m.parameters().values();
  return {values.begin(), values.end()};
}

}  // namespace

TEST_CASE("a head of one's own has the gradients of its loss") {
  onoma::reference_backend<double> device;
  model_of<onoma::reference_backend<double>> m(config_with_dropout(), device, {.seed = 5});
  check_slopes(m, batch());
}

TEST_CASE("a head of one's own touches no number of a tensor itself") {
  onoma::guarded_backend<onoma::reference_backend<double>> device;
  model_of<onoma::guarded_backend<onoma::reference_backend<double>>> m(config_with_dropout(), device, {.seed = 5});
  m.set_dropout(11, 4);
  const auto loss = m.forward_loss(batch());
  CHECK(loss.count == 4);
  m.backward();
}

TEST_CASE("a head of one's own learns, equally with any number of threads, and its folder has the same scores") {
  const temporary_folder folder;
  const auto one = train_with(1, folder.path / "one");
  CHECK(one == train_with(3, folder.path / "three"));

  onoma::cpu_backend device;
  using head = two_layer_head<onoma::cpu_backend>;
  auto session = onoma::session<onoma::cpu_backend, head>::load(folder.path / "one", device);
  const auto report = onoma::evaluate_on(session, onoma::load_tokenizer(tiny), sentences());
  CHECK(report.micro.f1 > 0.9);
  CHECK_THROWS_WITH_AS(onoma::token_classifier_session<onoma::cpu_backend>::load(folder.path / "one", device),
                       doctest::Contains("two_layer"), onoma::error);
}

}  // namespace test::own_head_tests
