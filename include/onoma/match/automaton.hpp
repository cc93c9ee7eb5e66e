/// Many sequences of symbols looked for at once (Aho and Corasick, "Efficient string matching",
/// 1975).
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/match/unit_table.hpp>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <numeric>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A symbol is `2 * unit + 1` where white space stands before the unit, else `2 * unit`. The first
/// unit of a sequence is found after white space and without it.
using phrase_symbol = std::uint32_t;

/// A state of the automaton, which stands for a beginning of sequences. States are in the order of
/// their lengths, children of one state side by side: 0 is the root, and state `1 + unit` the one
/// of a unit that begins sequences, as these have the smallest numbers of all units.
struct automaton_state {
  std::uint32_t first_child = 0;  ///< its children end where those of the next state begin
  std::uint32_t fallback =
      0;  ///< the longest end of it that begins a sequence, and flags in the bits above
};

/// The automaton over arrays that lie elsewhere: in a file that is mapped, or in
/// `automaton_arrays`.
class automaton {
 public:
  static constexpr std::uint32_t flag_end = 1U << 31;  ///< a sequence ends in this state
  static constexpr std::uint32_t flag_shorter_end =
      1U << 30;  ///< one ends in a state that this falls back to
  static constexpr std::uint32_t state_mask =
      flag_shorter_end - 1;  ///< of `fallback` without flags
  static constexpr std::uint32_t unknown_unit = ~std::uint32_t{0} >> 1;  ///< of no sequence

  std::span<const automaton_state> states;  ///< one more than there are states
  std::span<const phrase_symbol>
      symbols;                          ///< by which a state is entered; ascending among siblings
  std::span<const std::uint64_t> ends;  ///< a bit for each state: whether a sequence ends there
  std::span<const std::uint32_t> ends_before;  ///< how many of these bits stand before each 64
  std::span<const std::uint32_t>
      levels;               ///< the first state of each length, and the number of states
  std::uint32_t roots = 0;  ///< units that begin a sequence

  /// How many states.
  [[nodiscard]] std::size_t size() const noexcept { return symbols.size(); }
  /// How many units the longest sequence has.
  [[nodiscard]] std::size_t longest() const noexcept { return levels.size() - 2; }

  /// The state behind `from` and a symbol. Over a text this takes time in proportion to its units.
  [[nodiscard]] std::uint32_t step(std::uint32_t from, phrase_symbol symbol) const {
    while (from != 0) {
      const auto next = child(from, symbol);
      if (next != 0) return next;
      from = states[from].fallback & state_mask;
    }
    const std::uint32_t unit = symbol >> 1;
    return unit < roots ? 1 + unit : 0;
  }

  /// Calls `use(end, length)` for each sequence that ends in a state, longest first: `end` is a
  /// number below `count_ends()`, `length` counts units.
  template <class Use>
  void for_each_end(std::uint32_t state, Use use) const {
    auto flags = states[state].fallback;
    while ((flags & (flag_end | flag_shorter_end)) != 0) {
      if ((flags & flag_end) != 0) use(number_of_end(state), length_of(state));
      if ((flags & flag_shorter_end) == 0) return;
      state = flags & state_mask;
      flags = states[state].fallback;
    }
  }

  /// The same, most often without looking at the automaton: `may_be_pair` is false if `pair_filter`
  /// says of the unit before and this symbol that they begin no sequence.
  [[nodiscard]] std::uint32_t step(std::uint32_t from, phrase_symbol symbol,
                                   bool may_be_pair) const {
    const bool first = from - 1 < roots;
    if (!first || may_be_pair) return step(from, symbol);
    const std::uint32_t unit = symbol >> 1;
    return unit < roots ? 1 + unit : 0;
  }

  /// Whether `for_each_end` has anything to say of a state.
  [[nodiscard]] bool any_end(std::uint32_t state) const {
    if (state <= roots)
      return (ends[state / 64] >> (state % 64) & 1U) != 0;  // nothing shorter; and often in a cache
    return (states[state].fallback & (flag_end | flag_shorter_end)) != 0;
  }

