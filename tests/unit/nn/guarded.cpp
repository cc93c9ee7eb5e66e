/// The model trains on memory that only the backend can reach; touching it elsewhere is fatal.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/train/adamw.hpp>

#include <doctest/doctest.h>

#include <csignal>
#include <cstddef>
#include <cstdint>
#include <string>
#include <type_traits>
#include <vector>

#include <sys/wait.h>
#include <unistd.h>

namespace test::guarded_tests {
namespace {

using guarded = onoma::guarded_backend<onoma::cpu_backend>;
static_assert(onoma::training_backend<guarded>);

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
  for (const char* name : {"bert-tiny", "electra-tiny", "mpnet-tiny", "modernbert-tiny"}) {
    INFO(name);
    guarded device;
    onoma::cpu_backend plain;
    CHECK(losses_of(name, device) == losses_of(name, plain));
  }
}

TEST_CASE("nor does a head of spans") {
  const auto run = [](auto& device) {
    using B = std::remove_reference_t<decltype(device)>;
    auto model = onoma::trainable_model<B, onoma::span_head<B>>::load(
        std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny", {"O", "A", "B"}, device,
        {.replace_head = true, .head = {{"width", 3}, {"size", 8}, {"negatives", 0.5}}});
    onoma::adamw optimizer(model.parameters());
    onoma::span_batch batch;
    batch.add(std::vector<std::int32_t>{2, 9, 30, 60, 3}, {{1, 2, 3}, {{0, 1, 2}, {1, 1, 1}}});
    batch.add(std::vector<std::int32_t>{2, 41, 3}, {{1}, {}});
    std::vector<double> numbers;
    for (int i = 0; i < 3; ++i) {
      numbers.push_back(model.forward_loss(batch).mean());
      model.backward();
      onoma::clip_grad_norm(model.parameters(), 1.0);
      optimizer.step(1e-3);
    }
    const auto found = model.inference().span_probabilities(batch.tokens, batch.targets.words);
    for (const float p : found.row(0)) numbers.push_back(static_cast<double>(p));
    return numbers;
  };
  guarded device;
  onoma::cpu_backend plain;
  CHECK(run(device) == run(plain));
}

TEST_CASE("the guard checks what the host says about sequences") {
  guarded device;
  const auto memory = device.allocate(1024);
  auto* const floats = reinterpret_cast<float*>(memory.data());
  const auto layout = [&](std::ptrdiff_t place, const std::vector<std::int32_t>& offsets) {
    const onoma::vec<std::int32_t> uploaded{reinterpret_cast<std::int32_t*>(floats + place),
                                            static_cast<onoma::index_t>(offsets.size())};
    device.upload_ids({offsets.data(), uploaded.size}, uploaded);
    return onoma::sequences{uploaded, onoma::sequences::of({offsets.data(), uploaded.size}).longest};
  };
  const auto attend = [&](onoma::sequences queries, onoma::sequences keys) {
    const onoma::mat<const float> k{floats, 4, 4};
    device.attention({{floats, 3, 4}, k, k}, {.queries = queries, .keys = keys}, {{floats + 128, 3, 4}, {}});
  };
  const auto batch = layout(64, {0, 2, 3});
  const auto more = layout(72, {0, 2, 4});
  CHECK_NOTHROW(attend(batch, batch));
  CHECK_NOTHROW(attend(batch, more));
  const onoma::sequences wrong{batch.offsets, 3};
  const char* longest = "sequences.longest: invalid argument: expected 2, found 3";
  CHECK_THROWS_WITH_AS(attend(wrong, batch), longest, onoma::error);
  CHECK_THROWS_WITH_AS(attend(batch, wrong), longest, onoma::error);
  CHECK_THROWS_WITH_AS(attend(batch, layout(80, {0, 1, 3})),
                       "attention_shape.keys: invalid argument: expected at least 2 keys, one for each "
                       "query, found 1",
                       onoma::error);
  CHECK_THROWS_WITH_AS(attend(batch, layout(80, {0, 3})),
                       "attention_shape.keys: invalid argument: expected 2 sequences, found 1", onoma::error);
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

}  // namespace test::guarded_tests
