/// Word rules from the words of an annotated corpus.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/words/addresses.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/sign_places.hpp>
#include <onoma/text/words/typing_habits.hpp>
#include <onoma/text/words/word_atoms.hpp>
#include <onoma/text/words/word_rule_tables.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// How often a sign shared a word with its neighbours at a place: [0] with the left one, [1] with
/// the right.
struct side_votes {
  std::array<double, 2> joined{};
  std::array<double, 2> apart{};

  void count(std::size_t side, bool is_joined, double weight) {
    (is_joined ? joined : apart)[side] += weight;
  }
  void add(const side_votes& more, double weight) {
    for (std::size_t side = 0; side < 2; ++side) {
      joined[side] += weight * more.joined[side];
      apart[side] += weight * more.apart[side];
    }
  }
  [[nodiscard]] double total(std::size_t side) const { return joined[side] + apart[side]; }
  [[nodiscard]] double total() const { return std::max(total(0), total(1)); }
};

/// The same for all words, and for those in and beside names alone. Where names tell, they decide:
/// a corpus may have @user in one word a thousand times, never labelled, and cut the few that are
/// names.
struct place_votes {
  side_votes all;
  side_votes names;

  void count(std::size_t side, bool is_joined, bool is_name, double weight = 1) {
    all.count(side, is_joined, weight);
    if (is_name) names.count(side, is_joined, weight);
  }
  void add(const place_votes& more, double weight = 1) {
    all.add(more.all, weight);
    names.add(more.names, weight);
  }
  [[nodiscard]] double total() const { return all.total(); }

  /// The majority on each side. What holds so far has `weight` votes.
  [[nodiscard]] joins decide(joins so_far, double weight) const {
    constexpr double enough_names = 10;
    unsigned result = 0;
    for (unsigned side = 0; side < 2; ++side) {
      const auto& votes = names.total(side) >= enough_names ? names : all;
      const bool now = (static_cast<unsigned>(so_far) >> side & 1U) != 0;
      if (votes.joined[side] + (now ? weight : 0) > votes.apart[side] + (now ? 0 : weight))
        result |= 1U << side;
    }
    return static_cast<joins>(result);
  }
};

using place_counts = std::map<std::string, place_votes, std::less<>>;

[[nodiscard]] inline std::string class_key(const word_parts::sign_place& place) {
  return std::string(1, place.before) + place.sign + place.behind;
}
[[nodiscard]] inline std::string coarse_key(std::string key) {
  key.front() = word_parts::coarse_before(key.front());
  key.back() = word_parts::coarse_behind(key.back());
  return key;
}
[[nodiscard]] inline std::string text_key(const word_parts::sign_place& place) {
  return std::string(place.text_before) + place.sign + '|' + place.behind;
}

/// The place of the signs that begin at byte `at` of a text without white space; its sign is empty
/// if none does.
[[nodiscard]] inline word_parts::sign_place find_place(std::string_view text, index_t at) {
  word_parts::sign_place place;
  std::vector<word_parts::atom> atoms;
  const auto sink = [&](std::span<word_parts::atom> found, word_parts::stretch_end end) {
    std::size_t first = 0;
    while (first < found.size() && found[first].bytes.begin != at) ++first;
    std::size_t behind = first;
    while (behind < found.size() && found[behind].what == word_parts::atom::kind::sign) ++behind;
    if (behind > first)
      word_parts::stretch_walker(text, found, end).describe(first, behind, false, place);
  };
  word_parts::atom_scanner<decltype(sink)>(text, atoms, sink).run();
  return place;
}

struct text_votes {
  place_votes votes;
  std::size_t text = 0;  // bytes of the key before the sign
  char before = 'w';     // class of that text, as it was seen last
};
using text_counts = std::map<std::string, text_votes, std::less<>>;

/// What a corpus does with signs.
struct word_statistics {
  place_counts signs;   // by exact classes
  text_counts before;   // by the text before and the class behind
  place_counts behind;  // by the text behind
  std::map<std::string, place_counts>
      dashes;  // words of one sign between words: `signs`, by coarse classes
  std::map<std::string, text_counts> dash_texts;       // and `before`
  std::map<std::string, double, std::less<>> inside;   // the same signs inside of words
  std::map<std::string, std::array<double, 2>> pairs;  // two words, one word
  std::array<double, 4> starts{};     // of sentences: in lower case, upper case, a digit, a sign
  std::array<double, 2> negations{};  // "do" "n't", "don't"
  std::array<double, 2> addresses{};  // in several words, in one
  std::array<double, 2> scripts{};    // neighbours in a script without spaces: two words, one
};

}  // namespace detail