  /// How many different sequences there are.
  [[nodiscard]] std::uint32_t count_ends() const {
    return ends.empty()
               ? 0
               : ends_before.back() + static_cast<std::uint32_t>(std::popcount(ends.back()));
  }

  /// Checks that every number is one of these arrays, so that no walk leaves them or goes round.
  /// @throws onoma::error (format); `where` names the file.
  void validate(const std::string& where) const {
    const auto refuse = [&](const char* found) {
      fail(error_code::format, where, "an automaton whose states fit together", found);
    };
    const std::size_t count = size();
    if (count == 0 || count > state_mask || states.size() != count + 1 || roots >= count)
      refuse("wrong counts");
    if (ends.size() != (count + 63) / 64 || ends_before.size() != ends.size())
      refuse("wrong counts");
    if (states[0].first_child != 1 || states[count].first_child != count ||
        states[0].fallback != 0 || states[1].first_child != 1 + roots) {
      refuse("a wrong root");
    }
    for (std::uint32_t unit = 0; unit < roots; ++unit) {
      if (symbols[1 + unit] >> 1 != unit) refuse("a wrong root");
    }
    std::uint32_t found_ends = 0;
    for (std::size_t i = 0; i < count; ++i) {
      const auto next = states[i].fallback & state_mask;
      if (states[i].first_child > states[i + 1].first_child || states[i + 1].first_child > count ||
          states[i].first_child <= i) {
        refuse("children in a wrong place");
      }
      if (i > 0 && next >= i) refuse("a wrong fallback");
      const bool end = (ends[i / 64] >> (i % 64) & 1U) != 0;
      if (end != ((states[i].fallback & flag_end) != 0)) refuse("an end that is none");
      const bool shorter = (states[i].fallback & flag_shorter_end) != 0;
      if (shorter && (next == 0 || !any_end(next))) refuse("a shorter end that is none");
      if (i % 64 == 0 && ends_before[i / 64] != found_ends) refuse("wrong counts of ends");
      found_ends += end ? 1U : 0U;
    }
    validate_levels(where);
  }

 private:
  void validate_levels(const std::string& where) const {
    bool right = levels.size() >= 2 && levels.front() == 0 && levels.back() == size();
    for (std::size_t i = 1; right && i < levels.size(); ++i) {
      right = levels[i] > levels[i - 1] && levels[i] == states[levels[i - 1]].first_child;
    }
    if (!right)
      fail(error_code::format, where, "an automaton whose states fit together", "wrong levels");
  }

  /// 0: none.
  [[nodiscard]] std::uint32_t child(std::uint32_t from, phrase_symbol symbol) const {
    std::uint32_t first = states[from].first_child;
    std::uint32_t count = states[from + 1].first_child - first;
    while (count > 8) {
      const std::uint32_t half = count / 2;
      first = symbols[first + half] <= symbol ? first + half : first;
      count -= half;
    }
    for (std::uint32_t i = first; i < first + count; ++i) {
      if (symbols[i] == symbol) return i;
    }
    return 0;
  }

  [[nodiscard]] std::uint32_t number_of_end(std::uint32_t state) const {
    const auto below = ends[state / 64] & ((std::uint64_t{1} << (state % 64)) - 1);
    return ends_before[state / 64] + static_cast<std::uint32_t>(std::popcount(below));
  }
  [[nodiscard]] std::size_t length_of(std::uint32_t state) const {
    return static_cast<std::size_t>(std::upper_bound(levels.begin(), levels.end(), state) -
                                    levels.begin()) -
           1;
  }
};

/// Says of most pairs of units that no sequence begins with them, from memory that a processor's
/// cache holds: of most texts no more than that is needed. A bit for each hash of a pair, eight for
/// each pair that there is.
class pair_filter {
 public:
  /// Of no automaton.
  pair_filter() = default;
  /// Of all first two symbols.
  explicit pair_filter(const automaton& of) {
    const std::size_t pairs =
        of.roots == 0 ? 0 : of.states[1 + of.roots].first_child - of.states[1].first_child;
    bits_.assign(std::bit_ceil(pairs / 8 + 1), 0);
    for (std::uint32_t root = 0; root < of.roots; ++root) {
      for (auto i = of.states[1 + root].first_child; i < of.states[2 + root].first_child; ++i) {
        const auto place = place_of(root, of.symbols[i]);
        bits_[place / 64 & (bits_.size() - 1)] |= std::uint64_t{1} << (place % 64);
      }
    }
  }

