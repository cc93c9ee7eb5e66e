/// Rules: what they find, that it is what spaCy's EntityRuler finds, and what is refused.
#include <onoma/match/rules.hpp>

#include <support/data_dir.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <functional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace test::rules_tests {
namespace {

using namespace onoma;
using list = std::vector<std::string>;

/// A document whose words are what white space separates.
document spaced(const std::string& text) {
  document d;
  d.text = text;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find(' ', at), text.size());
    if (end > at) d.words.push_back({static_cast<index_t>(at), static_cast<index_t>(end)});
    at = end + 1;
  }
  return d;
}

/// "surface=label/id" of what rules make of a text alone.
list tagged(const rules& r, const std::string& text) {
  auto d = spaced(text);
  std::vector<match> found;
  rules::workspace memory;
  r.find(d, false, found, memory);
  add_matches(d, found, match_policy::only);
  list said;
  for (const auto& e : d.spans) said.push_back(e.text + "=" + e.label + "/" + e.id);
  return said;
}

list tagged(const std::string& patterns, const std::string& text) {
  return tagged(rules::parse(patterns, "p.jsonl"), text);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const error& problem) {
    return problem.what();
  }
  return "no error";
}
std::string refused(const std::string& patterns) {
  return message_of([&] { static_cast<void>(rules::parse(patterns, "p.jsonl")); });
}
/// One pattern of the given words.
std::string with(const std::string& words) { return R"({"label":"X","pattern":)" + words + "}"; }

std::vector<byte_span> places_in(const json& pairs) {
  std::vector<byte_span> places;
  for (const auto& pair : pairs) places.push_back({pair[0].get<index_t>(), pair[1].get<index_t>()});
  return places;
}

/// The entities of a golden case as JSON, by this library.
json entities_of(const json& wanted, rules::workspace& memory) {
  std::string lines;
  for (const auto& pattern : wanted["patterns"]) lines += pattern.dump() + "\n";
  rules_options options;
  options.fold_phrases = wanted["fold"].get<bool>();
  options.split = [&](std::string_view phrase) {
    return places_in(wanted["phrases"][std::string(phrase)]);
  };
  const auto r = rules::parse(lines, "golden", options);
  document d;
  d.text = wanted["text"].get<std::string>();
  d.words = places_in(wanted["words"]);
  for (const auto& given : wanted["model"]) {
    entity e;
    e.span.bytes = {given[0].get<index_t>(), given[1].get<index_t>()};
    e.label = given[2].get<std::string>();
    d.spans.push_back(e);
  }
  const auto policy = match_policy_from_name(wanted["policy"].get<std::string>());
  std::vector<match> found;
  r.find(d, policy == match_policy::after || policy == match_policy::overriding, found, memory);
  add_matches(d, found, policy);
  json got = json::array();
  for (const auto& e : d.spans) {
    got.push_back(
        {e.span.bytes.begin, e.span.bytes.end, e.label, e.id, std::string(to_string(e.source))});
  }
  return got;
}

}  // namespace

TEST_CASE("rules find what spaCy's EntityRuler finds in the same words") {
#if ONOMA_PCRE2
  // More cases, that make_rule_goldens.py wrote.
  const char* more = std::getenv("ONOMA_RULE_CASES");
  std::ifstream file(more != nullptr ? more : ONOMA_TEST_DATA_DIR "/rules.jsonl");
  REQUIRE(file);
  int cases = 0;
  rules::workspace memory;
  for (std::string line; std::getline(file, line); ++cases) {
    const json wanted = parse_json(line, "golden");
    const json got = entities_of(wanted, memory);
    CHECK_MESSAGE(got == wanted["expected"], wanted["patterns"].dump()
                                                 << " " << wanted["text"] << " " << wanted["policy"]
                                                 << ": expected " << wanted["expected"].dump()
                                                 << ", found " << got.dump());
  }
  CHECK(cases >= 300);
  std::printf("%d cases\n", cases);
#endif
}