/// Learns word rules from sentences of words, as a corpus for training has them. The same sentences
/// in the same order give the same rules.
class word_rules_learner {
 public:
  /// Rules for texts before a sign (abbreviations, above all) that are kept, those that were seen
  /// most: rules go into config.json. A million words of fifteen corpora taught 563.
  static constexpr std::size_t most_texts = 2000;

  /// The words of one sentence. `tags` of these words say which are part of a name: all but "O" and "-";
  /// none: not known. @throws onoma::error (parse) for a word that is not UTF-8, (shape_mismatch)
  /// for another number of tags than of words.
  void add(std::span<const std::string> words, std::span<const std::string> tags = {}) {
    if (!tags.empty() && tags.size() != words.size()) {
      fail(error_code::shape_mismatch, "learning word rules",
           std::to_string(words.size()) + " tags", std::to_string(tags.size()));
    }
    join(words, tags);
    bool starts = true;
    const auto sink = [&](std::span<word_parts::atom> atoms, word_parts::stretch_end end) {
      if (std::exchange(starts, false)) observe_start(atoms.front());
      observe(atoms, end);
    };
    word_parts::atom_scanner<decltype(sink)>(text_, atoms_, sink).run();
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (word_parts::typing_habits::is_joiner(words, i)) observe_dash(words, i, tags);
      observe_lone(words, i, tags);
      const bool scheme = words[i] == "http" || words[i] == "https";
      if (scheme && i + 1 < words.size() && words[i + 1] == ":") seen_.addresses[0] += 1;
    }
  }

  /// The rules as far as the corpus tells, and else those of `general_word_rules`.
  [[nodiscard]] word_rules rules() const;

 private:
  using kind = word_parts::atom::kind;

  /// The text of the words, and where they begin.
  void join(std::span<const std::string> words, std::span<const std::string> tags) {
    text_.clear();
    begins_.clear();
    names_.clear();
    for (std::size_t i = 0; i < words.size(); ++i) {
      if (words[i].empty()) continue;
      if (!text_.empty() && !word_parts::typing_habits::touches(words, i)) text_ += ' ';
      begins_.push_back(static_cast<index_t>(text_.size()));
      names_.push_back(is_name(tags, i) ? 1 : 0);
      text_ += words[i];
    }
  }
  [[nodiscard]] static bool is_name(std::span<const std::string> tags, std::size_t i) {
    return i < tags.size() && tags[i] != "O" && tags[i] != "-";
  }
  /// Whether a word with text in [begin, end) is part of a name.
  [[nodiscard]] bool has_name(index_t begin, index_t end) const {
    auto word = static_cast<std::size_t>(std::upper_bound(begins_.begin(), begins_.end(), begin) -
                                         begins_.begin());
    for (word -= word > 0 ? 1 : 0; word < begins_.size() && begins_[word] < end; ++word) {
      if (names_[word] != 0) return true;
    }
    return false;
  }
  [[nodiscard]] bool begins_word(index_t at) const {
    return std::binary_search(begins_.begin(), begins_.end(), at);
  }

  void observe_start(const word_parts::atom& first) {
    const bool run = first.what == kind::run;
    seen_.starts[!run ? 3 : first.number ? 2 : first.upper ? 1 : 0] += 1;
  }

  /// A stretch without white space.
  void observe(std::span<word_parts::atom> atoms, word_parts::stretch_end end) {
    merged_.assign(atoms.begin(), atoms.end());
    merged_.resize(word_parts::merge_addresses(text_, merged_));
    if (merged_.size() != atoms.size()) observe_addresses(atoms);
    const word_parts::stretch_walker walker(text_, merged_, end);
    bool joined = false;
    for (std::size_t i = 0; i < merged_.size();) {
      if (merged_[i].what != kind::sign) {
        const bool scripts =
            i > 0 && merged_[i].what == kind::script && merged_[i - 1].what == kind::script;
        if (scripts) seen_.scripts[begins_word(merged_[i].bytes.begin) ? 0 : 1] += 1;
        joined = false;
        ++i;
        continue;
      }
      const std::size_t behind = observe_row(i);
      walker.describe(i, behind, joined, place_);
      joined = observe_sign(walker, i, behind);
      i = behind;
    }
  }

  void observe_addresses(std::span<const word_parts::atom> parts) {
    for (std::size_t i = 0, j = 0; i < merged_.size(); ++i) {
      const auto whole = merged_[i].bytes;
      bool address = false;
      bool cut = false;
      for (; j < parts.size() && parts[j].bytes.end <= whole.end; ++j) {
        if (parts[j].bytes.begin == whole.begin) continue;
        address = true;
        cut = cut || begins_word(parts[j].bytes.begin);
      }
      if (address) seen_.addresses[cut ? 0 : 1] += 1;
    }
  }

  /// Signs in one word, from atom `first`; the one behind them.
  [[nodiscard]] std::size_t observe_row(std::size_t first) {
    std::size_t behind = first + 1;
    for (; behind < merged_.size() && merged_[behind].what == kind::sign; ++behind) {
      const auto text = [&](std::size_t i) { return word_parts::text_of(text_, merged_[i].bytes); };
      const bool cut = begins_word(merged_[behind].bytes.begin);
      seen_.pairs[std::string(text(behind - 1)).append(text(behind))][cut ? 0 : 1] += 1;
      if (cut) break;
    }
    return behind;
  }

  /// Whether the signs of place_ belong to what stands before them.
  bool observe_sign(const word_parts::stretch_walker& walker, std::size_t first,
                    std::size_t behind) {
    const index_t begin = merged_[first].bytes.begin;
    const bool has_left = place_.is_behind_run();
    const bool has_right = place_.is_before_run();
    const bool left = has_left && !begins_word(begin);
    const bool right = has_right && !begins_word(merged_[behind].bytes.begin);
    if (walker.is_negation(place_)) {
      const bool cut = begins_word(begin - 1);
      if (cut || left) seen_.negations[cut ? 0 : 1] += 1;
      return left;
    }
    const bool named = has_name(has_left ? merged_[first - 1].bytes.begin : begin,
                                merged_[has_right ? behind : behind - 1].bytes.end);
    const auto count = [&](detail::place_votes& votes) {
      if (has_left) votes.count(0, left, named);
      if (has_right) votes.count(1, right, named);
    };
    const auto key = detail::class_key(place_);
    count(seen_.signs[key]);
    if (left && right) seen_.inside[detail::coarse_key(key)] += 1;
    // Of single letters the classes tell.
    const bool initial = place_.sign == "." && (place_.before == 'i' || place_.before == 'c');
    if (place_.has_short_text_before() && !initial) {
      auto& entry = seen_.before[detail::text_key(place_)];
      entry.text = place_.text_before.size();
      entry.before = place_.before;
      count(entry.votes);
    }
    if (place_.has_short_text_behind())
      count(seen_.behind[place_.sign + std::string(place_.text_behind)]);
    return left;
  }

  /// A sign that is a word by itself between two words, which it may have joined.
  void observe_dash(std::span<const std::string> words, std::size_t i,
                    std::span<const std::string> tags) {
    const std::string text = words[i - 1] + words[i] + words[i + 1];
    const auto place = detail::find_place(text, static_cast<index_t>(words[i - 1].size()));
    if (place.sign.empty()) return;
    detail::place_votes apart;
    const bool named = is_name(tags, i - 1) || is_name(tags, i) || is_name(tags, i + 1);
    for (const std::size_t side : {0U, 1U}) apart.count(side, false, named);
    const auto key = detail::class_key(place);
    seen_.dashes[detail::coarse_key(key)][key].add(apart);
    if (place.has_short_text_before()) {
      auto& entry = seen_.dash_texts[detail::coarse_key(key)][detail::text_key(place)];
      entry.text = place.text_before.size();
      entry.before = place.before;
      entry.votes.add(apart);
    }
  }

  /// A sign that is a word by itself and may have stood at the word before or behind: half a vote
  /// for each. Quotes, above all.
  void observe_lone(std::span<const std::string> words, std::size_t i,
                    std::span<const std::string> tags) {
    using habits = word_parts::typing_habits;
    if (i > 0 && habits::ends_in_letter(words[i - 1]) && !habits::touches(words, i)) {
      auto place =
          detail::find_place(words[i - 1] + words[i], static_cast<index_t>(words[i - 1].size()));
      if (!place.sign.empty() && place.text_behind.empty()) {
        place.behind = 'm';
        seen_.signs[detail::class_key(place)].count(0, false,
                                                    is_name(tags, i - 1) || is_name(tags, i), 0.5);
      }
    }
    if (i + 1 < words.size() && habits::begins_in_letter(words[i + 1]) &&
        !habits::touches(words, i + 1)) {
      const auto place = detail::find_place(words[i] + words[i + 1], 0);
      if (!place.sign.empty() && !place.text_behind.empty()) {
        seen_.signs[detail::class_key(place)].count(1, false,
                                                    is_name(tags, i) || is_name(tags, i + 1), 0.5);
      }
    }
  }

  detail::word_statistics seen_;
  std::string text_;
  std::vector<index_t> begins_;
  std::vector<char> names_;  // of each word that begins there: whether it is part of a name
  std::vector<word_parts::atom> atoms_;
  std::vector<word_parts::atom> merged_;
  word_parts::sign_place place_;
};

