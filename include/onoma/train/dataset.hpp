/// Sentences as training examples.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/heads/token.hpp>
#include <onoma/ner/align.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Token ids of one sentence, or of one window of a long one, and what a head with these targets should make
/// of them.
template <class Targets>
struct example_of {
  std::vector<std::int32_t> ids;  ///< with special tokens
  typename Targets::item labels;  ///< what the head should make of them
  float weight = 1.0F;            ///< how much it counts in the loss
  float repeats = 1.0F;           ///< how often it comes in an epoch, in the mean; at least 1
};

/// For a head that labels tokens.
using training_example = example_of<token_targets>;

/// A number that names the ids and labels of examples in their order: FNV-1a over 32-bit words.
template <class Targets>
[[nodiscard]] std::uint64_t digest(const std::vector<example_of<Targets>>& examples) {
  std::uint64_t hash = 14695981039346656037U;
  const auto mix = [&](std::uint64_t number) { hash = (hash ^ number) * 1099511628211U; };
  for (const auto& example : examples) {
    mix(example.ids.size());
    for (const auto id : example.ids) mix(static_cast<std::uint32_t>(id));
    mix(example.labels.size());
    Targets::visit_numbers(example.labels, mix);
    if (example.weight != 1.0F) mix(std::bit_cast<std::uint32_t>(example.weight));
    if (example.repeats != 1.0F) mix(std::uint64_t{1} << 32 | std::bit_cast<std::uint32_t>(example.repeats));
  }
  return hash;
}

/// How sentences become examples.
struct dataset_options {
  index_t max_length = 256;  ///< tokens per example; longer sentences become several
  align_options align{};   ///< which pieces of a word have its label
  /// Sentences with a type that fewer than this part of the sentences have come more often: `repeat_factors`; 0: no.
  double repeat_threshold = 0.0;
};

/// How often each sentence should come in an epoch so that rare types are seen more: the largest of its types' factors
/// max(1, sqrt(threshold / f)), where f is the part of the sentences that have the type; 1 without entities.
/// Source: Gupta, Dollar and Girshick, "LVIS", CVPR 2019, section 4.2 (repeat factor sampling).
/// @throws onoma::error (invalid_argument) for a threshold outside of 0 to 1.
[[nodiscard]] inline std::vector<double> repeat_factors(const std::vector<sentence>& sentences, double threshold) {
  check(threshold >= 0.0 && threshold <= 1.0, error_code::invalid_argument, "repeating sentences with rare types",
        "a threshold from 0 to 1");
  std::vector<double> factors(sentences.size(), 1.0);
  std::map<std::string, index_t, std::less<>> having;  // sentences, by type
  const auto for_each_type = [](const sentence& s, const auto& use) {
    std::set<std::string_view> types;
    for (const auto& tag : s.tags) {
      if (tag != "O" && tag != unknown_tag) types.insert(split_tag(tag).type);
    }
    for (const auto type : types) use(type);
  };
  for (const auto& s : sentences) for_each_type(s, [&](std::string_view type) { ++having[std::string(type)]; });
  for (std::size_t i = 0; i < sentences.size(); ++i) {
    for_each_type(sentences[i], [&](std::string_view type) {
      const double part =
          static_cast<double>(having.find(type)->second) / static_cast<double>(sentences.size());
      factors[i] = std::max(factors[i], std::sqrt(threshold / part));
    });
  }
  return factors;
}

/// Weights for the labels of a loss by how often words have them: words / (labels that occur * words with this label),
/// and 1 for labels that do not occur. By id.
/// Source: scikit-learn, compute_class_weight("balanced"); King and Zeng, Political Analysis 2001.
[[nodiscard]] inline std::vector<double> balanced_class_weights(const std::vector<sentence>& sentences,
                                                                const tag_set& tags) {
  std::vector<index_t> counts(static_cast<std::size_t>(tags.size()), 0);
  index_t words = 0;
  for (const auto& s : sentences) {
    for (const auto& tag : s.tags) {
      if (const auto id = tags.find(tag)) {
        ++counts[static_cast<std::size_t>(*id)];
        ++words;
      }
    }
  }
  const auto occur = std::count_if(counts.begin(), counts.end(), [](index_t count) { return count > 0; });
  std::vector<double> weights;
  for (const auto count : counts) {
    weights.push_back(count > 0 ? static_cast<double>(words) / (static_cast<double>(occur) * static_cast<double>(count))
                                : 1.0);
  }
  return weights;
}

/// Encodes sentences for training. A sentence longer than `max_length` becomes several examples
/// without overlap, so that every label is trained on (run_ner.py cuts it off). Words with `unknown_tag` get
/// `unknown_label`.
/// @throws onoma::error (out_of_range) for a tag that is not in `tags`, naming sentence and word; (invalid_argument) as
/// `repeat_factors`.
[[nodiscard]] inline std::vector<training_example> make_examples(
    const tokenizer& tokens, const std::vector<sentence>& sentences, const tag_set& tags,
    const dataset_options& options = {}) {
  std::vector<training_example> examples;
  std::vector<std::int32_t> labels;
  std::vector<double> repeats;
  if (options.repeat_threshold != 0.0) repeats = repeat_factors(sentences, options.repeat_threshold);
  tokenizer::workspace work(tokens);
  for (std::size_t s = 0; s < sentences.size(); ++s) {
    labels.clear();
    for (std::size_t w = 0; w < sentences[s].tags.size(); ++w) {
      if (sentences[s].tags[w] == unknown_tag) {
        labels.push_back(unknown_label);
        continue;
      }
      const auto id = tags.find(sentences[s].tags[w]);
      if (!id) {
        fail(error_code::out_of_range,
             "sentence " + std::to_string(s + 1) + ", word " + std::to_string(w + 1),
             "a tag of the label set", "'" + sentences[s].tags[w] + "'");
      }
      labels.push_back(static_cast<std::int32_t>(*id));
    }
    std::int32_t previous = -1;  // word
    for (auto& window : tokens.encode_words(sentences[s].words, {options.max_length, 0, true}, work)) {
      auto aligned = align_labels(labels, window.word_ids, tags, options.align, previous);
      for (const auto word : window.word_ids) previous = std::max(previous, word);
      examples.push_back({std::move(window.ids), std::move(aligned), sentences[s].weight,
                          repeats.empty() ? 1.0F : static_cast<float>(repeats[s])});
    }
  }
  return examples;
}

}  // namespace onoma::inline ONOMA_ABI
