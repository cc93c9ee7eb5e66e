/// CoNLL files: every corpus is read to the last sentence, and damage is reported with its line.
#include "support/data_dir.hpp"

#include <onoma/data/conll.hpp>
#include <onoma/data/sample.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace test {

TEST_CASE("columns, separators, documents, comments") {
  const auto sentences = onoma::parse_conll(
      "\xEF\xBB\xBF-DOCSTART- -X- O O\r\n\r\nEU NNP B-NP B-ORG\r\nrejects VBZ B-VP O\r\n \t\r\n"
      "# NN B-NP O\n\n"
      "-DOCSTART- -X- O O\n\nBerlin NNP B-NP B-LOC",
      "x");
  REQUIRE(sentences.size() == 3);
  CHECK(sentences[0].words == std::vector<std::string>{"EU", "rejects"});
  CHECK(sentences[0].tags == std::vector<std::string>{"B-ORG", "O"});
  CHECK(sentences[1].words == std::vector<std::string>{"#"});
  CHECK(sentences[0].begins_document);
  CHECK_FALSE(sentences[1].begins_document);
  CHECK(sentences[2].begins_document);

  const auto tabs = onoma::parse_conll("New York\tO\n\tO\n", "x");  // a space, and a lost character
  CHECK(tabs[0].words == std::vector<std::string>{"New York", ""});
  CHECK(onoma::parse_conll("# text = a\na\tO\n", "x", {.comments = true})[0].words.size() == 1);
  CHECK(onoma::parse_conll("1\tBerlin\tB-LOC\t_\n", "x", {.word_column = 1, .tag_column = 2})[0].tags[0] ==
        "B-LOC");
  CHECK(onoma::parse_conll("", "x").empty());
}

TEST_CASE("damage is an error with file and line") {
  for (const char* text : {"a\tO\nb\n", "a\tO\nb\tO\tO\n", "a\tO\nb\t\n", "a\tO\nb\t \n",
                           "a\tO\n\xFF\tO\n"}) {
    try {
      static_cast<void>(onoma::parse_conll(text, "file.conll"));
      FAIL("no error");
    } catch (const onoma::error& e) {
      CHECK(std::string(e.what()).find("file.conll:2") != std::string::npos);
    }
  }
}

TEST_CASE("a line ends with LF or CRLF; a lone CR is an error, not a lost word") {
  CHECK(onoma::parse_conll("a O\r\nb O\r\n", "x")[0].words.size() == 2);
  CHECK(onoma::parse_conll("a O\nb O\r", "x")[0].words.size() == 2);
  for (const char* text : {"a O\n\rb O\n", "a O\nb O\rc O\r", "a O\nb O\r\r\n", "a\tO\nb\rc\tO\n",
                           "a O\n\r\r\nb O\n", "a O\nb O\r\r"}) {
    try {
      static_cast<void>(onoma::parse_conll(text, "file.conll"));
      FAIL("no error");
    } catch (const onoma::error& e) {
      CHECK(std::string(e.what()).find("file.conll:2") != std::string::npos);
      CHECK(std::string(e.what()).find("CR") != std::string::npos);
    }
  }
}

TEST_CASE("what is written is read back") {
  std::vector<onoma::sentence> sentences = {{{"a", "b c"}, {"O", "B-X"}, true},
                                            {{"d"}, {"O"}, false},
                                            {{"e"}, {"I-Y"}, true}};
  const auto back = onoma::parse_conll(onoma::format_conll(sentences), "x");
  REQUIRE(back.size() == 3);
  for (std::size_t i = 0; i < 3; ++i) {
    CHECK(back[i].words == sentences[i].words);
    CHECK(back[i].tags == sentences[i].tags);
    CHECK(back[i].begins_document == sentences[i].begins_document);
  }
}

TEST_CASE("what could not be read back is not written") {
  using strings = std::vector<std::string>;
  const auto refused = [](strings words, strings tags) {
    const std::vector<onoma::sentence> sentences = {{std::move(words), std::move(tags), false}};
    CHECK_THROWS_AS(static_cast<void>(onoma::format_conll(sentences)), onoma::error);
  };
  refused({"a", "b"}, {"O"});
  refused({"a\tb"}, {"O"});
  refused({"a\nb"}, {"O"});
  refused({"\xFF"}, {"O"});
  refused({"a"}, {""});
  refused({"a"}, {" "});
  refused({"-DOCSTART-"}, {"O"});
  // The first characters of a file that are a byte order mark are not read; later ones are.
  const std::string marked = "\xEF\xBB\xBF" "a";
  refused({marked}, {"O"});
  refused({"\xEF\xBB\xBF", "b"}, {"O", "O"});
  const std::vector<onoma::sentence> later = {{{"b", marked}, {"O", "O"}, true}, {{marked}, {"O"}, true}};
  const auto back = onoma::parse_conll(onoma::format_conll(later), "x");
  REQUIRE(back.size() == 2);
  CHECK(back[0].words == later[0].words);
  CHECK(back[1].words == later[1].words);
  CHECK(onoma::format_conll({{{"a"}, {}, false}, {{}, {}, false}}) == "a\tO\n\n");
}

TEST_CASE("corpora have as many sentences as their descriptions say") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto count = [&](const char* file) {
    return onoma::read_conll(data / "corpora" / file).size();
  };
  CHECK(count("ewt/train.conll") == 12543);
  CHECK(count("ewt/dev.conll") == 2001);
  CHECK(count("ewt/test.conll") == 2077);
  CHECK(count("wnut17/wnut17train.conll") == 3394);
  CHECK(count("wnut17/emerging.dev.conll") == 1009);
  CHECK(count("wnut17/emerging.test.annotated") == 1287);
  CHECK(count("bc5cdr/train.tsv") == 4560);
  CHECK(count("bc5cdr/devel.tsv") == 4581);
  CHECK(count("bc5cdr/test.tsv") == 4797);
}

TEST_CASE("orders are permutations, equal for equal keys") {
  const auto a = onoma::shuffled_order(100, 7);
  CHECK(a == onoma::shuffled_order(100, 7));
  CHECK(a != onoma::shuffled_order(100, 8));
  CHECK(std::set<onoma::index>(a.begin(), a.end()).size() == 100);
  const auto parts = onoma::split(a, 0.25, 3);
  CHECK(parts.first.size() == 75);
  CHECK(parts.second.size() == 25);
  CHECK_THROWS_AS(static_cast<void>(onoma::split(a, 1.5, 3)), onoma::error);
}

}  // namespace test
