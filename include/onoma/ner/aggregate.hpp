/// Scores of word pieces become entities: Hugging Face's aggregation strategies, and a word-level one.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>
#include <onoma/ner/entity.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// `word` (the default) labels each word by its first piece, as models are trained, and knows words
/// from the tokenizer. The others are those of transformers' TokenClassificationPipeline, heuristics
/// included (words are guessed from the lengths of pieces), for results that must be equal to it.
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
                                             ///< strategies after `simple` read it
  std::vector<std::uint8_t> unknown;         ///< [N] 1 where the piece is the unknown token
  mat<const float> probabilities;            ///< [N, L]
};

struct aggregate_options {
  aggregation strategy = aggregation::word;
  std::vector<std::string> ignored = {"O"};  ///< labels (whole, or types) that are left out
};

struct aggregated {
  std::vector<entity> entities;  ///< in the order of the text; `text` and `span.bytes` are filled in
  index repairs = 0;             ///< I- tags that continued nothing (strategy `word`)
};

namespace detail {

struct best_label {
  index id;
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
                          index first, index last) {
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

/// Code points of valid UTF-8.
inline index code_points(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U;
  });
}

/// A token, or a word that Hugging Face's heuristic put together.
struct unit {
  index label;
  double score;
  byte_span bytes;
  index first;
  index last;
};

inline unit unite(const scored_window& w, index first, index last, aggregation strategy) {
  const auto bytes = byte_span{w.offsets[static_cast<std::size_t>(first)].begin,
                               w.offsets[static_cast<std::size_t>(last)].end};
  if (strategy == aggregation::average) {
    std::vector<float> mean(static_cast<std::size_t>(w.probabilities.cols), 0.0F);
    for (index i = first; i <= last; ++i) {
      for (std::size_t l = 0; l < mean.size(); ++l) {
        mean[l] += w.probabilities(i, static_cast<index>(l));
      }
    }
    for (float& value : mean) value /= static_cast<float>(last - first + 1);
    const auto best = argmax({mean.data(), static_cast<index>(mean.size())});
    return {best.id, static_cast<double>(best.score), bytes, first, last};
  }
  auto best = argmax(w.probabilities.row(first));
  if (strategy == aggregation::max) {
    for (index i = first + 1; i <= last; ++i) {
      const auto other = argmax(w.probabilities.row(i));
      if (other.score > best.score) best = other;
    }
  }
  return {best.id, static_cast<double>(best.score), bytes, first, last};
}

