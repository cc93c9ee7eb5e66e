/// Tags for the words of sentences, and scores against the tags that they have.
#pragma once

#include <onoma/data/sentence.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/decode.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/entity_model.hpp>
#include <onoma/predict/windows.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A tag for every word of a sentence; none for words of which the tokenizer makes no piece (control
/// characters, variation selectors, private use, empty words), which a model never sees.
using predicted_words = std::vector<std::optional<std::string>>;

/// The likeliest tag of every word that has pieces, by its first piece, or by those of all words where the head labels
/// words together, as `pipeline::tag_words` finds them.
/// @throws onoma::error (parse) for a word that is not UTF-8, (cancelled, limit_exceeded) as the options say, and as
/// the model.
template <class Model>
[[nodiscard]] std::vector<predicted_words> predict_words(Model& model, const tokenizer& tokens,
                                                         std::span<const sentence> sentences,
                                                         const prediction_options& options = {}) {
  auto& run = session_of(model);
  const auto encode = window_options(run, options);
  std::vector<predicted_words> result;
  result.reserve(sentences.size());
  tokenizer::workspace work(tokens);
  call_limits call(options.limits, options.stop ? &*options.stop : nullptr, "predict_words");
  // A part at a time, so that memory does not grow with the data.
  constexpr std::size_t part = 256;
  std::vector<scored_text> texts;
  for (std::size_t first = 0; first < sentences.size(); first += part) {
    const auto some = sentences.subspan(first, std::min(part, sentences.size() - first));
    texts.clear();
    for (const auto& s : some) texts.push_back({tokens.encode_words(s.words, encode, work), {}});
    score_windows(run, std::span(texts), options.max_tokens, call);
    const auto labelled = label_texts(run, std::span<const scored_text>(texts));
    for (std::size_t i = 0; i < some.size(); ++i) {
      auto& tags = result.emplace_back(some[i].words.size());
      for (const auto& word : labelled[i]) {
        tags[static_cast<std::size_t>(word.word)] = run.labels()[static_cast<std::size_t>(word.label)];
      }
    }
  }
  return result;
}

/// The scheme of a model's labels, where its folder names one.
template <class Model>
[[nodiscard]] std::optional<tag_scheme> scheme_of(Model& model) {
  if constexpr (requires { session_of(model).config().scheme; }) return session_of(model).config().scheme;
  return std::nullopt;
}

/// A tag for every word. One without pieces inside an entity is a part of it; others are "O". `inside` is the prefix of
/// such a part: M in BMEWO.
[[nodiscard]] inline std::vector<std::string> fill_gaps(const predicted_words& words, char inside = 'I') {
  std::vector<std::string> tags(words.size(), "O");
  tag_reader reader;
  std::size_t behind = 0;  // the last word with a tag
  for (std::size_t i = 0; i < words.size(); ++i) {
    if (!words[i]) continue;
    tags[i] = *words[i];
    if (reader.read(tags[i]) == tag_reader::step::continues) {
      const bool prefixed = split_tag(tags[i]).type.size() != tags[i].size();
      for (std::size_t gap = behind + 1; gap < i; ++gap) {
        tags[gap] = prefixed ? std::string(1, inside) + "-" + std::string(reader.type()) : tags[i];
      }
    }
    behind = i;
  }
  return tags;
}

/// The likeliest tag of every word; of words without pieces, that of `fill_gaps`.
/// @throws onoma::error as `predict_words`.
template <class Model>
[[nodiscard]] tag_sequences predict(Model& model, const tokenizer& tokens,
                                    std::span<const sentence> sentences,
                                    const prediction_options& options = {}) {
  tag_sequences tags;
  tags.reserve(sentences.size());
  const char inside = scheme_of(model) == tag_scheme::bmewo ? 'M' : 'I';
  for (const auto& words : predict_words(model, tokens, sentences, options)) {
    tags.push_back(fill_gaps(words, inside));
  }
  return tags;
}

/// Tags the words of annotated sentences and compares with their tags, which are in the model's scheme
/// (`bring_to_scheme`). Where that is BILOU or BMEWO, the default mode reads both in the letters of IOBES. Words
/// without pieces count on neither side, as in transformers' run_ner.py, which gives them no label, and neither do
/// words with `unknown_tag`, of whose tag nobody can say whether it is right. `ner_report::skipped_words` and
/// `unknown_words` say how many.
/// @throws onoma::error as `predict_words` and `evaluate`; (shape_mismatch) for a sentence without tags.
template <class Model>
[[nodiscard]] ner_report evaluate_on(Model& model, const tokenizer& tokens,
                                     std::span<const sentence> sentences, const metric_options& metric = {},
                                     const prediction_options& options = {}) {
  const auto found = predict_words(model, tokens, sentences, options);
  tag_sequences gold(sentences.size());
  tag_sequences predicted(sentences.size());
  index_t skipped = 0;
  for (std::size_t s = 0; s < sentences.size(); ++s) {
    if (sentences[s].tags.size() != found[s].size()) {
      fail(error_code::shape_mismatch, "evaluate_on: sentence " + std::to_string(s + 1),
           std::to_string(found[s].size()) + " tags", std::to_string(sentences[s].tags.size()));
    }
    for (std::size_t w = 0; w < found[s].size(); ++w) {
      if (!found[s][w]) {
        ++skipped;
        continue;
      }
      gold[s].push_back(sentences[s].tags[w]);
      predicted[s].push_back(*found[s][w]);
    }
  }
  const index_t unknown = drop_unknown_words(gold, predicted);
  const auto scheme = scheme_of(model);
  if (!metric.strict && (scheme == tag_scheme::bilou || scheme == tag_scheme::bmewo)) {
    for (auto* side : {&gold, &predicted}) {
      for (auto& tags : *side) {
        for (auto& tag : tags) tag = iobes_letters(std::move(tag));
      }
    }
  }
  auto report = evaluate(gold, predicted, metric);
  report.skipped_words = skipped;
  report.unknown_words = unknown;
  return report;
}

/// Tags of a scheme for the words of sentences, by any finder of entities: those that `tag_words` finds.
/// @throws onoma::error as `tag_words`; (invalid_argument) for entities that overlap, which tags cannot say.
[[nodiscard]] inline tag_sequences predict(entity_model& model, std::span<const sentence> sentences,
                                           tag_scheme scheme = tag_scheme::iob2) {
  tag_sequences tags;
  tags.reserve(sentences.size());
  for (const auto& s : sentences) {
    std::vector<entity_span> spans;
    for (const auto& e : model.tag_words(s.words)) spans.push_back({e.first, e.last + 1, e.label});
    tags.push_back(encode_tags(spans, static_cast<index_t>(s.words.size()), scheme));
  }
  return tags;
}

/// Compares the entities of any finder with the tags of sentences, which are in the scheme of the metric, or else in
/// BIO (`bring_to_scheme`). All words count, also those of which a tokenizer makes no piece, since rules see them, but
/// for those with `unknown_tag`.
/// @throws onoma::error as `predict` and `evaluate`.
[[nodiscard]] inline ner_report evaluate_on(entity_model& model, std::span<const sentence> sentences,
                                            const metric_options& metric = {}) {
  tag_sequences gold;
  for (const auto& s : sentences) gold.push_back(s.tags);
  auto predicted = predict(model, sentences, metric.strict.value_or(tag_scheme::iob2));
  const index_t unknown = drop_unknown_words(gold, predicted);
  auto report = evaluate(gold, predicted, metric);
  report.unknown_words = unknown;
  return report;
}

}  // namespace onoma::inline ONOMA_ABI
