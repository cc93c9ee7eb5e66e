/// Word rules for models that bring none: how most annotated corpora are cut.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/text/words/word_rule_tables.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Signs between letters and digits.
inline constexpr std::pair<std::string_view, joins> general_signs[] = {
    // Names with hyphens stay whole, as in CoNLL-2003, WNUT and CrossNER (Penn's treebank: A-League).
    {"a-a", joins::both}, {"a-9", joins::both}, {"9-a", joins::both}, {"9-9", joins::both},
    {"^-9", joins::right}, {"9\u20139", joins::both},
    // Initials, abbreviations with inner periods, hosts, decimals. "end.Next" lacks a space.
    {"a.a", joins::both}, {"w.U", joins::none}, {"a.9", joins::both}, {"9.9", joins::both},
    {"9.a", joins::none}, {"^.a", joins::right}, {"^.9", joins::right},
    {"i.$", joins::left}, {"i.e", joins::none}, {"c.$", joins::left}, {"w.,", joins::left},
    {"9,9", joins::both}, {"9:9", joins::both}, {"9/9", joins::both}, {"a/a", joins::both},
    {"a'a", joins::both}, {"9'a", joins::both}, {"^'9", joins::right},
    {"a&a", joins::both}, {"a@a", joins::both}, {"^_a", joins::right}, {"^_9", joins::right},
    {"a_$", joins::left}, {"9_$", joins::left}, {"a+a", joins::both}, {"a++$", joins::left},
    {"a*a", joins::both}, {"a$a", joins::both},
};

/// Clitics, and signs in emoticons.
inline constexpr std::string_view general_clitics[] = {"'s", "'S", "'m", "'M", "'re", "'RE", "'ve", "'VE",
                                                       "'ll", "'LL", "'d", "'D"};
inline constexpr std::string_view general_before[] = {"US$", "A$", "C$", "HK$", "NZ$", "R$", "S$", "w/"};

/// Abbreviations with their period.
inline constexpr std::string_view general_abbreviations[] = {
    // English: titles, companies, places, months, others
    "Mr", "Mrs", "Ms", "Mx", "Messrs", "Dr", "Drs", "Prof", "Rev", "Hon", "Gov", "Lt", "Sgt", "Capt", "Cpl",
    "Maj", "Cmdr", "Adm", "Brig", "Pvt", "Supt", "Pres", "Sen", "Reps", "Sens", "Atty", "Esq", "Jr", "Sr",
    "St", "Ste", "Mt", "Ft", "Inc", "Corp", "Co", "Cos", "Ltd", "Bros", "Assn", "Assoc", "Dept", "Univ",
    "Intl", "Ave", "Blvd", "Rd", "Hwy", "Calif", "Ala", "Ariz", "Ark", "Colo", "Conn", "Fla", "Ga", "Ky",
    "Md", "Mich", "Minn", "Neb", "Nev", "Okla", "Ont", "Pa", "Tenn", "Tex", "Va", "Vt", "Wis", "Wyo", "Jan",
    "Feb", "Apr", "Aug", "Sept", "Sep", "Oct", "Nov", "Dec", "vs", "etc", "al", "approx", "dept", "cf", "viz",
    "ca", "ft", "hrs", "mins", "eds", "repr", "vol", "Vol", "vols", "pp", "Ph", "Bhd", "Pte", "Pty", "Cie",
    "mph", "ext", "Ext", "tel", "Tel",
    // German, Danish, Portuguese, Spanish, French, Italian, Dutch, Slavic languages
    "bzw", "usw", "evtl", "ggf", "Nr", "nr", "Str", "str", "Hrsg", "kr", "pct", "Mio", "Mrd", "kl", "hhv",
    "iflg", "jf", "Kgl", "Sra", "Srta", "sr", "sra", "dr", "dra", "Dra", "Av", "Cia", "p\u00E1g",
    "p\u00E1gs", "Mme", "Mlle", "Mgr", "Dott", "Bc", "drs", "dhr", "mevr", "bijv", "ul", "tzv", "tzn",
    "napr", "atd", "resp", "\u0433", "\u0443\u043B",
};
/// Abbreviations that are words as well: before a number, and before a name.
inline constexpr std::string_view general_number_words[] = {
    "No", "no", "Nos", "nos", "Art", "art", "Fig", "fig", "Sec", "sec", "Mar", "Jun", "Jul", "Op"};
inline constexpr std::string_view general_title_words[] = {"Gen", "Col", "Rep", "Pt"};

/// The same rules for typographic apostrophes and hyphens.
inline void add_typographic(word_rules::place_table& table) {
  static constexpr std::pair<char, std::string_view> forms[] = {
      {'\'', "\u2019"}, {'-', "\u2010"}, {'-', "\u2011"}};
  word_rules::place_table more;
  for (const auto& [place, how] : table) {
    for (const auto& [plain, form] : forms) {
      const auto at = place.find(plain);
      if (at == std::string::npos) continue;
      auto other = place;
      more.emplace(other.replace(at, 1, form), how);
    }
  }
  table.merge(more);
}

}  // namespace detail

/// Rules that suit most corpora of news, of the web and of encyclopaedias: titles, initials and
/// abbreviations keep their period, hyphens, slashes and ampersands join, clitics are words ("do" "n't",
/// "John" "'s"), numbers keep separators, signs of currency and per cent are words, and so are # and @;
/// addresses of web pages and of mail are one.
[[nodiscard]] inline word_rules general_word_rules() {
  word_rules rules;
  for (const auto& [place, how] : detail::general_signs) rules.signs.emplace(place, how);
  for (const auto clitic : detail::general_clitics) rules.behind.emplace(clitic, joins::right);
  for (const auto text : detail::general_before) rules.before.emplace(text, joins::left);
  for (const auto word : detail::general_abbreviations) {
    rules.before.emplace(std::string(word) + ".", joins::left);
  }
  for (const auto word : detail::general_number_words) {
    rules.before.emplace(std::string(word) + ".|d", joins::left);
  }
  for (const auto word : detail::general_title_words) {
    rules.before.emplace(std::string(word) + ".|M", joins::left);
  }
  for (const char* emoticon : {":D", ":P", ":p", ":O", ":o", ";D", ";P", ":3", "<3"}) {
    rules.behind.emplace(emoticon, joins::right);
  }
  detail::add_typographic(rules.signs);
  detail::add_typographic(rules.behind);
  rules.pairs = {{":)", true}, {":(", true}, {";)", true}, {"?!", true}, {"!?", true}, {"''", true}};
  return rules;
}

}  // namespace onoma::inline ONOMA_ABI