  /// Whether a sequence may begin with a unit and a symbol; false is certain.
  [[nodiscard]] bool may_begin(std::uint32_t unit, phrase_symbol symbol) const {
    const auto place = place_of(unit, symbol);
    return (bits_[place / 64 & (bits_.size() - 1)] >> (place % 64) & 1U) != 0;
  }

 private:
  [[nodiscard]] static std::uint64_t place_of(std::uint32_t unit, phrase_symbol symbol) {
    const std::uint64_t pair = (std::uint64_t{unit} << 32 | symbol) * 0x9E3779B97F4A7C15U;
    return pair ^ pair >> 29;
  }

  std::vector<std::uint64_t> bits_;
};

/// Owns the arrays of an automaton.
struct automaton_arrays {
  std::vector<automaton_state> states;     ///< as in `automaton`
  std::vector<phrase_symbol> symbols;      ///< as in `automaton`
  std::vector<std::uint64_t> ends;         ///< as in `automaton`
  std::vector<std::uint32_t> ends_before;  ///< as in `automaton`
  std::vector<std::uint32_t> levels;       ///< as in `automaton`
  std::uint32_t roots = 0;                 ///< as in `automaton`
  /// Of each sequence that was given, the number of its end.
  std::vector<std::uint32_t> end_of;

  /// Shows these arrays.
  [[nodiscard]] automaton view() const noexcept {
    automaton made;
    made.states = states;
    made.symbols = symbols;
    made.ends = ends;
    made.ends_before = ends_before;
    made.levels = levels;
    made.roots = roots;
    return made;
  }
};

/// Sequences, one behind another: sequence i has the symbols from `begins[i]` to `begins[i + 1]`,
/// and at least one. Its first unit is below `roots`, and each unit below `roots` begins a
/// sequence.
struct symbol_sequences {
  std::vector<phrase_symbol> symbols;  ///< of all
  std::vector<std::size_t> begins{0};  ///< one more than there are sequences
  std::uint32_t roots = 0;             ///< units that begin a sequence

  /// How many.
  [[nodiscard]] std::size_t size() const noexcept { return begins.size() - 1; }
  /// Sequence i.
  [[nodiscard]] std::span<const phrase_symbol> operator[](std::size_t i) const {
    return std::span(symbols).subspan(begins[i], begins[i + 1] - begins[i]);
  }
};

/// Gives units that begin sequences the smallest numbers, in the order of the sequences, and writes these into the
/// symbols, with `roots`. `key` is of the hashes of the table that is returned.
[[nodiscard]] inline unit_numbers number_beginnings_first(const unit_numbers& units,
                                                          symbol_sequences& sequences,
                                                          const hash_key& key) {
  std::vector<std::uint32_t> renamed(units.size(), unit_table::none);
  string_pool pool;
  const auto rename = [&](std::uint32_t unit) {
    if (renamed[unit] != unit_table::none) return;
    renamed[unit] = static_cast<std::uint32_t>(pool.size());
    pool.add(units.view().units[unit]);
  };
  for (std::size_t i = 0; i < sequences.size(); ++i) rename(sequences[i][0] >> 1);
  sequences.roots = static_cast<std::uint32_t>(pool.size());
  for (std::uint32_t unit = 0; unit < units.size(); ++unit) rename(unit);
  for (auto& symbol : sequences.symbols) symbol = 2 * renamed[symbol >> 1] + (symbol & 1U);
  return unit_numbers::of(std::move(pool), key);
}

namespace detail {

/// Builds an automaton, length by length.
class automaton_builder {
 public:
  explicit automaton_builder(const symbol_sequences& sequences) : sequences_(sequences) {}

  [[nodiscard]] automaton_arrays run() {
    made_.roots = sequences_.roots;
    sort();
    made_.symbols.push_back(0);
    ends_.push_back(false);
    made_.levels = {0, 1};
    std::vector<group> groups{{0, sorted_.size()}};
    for (std::size_t length = 0; !groups.empty(); ++length) groups = grow(groups, length);
    made_.levels.pop_back();
    made_.states.push_back({static_cast<std::uint32_t>(made_.symbols.size()), 0});
    mark_ends();
    find_fallbacks();
    return std::move(made_);
  }

