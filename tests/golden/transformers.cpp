/// Every family against transformers: hidden states, logits, every gradient, loss curves.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/train/adamw.hpp>
#include <onoma/train/schedule.hpp>

#include <doctest/doctest.h>
#include <golden/golden.hpp>
#include <support/compare.hpp>

#include <cstdint>
#include <string>
#include <vector>

namespace {

using namespace onoma;  // NOLINT: a test of the whole library
using onoma::index_t;     // not the one of <strings.h>

/// One folder of tests/golden/data for each family.
constexpr const char* models[] = {"bert-tiny",        "distilbert-tiny", "roberta-tiny",
                                  "xlm-roberta-tiny", "camembert-tiny",  "electra-tiny",
                                  "mpnet-tiny",     "modernbert-tiny"};

/// The golden numbers are float; sums of up to 96 products and three layers stay well inside 1e-5
/// of a tensor's largest magnitude, the fidelity that the project promises.
constexpr double promised = 1e-5;

template <class B>
token_classifier<B> load(const std::string& name, B& device) {
  // The goldens are made without dropout.
  auto model = token_classifier<B>::load(test::golden_dir / name, {}, device);
  auto config = model.config();
  config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0.0;
  token_classifier<B> same(config, device);
  const auto entries = model.parameters().layout().entries();
  for (const auto& entry : entries) {
    same.parameters().upload(entry, model.parameters().download_value(entry).data());
  }
  return same;
}

template <class T>
std::vector<T> to_vector(mat<const T> m) {
  return {m.data, m.data + m.rows * m.cols};
}

/// A gradient of the store as the tensors of the checkpoint: name and values.
template <class B>
void check_gradients(const token_classifier<B>& model, const test::golden& golden) {
  const auto& family = *model.config().family;
  token_head<B> head({1, 1, 0.0, model.config().transform});
  const checkpoint_map tensors(family, head);
  std::size_t checked = 0;
  for (const auto& entry : model.parameters().layout().entries()) {
    const auto gradient = model.parameters().download_gradient(entry);
    const auto names = tensors.tensors_of(entry.name);
    const auto size = static_cast<std::ptrdiff_t>(gradient.size() / names.size());
    auto begin = gradient.begin();
    for (const auto& name : names) {
      const std::string prefix(tensors.prefix_of(entry.name));
      const std::vector<typename B::scalar> piece(begin, begin + size);
      begin += size;
      INFO(name);
      // The bias of the keys moves all scores of a query alike: its gradient is exactly 0, and what
      // is found is rounding. Its scale is that of the other two thirds of the parameter.
      double floor = 1e-30;
      for (const auto& value : gradient)
        floor = std::max(floor, std::abs(static_cast<double>(value)));
      CHECK(test::difference(piece, golden.floats("grad." + prefix + name), promised, floor) == "");
      ++checked;
    }
  }
  std::size_t expected = 0;
  for (const auto& tensor : golden.file().tensors()) expected += tensor.name.rfind("grad.", 0) == 0;
  CHECK(checked == expected);
}

/// The batch with the labels of those tokens alone for which keep(n) holds.
template <class Keep>
tagged_batch with_labels(const tagged_batch& batch, Keep keep) {
  tagged_batch some;
  some.clear();
  const auto layout = batch.tokens.layout();
  for (index_t b = 0; b < layout.count(); ++b) {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> labels;
    for (index_t n = layout.begin(b); n < layout.begin(b) + layout.length(b); ++n) {
      ids.push_back(batch.tokens.ids()[n]);
      labels.push_back(keep(n) ? batch.targets.labels[static_cast<std::size_t>(n)] : ignored_label);
    }
    some.add(ids, labels);
  }
  return some;
}

template <class B>
void check_model(const std::string& name) {
  INFO(name);
  const test::golden golden(name);
  const auto batch = golden.batch();
  B device;
  auto model = load(name, device);

  const auto states = model.hidden_states(batch.tokens);
  REQUIRE(states.size() == static_cast<std::size_t>(model.config().layers) + 1);
  for (std::size_t i = 0; i < states.size(); ++i) {
    INFO("hidden state " << i);
    CHECK(test::difference(states[i], golden.floats("hidden." + std::to_string(i)), promised) ==
          "");
  }
  CHECK(test::difference(to_vector(model.logits(batch.tokens)), golden.floats("logits"), promised) == "");

  const auto loss = model.forward_loss(batch);
  CHECK(test::difference(std::vector<double>{loss.mean()}, golden.floats("loss"), promised) == "");
  model.backward();
  check_gradients(model, golden);

  // The last layer computes what the loss reads: the parts of a loss, and a batch that has none of it.
  model.parameters().zero_gradients();
  index_t labelled = 0;
  for (const int part : {0, 1, 2, 3}) {
    const auto some = with_labels(batch, [&](index_t n) { return n % 3 == part; });
    labelled += model.forward_loss(some, static_cast<double>(loss.count)).count;
    model.backward();
  }
  CHECK(labelled == loss.count);
  check_gradients(model, golden);
}

/// Twenty steps of AdamW. Rounding differences grow with every step, in proportion to the learning
/// rate: 1e-4 of the first loss is the promised bound.
template <class B>
void check_curves(const std::string& name) {
  INFO(name);
  const test::golden golden(name);
  const auto batch = golden.batch();
  for (const bool scheduled : {false, true}) {
    INFO(scheduled);
    B device;
    auto model = load(name, device);
    adamw<B> optimizer(model.parameters(), {.weight_decay = scheduled ? 0.01 : 0.0});
    const schedule rate{.learning_rate = 5e-3, .warmup_steps = 4, .total_steps = 20};
    std::vector<double> losses;
    for (index_t step = 0; step < 20; ++step) {
      losses.push_back(model.forward_loss(batch).mean());
      model.backward();
      if (scheduled) clip_grad_norm(model.parameters(), 1.0);
      optimizer.step(scheduled ? rate(step) : 1e-3);
    }
    const auto expected = golden.floats(scheduled ? "curve.scheduled" : "curve.plain");
    CHECK(expected.back() < 0.8F * expected.front());  // the curve is no flat line
    CHECK(test::difference(losses, expected, 1e-4) == "");
  }
}

}  // namespace

TEST_CASE_TEMPLATE("hidden states, logits, loss and gradients equal transformers'", B,
                   reference_backend<double>, reference_backend<float>, cpu_backend) {
  for (const char* name : models) check_model<B>(name);
}

TEST_CASE_TEMPLATE("twenty steps of AdamW lose what PyTorch's lose", B, reference_backend<double>,
                   reference_backend<float>, cpu_backend) {
  for (const char* name : models) check_curves<B>(name);
}
