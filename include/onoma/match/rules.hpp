/// Rules that find entities among the words of documents: patterns of spaCy's EntityRuler and of
/// Prodigy.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/data/document.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/match/match.hpp>
#include <onoma/match/seen_words.hpp>
#include <onoma/match/token_pattern.hpp>
#include <onoma/match/unit_table.hpp>
#include <onoma/match/word_sequences.hpp>
#include <onoma/text/words/words.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How patterns are read.
struct rules_options {
  /// Cuts phrases (patterns that are strings) into words. It must cut as the documents were cut.
  std::function<std::vector<byte_span>(std::string_view)> split =
      [](std::string_view text) { return find_words(text); };
  bool fold_phrases =
      false;  ///< phrases are compared by LOWER (spaCy's phrase_matcher_attr), else by TEXT
  std::string language =
      "en";  ///< whose number words LIKE_NUM knows: "en", or "xx" for none; else it is refused
};

/// A rule, as its file has it.
struct rule {
  std::string label;  ///< of what it finds
  std::string id;     ///< its name; may be empty
  index_t line = 0;   ///< where it stands in its file, from 1
  bool is_phrase = false;  ///< its pattern is a string
};

/// Patterns in JSON lines: `{"label": "ORG", "pattern": "Apple Inc.", "id": "apple"}`, where the
/// pattern is a phrase or a list of one object for each word (spacy.io/api/matcher). Immutable; one
/// serves many threads.
///
/// Matches are those of spaCy 3.8's EntityRuler on the same words. Where two rules match the same
/// words, spaCy takes one by the order of a hash table; here it is the one that stands first.
class rules {
 public:
  /// Memory of one thread.
  class workspace {
    friend class rules;
    struct place {
      std::uint64_t order;  // longer ones first, then by the first word
      std::uint32_t rule;
      std::uint32_t first;  // word
      std::uint32_t count;  // words
      friend bool operator==(const place&, const place&) = default;
      friend bool operator<(const place& a, const place& b) {
        return a.order != b.order ? a.order < b.order : a.rule < b.rule;
      }
    };
    std::vector<place> places_;
    seen_words seen_;
    std::shared_ptr<const void> owner_;  // of the tests that `seen_` answers
    std::vector<std::uint32_t> words_;   // numbers in `seen_`
    std::vector<std::uint32_t>
        labels_;  // of the entities that words are of, among the tests' strings
    std::vector<std::string_view> label_texts_;
    std::vector<std::uint32_t> now_;  // steps of a pattern
    std::vector<std::uint32_t> next_;
    std::vector<std::uint64_t> marks_;
    std::uint64_t mark_ = 0;
    index_t steps_left_ = 0;
  };

  /// Reads patterns. `name` is the file's, for messages.
  /// @throws onoma::error (parse) for what is no JSON, (format) for what is no pattern,
  /// (unsupported) for an attribute or operator that this library does not have, by name; all by
  /// line.
  [[nodiscard]] static rules parse(std::string_view text, const std::string& name,
                                   const rules_options& options = {}) {
    auto made = std::make_shared<parts>(options);
    if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
    for (index_t line = 1; !text.empty(); ++line) {
      const auto end = text.find('\n');
      const auto content = trim_white_space(text.substr(0, end));
      text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
      if (!content.empty()) made->read(content, line, name, options);
    }
    made->phrases.compile();
    made->lower_phrases.compile();
    made->index();
    return rules(std::move(made));
  }

  /// The same for a file. @throws onoma::error (file_not_found, io), and as `parse`.
  [[nodiscard]] static rules read(const std::filesystem::path& path,
                                  const rules_options& options = {}) {
    const mapped_file file(path, file_access::copied);
    return parse(file.text(), path.string(), options);
  }

  /// How many rules.
  [[nodiscard]] index_t size() const noexcept { return static_cast<index_t>(parts_->all.size()); }
  /// Rule i, unchecked.
  [[nodiscard]] const rule& operator[](std::size_t i) const { return parts_->all[i]; }
  /// What is odd about patterns, by line: that they match any words, or none.
  [[nodiscard]] const std::vector<std::string>& remarks() const noexcept { return parts_->remarks; }

