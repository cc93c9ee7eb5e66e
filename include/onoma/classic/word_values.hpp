/// The values that templates of features ask for, as the keys of a table.
#pragma once

#include <onoma/classic/templates.hpp>
#include <onoma/core/ascii.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/match/lexical.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A property and a length, whatever the offset.
struct word_question {
  word_property property = word_property::word;  ///< what is asked
  index_t length = 0;                            ///< of a prefix or suffix
  /// Equal in both.
  friend bool operator==(const word_question&, const word_question&) = default;
};

/// Answers questions about words. Memory of one thread.
class word_describer {
 public:
  /// Takes a word, valid UTF-8, until the next call.
  void read(std::string_view word) {
    word_ = word;
    is_ascii_ = ascii::is_ascii(word);
    lexical::code_points_of(word, characters_);
  }

  /// Appends the answer; false, and nothing is appended: there is none, as of the prefix of a word that has no more
  /// characters. Not for `border` and `list`.
  bool append(word_question question, std::string& out) const {
    switch (question.property) {
      case word_property::word: out += word_; return true;
      case word_property::lower: append_lower(out); return true;
      case word_property::shape: append_shape(out); return true;
      case word_property::prefix: return append_affix(question.length, true, out);
      case word_property::suffix: return append_affix(question.length, false, out);
      case word_property::flags: return append_flags(out);
      default: return false;
    }
  }

 private:
  void append_lower(std::string& out) const {
    if (!is_ascii_) {
      out += lexical::lower(characters_);
      return;
    }
    for (const char c : word_) out += c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }
  /// `lexical::shape`, without a string for words of ASCII.
  void append_shape(std::string& out) const {
    if (!is_ascii_ || characters_.size() >= 100) {
      out += lexical::shape(characters_);
      return;
    }
    char last = 0;
    int run = 0;
    for (const char c : word_) {
      const bool small = c >= 'a' && c <= 'z';
      const char sign = small ? 'x' : c >= 'A' && c <= 'Z' ? 'X' : c >= '0' && c <= '9' ? 'd' : c;
      run = sign == last ? run + 1 : 0;
      last = sign;
      if (run < 4) out += sign;
    }
  }
  bool append_affix(index_t length, bool first, std::string& out) const {
    if (static_cast<index_t>(characters_.size()) <= length) return false;
    const auto count = static_cast<std::size_t>(length);
    if (is_ascii_) {
      out += first ? word_.substr(0, count) : word_.substr(word_.size() - count);
      return true;
    }
    const auto begin = first ? characters_.begin() : characters_.end() - length;
    std::for_each(begin, begin + length, [&](std::uint32_t c) { append_utf8(out, c); });
    return true;
  }
  /// A letter for each: digits alone, some digit, punctuation alone, all upper case, title case, a hyphen, a period
  /// inside, letters alone.
  bool append_flags(std::string& out) const {
    if (word_.empty()) return false;
    const auto known = lexical::flags_of(word_, characters_);
    const std::size_t before = out.size();
    const auto note = [&](bool is, char letter) {
      if (is) out += letter;
    };
    note((known & lexical::is_digit) != 0, 'd');
    note((known & lexical::is_digit) == 0 && std::any_of(characters_.begin(), characters_.end(), lexical::is_any_digit),
        'n');
    note((known & lexical::is_punct) != 0, 'p');
    note((known & lexical::is_upper) != 0, 'u');
    note((known & lexical::is_title) != 0, 't');
    note((known & lexical::is_alpha) != 0, 'a');
    note(word_.size() > 1 && word_.find('-') != std::string_view::npos, 'h');
    note(word_.size() > 1 && word_.find('.') != std::string_view::npos, '.');
    return out.size() > before;
  }

  std::string_view word_;
  bool is_ascii_ = true;
  std::vector<std::uint32_t> characters_;
};

