/// Chains of normalizers, pre-tokenizers and models against Hugging Face's answers, and what is refused.
#include "support/data_dir.hpp"
#include "unit/text/golden_tokenizers.hpp"

#include <onoma/core/offsets.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/files/tokenizer_json.hpp>
#include <onoma/text/steps/general_words.hpp>
#include <onoma/text/unicode/unicode_forms.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

namespace test::chains_tests {
namespace {

/// Ids, word ids and offsets in code points of all windows, as the golden files have them.
onoma::json answer(const onoma::tokenizer& tokenizer, const onoma::json& question,
                   onoma::tokenizer::workspace& work) {
  const onoma::encode_options options{question["length"], question["stride"], true};
  const auto& input = question["input"];
  const bool split = input.is_array();
  const auto words = split ? input.get<std::vector<std::string>>()
                           : std::vector<std::string>{input.get<std::string>()};
  auto result = onoma::json::array();
  for (const auto& e : split ? tokenizer.encode_words(words, options, work)
                             : tokenizer.encode(words.front(), options, work)) {
    auto offsets = onoma::json::array();
    for (std::size_t i = 0; i < e.ids.size(); ++i) {
      const auto word = split && e.word_ids[i] >= 0 ? e.word_ids[i] : 0;
      const auto span = onoma::offset_map(words[static_cast<std::size_t>(word)]).span(e.offsets[i]);
      offsets.push_back({span.code_points.begin, span.code_points.end});
    }
    result.push_back({e.ids, e.word_ids, offsets});
  }
  return result;
}

/// What loading says of the tokenizer of a golden file with another value at `path`.
std::string refused(const char* path, const onoma::json& value, const char* name = "roberta") {
  auto state = golden(name)["tokenizer"];
  state[onoma::json::json_pointer(path)] = value;
  try {
    static_cast<void>(onoma::tokenizer_from_json(state.dump()));
  } catch (const onoma::error& e) {
    return e.what();
  }
  return "no error";
}
bool names(const std::string& message, const char* part) {
  return message.find(part) != std::string::npos;
}

onoma::tokenizer with_steps(const onoma::json& normalizer, const onoma::json& pre_tokenizer) {
  auto state = golden("wordpiece_bert")["tokenizer"];
  state["normalizer"] = normalizer;
  state["pre_tokenizer"] = pre_tokenizer;
  return onoma::tokenizer_from_json(state.dump());
}

std::string from_hex(const std::string& code_points) {
  std::istringstream in(code_points);
  std::string text;
  for (std::uint32_t c = 0; in >> std::hex >> c;) onoma::append_utf8(text, c);
  return text;
}

}  // namespace

TEST_CASE("tokenizers of all kinds give the windows of Hugging Face") {
  int files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(golden_tokenizers())) {
    const auto name = entry.path().stem().string();
    const auto file = golden(name);
    if (ONOMA_PCRE2 == 0 && name.find("regex") != std::string::npos) continue;
    ++files;
    const auto tokenizer = onoma::tokenizer_from_json(file["tokenizer"].dump());
    onoma::tokenizer::workspace work(tokenizer);
    REQUIRE(file["cases"].size() > 30);
    // Twice: then with what the word cache remembers.
    for (int round = 0; round < 2; ++round) {
      for (const auto& question : file["cases"]) {
        INFO(name << ": " << question.dump());
        const auto found = answer(tokenizer, question, work);
        CHECK_MESSAGE(found == question["windows"], found.dump());
      }
    }
  }
  CHECK(files >= 20);
}

