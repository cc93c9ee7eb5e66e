/// Batches that inference takes through the layers in several parts.
#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <vector>

namespace test::batches_tests {
namespace {

using onoma::index_t;

std::vector<std::int32_t> ids_of(index_t sequence, index_t length) {
  std::vector<std::int32_t> ids;
  for (index_t i = 0; i < length; ++i) {
    ids.push_back(static_cast<std::int32_t>((7 * sequence + 3 * i) % 50));
  }
  return ids;
}

}  // namespace

TEST_CASE_TEMPLATE("a large batch gives what its sequences give alone", B,
                   onoma::reference_backend<float>,
                   onoma::guarded_backend<onoma::reference_backend<float>>) {
  B device;
  auto m = onoma::token_classifier_session<B>::load(
      std::filesystem::path(ONOMA_TEST_DATA_DIR) / "bert-tiny", device);
  onoma::token_batch batch;
  std::vector<index_t> lengths;
  // Some empty, also at the ends, and the longest that there is.
  for (index_t b = 0; batch.tokens() < 3 * device.rows_at_once(1); ++b) {
    lengths.push_back(b % 5 == 0 ? 0 : b % 5 == 3 ? m.max_length() : b % m.max_length());
    batch.add(ids_of(b, lengths.back()));
  }
  lengths.push_back(0);
  batch.add({});

  const auto found = m.logits(batch);
  REQUIRE(found.rows == batch.tokens());
  const std::vector<float> logits(found.data, found.data + found.rows * found.cols);
  const auto scores = m.probabilities(batch);
  const std::vector<float> probabilities(scores.data, scores.data + scores.rows * scores.cols);
  auto at = logits.begin();
  auto probability = probabilities.begin();
  bool all_equal = true;
  for (std::size_t b = 0; b < lengths.size(); ++b) {
    onoma::token_batch one;
    one.add(ids_of(static_cast<index_t>(b), lengths[b]));
    const auto alone = m.logits(one);
    const index_t count = alone.rows * alone.cols;
    all_equal = all_equal && std::equal(alone.data, alone.data + count, at);
    at += count;
    const auto alone_scores = m.probabilities(one);
    all_equal = all_equal && std::equal(alone_scores.data, alone_scores.data + count, probability);
    probability += count;
  }
  CHECK(at == logits.end());
  CHECK(all_equal);
}

TEST_CASE("a batch without tokens has no logits") {
  onoma::reference_backend<float> device;
  auto m = onoma::token_classifier_session<onoma::reference_backend<float>>::load(
      std::filesystem::path(ONOMA_TEST_DATA_DIR) / "bert-tiny", device);
  onoma::token_batch batch;
  CHECK(m.logits(batch).rows == 0);
  batch.add({});
  CHECK(m.logits(batch).rows == 0);
  CHECK(m.logits(batch).cols == static_cast<index_t>(m.labels().size()));
}

}  // namespace test::batches_tests
