/// Scores of word pieces become entities: Hugging Face's aggregation strategies, and a word-level one.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/stable_sort.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/view.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/entity.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/ner/transitions.hpp>

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// `word` (the default) labels each word by its first piece, as models are trained, and knows words
/// from the tokenizer. The others are those of transformers' TokenClassificationPipeline, heuristics
/// included (`first`, `average` and `max` guess words, see `aggregate_options::continuing_prefix`), for
/// results that must be equal to it.
enum class aggregation { word, none, simple, first, average, max };

/// @throws onoma::error (invalid_argument) naming the strategies.
[[nodiscard]] inline aggregation aggregation_from_name(std::string_view name) {
  constexpr std::pair<std::string_view, aggregation> names[] = {
      {"word", aggregation::word},   {"none", aggregation::none},
      {"simple", aggregation::simple}, {"first", aggregation::first},
      {"average", aggregation::average}, {"max", aggregation::max}};
  for (const auto& [known, strategy] : names) {
    if (known == name) return strategy;
  }
  fail(error_code::invalid_argument, "aggregation strategy",
       "word, none, simple, first, average or max", "'" + std::string(name) + "'");
}

/// One window of scored tokens. Offsets are bytes of the whole text.
struct scored_window {
  std::span<const byte_span> offsets;        ///< [N]
  std::span<const std::int32_t> word_ids;    ///< [N], -1 for special tokens
  std::span<const std::uint8_t> special;     ///< [N]
  std::vector<std::string_view> pieces;      ///< [N] text of each piece, "##" included; the
                                             ///< strategies after `simple` need it, others do not
  std::vector<std::uint8_t> unknown;  ///< [N] 1 for the unknown token; needed as `pieces`
  mat<const float> probabilities;     ///< [N, L]
};

/// How `aggregate` makes entities.
struct aggregate_options {
  aggregation strategy = aggregation::word;  ///< how pieces become entities
  std::vector<std::string> ignored = {"O"};  ///< labels (whole, or types) that are left out
  /// Whether a prefix such as "##" marks pieces that continue a word (`tokenizer::has_continuing_prefix`).
  /// For the strategies that guess words. true: a piece continues one if it is longer or shorter than
  /// its text; false: if no space stands before it or at its start.
  bool continuing_prefix = true;
  /// What may follow what among the labels (`transitions_of`), where their scheme is known: strategy `word` counts as
  /// repairs what breaks it. Null: I- and E- tags that continue nothing. It must outlive the call.
  const tag_transitions* rules = nullptr;
};

/// What `aggregate` found.
struct aggregated {
  std::vector<entity> entities;  ///< in the order of the text; `text` and `span.bytes` are filled in
  index_t repairs = 0;  ///< tags that continued nothing, or broke `aggregate_options::rules` (strategy `word`)
};

