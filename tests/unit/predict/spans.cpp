/// Spans of texts in several windows: each counted once, scored where it stands best.
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/data/span_corpora.hpp>
#include <onoma/models/session.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace test::predict_spans_tests {
namespace {

using onoma::encoding;
using onoma::index_t;
using head = onoma::span_head<onoma::cpu_backend>;
using session = onoma::session<onoma::cpu_backend, head>;

const std::string tiny = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";

/// A window of pieces of words, with a special token at each end. Each piece has two bytes of its word.
encoding window(const std::vector<std::pair<std::int32_t, index_t>>& pieces) {
  encoding e;
  const auto add = [&](std::int32_t word, index_t piece) {
    e.ids.push_back(1);
    e.word_ids.push_back(word);
    e.offsets.push_back({2 * piece, 2 * piece + 2});
    e.special.push_back(word < 0 ? std::uint8_t{1} : std::uint8_t{0});
  };
  add(-1, 0);
  for (const auto& [word, piece] : pieces) add(word, piece);
  add(-1, 0);
  return e;
}

/// For every span of every row, `high` for label 1 and nothing for label 2.
std::vector<float> scores(std::size_t rows, index_t widths, float high) {
  std::vector<float> all;
  for (std::size_t i = 0; i < rows * static_cast<std::size_t>(widths); ++i) {
    all.insert(all.end(), {1.0F - high, high, 0.0F});
  }
  return all;
}

/// Large weights, so that scores differ.
session random_session(onoma::cpu_backend& device) {
  auto config = onoma::encoder_config::from_json(onoma::model_folder::open(tiny).config());
  config.labels = {"O", "A", "B"};
  config.initializer_range = 0.5;
  config.own["span"] = {{"width", 4}, {"size", 8}};
  return session(onoma::encoder_model<onoma::cpu_backend, head>::make(config, device, 3), device);
}

std::vector<onoma::document> texts() {
  std::string lines;
  for (int length : {1, 3, 40, 17, 90}) {
    std::string words;
    for (int i = 0; i < length; ++i) {
      const char* word = i % 3 == 0 ? "museum" : i % 7 == 0 ? "berlin" : "unaffable";
      words += std::string(i > 0 ? ", " : "") + "\"" + word + "\"";
    }
    lines += R"({"tokens": [)" + words + R"(], "spans": []})" + "\n";
  }
  return onoma::parse_token_spans(lines, "x");
}

std::string listed(const std::vector<onoma::document>& documents) {
  std::string text;
  for (const auto& d : documents) {
    for (const auto& e : d.spans) {
      text += e.label + "(" + std::to_string(e.first) + "-" + std::to_string(e.last) + ")" +
              std::to_string(e.score) + " ";
    }
    text += "\n";
  }
  return text;
}

}  // namespace

TEST_CASE("words begin with their first pieces, and not where a window begins inside of one") {
  const auto first = window({{0, 0}, {1, 0}, {1, 1}});
  const auto second = window({{1, 1}, {1, 2}, {2, 0}, {4, 0}});
  using rows = std::vector<std::int32_t>;
  CHECK(onoma::span_collector::first_pieces(first, nullptr) == rows{1, 2});
  CHECK(onoma::span_collector::first_pieces(second, &first) == rows{3, 4});
  CHECK(onoma::span_collector::first_pieces(second, nullptr) == rows{1, 3, 4});
  const auto whole = window({{1, 0}, {1, 1}, {2, 0}});
  CHECK(onoma::span_collector::first_pieces(whole, &first) == rows{1, 3});
}

TEST_CASE("a span in two windows is counted once, by the window in which it is farthest from an edge") {
  onoma::span_collector both(2, 3);
  const auto first = window({{0, 0}, {1, 0}, {2, 0}, {3, 0}});
  const auto second = window({{2, 0}, {3, 0}, {4, 0}, {5, 0}});
  const auto add = [&](const encoding& w, const encoding* before, float high) {
    const auto rows = onoma::span_collector::first_pieces(w, before);
    const auto values = scores(rows.size(), 2, high);
    both.add(w, rows, onoma::mat<const float>(values.data(), static_cast<index_t>(rows.size()), 6));
  };
  add(first, nullptr, 0.6F);
  add(second, &first, 0.8F);
  const auto found = std::move(both).finish(std::vector<double>{0.5, 0.5, 0.5});
  CHECK(found.words == std::vector<index_t>{0, 1, 2, 3, 4, 5});
  CHECK(found.places[5] == onoma::byte_span{0, 2});
  std::map<std::pair<index_t, index_t>, double> by_place;
  for (const auto& s : found.spans) {
    CHECK(s.label == 1);
    CHECK(by_place.emplace(std::pair(s.begin, s.end), s.score).second);
  }
  CHECK(by_place.size() == 11);  // six words, five pairs of them
  const auto of = [&](index_t begin, index_t end) { return static_cast<float>(by_place.at({begin, end})); };
  CHECK(of(0, 2) == 0.6F);
  CHECK(of(2, 3) == 0.6F);  // two tokens from the nearer edge in the first window, one in the second
  CHECK(of(3, 4) == 0.8F);  // the other way round
  CHECK(of(1, 3) == 0.6F);
  CHECK(of(2, 4) == 0.6F);  // one in both: the first
  CHECK(of(3, 5) == 0.8F);
}

