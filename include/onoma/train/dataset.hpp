/// Sentences as training examples, and predictions for sentences.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/align.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Token ids and labels of one sentence, or of one window of a long one.
struct training_example {
  std::vector<std::int32_t> ids;
  std::vector<std::int32_t> labels;
};

/// A number that names the ids and labels of examples in their order: FNV-1a over 32-bit words.
[[nodiscard]] inline std::uint64_t digest(const std::vector<training_example>& examples) {
  std::uint64_t hash = 14695981039346656037U;
  const auto mix = [&](const std::vector<std::int32_t>& numbers) {
    hash = (hash ^ numbers.size()) * 1099511628211U;
    for (const auto number : numbers) hash = (hash ^ static_cast<std::uint32_t>(number)) * 1099511628211U;
  };
  for (const auto& example : examples) {
    mix(example.ids);
    mix(example.labels);
  }
  return hash;
}

struct dataset_options {
  index max_length = 256;  ///< tokens per example; longer sentences become several
  align_options align{};
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

struct prediction_options {
  index max_length = 0;     ///< tokens per window; 0: as many as the model takes
  index stride = 64;        ///< tokens that windows of a long sentence share
  index max_tokens = 2048;  ///< tokens per batch
};

/// The likeliest tag of every word, by its first piece; a word that gives no piece (white space) is
/// "O". Long sentences take each word from the window in which it stands farthest from an edge.
template <backend B>
[[nodiscard]] tag_sequences predict(token_classifier<B>& model, const tokenizer& tokens,
                                    const std::vector<sentence>& sentences,
                                    const prediction_options& options = {}) {
  struct place {
    std::size_t sentence;
    encoding window;
  };
  encode_options encode;
  encode.max_length = options.max_length > 0 ? std::min(options.max_length, model.max_length())
                                             : model.max_length();
  encode.stride = std::min(options.stride, std::max<index>(0, (encode.max_length - 2) / 2));

  tag_sequences result(sentences.size());
  std::vector<std::vector<index>> context(sentences.size());
  token_batch batch;
  std::vector<place> pending;
  tokenizer::workspace work(tokens);
  const auto score = [&] {
    if (pending.empty()) return;
    const auto logits = model.logits(batch);
    const auto layout = batch.layout();
    for (std::size_t b = 0; b < pending.size(); ++b) {
      const auto& [s, window] = pending[b];
      std::int32_t previous = -1;  // word
      for (index i = 0; i < window.size(); ++i) {
        const auto word = window.word_ids[static_cast<std::size_t>(i)];
        if (word < 0 || word == previous) continue;
        const bool leads = std::exchange(previous, word) < 0;
        const index near = std::min(i, window.size() - 1 - i);
        if (near <= context[s][static_cast<std::size_t>(word)]) continue;
        // A window may begin inside a word: its first piece there is not the word's.
        if (leads && window.offsets[static_cast<std::size_t>(i)].begin > 0 &&
            context[s][static_cast<std::size_t>(word)] >= 0) {
          continue;
        }
        const auto row = logits.row(layout.begin(static_cast<index>(b)) + i);
        const auto best = std::max_element(row.begin(), row.end()) - row.begin();
        context[s][static_cast<std::size_t>(word)] = near;
        result[s][static_cast<std::size_t>(word)] = model.labels()[static_cast<std::size_t>(best)];
      }
    }
    pending.clear();
    batch.clear();
  };
  for (std::size_t s = 0; s < sentences.size(); ++s) {
    result[s].assign(sentences[s].words.size(), "O");
    context[s].assign(sentences[s].words.size(), -1);
    for (auto& window : tokens.encode_words(sentences[s].words, encode, work)) {
      if (batch.tokens() + window.size() > options.max_tokens) score();
      batch.add(window.ids);
      pending.push_back({s, std::move(window)});
    }
  }
  score();
  return result;
}

/// Tags the words of annotated sentences and compares with their tags.
template <backend B>
[[nodiscard]] ner_report evaluate_on(token_classifier<B>& model, const tokenizer& tokens,
                                     const std::vector<sentence>& sentences,
                                     const metric_options& metric = {},
                                     const prediction_options& options = {}) {
  return evaluate(tags_of(sentences), predict(model, tokens, sentences, options), metric);
}

}  // namespace onoma::inline ONOMA_ABI