namespace detail {

struct best_label {
  index_t id;
  float score;
};

inline best_label argmax(vec<const float> scores) {
  const float* best = std::max_element(scores.begin(), scores.end());
  return {best - scores.begin(), *best};
}

inline bool is_ignored(const std::vector<std::string>& ignored, const std::string& label) {
  return std::find(ignored.begin(), ignored.end(), label) != ignored.end();
}

inline entity make_entity(std::string_view text, std::string label, double score, byte_span bytes,
                          index_t first, index_t last) {
  entity e;
  e.text = std::string(text.substr(static_cast<std::size_t>(bytes.begin),
                                   static_cast<std::size_t>(bytes.size())));
  e.label = std::move(label);
  e.score = score;
  e.span.bytes = bytes;
  e.first = first;
  e.last = last;
  return e;
}

/// The strategies that guess words from pieces.
constexpr bool forms_words(aggregation strategy) noexcept {
  return strategy == aggregation::first || strategy == aggregation::average ||
         strategy == aggregation::max;
}

/// A token, or a word that Hugging Face's heuristic put together.
struct unit {
  index_t label;
  double score;
  byte_span bytes;
  index_t first;
  index_t last;
};

inline unit unite(const scored_window& w, index_t first, index_t last, aggregation strategy) {
  const auto bytes = byte_span{w.offsets[static_cast<std::size_t>(first)].begin,
                               w.offsets[static_cast<std::size_t>(last)].end};
  if (strategy == aggregation::average) {
    std::vector<float> mean(static_cast<std::size_t>(w.probabilities.cols), 0.0F);
    for (index_t i = first; i <= last; ++i) {
      for (std::size_t l = 0; l < mean.size(); ++l) {
        mean[l] += w.probabilities(i, static_cast<index_t>(l));
      }
    }
    for (float& value : mean) value /= static_cast<float>(last - first + 1);
    const auto best = argmax({mean.data(), static_cast<index_t>(mean.size())});
    return {best.id, static_cast<double>(best.score), bytes, first, last};
  }
  auto best = argmax(w.probabilities.row(first));
  if (strategy == aggregation::max) {
    for (index_t i = first + 1; i <= last; ++i) {
      const auto other = argmax(w.probabilities.row(i));
      if (other.score > best.score) best = other;
    }
  }
  return {best.id, static_cast<double>(best.score), bytes, first, last};
}

/// Whether transformers' pipeline takes token `i` for a piece that continues a word. The space is U+0020
/// alone, so that a byte on each side is enough.
inline bool hf_continues(std::string_view text, const scored_window& w, std::size_t i,
                         bool continuing_prefix) {
  if (w.unknown[i] != 0) return false;
  const auto begin = static_cast<std::size_t>(w.offsets[i].begin);
  if (!continuing_prefix) {
    return begin > 0 && text.substr(begin - 1, 2).find(' ') == std::string_view::npos;
  }
  const auto surface = text.substr(begin, static_cast<std::size_t>(w.offsets[i].size()));
  return count_code_points(w.pieces[i]) != count_code_points(surface);
}

/// transformers, pipelines/token_classification.py: gather_pre_entities, aggregate_words.
inline std::vector<unit> hf_units(std::string_view text, const scored_window& w,
                                  const aggregate_options& options) {
  const aggregation strategy = options.strategy;
  const bool words = forms_words(strategy);
  std::vector<unit> units;
  std::optional<index_t> open;
  index_t previous = 0;
  const auto close = [&] {
    if (open) units.push_back(unite(w, *open, previous, strategy));
  };
  for (index_t i = 0; i < w.probabilities.rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (w.special[at] != 0) continue;
    if (!(open && words && hf_continues(text, w, at, options.continuing_prefix))) {
      close();
      open = i;
    }
    previous = i;
  }
  close();
  return units;
}

/// The same file: group_entities, group_sub_entities.
inline std::vector<entity> hf_group(std::string_view text, const std::vector<unit>& units,
                                    const tag_set& tags, const aggregate_options& options) {
  std::vector<entity> entities;
  // Only B- and I- are prefixes here; "O" is a type like the others: grouped, ignored afterwards.
  const auto begins = [&](const unit& u) {
    return std::string_view(tags.label(u.label)).substr(0, 2) == "B-";
  };
  const auto type = [&](const unit& u) {
    const std::string_view label = tags.label(u.label);
    return begins(u) || label.substr(0, 2) == "I-" ? label.substr(2) : label;
  };
  for (std::size_t i = 0; i < units.size();) {
    std::size_t end = i + 1;
    while (end < units.size() && !begins(units[end]) && type(units[end]) == type(units[end - 1])) {
      ++end;
    }
    double sum = 0.0;
    for (std::size_t j = i; j < end; ++j) sum += units[j].score;
    const std::string& label = tags.label(units[i].label);
    const auto hyphen = label.find('-');
    const std::string group = hyphen == std::string::npos ? label : label.substr(hyphen + 1);
    if (!is_ignored(options.ignored, group)) {
      entities.push_back(make_entity(text, group, sum / static_cast<double>(end - i),
                                     {units[i].bytes.begin, units[end - 1].bytes.end},
                                     units[i].first, units[end - 1].last));
    }
    i = end;
  }
  return entities;
}

/// The same file: aggregate_overlapping_entities. Of entities that overlap the longer one stays, of
/// equally long ones the likelier; labels play no part. As there, the first is compared with itself, and
/// overlaps nothing if it is empty: then it is there twice. `none`, which has no windows there, is spared.
inline std::vector<entity> hf_merge(std::vector<entity> entities, aggregation strategy) {
  sort_stably(entities.begin(), entities.end(), [](const entity& a, const entity& b) {
    return a.span.bytes.begin < b.span.bytes.begin;
  });
  std::vector<entity> merged;
  if (strategy != aggregation::none && !entities.empty()) merged.push_back(entities.front());
  for (auto& next : entities) {
    if (merged.empty() || next.span.bytes.begin >= merged.back().span.bytes.end) {
      merged.push_back(std::move(next));
      continue;
    }
    auto& kept = merged.back();
    // Lengths in code points, as in Python.
    const auto length = count_code_points(next.text);
    const auto kept_length = count_code_points(kept.text);
    if (length > kept_length || (length == kept_length && next.score > kept.score)) {
      kept = std::move(next);
    }
  }
  return merged;
}

/// What the strategies rely on.
inline void check_window(std::string_view text, const scored_window& w, const tag_set& tags,
                         aggregation strategy) {
  const auto tokens = static_cast<std::size_t>(w.probabilities.rows);
  if (w.probabilities.cols != tags.size() || tags.size() == 0) {
    fail(error_code::shape_mismatch, "aggregate",
         "probabilities of " + std::to_string(tags.size()) + " labels",
         std::to_string(w.probabilities.cols));
  }
  const bool fits = w.offsets.size() == tokens && w.word_ids.size() == tokens &&
                    w.special.size() == tokens &&
                    (!forms_words(strategy) ||
                     (w.pieces.size() == tokens && w.unknown.size() == tokens));
  check(fits, error_code::shape_mismatch, "aggregate",
        "an offset, word id, special mark, piece and unknown mark per row of probabilities",
        "other sizes");
  const auto size = static_cast<index_t>(text.size());
  for (const std::int32_t word : w.word_ids) {
    if (word < -1) {
      fail(error_code::out_of_range, "aggregate", "word ids from 0, or -1 for none",
           std::to_string(word));
    }
  }
  for (const byte_span bytes : w.offsets) {
    if (bytes.begin < 0 || bytes.end < bytes.begin || bytes.end > size) {
      fail(error_code::out_of_range, "aggregate",
           "offsets inside " + std::to_string(size) + " bytes",
           std::to_string(bytes.begin) + " to " + std::to_string(bytes.end));
    }
  }
}

}  // namespace detail