TEST_CASE("windows in another order than their words are refused") {
  onoma::span_collector one(1, 3);
  const auto first = window({{0, 0}, {2, 0}});
  const auto second = window({{1, 0}, {2, 0}});
  const auto values = scores(2, 1, 0.7F);
  const onoma::mat<const float> rows(values.data(), 2, 3);
  const std::vector<std::int32_t> both = {1, 2};
  one.add(first, both, rows);
  CHECK_THROWS_AS(one.add(second, both, rows), onoma::error);
}

TEST_CASE("spans do not depend on how windows are put into batches") {
  onoma::cpu_backend device;
  auto model = random_session(device);
  const auto tokens = onoma::load_tokenizer(tiny);
  const auto data = texts();
  auto how = onoma::span_settings_of(model.config());
  const auto expected = listed(onoma::predict_spans(model, tokens, data, how, {.max_length = 24, .stride = 8}));
  CHECK(expected.size() > 100);
  for (const index_t most : {1, 50, 10000}) {
    const onoma::prediction_options options{.max_length = 24, .stride = 8, .max_tokens = most};
    CHECK(listed(onoma::predict_spans(model, tokens, data, how, options)) == expected);
  }
  // Free decoding keeps all that flat decoding keeps.
  how.decoding = onoma::span_decoding::flat;
  const auto flat = onoma::predict_spans(model, tokens, data, how);
  how.decoding = onoma::span_decoding::free;
  const auto free = onoma::predict_spans(model, tokens, data, how);
  std::size_t more = 0;
  for (std::size_t i = 0; i < data.size(); ++i) {
    more += free[i].spans.size() - flat[i].spans.size();
    index_t behind = 0;
    for (const auto& e : flat[i].spans) {
      CHECK(e.first >= behind);
      behind = e.last + 1;
      CHECK(std::any_of(free[i].spans.begin(), free[i].spans.end(), [&](const auto& o) {
        return o.first == e.first && o.last == e.last && o.label == e.label;
      }));
    }
  }
  CHECK(more > 0);
}

TEST_CASE("scores of words are those that all tokens would have, where these are words") {
  onoma::cpu_backend device;
  auto model = random_session(device);
  onoma::token_batch batch;
  onoma::word_rows words;
  const std::vector<std::int32_t> ids = {2, 17, 18, 19, 20, 3};
  for (const std::vector<std::int32_t>& begin : {std::vector<std::int32_t>{1, 2, 4}, {}, {0, 1, 2, 3, 4, 5}}) {
    words.add(batch.tokens(), begin);
    batch.add(ids);
  }
  const auto found = model.span_probabilities(batch, words);
  REQUIRE(found.rows == 9);
  REQUIRE(found.cols == 12);
  // One word: its probabilities do not depend on which others are words.
  for (index_t l = 0; l < 3; ++l) {
    CHECK(found(0, l) == found(4, l));
    CHECK(found(1, l) == found(5, l));
  }
  // Tokens 1 and 2 are neighbours as words in both; 2 and 4 are so in the first alone.
  for (index_t l = 3; l < 6; ++l) CHECK(found(0, l) == found(4, l));
  CHECK(found(1, 3) != found(5, 3));
}

TEST_CASE("a document that is not split into words is refused") {
  onoma::cpu_backend device;
  auto model = random_session(device);
  const auto tokens = onoma::load_tokenizer(tiny);
  const std::vector<onoma::document> data = {{"no words"}};
  CHECK_THROWS_WITH_AS(
      static_cast<void>(onoma::predict_spans(model, tokens, data, onoma::span_settings_of(model.config()))),
      "words of a document: invalid argument: expected one that is split into words, found none", onoma::error);
}

}  // namespace test::predict_spans_tests
