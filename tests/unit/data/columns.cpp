/// Columns of CoNLL files are guessed from what they hold, and a guess that looks wrong is refused.
#include "support/data_dir.hpp"

#include <onoma/data/conll.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

namespace test::columns_tests {
namespace {

/// "word/tag" of every row, sentences apart; or the refusal.
std::string read(const std::string& text, const onoma::conll_options& options = {}) {
  std::string all;
  try {
    for (const auto& s : onoma::parse_conll(text, "x", options)) {
      for (std::size_t i = 0; i < s.words.size(); ++i) all += s.words[i] + "/" + s.tags[i] + " ";
      all += "| ";
    }
  } catch (const onoma::error& e) {
    return e.what();
  }
  return all;
}

bool has(const std::string& text, const char* part) { return text.find(part) != std::string::npos; }

}  // namespace

TEST_CASE("layouts of known corpora are read as they are meant") {
  // Numbered words, as in Universal NER: the annotator's column holds no tags.
  CHECK(read("# sent_id = 1\n# text = Anna sleeps\n1\tAnna\tB-PER\t-\tann1\n2\tsleeps\tO\t-\tann1\n\n"
             "# newdoc\n1\tOslo\tB-LOC\tB-LOC#O\tann1\n2\tis\tO\tO#O\tann1\n") ==
        "Anna/B-PER sleeps/O | Oslo/B-LOC is/O | ");
  CHECK(read("1 Vera NNP B-PER\n2 sleeps VBZ O\n\n1 Oslo NNP B-GPE\n2 is VBZ O\n") ==
        "Vera/B-PER sleeps/O | Oslo/B-GPE is/O | ");
  CHECK(read("0\tVera\tB-PER\n1\tsleeps\tO\n\n2\tOslo\tB-GPE\n") == "Vera/B-PER sleeps/O | Oslo/B-GPE | ");
  // CoNLL-2003: phrases are no entities, also where there is no entity.
  CHECK(read("EU NNP B-NP B-ORG\nrejects VBZ B-VP O\n") == "EU/B-ORG rejects/O | ");
  CHECK(read("It PRP B-NP O\nrejects VBZ B-VP O\n") == "It/O rejects/O | ");
  CHECK(read("B-NP It\nB-VP rejects\n") == "It/B-NP rejects/B-VP | ");
  // The tag first.
  CHECK(read("B-ACTOR\tanna\nO\tsleeps\n\nO\tthe\nB-TITLE\tfilm\n") ==
        "anna/B-ACTOR sleeps/O | the/O film/B-TITLE | ");
  // Labels without a prefix, mistyped ones, and a column that is no tags behind the tags.
  CHECK(read("Anna PER\nsleeps O\n") == "Anna/PER sleeps/O | ");
  CHECK(read("Anna B_PER\nsleeps O\nin o\n") == "Anna/B_PER sleeps/O in/o | ");
  CHECK(read("Anna B-PER x\nsleeps O y\n") == "Anna/B-PER sleeps/O | ");
  CHECK(read("EU NNP - B-ORG\nrejects VBZ - O\n") == "EU/B-ORG rejects/O | ");
}

TEST_CASE("a guess that looks wrong is refused, and says what to say") {
  const char* layers = "Vera\tB-PER\tO\nsleeps\tO\tO\nOslo\tB-LOC\tB-ORGpart\n";
  CHECK(has(read(layers), "found tags in columns 2 and 3"));
  CHECK(read(layers, {.tag_column = 1}) == "Vera/B-PER sleeps/O Oslo/B-LOC | ");
  CHECK(read(layers, {.tag_column = -1}) == "Vera/O sleeps/O Oslo/B-ORGpart | ");
  CHECK(has(read("1 B-PER\n2 O\n"), "numbers in all rows"));
  CHECK(read("1 B-PER\n2 O\n", {.word_column = 0}) == "1/B-PER 2/O | ");
  CHECK(has(read("17 a B-PER\n4 b O\n"), "numbers in all rows"));
  CHECK(read("17 a B-PER\n4 b O\n", {.word_column = 1}) == "a/B-PER b/O | ");
  CHECK(has(read("Anna ann1\nsleeps ann1\n"), "'ann1' and no tag"));
  CHECK(read("Anna PER\nBob PER\n", {.tag_column = 1}) == "Anna/PER Bob/PER | ");
  const char* mixed = "EU NNP\tB-ORG\nrejects VBZ\tO\n. .\tO\n";
  CHECK(has(read(mixed), "a space in every row"));
  CHECK(read(mixed, {.separator = onoma::conll_separator::space}) == "EU/B-ORG rejects/O ./O | ");
  CHECK(read("New York\tB-LOC\nOslo\tB-LOC\n") == "New York/B-LOC Oslo/B-LOC | ");
  CHECK(has(read("a b O\n", {.word_column = 7}),
            "x:1: parse error: expected a column 8, counted from 1, found 3 columns"));
  CHECK(has(read("a b O\n", {.tag_column = -4}), "a column 4 from the last"));
}

TEST_CASE("lines that begin with # are comments where none of them reads as a row") {
  CHECK(read("# O\nwins O\n") == "#/O wins/O | ");
  CHECK(read("# id 3 x\nwins _ _ O\n\n# id 4 y\nruns _ _ B-X\n") == "wins/O | runs/B-X | ");
  CHECK(read("# PER\nwins O\n\nAnna PER\n") == "#/PER wins/O | Anna/PER | ");
  CHECK(has(read("# O\nwins O\n\n# text = a\na O\n"), "x:4"));
  CHECK(read("# O\nwins O\n", {.comments = true}) == "wins/O | ");
  CHECK(has(read("# a = b c\nwins O\n", {.comments = false}), "x:2"));
  CHECK(read("a O\n# O\n", {.comments = true}) == "a/O #/O | ");
  CHECK(onoma::guess_conll_options("# O\n", "x").comments == false);
  CHECK(onoma::guess_conll_options("", "x").word_column == 0);
}

TEST_CASE("what was guessed comes back, and reads the same") {
  const std::string text = "# a\n1\tAnna\tB-PER\t-\n2\tsleeps\tO\t-\n";
  const auto guess = onoma::guess_conll_options(text, "x");
  CHECK(guess.word_column == 1);
  CHECK(guess.tag_column == 2);
  CHECK(guess.comments == true);
  CHECK(guess.separator == onoma::conll_separator::tab);
  CHECK(read(text, guess) == read(text));
}

TEST_CASE("corpora of many layouts are read without being told how") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto sizes = [&](const char* file) {
    const auto sentences = onoma::read_conll(data / "corpora" / file);
    std::size_t entities = 0;
    for (const auto& s : sentences) {
      entities += static_cast<std::size_t>(
          std::count_if(s.tags.begin(), s.tags.end(), [](const auto& tag) { return tag[0] == 'B'; }));
    }
    return std::pair(sentences.size(), entities);
  };
  CHECK(sizes("uner/da-ddt/da_ddt-ud-test.iob2") == std::pair<std::size_t, std::size_t>(565, 446));
  CHECK(sizes("uner/de-pud/de_pud-ud-test.iob2") == std::pair<std::size_t, std::size_t>(1000, 1039));
  CHECK(sizes("crossner/ner_data/ai/train.txt").first == 100);
  CHECK(sizes("cyner/train.txt").first > 1000);
  CHECK(sizes("btc/train_dev_test_conll/btc.train").first > 1000);
  CHECK(sizes("sec-filings/CONLL-format/data/train/FIN5.txt").first > 1000);
  CHECK_THROWS_AS(static_cast<void>(sizes("danplus/data/da_news_train.tsv")), onoma::error);
}