 private:
  struct group {
    std::size_t begin = 0;  // of `sorted_`: sequences that begin alike
    std::size_t end = 0;
  };

  void sort() {
    sorted_.resize(sequences_.size());
    std::iota(sorted_.begin(), sorted_.end(), std::uint32_t{0});
    std::sort(sorted_.begin(), sorted_.end(), [&](std::uint32_t a, std::uint32_t b) {
      const auto x = sequences_[a];
      const auto y = sequences_[b];
      return std::lexicographical_compare(x.begin(), x.end(), y.begin(), y.end());
    });
  }

  /// Makes the children of the states of one length; `groups` are theirs. Returns the groups of the
  /// children.
  std::vector<group> grow(const std::vector<group>& groups, std::size_t length) {
    std::vector<group> below;
    for (const auto& g : groups) {
      made_.states.push_back({static_cast<std::uint32_t>(made_.symbols.size()), 0});
      std::size_t i = g.begin;
      while (i < g.end && sequences_[sorted_[i]].size() == length) ++i;  // they end here
      while (i < g.end) {
        const std::size_t begin = i;
        const auto symbol = sequences_[sorted_[i]][length];
        bool end = false;
        for (; i < g.end && sequences_[sorted_[i]][length] == symbol; ++i) {
          end = end || sequences_[sorted_[i]].size() == length + 1;
        }
        below.push_back({begin, i});
        made_.symbols.push_back(symbol);
        ends_.push_back(end);
        check(made_.symbols.size() < automaton::state_mask, error_code::limit_exceeded,
              "building an automaton", "fewer than 2^30 states", "more");
      }
    }
    made_.levels.push_back(static_cast<std::uint32_t>(made_.symbols.size()));
    groups_.insert(groups_.end(), below.begin(), below.end());
    return below;
  }

  /// Bits of ends, and the number of each sequence's.
  void mark_ends() {
    const std::size_t count = made_.symbols.size();
    made_.ends.assign((count + 63) / 64, 0);
    made_.ends_before.assign(made_.ends.size(), 0);
    made_.end_of.resize(sequences_.size());
    std::uint32_t found = 0;
    std::size_t level = 0;
    for (std::size_t i = 0; i < count; ++i) {
      while (level + 1 < made_.levels.size() && made_.levels[level + 1] <= i) ++level;
      if (i % 64 == 0) made_.ends_before[i / 64] = found;
      if (!ends_[i]) continue;
      made_.ends[i / 64] |= std::uint64_t{1} << (i % 64);
      made_.states[i].fallback = automaton::flag_end;
      const auto& g = groups_[i - 1];
      for (std::size_t k = g.begin; k < g.end && sequences_[sorted_[k]].size() == level; ++k) {
        made_.end_of[sorted_[k]] = found;
      }
      ++found;
    }
  }

  void find_fallbacks() {
    const auto view = made_.view();
    for (std::uint32_t state = 1; state < made_.symbols.size(); ++state) {
      for (auto next = made_.states[state].first_child; next < made_.states[state + 1].first_child;
           ++next) {
        const auto from = made_.states[state].fallback & automaton::state_mask;
        const auto to = view.step(from, made_.symbols[next]);
        made_.states[next].fallback |= to | (view.any_end(to) ? automaton::flag_shorter_end : 0U);
      }
    }
  }

  const symbol_sequences& sequences_;
  automaton_arrays made_;
  std::vector<std::uint32_t> sorted_;
  std::vector<bool> ends_;
  std::vector<group> groups_;  // of each state but the root
};

}  // namespace detail

/// The automaton of sequences. Takes time O(n log n) in their symbols.
/// @throws onoma::error (limit_exceeded) for 2^30 states or more.
[[nodiscard]] inline automaton_arrays build_automaton(const symbol_sequences& sequences) {
  return detail::automaton_builder(sequences).run();
}

}  // namespace onoma::inline ONOMA_ABI
