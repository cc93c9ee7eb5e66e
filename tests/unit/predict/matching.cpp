/// Rules and gazetteers beside a model and alone: what becomes of both, and where it stands.
#include "support/temporary_folder.hpp"

#include <onoma/io/atomic_file.hpp>
#include <onoma/match/matchers.hpp>
#include <onoma/ner/entity_json.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/predict/matching_model.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace test::matching_tests {
namespace {

using namespace onoma;
using list = std::vector<std::string>;

/// A finder that takes "Paris" for a LOC, and words between spaces for words.
class finds_paris final : public entity_model {
 public:
  explicit finds_paris(bool has_words = false) : has_words_(has_words) {}
  const std::vector<std::string>& labels() const noexcept override { return labels_; }
  std::vector<tagged_text> tag_batch(std::span<const std::string> texts) override {
    std::vector<tagged_text> results;
    for (const auto& text : texts) {
      auto& result = results.emplace_back();
      document d{text};
      for (auto at = text.find("Paris"); at != std::string::npos; at = text.find("Paris", at + 1)) {
        auto& e = d.spans.emplace_back();
        e.label = "LOC";
        e.score = 0.5;
        e.span.bytes = {static_cast<index_t>(at), static_cast<index_t>(at) + 5};
      }
      for (std::size_t at = 0; at < text.size();) {
        const auto end = std::min(text.find(' ', at), text.size());
        if (end > at) d.words.push_back({static_cast<index_t>(at), static_cast<index_t>(end)});
        at = end + 1;
      }
      complete_spans(d);
      result.entities = d.spans;
      if (has_words_) result.words = d.words;
    }
    ++runs;
    return results;
  }
  tagged_text tag_words(std::span<const std::string> words) override {
    std::string text;
    for (const auto& word : words) text += (&word == words.data() ? "" : " ") + word;
    tagged_text result = std::move(tag_batch(std::span(&text, 1)).front());
    result.words.clear();
    for (auto& e : result.entities) {  // in the words, empty ones too
      index_t at = 0;
      for (std::size_t i = 0; i < words.size(); ++i) {
        if (at == e.span.bytes.begin && !words[i].empty()) e.first = e.last = static_cast<index_t>(i);
        at += static_cast<index_t>(words[i].size()) + 1;
      }
    }
    return result;
  }
  void set_cancellation(cancellation stop) override { stop_ = std::move(stop); }
  std::unique_ptr<entity_model> share() const override { return std::make_unique<finds_paris>(has_words_); }

  static inline int runs = 0;

 private:
  bool has_words_;
  list labels_ = {"O", "B-LOC", "I-LOC"};
  cancellation stop_;
};

std::shared_ptr<const matchers> make(const std::string& patterns, const std::string& phrases,
                                     match_policy policy) {
  matchers look;
  if (!patterns.empty()) look.patterns.push_back(rules::parse(patterns, "p.jsonl"));
  if (!phrases.empty()) look.gazetteers.push_back(parse_gazetteer(phrases, "g.txt").compiled);
  look.policy = policy;
  return std::make_shared<const matchers>(std::move(look));
}

/// "surface|label|source/id|first-last" of each entity.
list said(const tagged_text& tagged) {
  list all;
  for (const auto& e : tagged) {
    all.push_back(e.text + "|" + e.label + "|" + std::string(to_string(e.source)) + "/" + e.id + "|" +
                  std::to_string(e.first) + "-" + std::to_string(e.last));
  }
  return all;
}

list tag(const std::string& patterns, const std::string& phrases, match_policy policy,
         const std::string& text, bool has_words = false) {
  matching_model model(std::make_unique<finds_paris>(has_words), make(patterns, phrases, policy));
  return said(model.tag_batch(std::span(&text, 1)).front());
}

template <class Body>
std::string message_of(const Body& body) {
  try {
    body();
  } catch (const error& problem) {
    return problem.what();
  }
  return "no error";
}

const std::string hilton = R"({"label": "PER", "pattern": [{"LOWER": "paris"}, {"LOWER": "hilton"}], "id": "ph"})";
const std::string after_loc =
    R"({"label": "TRIP", "pattern": [{"ENT_TYPE": "LOC"}, {"LOWER": "trip"}], "id": "t"})";

}  // namespace

TEST_CASE("each policy says what becomes of the model's entities, and ENT_TYPE sees them where it should") {
  const std::string text = "A Paris trip with Paris Hilton.";
  CHECK(tag(hilton, "", match_policy::before, text) ==
        list{"Paris|LOC|model/|1-1", "Paris Hilton|PER|rule/ph|4-5"});
  CHECK(tag(hilton, "", match_policy::after, text) == list{"Paris|LOC|model/|1-1", "Paris|LOC|model/|4-4"});
  CHECK(tag(hilton, "", match_policy::overriding, text) ==
        list{"Paris|LOC|model/|1-1", "Paris Hilton|PER|rule/ph|4-5"});
  CHECK(tag(hilton, "", match_policy::only, text) == list{"Paris Hilton|PER|rule/ph|4-5"});
  CHECK(tag(after_loc, "", match_policy::before, text) ==
        list{"Paris|LOC|model/|1-1", "Paris|LOC|model/|4-4"});
  CHECK(tag(after_loc, "", match_policy::overriding, text) ==
        list{"Paris trip|TRIP|rule/t|1-2", "Paris|LOC|model/|4-4"});
}

