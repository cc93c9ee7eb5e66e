/// Sentences as training examples.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/heads/token.hpp>
#include <onoma/ner/align.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Token ids of one sentence, or of one window of a long one, and what a head with these targets should make
/// of them.
template <class Targets>
struct example_of {
  std::vector<std::int32_t> ids;  ///< with special tokens
  typename Targets::item labels;  ///< what the head should make of them
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
  }
  return hash;
}

/// How sentences become examples.
struct dataset_options {
  index_t max_length = 256;  ///< tokens per example; longer sentences become several
  align_options align{};   ///< which pieces of a word have its label
};

/// Encodes sentences for training. A sentence longer than `max_length` becomes several examples
/// without overlap, so that every label is trained on (run_ner.py cuts it off).
/// @throws onoma::error (out_of_range) for a tag that is not in `tags`, naming sentence and word.
[[nodiscard]] inline std::vector<training_example> make_examples(
    const tokenizer& tokens, const std::vector<sentence>& sentences, const tag_set& tags,
    const dataset_options& options = {}) {
  std::vector<training_example> examples;
  std::vector<std::int32_t> labels;
  tokenizer::workspace work(tokens);
  for (std::size_t s = 0; s < sentences.size(); ++s) {
    labels.clear();
    for (std::size_t w = 0; w < sentences[s].tags.size(); ++w) {
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
      examples.push_back({std::move(window.ids), std::move(aligned)});
    }
  }
  return examples;
}

}  // namespace onoma::inline ONOMA_ABI
