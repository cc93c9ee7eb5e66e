/// Words of untokenised text in many scripts, and what tokens make of them.
#include <onoma/text/words/words.hpp>

#include "support/data_dir.hpp"
#include "support/word_spans.hpp"

#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace test::words_tests {
namespace {

/// Words with "|" between them.
std::string cut(const std::string& text) { return test::show_words(text, onoma::find_words(text)); }

bool is_exact(std::string_view text) { return test::is_exact(text, onoma::find_words(text)); }

onoma::encoding tokens(const std::vector<onoma::byte_span>& offsets) {
  onoma::encoding e;
  for (const auto span : offsets) {
    e.ids.push_back(1);
    e.word_ids.push_back(0);
    e.offsets.push_back(span);
  }
  return e;
}

}  // namespace

TEST_CASE("words of Latin, Greek and Cyrillic text") {
  CHECK(cut("") == "");
  CHECK(cut(" \t\n") == "");
  CHECK(cut("Hello, world!") == "Hello|,|world|!");
  CHECK(cut("Jean-Luc O'Neil don't") == "Jean|-|Luc|O'Neil|don't");
  CHECK(cut("l\u2019homme d'Artagnan") == "l\u2019homme|d'Artagnan");
  CHECK(cut("John's and the Smiths' it\u2019s 'so'") == "John|'s|and|the|Smiths|'|it|\u2019s|'|so|'");
  CHECK(cut("o'su 's s's") == "o'su|'|s|s|'s");
  CHECK(cut("U.S. e.g. Inc. 3.5kg") == "U.S|.|e.g|.|Inc|.|3.5kg");
  CHECK(cut("1,234.5 1,2,3 1. 2,a") == "1,234.5|1,2,3|1|.|2|,|a");
  CHECK(cut("foo_bar a@b.cz PER:Jan (x)") == "foo_bar|a|@|b.cz|PER|:|Jan|(|x|)");
  CHECK(cut("cafe\u0301 \u0301x co\u00ADop") == "cafe\u0301|\u0301|x|co\u00ADop");
  CHECK(cut("Žilina – Ľubomír Štúr išiel") == "Žilina|–|Ľubomír|Štúr|išiel");
  CHECK(cut("Søren Kierkegård, Ærø") == "Søren|Kierkegård|,|Ærø");
  CHECK(cut("São João d'Água: 10 %") == "São|João|d'Água|:|10|%");
  CHECK(cut("Αθήνα, Москва") == "Αθήνα|,|Москва");
}

TEST_CASE("words of Chinese, Japanese and Korean text") {
  CHECK(cut("我爱北京。") == "我|爱|北|京|。");
  CHECK(cut("iPhone手机2台") == "iPhone|手|机|2|台");
  CHECK(cut("東京タワーへ行った") == "東|京|タワー|へ|行|った");
  CHECK(cut("らーめん々〇ｶﾞｿﾘﾝ") == "らーめん|々|〇|ｶﾞｿﾘﾝ");
  CHECK(cut("か\u3099っこう") == "か\u3099っこう");
  CHECK(cut("서울에서 만난 김철수") == "서울에서|만난|김철수");
  CHECK(cut("\u1112\u1161\u11AB글") == "\u1112\u1161\u11AB글");
  CHECK(cut("漢\U000E0100字") == "漢\U000E0100|字");  // a variation selector
  CHECK(cut("全角　空白") == "全|角|空|白");
}

TEST_CASE("words of Thai, Lao, Khmer and Myanmar are clusters") {
  CHECK(cut("น้ำใจ ไทย") == "น้ำ|ใ|จ|ไ|ท|ย");
  CHECK(cut("ກຳ") == "ກຳ");
  CHECK(cut("ខ្ញុំ") == "ខ្ញុំ");
  CHECK(cut("กก\u200Bขข") == "ก|ก|ข|ข");
}

TEST_CASE("words of Arabic and Hebrew with their marks") {
  CHECK(cut("مُحَمَّد، القاهرة.") == "مُحَمَّد|،|القاهرة|.");
  CHECK(cut("می\u200Cخواهم") == "می\u200Cخواهم");
  CHECK(cut("צה\"ל ג'ורג' \"שלום\"") == "צה\"ל|ג'ורג'|\"|שלום|\"");
  CHECK(cut("צה״ל ר׳ שָׁלוֹם") == "צה״ל|ר׳|שָׁלוֹם");
}