namespace detail {

/// Makes rules of what was counted.
class word_rules_maker {
 public:
  explicit word_rules_maker(const word_statistics& seen)
      : seen_(seen), signs_(seen.signs), before_(seen.before), rules_(general_word_rules()) {}

  [[nodiscard]] word_rules make() {
    take_dashes();
    spread_ends(signs_);
    spread_ends(before_);
    drop_split_signs();
    make_signs();
    make_behind();
    make_before();
    for (const auto& [pair, votes] : seen_.pairs) {
      if (votes[0] + votes[1] >= 2) rules_.pairs[pair] = votes[1] > votes[0];
    }
    const auto choose = [](const std::array<double, 2>& votes, bool so_far) {
      return votes[0] == votes[1] ? so_far : votes[1] > votes[0];
    };
    rules_.splits_negations = !choose(seen_.negations, !rules_.splits_negations);
    rules_.keeps_addresses = choose(seen_.addresses, rules_.keeps_addresses);
    rules_.joins_scripts = choose(seen_.scripts, rules_.joins_scripts);
    return std::move(rules_);
  }

 private:
  static constexpr double general_votes = 2;  // what a general rule is worth
  static constexpr double least_exact = 3;  // votes for a rule by exact classes beside coarse ones

  /// A sign such as "-" between words was a dash with spaces, where the corpus has the same sign
  /// inside of many words; else it joined its neighbours. Hyphens and slashes seldom have spaces,
  /// the others often.
  void take_dashes() {
    for (const auto& [coarse, places] : seen_.dashes) {
      double apart = 0;
      for (const auto& [key, votes] : places) apart += votes.total();
      const auto inside = seen_.inside.find(coarse);
      const auto sign = std::string_view(coarse).substr(1, coarse.size() - 2);
      const double usual = sign == "-" || sign == "/" ? 3 : 20;
      if (inside != seen_.inside.end() && usual * inside->second >= apart) continue;
      for (const auto& [key, votes] : places) signs_[key].add(votes);
      const auto texts = seen_.dash_texts.find(coarse);
      if (texts == seen_.dash_texts.end()) continue;
      for (const auto& [key, entry] : texts->second) add(before_[key], entry, 1);
    }
  }