TEST_CASE("rules come before gazetteers at one place, and the longest match counts") {
  CHECK(tag(hilton, "Paris Hilton\tHOTEL\n", match_policy::before, "Paris Hilton") ==
        list{"Paris Hilton|PER|rule/ph|0-1"});
  CHECK(tag(hilton, "Paris Hilton Inn\tHOTEL\tinn\n", match_policy::before, "The Paris Hilton Inn") ==
        list{"Paris Hilton Inn|HOTEL|gazetteer/inn|1-3"});
}

TEST_CASE("all entities count in the same words: the model's where it labels words, else those of the rules") {
  // For the model, "Paris." is a word; for the rules, the full stop is one of its own.
  const std::string text = "In Paris. Then A-1 in Oslo";
  const std::string patterns = R"({"label": "CITY", "pattern": "Oslo"}
                                  {"label": "CODE", "pattern": "A-1"})";
  CHECK(tag(patterns, "", match_policy::before, text) ==
        list{"Paris|LOC|model/|1-1", "A-1|CODE|rule/|4-6", "Oslo|CITY|rule/|8-8"});
  CHECK(tag(patterns, "", match_policy::before, text, true) ==
        list{"Paris|LOC|model/|1-1", "A-1|CODE|rule/|3-3", "Oslo|CITY|rule/|5-5"});
  matching_model model(std::make_unique<finds_paris>(true), make(patterns, "", match_policy::before));
  const auto tagged = model.tag_batch(std::span(&text, 1)).front();
  REQUIRE(tagged.words.size() == 6);
  CHECK(tagged.words[1] == byte_span{3, 9});
  // Nothing matches: the model's entities still count in the words that are given back.
  CHECK(tag(hilton, "", match_policy::before, "(Paris)") == list{"Paris|LOC|model/|1-1"});
}

TEST_CASE("among given words, phrases are cut as the words may be, and entities are of whole words") {
  const auto tag_words = [](const std::string& patterns, const std::string& phrases, const list& words) {
    matching_model model(std::make_unique<finds_paris>(), make(patterns, phrases, match_policy::before));
    return said(model.tag_words(words));
  };
  const std::string us = R"({"label": "GPE", "pattern": "U.S."})";
  const std::string league = R"({"label": "ORG", "pattern": "A-League"})";
  CHECK(tag_words(us, "", {"the", "U.S.", "of"}) == list{"U.S.|GPE|rule/|1-1"});
  CHECK(tag_words(league, "", {"the", "A-League"}) == list{"A-League|ORG|rule/|1-1"});
  CHECK(tag_words(league, "", {"the", "A", "-", "League"}) == list{"A - League|ORG|rule/|1-3"});
  // A part of a word is no entity among words.
  const std::string part = R"({"label": "ORG", "pattern": "League"})";
  CHECK(tag_words(part, "", {"the", "A-League"}).empty());
  CHECK(tag_words("", "League\tORG\n", {"the", "A-League"}).empty());
  CHECK(tag_words("", "League\tORG\n", {"the", "League"}) == list{"League|ORG|gazetteer/|1-1"});
  // Patterns see the words as they are.
  const std::string pattern = R"({"label": "ORG", "pattern": [{"TEXT": "A-League"}]})";
  CHECK(tag_words(pattern, "", {"the", "A-League"}) == list{"A-League|ORG|rule/|1-1"});
  // Words that are empty or blank keep their numbers.
  CHECK(tag_words(us, "", {"", "U.S.", "", "Paris", " "}) == list{"U.S.|GPE|rule/|1-1", "Paris|LOC|model/|3-3"});
  CHECK(tag_words(us, "", {}).empty());
  CHECK(tag_words(us, "", {"", " "}).empty());
}

TEST_CASE("rules alone need no model, and with the policy only a model does not run") {
  matching_model alone(nullptr, make(hilton, "Oslo\tCITY\n", match_policy::only));
  CHECK(alone.labels() == list{"CITY", "PER"});
  const list texts = {"Paris Hilton in Oslo", "", "  "};
  const auto tagged = alone.tag_batch(texts);
  REQUIRE(tagged.size() == 3);
  CHECK(said(tagged[0]) == list{"Paris Hilton|PER|rule/ph|0-1", "Oslo|CITY|gazetteer/|3-3"});
  CHECK(tagged[0].words.size() == 4);
  CHECK(tagged[1].size() + tagged[2].size() == 0);
  pipeline shared = pipeline(std::make_unique<matching_model>(nullptr, make(hilton, "", match_policy::only))).share();
  CHECK(said(shared.tag("with Paris Hilton")) == list{"Paris Hilton|PER|rule/ph|1-2"});
  const int before = finds_paris::runs;
  CHECK(tag(hilton, "", match_policy::only, "Paris") == list{});
  CHECK(finds_paris::runs == before);

  CHECK(message_of([] { matching_model(nullptr, make(hilton, "", match_policy::before)); }) ==
        "matching_model: invalid argument: expected a model, or the policy 'only', found rules without a model");
  CHECK(message_of([] { matching_model(nullptr, make("", "", match_policy::only)); }) ==
        "matching_model: invalid argument: expected rules or gazetteers, found none");
  const list invalid = {"a", "\xFF"};
  CHECK(message_of([&] { static_cast<void>(alone.tag_batch(invalid)); }).find("tag_batch: text 1") == 0);
  CHECK(message_of([&] { static_cast<void>(alone.tag_words(invalid)); }).find("tag_words") == 0);
}