TEST_CASE("words of Indic scripts with joiners and viramas") {
  CHECK(cut("हिन्दी में क्‍ष और श्री।") ==
        "हिन्दी|में|क्‍ष|और|श्री|।");
  CHECK(cut("ক্‌ষ বাংলাদেশ") == "ক্‌ষ|বাংলাদেশ");
  CHECK(cut("தமிழ்நாடு") == "தமிழ்நாடு");
}

TEST_CASE("words: emoji sequences and flags are whole") {
  CHECK(cut("a👩‍❤️‍👨b👍🏽🇨🇿🇸🇰") == "a|👩‍❤️‍👨|b|👍🏽|🇨🇿|🇸🇰");
}

TEST_CASE("words: text that is not UTF-8 is refused") {
  CHECK_THROWS_AS(static_cast<void>(onoma::find_words("a\xFF")), onoma::error);
}

TEST_CASE("words: random text is covered exactly") {
  const std::vector<std::string> parts{
      "a", "Z", "é", "\u0301", "\u0345", " ", "\n", "\r\n", "\u00A0", "'", "\u2019", "s", "\"", ".", ",", ":",
      "_", "-", "1", "٣", "中", "々", "の", "カ", "ー", "ｶ", "ﾞ", "한", "\u1112", "\u1161", "\u11AB", "ไ",
      "ท", "ำ", "้", "क", "्", "ि", "\u200D",
      "\u200C", "\u200B", "\u00AD", "א", "׳", "״", "ש", "ׁ", "ع",
      "ُ", "\u0600", "👩", "🏽", "❤", "️", "🇨", "🇿", "\u0D4E", "\U000E0100", "\0"};
  std::uint64_t state = 7;
  for (int round = 0; round < 20000; ++round) {
    std::string text;
    for (int i = 0; i < 12; ++i) {
      state = state * 6364136223846793005U + 1442695040888963407U;
      text += parts[static_cast<std::size_t>(state >> 33) % parts.size()];
    }
    INFO(text);
    REQUIRE(is_exact(text));
  }
}

TEST_CASE("tokens get words: pieces inside, pieces over several, pieces of white space") {
  const std::string text = "Jan's  東京に";
  // "Jan" "'s" "東" "京" "に"; a space before it, two characters at once, a piece from both words.
  auto windows = std::vector<onoma::encoding>{
      tokens({{0, 2}, {2, 3}, {3, 5}, {5, 6}, {6, 10}, {10, 16}, {16, 16}})};
  windows[0].word_ids.insert(windows[0].word_ids.begin(), -1);
  windows[0].ids.push_back(0);
  windows[0].offsets.insert(windows[0].offsets.begin(), {0, 0});
  onoma::assign_words(text, windows);
  CHECK(windows[0].word_ids == std::vector<std::int32_t>{-1, 0, 0, 1, -1, 2, 3, -1});
  CHECK(windows[0].offsets[5] == onoma::byte_span{7, 10});
  CHECK(windows[0].offsets[4] == onoma::byte_span{5, 6});
}

TEST_CASE("tokens get words: what one window joins is joined in all") {
  const std::string text = "東京都";
  std::vector<onoma::encoding> windows{tokens({{0, 3}, {3, 6}, {6, 9}}), tokens({{0, 6}, {6, 9}})};
  onoma::assign_words(text, windows);
  CHECK(windows[0].word_ids == std::vector<std::int32_t>{0, 0, 1});
  CHECK(windows[1].word_ids == std::vector<std::int32_t>{0, 1});
}

TEST_CASE("words of corpora are exact: UNER and Japanese Wikipedia") {
  ONOMA_REQUIRE_DATA_DIR(data);
  int texts = 0;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(data / "corpora/uner")) {
    if (entry.path().extension() != ".iob2") continue;
    const onoma::mapped_file file(entry.path());
    std::string_view rest = file.text();
    while (!rest.empty()) {
      const auto end = std::min(rest.find('\n'), rest.size());
      const auto line = rest.substr(0, end);
      rest.remove_prefix(std::min(end + 1, rest.size()));
      if (!line.starts_with("# text")) continue;
      INFO(line);
      REQUIRE(is_exact(line));
      ++texts;
    }
  }
  CHECK(texts > 5000);
  const onoma::mapped_file file(data / "corpora/ja-wikipedia/ner.json");
  for (const auto& entry : onoma::json::parse(file.text())) {
    const auto text = entry["text"].get<std::string>();
    INFO(text);
    REQUIRE(is_exact(text));
  }
}

}  // namespace test::words_tests
