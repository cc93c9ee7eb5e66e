/// The one loop that predicts: words without pieces, lengths of windows, and weights shared by threads.
#include "support/temporary_folder.hpp"
#include "unit/train/small_task.hpp"

#include <onoma/io/atomic_file.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/text/files/load.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>
#include <thread>
#include <vector>

namespace test::predict_tests {
namespace {

namespace fs = std::filesystem;

/// A model that labels each token by its id alone.
class by_id {
 public:
  by_id(const onoma::tokenizer& tokens, const std::map<std::string, std::string>& tags) {
    for (const auto& [word, tag] : tags) {
      const auto found = std::find(labels_.begin(), labels_.end(), tag);
      REQUIRE(found != labels_.end());
      ids_[tokens.encode_words(std::vector<std::string>{word}).front().ids.at(1)] = found - labels_.begin();
    }
  }
  [[nodiscard]] const std::vector<std::string>& labels() const { return labels_; }
  [[nodiscard]] index_t max_length() const { return 64; }
  [[nodiscard]] index_t window_length() const { return 64; }
  [[nodiscard]] onoma::mat<const float> probabilities(const onoma::token_batch& batch) {
    const auto columns = static_cast<index_t>(labels_.size());
    values_.assign(static_cast<std::size_t>(batch.tokens() * columns), 0.0F);
    for (index_t n = 0; n < batch.tokens(); ++n) {
      const auto known = ids_.find(batch.ids()[n]);
      const index_t label = known == ids_.end() ? 0 : known->second;
      values_[static_cast<std::size_t>(n * columns + label)] = 1.0F;
    }
    return {values_.data(), batch.tokens(), columns};
  }

