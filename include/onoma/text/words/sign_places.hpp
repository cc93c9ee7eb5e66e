/// Signs in text, with what stands around them, as word rules look them up.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/words/word_atoms.hpp>
#include <onoma/text/words/word_rule_tables.hpp>

#include <algorithm>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI::word_parts {

/// Exact classes of `word_rules` as the coarse ones that they belong to.
[[nodiscard]] constexpr char coarse_before(char fine) {
  switch (fine) {
    case 'i':
    case 'c':
    case 'w': return 'a';
    case 'n':
    case '9': return '9';
    default: return '^';
  }
}
[[nodiscard]] constexpr char coarse_behind(char fine) {
  switch (fine) {
    case 'i':
    case 'l':
    case 'U': return 'a';
    case 'n':
    case '9': return '9';
    default: return '$';
  }
}

/// A sign with what stands around it, as `word_rules` writes places.
struct sign_place {
  std::string sign;
  std::string_view text_before;  // of the run before it
  std::string_view text_behind;
  char before = '^';
  char behind = 'e';
  unicode::word_class kind = unicode::word_class::other;  // of the sign, if it is one
  bool after_hebrew = false;
  bool before_hebrew = false;

  [[nodiscard]] bool is_behind_run() const { return coarse_before(before) != '^'; }
  [[nodiscard]] bool is_before_run() const { return coarse_behind(behind) != '$'; }
  /// Texts that are worth an entry: abbreviations, prefixes, clitics.
  static constexpr std::size_t longest_text = 24;
  [[nodiscard]] bool has_short_text_before() const {
    return !text_before.empty() && text_before.size() <= longest_text;
  }
  [[nodiscard]] bool has_short_text_behind() const {
    return !text_behind.empty() && text_behind.size() <= longest_text;
  }
};

/// Looks places up, the exact before the general.
class place_lookup {
 public:
  explicit place_lookup(const word_rules& rules) : rules_(rules) {}

  [[nodiscard]] joins find(const sign_place& at) {
    if (const auto* found = find_by_text(at)) return *found;
    if (const auto* found = find_by_class(at)) return *found;
    return by_unicode(at);
  }

  [[nodiscard]] const joins* find_by_text(const sign_place& at) {
    if (at.has_short_text_behind()) {
      key_.assign(at.sign).append(at.text_behind);
      if (const auto* found = look(rules_.behind)) return found;
    }
    if (!at.has_short_text_before()) return nullptr;
    key_.assign(at.text_before).append(at.sign);
    // Most words are in no key: one look for all three.
    const auto next = rules_.before.lower_bound(key_);
    if (next == rules_.before.end() || next->first.compare(0, key_.size(), key_) != 0)
      return nullptr;
    const std::size_t size = key_.size();
    key_.append({'|', at.behind});
    if (const auto* found = look(rules_.before)) return found;
    key_.back() = coarse_behind(at.behind);
    if (const auto* found = look(rules_.before)) return found;
    key_.resize(size);
    return look(rules_.before);
  }

  [[nodiscard]] const joins* find_by_class(const sign_place& at) {
    for (const char before : {at.before, coarse_before(at.before)}) {
      for (const char behind : {at.behind, coarse_behind(at.behind)}) {
        key_.assign(1, before).append(at.sign).push_back(behind);
        if (const auto* found = look(rules_.signs)) return found;
        if (behind == coarse_behind(at.behind)) break;
      }
      if (before == coarse_before(at.before)) break;
    }
    return nullptr;
  }

  /// Other signs join by annex 29 (WB6, 7, 7a to 7c, 11, 12, 13a, 13b; see `find_words`).
  [[nodiscard]] static joins by_unicode(const sign_place& at) {
    using word = unicode::word_class;
    const char before = coarse_before(at.before);
    const char behind = coarse_behind(at.behind);
    if (at.after_hebrew && at.sign == "'") return behind == 'a' ? joins::both : joins::left;
    if (before == '^' || behind == '$') return joins::none;
    if (at.kind == word::connector) return joins::both;
    if (at.kind == word::double_quote) {
      return at.after_hebrew && at.before_hebrew ? joins::both : joins::none;
    }
    const bool letters = at.kind == word::mid_letter || at.kind == word::mid_either;
    const bool numbers = at.kind == word::mid_number || at.kind == word::mid_either;
    const bool joined = (letters && before == 'a' && behind == 'a' && at.sign != ":") ||
                        (numbers && before == '9' && behind == '9');
    return joined ? joins::both : joins::none;
  }

 private:
  [[nodiscard]] const joins* look(const word_rules::place_table& table) const {
    const auto found = table.find(std::string_view(key_));
    return found == table.end() ? nullptr : &found->second;
  }

