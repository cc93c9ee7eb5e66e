/// The model trains on memory that only the backend can reach; touching it elsewhere is fatal.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/train/adamw.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <string>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace test {
namespace {

using guarded = onoma::guarded_backend<onoma::cpu_backend>;
static_assert(onoma::backend<guarded>);

template <class B>
std::vector<double> losses_of(const std::string& name, B& device) {
  auto model = onoma::token_classifier<B>::load(
      std::string(ONOMA_TEST_DATA_DIR) + "/" + name, {}, device);
  onoma::adamw optimizer(model.parameters());
  onoma::tagged_batch batch;
  batch.clear();
  batch.add(std::vector<std::int32_t>{2, 9, 30, 60, 3}, std::vector<std::int32_t>{-100, 1, 0, 2, -100});
  batch.add(std::vector<std::int32_t>{2, 41, 3}, std::vector<std::int32_t>{-100, 4, -100});
  std::vector<double> losses;
  for (int i = 0; i < 3; ++i) {
    losses.push_back(model.forward_loss(batch).mean());
    model.backward();
    onoma::clip_grad_norm(model.parameters(), 1.0);
    optimizer.step(1e-3);
  }
  losses.push_back(static_cast<double>(model.probabilities(batch.tokens)(0, 0)));
  return losses;
}

}  // namespace

TEST_CASE("training and inference never touch tensors outside of the backend") {
  for (const char* name : {"bert-tiny", "electra-tiny", "mpnet-tiny"}) {
    INFO(name);
    guarded device;
    onoma::cpu_backend plain;
    CHECK(losses_of(name, device) == losses_of(name, plain));
  }
}

TEST_CASE("the guard checks the longest length that the host states") {
  guarded device;
  const auto memory = device.allocate(1024);
  auto* const floats = reinterpret_cast<float*>(memory.data());
  const std::vector<std::int32_t> offsets = {0, 2, 3};
  const onoma::vec<std::int32_t> uploaded{reinterpret_cast<std::int32_t*>(floats + 64), 3};
  device.upload_ids({offsets.data(), 3}, uploaded);
  const auto attend = [&](onoma::index longest) {
    device.attention({floats, 3, 12}, {{uploaded, longest}, 1, 1.0F, {}, {}}, {floats + 128, 3, 4}, {});
  };
  CHECK_NOTHROW(attend(2));
  CHECK_THROWS_WITH_AS(attend(3), "sequences.longest: invalid argument: expected 2, found 3", onoma::error);
}

TEST_CASE("the guard is closed: touching a tensor is a segmentation fault") {
  const auto child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    std::signal(SIGSEGV, SIG_DFL);  // not doctest's or a sanitizer's
    std::signal(SIGBUS, SIG_DFL);
    guarded device;
    const auto memory = device.allocate(64);
    volatile auto* first = reinterpret_cast<volatile char*>(memory.data());
    *first = 1;
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  CHECK(WIFSIGNALED(status));
}

}  // namespace test
