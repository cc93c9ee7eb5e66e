/// Rules and gazetteers that go through texts together, and reading both from files.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/document.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/match/gazetteer_layout.hpp>
#include <onoma/match/gazetteer_text.hpp>
#include <onoma/match/match.hpp>
#include <onoma/match/rules.hpp>
#include <onoma/text/words/words.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What looks for entities without a model. Of several that match one place, those of `patterns` come
/// first, each kind in its order.
struct matchers {
  /// Memory of one thread.
  class workspace {
    friend struct matchers;
    std::vector<rules::workspace> patterns_;
    std::vector<gazetteer::workspace> gazetteers_;
  };

  std::vector<rules> patterns{};        ///< go through words
  std::vector<gazetteer> gazetteers{};  ///< go through text
  match_policy policy = match_policy::before;  ///< what becomes of a model's entities
  /// Cuts raw texts into words for `patterns`. It must be what cut their phrases.
  std::function<std::vector<byte_span>(std::string_view)> split =
      [](std::string_view text) { return find_words(text); };

  /// Whether nothing looks.
  [[nodiscard]] bool empty() const noexcept { return patterns.empty() && gazetteers.empty(); }

  /// The labels of what may be found, each once, by name.
  [[nodiscard]] std::vector<std::string> labels() const {
    std::vector<std::string> all;
    for (const auto& each : patterns) {
      for (std::size_t i = 0; i < static_cast<std::size_t>(each.size()); ++i) all.push_back(each[i].label);
    }
    for (const auto& each : gazetteers) {
      const auto labels = each.labels();
      all.insert(all.end(), labels.begin(), labels.end());
    }
    std::sort(all.begin(), all.end());
    all.erase(std::unique(all.begin(), all.end()), all.end());
    return all;
  }

  /// Appends what matches in a document that has words, and whose spans are a model's entities, if a model ran.
  /// ENT_TYPE sees these as the policy says. `words_are_given`: the words are not those of `split`. Phrases are
  /// then looked for in the words that it cuts, and matches that do not begin and end with words of the document
  /// are left out, since an entity among given words is of whole words.
  /// @throws onoma::error as `rules::find` and `gazetteer::find`.
  void find(const document& d, bool words_are_given, std::vector<match>& found, workspace& memory) const {
    const bool sees_entities = policy == match_policy::after || policy == match_policy::overriding;
    memory.patterns_.resize(patterns.size());
    memory.gazetteers_.resize(gazetteers.size());
    std::vector<byte_span> phrase_words;
    if (words_are_given && !patterns.empty()) phrase_words = split(d.text);
    for (std::size_t i = 0; i < patterns.size(); ++i) {
      patterns[i].find(d, sees_entities, found, memory.patterns_[i], phrase_words);
    }
    const auto before = static_cast<std::ptrdiff_t>(found.size());
    for (std::size_t i = 0; i < gazetteers.size(); ++i) {
      gazetteers[i].find(d, found, memory.gazetteers_[i]);
    }
    if (!words_are_given) return;
    found.erase(std::remove_if(found.begin() + before, found.end(),
                               [&](const match& m) { return !is_of_words(d, m.bytes); }),
                found.end());
  }

 private:
  /// Whether a place begins and ends with words.
  [[nodiscard]] static bool is_of_words(const document& d, byte_span place) {
    const auto word_at = [&](index_t byte) {
      return std::partition_point(d.words.begin(), d.words.end(),
                                  [&](byte_span w) { return w.end <= byte; });
    };
    const auto first = word_at(place.begin);
    const auto last = word_at(place.end - 1);
    return !place.empty() && last != d.words.end() && first->begin == place.begin &&
           last->end == place.end;
  }
};

/// Files of rules and gazetteers, and how they are used.
struct matcher_files {
  std::vector<std::filesystem::path> patterns{};    ///< JSON lines, as `rules::read` reads them
  std::vector<std::filesystem::path> gazetteers{};  ///< compiled, or text with a label in each line
  match_policy policy = match_policy::before;       ///< of `matchers`
};

/// Reads rules and gazetteers; a compiled gazetteer is mapped, and told by its first bytes. `remarks` get what
/// is odd: patterns that match any words or none, files without any entry, and lines that give none.
/// @throws onoma::error as `rules::read`, `gazetteer::open` and `read_gazetteer_text`.
[[nodiscard]] inline matchers read_matchers(const matcher_files& files,
                                            std::vector<std::string>* remarks = nullptr) {
  matchers look;
  look.policy = files.policy;
  const auto say = [&](std::string what) {
    if (remarks != nullptr) remarks->push_back(std::move(what));
  };
  for (const auto& path : files.patterns) {
    const auto& made = look.patterns.emplace_back(rules::read(path));
    if (made.size() == 0) say(path.string() + ": no rules");
    // A file of a thousand odd patterns is one mistake.
    constexpr std::size_t most = 3;
    const auto& odd = made.remarks();
    for (std::size_t i = 0; i < std::min(odd.size(), most); ++i) say(odd[i]);
    if (odd.size() > most) {
      say(path.string() + ": " + std::to_string(odd.size()) + " of " + std::to_string(made.size()) +
          " patterns match any words or none");
    }
  }
  for (const auto& path : files.gazetteers) {
    if (is_gazetteer(mapped_file(path).bytes())) {
      look.gazetteers.push_back(gazetteer::open(path));
    } else {
      auto read = read_gazetteer_text(path);
      for (auto& remark : read.counts.remarks(path.string())) say(std::move(remark));
      look.gazetteers.push_back(std::move(read.compiled));
    }
    if (look.gazetteers.back().size() == 0) say(path.string() + ": no entries");
  }
  return look;
}

}  // namespace onoma::inline ONOMA_ABI
