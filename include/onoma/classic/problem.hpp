/// What a linear chain with sparse features learns from: words as lists of attributes, with a label each.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Lists of numbers, one behind another: list i has the items from `begins[i]` to `begins[i + 1]`.
struct number_lists {
  std::vector<std::size_t> begins{0};  ///< one more than there are lists
  std::vector<std::uint32_t> items;    ///< of all

  /// How many lists.
  [[nodiscard]] std::size_t size() const noexcept { return begins.size() - 1; }
  /// List i.
  [[nodiscard]] std::span<const std::uint32_t> operator[](std::size_t i) const {
    return std::span(items).subspan(begins[i], begins[i + 1] - begins[i]);
  }
  /// Adds an item to the list that is open.
  void push(std::uint32_t item) { items.push_back(item); }
  /// Closes the list that is open: the next item is in the next list.
  void close() { begins.push_back(items.size()); }
  /// For each of the numbers below `count` the lists that have it, ascending; as often as they have it.
  [[nodiscard]] number_lists inverted(std::size_t count) const {
    number_lists made;
    made.begins.assign(count + 1, 0);
    for (const auto item : items) ++made.begins[item + 1];
    for (std::size_t i = 0; i < count; ++i) made.begins[i + 1] += made.begins[i];
    made.items.resize(items.size());
    auto next = made.begins;
    for (std::size_t i = 0; i < size(); ++i) {
      for (const auto item : (*this)[i]) made.items[next[item]++] = static_cast<std::uint32_t>(i);
    }
    return made;
  }
};

/// Sentences whose words have attributes, numbered from 0. A word has the attributes of its rows and further ones of
/// its own: rows are lists of attributes that come together often, as those of a word's text, whose weights are then
/// added up once and not at each place where the word stands. What is learned does not depend on which attributes
/// come by rows, but for rounding.
struct crf_problem {
  index_t labels = 0;                            ///< L
  index_t attributes = 0;                        ///< how many there are
  number_lists rows;                             ///< the attributes of each row
  number_lists word_rows;                        ///< the rows of each word
  number_lists word_attributes;                  ///< the further attributes of each word
  std::vector<std::uint32_t> targets;            ///< the label of each word
  std::vector<std::size_t> sentence_begins{0};   ///< the first word of each sentence, and the number of words

  /// How many sentences.
  [[nodiscard]] std::size_t sentences() const noexcept { return sentence_begins.size() - 1; }
  /// N, the words of all sentences.
  [[nodiscard]] std::size_t words() const noexcept { return targets.size(); }

  /// @throws onoma::error (invalid_argument) for no sentence, an empty one or no label, (out_of_range) for a number
  /// that is none, (shape_mismatch) for lists that do not fit, (limit_exceeded) for more than 65,535 labels, and for
  /// 2^32 words or rows.
  void validate() const {
    constexpr const char* operation = "training a linear chain";
    check(labels > 0 && sentences() > 0, error_code::invalid_argument, operation, "labels and sentences", "none");
    check(labels <= 65'535, error_code::limit_exceeded, operation, "at most 65,535 labels", "more");
    check(std::max(words(), rows.size()) < std::numeric_limits<std::uint32_t>::max(), error_code::limit_exceeded,
          operation, "fewer than 2^32 words", "more");
    check(word_rows.size() == words() && word_attributes.size() == words() && sentence_begins.front() == 0 &&
              sentence_begins.back() == words(),
          error_code::shape_mismatch, operation, "attributes for each word", "other lists");
    for (std::size_t s = 0; s < sentences(); ++s) {
      check(sentence_begins[s] < sentence_begins[s + 1], error_code::invalid_argument, operation,
            "sentences of at least one word", "an empty one");
    }
    const auto all_below = [&](const std::vector<std::uint32_t>& numbers, std::size_t bound, const char* what) {
      const auto wrong = std::find_if(numbers.begin(), numbers.end(), [&](auto number) { return number >= bound; });
      if (wrong == numbers.end()) return;
      fail(error_code::out_of_range, operation, std::string(what) + " below " + std::to_string(bound),
           std::to_string(*wrong));
    };
    all_below(targets, static_cast<std::size_t>(labels), "labels");
    all_below(rows.items, static_cast<std::size_t>(attributes), "attributes");
    all_below(word_attributes.items, static_cast<std::size_t>(attributes), "attributes");
    all_below(word_rows.items, rows.size(), "rows");
  }
};

/// Which weights there are. As CRFsuite (Okazaki, 2007): feature.minfreq, feature.possible_states and
/// feature.possible_transitions.
struct crf_feature_options {
  index_t min_frequency = 1;     ///< of an attribute with a label, and of two labels side by side, in the training data
  bool all_states = false;       ///< each attribute with each label, not only with those that it was seen with
  bool all_transitions = false;  ///< each two labels, not only those that were seen side by side
};

/// The weights of a chain, numbered: of attributes with labels, then of two labels side by side.
struct crf_features {
  static constexpr std::uint32_t none = std::numeric_limits<std::uint32_t>::max();  ///< no weight

