/// Files in other formats are named for what they look like.
#include "support/data_dir.hpp"

#include <onoma/data/conll.hpp>
#include <onoma/data/format.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace test::format_tests {

using onoma::data_format;
using onoma::guess_format;

TEST_CASE("formats have signs of their own") {
  const struct {
    const char* text;
    data_format format;
  } cases[] = {
      {"[{\"text\": \"Anna sleeps\", \"entities\": []}]", data_format::json_text},
      {"[\n {\n  \"text\": \"Anna\"", data_format::json_text},  // cut off
      {"{\"text\": \"Anna", data_format::json_text},
      {"\xEF\xBB\xBF {\"text\": \"Anna\"}\n", data_format::json_text},
      {"{\"text\": \"Anna\"}\n{\"text\": \"Bob\"}\n", data_format::json_lines},
      {"{\"text\": \"Anna\"}\n{\"text\": \"Bob\n", data_format::json_lines},
      {"[1, 2]\n[3]\n", data_format::json_lines},
      {R"([{"id": 1, "annotations": [{"result": []}], "data": {"text": "a"}}])", data_format::label_studio},
      {R"([{"text": "a", "label": [{"start": 0, "end": 1, "text": "a", "labels": ["PER"]}]}])",
       data_format::label_studio},
      {"Sentence #,Word,POS,Tag\nSentence: 1,Thousands,NNS,O\n,of,IN,O\n", data_format::csv},
      {"text;label\n\"a; \"\"b\"\"\nc\";X\n", data_format::csv},
      {"T1\tOrganism 0 5\tHumans\nT2\tGene 7 9;12 14\tp5 x\nR1\tHas Arg1:T1 Arg2:T2\n", data_format::brat},
      {"*\tEquiv T1 T2\nT1\tOrganism 0 5\tHumans\n", data_format::brat},
      {"x\x9C\xAD\x92", data_format::spacy},
      {"<!DOCTYPE html>\n<html>", data_format::html},
      {"\n <HTML lang=\"en\">", data_format::html},
      {"<?xml version=\"1.0\"?><a/>", data_format::xml},
      {"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 9\n", data_format::git_lfs_pointer},
      {"\x1F\x8B\x08", data_format::compressed},
      {"\xFF\xFE"
       "A",
       data_format::utf16},
      {"", data_format::unknown},
      {"Anna sleeps in Oslo.\n", data_format::unknown},
      // Words that look like the start of something else.
      {"[ O\n{ O\n\" O\n", data_format::unknown},
      {"{\"a\":1} O\n", data_format::unknown},
      {"< O\nhtml O\n", data_format::unknown},
      {"T1\tB-X\nT2\tO\n", data_format::unknown},
      {"x\tO\n", data_format::unknown},
      {"BZh\tO\n", data_format::unknown},
  };
  for (const auto& [text, format] : cases) {
    INFO(text);
    CHECK(onoma::to_string(guess_format(text)) == onoma::to_string(format));
  }
}

TEST_CASE("the CoNLL reader names what it is given") {
  const auto message = [](const std::string& text, const onoma::conll_options& options = {}) -> std::string {
    try {
      static_cast<void>(onoma::parse_conll(text, "x", options));
    } catch (const onoma::error& e) {
      return e.what();
    }
    return "read";
  };
  // It has columns, if one wants it to.
  CHECK(message("[{\"text\": \"Anna\", \"tags\": \"O\"}, {\"a\": 1}]\n", {.word_column = 0, .tag_column = -1})
            .find("looks like JSON") != std::string::npos);
  CHECK(message("{\"text\": \"Anna\"}\n{\"text\": \"Bob\"}\n").find("JSON lines") != std::string::npos);
  CHECK(message("T1\tOrganism 0 5\tHumans\n").find("BRAT") != std::string::npos);
  CHECK(message("Word,POS,Tag\nAnna,NNP,B-PER\nsleeps,VBZ,O\n").find("CSV") != std::string::npos);
  CHECK(message("<html>\n<body>\n").find("web page") != std::string::npos);
  // Commas are words, too.
  CHECK(message(", O\n, O\n") == "read");
  CHECK(message("1,5 O\n2,5 O\n") == "read");
}

TEST_CASE("files of annotation tools are known") {
  ONOMA_REQUIRE_DATA_DIR(data);
  std::size_t brat = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data / "formats")) {
    if (!entry.is_regular_file() || entry.file_size() == 0) continue;
    const auto& path = entry.path();
    INFO(path);
    const auto format = guess_format(onoma::read_text_file(path));
    const auto name = path.string();
    if (path.extension() == ".ann") {
      CHECK(format == data_format::brat);
      ++brat;
    } else if (path.extension() == ".jsonl") {
      CHECK((format == data_format::json_lines || format == data_format::json_text));
    } else if (path.extension() == ".json") {
      CHECK(format == (name.find("labelstudio") != std::string::npos ? data_format::label_studio
                                                                     : data_format::json_text));
    } else if (path.extension() == ".iob" || path.extension() == ".conll") {
      CHECK(format == data_format::unknown);
    }
  }
  CHECK(brat == 49);
  CHECK(guess_format(onoma::read_text_file(data / "corpora/tasteset/TASTEset.csv")) == data_format::csv);
  CHECK(guess_format(onoma::read_text_file(data / "corpora/gum/dev.jsonl")) == data_format::json_lines);
  CHECK(guess_format(onoma::read_text_file(data / "corpora/ja-wikipedia/ner.json")) ==
        data_format::json_text);
}

}  // namespace test::format_tests
