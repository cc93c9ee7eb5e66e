/// Words by rules: general ones, those that sentences teach, and their JSON.
#include <onoma/text/words/word_rules.hpp>

#include "support/data_dir.hpp"
#include "support/word_spans.hpp"

#include <onoma/io/json.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/learn_word_rules.hpp>
#include <onoma/text/words/word_rules_json.hpp>
#include <onoma/text/words/words.hpp>

#include <doctest/doctest.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace test::word_rules_tests {
namespace {

using onoma::joins;

std::string cut(const std::string& text,
                const onoma::word_rules& rules = onoma::general_word_rules()) {
  return test::show_words(text, onoma::find_words(text, rules));
}

/// Sentences of words with a space between each two.
onoma::word_rules learn(const std::vector<std::string>& sentences) {
  onoma::word_rules_learner learner;
  for (const auto& sentence : sentences) {
    std::vector<std::string> words;
    for (std::size_t at = 0; at < sentence.size();) {
      const auto end = std::min(sentence.find(' ', at), sentence.size());
      words.push_back(sentence.substr(at, end - at));
      at = end + 1;
    }
    learner.add(words);
  }
  return learner.rules();
}

std::vector<std::string> times(int count, const std::string& sentence) {
  return std::vector<std::string>(static_cast<std::size_t>(count), sentence);
}

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

}  // namespace