/// transformers, pipelines/token_classification.py: gather_pre_entities, aggregate_words.
inline std::vector<unit> hf_units(std::string_view text, const scored_window& w,
                                  aggregation strategy) {
  const bool words = strategy == aggregation::first || strategy == aggregation::average ||
                     strategy == aggregation::max;
  std::vector<unit> units;
  std::optional<index> open;
  index previous = 0;
  const auto close = [&] {
    if (open) units.push_back(unite(w, *open, previous, strategy));
  };
  for (index i = 0; i < w.probabilities.rows; ++i) {
    const auto at = static_cast<std::size_t>(i);
    if (w.special[at] != 0) continue;
    bool continues = false;
    if (words && w.unknown[at] == 0) {
      const auto surface = text.substr(static_cast<std::size_t>(w.offsets[at].begin),
                                       static_cast<std::size_t>(w.offsets[at].size()));
      continues = code_points(w.pieces[at]) != code_points(surface);
    }
    if (!(open && continues)) {
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
  const auto parts = [&](const unit& u) { return split_tag(tags.label(u.label)); };
  // Here "O" is a type like the others: it is grouped, and ignored afterwards.
  const auto type = [&](const unit& u) {
    const auto p = parts(u);
    return p.prefix == 'B' || p.prefix == 'I' ? p.type : std::string_view(tags.label(u.label));
  };
  for (std::size_t i = 0; i < units.size();) {
    std::size_t end = i + 1;
    while (end < units.size() && parts(units[end]).prefix != 'B' &&
           type(units[end]) == type(units[end - 1])) {
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
/// equally long ones the likelier; labels play no part.
inline std::vector<entity> hf_merge(std::vector<entity> entities) {
  std::stable_sort(entities.begin(), entities.end(), [](const entity& a, const entity& b) {
    return a.span.bytes.begin < b.span.bytes.begin;
  });
  std::vector<entity> merged;
  for (auto& next : entities) {
    if (merged.empty() || next.span.bytes.begin >= merged.back().span.bytes.end) {
      merged.push_back(std::move(next));
      continue;
    }
    auto& kept = merged.back();
    // Lengths in code points, as in Python.
    const auto length = code_points(next.text);
    const auto kept_length = code_points(kept.text);
    if (length > kept_length || (length == kept_length && next.score > kept.score)) {
      kept = std::move(next);
    }
  }
  return merged;
}

/// What is known of one word after all windows.
struct word_score {
  bool seen = false;
  index label = 0;
  float score = 0.0F;
  index context = -1;  // tokens to the nearer edge of the window that the label comes from
  byte_span bytes;
};

inline aggregated aggregate_by_word(std::string_view text, std::span<const scored_window> windows,
                                    const tag_set& tags, const aggregate_options& options) {
  std::vector<word_score> words;
  for (const auto& w : windows) {
    const index tokens = w.probabilities.rows;
    for (index i = 0; i < tokens; ++i) {
      const auto at = static_cast<std::size_t>(i);
      if (w.word_ids[at] < 0) continue;
      const auto id = static_cast<std::size_t>(w.word_ids[at]);
      if (id >= words.size()) words.resize(id + 1);
      auto& word = words[id];
      const auto bytes = w.offsets[at];
      const bool starts = !word.seen || bytes.begin <= word.bytes.begin;
      word.bytes = word.seen ? byte_span{std::min(word.bytes.begin, bytes.begin),
                                         std::max(word.bytes.end, bytes.end)}
                             : bytes;
      word.seen = true;
      // The first piece decides, in the window where it stands farthest from an edge.
      const bool first = i == 0 || w.word_ids[at - 1] != w.word_ids[at];
      const index context = std::min(i, tokens - 1 - i);
      if (starts && first && context > word.context) {
        const auto best = argmax(w.probabilities.row(i));
        word.label = best.id;
        word.score = best.score;
        word.context = context;
      }
    }
  }
  aggregated result;
  double sum = 0.0;
  bool open = false;
  std::string_view open_type;
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i].seen) continue;  // a pre-split word without any token: it breaks nothing
    const auto at = static_cast<index>(i);
    const std::string& label = tags.label(words[i].label);
    const auto tag = split_tag(label);
    if (tag.prefix == 'O' || is_ignored(options.ignored, label) ||
        is_ignored(options.ignored, std::string(tag.type))) {
      open = false;
      continue;
    }
    const double score = static_cast<double>(words[i].score);
    if (open && tag.prefix != 'B' && tag.type == open_type) {
      auto& last = result.entities.back();
      sum += score;
      last = make_entity(text, last.label, 0.0, {last.span.bytes.begin, words[i].bytes.end},
                         last.first, at);
      last.score = sum / static_cast<double>(at - last.first + 1);
      continue;
    }
    // A label without a prefix opens an entity by right.
    if (tag.prefix != 'B' && label.size() != tag.type.size()) ++result.repairs;
    sum = score;
    open = true;
    open_type = tag.type;
    result.entities.push_back(
        make_entity(text, std::string(tag.type), score, words[i].bytes, at, at));
  }
  return result;
}

}  // namespace detail

/// Entities of one text from its windows (see `encode_options::stride`), all with offsets into
/// `text`. `span.code_points` and `span.utf16` are left to the caller.
[[nodiscard]] inline aggregated aggregate(std::string_view text,
                                          std::span<const scored_window> windows,
                                          const tag_set& tags,
                                          const aggregate_options& options = {}) {
  if (options.strategy == aggregation::word) {
    return detail::aggregate_by_word(text, windows, tags, options);
  }
  aggregated result;
  for (const auto& window : windows) {
    const auto units = detail::hf_units(text, window, options.strategy);
    std::vector<entity> entities;
    if (options.strategy == aggregation::none) {
      for (const auto& u : units) {
        const std::string& label = tags.label(u.label);
        if (detail::is_ignored(options.ignored, label)) continue;
        entities.push_back(detail::make_entity(text, label, u.score, u.bytes, u.first, u.last));
      }
    } else {
      entities = detail::hf_group(text, units, tags, options);
    }
    result.entities.insert(result.entities.end(), entities.begin(), entities.end());
  }
  if (windows.size() > 1) result.entities = detail::hf_merge(std::move(result.entities));
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