TEST_CASE("a call with rules ends by its limits and on request") {
  matching_model limited(nullptr, make(hilton, "", match_policy::only), {.text_bytes = 10});
  const list long_text = {"Paris Hilton"};
  CHECK(message_of([&] { static_cast<void>(limited.tag_batch(long_text)); }).find("at most 10 bytes") !=
        std::string::npos);
  matching_model model(std::make_unique<finds_paris>(), make(hilton, "", match_policy::before));
  const cancellation stop;
  model.set_cancellation(stop);
  CHECK(model.tag_batch(long_text).front().size() == 1);
  stop.cancel();
  CHECK(message_of([&] { static_cast<void>(model.tag_batch(long_text)); }).find("cancelled") != std::string::npos);
}

TEST_CASE("scores of rules are those of their entities as tags") {
  const std::vector<sentence> gold = {{{"Paris", "Hilton", "in", "Paris"}, {"B-PER", "I-PER", "O", "B-LOC"}},
                                      {{"New", "Paris"}, {"B-LOC", "I-LOC"}}};
  matching_model model(std::make_unique<finds_paris>(), make(hilton, "", match_policy::before));
  CHECK(predict(model, gold)[0] == gold[0].tags);
  const auto report = evaluate_on(model, gold);
  CHECK(report.micro.correct == 2);
  CHECK(report.micro.predicted == 3);
  CHECK(report.micro.support == 3);
  // In strict mode tags are those of its scheme.
  const std::vector<sentence> other = {{{"Paris", "Hilton"}, {"B-PER", "E-PER"}}};
  CHECK(evaluate_on(model, other, {.strict = tag_scheme::iobes}).micro.f1 == 1.0);
}

TEST_CASE("a pipeline with rules says in JSON what found each entity") {
  const std::string folder = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";
  const std::string text = "Jane Doe met Paris Hilton in Oslo.";
  auto plain = pipeline::load(folder);
  for (const auto& e : to_json(plain.tag(text).entities)) CHECK_FALSE(e.contains("source"));
  pipeline_options options;
  options.matching = make(hilton, "", match_policy::before);
  auto tagger = pipeline::load(folder, options);
  CHECK(tagger.labels() == plain.labels());
  const auto tagged = tagger.tag(text);
  const auto entities = to_json(tagged.entities);
  bool found = false;
  for (const auto& e : entities) {
    if (e["source"] == "model") continue;
    CHECK(e["source"] == "rule");
    CHECK(e["id"] == "ph");
    CHECK(e["text"] == "Paris Hilton");
    found = true;
  }
  CHECK(found);
  CHECK_FALSE(tagged.words.empty());
  options.strategy = aggregation::none;
  CHECK(message_of([&] { static_cast<void>(pipeline::load(folder, options)); }).find("rules beside a model") == 0);
}

TEST_CASE("files of rules and gazetteers are read with remarks on what is odd in them") {
  const temporary_folder folder;
  const auto write = [&](const char* name, const std::string& content) {
    write_file_atomically(folder.path / name, content);
    return folder.path / name;
  };
  std::string odd;
  for (int i = 0; i < 5; ++i) odd += R"({"label": "X", "pattern": [{}]})" "\n";
  const auto text = write("g.txt", "Oslo\tCITY\nOslo\tCITY\n\n");
  parse_gazetteer("Rome\tCITY\n", "r").compiled.save(folder.path / "g.bin");
  std::vector<std::string> remarks;
  const auto look = read_matchers({.patterns = {write("odd.jsonl", odd), write("none.jsonl", "")},
                                   .gazetteers = {text, folder.path / "g.bin", write("none.txt", "")}},
                                  &remarks);
  REQUIRE(look.gazetteers.size() == 3);
  CHECK(look.gazetteers[0].size() == 1);
  CHECK(look.gazetteers[1].label(0) == "CITY");
  REQUIRE(remarks.size() == 8);
  CHECK(remarks[0].ends_with("odd.jsonl, line 1: the pattern matches any words"));
  CHECK(remarks[3].ends_with("odd.jsonl: 5 of 5 patterns match any words or none"));
  CHECK(remarks[4].ends_with("none.jsonl: no rules"));
  CHECK(remarks[5].ends_with("1 of 3 lines have no phrase (the first is line 3)"));
  CHECK(remarks[6].ends_with("1 of 3 lines say again what another one said"));
  CHECK(remarks[7].ends_with("none.txt: no entries"));
}

}  // namespace test::matching_tests