TEST_CASE("rules find in Prodigy's example what spaCy finds") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto folder = data / "formats" / "prodigy";
  const auto r = rules::read(folder / "fashion_brands_patterns.jsonl");
  CHECK(r.size() == 100);
  std::ifstream file(folder / "fashion_brands_eval.jsonl");
  REQUIRE(file);
  std::uint64_t sum = 0;  // of numbers of texts and words, as spaCy 3.8 gave it
  int count = 0;
  std::uint64_t text = 0;
  rules::workspace memory;
  for (std::string line; std::getline(file, line); ++text) {
    const json task = parse_json(line, "task");
    document d;
    for (const auto& token : task["tokens"]) {
      const auto word = token["text"].get<std::string>();
      d.words.push_back(
          {static_cast<index_t>(d.text.size()), static_cast<index_t>(d.text.size() + word.size())});
      d.text += word + " ";
    }
    std::vector<match> found;
    r.find(d, false, found, memory);
    add_matches(d, found, match_policy::only);
    for (const auto& e : d.spans) {
      ++count;
      for (const auto value :
           {text, static_cast<std::uint64_t>(e.first), static_cast<std::uint64_t>(e.last + 1)}) {
        sum = sum * 1000003U + value;
      }
    }
  }
  CHECK(count == 76);
  CHECK(sum == 6413618683187348692U);
}

TEST_CASE(
    "phrases and patterns give labels and ids; of two at one place the first counts, and longer "
    "ones before") {
  const std::string patterns =
      "\xEF\xBB\xBF"
      R"({"label":"ORG","pattern":"Apple","id":"apple"})"
      "\n\n"
      R"({"label":"FRUIT","pattern":[{"lower":"apple"}]})"
      "\r\n"
      R"({"label":"ORG","pattern":[{"TEXT":"Apple"},{"LOWER":{"IN":["inc","inc."]}}]})"
      "\n"
      R"({"label":"CITY","pattern":"New York"})";
  const auto r = rules::parse(patterns, "p.jsonl");
  REQUIRE(r.size() == 4);
  CHECK(r[2].line == 4);
  CHECK(tagged(r, "Apple and apple , Apple INC in New York") ==
        list{"Apple=ORG/apple", "apple=FRUIT/", "Apple INC=ORG/", "New York=CITY/"});
  CHECK(tagged(rules::parse("", "empty"), "a b").empty());
  rules_options folded;
  folded.fold_phrases = true;
  CHECK(tagged(rules::parse(patterns, "p.jsonl", folded), "APPLE NEW york") ==
        list{"APPLE=ORG/apple", "NEW york=CITY/"});
}

TEST_CASE("repetitions of words") {
  const auto longest = [](const std::string& op, const std::string& text) {
    return tagged(with(R"([{"LOWER":"a"},{"LOWER":"b","OP":")" + op + R"("},{"LOWER":"c"}])"),
                  text);
  };
  CHECK(longest("?", "a c a b c a b b c") == list{"a c=X/", "a b c=X/"});
  CHECK(longest("*", "a c a b b c") == list{"a c=X/", "a b b c=X/"});
  CHECK(longest("+", "a c a b b c") == list{"a b b c=X/"});
  CHECK(longest("!", "a x c a b c") == list{"a x c=X/"});
  CHECK(longest("{2}", "a b c a b b c a b b b c") == list{"a b b c=X/"});
  CHECK(longest("{,1}", "a c a b c a b b c") == list{"a c=X/", "a b c=X/"});
  CHECK(longest("{2,}", "a b c a b b b c") == list{"a b b b c=X/"});
}

TEST_CASE("ENT_TYPE asks for the entities that stand there, where rules may see them") {
  const auto r = rules::parse(with(R"([{"LOWER":"dr."},{"ENT_TYPE":"PER","OP":"+"}])"), "p.jsonl");
  auto d = spaced("Dr. Ann Lee went");
  entity e;
  e.label = "PER";
  e.span.bytes = {4, 11};
  d.spans.push_back(e);
  rules::workspace memory;
  for (const bool sees : {true, false}) {
    std::vector<match> found;
    r.find(d, sees, found, memory);
    CHECK(found.size() == (sees ? 2 : 0));
    if (sees) {
      auto with_rule = d;
      add_matches(with_rule, found, match_policy::overriding);
      REQUIRE(with_rule.spans.size() == 1);
      CHECK(with_rule.spans[0].text == "Dr. Ann Lee");
      CHECK(with_rule.spans[0].source == entity_source::rule);
    }
  }
}