  const word_rules& rules_;
  std::string key_;
};

/// One stretch of text without white space, sign by sign. Who walks says after each sign what
/// became of it: `find_words` by rules, who learns rules by what the corpus did.
class stretch_walker {
 public:
  stretch_walker(std::string_view text, std::span<const atom> atoms, stretch_end end)
      : text_(text), atoms_(atoms), end_(end) {}

  /// Whether atoms i - 1 and i are of one sign: `pairs`, or the same sign again.
  [[nodiscard]] bool is_one_sign(std::size_t i, const word_rules& rules, std::string& key) const {
    if (atoms_[i].what != atom::kind::sign || atoms_[i - 1].what != atom::kind::sign) return false;
    const auto a = text_of(text_, atoms_[i - 1].bytes);
    const auto b = text_of(text_, atoms_[i].bytes);
    key.assign(a).append(b);
    if (const auto found = rules.pairs.find(std::string_view(key)); found != rules.pairs.end()) {
      return found->second;
    }
    return a == b && a.size() == 1 &&
           std::string_view("()[]{}\"").find(a) == std::string_view::npos;
  }

  /// The place of the sign of atoms [first, end). `joined`: the sign before it belongs to a word of
  /// letters or digits that goes up to `first`.
  void describe(std::size_t first, std::size_t end, bool joined, sign_place& place) const {
    place.sign.clear();
    const auto sign = atoms_.subspan(first, end - first);
    const bool row = std::all_of(sign.begin(), sign.end(), [&](const atom& part) {
      return text_of(text_, part.bytes) == text_of(text_, atoms_[first].bytes);
    });
    for (std::size_t i = first; i < (row ? std::min(end, first + 2) : end); ++i) {
      place.sign.append(text_of(text_, atoms_[i].bytes));
    }
    // A row of periods joins nothing by itself.
    place.kind = end == first + 1 ? atoms_[first].first : unicode::word_class::other;
    const bool run_before = first > 0 && atoms_[first - 1].what == atom::kind::run;
    const bool run_behind = end < atoms_.size() && atoms_[end].what == atom::kind::run;
    place.before = class_before(first, joined);
    place.behind = class_behind(end);
    place.text_before = run_before ? text_of(text_, atoms_[first - 1].bytes) : std::string_view();
    place.text_behind = run_behind ? text_of(text_, atoms_[end].bytes) : std::string_view();
    place.after_hebrew = run_before && atoms_[first - 1].ends_in_hebrew;
    place.before_hebrew = run_behind && atoms_[end].first == unicode::word_class::hebrew;
  }

  /// Whether it is the apostrophe of "don't".
  [[nodiscard]] static bool is_negation(const sign_place& place) {
    if (place.sign != "'" && place.sign != "\u2019") return false;
    if (place.text_behind != "t" && place.text_behind != "T") return false;
    if (place.text_before.size() < 2) return false;
    const char last = place.text_before.back();
    return last == 'n' || last == 'N';
  }

 private:
  [[nodiscard]] char class_before(std::size_t first, bool joined) const {
    if (first == 0) return '^';
    const auto& last = atoms_[first - 1];
    if (last.what == atom::kind::sign) return joined ? 'w' : '^';
    if (last.what == atom::kind::script) return '^';
    if (last.ends_in_digit) return last.number && first == 1 && last.bytes.size() <= 2 ? 'n' : '9';
    if (!last.single) return 'w';
    const bool goes_on = first > 2 && atoms_[first - 3].what == atom::kind::run;
    if (!goes_on) return 'i';
    return text_of(text_, atoms_[first - 2].bytes) == "." ? 'c'
                                                          : 'w';  // the t of can't is no initial
  }

  [[nodiscard]] char class_behind(std::size_t end) const {
    if (end == atoms_.size()) {
      switch (end_) {
        case stretch_end::lower: return 'm';
        case stretch_end::upper: return 'M';
        case stretch_end::digit: return 'd';
        case stretch_end::sign: return 'p';
        default: return 'e';
      }
    }
    const auto& next = atoms_[end];
    if (next.what == atom::kind::sign) {
      const auto sign = text_of(text_, next.bytes);
      return sign == "," || sign == ";" || sign == ":" ? ',' : 's';
    }
    if (next.what == atom::kind::script) return 's';
    if (next.first == unicode::word_class::numeric)
      return next.number && next.bytes.size() <= 2 ? 'n' : '9';
    return next.single ? 'i' : next.upper ? 'U' : 'l';
  }

  std::string_view text_;
  std::span<const atom> atoms_;
  stretch_end end_;
};

}  // namespace onoma::inline ONOMA_ABI::word_parts