  std::vector<std::size_t> begins{0};      ///< the first weight of each attribute, and the number of them all
  std::vector<std::uint16_t> labels;       ///< of the weights of attributes; of one attribute ascending
  std::vector<std::uint32_t> transitions;  ///< [L, L] the weight of a row's label before a column's, or `none`
  std::size_t count = 0;                   ///< all together

  /// The weight of an attribute with a label, or `none`.
  [[nodiscard]] std::uint32_t find(std::uint32_t attribute, std::uint32_t label) const {
    for (std::size_t f = begins[attribute]; f < begins[attribute + 1]; ++f) {
      if (labels[f] == label) return static_cast<std::uint32_t>(f);
    }
    return none;
  }
};

namespace detail {

/// Adds up how often attributes come with labels; one attribute after another.
class label_counter {
 public:
  explicit label_counter(const crf_problem& problem)
      : problem_(problem),
        labels_(static_cast<std::size_t>(problem.labels)),
        rows_of_(problem.rows.inverted(static_cast<std::size_t>(problem.attributes))),
        words_of_(problem.word_attributes.inverted(static_cast<std::size_t>(problem.attributes))),
        of_rows_(problem.rows.size() * labels_),
        counts_(labels_) {
    for (std::size_t w = 0; w < problem.words(); ++w) {
      for (const auto row : problem.word_rows[w]) ++of_rows_[row * labels_ + problem.targets[w]];
    }
  }
  [[nodiscard]] std::span<const std::uint64_t> of(std::size_t attribute) {
    std::fill(counts_.begin(), counts_.end(), 0);
    for (const auto row : rows_of_[attribute]) {
      for (std::size_t l = 0; l < labels_; ++l) counts_[l] += of_rows_[row * labels_ + l];
    }
    for (const auto word : words_of_[attribute]) ++counts_[problem_.targets[word]];
    return counts_;
  }

 private:
  const crf_problem& problem_;
  std::size_t labels_;
  number_lists rows_of_;
  number_lists words_of_;
  std::vector<std::uint32_t> of_rows_;
  std::vector<std::uint64_t> counts_;
};

}  // namespace detail

/// The weights that a problem gives. @throws onoma::error (limit_exceeded) for 2^32 or more.
[[nodiscard]] inline crf_features make_features(const crf_problem& problem, const crf_feature_options& options) {
  const auto labels = static_cast<std::size_t>(problem.labels);
  const auto least = static_cast<std::uint64_t>(std::max<index_t>(options.min_frequency, 0));
  const auto is_there = [&](std::uint64_t count, bool all) { return all || (count > 0 && count >= least); };
  crf_features made;
  detail::label_counter counter(problem);
  for (std::size_t a = 0; a < static_cast<std::size_t>(problem.attributes); ++a) {
    const auto counts = counter.of(a);
    for (std::size_t l = 0; l < labels; ++l) {
      if (is_there(counts[l], options.all_states)) made.labels.push_back(static_cast<std::uint16_t>(l));
    }
    made.begins.push_back(made.labels.size());
  }
  std::vector<std::uint64_t> pairs(labels * labels);
  for (std::size_t s = 0; s < problem.sentences(); ++s) {
    for (std::size_t w = problem.sentence_begins[s] + 1; w < problem.sentence_begins[s + 1]; ++w) {
      ++pairs[problem.targets[w - 1] * labels + problem.targets[w]];
    }
  }
  std::size_t next = made.labels.size();
  check(next + labels * labels < crf_features::none, error_code::limit_exceeded, "training a linear chain",
        "fewer than 2^32 weights", "more");
  for (const auto count : pairs) {
    made.transitions.push_back(is_there(count, options.all_transitions) ? static_cast<std::uint32_t>(next++)
                                                                        : crf_features::none);
  }
  made.count = next;
  return made;
}

}  // namespace onoma::inline ONOMA_ABI