  /// A text may have several sentences: what ends a sentence here stands before the next one there.
  template <class Counts>
  void spread_ends(Counts& all) const {
    double total = 0;
    for (const double count : seen_.starts) total += count;
    Counts more;
    for (const auto& [key, entry] : all) {
      if (key.back() != 'e' || total == 0) continue;
      for (std::size_t i = 0; i < seen_.starts.size(); ++i) {
        auto& to = more[key.substr(0, key.size() - 1) + "mMdp"[i]];
        add(to, entry, seen_.starts[i] / total);
      }
    }
    for (const auto& [key, entry] : more) add(all[key], entry, 1);
  }
  static void add(place_votes& to, const place_votes& more, double weight) { to.add(more, weight); }
  static void add(text_votes& to, const text_votes& more, double weight) {
    to.text = more.text;
    to.before = more.before;
    to.votes.add(more.votes, weight);
  }

  /// A corpus of some size that never has a sign inside of a word cuts at it always.
  void drop_split_signs() {
    const auto sign_of = [](std::string_view key) { return key.substr(1, key.size() - 2); };
    std::map<std::string_view, std::array<double, 2>> by_sign;  // apart, joined
    for (const auto& [key, votes] : signs_) {
      auto& sums = by_sign[sign_of(key)];
      sums[0] += votes.all.apart[0] + votes.all.apart[1];
      sums[1] += votes.all.joined[0] + votes.all.joined[1];
    }
    for (const auto& [sign, sums] : by_sign) {
      if (sums[1] > 0 || sums[0] < 1000) continue;
      for (auto& [key, how] : rules_.signs) {
        if (sign_of(key) == sign) how = joins::none;
      }
      std::erase_if(rules_.before, [&, s = sign](const auto& entry) {
        return std::string_view(entry.first).substr(0, entry.first.find('|')).ends_with(s);
      });
      std::erase_if(rules_.behind,
                    [&, s = sign](const auto& entry) { return entry.first.starts_with(s); });
    }
  }