 private:
  std::vector<std::string> labels_ = {"O", "B-LOC", "I-LOC"};
  std::map<std::int32_t, index_t> ids_;
  std::vector<float> values_;
};

}  // namespace

TEST_CASE("a word without pieces breaks no entity, at its beginning, inside or at its end") {
  const auto tokens = onoma::load_tokenizer(tiny);
  by_id tagger(tokens, {{"new", "B-LOC"}, {"york", "I-LOC"}});
  const std::string nothing = "\xE2\x80\x8B";  // zero width space
  const std::vector<onoma::sentence> gold = {
      make({"the", "new", nothing, "york", "museum"}, {"O", "B-LOC", "I-LOC", "I-LOC", "O"}),
      make({"the", nothing, "new", "york"}, {"O", "B-LOC", "I-LOC", "I-LOC"}),
      make({"new", "york", "", "museum"}, {"B-LOC", "I-LOC", "I-LOC", "O"}),
      make({"new", "york", nothing}, {"B-LOC", "I-LOC", "O"}),
      make({nothing}, {"O"})};
  const auto report = onoma::evaluate_on(tagger, tokens, gold);
  // The second begins where the model sees it begin: I- opens an entity of the words that are left.
  CHECK(report.micro.f1 == 1.0);
  CHECK(report.micro.support == 4);
  CHECK(report.skipped_words == 5);
  CHECK(report.tokens == 12);
  const auto tags = onoma::predict(tagger, tokens, gold);
  CHECK(tags[0] == std::vector<std::string>{"O", "B-LOC", "I-LOC", "I-LOC", "O"});
  CHECK(tags[1] == std::vector<std::string>{"O", "O", "B-LOC", "I-LOC"});
  CHECK(tags[2] == std::vector<std::string>{"B-LOC", "I-LOC", "O", "O"});
  CHECK(tags[4] == std::vector<std::string>{"O"});
  // Neither do words count whose true tag is not known, whatever the model says of them.
  const auto partly = onoma::evaluate_on(tagger, tokens, std::vector<onoma::sentence>{
      make({"the", "new", "york", "york"}, {"O", "B-LOC", "-", "O"})});
  CHECK(partly.unknown_words == 1);
  CHECK(partly.tokens == 3);
  CHECK(partly.micro.correct == 0);  // what is left is B-LOC O, and found is B-LOC I-LOC
  CHECK(partly.token_accuracy == doctest::Approx(2.0 / 3.0));
  // Other words are wrong where they are wrong.
  const std::vector<onoma::sentence> other = {make({"the", nothing, "york"}, {"B-LOC", "I-LOC", "O"})};
  CHECK(onoma::evaluate_on(tagger, tokens, other).micro.f1 == 0.0);
}

TEST_CASE("gaps between words of different entities, or of none, are outside") {
  using words = onoma::predicted_words;
  using tags = std::vector<std::string>;
  CHECK(onoma::fill_gaps(words{"B-X", {}, "B-X"}) == tags{"B-X", "O", "B-X"});
  CHECK(onoma::fill_gaps(words{"B-X", {}, {}, "I-X", {}}) == tags{"B-X", "I-X", "I-X", "I-X", "O"});
  CHECK(onoma::fill_gaps(words{"B-X", {}, "I-Y"}) == tags{"B-X", "O", "I-Y"});
  CHECK(onoma::fill_gaps(words{"PER", {}, "PER"}) == tags{"PER", "PER", "PER"});
  CHECK(onoma::fill_gaps(words{"B-X", {}, "L-X"}) == tags{"B-X", "I-X", "L-X"});
  CHECK(onoma::fill_gaps(words{{}, "O", {}, "B-X"}) == tags{"O", "O", "O", "B-X"});
  CHECK(onoma::fill_gaps({}).empty());
}

TEST_CASE("the length of training's windows is saved, and is that of every score") {
  const temporary_folder folder;
  const auto tokens = onoma::load_tokenizer(tiny);
  // Documents longer than a window, so that its length shows.
  std::vector<onoma::sentence> data(4);
  std::size_t n = 0;
  for (const auto& s : sentences()) {
    auto& d = data[n++ % data.size()];
    d.words.insert(d.words.end(), s.words.begin(), s.words.end());
    d.tags.insert(d.tags.end(), s.tags.begin(), s.tags.end());
  }
  auto o = options();
  o.epochs = 8;
  o.learning_rate = 1e-2;
  o.data.max_length = 12;
  double best = -1.0;
  {
    onoma::cpu_backend device;
    model m(config_with_dropout(), device, {.seed = 5});
    onoma::trainer trainer(m, tokens, data, data, o);
    best = trainer.run().position.best_score;
    REQUIRE(best > 0.0);
    m.save(folder.path / "model");
    for (const auto& [name, content] : onoma::read_tokenizer_files(tiny)) {
      onoma::write_file_atomically(folder.path / "model" / name, content);
    }
  }
  onoma::cpu_backend device;
  auto session = onoma::token_classifier_session<onoma::cpu_backend>::load(folder.path / "model", device);
  CHECK(session.window_length() == 12);
  CHECK(session.max_length() == 64);
  CHECK(onoma::evaluate_on(session, tokens, data).micro.f1 == best);
  CHECK(onoma::evaluate_on(session, tokens, data, {}, {.max_length = 64}).micro.f1 != best);

  // Tagging the words gives the same entities.
  auto ner = onoma::pipeline::load(folder.path / "model");
  const auto tags = onoma::predict(session, tokens, data);
  for (std::size_t i = 0; i < data.size(); ++i) {
    const auto tagged = ner.tag_words(data[i].words);
    const auto expected = onoma::decode_bio(tags[i]).entities;
    REQUIRE(tagged.size() == expected.size());
    CHECK(tagged.windows > 1);
    for (std::size_t k = 0; k < expected.size(); ++k) {
      CHECK(tagged[k].first == expected[k].begin);
      CHECK(tagged[k].last == expected[k].end - 1);
    }
  }
  // It stays through another save, beside what others keep there.
  auto again = model::load(folder.path / "model", {}, device);
  CHECK(again.config().trained_length == 12);
}

TEST_CASE("four threads tag with one copy of the weights, and get the same bits") {
  auto first = onoma::pipeline::load(tiny);
  const std::vector<std::string> texts = {"Jane met John in Paris.", "the new york museum", "x", ""};
  const auto expected = first.tag_batch(texts);
  std::vector<onoma::pipeline> pipelines;
  for (int i = 0; i < 4; ++i) pipelines.push_back(first.share());
  first = onoma::pipeline::load(tiny);  // the one that loaded the weights is gone
  std::vector<int> equal(pipelines.size(), 0);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < pipelines.size(); ++t) {
    threads.emplace_back([&, t] {
      bool same = true;
      for (int round = 0; round < 20; ++round) {
        const auto found = pipelines[t].tag_batch(texts);
        for (std::size_t i = 0; i < texts.size(); ++i) {
          same = same && found[i].size() == expected[i].size();
          for (std::size_t k = 0; same && k < expected[i].size(); ++k) {
            same = found[i][k].span == expected[i][k].span && found[i][k].score == expected[i][k].score;
          }
        }
      }
      equal[t] = same ? 1 : 0;
    });
  }
  for (auto& thread : threads) thread.join();
  CHECK(equal == std::vector<int>(pipelines.size(), 1));
}

