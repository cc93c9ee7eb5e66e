/// What is known of words that were seen, so that each is looked at once.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/match/lexical.hpp>
#include <onoma/match/token_pattern.hpp>
#include <onoma/match/unit_table.hpp>
#include <onoma/match/web_address.hpp>
#include <onoma/text/steps/regex.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Answers the tests of patterns for words by their text. Memory of one thread, for one set of
/// tests.
class seen_words {
 public:
  /// Begins a document: what was remembered is forgotten where it became much, and regular
  /// expressions get new budgets. `tests` outlives the use of its answers.
  void begin(const word_tests& tests, bool english) {
    tests_ = &tests;
    english_ = english;
    constexpr std::size_t most_words = 65'536;
    constexpr std::size_t most_answers = 1U << 24;
    if (words_.size() > most_words || answers_.size() > most_answers) clear();
    search_.begin();
  }
  /// Forgets all.
  void clear() {
    numbers_ = unit_numbers();
    words_.clear();
    answers_.clear();
  }

  /// The number of a word until `begin` is called, for the functions below. The word is valid
  /// UTF-8, not empty.
  [[nodiscard]] std::uint32_t number(std::string_view text) {
    const auto number = numbers_.number(text);
    if (number < words_.size()) return number;
    code_points_of_word(text);
    known_word made;
    const auto lower = lexical::lower(characters_);
    const auto shape = lexical::shape(characters_);
    const auto strings = tests_->strings().view();
    made.strings[0] = strings.find(text);
    made.strings[1] = strings.find(lower);
    made.strings[2] = strings.find(shape);
    made.flags = lexical::flags_of(text, characters_);
    made.length = static_cast<std::int64_t>(characters_.size());
    words_.push_back(made);
    answers_.resize(answers_.size() + tests_->size(), unknown);
    return number;
  }

  /// The number of one of a word's strings among those of the tests, or `unit_table::none`; not of
  /// `ent_type`.
  [[nodiscard]] std::uint32_t string_of(std::uint32_t word, word_string of) const {
    return words_[word].strings[static_cast<std::size_t>(of)];
  }

  /// The answer to a test that asks neither for a space nor for an entity.
  /// @throws onoma::error (unsupported) for a regular expression that takes too long.
  [[nodiscard]] bool passes(std::uint32_t number, std::uint32_t test) {
    auto& answer = answers_[number * tests_->size() + test];
    if (answer == unknown) answer = ask(number, (*tests_)[test]) ? yes : no;
    return answer == yes;
  }

  /// Whether a test on strings passes for this string and its number.
  [[nodiscard]] bool passes(const word_test& test, std::string_view text, std::uint32_t number) {
    if (test.what == word_test::kind::string)
      return contains(test, std::int64_t{number}) == test.expected;
    bool found = false;
    std::uint32_t begin = 0;
    std::uint32_t end = 0;
    for (const auto& expression : test.expressions) {
      search_.add(text.size());
      found = found || expression->find(text, 0, begin, end, search_);
    }
    return found == test.expected;
  }

 private:
  static constexpr std::uint8_t unknown = 0;
  static constexpr std::uint8_t no = 1;
  static constexpr std::uint8_t yes = 2;
  struct known_word {
    std::uint32_t strings[3] = {};
    std::uint32_t flags = 0;
    std::int64_t length = 0;
  };

  [[nodiscard]] static bool contains(const word_test& test, std::int64_t value) {
    return std::binary_search(test.values.begin(), test.values.end(), value);
  }
  void code_points_of_word(std::string_view text) { lexical::code_points_of(text, characters_); }

  [[nodiscard]] bool ask(std::uint32_t number, const word_test& test) {
    const auto& about = words_[number];
    const std::string_view text = numbers_.view().units[number];
    using kind = word_test::kind;
    switch (test.what) {
      case kind::flag: return flag(about, text, test.flag) == test.expected;
      case kind::length: return contains(test, about.length) == test.expected;
      case kind::less: return (about.length < test.values[0]) == test.expected;
      case kind::more: return (about.length > test.values[0]) == test.expected;
      case kind::string:
        return passes(test, text, about.strings[static_cast<std::size_t>(test.of)]);
      case kind::regex: break;
      case kind::space: return false;
    }
    if (test.of == word_string::text) return passes(test, text, 0);
    code_points_of_word(text);
    return passes(
        test,
        test.of == word_string::lower ? lexical::lower(characters_) : lexical::shape(characters_),
        0);
  }

  [[nodiscard]] bool flag(const known_word& about, std::string_view text, std::uint32_t bit) {
    if (bit == lexical::like_num) return lexical::looks_like_number(text, english_);
    if (bit == lexical::like_email) return lexical::looks_like_email(text);
    if (bit != lexical::like_url) return (about.flags & bit) != 0;
    code_points_of_word(text);
    return lexical::looks_like_url(text, characters_);
  }

  const word_tests* tests_ = nullptr;
  bool english_ = true;
  unit_numbers numbers_;
  std::vector<known_word> words_;
  std::vector<std::uint8_t> answers_;  // [words, tests]
  std::vector<std::uint32_t> characters_;
  regex::search search_;
};

}  // namespace onoma::inline ONOMA_ABI
