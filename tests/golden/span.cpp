/// The head of spans against its formulas in plain PyTorch: scores, loss, every gradient.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/nn/parameter.hpp>

#include <doctest/doctest.h>
#include <golden/golden.hpp>
#include <support/compare.hpp>

#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace test::golden_span_tests {
namespace {

using onoma::index_t;
using onoma::mat;
using onoma::vec;

constexpr int cases = 3;

/// One case: numbers in double, a batch whose every token is a word.
struct golden_spans {
  golden file{"span"};
  std::string prefix;
  std::vector<std::int32_t> shape, offsets;  // H, L, W, D
  onoma::span_batch batch;

  explicit golden_spans(int number)
      : prefix(std::to_string(number) + "."), shape(file.ids(prefix + "shape")), offsets(file.ids(prefix + "offsets")) {
    const auto labelled = file.ids(prefix + "labelled");  // first, last, label, where the sequence begins
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      onoma::span_targets::item item;
      for (std::int32_t n = 0; n < offsets[b + 1] - offsets[b]; ++n) item.words.push_back(n);
      for (std::size_t i = 0; i < labelled.size(); i += 4) {
        if (labelled[i + 3] != offsets[b]) continue;
        item.spans.push_back({labelled[i], labelled[i + 1], labelled[i + 2]});
      }
      batch.add(std::vector<std::int32_t>(item.words.size(), 1), item);
    }
  }
  [[nodiscard]] std::vector<double> doubles(const std::string& name) const {
    const auto* tensor = file.file().find(prefix + name);
    REQUIRE(tensor != nullptr);
    std::vector<double> values(static_cast<std::size_t>(tensor->elements()));
    REQUIRE(tensor->bytes.size() == values.size() * sizeof(double));
    std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
    return values;
  }
};

/// `relative`: of the largest number of each kind.
template <class B>
void check_head(int number, double relative) {
  using T = typename B::scalar;
  INFO("case " << number);
  const golden_spans c(number);
  const index_t words = c.offsets.back();
  const index_t labels = c.shape[1];
  const index_t width = c.shape[2];
  std::vector<std::string> names;
  for (index_t l = 0; l < labels; ++l) names.push_back(std::to_string(l));
  onoma::span_head<B> head({.hidden = c.shape[0], .labels = labels, .names = names,
                            .own = {{"width", width}, {"size", c.shape[3]}}});
  B device;
  onoma::parameter_store<B> store(device, onoma::parameter_layout::of<T>(head, true), head, true);
  for (const auto& entry : store.layout().entries()) {
    const auto values = c.doubles(entry.name);
    const std::vector<T> converted(values.begin(), values.end());
    store.upload(entry, converted.data());
  }
  store.pack_changed();
  const auto given = c.doubles("hidden");
  const std::vector<T> hidden(given.begin(), given.end());
  std::vector<T> scores(static_cast<std::size_t>(words * width * labels));
  std::vector<T> dhidden(hidden.size());
  onoma::loss_result loss;
  typename onoma::span_head<B>::saved saved;
  onoma::workspace<B> memory(device);
  const auto uploaded = [&](const onoma::pass<B>& run) {
    const auto m = run.keep(words, c.shape[0]);
    device.upload(hidden.data(), vec<T>{m.data, words * m.cols});
    return m;
  };
  memory.run(true, [&](onoma::arena& activations, onoma::arena& scratch) {
    const onoma::pass<B> run{device, activations, scratch, false, {}};
    const auto layout = c.batch.targets.words.layout();
    const auto found = head.scores(run, uploaded(run), {run.upload(layout.offsets), layout.longest});
    device.download(vec<const T>{found.data, words * head.columns()}, scores.data());
  });
  memory.run(true, [&](onoma::arena& activations, onoma::arena& scratch) {
    const onoma::pass<B> run{device, activations, scratch, true, {}};
    loss = head.forward_loss(run, c.batch, uploaded(run), static_cast<double>(words), saved);
  });
  memory.run(false, [&](onoma::arena& activations, onoma::arena& scratch) {
    const onoma::pass<B> run{device, activations, scratch, true, {}};
    const auto d = head.backward(run, saved);
    device.download(vec<const T>{d.data, words * d.cols}, dhidden.data());
  });
  std::vector<T> of_spans;  // without what is no span
  for (std::size_t b = 0; b + 1 < c.offsets.size(); ++b) {
    for (index_t n = c.offsets[b]; n < c.offsets[b + 1]; ++n) {
      const auto row = scores.begin() + n * width * labels;
      of_spans.insert(of_spans.end(), row, row + std::min<index_t>(width, c.offsets[b + 1] - n) * labels);
    }
  }
  CHECK(difference(of_spans, c.doubles("scores"), relative) == "");
  CHECK(difference(std::vector<double>{loss.sum}, c.doubles("loss"), relative) == "");
  CHECK(loss.count == words);
  CHECK(difference(dhidden, c.doubles("grad.hidden"), relative) == "");
  for (const auto& entry : store.layout().entries()) {
    INFO(entry.name);
    CHECK(difference(store.download_gradient(entry), c.doubles("grad." + entry.name), relative) == "");
  }
}

}  // namespace

TEST_CASE("a head of spans is what its formulas say in PyTorch") {
  for (int number = 0; number < cases; ++number) {
    // Double on both sides, sums of some hundred terms.
    check_head<onoma::reference_backend<double>>(number, 1e-12);
    // The fidelity that the project promises for float.
    check_head<onoma::cpu_backend>(number, 1e-5);
  }
}

}  // namespace test::golden_span_tests
