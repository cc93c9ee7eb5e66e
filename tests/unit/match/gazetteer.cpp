/// Gazetteers: what they find, in which form, how they lie in a file, and what their texts may be.
#include "support/error_of.hpp"

#include <onoma/match/gazetteer.hpp>
#include <onoma/match/gazetteer_text.hpp>

#include <support/temporary_folder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace test::gazetteer_tests {
namespace {

using namespace onoma;

/// "place:surface=label/id" of all that is found.
std::vector<std::string> found(const gazetteer& g, const std::string& text) {
  std::vector<std::string> all;
  gazetteer::workspace memory;
  g.scan(text, memory, [&](byte_span place, index_t entry) {
    const auto surface =
        text.substr(static_cast<std::size_t>(place.begin), static_cast<std::size_t>(place.size()));
    all.push_back(std::to_string(place.begin) + ":" + surface + "=" + std::string(g.label(entry)) +
                  "/" + std::string(g.id(entry)));
  });
  return all;
}

gazetteer make(const std::vector<std::string>& phrases, phrase_options options = {}) {
  gazetteer_builder builder(options);
  for (const auto& phrase : phrases)
    REQUIRE(builder.add(phrase, "X") == gazetteer_builder::outcome::added);
  return builder.build();
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("a gazetteer finds whole words, overlapping ones too") {
  gazetteer_builder builder;
  builder.add("New York", "LOC", "Q60");
  builder.add("York", "LOC", "Q42462");
  builder.add("New York Times", "ORG", "Q9684");
  builder.add("york", "PER");
  builder.add("AT&T", "ORG");
  const auto g = builder.build();
  CHECK(g.size() == 5);
  CHECK(found(g, "the new york times, Yorkshire") == list{"4:new york=LOC/Q60", "8:york=LOC/Q42462",
                                                          "8:york=PER/",
                                                          "4:new york times=ORG/Q9684"});
  CHECK(found(g, "New\n  York") ==
        list{"0:New\n  York=LOC/Q60", "6:York=LOC/Q42462", "6:York=PER/"});
  CHECK(found(g, "NewYork New_York York_ York1").empty());
  CHECK(found(g, "(AT&T)") == list{"1:AT&T=ORG/"});
  CHECK(found(g, "AT & T").empty());
  CHECK(found(g, "").empty());
}

TEST_CASE(
    "a gazetteer folds case and the ways in which Unicode spells a character, and gives places in "
    "the text") {
  const auto g = make(
      {"Stra\xC3\x9F"
       "e",
       "caf\xC3\xA9", "\xCE\xA3\xCE\xAF\xCF\x83\xCF\x85\xCF\x86\xCE\xBF\xCF\x82", "\xE2\x89\xA0"});
  CHECK(found(g, "a STRASSE b") == list{"2:STRASSE=X/"});
  CHECK(found(g, "CAFE\xCC\x81!") == list{"0:CAFE\xCC\x81=X/"});
  CHECK(found(g, "CAF\xC3\x89") == list{"0:CAF\xC3\x89=X/"});
  CHECK(found(g, "cafe").empty());
  CHECK(found(g, "caf\xC3\xA9s").empty());
  const std::string upper = "\xCE\xA3\xCE\x8A\xCE\xA3\xCE\xA5\xCE\xA6\xCE\x9F\xCE\xA3";
  CHECK(found(g, upper) == list{"0:" + upper + "=X/"});
  CHECK(found(g, "=\xCC\xB8") == list{"0:=\xCC\xB8=X/"});
  const auto exact = make({"Apple", "caf\xC3\xA9"}, {.fold_case = false});
  CHECK(found(exact, "apple Apple APPLE") == list{"6:Apple=X/"});
  CHECK(found(exact, "cafe\xCC\x81 Caf\xC3\xA9") == list{"0:cafe\xCC\x81=X/"});
}

TEST_CASE(
    "a gazetteer finds phrases anywhere where that is asked for, and Han characters without") {
  const auto g = make({"\xE6\x9D\xB1\xE4\xBA\xAC", "kyo"}, {.whole_words = false});  // Tokyo
  CHECK(found(g, "\xE5\x8C\x97\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD") ==
        list{"3:\xE6\x9D\xB1\xE4\xBA\xAC=X/"});
  CHECK(found(g, "Tokyo") == list{"2:kyo=X/"});
  CHECK(found(g, "\xEF\xBD\xB6ky o").empty());
  const auto words = make({"\xE6\x9D\xB1\xE4\xBA\xAC"});
  CHECK(found(words, "\xE5\x8C\x97\xE6\x9D\xB1\xE4\xBA\xAC\xE9\x83\xBD") ==
        list{"3:\xE6\x9D\xB1\xE4\xBA\xAC=X/"});
  // Hangul, decomposed.
  const auto hangul = make({"\xED\x95\x9C"}, {.whole_words = false});
  CHECK(found(hangul, "\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB") ==
        list{"0:\xE1\x84\x92\xE1\x85\xA1\xE1\x86\xAB=X/"});
}

TEST_CASE("what the automaton finds is what comparing each place with each phrase finds") {
  std::mt19937 random(7);
  const auto draw = [&](std::size_t below) { return static_cast<std::size_t>(random() % below); };
  for (int round = 0; round < 150; ++round) {
    const bool whole = round % 2 == 0;
    const auto sentence = [&](std::size_t units) {
      std::string made;
      for (std::size_t i = 0; i < units; ++i) {
        made += whole ? list{"a", "b", "ab", "B", "-", "a_"}[draw(6)]
                      : list{"a", "b", "B", "-"}[draw(4)];
        if (i + 1 < units && draw(3) != 0) made += " ";
      }
      return made;
    };
    list phrases;
    for (std::size_t i = 0, count = 1 + draw(30); i < count; ++i)
      phrases.push_back(sentence(1 + draw(6)));
    const auto g = make(phrases, {.whole_words = whole});
    const std::string text = sentence(draw(120));
    // Units of a text, by the plainest code: keys and places.
    struct unit {
      std::string key;
      std::size_t begin, end;
    };
    const auto units_of = [&](const std::string& s) {
      std::vector<unit> units;
      for (std::size_t i = 0; i < s.size();) {
        const bool space = i > 0 && s[i - 1] == ' ';
        if (s[i] == ' ') {
          ++i;
          continue;
        }
        const auto is_word = [&](std::size_t k) {
          return k < s.size() && s[k] != ' ' && s[k] != '-';
        };
        std::size_t end = i + 1;
        while (whole && is_word(i) && is_word(end)) ++end;
        std::string key = s.substr(i, end - i);
        for (auto& c : key) c = c == 'B' ? 'b' : c;
        units.push_back({(space && !units.empty() ? " " : "") + key, i, end});
        i = end;
      }
      return units;
    };
    std::multimap<std::pair<std::size_t, std::size_t>, int> expected;
    std::vector<std::vector<std::string>> seen;
    const auto text_units = units_of(text);
    for (const auto& phrase : phrases) {
      const auto parts = units_of(phrase);
      list keys;
      for (const auto& part : parts) keys.push_back(part.key);
      if (std::find(seen.begin(), seen.end(), keys) != seen.end()) continue;
      seen.push_back(keys);
      for (std::size_t at = 0; at + keys.size() <= text_units.size(); ++at) {
        bool same = true;
        for (std::size_t k = 0; same && k < keys.size(); ++k) {
          const auto& key = text_units[at + k].key;
          same = (k == 0 && key[0] == ' ' ? key.substr(1) : key) == keys[k];
        }
        if (same)
          expected.insert({{text_units[at].begin, text_units[at + keys.size() - 1].end}, 0});
      }
    }
    std::multimap<std::pair<std::size_t, std::size_t>, int> got;
    gazetteer::workspace memory;
    g.scan(text, memory, [&](byte_span place, index_t) {
      got.insert({{static_cast<std::size_t>(place.begin), static_cast<std::size_t>(place.end)}, 0});
    });
    CHECK(got == expected);
  }
}

TEST_CASE("words at every place of a block of 64 bytes are found") {
  const auto g = make({"needle"});
  for (std::size_t before = 0; before < 200; ++before) {
    for (const char* fill : {"x ", "- ", "\xC3\xA9 ", "long_word_of_27_characters, "}) {
      std::string text;
      while (text.size() < before) text += fill;
      const auto place = text.size();
      text += "needle";
      INFO(text);
      CHECK(found(g, text) == list{std::to_string(place) + ":needle=X/"});
      text += "s" + std::string(before, 'y');
      CHECK(found(g, text).empty());
    }
  }
}

TEST_CASE("a workspace that served another gazetteer gives nothing of it") {
  gazetteer::workspace memory;
  for (const char* phrase : {"one", "two", "three"}) {
    const auto g = make({phrase, "zero"});
    list places;
    const std::string text = "one two three";
    g.scan(text, memory, [&](byte_span place, index_t) {
      places.push_back(text.substr(static_cast<std::size_t>(place.begin),
                                   static_cast<std::size_t>(place.size())));
    });
    CHECK(places == list{phrase});
  }
}

TEST_CASE("a compiled gazetteer is a file that is mapped again") {
  const test::temporary_folder folder;
  gazetteer_builder builder({.fold_case = false});
  for (int i = 0; i < 1000; ++i)
    builder.add("Name " + std::to_string(i * i), "L" + std::to_string(i % 7), std::to_string(i));
  const auto g = builder.build();
  const auto path = folder.path / "names.gazetteer";
  g.save(path);
  for (const auto access : {file_access::mapped, file_access::copied}) {
    const auto again = gazetteer::open(path, access);
    CHECK(again.size() == 1000);
    CHECK(again.options() == phrase_options{.fold_case = false});
    CHECK(found(again, "Name 4 and Name 998001, name 4") ==
          list{"0:Name 4=L2/2", "11:Name 998001=L5/999"});
  }
  CHECK(builder.size() == 0);
  CHECK(builder.build().size() == 0);
}

TEST_CASE("a flipped bit, a cut file and another version of a gazetteer are refused") {
  const test::temporary_folder folder;
  const auto path = folder.path / "g";
  make({"a b c", "b c", "c", "d e"}).save(path);
  const std::string right = read_text_file(path);
  const auto refused = [&](const std::string& content) {
    std::ofstream(path, std::ios::binary) << content;
    return error_of([&] { static_cast<void>(gazetteer::open(path)); });
  };
  for (std::size_t bit = 0; bit < 8 * right.size(); bit += 7) {
    auto wrong = right;
    wrong[bit / 8] = static_cast<char>(wrong[bit / 8] ^ (1 << (bit % 8)));
    CHECK(refused(wrong).code() == error_code::format);
  }
  for (std::size_t size = 0; size < right.size(); size += 5) {
    CHECK(refused(right.substr(0, size)).code() == error_code::format);
  }
  auto newer = right;
  newer[16] = 2;
  CHECK(std::string(refused(newer).what()).find("version 2; compile it anew") != std::string::npos);
  CHECK(error_of([&] { static_cast<void>(gazetteer::open(folder.path / "none")); }).code() ==
        error_code::file_not_found);
}

TEST_CASE(
    "numbers of a gazetteer that lead elsewhere are refused or harmless, though its digest is "
    "right") {
  gazetteer_builder builder;
  for (const char* phrase : {"a b c", "b c", "c", "d e", "a b d", "b", "x y z"})
    builder.add(phrase, "L", phrase);
  const test::temporary_folder folder;
  const auto path = folder.path / "g";
  builder.build().save(path);
  const std::string right = read_text_file(path);
  std::mt19937 random(3);
  int refused = 0;
  for (int round = 0; round < 1000; ++round) {
    auto wrong = right;
    const auto at = 20 + random() % (wrong.size() - 20);
    if (at >= 24 && at < 32) continue;  // the digest
    wrong[at] = static_cast<char>(random() % 4 == 0 ? 255U : random() % 9);
    detail::gazetteer_header header;
    std::memcpy(&header, wrong.data(), sizeof header);
    header.digest =
        detail::digest_of_gazetteer(header, std::as_bytes(std::span(wrong)).subspan(sizeof header));
    std::memcpy(wrong.data(), &header, sizeof header);
    std::ofstream(path, std::ios::binary) << wrong;
    try {
      static_cast<void>(found(gazetteer::open(path), "a b c d e a b d c b x y z a b c"));
    } catch (const error& problem) {
      CHECK(problem.code() == error_code::format);
      ++refused;
    }
  }
  CHECK(refused > 250);
}

TEST_CASE("a text of phrases is read whole, and what gives no entry is counted") {
  const std::string text =
      "\xEF\xBB\xBF"
      "Berlin\tLOC\tQ64\r\n"
      "berlin\tLOC\tQ64\n"
      "\n"
      " \t LOC\n"
      "Paris\n" +
      std::string(20'000, 'x') + "\tORG\n" +
      "Berlin\tPER\n"
      "last";
  const auto read = parse_gazetteer(text, "cities.txt", {.label = "ANY"});
  CHECK(read.counts.lines == 8);
  CHECK(read.counts.entries == 4);
  CHECK(read.counts.duplicates == 1);
  CHECK(read.counts.blank.count == 2);
  CHECK(read.counts.blank.first == 3);
  CHECK(read.counts.too_long.count == 1);
  CHECK(read.counts.too_long.first == 6);
  CHECK(found(read.compiled, "Berlin Paris last") ==
        list{"0:Berlin=LOC/Q64", "0:Berlin=PER/", "7:Paris=ANY/", "13:last=ANY/"});
  const auto remarks = read.counts.remarks("cities.txt");
  REQUIRE(remarks.size() == 3);
  CHECK(remarks[0] == "cities.txt: 2 of 8 lines have no phrase (the first is line 3)");
  const std::string million(1'000'000, 'y');
  const auto longer = parse_gazetteer(million + "\tX\n", "m", {.longest_phrase = 2'000'000});
  CHECK(found(longer.compiled, million + " " + million).size() == 2);
  CHECK(parse_gazetteer("", "e").compiled.size() == 0);
}

TEST_CASE("a text of phrases that is wrong is refused by its line") {
  const auto message = [](const std::string& text) {
    return std::string(error_of([&] { static_cast<void>(parse_gazetteer(text, "f.txt")); }).what());
  };
  CHECK(message("a\tX\nb\xFF\tX\n") ==
        "reading f.txt, line 2: parse error: expected UTF-8, found byte 0xff at position 1");
  CHECK(message("a\tX\nb\n") ==
        "reading f.txt, line 2: bad format: expected a label behind a tab, or one for all lines, "
        "found none");
  CHECK(message("a\tX\tQ1\tmore\n") ==
        "reading f.txt, line 1: bad format: expected a phrase, a label and an id, found more tabs");
}

TEST_CASE("a text that is not UTF-8 is an error and no missing match") {
  const auto g = make({"a"});
  CHECK(error_of([&] { static_cast<void>(found(g, "a b \xC3 a")); }).code() == error_code::parse);
}

TEST_CASE("policies: what stands there already, and what was found") {
  const auto g = make({"new york", "york", "times", "mr smith"});
  const auto tagged = [&](match_policy policy) {
    document d;
    d.text = "New York Times: Mr Smith, London";
    for (const auto& [begin, end, label] :
         {std::tuple<index_t, index_t, const char*>{4, 14, "ORG"}, {26, 32, "LOC"}}) {
      entity e;
      e.label = label;
      e.score = 0.5;
      e.span.bytes = {begin, end};
      d.spans.push_back(e);
    }
    std::vector<match> matches;
    gazetteer::workspace memory;
    g.find(d, matches, memory);
    add_matches(d, matches, policy);
    list said;
    for (const auto& e : d.spans)
      said.push_back(e.text + "=" + e.label + "/" + std::string(to_string(e.source)));
    return said;
  };
  const list mine = {"New York=X/gazetteer", "Times=X/gazetteer", "Mr Smith=X/gazetteer"};
  CHECK(tagged(match_policy::only) == mine);
  list with_london = mine;
  with_london.push_back("London=LOC/model");
  CHECK(tagged(match_policy::before) == with_london);
  CHECK(tagged(match_policy::overriding) == with_london);
  CHECK(tagged(match_policy::after) ==
        list{"York Times=ORG/model", "Mr Smith=X/gazetteer", "London=LOC/model"});
  for (const char* name : {"before", "after", "override", "only"})
    static_cast<void>(match_policy_from_name(name));
  CHECK(error_of([] { static_cast<void>(match_policy_from_name("both")); }).code() ==
        error_code::invalid_argument);
}

TEST_CASE("an entity made of a match has its surface, its words and its place in three units") {
  const auto g = make({"b c", "d"});
  document d;
  d.text = "\xF0\x9F\x98\x80 b  c d";
  d.words = {{0, 4}, {5, 6}, {8, 9}, {10, 11}};
  std::vector<match> matches;
  gazetteer::workspace memory;
  g.find(d, matches, memory);
  add_matches(d, matches, match_policy::only);
  auto completed = d;
  complete_spans(completed);
  REQUIRE(d.spans.size() == 2);
  for (std::size_t i = 0; i < 2; ++i) {
    CHECK(d.spans[i].text == completed.spans[i].text);
    CHECK(d.spans[i].span == completed.spans[i].span);
    CHECK(d.spans[i].first == completed.spans[i].first);
    CHECK(d.spans[i].last == completed.spans[i].last);
  }
  CHECK(d.spans[0].span.utf16.begin == 3);
  CHECK(d.spans[0].last == 2);
  std::vector<match> wrong = {{{8, 40}}};
  CHECK(error_of([&] { add_matches(d, wrong, match_policy::only); }).code() ==
        error_code::out_of_range);
}

TEST_CASE("matches are chosen as spaCy's filter_spans chooses") {
  const auto chosen = [](std::vector<match> matches, const std::vector<entity>& taken = {}) {
    for (auto& m : matches) m.length = m.bytes.size();
    choose_matches(matches, taken);
    std::vector<std::pair<index_t, index_t>> kept;
    for (const auto& m : matches) kept.emplace_back(m.bytes.begin, m.bytes.end);
    return kept;
  };
  using places = std::vector<std::pair<index_t, index_t>>;
  CHECK(chosen({{{3, 5}}, {{0, 2}}, {{1, 4}}, {{4, 6}}}) == places{{1, 4}, {4, 6}});
  CHECK(chosen({{{2, 4}}, {{0, 2}}, {{1, 3}}}) == places{{0, 2}, {2, 4}});
  entity e;
  e.span.bytes = {0, 1};
  CHECK(chosen({{{0, 5}}, {{1, 3}}, {{2, 2}}}, {e}) == places{{1, 3}});
}

}  // namespace test::gazetteer_tests
