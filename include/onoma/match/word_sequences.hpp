/// Sequences of words looked for among the words of documents.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/match/automaton.hpp>
#include <onoma/match/unit_table.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
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
    renumber();
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
  /// Gives words that begin sequences the smallest numbers.
  void renumber() {
    constexpr auto none = std::numeric_limits<std::uint32_t>::max();
    std::vector<std::uint32_t> renamed(units_.size(), none);
    string_pool pool;
    const auto rename = [&](std::uint32_t unit) {
      if (renamed[unit] != none) return;
      renamed[unit] = static_cast<std::uint32_t>(pool.size());
      pool.add(units_.view().units[unit]);
    };
    for (std::size_t i = 0; i < sequences_.size(); ++i) rename(sequences_[i][0] / 2);
    sequences_.roots = static_cast<std::uint32_t>(pool.size());
    for (std::uint32_t unit = 0; unit < units_.size(); ++unit) rename(unit);
    for (auto& symbol : sequences_.symbols) symbol = 2 * renamed[symbol / 2];
    units_ = unit_numbers::of(std::move(pool), hash_key::of_process());
  }

  unit_numbers units_;
  symbol_sequences sequences_;
  automaton_arrays automaton_;
  std::vector<std::uint32_t> begins_;  // of each end of the automaton, its first rule
  std::vector<std::uint32_t> rules_;
};

}  // namespace onoma::inline ONOMA_ABI