TEST_CASE("finding words pauses on its way, can be ended there, and goes on with the next text") {
  const auto rules = onoma::general_word_rules();
  onoma::word_finder finder(rules);
  std::string text;
  for (int i = 0; i < 10'000; ++i) text += "Jane (31) ";
  std::vector<onoma::byte_span> words;
  int pauses = 0;
  finder.find(text, words, [&] { ++pauses; });
  CHECK(pauses >= 10);
  CHECK(words == onoma::find_words(text, rules));
  const auto end = [&] {
    if (--pauses == 3) throw pauses;
  };
  CHECK_THROWS_AS(finder.find(text, words, end), int);
  CHECK(pauses == 3);
  finder.find("Jane (31)", words);
  CHECK(words == onoma::find_words("Jane (31)", rules));
}

TEST_CASE("general word rules: initials and abbreviations") {
  CHECK(cut("James W. Hoyt met Clay Tice Jr. in L.A.") ==
        "James|W.|Hoyt|met|Clay|Tice|Jr.|in|L.A.");
  CHECK(cut("Dr. Smith's, e.g., at 5 p.m. today.") == "Dr.|Smith|'s|,|e.g.|,|at|5|p.m.|today|.");
  CHECK(cut("Acme Inc.. The U.S. and Acme Corp., etc.") ==
        "Acme|Inc.|.|The|U.S.|and|Acme|Corp.|,|etc.");
  CHECK(cut("U.S.-based, (U.S.) J.R.R. Tolkien") == "U.S.-based|,|(|U.S.|)|J.R.R.|Tolkien");
  CHECK(cut("Room No. 5? No. Vitamin C.") == "Room|No.|5|?|No|.|Vitamin|C|.");
  CHECK(cut("Gen. Lee and Col. Sanders. Gen. .") == "Gen.|Lee|and|Col.|Sanders|.|Gen|.|.");
  // Of two paragraphs the first ends there.
  CHECK(cut("Vitamin C.\n\nThen") == "Vitamin|C|.|Then");
  CHECK(cut("James W.\nHoyt") == "James|W.|Hoyt");
}

TEST_CASE("general word rules: ends of sentences") {
  CHECK(cut("He left. She stayed!") == "He|left|.|She|stayed|!");
  CHECK(cut("He left.She stayed") == "He|left|.|She|stayed");
  CHECK(cut("Wait... what?! Well...so") == "Wait|...|what|?!|Well|...|so");
  CHECK(cut("\"Yes,\" he said (twice).") == "\"|Yes|,|\"|he|said|(|twice|)|.");
  CHECK(cut("((a)) [b]] \"\"c") == "(|(|a|)|)|[|b|]|]|\"|\"|c");
}

TEST_CASE("general word rules: hyphens, slashes, ampersands, apostrophes") {
  CHECK(cut("A-League and Jean-Luc, 2019-20 and -5 - so") ==
        "A-League|and|Jean-Luc|,|2019-20|and|-5|-|so");
  CHECK(cut("AT&T & P&G, and/or km/h") == "AT&T|&|P&G|,|and/or|km/h");
  CHECK(cut("O'Brien's don't can't I'm they'll l'homme") ==
        "O'Brien|'s|do|n't|ca|n't|I|'m|they|'ll|l'homme");
  CHECK(cut("O\u2019Brien\u2019s don\u2019t it\u2019s") ==
        "O\u2019Brien|\u2019s|do|n\u2019t|it|\u2019s");
  CHECK(cut("the Smiths' 'so' '90s rock'n'roll") == "the|Smiths|'|'|so|'|'90s|rock'n'roll");
}

TEST_CASE("general word rules: numbers, money, dates") {
  CHECK(cut("$5.3 million, 3,000.50 EUR, US$20, 10%") ==
        "$|5.3|million|,|3,000.50|EUR|,|US$|20|,|10|%");
  CHECK(cut("10/12/2020 at 10:30, 3.5kg; v2.0") == "10/12/2020|at|10:30|,|3.5kg|;|v2.0");
  CHECK(cut("It cost 20. Then 30.") == "It|cost|20|.|Then|30|.");
}

TEST_CASE("general word rules: tags, mentions, addresses, emoticons") {
  CHECK(cut("@user_1 #tag: (@you) C++ a_b _x_") == "@|user_1|#|tag|:|(|@|you|)|C++|a_b|_x_");
  CHECK(cut("See https://example.com/a-b?c=d&e=f#g, or http://x.org/(y).") ==
        "See|https://example.com/a-b?c=d&e=f#g|,|or|http://x.org/(y)|.");
  CHECK(cut("(www.example.com) bit.ly/Ab3 jane.doe@mail.example.org!") ==
        "(|www.example.com|)|bit.ly/Ab3|jane.doe@mail.example.org|!");
  CHECK(cut("<https://a.b> \"https://a.b\" http:// x@y @ / www.") ==
        "<|https://a.b|>|\"|https://a.b|\"|http|:|//|x@y|@|/|www|.");
  CHECK(cut("so :) :D ;) <3") == "so|:)|:D|;)|<3");
}

TEST_CASE("general word rules: other scripts are cut as find_words cuts them") {
  for (const std::string text :
       {"我爱北京。", "iPhone手机2台", "東京タワーへ行った",
        "らーめん々〇ｶﾞｿﾘﾝ", "か\u3099っこう", "서울에서 만난 김철수",
        "می\u200Cخواهم", "צה״ל ר׳ שָׁלוֹם", "צה\"ל ג'ורג' \"שלום\"",
        "हिन्दी में क्‍ष और श्री।", "தமிழ்நாடு",
        "ไปทำงาน\u200Bที่", "ສະບາຍດີ", "ភាសាខ្មែរ",
        "မြန်မာ", "a👩‍❤️‍👨b👍🏽🇨🇿🇸🇰",
        "cafe\u0301 \u0301x co\u00ADop", "Αθήνα, Москва", "col·lega"}) {
    INFO(text);
    CHECK(cut(text) == test::show_words(text, onoma::find_words(text)));
  }
}

TEST_CASE("word rules: empty, blank and lone signs") {
  CHECK(cut("") == "");
  CHECK(cut(" \t\r\n\u00A0\u200B") == "");
  for (const std::string sign : {".", "-", "'", "\u2019", "@", "#", "&", "_", "$", "\"", "👍"})
    CHECK(cut(sign) == sign);
  CHECK(cut("n't") == "n't");
  CHECK_THROWS_AS(static_cast<void>(cut("a\xFF")), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(cut("a.\xC3")), onoma::error);
}

TEST_CASE("word rules: random text is covered exactly, by any table") {
  const std::vector<std::string> parts{
      "a",      "Z",      "é",      "n",  "t",      "s",  "www",  "http", "Mr", "\u0301",     " ",
      "\n",     "\n\n",   "\u00A0", "'",  "\u2019", "\"", ".",    ".",    ",",  ":",          "/",
      "//",     "@",      "#",      "&",  "_",      "-",  "--",   "$",    "(",  ")",          "1",
      "12",     "٣",      "中",     "の", "カ",     "ー", "한",   "ไ",    "้",   "क",          "्",
      "\u200D", "\u200B", "\u00AD", "א",  "״",      "👩",  "🏽", "🇨",    "🇿",  "\U000E0100", "\0"};
  std::uint64_t state = 11;
  const auto next = [&](std::size_t below) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    return static_cast<std::size_t>(state >> 33) % below;
  };
  onoma::word_rules rules = onoma::general_word_rules();
  for (int round = 0; round < 20000; ++round) {
    if (round % 50 == 49) {  // other tables: any decision for any place
      for (auto* table : {&rules.signs, &rules.before, &rules.behind}) {
        for (auto& [place, how] : *table) how = static_cast<joins>(next(4));
      }
      constexpr std::string_view before = "^aicw9n";
      constexpr std::string_view behind = "ailU9n$,smMdpe";
      const auto& sign = parts[14 + next(18)];
      rules.signs[before[next(before.size())] + sign + behind[next(behind.size())]] =
          static_cast<joins>(next(4));
      rules.pairs[parts[14 + next(18)] + parts[14 + next(18)]] = next(2) == 0;
      rules.splits_negations = next(2) == 0;
      rules.keeps_addresses = next(2) == 0;
      rules.joins_scripts = next(2) == 0;
    }
    std::string text;
    for (int i = 0; i < 14; ++i) text += parts[next(parts.size())];
    INFO(text);
    const auto words = onoma::find_words(text, rules);
    // "don't" is cut inside of a run, but never inside of a character.
    REQUIRE(test::is_exact(text, words));
  }
}

