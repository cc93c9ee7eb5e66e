/// Sequences of words looked for among the words of documents.
#pragma once

#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/match/automaton.hpp>
#include <onoma/match/unit_table.hpp>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Many sequences of words, each with the number of a rule, as an automaton over the words'
/// numbers.
class word_sequences {
 public:
  /// Adds a sequence of one word or more; `compile` must follow.
  void add(std::uint32_t rule, std::span<const std::string> words) {
    for (const auto& word : words) sequences_.symbols.push_back(2 * units_.number(word));
    sequences_.begins.push_back(sequences_.symbols.size());
    rules_.push_back(rule);
  }

  /// Builds the automaton of all that was added. @throws onoma::error as `build_automaton`.
  void compile() {
    units_ = number_beginnings_first(units_, sequences_, hash_key::of_process());
    automaton_ = build_automaton(sequences_);
    begins_.assign(automaton_.view().count_ends() + 1, 0);
    for (const auto end : automaton_.end_of) ++begins_[end + 1];
    for (std::size_t i = 1; i < begins_.size(); ++i) begins_[i] += begins_[i - 1];
    std::vector<std::uint32_t> ordered(rules_.size());
    auto next = begins_;
    for (std::size_t i = 0; i < rules_.size(); ++i)
      ordered[next[automaton_.end_of[i]]++] = rules_[i];
    rules_ = std::move(ordered);
    sequences_ = {};
    automaton_.end_of = {};
  }

  /// Whether there is none.
  [[nodiscard]] bool empty() const noexcept { return rules_.empty(); }
  /// The number of a word, or `unit_table::none`.
  [[nodiscard]] std::uint32_t number(std::string_view word) const {
    return units_.view().find(word);
  }

  /// Calls `use(first, behind, rule)` for each place where a sequence stands among words;
  /// `number_of(i)` is the number of word i.
  template <class Number, class Use>
  void scan(std::size_t words, Number number_of, Use use) const {
    const auto view = automaton_.view();
    std::uint32_t state = 0;
    for (std::size_t i = 0; i < words; ++i) {
      const std::uint32_t number = number_of(i);
      state = number == unit_table::none ? 0 : view.step(state, 2 * number);
      if (state == 0 || !view.any_end(state)) continue;
      view.for_each_end(state, [&](std::uint32_t end, std::size_t length) {
        for (auto k = begins_[end]; k < begins_[end + 1]; ++k)
          use(i + 1 - length, i + 1, rules_[k]);
      });
    }
  }

 private:
  unit_numbers units_;
  symbol_sequences sequences_;
  automaton_arrays automaton_;
  std::vector<std::uint32_t> begins_;  // of each end of the automaton, its first rule
  std::vector<std::uint32_t> rules_;
};

}  // namespace onoma::inline ONOMA_ABI
