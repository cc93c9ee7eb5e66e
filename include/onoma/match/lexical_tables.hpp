/// Characters and words that lexical attributes name: what Unicode's categories do not say, and
/// spaCy's lists.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/text/unicode/unicode_tables.hpp>

#include <cstdint>
#include <string_view>

namespace onoma::inline ONOMA_ABI::lexical {

/// Other_Lowercase (Unicode 14, PropList.txt).
inline constexpr unicode::code_point_range other_lower_case[] = {
    {0xAA, 0xAA},       {0xBA, 0xBA},       {0x2B0, 0x2B8},     {0x2C0, 0x2C1},
    {0x2E0, 0x2E4},     {0x345, 0x345},     {0x37A, 0x37A},     {0x1D2C, 0x1D6A},
    {0x1D78, 0x1D78},   {0x1D9B, 0x1DBF},   {0x2071, 0x2071},   {0x207F, 0x207F},
    {0x2090, 0x209C},   {0x2170, 0x217F},   {0x24D0, 0x24E9},   {0x2C7C, 0x2C7D},
    {0xA69C, 0xA69D},   {0xA770, 0xA770},   {0xA7F8, 0xA7F9},   {0xAB5C, 0xAB5F},
    {0x10780, 0x10780}, {0x10783, 0x10785}, {0x10787, 0x107B0}, {0x107B2, 0x107BA},
};

/// Other_Uppercase (Unicode 14, PropList.txt).
inline constexpr unicode::code_point_range other_upper_case[] = {
    {0x2160, 0x216F}, {0x24B6, 0x24CF}, {0x1F130, 0x1F149}, {0x1F150, 0x1F169}, {0x1F170, 0x1F189},
};

/// Numeric_Type Digit (Unicode 14): digits that are not of the category Nd.
inline constexpr unicode::code_point_range other_digits[] = {
    {0xB2, 0xB3},       {0xB9, 0xB9},       {0x1369, 0x1371},   {0x19DA, 0x19DA},
    {0x2070, 0x2070},   {0x2074, 0x2079},   {0x2080, 0x2089},   {0x2460, 0x2468},
    {0x2474, 0x247C},   {0x2488, 0x2490},   {0x24EA, 0x24EA},   {0x24F5, 0x24FD},
    {0x24FF, 0x24FF},   {0x2776, 0x277E},   {0x2780, 0x2788},   {0x278A, 0x2792},
    {0x10A40, 0x10A43}, {0x10E60, 0x10E68}, {0x11052, 0x1105A}, {0x1F100, 0x1F10A},
};

/// Word_Break MidLetter, MidNumLet and Single_Quote (Unicode 14): signs that case does not look at.
inline constexpr std::uint32_t signs_inside_words[] = {
    0x27,   0x2E,   0x3A,   0xB7,   0x387,  0x55F,  0x5F4,  0x2018, 0x2019,
    0x2024, 0x2027, 0xFE13, 0xFE52, 0xFE55, 0xFF07, 0xFF0E, 0xFF1A,
};

/// IS_BRACKET of spaCy.
inline constexpr std::string_view brackets[] = {
    "(", ")", "[", "]", "{", "}", "<", ">",
};

/// IS_QUOTE of spaCy.
inline constexpr std::string_view quotes[] = {
    "\"",
    "'",
    "`",
    "\xC2\xAB",
    "\xC2\xBB",
    "\xE2\x80\x98",
    "\xE2\x80\x99",
    "\xE2\x80\x9A",
    "\xE2\x80\x9B",
    "\xE2\x80\x9C",
    "\xE2\x80\x9D",
    "\xE2\x80\x9E",
    "\xE2\x80\x9F",
    "\xE2\x80\xB9",
    "\xE2\x80\xBA",
    "\xE2\x9D\xAE",
    "\xE2\x9D\xAF",
    "''",
    "``",
};

/// IS_LEFT_PUNCT of spaCy.
inline constexpr std::string_view left_signs[] = {
    "(",
    "[",
    "{",
    "<",
    "\"",
    "'",
    "\xC2\xAB",
    "\xE2\x80\x98",
    "\xE2\x80\x9A",
    "\xE2\x80\x9B",
    "\xE2\x80\x9C",
    "\xE2\x80\x9E",
    "\xE2\x80\x9F",
    "\xE2\x80\xB9",
    "\xE2\x9D\xAE",
    "``",
};

/// IS_RIGHT_PUNCT of spaCy.
inline constexpr std::string_view right_signs[] = {
    ")",
    "]",
    "}",
    ">",
    "\"",
    "'",
    "\xC2\xBB",
    "\xE2\x80\x99",
    "\xE2\x80\x9D",
    "\xE2\x80\xBA",
    "\xE2\x9D\xAF",
    "''",
};

/// Words that LIKE_NUM takes for numbers in English.
inline constexpr std::string_view number_words[] = {
    "zero",        "one",         "two",           "three",         "four",         "five",
    "six",         "seven",       "eight",         "nine",          "ten",          "eleven",
    "twelve",      "thirteen",    "fourteen",      "fifteen",       "sixteen",      "seventeen",
    "eighteen",    "nineteen",    "twenty",        "thirty",        "forty",        "fifty",
    "sixty",       "seventy",     "eighty",        "ninety",        "hundred",      "thousand",
    "million",     "billion",     "trillion",      "quadrillion",   "quintillion",  "sextillion",
    "septillion",  "octillion",   "nonillion",     "decillion",     "gajillion",    "bazillion",
    "first",       "second",      "third",         "fourth",        "fifth",        "sixth",
    "seventh",     "eighth",      "ninth",         "tenth",         "eleventh",     "twelfth",
    "thirteenth",  "fourteenth",  "fifteenth",     "sixteenth",     "seventeenth",  "eighteenth",
    "nineteenth",  "twentieth",   "thirtieth",     "fortieth",      "fiftieth",     "sixtieth",
    "seventieth",  "eightieth",   "ninetieth",     "hundredth",     "thousandth",   "millionth",
    "billionth",   "trillionth",  "quadrillionth", "quintillionth", "sextillionth", "septillionth",
    "octillionth", "nonillionth", "decillionth",   "gajillionth",   "bazillionth",
};

/// Ends of names of hosts that LIKE_URL knows, ascending.
inline constexpr std::string_view top_level_domains[] = {
    "ac",  "ad",     "ae",   "aero", "af",  "ag",  "ai",   "al",     "am",   "an",  "ao",  "aq",
    "ar",  "as",     "asia", "at",   "au",  "aw",  "ax",   "az",     "ba",   "bb",  "bd",  "be",
    "bf",  "bg",     "bh",   "bi",   "biz", "bj",  "bm",   "bn",     "bo",   "br",  "bs",  "bt",
    "bv",  "bw",     "by",   "bz",   "ca",  "cat", "cc",   "cd",     "cf",   "cg",  "ch",  "ci",
    "ck",  "cl",     "cm",   "cn",   "co",  "com", "coop", "cr",     "cs",   "cu",  "cv",  "cx",
    "cy",  "cz",     "dd",   "de",   "dj",  "dk",  "dm",   "do",     "dz",   "ec",  "edu", "ee",
    "eg",  "eh",     "er",   "es",   "et",  "eu",  "fi",   "fj",     "fk",   "fm",  "fo",  "fr",
    "ga",  "gb",     "gd",   "ge",   "gf",  "gg",  "gh",   "gi",     "gl",   "gm",  "gn",  "gov",
    "gp",  "gq",     "gr",   "gs",   "gt",  "gu",  "gw",   "gy",     "hk",   "hm",  "hn",  "hr",
    "ht",  "hu",     "icu",  "id",   "ie",  "il",  "im",   "in",     "info", "int", "io",  "iq",
    "ir",  "is",     "it",   "je",   "jm",  "jo",  "jobs", "jp",     "ke",   "kg",  "kh",  "ki",
    "km",  "kn",     "kp",   "kr",   "kw",  "ky",  "kz",   "la",     "lb",   "lc",  "li",  "lk",
    "lr",  "ls",     "lt",   "lu",   "lv",  "ly",  "ma",   "mc",     "md",   "me",  "mg",  "mh",
    "mil", "mk",     "ml",   "mm",   "mn",  "mo",  "mobi", "mp",     "mq",   "mr",  "ms",  "mt",
    "mu",  "museum", "mv",   "mw",   "mx",  "my",  "mz",   "na",     "name", "nc",  "ne",  "net",
    "nf",  "ng",     "ni",   "nl",   "no",  "np",  "nr",   "nu",     "nz",   "om",  "org", "pa",
    "pe",  "pf",     "pg",   "ph",   "pk",  "pl",  "pm",   "pn",     "pr",   "pro", "ps",  "pt",
    "pw",  "py",     "qa",   "re",   "ro",  "rs",  "ru",   "rw",     "sa",   "sb",  "sc",  "sd",
    "se",  "sg",     "sh",   "si",   "sj",  "sk",  "sl",   "sm",     "sn",   "so",  "sr",  "ss",
    "st",  "su",     "sv",   "sy",   "sz",  "tc",  "td",   "tel",    "tf",   "tg",  "th",  "tj",
    "tk",  "tl",     "tm",   "tn",   "to",  "tp",  "tr",   "travel", "tt",   "tv",  "tw",  "tz",
    "ua",  "ug",     "uk",   "us",   "uy",  "uz",  "va",   "vc",     "ve",   "vg",  "vi",  "vn",
    "vu",  "wf",     "ws",   "xxx",  "xyz", "ye",  "yt",   "za",     "zm",   "zw",
};

}  // namespace onoma::inline ONOMA_ABI::lexical