TEST_CASE("word rules learn: hyphens that a corpus cuts, and prefixes that it keeps") {
  const auto cutting = learn(times(20, "a well - known man") + times(20, "the A - League") +
                             times(5, "my co-workers left"));
  CHECK(cut("long-term A-League co-worker", cutting) == "long|-|term|A|-|League|co-worker");
  // Here "-" is a dash with spaces.
  const auto keeping = learn(times(20, "a well-known man") + times(20, "Rome - the capital") +
                             times(20, "an A-League"));
  CHECK(cut("long-term A-League", keeping) == "long-term|A-League");
  // Ranges, unlike compounds.
  const auto ranges = learn(times(10, "a well-known man") + times(10, "pages 10 - 12"));
  CHECK(cut("long-term 20-25", ranges) == "long-term|20|-|25");
}

TEST_CASE("word rules learn: abbreviations") {
  const auto rules = learn(times(3, "Fab. Smith left .") + times(3, "He saw Attn. Brown .") +
                           times(30, "He left ."));
  CHECK(cut("Fab. Jones saw Attn. Green.", rules) == "Fab.|Jones|saw|Attn.|Green|.");
  // A word that ends sentences is none before a capital letter, but it is one before a number.
  const auto both = learn(times(5, "Sec. 5 applies .") + times(20, "It took a Sec ."));
  CHECK(cut("See Sec. 7. One Sec. Now", both) == "See|Sec.|7|.|One|Sec|.|Now");
  // Never whole: not even initials.
  const auto split = learn(times(600, "Mr . W . Hoyt of the U . S . left ."));
  CHECK(cut("Dr. J. Brown of the U.S. left.", split) == "Dr|.|J|.|Brown|of|the|U|.|S|.|left|.");
}

TEST_CASE("word rules learn: not more than a folder should hold, the frequent first") {
  auto sentences = times(12000, "it was so . he left");
  for (int i = 0; i < 3000; ++i) {
    std::string name;
    for (int n = i; name.size() < 4; n /= 10) name += static_cast<char>('a' + n % 10);
    for (const auto& each : times(i < 10 ? 9 : 2, "Q" + name + ". is here now"))
      sentences.push_back(each);
  }
  const auto rules = learn(sentences);
  CHECK(rules.before.size() > 1900);
  CHECK(rules.before.size() <= 2000 + onoma::general_word_rules().before.size());
  CHECK(cut("Qjaaa. is", rules) == "Qjaaa.|is");
}