TEST_CASE("components and fields that are not supported are named") {
  CHECK(names(refused("/normalizer", {{"type", "NFX"}}), "NFX"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "UnicodeScripts"}}), "UnicodeScripts"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "Metaspace"}}), "replacement"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "Punctuation"}, {"behavior", "Odd"}}), "Odd"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "FixedLength"}, {"length", 0}}), "length"));
  CHECK(names(refused("/pre_tokenizer", {{"type", "CharDelimiterSplit"}, {"delimiter", "ab"}}), "delimiter"));
  const onoma::json last = {{"type", "Metaspace"}, {"replacement", "_"}, {"prepend_scheme", "last"}};
  CHECK(names(refused("/pre_tokenizer", last),
              "prepend_scheme"));
  CHECK(names(refused("/normalizer", {{"type", "Replace"}, {"pattern", 1}, {"content", ""}}), "pattern"));
  CHECK(names(refused("/post_processor", {{"type", "Odd"}}), "Odd"));
  CHECK(names(refused("/model/type", "Odd"), "Odd"));
  CHECK(names(refused("/model/dropout", 0.1), "dropout"));
  CHECK(names(refused("/model/merges", onoma::json::array({"qq zz"})), "qq"));
  CHECK(names(refused("/model/merges", onoma::json::array({7})), "tokenizer.json"));
  CHECK(names(refused("/model/unk_token", "nothing"), "nothing"));
  CHECK(names(refused("/model/vocab/the", 1 << 20), "the"));
  CHECK(names(refused("/model/end_of_word_suffix", "</w>", "bpe_bytes"), "byte_fallback"));
  CHECK(names(refused("/added_tokens/0/content", std::string(2000, 'x')), "1024"));
  for (const std::int64_t id : {-1LL, 5'000LL, 200'000'000LL, 2'147'483'646LL, 2'147'483'647LL, 1LL << 40}) {
    CAPTURE(id);
    const auto message = refused("/added_tokens/0/id", id);
    CHECK(names(message, "added_tokens"));
    CHECK(names(message, "'<s>'"));
  }
}

TEST_CASE("rewritten characters have the origins of what they replace, or stand behind") {
  onoma::aligned_text text;
  text.assign("a\xC3\xA9zq", 10);
  onoma::aligned_text out;
  // é becomes e and a new mark, z goes, q is replaced.
  const std::vector<onoma::rewritten> characters = {{'e', 0}, {0x301, 1}, {'x', -1}};
  onoma::rewrite(text, characters, 1, out);
  CHECK(out.bytes == "e\xCC\x81x");
  const std::vector<onoma::byte_span> expected = {{11, 13}, {11, 13}, {11, 13}, {13, 14}};
  CHECK(out.origin == expected);
  onoma::rewrite(text, std::vector<onoma::rewritten>{{'n', 1}}, 0, out);
  CHECK(out.origin.front() == onoma::byte_span{10, 10});
}

TEST_CASE("normalisation forms agree with Unicode's own test") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto text = onoma::read_text_file(data / "conformance" / "unicode" / "NormalizationTest.txt");
  const onoma::unicode_form forms[] = {{true, false}, {false, false}, {true, true}, {false, true}};
  onoma::unicode_form::buffers buffers;
  onoma::aligned_text in;
  onoma::aligned_text out;
  std::istringstream lines(text);
  int checked = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.front() == '#' || line.front() == '@') continue;
    std::vector<std::string> columns;
    std::istringstream cells(line);
    for (std::string cell; columns.size() < 5 && std::getline(cells, cell, ';');) {
      columns.push_back(from_hex(cell));
    }
    // Hugging Face's tables are those of Unicode 9: what is newer is left alone.
    bool older = true;
    for (const auto& column : columns) {
      for (onoma::index_t i = 0; i < static_cast<onoma::index_t>(column.size());) {
        const auto c = onoma::decode_utf8(column, i);
        i += c.length;
        older = older && !onoma::unicode::contains(onoma::unicode::incompatible_ranges, c.code_point) &&
                !onoma::unicode::contains(onoma::unicode::undecomposed_ranges, c.code_point) &&
                !onoma::unicode::contains(onoma::unicode::unordered_ranges, c.code_point);
      }
    }
    if (!older) continue;
    ++checked;
    in.assign(columns[0], 0);
    for (std::size_t i = 0; i < 4; ++i) {
      forms[i](in, out, buffers);
      INFO(line << ", form " << i);
      CHECK(out.bytes == columns[i + 1]);
      REQUIRE(out.origin.size() == out.bytes.size());
    }
  }
  CHECK(checked > 15000);
}