  /// Appends what matches in a document, overlapping places too. `sees_entities`: ENT_TYPE asks for
  /// the document's spans, of several over a word for the first; else no word is of an entity.
  /// `phrase_words`: where the document's words are not those that `rules_options::split` finds in
  /// its text, these; phrases are then looked for among them, and are there where they begin and
  /// end with words of the document.
  /// @throws onoma::error (invalid_argument) for a document with text and without words,
  /// (out_of_range) for words that are not of its text, (limit_exceeded) where one pattern takes
  /// more than 10,000 steps for each word and 50 million, or has more than a million matches,
  /// naming its line; (unsupported) for a regular expression that takes too long.
  void find(const document& d, bool sees_entities, std::vector<match>& found, workspace& memory,
            std::span<const byte_span> phrase_words = {}) const {
    check_words(d, d.words);
    if (!phrase_words.empty()) check_words(d, phrase_words);
    auto& places = memory.places_;
    places.clear();
    const auto use = [&](std::size_t first, std::size_t behind, std::uint32_t number) {
      const auto from = static_cast<std::uint32_t>(first);
      const auto words = static_cast<std::uint32_t>(behind - first);
      places.push_back({std::uint64_t{~words} << 32 | from, number, from, words});
    };
    if (phrase_words.empty()) {
      scan_sequences(d, d.words, use);
    } else {
      scan_sequences(d, d.words, [&](std::size_t first, std::size_t behind, std::uint32_t number) {
        if (!parts_->all[number].is_phrase) use(first, behind, number);
      });
      const auto at = [&](index_t byte) {
        return std::partition_point(d.words.begin(), d.words.end(),
                                    [&](byte_span w) { return w.end <= byte; });
      };
      scan_sequences(d, phrase_words, [&](std::size_t first, std::size_t behind, std::uint32_t number) {
        if (!parts_->all[number].is_phrase) return;
        const byte_span bytes{phrase_words[first].begin, phrase_words[behind - 1].end};
        const auto from = at(bytes.begin);
        const auto last = at(bytes.end - 1);
        if (last == d.words.end() || from->begin != bytes.begin || last->end != bytes.end) return;
        use(static_cast<std::size_t>(from - d.words.begin()),
            static_cast<std::size_t>(last - d.words.begin()) + 1, number);
      });
    }
    if (!parts_->patterns.empty()) find_patterns(d, sees_entities, memory, use);
    // In the order of `choose_matches`; of two rules at one place the first one first.
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    found.reserve(found.size() + places.size());
    const auto labels = parts_->labels.view().units;
    for (const auto& p : places) {
      const byte_span bytes{d.words[p.first].begin, d.words[p.first + p.count - 1].end};
      const auto label = labels[parts_->labels_of[p.rule]];
      const auto id =
          parts_->any_id ? std::string_view(parts_->all[p.rule].id) : std::string_view();
      found.push_back({bytes, p.count, p.first, label, id, entity_source::rule});
    }
  }

 private:
  /// A pattern that is more than a sequence of strings.
  struct pattern {
    std::uint32_t rule;
    std::vector<pattern_step> steps;
  };
  struct parts {
    explicit parts(const rules_options& options)
        : tests(options.language == "en" || options.language == "xx"),
          english(options.language == "en") {}

    void read(std::string_view line_text, index_t line, const std::string& name,
              const rules_options& options);
    void add_phrase(std::uint32_t number, const std::string& text, const std::string& where,
                    const rules_options& options);
    void add_pattern(std::uint32_t number, const json& list, const std::string& where);
    [[nodiscard]] static std::vector<std::string> sequence_of(const json& list, word_string of);
    void index();

    std::vector<rule> all;
    unit_numbers labels;  // each once, as they are asked for more often than all of `rule`
    std::vector<std::uint32_t> labels_of;  // of each rule
    bool any_id = false;
    std::vector<std::string> remarks;
    word_sequences phrases;        // by TEXT
    word_sequences lower_phrases;  // by LOWER
    word_tests tests;
    bool english;
    std::vector<pattern> patterns;
    // Patterns by the string that their first word has, and others.
    std::vector<std::vector<std::uint32_t>> by_text;
    std::vector<std::vector<std::uint32_t>> by_lower;
    std::vector<std::uint32_t> others;
  };