TEST_CASE("word rules learn: what names tell comes before the rest") {
  onoma::word_rules_learner learner;
  const auto add = [&](int count, const std::vector<std::string>& words,
                       const std::vector<std::string>& tags) {
    for (int i = 0; i < count; ++i) learner.add(words, tags);
  };
  // Mentions are one word, but never names; where a name stands behind the sign, it is cut off.
  add(500, {"thanks", "@User", "so", "much"}, {"O", "O", "O", "O"});
  add(24, {"thanks", "@", "Jane", "so"}, {"O", "O", "B-PER", "O"});
  // Tags are names, and one word.
  add(500, {"so", "#", "Good"}, {"O", "O", "O"});
  add(12, {"in", "#Berlin", "now"}, {"O", "B-LOC", "O"});
  CHECK(cut("hi @Bob in #Rome", learner.rules()) == "hi|@|Bob|in|#Rome");
  // A few names are no evidence: then all words count.
  onoma::word_rules_learner other;
  for (int i = 0; i < 100; ++i)
    other.add(std::vector<std::string>{"thanks", "@User"}, std::vector<std::string>{"O", "O"});
  for (int i = 0; i < 3; ++i) {
    other.add(std::vector<std::string>{"@", "Jane"}, std::vector<std::string>{"O", "B-PER"});
  }
  CHECK(cut("hi @Bob", other.rules()) == "hi|@Bob");
  CHECK_THROWS_AS(learner.add(std::vector<std::string>{"a", "b"}, std::vector<std::string>{"O"}),
                  onoma::error);
}

TEST_CASE("word rules learn: clitics, negations, tags, money, rows of signs") {
  const auto whole = learn(times(10, "I don't know") + times(10, "It's Jan's dog") +
                           times(10, "for $5 or #1 @home"));
  CHECK(cut("She can't. He's $7", whole) == "She|can't|.|He's|$7");
  const auto apart = learn(times(10, "it ' s Jan ' s") + times(10, "a # tag by @ user") +
                           times(10, "so \" good \" is"));
  CHECK(cut("he's \"#tag\" @me", apart) == "he|'|s|\"|#|tag|\"|@|me");
  const auto rows = learn(times(5, "the bank (\" Bank \"), of") + times(5, "it ended )."));
  CHECK(cut("a firm (\"Firm\"), and (x).", rows) == "a|firm|(\"|Firm|\"),|and|(|x|).");
}

TEST_CASE("word rules learn: addresses and scripts without spaces") {
  CHECK(cut("see http://a.b/c", learn(times(3, "see http : //x.y/z"))).substr(0, 9) == "see|http|");
  CHECK(cut("see http://a.b/c", learn(times(3, "see http://x.y/z"))) == "see|http://a.b/c");
  CHECK(cut("the 北京 of", learn(times(2, "the 上海市 of"))) == "the|北京|of");
  CHECK(cut("我在北京", learn(times(2, "我 在 上海"))) == "我|在|北|京");
}

TEST_CASE("word rules learn: nothing from nothing, and the same from the same") {
  CHECK(learn({}) == onoma::general_word_rules());
  CHECK(learn({"", " ", "  "}) == onoma::general_word_rules());
  const auto sentences =
      times(3, "Mr. O'Brien - well-known , e.g. at AT&T .") + times(2, "a @user 's #tag");
  CHECK(learn(sentences) == learn(sentences));
  CHECK_THROWS_AS(static_cast<void>(learn({"a \xFF"})), onoma::error);
}

TEST_CASE("word rules go through JSON") {
  const auto rules = learn(times(9, "a well - known \"man\" of Acme Inc. , \u201Cso\u201D )."));
  CHECK(onoma::word_rules_from_json(onoma::to_json(rules), "rules") == rules);
  auto value = onoma::to_json(rules);
  const auto refuses = [&](const onoma::json& odd, std::string_view part) {
    try {
      static_cast<void>(onoma::word_rules_from_json(odd, "rules.json"));
    } catch (const onoma::error& problem) {
      return std::string_view(problem.what()).find(part) != std::string_view::npos;
    }
    return false;
  };
  auto odd = value;
  odd["version"] = 2;
  CHECK(refuses(odd, "version"));
  odd = value;
  odd["signs"]["a-a"] = "sideways";
  CHECK(refuses(odd, "a-a"));
  odd = value;
  odd["signs"]["x-y"] = "both";
  CHECK(refuses(odd, "x-y"));
  odd = value;
  odd["before"]["Mr."] = 1;
  CHECK(refuses(odd, "Mr."));
  odd = value;
  odd["pairs"]["--"] = "yes";
  CHECK(refuses(odd, "--"));
  odd = value;
  odd.erase("behind");
  CHECK(refuses(odd, "behind"));
  odd = value;
  odd.erase("joins_scripts");
  CHECK(refuses(odd, "joins_scripts"));
  CHECK(refuses(onoma::json::array(), "rules.json"));
}

}  // namespace test::word_rules_tests
