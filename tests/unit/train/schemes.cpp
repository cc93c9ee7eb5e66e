/// Models of every tag scheme, with both heads: trained, measured, saved, and decoded.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/heads/crf.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <string>
#include <vector>

namespace test::schemes_tests {
namespace {

using onoma::tag_scheme;

/// The small task, and entities of one type side by side.
std::vector<onoma::sentence> sentences_in(tag_scheme scheme) {
  auto all = sentences();
  for (int i = 0; i < 6; ++i) {
    all.push_back(make({"jane", "john", "met", "in", "new", "york", "berlin"},
                       {"B-PER", "B-PER", "O", "O", "B-LOC", "I-LOC", "B-LOC"}));
  }
  onoma::convert_corpus(all, tag_scheme::iob2, scheme);
  return all;
}

/// A model that learned them, in a folder.
template <class Head>
void check_scheme(tag_scheme scheme) {
  INFO(onoma::to_string(scheme), " ", Head::kind);
  const temporary_folder folder;
  const auto path = folder.path / "model";
  const auto data = sentences_in(scheme);
  const auto tags = onoma::tag_set::from_tags(onoma::tags_of(data));
  onoma::cpu_backend device;
  auto m = onoma::trainable_model<onoma::cpu_backend, Head>::load(
      tiny, tags.labels(), device, {.seed = 5, .replace_head = true, .scheme = scheme});
  const auto tokens = onoma::load_tokenizer(tiny);
  auto o = options();
  o.epochs = 40;
  o.accumulation = 1;
  o.learning_rate = 1e-2;
  onoma::trainer trainer(m, tokens, data, data, o);
  trainer.run();
  const auto report = onoma::evaluate_on(m, tokens, data);
  CHECK(report.micro.f1 > 0.95);
  CHECK(report.misread_tags == 0);
  m.save(path);
  auto session = onoma::session<onoma::cpu_backend, Head>::load(path, device);
  CHECK(session.config().scheme == scheme);
  CHECK(onoma::scheme_of(session) == scheme);

  auto finder = onoma::pipeline::load(path);
  const auto predicted = onoma::predict(session, tokens, data);
  for (std::size_t s = 0; s < data.size(); ++s) {
    // What the predicted tags stand for, by way of another scheme.
    const auto bio = onoma::convert_tags(predicted[s], scheme, tag_scheme::iob2);
    const auto expected = onoma::strict_entities(bio.tags, tag_scheme::iob2);
    const auto found = finder.tag_words(data[s].words);
    REQUIRE(found.size() == expected.size());
    for (std::size_t e = 0; e < found.size(); ++e) {
      CHECK(found[e].first == expected[e].begin);
      CHECK(found[e].last == expected[e].end - 1);
      CHECK(found[e].label == expected[e].type);
    }
    if constexpr (onoma::head_with_settings<Head>) CHECK(bio.repairs == 0);
  }
  std::string text;
  for (const auto& word : data.back().words) text += (text.empty() ? "" : " ") + word;
  const auto tagged = finder.tag_batch(std::vector<std::string>{text}).front();
  CHECK(tagged.entities.size() == (scheme == tag_scheme::io ? 2 : 4));
  CHECK(tagged.repairs == 0);
}

}  // namespace

TEST_CASE("a head of words by themselves learns and finds entities in every scheme") {
  for (const auto scheme : onoma::tag_schemes) check_scheme<onoma::token_head<onoma::cpu_backend>>(scheme);
}

TEST_CASE("a head of chains learns and finds entities in every scheme") {
  for (const auto scheme : onoma::tag_schemes) check_scheme<onoma::crf_head<onoma::cpu_backend>>(scheme);
}

TEST_CASE("a corpus of any scheme is recognised and brought to any other") {
  for (const auto from : onoma::tag_schemes) {
    const auto before = sentences_in(from);
    for (const auto to : onoma::tag_schemes) {
      INFO(onoma::to_string(from), " to ", onoma::to_string(to));
      auto data = before;
      const auto change = onoma::bring_to_scheme(data, to);
      // Tags of IO are those of IOB1, and mean the same.
      const auto found = from == tag_scheme::io ? tag_scheme::iob1 : from;
      CHECK(change.found.scheme == found);
      CHECK(change.changed == (found != to));
      CHECK(change.counts.lost == (to == tag_scheme::io && from != tag_scheme::io ? 12 : 0));
      CHECK(change.counts.repairs == 0);
      for (std::size_t s = 0; s < data.size(); ++s) {
        CHECK(data[s].tags == onoma::convert_tags(before[s].tags, from, to).tags);
      }
    }
  }
  auto bare = std::vector<onoma::sentence>{make({"jane", "met"}, {"PER", "O"})};
  CHECK_FALSE(onoma::bring_to_scheme(bare, tag_scheme::iobes).changed);
  CHECK(bare[0].tags[0] == "PER");
}

TEST_CASE("the scheme of config.json stays with its labels, and one that is none or does not fit is refused") {
  auto config = config_with_dropout();
  config.scheme = tag_scheme::iob2;
  CHECK(onoma::encoder_config::from_json(config.to_json()).scheme == tag_scheme::iob2);
  auto source = config.to_json();
  source["onoma"]["scheme"] = "IOB9";
  CHECK_THROWS_WITH_AS(onoma::encoder_config::from_json(source), doctest::Contains("'IOB9'"), onoma::error);
  source["onoma"]["scheme"] = 3;
  CHECK_THROWS_WITH_AS(onoma::encoder_config::from_json(source), doctest::Contains("'onoma'"), onoma::error);

  const temporary_folder folder;
  const auto path = folder.path / "model";
  onoma::cpu_backend device;
  auto m = model::load(tiny, labels, device, {.replace_head = true, .scheme = tag_scheme::iob2});
  m.save(path);
  CHECK(model::load(path, {}, device).config().scheme == tag_scheme::iob2);
  CHECK_FALSE(model::load(path, {"O", "S-PER"}, device, {.replace_head = true}).config().scheme.has_value());
  auto other = model::load(path, {}, device, {.scheme = tag_scheme::ioe2});
  other.save(folder.path / "other");
  CHECK_THROWS_WITH_AS(onoma::pipeline::load(folder.path / "other"), doctest::Contains("'B-LOC'"), onoma::error);
}

}  // namespace test::schemes_tests
