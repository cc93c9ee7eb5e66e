/// CoNLL files: every corpus is read to the last sentence, and damage is reported with its line.
#include "support/data_dir.hpp"
#include "support/temporary_folder.hpp"

#include <onoma/data/conll.hpp>
#include <onoma/data/sample.hpp>

#include <doctest/doctest.h>

#include <set>
#include <string>
#include <vector>

namespace test::conll_tests {
namespace {

/// The error of reading a text called x; empty if it is read.
std::string message(const std::string& text, const onoma::conll_options& options = {}) {
  try {
    static_cast<void>(onoma::parse_conll(text, "x", options));
  } catch (const onoma::error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

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
  refused({"a"}, {"B-X "});
  refused({"a"}, {"B-\xE2\x80\x8BX"});
  // A byte order mark at the start of a line is not read.
  const std::string marked = "\xEF\xBB\xBF" "a";
  refused({marked}, {"O"});
  refused({"b", marked}, {"O", "O"});
  const std::vector<onoma::sentence> inside = {{{"a\xEF\xBB\xBF", "\xE2\x80\x8B"}, {"O", "B-X"}, true}};
  CHECK(onoma::parse_conll(onoma::format_conll(inside), "x")[0].words == inside[0].words);
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

TEST_CASE("a file is written as a whole, and read back") {
  const temporary_folder folder;
  const auto path = folder.path / "out.conll";
  std::vector<onoma::sentence> sentences = {{{"Anna", "'s"}, {"B-PER", "O"}, true},
                                            {{"Oslo"}, {"B-LOC"}, true}};
  onoma::write_conll(path, sentences);
  CHECK(onoma::read_text_file(path) == "Anna\tB-PER\n's\tO\n\n-DOCSTART-\tO\n\nOslo\tB-LOC\n\n");
  const auto back = onoma::read_conll(path);
  REQUIRE(back.size() == 2);
  CHECK(back[1].words == sentences[1].words);
  CHECK(back[1].begins_document);
  // What cannot be written leaves the file as it was.
  sentences[1].tags = {"B-LOC", "O"};
  CHECK_THROWS_AS(onoma::write_conll(path, sentences), onoma::error);
  CHECK(onoma::read_conll(path).size() == 2);
  CHECK_THROWS_AS(onoma::write_conll(folder.path / "none" / "out.conll", back), onoma::error);
}

TEST_CASE("white space around a tag is no part of it, and beside its hyphen it is refused") {
  for (const char* space :
       {" ", "\xC2\xA0", "\xE3\x80\x80", "\xE2\x80\x8B", "\xEF\xBB\xBF", "\xE2\x80\xAF", "\xC2\xAD"}) {
    const std::string s(space);
    INFO(s);
    const auto read =
        onoma::parse_conll("Vera\t" + s + "B-PER" + s + s + "\nKoch\tI-PER\n" + s + "\nhe\tO" + s, "x");
    REQUIRE(read.size() == 2);
    CHECK(read[0].tags == std::vector<std::string>{"B-PER", "I-PER"});
    CHECK(read[1].tags == std::vector<std::string>{"O"});
    for (const std::string& tag : {"B-" + s + "PER", "B" + s + "-PER"}) {
      CHECK(message("Vera\tO\nKoch\t" + tag + "\n").find("x:2: parse error: expected a tag without") == 0);
    }
  }
  CHECK(message("a\tB-P\xE2\x80\x8B"
                "ER\n")
            .find("without white space") != std::string::npos);
  CHECK(onoma::parse_conll("a\tB-creative work\n", "x")[0].tags[0] == "B-creative work");
}

TEST_CASE("a byte order mark begins a file, also where files were joined") {
  const std::string mark = "\xEF\xBB\xBF";
  const auto read =
      onoma::parse_conll(mark + "-DOCSTART-\tO\n\nAnna\tB-PER\n\n" + mark + "-DOCSTART-\tO\n\nAnna\tB-PER\n" +
                             mark + "Bob\tO\n" + mark + mark + "\nC\tO",
                         "x");
  REQUIRE(read.size() == 4);
  for (const auto& s : read) CHECK(s.begins_document);
  CHECK(read[2].words == std::vector<std::string>{"Bob"});
  CHECK(read[2].line == 8);
  CHECK(read[3].words == std::vector<std::string>{"C"});
}

TEST_CASE("sentences know their lines, and words that differ are named with theirs") {
  const auto read = [](const char* text) { return onoma::parse_conll(text, "x"); };
  const auto gold = read("# text = b\n\n-DOCSTART- O\n\nAnna B-PER\nsleeps O\n\n\nBob B-PER\n");
  CHECK(gold[0].line == 5);
  CHECK(gold[1].line == 9);
  const auto difference = [&](const char* text) -> std::string {
    try {
      onoma::check_same_words(gold, "gold.conll", read(text), "tagged.conll");
    } catch (const onoma::error& e) {
      return e.what();
    }
    return {};
  };
  CHECK(difference("Anna O\nsleeps O\n\nBob O\n").empty());
  const auto other = difference("Anna O\nruns O\n\nBob O\n");
  CHECK(other.find("gold.conll:6, sentence 1: the word 'sleeps'") != std::string::npos);
  CHECK(other.find("tagged.conll:2, sentence 1: the word 'runs'") != std::string::npos);
  CHECK(difference("Anna O\nsleeps O\nBob O\n").find("sentence 1: its end, found tagged.conll:3") !=
        std::string::npos);
  CHECK(difference("Anna O\nsleeps O\n").find("sentence 2: none") != std::string::npos);
  CHECK(difference("Anna O\nsleeps O\n\nBob O\n\nx O\n").find("gold.conll, sentence 3: none") !=
        std::string::npos);
}

TEST_CASE("orders are permutations, equal for equal keys") {
  const auto a = onoma::shuffled_order(100, 7);
  CHECK(a == onoma::shuffled_order(100, 7));
  CHECK(a != onoma::shuffled_order(100, 8));
  CHECK(std::set<onoma::index_t>(a.begin(), a.end()).size() == 100);
  const auto parts = onoma::split(a, 0.25, 3);
  CHECK(parts.first.size() == 75);
  CHECK(parts.second.size() == 25);
  CHECK_THROWS_AS(static_cast<void>(onoma::split(a, 1.5, 3)), onoma::error);
}

}  // namespace test::conll_tests