TEST_CASE("columns that were answered wrongly") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto cases = data / "cases";
  const auto gold = onoma::read_conll(cases / "iob2_gold.iob2");
  const auto predicted = onoma::read_conll(cases / "iob2_predicted.iob2");
  CHECK(gold[0].words == std::vector<std::string>{"Anna", "sleeps"});
  CHECK(gold[0].tags == std::vector<std::string>{"B-PER", "O"});
  CHECK(predicted[0].tags == std::vector<std::string>{"B-LOC", "B-PER"});
  CHECK(onoma::read_conll(cases / "tag_trailing_space.conll")[0].tags ==
        std::vector<std::string>{"B-PER", "I-PER"});
  CHECK(onoma::read_conll(cases / "two_byte_order_marks.conll").size() == 2);
  CHECK(onoma::read_conll(cases / "index_first.conll")[1].words[0] == "Oslo");
  CHECK(onoma::read_conll(cases / "tag_first.conll")[0].words[0] == "anna");
  CHECK_THROWS_AS(static_cast<void>(onoma::read_conll(cases / "two_layers.tsv")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::read_conll(cases / "spaces_and_tabs.conll")), onoma::error);
  const auto one = onoma::read_conll(cases / "other_words_gold.conll");
  const auto other = onoma::read_conll(cases / "other_words_predicted.conll");
  CHECK_THROWS_AS(onoma::check_same_words(one, "a", other, "b"), onoma::error);
}

}  // namespace test::columns_tests
