/// The values of templates in sentences: each word's own once, however often it comes, and those of neighbours.
#pragma once

#include <onoma/classic/word_values.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/match/unit_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Goes through one sentence after another. Words that look the same are of one type: what they are by themselves is
/// asked once. Memory of one thread.
class sentence_features {
 public:
  /// Types of what is no word: before the first one, and behind the last.
  static constexpr std::uint32_t before = 0;
  static constexpr std::uint32_t behind = 1;  ///< the last

  /// `plan` and `list`, which may be null, must outlive it.
  sentence_features(const template_plan& plan, const gazetteer* list) : plan_(plan), list_(list) { clear(); }

  /// Takes a sentence, until the next call. Calls `on_type(type)` for each type that is new, in their order, in which
  /// `for_each_value` may be called. The words are strings or views of strings.
  /// @throws onoma::error (parse) for a word that is not UTF-8, and what `on_type` throws: all types are forgotten
  /// then.
  template <class Word, class Use>
  void read(std::span<const Word> words, Use on_type) {
    types_.clear();
    try {
      if (types_known_ == 0) add_borders(on_type);
      for (const auto& word : words) types_.push_back(type_of(word, on_type));
    } catch (...) {  // a type that is half known would be taken for one that is known
      clear();
      throw;
    }
    if (list_ != nullptr && !plan_.lists().empty()) find_phrases(words);
  }
  /// How many types there are.
  [[nodiscard]] std::size_t types() const noexcept { return types_known_; }
  /// Forgets the types.
  void clear() {
    numbers_ = unit_numbers();
    types_known_ = 0;
    answers_.clear();
    types_.clear();
  }

  /// How many words the sentence has.
  [[nodiscard]] std::size_t size() const noexcept { return types_.size(); }
  /// The type of a word of the sentence, or of what is beside it.
  [[nodiscard]] std::uint32_t type(index_t word) const {
    if (word < 0) return before;
    return word < static_cast<index_t>(types_.size()) ? types_[static_cast<std::size_t>(word)] : behind;
  }

  /// In `on_type`: calls `use(key, offsets)` for each value of the type. The key is of the next call's no more.
  template <class Use>
  void for_each_value(Use use) {
    if (current_ <= behind) {
      for (const auto& single : plan_.borders()) {
        template_plan::begin_key(single.question, key_);
        key_ += current_ == before ? '^' : '$';
        use(std::string_view(key_), std::span(single.offsets));
      }
      return;
    }
    for (const auto& single : plan_.singles()) {
      template_plan::begin_key(single.question, key_);
      if (describer_.append(single.question, key_)) use(std::string_view(key_), std::span(single.offsets));
    }
  }

  /// Calls `use(word, key)` for each value of several words.
  template <class Use>
  void for_each_joint(Use use) {
    const auto count = static_cast<index_t>(types_.size());
    const std::size_t questions = plan_.joint_questions().size();
    for (index_t i = 0; i < count; ++i) {
      for (const auto& joint : plan_.joints()) {
        const bool any = std::any_of(joint.offsets.begin(), joint.offsets.end(),
                                     [&](index_t d) { return i + d >= 0 && i + d < count; });
        if (!any) continue;
        template_plan::joint_key(joint, key_, [&](std::size_t question, index_t offset) -> std::string_view {
          return answers_[type(i + offset) * questions + question];
        });
        use(static_cast<std::size_t>(i), std::string_view(key_));
      }
    }
  }

  /// Calls `use(word, offset, key)` for each value that a word has from a phrase of the gazetteer at an offset from it.
  template <class Use>
  void for_each_phrase(Use use) {
    if (list_ == nullptr || plan_.lists().empty()) return;
    const auto count = static_cast<index_t>(types_.size());
    for (const auto& [at, value] : phrase_values_) {
      for (const index_t offset : plan_.lists().front().offsets) {
        const index_t word = at - offset;
        if (word < 0 || word >= count) continue;
        template_plan::begin_key(plan_.lists().front().question, key_);
        key_ += value;
        use(static_cast<std::size_t>(word), offset, std::string_view(key_));
      }
    }
  }

 private:
  template <class Use>
  void add_borders(Use& on_type) {
    for (const auto border : {before, behind}) {
      current_ = border;
      types_known_ = border + 1;
      answers_.resize(types_known_ * plan_.joint_questions().size());
      on_type(border);
    }
  }

  template <class Use>
  std::uint32_t type_of(std::string_view word, Use& on_type) {
    const std::uint32_t type = numbers_.number(word) + 2;
    if (type < types_known_) return type;
    validate_utf8(word, "features of a word");
    describer_.read(word);
    types_known_ = type + 1;
    for (const auto& question : plan_.joint_questions()) {
      auto& answer = answers_.emplace_back();
      describer_.append(question, answer);
    }
    current_ = type;
    on_type(type);
    return type;
  }

  /// The words' labels of phrases that begin and end with words.
  template <class Word>
  void find_phrases(std::span<const Word> words) {
    text_.clear();
    begins_.clear();
    ends_.clear();
    for (const auto& word : words) {
      if (!text_.empty()) text_ += ' ';
      begins_.push_back(static_cast<index_t>(text_.size()));
      text_ += word;
      ends_.push_back(static_cast<index_t>(text_.size()));
    }
    phrase_values_.clear();
    list_->scan(text_, memory_, [&](byte_span place, index_t entry) {
      const auto first = std::lower_bound(begins_.begin(), begins_.end(), place.begin);
      const auto last = std::lower_bound(ends_.begin(), ends_.end(), place.end);
      if (first == begins_.end() || *first != place.begin || last == ends_.end() || *last != place.end) return;
      for (index_t i = first - begins_.begin(); i <= last - ends_.begin(); ++i) {
        phrase_values_.emplace_back(i, (i == first - begins_.begin() ? "B-" : "I-") + std::string(list_->label(entry)));
      }
    });
    std::sort(phrase_values_.begin(), phrase_values_.end());
    phrase_values_.erase(std::unique(phrase_values_.begin(), phrase_values_.end()), phrase_values_.end());
  }

  const template_plan& plan_;
  const gazetteer* list_;
  unit_numbers numbers_;
  std::size_t types_known_ = 0;
  std::uint32_t current_ = 0;           // the type that is new
  word_describer describer_;            // of its word
  std::vector<std::string> answers_;    // [types, joint questions]
  std::vector<std::uint32_t> types_;    // of the sentence's words
  std::string key_;
  std::string text_;                    // of the sentence
  std::vector<index_t> begins_, ends_;  // of its words
  std::vector<std::pair<index_t, std::string>> phrase_values_;  // a word, and its value
  gazetteer::workspace memory_;
};

}  // namespace onoma::inline ONOMA_ABI
