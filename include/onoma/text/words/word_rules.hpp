/// Words of running text as annotated corpora have them: by rules that a corpus can teach.
#pragma once

#include <onoma/core/config.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/text/words/addresses.hpp>
#include <onoma/text/words/sign_places.hpp>
#include <onoma/text/words/word_atoms.hpp>
#include <onoma/text/words/word_rule_tables.hpp>

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Finds words by rules, and keeps its memory from text to text. One thread at a time.
class word_finder {
 public:
  /// `rules` must outlive this.
  explicit word_finder(const word_rules& rules) : rules_(rules), lookup_(rules) {}

  /// The words of a text, in order, in the place of what `words` held. Like those of
  /// `find_words(text)` they cover exactly what is neither White_Space nor U+200B, and cut no
  /// grapheme cluster; scripts without spaces are cut as there. Time grows with the text.
  /// `pause` is called between stretches without white space, once in a while; it may throw to end the search.
  /// @throws onoma::error (parse) if the text is not UTF-8; what `pause` throws.
  void find(std::string_view text, std::vector<byte_span>& words, function_ref<void()> pause = do_nothing) {
    words.clear();
    text_ = text;
    words_ = &words;
    constexpr int stretches = 1024;  // a fraction of a millisecond
    int count = 0;
    const auto sink = [&](std::span<atom> atoms, word_parts::stretch_end end) {
      if (++count % stretches == 0) pause();
      cut(atoms, end);
    };
    word_parts::atom_scanner<decltype(sink)>(text, atoms_, sink).run();
  }

 private:
  using atom = word_parts::atom;

  void close(index_t at) {
    if (at > begin_) words_->push_back({begin_, at});
    begin_ = at;
  }

  /// The words of one stretch without white space.
  void cut(std::span<atom> atoms, word_parts::stretch_end end) {
    if (rules_.keeps_addresses) atoms = atoms.first(word_parts::merge_addresses(text_, atoms));
    const word_parts::stretch_walker walker(text_, atoms, end);
    begin_ = atoms.front().bytes.begin;
    bool joined = false;  // the sign before belongs to the word before it
    for (std::size_t i = 0; i < atoms.size();) {
      if (atoms[i].what == atom::kind::sign) {
        i = cut_at_sign(walker, atoms, i, joined);
        continue;
      }
      // Without a sign between them, of two scripts, or a run and an address.
      const bool one = rules_.joins_scripts && atoms[i].what == atom::kind::script && i > 0 &&
                       atoms[i - 1].what == atom::kind::script;
      if (i > 0 && !one && atoms[i - 1].what != atom::kind::sign) close(atoms[i].bytes.begin);
      joined = false;
      ++i;
    }
    close(atoms.back().bytes.end);
  }

  /// Closes the words that end at the sign which begins with atom `first`; the atom behind it.
  std::size_t cut_at_sign(const word_parts::stretch_walker& walker, std::span<const atom> atoms,
                          std::size_t first, bool& joined) {
    std::size_t behind = first + 1;
    while (behind < atoms.size() && walker.is_one_sign(behind, rules_, key_)) ++behind;
    walker.describe(first, behind, joined, place_);
    if (behind == first + 2 && place_.sign == ".." && ends_abbreviation(walker, first, joined))
      --behind;
    const index_t begin = atoms[first].bytes.begin;
    if (rules_.splits_negations && walker.is_negation(place_)) {
      close(begin - 1);
      joined = true;
      return behind;
    }
    const auto how = static_cast<unsigned>(lookup_.find(place_));
    joined = (how & static_cast<unsigned>(joins::left)) != 0 && place_.is_behind_run();
    const bool to_right =
        (how & static_cast<unsigned>(joins::right)) != 0 && place_.is_before_run();
    if (!joined) close(begin);
    if (behind == atoms.size() || to_right) return behind;
    // A sign that belongs to the word before it leaves it open for the next one: U.S.-based.
    if (!joined || atoms[behind].what != atom::kind::sign) close(atoms[behind].bytes.begin);
    return behind;
  }

  /// Whether of two periods the first belongs to the word before it: "Acme Inc..". If so, place_
  /// becomes its place.
  [[nodiscard]] bool ends_abbreviation(const word_parts::stretch_walker& walker, std::size_t first,
                                       bool joined) {
    walker.describe(first, first + 1, joined, place_);
    const auto* found = lookup_.find_by_text(place_);
    if (found == nullptr) found = lookup_.find_by_class(place_);
    if (found != nullptr && *found == joins::left) return true;
    walker.describe(first, first + 2, joined, place_);
    return false;
  }

  const word_rules& rules_;
  word_parts::place_lookup lookup_;
  std::string_view text_;
  std::vector<byte_span>* words_ = nullptr;
  index_t begin_ = 0;  // of the open word
  std::vector<atom> atoms_;
  word_parts::sign_place place_;
  std::string key_;
};

/// The words of a text by rules: see `word_finder`. @throws onoma::error (parse) if the text is not
/// UTF-8.
[[nodiscard]] inline std::vector<byte_span> find_words(std::string_view text,
                                                       const word_rules& rules) {
  std::vector<byte_span> words;
  word_finder(rules).find(text, words);
  return words;
}

}  // namespace onoma::inline ONOMA_ABI