TEST_CASE("files cannot blow texts up") {
  const onoma::json twice = {{"type", "Replace"}, {"pattern", {{"String", "a"}}}, {"content", "aa"}};
  auto steps = onoma::json::array();
  for (int i = 0; i < 60; ++i) steps.push_back(twice);
  const onoma::json bomb = {{"type", "Sequence"}, {"normalizers", steps}};
  CHECK_THROWS_AS(static_cast<void>(with_steps(bomb, nullptr).encode("a")), onoma::error);
  steps.clear();
  for (int i = 0; i < 60; ++i) steps.push_back({{"type", "ByteLevel"}, {"add_prefix_space", false}});
  const onoma::json growing = {{"type", "Sequence"}, {"pretokenizers", steps}};
  CHECK_THROWS_AS(static_cast<void>(with_steps(nullptr, growing).encode("\xC3\xA9")), onoma::error);
}

TEST_CASE("a megabyte takes no quadratic time in any step") {
  std::string spaces(1'000'000, ' ');
  std::string marks = "x";
  while (marks.size() < 1'000'000) marks += "\xCC\x81\xCC\xA3";
  const std::string word(1'000'000, 'a');
  for (const char* name : {"bpe_bytes", "bpe_prefix", "byte_level_digits", "wordpiece_forms",
                           "wordpiece_cuts", "word_level"}) {
    const auto tokenizer = onoma::tokenizer_from_json(golden(name)["tokenizer"].dump());
    for (const auto& text : {spaces, marks, word, word + "<mask>" + spaces}) {
      INFO(name);
      CHECK(tokenizer.encode(text).size() == 1);  // quadratic: hours, and the test runs out of its time
    }
  }
}

#if ONOMA_PCRE2
TEST_CASE("regular expressions that mean something else to PCRE2, or take for ever, are refused") {
  const auto split = [](const char* pattern) {
    return onoma::json{{"type", "Split"}, {"pattern", {{"Regex", pattern}}}, {"behavior", "Isolated"}};
  };
  for (const char* pattern :
       {"[a[b]]", "[a&&b]", "a{2}+", "a{2,3}+", "(?~a)", "\\R", "\\K", "(", "(?<n>a)\\k<n>", "[", "a\\",
        "\\p{Nonsense}", "\\u12", "(?P<n>a)"}) {
    INFO(pattern);
    CHECK(names(refused("/pre_tokenizer", split(pattern)), "pre_tokenizer"));
  }
  const auto slow = with_steps(nullptr, split("(a+)+[bc]"));
  CHECK_THROWS_AS(static_cast<void>(slow.encode(std::string(5000, 'a'))), onoma::error);
  // Looks to the end from each place: ends when its time is over.
  const auto far = with_steps(nullptr, split("(?m:.)*+x|a"));
  CHECK(far.encode(std::string(2000, 'a')).size() == 1);
}

TEST_CASE("what all matches of a text take together is bounded, and begins anew with each text") {
  // 2^16 ways to fail at each place, and then a match.
  const auto costly = with_steps(nullptr, {{"type", "Split"},
                                           {"pattern", {{"Regex", "(?:a?){16}b|a"}}},
                                           {"behavior", "Isolated"}});
  const std::string some(50, 'a');
  for (int text = 0; text < 20; ++text) CHECK(costly.encode(some).size() == 1);
  CHECK_THROWS_AS(static_cast<void>(costly.encode(std::string(2000, 'a'))), onoma::error);
  CHECK(costly.encode(some).size() == 1);
  const std::vector<std::string> words(40, some);  // one text, in words
  CHECK_THROWS_AS(static_cast<void>(costly.encode_words(words)), onoma::error);
  // A word that another step cut off is no text of its own.
  const onoma::json steps = {{{"type", "WhitespaceSplit"}},
                             {{"type", "Split"}, {"pattern", {{"Regex", "(?:a?){16}b|a"}}}, {"behavior", "Isolated"}}};
  const auto cut = with_steps(nullptr, {{"type", "Sequence"}, {"pretokenizers", steps}});
  std::string line;
  for (int i = 0; i < 40; ++i) line += some + ' ';
  CHECK_THROWS_AS(static_cast<void>(cut.encode(line)), onoma::error);
}
#endif

}  // namespace test::chains_tests