TEST_CASE("what rules do not have is refused by name, file and line") {
  for (const char* name : {"POS", "LEMMA", "DEP", "TAG", "MORPH", "_", "IS_STOP", "IS_SENT_START",
                           "NORM", "ENT_IOB", "ENT_ID"}) {
    const auto message = refused("\n" + with(std::string("[{\"") + name + "\":\"x\"}]"));
    INFO(message);
    CHECK(message.find("reading p.jsonl, line 2, word 1: unsupported") == 0);
    CHECK(message.find(std::string("found '") + name + "'") != std::string::npos);
  }
  const auto says = [](const std::string& words, const std::string& part) {
    const auto message = refused(with(words));
    INFO(message);
    CHECK(message.find(part) != std::string::npos);
  };
  says(R"([{"LOWER":{"FUZZY":"x"}}])", "found 'FUZZY'");
  says(R"([{"LOWER":{"==":"x"}}])", "found '=='");
  says(R"([{"LENGTH":{"REGEX":"x"}}])", "found 'REGEX'");
  says(R"([{"LENGTH":"3"}])", "expected an integer");
  says(R"([{"IS_ALPHA":"yes"}])", "IS_ALPHA: bad format: expected true or false");
  says(R"([{"LOWER":["a"]}])", "expected a string or an object");
  says("[]", "expected a pattern of one word or more");
  says("[3]", "expected an object of attributes");
  says("{}", "expected a pattern that is a string or a list");
  says("\"  \"", "expected a phrase with a word");
  says(R"([{"OP":"{0}"}])", "expected a pattern that can match a word");
  for (const char* op : {"", "**", "{}", "{,}", "{3,2}", "{a,3}", "{1,2,3}", "{-1,2}", "x"}) {
    says(std::string(R"([{"OP":")") + op + R"("}])", "line 1, word 1: bad format");
  }
  says(R"([{"OP":"{1,1000000}"}])", "at most 1000 words");
  CHECK(refused("{\"label\":\"X\"}").find("a pattern that is a string or a list") !=
        std::string::npos);
  CHECK(refused(R"({"pattern":"x"})").find("line 1: missing: expected the key 'label'") !=
        std::string::npos);
  CHECK(refused("\n\n{\"label\":").find("reading p.jsonl, line 3: parse error") == 0);
  CHECK(refused("\"a\xFF\"").find("parse error") != std::string::npos);
  rules_options german;
  german.language = "de";
  CHECK(message_of([&] {
          static_cast<void>(rules::parse(with(R"([{"LIKE_NUM":true}])"), "p", german));
        }).find("expected LIKE_NUM for English") != std::string::npos);
}

TEST_CASE("patterns that match anything or nothing are told, and what they cost is bounded") {
  const auto remarks = [](const std::string& words) {
    return rules::parse(with(words), "p.jsonl").remarks();
  };
  CHECK(remarks("[{}]") == list{"reading p.jsonl, line 1: the pattern matches any words"});
  CHECK(remarks(R"([{"OP":"*"}])").size() == 1);
  CHECK(remarks(R"([{"OP":"!"}])") ==
        list{"reading p.jsonl, line 1: the pattern matches no words"});
  CHECK(remarks(R"([{"LOWER":{"IN":[]}}])").size() == 1);
  CHECK(remarks(R"([{"LOWER":"a"},{"OP":"?"}])").empty());
  CHECK(tagged(with("[{}]"), "a b") == list{"a=X/", "b=X/"});
  CHECK(tagged(with(R"([{"OP":"*"}])"), "a b c") == list{"a b c=X/"});
  CHECK(tagged(with(R"([{"OP":"!"}])"), "a b").empty());
  std::string text;
  for (int i = 0; i < 1500; ++i) text += "w ";
  CHECK(message_of([&] { static_cast<void>(tagged(with(R"([{"OP":"*"}])"), text)); }) ==
        "matching the rule of line 1 (X) in a document of 1500 words: limit exceeded: expected at "
        "most a million "
        "matches, found more");
  // 20 of them are no more than one: sets of steps, not paths.
  std::string many = "[";
  for (int i = 0; i < 20; ++i) many += R"({"IS_ALPHA":true,"OP":"*"},)";
  CHECK(tagged(with(many + R"({"LOWER":"end"}])"), "a b c d e f g h i j k l m n o p q r s t end")
            .size() == 1);
}

TEST_CASE("a document without words, or with words that are not of it, is refused") {
  const auto r = rules::parse(with("\"a\""), "p.jsonl");
  const auto find = [&](std::vector<byte_span> words) {
    return message_of([&] {
      document d;
      d.text = "a b";
      d.words = std::move(words);
      std::vector<match> found;
      rules::workspace memory;
      r.find(d, false, found, memory);
    });
  };
  CHECK(find({}).find("expected a document that is cut into words") != std::string::npos);
  CHECK(find({{0, 1}, {0, 1}}).find("out of range") != std::string::npos);
  CHECK(find({{2, 4}}).find("out of range") != std::string::npos);
  CHECK(find({{0, 1}, {2, 3}}) == "no error");
}

TEST_CASE("a workspace serves one set of rules after another") {
  rules::workspace memory;
  for (const char* word : {"one", "two", "three"}) {
    const auto r =
        rules::parse(with(std::string(R"([{"LOWER":{"REGEX":"^)") + word + "$\"}}]"), "p.jsonl");
    const auto d = spaced("one two three");
    std::vector<match> found;
    r.find(d, false, found, memory);
    REQUIRE(found.size() == 1);
    CHECK(d.text.substr(static_cast<std::size_t>(found[0].bytes.begin),
                        static_cast<std::size_t>(found[0].bytes.size())) == word);
  }
}

TEST_CASE("regular expressions of Python are read as Python reads them, or refused") {
#if ONOMA_PCRE2
  const auto is_found = [](const std::string& pattern, const std::string& text) {
    const regex r(pattern, "p", regex_notation::python);
    regex::search search;
    search.begin();
    search.add(text.size());
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    return r.find(text, 0, begin, end, search);
  };
  CHECK(is_found("a$", "a\n"));
  CHECK_FALSE(is_found("a\\Z", "a\n"));
  CHECK_FALSE(is_found("^b", "a\nb"));  // no lines
  CHECK(is_found("(?m)^b", "a\nb"));
  CHECK(is_found("^x{,2}$", "xx"));
  CHECK_FALSE(is_found("^x{,2}$", "xxx"));
  CHECK(is_found("^x{}$", "x{}"));
  CHECK(is_found("^[[a]$", "["));
  CHECK(is_found("^[]a]$", "]"));
  CHECK(is_found("\\u00e9\\xe9\\U0001F600", "\xC3\xA9\xC3\xA9\xF0\x9F\x98\x80"));
  CHECK(is_found("(?P<x>a)(?P=x)\\1(?#note)", "aaa"));
  CHECK(is_found("\\s", "\x1C"));
  CHECK_FALSE(is_found("\\w", "_\xCC\x81" + 1));
  for (const char* pattern : {"\\p{L}", "\\h", "\\07", "\\12", "(?<x>a)", "(?R)", "(*FAIL)",
                              "a(?i)b", "(?x)a", "[a", "\\", "(?#a", "\\xg0"}) {
    INFO(pattern);
    CHECK(message_of([&] { static_cast<void>(is_found(pattern, "")); }).find("unsupported") !=
          std::string::npos);
  }
  CHECK(
      refused(with(R"([{"LOWER":{"REGEX":"a(b"}}])")).find("line 1, word 1: LOWER: unsupported") !=
      std::string::npos);
  const auto slow = message_of([&] {
    static_cast<void>(
        tagged(with(R"([{"LOWER":{"REGEX":"^(a+)+$"}}])"), std::string(60, 'a') + "b"));
  });
  INFO(slow);
  CHECK(slow.find("a pattern that is found in reasonable time") != std::string::npos);
#else
  CHECK(refused(with(R"([{"LOWER":{"REGEX":"a"}}])")).find("without PCRE2") != std::string::npos);
#endif
}

}  // namespace test::rules_tests