  explicit rules(std::shared_ptr<const parts> made) : parts_(std::move(made)) {}

  static std::string_view text_of(const document& d, byte_span word) {
    return std::string_view(d.text).substr(static_cast<std::size_t>(word.begin),
                                           static_cast<std::size_t>(word.size()));
  }
  static std::string_view word_of(const document& d, std::size_t i) { return text_of(d, d.words[i]); }

  /// Calls `use` for each sequence of strings among some words of a document.
  template <class Use>
  void scan_sequences(const document& d, std::span<const byte_span> words, Use use) const {
    if (!parts_->phrases.empty()) {
      parts_->phrases.scan(
          words.size(),
          [&](std::size_t i) { return parts_->phrases.number(text_of(d, words[i])); }, use);
    }
    if (!parts_->lower_phrases.empty()) {
      std::vector<std::uint32_t> characters;
      parts_->lower_phrases.scan(
          words.size(),
          [&](std::size_t i) { return lower_number(text_of(d, words[i]), characters); }, use);
    }
  }

  static void check_words(const document& d, std::span<const byte_span> words) {
    if (words.empty() && !trim_white_space(d.text).empty()) {
      fail(error_code::invalid_argument, "looking for rules", "a document that is cut into words",
           "one without words");
    }
    index_t behind = 0;
    const auto size = static_cast<index_t>(d.text.size());
    for (const auto word : words) {
      if (word.begin < behind || word.end <= word.begin || word.end > size) {
        fail(error_code::out_of_range, "looking for rules", "words of the text, in order",
             std::to_string(word.begin) + " to " + std::to_string(word.end));
      }
      behind = word.end;
    }
    validate_utf8(d.text, "looking for rules");
  }

  [[nodiscard]] std::uint32_t lower_number(std::string_view word,
                                           std::vector<std::uint32_t>& characters) const {
    constexpr std::size_t most = 64;
    char small[most];
    if (word.size() <= most) {
      std::size_t i = 0;
      for (; i < word.size() && static_cast<unsigned char>(word[i]) < 0x80U; ++i) {
        small[i] = word[i] >= 'A' && word[i] <= 'Z' ? static_cast<char>(word[i] + 32) : word[i];
      }
      if (i == word.size()) return parts_->lower_phrases.number({small, i});
    }
    lexical::code_points_of(word, characters);
    return parts_->lower_phrases.number(lexical::lower(characters));
  }

  template <class Use>
  void find_patterns(const document& d, bool sees_entities, workspace& memory, Use use) const;
  template <class Use>
  void run(const document& d, const pattern& p, std::size_t first, workspace& memory,
           index_t& matches, Use use) const;
  void label_words(const document& d, bool sees_entities, workspace& memory) const;
  [[nodiscard]] bool passes(const document& d, const pattern_step& step, std::size_t word,
                            workspace& memory) const;

  std::shared_ptr<const parts> parts_;
};

inline void rules::parts::read(std::string_view line_text, index_t line, const std::string& name,
                               const rules_options& options) {
  const std::string where = "reading " + name + ", line " + std::to_string(line);
  json entry;
  try {
    entry = parse_json(line_text, name);
  } catch (const error& problem) {
    fail(problem.code(), where, problem.expected(), problem.found());
  }
  if (!entry.is_object())
    fail(error_code::format, where, "an object with a label and a pattern", describe(entry));
  rule made;
  made.label = require<std::string>(entry, "label", where);
  made.id = value_or<std::string>(entry, "id", {}, where);
  made.line = line;
  if (made.label.empty()) fail(error_code::format, where, "a label", "an empty one");
  const json& what = member(entry, "pattern");
  made.is_phrase = what.is_string();
  const auto number = static_cast<std::uint32_t>(all.size());
  labels_of.push_back(labels.number(made.label));
  any_id = any_id || !made.id.empty();
  all.push_back(std::move(made));
  if (what.is_string()) {
    add_phrase(number, what.get_ref<const std::string&>(), where, options);
  } else if (what.is_array()) {
    add_pattern(number, what, where);
  } else {
    fail(error_code::format, where, "a pattern that is a string or a list", describe(what));
  }
}