  /// Coarse classes first: exact ones are kept where they differ.
  void make_signs() {
    std::array<place_counts, 2> levels;
    for (const auto& [key, votes] : signs_) {
      const auto coarse = coarse_key(key);
      levels[0][coarse].add(votes);
      if (coarse != key) levels[1][key] = votes;
    }
    for (std::size_t level = 0; level < levels.size(); ++level) {
      for (const auto& [key, votes] : levels[level]) {
        if (level == 1 && votes.total() < least_exact) continue;
        word_parts::sign_place place;
        place.before = key.front();
        place.sign = key.substr(1, key.size() - 2);
        place.behind = key.back();
        const joins so_far = by_class(place);
        const joins learned = votes.decide(so_far, general_votes);
        if (learned != so_far) rules_.signs[key] = learned;
      }
    }
  }

  /// Clitics, and what else an apostrophe stands before.
  void make_behind() {
    for (const auto& [key, votes] : seen_.behind) {
      const bool typographic = key.starts_with("\u2019");
      if ((key.front() != '\'' && !typographic) || votes.total() < 2) continue;
      const auto found = rules_.behind.find(key);
      const auto general = rules_.signs.find(typographic ? "a\u2019a" : "a'a");
      const joins so_far = found != rules_.behind.end()    ? found->second
                           : general != rules_.signs.end() ? general->second
                                                           : joins::none;
      const joins learned = votes.decide(so_far, 1);
      if (learned != so_far) rules_.behind[key] = learned;
    }
  }

  /// Abbreviations, prefixes and the like: texts before a sign that differ from what the classes
  /// say.
  void make_before() {
    struct found {
      double votes;
      const std::string* key;
      joins how;
    };
    std::vector<found> learned;
    for (const auto& [key, entry] : before_) {
      const auto bar = key.size() - 2;
      word_parts::sign_place place;
      place.text_before = std::string_view(key).substr(0, entry.text);
      place.before = entry.before;
      place.sign = key.substr(entry.text, bar - entry.text);
      place.behind = key.back();
      const auto* listed = word_parts::place_lookup(rules_).find_by_text(place);
      const joins so_far = listed != nullptr ? *listed : by_class(place);
      const joins how = entry.votes.decide(so_far, listed != nullptr ? general_votes : 1);
      if (how != so_far) learned.push_back({entry.votes.total(), &key, how});
    }
    sort_stably(learned.begin(), learned.end(),
                [](const found& a, const found& b) { return a.votes > b.votes; });
    if (learned.size() > word_rules_learner::most_texts)
      learned.resize(word_rules_learner::most_texts);
    for (const auto& each : learned) rules_.before[*each.key] = each.how;
  }

  [[nodiscard]] joins by_class(const word_parts::sign_place& place) const {
    const auto* found = word_parts::place_lookup(rules_).find_by_class(place);
    return found != nullptr ? *found : joins::none;
  }

  const word_statistics& seen_;
  place_counts signs_;
  text_counts before_;
  word_rules rules_;
};

}  // namespace detail

inline word_rules word_rules_learner::rules() const {
  return detail::word_rules_maker(seen_).make();
}

}  // namespace onoma::inline ONOMA_ABI
