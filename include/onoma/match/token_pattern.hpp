/// Patterns over words as spaCy's Matcher and Prodigy write them, read from JSON.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>
#include <onoma/match/lexical.hpp>
#include <onoma/match/unit_table.hpp>
#include <onoma/text/steps/regex.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Attributes of a word that are strings.
enum class word_string : std::uint8_t {
  text,      ///< TEXT, ORTH: the word
  lower,     ///< LOWER: str.lower()
  shape,     ///< SHAPE
  ent_type,  ///< ENT_TYPE: the label of the model's entity that the word is of, or nothing
};

/// One question about a word.
struct word_test {
  /// What is asked.
  enum class kind : std::uint8_t {
    flag,    ///< whether a flag of `lexical` is set
    space,   ///< whether a space stands behind the word
    string,  ///< whether a string is one of `values`, numbers of strings
    length,  ///< whether the number of code points is one of `values`
    less,    ///< whether it is below `values[0]`
    more,    ///< whether it is above `values[0]`
    regex,   ///< whether one of `expressions` is found in a string
  };
  kind what = kind::flag;                                          ///< which of these
  bool expected = true;                                            ///< the answer that passes
  word_string of = word_string::text;                              ///< the string that is looked at
  std::uint32_t flag = 0;                                          ///< a bit of `lexical::flag`
  std::vector<std::int64_t> values{};                              ///< ascending
  std::vector<std::shared_ptr<const onoma::regex>> expressions{};  ///< for kind `regex`
};

/// How often a word of a pattern stands in a text.
enum class repetition : std::uint8_t {
  once,        ///< one word that passes
  absent,      ///< one word that does not pass (the operator "!")
  optional,    ///< none or one
  any_number,  ///< none, one or more
};

/// A step of a pattern: a word that all tests hold for, so and so often.
struct pattern_step {
  repetition times = repetition::once;  ///< how often
  std::vector<std::uint32_t> tests{};   ///< numbers of tests, see `word_tests`
};

/// The tests and strings of all patterns, each once.
class word_tests {
 public:
  /// `knows_numbers`: LIKE_NUM is known for the language; else it is refused.
  explicit word_tests(bool knows_numbers) : knows_numbers_(knows_numbers) {}

  /// Test i.
  [[nodiscard]] const word_test& operator[](std::size_t i) const { return tests_[i]; }
  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return tests_.size(); }
  /// The strings that tests compare with.
  [[nodiscard]] unit_numbers& strings() noexcept { return strings_; }
  /// The strings that tests compare with.
  [[nodiscard]] const unit_numbers& strings() const noexcept { return strings_; }

  /// The string that an attribute names, in upper or lower case.
  [[nodiscard]] static std::optional<word_string> string_attribute(std::string_view name);

  /// The steps of a list of objects, one for each word.
  /// @throws onoma::error (format) for what is no pattern, (unsupported) for what this library does
  /// not know, by name; `where` is the place in a file.
  [[nodiscard]] std::vector<pattern_step> read(const json& pattern, const std::string& where);

 private:
  static constexpr std::size_t longest_pattern = 1000;  // steps

  void read_attribute(const std::string& name, const json& value, const std::string& where,
                      std::vector<std::uint32_t>& tests);
  void read_string(word_string of, const std::string& name, const json& value,
                   const std::string& where, std::vector<std::uint32_t>& tests);
  void read_length(const json& value, const std::string& where, std::vector<std::uint32_t>& tests);
  void read_operator(const json& value, const std::string& where, pattern_step step,
                     std::vector<pattern_step>& steps) const;

  /// The number of a test that is there once for each key.
  std::uint32_t add(std::string key, word_test test) {
    const auto [place, is_new] =
        known_.emplace(std::move(key), static_cast<std::uint32_t>(tests_.size()));
    if (is_new) {
      std::sort(test.values.begin(), test.values.end());
      tests_.push_back(std::move(test));
    }
    return place->second;
  }

  bool knows_numbers_;
  std::vector<word_test> tests_;
  std::unordered_map<std::string, std::uint32_t, keyed_hasher> known_;
  unit_numbers strings_;
};