/// Templates, sorted out for going through sentences: those of one property by the question that they ask, with the
/// offsets at which it counts, and those of several parts.
///
/// An attribute is a value (its key is the question and the answer, for several parts the template and its answers)
/// and a slot: the offset of the word that has the value, from that of the word which is labelled.
class template_plan {
 public:
  /// A question, and at which offsets the answers count.
  struct single {
    word_question question;        ///< of one word
    std::vector<index_t> offsets;  ///< ascending
  };
  /// What several words answer together.
  struct joint {
    std::vector<std::size_t> questions;  ///< of each part, a place in `joint_questions`
    std::vector<index_t> offsets;        ///< of each part
    char code;                           ///< the first byte of its keys
  };

  /// @throws onoma::error never but for lack of memory: `templates` are those of `templates_from_texts`.
  explicit template_plan(std::vector<feature_template> templates) : templates_(std::move(templates)) {
    for (const auto& each : templates_) {
      for (const auto& part : each.parts) radius_ = std::max({radius_, part.offset, -part.offset});
      if (each.parts.size() == 1) {
        add_single(each.parts.front());
      } else {
        add_joint(each);
      }
    }
    for (auto* list : {&singles_, &borders_, &lists_}) {
      for (auto& each : *list) std::sort(each.offsets.begin(), each.offsets.end());
    }
  }

  /// As they were given.
  [[nodiscard]] const std::vector<feature_template>& templates() const noexcept { return templates_; }
  /// The largest distance of a word that counts.
  [[nodiscard]] index_t radius() const noexcept { return radius_; }
  /// How many slots a value has: that of offset d is d + radius().
  [[nodiscard]] index_t slots() const noexcept { return 2 * radius_ + 1; }
  /// Templates of one word.
  [[nodiscard]] const std::vector<single>& singles() const noexcept { return singles_; }
  /// Those of the border of a sentence: one or none.
  [[nodiscard]] const std::vector<single>& borders() const noexcept { return borders_; }
  /// Those of a gazetteer: one or none.
  [[nodiscard]] const std::vector<single>& lists() const noexcept { return lists_; }
  /// Templates of several words.
  [[nodiscard]] const std::vector<joint>& joints() const noexcept { return joints_; }
  /// What these ask.
  [[nodiscard]] const std::vector<word_question>& joint_questions() const noexcept { return joint_questions_; }

  /// The begin of the keys of a question's answers.
  static void begin_key(word_question question, std::string& key) {
    key.clear();
    key += static_cast<char>('a' + static_cast<int>(question.property));
    if (has_length(question.property)) key += static_cast<char>('0' + question.length);
  }
  /// The key of what several words answer. `answer(question, offset)` gives the answer to one, a place in
  /// `joint_questions`; empty where there is none.
  template <class Answer>
  static void joint_key(const joint& which, std::string& key, Answer answer) {
    key.clear();
    key += which.code;
    for (std::size_t i = 0; i < which.questions.size(); ++i) {
      if (i > 0) key += '\x1f';
      key += answer(which.questions[i], which.offsets[i]);
    }
  }

 private:
  void add_single(const word_part& part) {
    auto& list = part.property == word_property::border ? borders_
                 : part.property == word_property::list ? lists_
                                                        : singles_;
    const word_question question{part.property, part.length};
    const auto found =
        std::find_if(list.begin(), list.end(), [&](const single& each) { return each.question == question; });
    auto& place = found == list.end() ? list.emplace_back(single{question, {}}) : *found;
    place.offsets.push_back(part.offset);
  }
  void add_joint(const feature_template& each) {
    joint made{{}, {}, static_cast<char>(0x80 + static_cast<int>(joints_.size()))};
    for (const auto& part : each.parts) {
      const word_question question{part.property, part.length};
      const auto found = std::find(joint_questions_.begin(), joint_questions_.end(), question);
      made.questions.push_back(static_cast<std::size_t>(found - joint_questions_.begin()));
      if (found == joint_questions_.end()) joint_questions_.push_back(question);
      made.offsets.push_back(part.offset);
    }
    joints_.push_back(std::move(made));
  }

  std::vector<feature_template> templates_;
  index_t radius_ = 0;
  std::vector<single> singles_;
  std::vector<single> borders_;
  std::vector<single> lists_;
  std::vector<joint> joints_;
  std::vector<word_question> joint_questions_;
};

}  // namespace onoma::inline ONOMA_ABI
