/// The README.md of a model folder.
#include <onoma/train/model_card.hpp>

#include <doctest/doctest.h>

#include <string>

namespace test::model_card_tests {
namespace {

std::string version() {
  return std::to_string(ONOMA_VERSION_MAJOR) + "." + std::to_string(ONOMA_VERSION_MINOR) + "." +
         std::to_string(ONOMA_VERSION_PATCH);
}

}  // namespace

TEST_CASE("a card says what a model finds, how well, and what it was made from") {
  onoma::model_card card;
  card.name = "my-model";
  card.encoder = "all-MiniLM-L6-v2";
  card.labels = {"B-PER", "I-PER", "O"};
  card.data = {{"train", "train.conll", 642, 6114}};
  const auto report = onoma::evaluate({{"B-PER", "O", "B-PER", "O"}}, {{"B-PER", "O", "O", "O"}});
  card.scores.push_back({"dev", report});
  card.settings = {{"epochs", "3"}};
  CHECK(onoma::to_markdown(card) ==
        "---\npipeline_tag: token-classification\ntags:\n- named-entity-recognition\n- onoma\n---\n\n"
        "# my-model\n\n"
        "Finds named entities in text. Made with onoma " + version() +
            " from the encoder `all-MiniLM-L6-v2`; `onoma tag --model FOLDER` and transformers load the folder.\n"
            "\n## Labels\n\n`B-PER`, `I-PER`, `O`\n"
            "\n## Scores\n\nOf whole entities, as seqeval counts them in its default mode.\n"
            "\n`dev`, 1 sentence:\n\n"
            "| type | precision | recall | F1 | entities |\n|---|---|---|---|---|\n"
            "| `PER` | 1.0000 | 0.5000 | 0.6667 | 2 |\n"
            "| all (micro average) | 1.0000 | 0.5000 | 0.6667 | 2 |\n"
            "\n## Data\n\n| part | file | sentences | words |\n|---|---|---|---|\n"
            "| train | `train.conll` | 642 | 6114 |\n"
            "\n## Training\n\n| setting | value |\n|---|---|\n| epochs | 3 |\n");
}

TEST_CASE("a card without facts is short") {
  const auto text = onoma::to_markdown({});
  CHECK(text.find("##") == std::string::npos);
  CHECK(text.find("Made with onoma " + version() + ";") != std::string::npos);
}

TEST_CASE("names cannot break the tables of a card") {
  onoma::model_card card;
  card.labels = {"B-a`b", "B-x|y"};
  card.data = {{"train", "two\nlines|`.conll", 1, 2}};
  const auto text = onoma::to_markdown(card);
  CHECK(text.find("`` B-a`b ``, `B-x\\|y`") != std::string::npos);
  CHECK(text.find("| train | `` two lines\\|`.conll `` | 1 | 2 |\n") != std::string::npos);
}

}  // namespace test::model_card_tests