inline void rules::parts::add_phrase(std::uint32_t number, const std::string& text,
                                     const std::string& where, const rules_options& options) {
  std::vector<std::string> words;
  std::vector<std::uint32_t> characters;
  for (const auto word : options.split(text)) {
    auto one =
        text.substr(static_cast<std::size_t>(word.begin), static_cast<std::size_t>(word.size()));
    if (options.fold_phrases) {
      lexical::code_points_of(one, characters);
      one = lexical::lower(characters);
    }
    words.push_back(std::move(one));
  }
  if (words.empty()) fail(error_code::format, where, "a phrase with a word", describe(json(text)));
  (options.fold_phrases ? lower_phrases : phrases).add(number, words);
}

/// The strings of a pattern whose every word has one string of this kind and nothing else; none for
/// other patterns.
inline std::vector<std::string> rules::parts::sequence_of(const json& list, word_string of) {
  std::vector<std::string> words;
  for (const json& part : list) {
    if (!part.is_object() || part.size() != 1 || !part.begin().value().is_string()) return {};
    const auto attribute = word_tests::string_attribute(part.begin().key());
    if (attribute != of) return {};
    words.push_back(part.begin().value().get<std::string>());
  }
  return words;
}

inline void rules::parts::add_pattern(std::uint32_t number, const json& list,
                                      const std::string& where) {
  // A sequence of strings of one kind is a phrase.
  for (const auto of : {word_string::text, word_string::lower}) {
    const auto words = sequence_of(list, of);
    if (words.empty()) continue;
    (of == word_string::text ? phrases : lower_phrases).add(number, words);
    return;
  }
  auto steps = tests.read(list, where);
  const bool open = std::all_of(steps.begin(), steps.end(),
                                [](const pattern_step& step) { return step.tests.empty(); });
  const bool never = std::any_of(steps.begin(), steps.end(), [&](const pattern_step& step) {
    if (step.times == repetition::absent) return step.tests.empty();
    return step.times == repetition::once &&
           std::any_of(step.tests.begin(), step.tests.end(), [&](std::uint32_t t) {
             const auto& test = tests[t];
             return test.what == word_test::kind::string && test.expected && test.values.empty();
           });
  });
  if (never) {
    remarks.push_back(where + ": the pattern matches no words");
  } else if (open) {
    remarks.push_back(where + ": the pattern matches any words");
  }
  patterns.push_back({number, std::move(steps)});
}

inline void rules::parts::index() {
  by_text.resize(tests.strings().size());
  by_lower.resize(tests.strings().size());
  for (std::uint32_t i = 0; i < patterns.size(); ++i) {
    const auto& first = patterns[i].steps[0];
    const word_test* anchor = nullptr;
    for (const auto number : first.tests) {
      const auto& test = tests[number];
      const bool found = test.of == word_string::text || test.of == word_string::lower;
      if (test.what == word_test::kind::string && test.expected && found) anchor = &test;
    }
    if (anchor == nullptr || first.times != repetition::once) {
      others.push_back(i);
      continue;
    }
    auto& lists = anchor->of == word_string::text ? by_text : by_lower;
    std::int64_t last = -1;
    for (const auto value : anchor->values) {
      if (value != last) lists[static_cast<std::size_t>(value)].push_back(i);
      last = value;
    }
  }
}

inline void rules::label_words(const document& d, bool sees_entities, workspace& memory) const {
  const auto strings = parts_->tests.strings().view();
  const auto none = strings.find("");
  memory.labels_.assign(d.words.size(), none);
  memory.label_texts_.assign(d.words.size(), {});
  if (!sees_entities) return;
  for (auto e = d.spans.rbegin(); e != d.spans.rend(); ++e) {
    const auto bytes = e->span.bytes;
    auto word = std::partition_point(d.words.begin(), d.words.end(),
                                     [&](byte_span w) { return w.end <= bytes.begin; });
    for (; word != d.words.end() && word->begin < bytes.end; ++word) {
      const auto i = static_cast<std::size_t>(word - d.words.begin());
      memory.labels_[i] = strings.find(e->label);
      memory.label_texts_[i] = e->label;
    }
  }
}

