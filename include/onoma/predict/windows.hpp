/// The loop that predicts: texts in windows, windows in batches, scores back to each window.
///
/// Tagging, evaluation, scores on dev sentences and services all go through it, so that what is reported is
/// what users get.
#pragma once

#include <onoma/core/cancellation.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/predict/limits.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <optional>
#include <span>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How texts are cut into windows and put into batches.
struct prediction_options {
  index_t max_length = 0;     ///< tokens per window; 0: as the model was trained, or as many as it takes
  index_t stride = 64;        ///< tokens that windows of a long text share
  index_t max_tokens = 2048;  ///< tokens per batch: fewer than some hundred cost time
  tagging_limits limits{};    ///< of each call
  std::optional<cancellation> stop{};  ///< looked at between batches and while words are found
  /// Bytes from which on a text is scored while it is read, so that its encoding is never whole in memory, with the
  /// results of the whole text. Not with tokenizers that rewrite a text as a whole (`tokenizer::reads_in_parts`).
  index_t long_text = 1 << 20;
};

/// How texts are encoded for a model.
template <class Session>
[[nodiscard]] encode_options window_options(const Session& model, const prediction_options& options) {
  encode_options o;
  o.max_length = options.max_length > 0 ? std::min(options.max_length, model.max_length())
                                        : model.window_length();
  // A model with room for few tokens cannot share as many as the default says.
  o.stride = std::min(options.stride, std::max<index_t>(0, (o.max_length - 2) / 2));
  return o;
}

/// One text on its way through a model.
struct scored_text {
  std::vector<encoding> windows;                  ///< of the text, in its order
  std::vector<std::vector<float>> probabilities;  ///< [N, L] of each window, once they are scored

  /// What `label_words` reads: views of this.
  [[nodiscard]] std::vector<scored_window> views(index_t labels) const {
    std::vector<scored_window> all(windows.size());
    for (std::size_t w = 0; w < windows.size(); ++w) {
      const encoding& e = windows[w];
      all[w].offsets = e.offsets;
      all[w].word_ids = e.word_ids;
      all[w].special = e.special;
      all[w].probabilities = {probabilities[w].data(), e.size(), labels};
    }
    return all;
  }
  /// What `aggregate` reads: the same, with the pieces' texts.
  [[nodiscard]] std::vector<scored_window> views(const tokenizer& tokens, index_t labels) const {
    auto all = views(labels);
    for (std::size_t w = 0; w < windows.size(); ++w) {
      for (const auto id : windows[w].ids) {
        all[w].pieces.push_back(tokens.piece(id));
        all[w].unknown.push_back(id == tokens.unknown_id() ? 1 : 0);
      }
    }
    return all;
  }
};

/// Fills `probabilities` of all texts. Windows go through the model in batches of about `max_tokens` tokens;
/// results do not depend on how they are put together.
/// @throws onoma::error as the model's `probabilities`, and as `call`, which is asked before each batch.
template <class Session>
void score_windows(Session& model, std::span<scored_text> texts, index_t max_tokens, call_limits& call) {
  std::vector<std::pair<scored_text*, std::size_t>> pending;  // the windows of the batch
  token_batch batch;
  const auto score = [&] {
    if (pending.empty()) return;
    call.add_tokens(batch.tokens());
    call.check();
    const auto found = model.probabilities(batch);
    const auto layout = batch.layout();
    for (std::size_t b = 0; b < pending.size(); ++b) {
      const auto at = static_cast<index_t>(b);
      const auto* first = found.row_data(layout.begin(at));
      pending[b].first->probabilities[pending[b].second].assign(first,
                                                                first + layout.length(at) * found.cols);
    }
    pending.clear();
    batch.clear();
  };
  for (auto& text : texts) {
    text.probabilities.resize(text.windows.size());
    for (std::size_t w = 0; w < text.windows.size(); ++w) {
      const auto& ids = text.windows[w].ids;
      if (batch.tokens() + static_cast<index_t>(ids.size()) > max_tokens) score();
      batch.add(ids);
      pending.emplace_back(&text, w);
    }
  }
  score();
}

/// A session whose head labels the words of a text together.
template <class Session>
concept decodes_words =
    requires(Session& model, mat<const typename Session::scalar> scores, const sequences& words,
             vec<std::int32_t> labels, vec<typename Session::scalar> confidences) {
      { model.decode_words(scores, words, labels, confidences) };
    };

/// The labels of the words of texts that were scored: of each word by its own scores, as `onoma::label_words` finds
/// them, or, where the head labels words together, by those of all words of the text, whatever windows they were
/// scored in.
/// @throws onoma::error as `onoma::label_words` and the session.
template <class Session>
[[nodiscard]] std::vector<std::vector<word_label>> label_texts(Session& model, std::span<const scored_text> texts) {
  const auto columns = static_cast<index_t>(model.labels().size());
  std::vector<std::vector<word_label>> found;
  found.reserve(texts.size());
  for (const auto& text : texts) found.push_back(label_words(text.views(columns)));
  if constexpr (decodes_words<Session>) {
    std::vector<typename Session::scalar> scores;
    std::vector<std::int32_t> offsets = {0};
    for (std::size_t t = 0; t < texts.size(); ++t) {
      for (const auto& word : found[t]) {
        const auto& window = texts[t].probabilities[static_cast<std::size_t>(word.window)];
        const auto first = window.begin() + word.row * columns;
        scores.insert(scores.end(), first, first + columns);
      }
      if (!found[t].empty()) offsets.push_back(static_cast<std::int32_t>(offsets.back() + std::ssize(found[t])));
    }
    const index_t words = offsets.back();
    if (words == 0) return found;
    std::vector<std::int32_t> labels(static_cast<std::size_t>(words));
    std::vector<typename Session::scalar> confidences(static_cast<std::size_t>(words));
    model.decode_words({scores.data(), words, columns},
                       sequences::of({offsets.data(), static_cast<index_t>(offsets.size())}), {labels.data(), words},
                       {confidences.data(), words});
    std::size_t n = 0;
    for (auto& of_text : found) {
      for (auto& word : of_text) {
        word.label = labels[n];
        word.score = static_cast<float>(confidences[n++]);
      }
    }
  }
  return found;
}

/// The session that runs a model: itself, or that of a model that is being trained.
template <class Model>
[[nodiscard]] auto& session_of(Model& model) {
  if constexpr (requires { model.inference(); }) {
    return model.inference();
  } else {
    return model;
  }
}

}  // namespace onoma::inline ONOMA_ABI
