/// Classical models as finders of entities in words and raw text.
#include "support/error_of.hpp"

#include <onoma/classic/train.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/predict/classic_tagger.hpp>

#include <doctest/doctest.h>

#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace test::classic_tagger_tests {
namespace {

using namespace onoma;
using list = std::vector<std::string>;

/// Names with signs inside, that only learned rules leave whole.
classic_model make_model() {
  std::vector<sentence> data;
  for (const char* team : {"AT&T", "A-League", "Acme"}) {
    for (const char* person : {"Jane", "Zo\xC3\xAB"}) {
      data.push_back({{person, "of", team, "won", "."}, {"B-PER", "O", "B-ORG", "O", "O"}});
      data.push_back({{person, "O'Brien", "left", team, "."}, {"B-PER", "I-PER", "O", "B-ORG", "O"}});
    }
  }
  classic_training_options options;
  options.lbfgs.c1 = 0.01;
  options.c2 = 0.01;
  return classic_trainer(data, {}, options).run();
}

list texts_of(const tagged_text& found) {
  list all;
  for (const auto& e : found) all.push_back(e.text + "/" + e.label);
  return all;
}

}  // namespace

TEST_CASE("entities of raw text are found in words as training had them, with places in all units") {
  classic_tagger tagger(make_model());
  const list texts = {"Zo\xC3\xAB O'Brien left AT&T.", "", "Jane of A-League won."};
  const auto found = tagger.tag_batch(texts);
  REQUIRE(found.size() == 3);
  CHECK(texts_of(found[0]) == list{"Zo\xC3\xAB O'Brien/PER", "AT&T/ORG"});
  CHECK(found[1].size() == 0);
  CHECK(texts_of(found[2]) == list{"Jane/PER", "A-League/ORG"});
  const auto& team = found[0][1];
  CHECK(team.span.bytes.begin == 18);  // one more than in characters
  CHECK(team.span.code_points.begin == 17);
  CHECK(found[0].words.size() == 5);
  CHECK(team.first == 3);
  CHECK(team.last == 3);
  CHECK(team.score > 0.5);
  CHECK(team.score <= 1.0);
}

TEST_CASE("words that are given are labelled as they are") {
  classic_tagger tagger(make_model());
  const auto found = tagger.tag_words(list{"Jane", "O'Brien", "left", "Acme", "."});
  CHECK(texts_of(found) == list{"Jane O'Brien/PER", "Acme/ORG"});
  CHECK(found.words.empty());
  CHECK(found[0].first == 0);
  CHECK(found[0].last == 1);
  CHECK(tagger.tag_words(list{}).size() == 0);
  // The mean of the probabilities of its words, which the decoder says of the same words.
  classic_decoder decoder(tagger.model());
  std::vector<float> probabilities;
  const list words = {"Jane", "O'Brien", "left", "Acme", "."};
  static_cast<void>(decoder.decode(std::span<const std::string>(words), &probabilities));
  const double mean = (static_cast<double>(probabilities[0]) + static_cast<double>(probabilities[1])) / 2;
  CHECK(found[0].score == doctest::Approx(mean));
}

TEST_CASE("results do not depend on threads, on what is tagged together, or on who shares the model") {
  const auto model = make_model();
  classic_tagger one(model);
  classic_tagger three(model, {.threads = 3});
  const auto shared = three.share();
  list texts;
  for (int i = 0; i < 200; ++i) {
    texts.push_back(i % 2 == 0 ? "Jane of AT&T won " + std::to_string(i) + "." : "Acme left.");
  }
  const auto expected = one.tag_batch(texts);
  for (entity_model* other : {static_cast<entity_model*>(&three), shared.get()}) {
    const auto found = other->tag_batch(texts);
    for (std::size_t i = 0; i < texts.size(); ++i) {
      CHECK(texts_of(found[i]) == texts_of(expected[i]));
      for (std::size_t e = 0; e < found[i].size(); ++e) CHECK(found[i][e].score == expected[i][e].score);
    }
  }
  CHECK(texts_of(one.tag_batch(std::span(texts).first(1))[0]) == texts_of(expected[0]));
}

TEST_CASE("what a tagger refuses, and where it ends") {
  const auto model = make_model();
  classic_tagger tagger(model);
  const list bad = {"good", "\xFF"};
  CHECK(error_of([&] { static_cast<void>(tagger.tag_batch(bad)); }).code() == error_code::parse);
  CHECK(error_of([&] { static_cast<void>(tagger.tag_words(list{"\xFF"})); }).code() == error_code::parse);
  CHECK(error_of([&] { classic_tagger(model, {.splitting = word_splitting::tokenizer}); }).code() ==
        error_code::invalid_argument);
  classic_tagger general(model, {.splitting = word_splitting::general});
  CHECK(general.tag_batch(list{"Jane won."}).size() == 1);

  const list texts = {"Jane of AT&T won."};
  classic_tagger_options options;
  options.limits.text_bytes = 5;
  classic_tagger few_bytes(model, options);
  CHECK(error_of([&] { static_cast<void>(few_bytes.tag_batch(texts)); }).code() == error_code::limit_exceeded);
  options.limits = {};
  options.limits.tokens = 3;
  classic_tagger few_words(model, options);
  CHECK(error_of([&] { static_cast<void>(few_words.tag_batch(texts)); }).code() == error_code::limit_exceeded);
  CHECK(few_words.tag_batch(list{"Jane won."}).size() == 1);

  const cancellation stop;
  tagger.set_cancellation(stop);
  stop.cancel();
  CHECK(error_of([&] { static_cast<void>(tagger.tag_batch(texts)); }).code() == error_code::cancelled);
  CHECK(error_of([&] { static_cast<void>(tagger.tag_words(texts)); }).code() == error_code::cancelled);
  stop.reset();
  CHECK(tagger.tag_batch(texts).size() == 1);
}

}  // namespace test::classic_tagger_tests