inline bool rules::passes(const document& d, const pattern_step& step, std::size_t word,
                          workspace& memory) const {
  for (const auto number : step.tests) {
    const auto& test = parts_->tests[number];
    bool passed = false;
    if (test.what == word_test::kind::space) {
      const auto end = static_cast<std::size_t>(d.words[word].end);
      passed = (end < d.text.size() && d.text[end] == ' ') == test.expected;
    } else if (test.of == word_string::ent_type) {
      passed = memory.seen_.passes(test, memory.label_texts_[word], memory.labels_[word]);
    } else {
      passed = memory.seen_.passes(memory.words_[word], number);
    }
    if (!passed) return false;
  }
  return true;
}

template <class Use>
void rules::find_patterns(const document& d, bool sees_entities, workspace& memory, Use use) const {
  if (memory.owner_ != parts_) memory.seen_.clear();
  memory.owner_ = parts_;
  memory.seen_.begin(parts_->tests, parts_->english);
  memory.words_.resize(d.words.size());
  for (std::size_t i = 0; i < d.words.size(); ++i)
    memory.words_[i] = memory.seen_.number(word_of(d, i));
  label_words(d, sees_entities, memory);
  // By pattern, so that what one takes is counted: first those that may begin anywhere.
  const auto budget = static_cast<index_t>(50'000'000 + 10'000 * d.words.size());
  for (const auto number : parts_->others) {
    memory.steps_left_ = budget;
    index_t matches = 0;
    for (std::size_t i = 0; i < d.words.size(); ++i)
      run(d, parts_->patterns[number], i, memory, matches, use);
  }
  memory.steps_left_ = budget;
  index_t matches = 0;
  for (std::size_t i = 0; i < d.words.size(); ++i) {
    for (const auto of : {word_string::text, word_string::lower}) {
      const auto string = memory.seen_.string_of(memory.words_[i], of);
      if (string == unit_table::none) continue;
      const auto& list = (of == word_string::text ? parts_->by_text : parts_->by_lower)[string];
      for (const auto number : list) run(d, parts_->patterns[number], i, memory, matches, use);
    }
  }
}

/// All matches of a pattern that begin with a word: the sets of its steps that may come next, word
/// by word.
template <class Use>
void rules::run(const document& d, const pattern& p, std::size_t first, workspace& memory,
                index_t& matches, Use use) const {
  const auto end = static_cast<std::uint32_t>(p.steps.size());
  if (memory.marks_.size() <= end) memory.marks_.resize(end + 1, 0);
  const auto refuse = [&](const char* expected) {
    const auto& by = parts_->all[p.rule];
    fail(error_code::limit_exceeded,
         "matching the rule of line " + std::to_string(by.line) + " (" + by.label +
             ") in a document of " + std::to_string(d.words.size()) + " words",
         expected, "more");
  };
  // A step, and those behind it that may be left out.
  const auto reach = [&](std::vector<std::uint32_t>& to, std::uint32_t step) {
    for (;; ++step) {
      if (memory.marks_[step] == memory.mark_) return;
      memory.marks_[step] = memory.mark_;
      to.push_back(step);
      if (step == end) return;
      const auto times = p.steps[step].times;
      if (times != repetition::optional && times != repetition::any_number) return;
    }
  };
  ++memory.mark_;
  memory.now_.clear();
  reach(memory.now_, 0);
  for (std::size_t word = first; word < d.words.size() && !memory.now_.empty(); ++word) {
    ++memory.mark_;
    memory.next_.clear();
    memory.steps_left_ -= static_cast<index_t>(memory.now_.size());
    if (memory.steps_left_ < 0) refuse("50 million steps and 10,000 for each word");
    for (const auto step : memory.now_) {
      if (step == end) continue;
      const auto times = p.steps[step].times;
      if (passes(d, p.steps[step], word, memory) == (times == repetition::absent)) continue;
      reach(memory.next_, times == repetition::any_number ? step : step + 1);
    }
    std::swap(memory.now_, memory.next_);
    if (memory.marks_[end] != memory.mark_) continue;
    if (++matches > 1'000'000) refuse("at most a million matches");
    use(first, word + 1, p.rule);
  }
}

}  // namespace onoma::inline ONOMA_ABI