/// The likeliest label of one word.
struct word_label {
  index_t word = 0;      ///< its id
  index_t label = 0;     ///< its label's id
  float score = 0.0F;  ///< the label's score: a probability where the scores are
  byte_span bytes;     ///< its tokens' places, from the first to the last
  index_t window = 0;  ///< the window whose scores label it,
  index_t row = 0;     ///< and their row there
};

/// Labels words as `label_words` does, window after window.
class word_labeller {
 public:
  /// One more window. @throws onoma::error (shape_mismatch, out_of_range) as `aggregate`.
  void add(const scored_window& w) {
    const index_t tokens = w.probabilities.rows;
    for (index_t i = 0; i < tokens; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (w.word_ids[at] < 0) continue;
      auto& [word, context] = find(w.word_ids[at]);
      const auto bytes = w.offsets[at];
      const bool seen = context >= 0;
      const bool starts = !seen || bytes.begin <= word.bytes.begin;
      word.bytes = seen ? byte_span{std::min(word.bytes.begin, bytes.begin),
                                    std::max(word.bytes.end, bytes.end)}
                        : bytes;
      // A window may begin inside a word: its first piece there is not the word's.
      const bool first = i == 0 || w.word_ids[at - 1] != w.word_ids[at];
      const index_t near = std::min(i, tokens - 1 - i);
      if (starts && first && near > context) {
        const auto best = detail::argmax(w.probabilities.row(i));
        word.label = best.id;
        word.score = best.score;
        word.window = windows_;
        word.row = i;
        context = near;
      }
    }
    ++windows_;
  }
  /// Calls `use(word_label)` for the words with ids below `end`, in their order, and forgets them: later windows
  /// must not have them.
  template <class Use>
  void take(index_t end, const Use& use) {
    taken_ = std::max(taken_, end);
    auto open = open_.begin();
    for (; open != open_.end() && open->word.word < end; ++open) use(open->word);
    open_.erase(open_.begin(), open);
  }

 private:
  struct open_word {
    word_label word;
    index_t context = -1;  // tokens to the nearer edge of the window of the label
  };
  /// Ids say nothing of the number of words: split words may have no token, and a text may have more words than
  /// bytes, since normalisers such as NFKC make several of one character.
  open_word& find(std::int32_t id) {
    if (id < taken_) {
      fail(error_code::out_of_range, "labelling words", "windows in the order of their words",
           "the word " + std::to_string(id) + " behind later ones");
    }
    if (open_.empty() || open_.back().word.word < id) return open_.emplace_back(open_word{{id, 0, 0.0F, {}}});
    const auto place = std::lower_bound(open_.begin(), open_.end(), index_t{id},
                                        [](const open_word& w, index_t value) { return w.word.word < value; });
    if (place->word.word == id) return *place;
    return *open_.insert(place, open_word{{id, 0, 0.0F, {}}});
  }

  std::vector<open_word> open_;  // by id
  index_t taken_ = 0;            // words below it are gone
  index_t windows_ = 0;          // that were added
};

/// The words of a text that have tokens, in their order, each by its first piece, in the window in which that
/// stands farthest from an edge. This is how a model labels words, whatever is made of them.
/// @throws onoma::error (shape_mismatch, out_of_range) as `aggregate`.
[[nodiscard]] inline std::vector<word_label> label_words(std::span<const scored_window> windows) {
  word_labeller labeller;
  for (const auto& window : windows) labeller.add(window);
  std::vector<word_label> words;
  labeller.take(std::numeric_limits<index_t>::max(), [&](const word_label& word) { words.push_back(word); });
  return words;
}