TEST_CASE("a session needs kernels that read the weights as they were packed") {
  const auto& found = onoma::find_dispatched_kernels();
  onoma::cpu_backend first({}, *found.available[0]);
  onoma::cpu_backend last({}, *found.available[found.count - 1]);
  const auto weights = onoma::token_classifier_model<onoma::cpu_backend>::load(tiny, first);
  using session = onoma::token_classifier_session<onoma::cpu_backend>;
  CHECK_NOTHROW(session(weights, first));
  if (first.packed_layout() != last.packed_layout()) CHECK_THROWS_AS(session(weights, last), onoma::error);
}

TEST_CASE("a folder with a head of another kind is refused by its name") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  fs::copy(tiny, path);
  auto config = onoma::parse_json(onoma::read_text_file(path / "config.json"), "config.json");
  config["onoma"] = {{"head", "crf"}, {"note", "kept"}};
  onoma::write_file_atomically(path / "config.json", config.dump());
  onoma::cpu_backend device;
  CHECK_THROWS_WITH_AS(static_cast<void>(model::load(path, {}, device)), doctest::Contains("'crf'"), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::pipeline::load(path)), onoma::error);
  // So says a model with new weights, whatever its configuration was for.
  auto settings = config_with_dropout();
  settings.head = "crf";
  CHECK(model(settings, device, {.seed = 5}).config().head == "token");
  // A new head is the reader's own.
  const auto other = model::load(path, {"A", "B"}, device, {.replace_head = true});
  CHECK(other.config().head == "token");
  CHECK(other.config().to_json()["onoma"] == onoma::json{{"note", "kept"}});
}

TEST_CASE("a host's own finder of entities is a pipeline too") {
  class capitals final : public onoma::entity_model {
   public:
    const std::vector<std::string>& labels() const noexcept override { return labels_; }
    std::vector<onoma::tagged_text> tag_batch(std::span<const std::string> texts) override {
      std::vector<onoma::tagged_text> all(texts.size());
      for (std::size_t i = 0; i < texts.size(); ++i) {
        if (!texts[i].starts_with('J')) continue;
        auto& found = all[i].entities.emplace_back();
        found.text = texts[i].substr(0, 4);
      }
      return all;
    }
    onoma::tagged_text tag_words(std::span<const std::string>) override { return {}; }
    std::unique_ptr<onoma::entity_model> share() const override { return std::make_unique<capitals>(); }

   private:
    std::vector<std::string> labels_ = {"PER"};
  };
  onoma::pipeline ner(std::make_unique<capitals>());
  onoma::document item{"Jane met John."};
  ner.share().tag(item);
  REQUIRE(item.spans.size() == 1);
  CHECK(item.spans[0].text == "Jane");
  CHECK_THROWS_AS(onoma::pipeline(nullptr), onoma::error);
}

}  // namespace test::predict_tests