namespace detail {

[[nodiscard]] inline std::string in_upper_case(std::string_view name) {
  std::string upper(name);
  for (auto& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
  return upper;
}

/// An attribute that is true or false. 0: another.
[[nodiscard]] inline std::uint32_t flag_of_attribute(std::string_view name) {
  constexpr std::pair<std::string_view, std::uint32_t> flags[] = {
      {"IS_ALPHA", lexical::is_alpha},           {"IS_ASCII", lexical::is_ascii},
      {"IS_DIGIT", lexical::is_digit},           {"IS_LOWER", lexical::is_lower},
      {"IS_UPPER", lexical::is_upper},           {"IS_TITLE", lexical::is_title},
      {"IS_PUNCT", lexical::is_punct},           {"IS_SPACE", lexical::is_space},
      {"IS_BRACKET", lexical::is_bracket},       {"IS_QUOTE", lexical::is_quote},
      {"IS_LEFT_PUNCT", lexical::is_left_punct}, {"IS_RIGHT_PUNCT", lexical::is_right_punct},
      {"IS_CURRENCY", lexical::is_currency},     {"LIKE_NUM", lexical::like_num},
      {"LIKE_URL", lexical::like_url},           {"LIKE_EMAIL", lexical::like_email}};
  for (const auto& [known, bit] : flags) {
    if (known == name) return bit;
  }
  return 0;
}

[[noreturn]] inline void refuse_pattern(const std::string& where, const std::string& expected,
                                        const json& found) {
  fail(error_code::format, where, expected, describe(found));
}

/// A number of an operator: digits alone. -1: there are none.
[[nodiscard]] inline index_t count_of_operator(std::string_view digits, const std::string& where,
                                               const json& whole) {
  if (digits.empty()) return -1;
  index_t count = 0;
  for (const char c : digits) {
    if (c < '0' || c > '9' || count > 1'000'000)
      refuse_pattern(where, "numbers below a million in OP", whole);
    count = 10 * count + (c - '0');
  }
  return count;
}

}  // namespace detail

inline std::optional<word_string> word_tests::string_attribute(std::string_view name) {
  const auto upper = detail::in_upper_case(name);
  if (upper == "TEXT" || upper == "ORTH") return word_string::text;
  if (upper == "LOWER") return word_string::lower;
  if (upper == "SHAPE") return word_string::shape;
  if (upper == "ENT_TYPE") return word_string::ent_type;
  return std::nullopt;
}

inline std::vector<pattern_step> word_tests::read(const json& pattern, const std::string& where) {
  if (!pattern.is_array() || pattern.empty()) {
    detail::refuse_pattern(where, "a pattern of one word or more", pattern);
  }
  std::vector<pattern_step> steps;
  std::size_t word = 0;
  for (const json& part : pattern) {
    const std::string here = where + ", word " + std::to_string(++word);
    if (!part.is_object()) detail::refuse_pattern(here, "an object of attributes", part);
    pattern_step step;
    const json* repeated = nullptr;
    for (const auto& [key, value] : part.items()) {
      const std::string name = detail::in_upper_case(key);
      if (name == "OP") {
        repeated = &value;
      } else {
        read_attribute(name, value, here, step.tests);
      }
    }
    if (repeated == nullptr) {
      steps.push_back(std::move(step));
    } else {
      read_operator(*repeated, here, step, steps);
    }
    if (steps.size() > longest_pattern) {
      fail(error_code::unsupported, where, "at most 1000 words in a pattern, repeated ones counted",
           "more");
    }
  }
  if (steps.empty())
    fail(error_code::format, where, "a pattern that can match a word", "repetitions of none");
  return steps;
}

inline void word_tests::read_operator(const json& value, const std::string& where,
                                      pattern_step step, std::vector<pattern_step>& steps) const {
  if (!value.is_string()) detail::refuse_pattern(where, "an OP that is a string", value);
  const auto& name = value.get_ref<const std::string&>();
  const auto repeat = [&](repetition times, index_t count = 1) {
    step.times = times;
    for (index_t i = 0; i < count && steps.size() <= longest_pattern; ++i) steps.push_back(step);
  };
  if (name == "!") return repeat(repetition::absent);
  if (name == "?") return repeat(repetition::optional);
  if (name == "*") return repeat(repetition::any_number);
  if (name == "1") return repeat(repetition::once);
  if (name == "+") {
    repeat(repetition::once);
    return repeat(repetition::any_number);
  }
  const std::string expected =
      "one of the OPs !, ?, *, +, {n}, {n,m}, {n,}, {,m} with n not above m";
  if (name.size() < 3 || name.front() != '{' || name.back() != '}')
    detail::refuse_pattern(where, expected, value);
  const std::string_view inside = std::string_view(name).substr(1, name.size() - 2);
  const auto comma = inside.find(',');
  const index_t low = detail::count_of_operator(inside.substr(0, comma), where, value);
  const bool one = comma == std::string_view::npos;
  const index_t high =
      one ? low : detail::count_of_operator(inside.substr(comma + 1), where, value);
  if ((low < 0 && high < 0) || (high >= 0 && low > high))
    detail::refuse_pattern(where, expected, value);
  const index_t least = std::max<index_t>(low, 0);
  repeat(repetition::once, least);
  high < 0 ? repeat(repetition::any_number) : repeat(repetition::optional, high - least);
}

inline void word_tests::read_attribute(const std::string& name, const json& value,
                                       const std::string& where,
                                       std::vector<std::uint32_t>& tests) {
  if (const auto string = string_attribute(name)) {
    return read_string(*string, name == "ORTH" ? "TEXT" : name, value, where, tests);
  }
  if (name == "LENGTH") return read_length(value, where, tests);
  const auto flag = detail::flag_of_attribute(name);
  if (flag == 0 && name != "SPACY") {
    fail(error_code::unsupported, where,
         "the attributes TEXT, ORTH, LOWER, SHAPE, LENGTH, ENT_TYPE, SPACY, IS_... (but IS_STOP "
         "and IS_SENT_START), "
         "LIKE_... and OP",
         "'" + name + "'");
  }
  if (flag == lexical::like_num && !knows_numbers_) {
    fail(error_code::unsupported, where, "LIKE_NUM for English or for no language",
         "for another language");
  }
  if (!value.is_boolean()) detail::refuse_pattern(where + ": " + name, "true or false", value);
  word_test test;
  test.what = flag == 0 ? word_test::kind::space : word_test::kind::flag;
  test.flag = flag;
  test.expected = value.get<bool>();
  tests.push_back(add(name + (test.expected ? "=1" : "=0"), std::move(test)));
}

inline void word_tests::read_string(word_string of, const std::string& name, const json& value,
                                    const std::string& where, std::vector<std::uint32_t>& tests) {
  const std::string here = where + ": " + name;
  const auto add_strings = [&](const json& list, bool expected, const std::string& kind) {
    word_test test;
    test.what = word_test::kind::string;
    test.expected = expected;
    test.of = of;
    for (const json& one : list) {
      if (!one.is_string()) detail::refuse_pattern(here, "strings", one);
      test.values.push_back(strings_.number(one.get_ref<const std::string&>()));
    }
    tests.push_back(add(name + " " + kind + " " + list.dump(), std::move(test)));
  };
  const auto add_expressions = [&](const json& list, bool expected, const std::string& kind) {
    word_test test;
    test.what = word_test::kind::regex;
    test.expected = expected;
    test.of = of;
    for (const json& one : list) {
      if (!one.is_string()) detail::refuse_pattern(here, "regular expressions as strings", one);
      test.expressions.push_back(std::make_shared<const onoma::regex>(
          one.get_ref<const std::string&>(), here, regex_notation::python));
    }
    tests.push_back(add(name + " " + kind + " " + list.dump(), std::move(test)));
  };
  if (value.is_string()) return add_strings(json::array({value}), true, "IN");
  if (!value.is_object()) detail::refuse_pattern(here, "a string or an object", value);
  for (const auto& [key, inner] : value.items()) {
    const std::string predicate = detail::in_upper_case(key);
    if (predicate == "REGEX" && inner.is_object()) {
      for (const auto& [inner_key, list] : inner.items()) {
        const std::string nested = detail::in_upper_case(inner_key);
        if ((nested != "IN" && nested != "NOT_IN") || !list.is_array()) {
          fail(error_code::unsupported, here, "REGEX with a string, IN or NOT_IN",
               "'" + nested + "'");
        }
        add_expressions(list, nested == "IN", "REGEX " + nested);
      }
    } else if (predicate == "REGEX") {
      add_expressions(json::array({inner}), true, "REGEX IN");
    } else if (predicate == "IN" || predicate == "NOT_IN" || predicate == "INTERSECTS" ||
               predicate == "IS_SUBSET") {
      if (!inner.is_array())
        detail::refuse_pattern(here + ": " + predicate, "a list of strings", inner);
      // A word has one string: that it is a part of a list and that the two meet says the same.
      add_strings(inner, predicate != "NOT_IN", predicate == "NOT_IN" ? predicate : "IN");
    } else {
      fail(error_code::unsupported, here,
           "the predicates REGEX, IN, NOT_IN, INTERSECTS and IS_SUBSET", "'" + predicate + "'");
    }
  }
}

inline void word_tests::read_length(const json& value, const std::string& where,
                                    std::vector<std::uint32_t>& tests) {
  const std::string here = where + ": LENGTH";
  const auto number = [&](const json& one) {
    return static_cast<std::int64_t>(json_value<index_t>(one, "LENGTH", where));
  };
  const auto add_test = [&](word_test::kind what, bool expected, std::vector<std::int64_t> values,
                            const std::string& key) {
    word_test test;
    test.what = what;
    test.expected = expected;
    test.values = std::move(values);
    tests.push_back(add("LENGTH " + key, std::move(test)));
  };
  using kind = word_test::kind;
  if (!value.is_object()) return add_test(kind::length, true, {number(value)}, "==" + value.dump());
  for (const auto& [key, inner] : value.items()) {
    const std::string predicate = detail::in_upper_case(key);
    const std::string whole = predicate + inner.dump();
    if (predicate == "IN" || predicate == "NOT_IN") {
      if (!inner.is_array())
        detail::refuse_pattern(here + ": " + predicate, "a list of numbers", inner);
      std::vector<std::int64_t> values;
      for (const json& one : inner) values.push_back(number(one));
      add_test(kind::length, predicate == "IN", std::move(values), whole);
    } else if (predicate == "==" || predicate == "!=") {
      add_test(kind::length, predicate == "==", {number(inner)}, whole);
    } else if (predicate == "<" || predicate == ">=") {
      add_test(kind::less, predicate == "<", {number(inner)}, whole);
    } else if (predicate == ">" || predicate == "<=") {
      add_test(kind::more, predicate == ">", {number(inner)}, whole);
    } else {
      fail(error_code::unsupported, here, "the predicates ==, !=, <, <=, >, >=, IN and NOT_IN",
           "'" + predicate + "'");
    }
  }
}

}  // namespace onoma::inline ONOMA_ABI