/// Makes entities of one text as `aggregate` does, window after window, so that a window can go once it is added.
class aggregator {
 public:
  /// The text and the labels must outlive it.
  aggregator(std::string_view text, const tag_set& tags, aggregate_options options = {})
      : text_(text), tags_(&tags), options_(std::move(options)) {}

  /// The next window of the text. @throws onoma::error as `aggregate`.
  void add(const scored_window& window) {
    detail::check_window(text_, window, *tags_, options_.strategy);
    ++windows_;
    if (options_.strategy == aggregation::word) {
      const auto first = std::find_if(window.word_ids.begin(), window.word_ids.end(), [](auto id) { return id >= 0; });
      // Windows to come begin behind this one's begin: words before it are whole.
      if (first != window.word_ids.end()) take_words(*first);
      words_.add(window);
      return;
    }
    const auto units = detail::hf_units(text_, window, options_);
    if (options_.strategy != aggregation::none) {
      auto entities = detail::hf_group(text_, units, *tags_, options_);
      std::move(entities.begin(), entities.end(), std::back_inserter(result_.entities));
      return;
    }
    for (const auto& u : units) {
      const std::string& label = tags_->label(u.label);
      if (detail::is_ignored(options_.ignored, label)) continue;
      result_.entities.push_back(detail::make_entity(text_, label, u.score, u.bytes, u.first, u.last));
    }
  }
  /// The next word, whatever labelled it, in place of windows: for the strategy `word`. Words without any token are
  /// not there: they break nothing.
  void add(const word_label& word) {
    const std::string& label = tags_->label(word.label);
    const bool ignored = detail::is_ignored(options_.ignored, label) ||
                         detail::is_ignored(options_.ignored, std::string(split_tag(label).type));
    if (options_.rules != nullptr) follow(ignored ? std::nullopt : std::optional(word.label));
    const auto step = reader_.read(ignored ? std::string_view("O") : label);
    if (step == tag_reader::step::outside) return;
    if (step == tag_reader::step::opens) {
      sum_ = 0.0;
      count_ = 0;
      result_.entities.push_back(
          detail::make_entity(text_, std::string(reader_.type()), 0.0, word.bytes, word.word, word.word));
    }
    auto& entity = result_.entities.back();
    sum_ += static_cast<double>(word.score);
    ++count_;
    entity.score = sum_ / static_cast<double>(count_);
    entity.last = word.word;
    entity.span.bytes.end = word.bytes.end;
  }
  /// The entities, once all windows are added.
  [[nodiscard]] aggregated finish() && {
    if (options_.strategy == aggregation::word) {
      take_words(std::numeric_limits<index_t>::max());
      for (auto& entity : result_.entities) {
        const auto bytes = entity.span.bytes;
        entity.text = text_.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
      }
      if (options_.rules != nullptr) follow(std::nullopt);
      result_.repairs = options_.rules != nullptr ? broken_ : reader_.repairs();
    } else if (windows_ > 1) {
      result_.entities = detail::hf_merge(std::move(result_.entities), options_.strategy);
    }
    return std::move(result_);
  }

 private:
  void take_words(index_t end) {
    words_.take(end, [this](const word_label& word) { add(word); });
  }
  /// Counts what may not follow the label before. None: "O", or the end.
  void follow(std::optional<index_t> label) {
    const auto rules = options_.rules->rules();
    const bool allowed = label && previous_ ? rules.follows(*previous_, *label)
                         : label            ? rules.starts(*label)
                                            : !previous_ || rules.ends(*previous_);
    broken_ += allowed ? 0 : 1;
    previous_ = label;
  }

  std::string_view text_;
  const tag_set* tags_;
  aggregate_options options_;
  index_t windows_ = 0;
  word_labeller words_;  // of the last windows
  tag_reader reader_;
  std::optional<index_t> previous_;  // label; none: outside
  index_t broken_ = 0;               // places where it may not be followed by the next
  double sum_ = 0.0;     // of the scores of the open entity,
  index_t count_ = 0;    // which has so many words
  aggregated result_;
};

/// Entities of one text from its windows (see `encode_options::stride`), all with offsets into
/// `text`. `span.code_points` and `span.utf16` are left to the caller. Windows are in the order of the
/// text. `word` takes each word from the window in which it stands farthest from an edge; the others
/// merge the windows' entities as transformers does.
/// @throws onoma::error (shape_mismatch) for windows whose parts differ in size, (out_of_range) for
/// offsets that are not of the text, or word ids below -1.
[[nodiscard]] inline aggregated aggregate(std::string_view text,
                                          std::span<const scored_window> windows,
                                          const tag_set& tags,
                                          const aggregate_options& options = {}) {
  aggregator entities(text, tags, options);
  for (const auto& window : windows) entities.add(window);
  return std::move(entities).finish();
}

}  // namespace onoma::inline ONOMA_ABI
