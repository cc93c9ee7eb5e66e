/// Spans of words that a model finds: windows of texts in batches, each span scored where it stands best.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/span_scores.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>
#include <onoma/data/document.hpp>
#include <onoma/heads/span.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/ner/span_decode.hpp>
#include <onoma/predict/limits.hpp>
#include <onoma/predict/windows.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What a model says of the spans of one text.
struct found_spans {
  std::vector<index_t> words;       ///< ids of the words that have pieces, ascending: what spans count in
  std::vector<byte_span> places;    ///< of these words, as `encoding::offsets` count
  std::vector<scored_span> spans;   ///< each with its likeliest label but none, in the order of the text
};

/// Puts the windows of one text together. A span that stands in several windows is scored by the one in which it is
/// farthest from an edge, as `label_words` labels words, and counted once. A word is read at its first piece, in
/// windows that have it.
class span_collector {
 public:
  /// For spans of up to `widths` words and so many labels.
  span_collector(index_t widths, index_t labels) : widths_(widths), labels_(labels) {}

  /// The tokens of a window that begin words. `before` is the window before it, if there is one: what goes on from
  /// there begins no word.
  [[nodiscard]] static std::vector<std::int32_t> first_pieces(const encoding& window, const encoding* before) {
    std::vector<std::int32_t> rows;
    for (std::size_t i = 0; i < window.word_ids.size(); ++i) {
      const auto word = window.word_ids[i];
      if (word < 0 || (i > 0 && window.word_ids[i - 1] == word)) continue;
      if (rows.empty() && before != nullptr) {
        const auto there = std::find(before->word_ids.begin(), before->word_ids.end(), word);
        const auto at = static_cast<std::size_t>(there - before->word_ids.begin());
        if (there != before->word_ids.end() && before->offsets[at].begin < window.offsets[i].begin) continue;
      }
      rows.push_back(static_cast<std::int32_t>(i));
    }
    return rows;
  }

  /// The next window, with the tokens that `first_pieces` found and their probabilities [words, W L].
  /// @throws onoma::error (out_of_range) for windows that are not in the order of their words.
  template <class T>
  void add(const encoding& window, std::span<const std::int32_t> rows, mat<const T> probabilities) {
    if (rows.empty()) return extend_places(window);
    const index_t first = place_of(window.word_ids[static_cast<std::size_t>(rows.front())]);
    for (std::size_t k = 0; k < rows.size(); ++k) {
      const auto row = static_cast<std::size_t>(rows[k]);
      const auto at = static_cast<std::size_t>(first) + k;
      if (at == words_.size()) {
        words_.push_back(window.word_ids[row]);
        places_.push_back(window.offsets[row]);
      }
      check(words_[at] == window.word_ids[row], error_code::out_of_range, "spans of a text",
            "windows in the order of their words", "others");
    }
    extend_places(window);
    best_.resize(words_.size() * static_cast<std::size_t>(widths_));
    const auto count = static_cast<index_t>(rows.size());
    for (index_t k = 0; k < count; ++k) {
      for (index_t w = 0; w < span_widths(count - k, widths_); ++w) {
        const auto last = static_cast<index_t>(rows[static_cast<std::size_t>(k + w)]);
        const index_t near = std::min<index_t>(rows[static_cast<std::size_t>(k)], window.size() - 1 - last);
        auto& best = best_[static_cast<std::size_t>((first + k) * widths_ + w)];
        if (near <= best.context) continue;
        const auto* scores = probabilities.row_data(k) + w * labels_;
        const auto* likeliest = std::max_element(scores + 1, scores + labels_);
        best = {near, static_cast<std::int32_t>(likeliest - scores), static_cast<float>(*likeliest)};
      }
    }
  }

  /// The spans whose label's threshold they reach.
  [[nodiscard]] found_spans finish(std::span<const double> thresholds) && {
    found_spans found{std::move(words_), std::move(places_), {}};
    for (std::size_t i = 0; i < best_.size(); ++i) {
      const auto score = static_cast<double>(best_[i].score);
      if (best_[i].context < 0 || score < thresholds[static_cast<std::size_t>(best_[i].label)]) continue;
      const auto begin = static_cast<index_t>(i) / widths_;
      found.spans.push_back({begin, begin + static_cast<index_t>(i) % widths_ + 1, best_[i].label, score});
    }
    return found;
  }

 private:
  /// What is said of a span by the best window so far.
  struct best_label {
    index_t context = -1;    // tokens to the nearer edge; -1: no window had the span yet
    std::int32_t label = 0;  // the likeliest but none
    float score = 0.0F;      // its probability
  };

  [[nodiscard]] index_t place_of(index_t word) const {
    return std::lower_bound(words_.begin(), words_.end(), word) - words_.begin();
  }
  /// Words reach to the end of their last pieces, also of those in a later window.
  void extend_places(const encoding& window) {
    for (std::size_t i = 0; i < window.word_ids.size(); ++i) {
      if (window.word_ids[i] < 0) continue;
      const auto at = static_cast<std::size_t>(place_of(window.word_ids[i]));
      if (at == words_.size() || words_[at] != window.word_ids[i]) continue;
      places_[at].begin = std::min(places_[at].begin, window.offsets[i].begin);
      places_[at].end = std::max(places_[at].end, window.offsets[i].end);
    }
  }

  index_t widths_;
  index_t labels_;
  std::vector<index_t> words_;
  std::vector<byte_span> places_;
  std::vector<best_label> best_;  // [words, W]
};

/// A session whose head scores spans.
template <class Session>
concept scores_spans = requires(Session& model, const token_batch& batch, const word_rows& words) {
  { model.span_probabilities(batch, words) };
};

/// How a model's spans are decoded: what config.json says, as training left it.
[[nodiscard]] inline span_settings span_settings_of(const encoder_config& config) {
  return span_settings_of(member(config.own, "span"), config.labels);
}

/// The spans of texts in windows, those that may stand beside each other. Windows go through the model in batches of
/// about `max_tokens` tokens; results do not depend on how they are put together.
/// @throws onoma::error as `session::span_probabilities`, and as `call`, which is asked before each batch.
template <scores_spans Session>
[[nodiscard]] std::vector<found_spans> find_spans(Session& model, std::span<const scored_text> texts,
                                                  const span_settings& how, index_t max_tokens, call_limits& call) {
  const auto labels = static_cast<index_t>(model.labels().size());
  std::vector<span_collector> collectors(texts.size(), span_collector(model.model().head().columns() / labels, labels));
  struct waiting {
    std::size_t text;
    const encoding* window;
    std::vector<std::int32_t> rows;
  };
  std::vector<waiting> pending;
  token_batch batch;
  word_rows words;
  const auto score = [&] {
    if (pending.empty()) return;
    call.add_tokens(batch.tokens());
    call.check();
    const auto found = model.span_probabilities(batch, words);
    index_t first = 0;
    for (const auto& w : pending) {
      const auto count = static_cast<index_t>(w.rows.size());
      collectors[w.text].add(*w.window, w.rows, found.rows_slice(first, count));
      first += count;
    }
    pending.clear();
    batch.clear();
    words.clear();
  };
  for (std::size_t t = 0; t < texts.size(); ++t) {
    const encoding* before = nullptr;
    for (const auto& window : texts[t].windows) {
      if (batch.tokens() + window.size() > max_tokens) score();
      pending.push_back({t, &window, span_collector::first_pieces(window, std::exchange(before, &window))});
      words.add(batch.tokens(), pending.back().rows);
      batch.add(window.ids);
    }
  }
  score();
  std::vector<found_spans> all;
  all.reserve(texts.size());
  for (auto& collector : collectors) {
    auto found = std::move(collector).finish(how.thresholds);
    found.spans = decode_spans(std::move(found.spans), how.decoding);
    all.push_back(std::move(found));
  }
  return all;
}

/// The documents with the spans that the model finds in their words, in the place of their own.
/// @throws onoma::error (invalid_argument) for a document that is not split into words; (parse) for a word that is not
/// UTF-8; (cancelled, limit_exceeded) as the options say.
template <class Model>
[[nodiscard]] std::vector<document> predict_spans(Model& model, const tokenizer& tokens,
                                                  std::span<const document> documents, const span_settings& how,
                                                  const prediction_options& options = {}) {
  auto& run = session_of(model);
  const auto encode = window_options(run, options);
  tokenizer::workspace work(tokens);
  call_limits call(options.limits, options.stop ? &*options.stop : nullptr, "predict_spans");
  std::vector<document> result;
  result.reserve(documents.size());
  // A part at a time, so that memory does not grow with the data.
  constexpr std::size_t part = 256;
  for (std::size_t first = 0; first < documents.size(); first += part) {
    const auto some = documents.subspan(first, std::min(part, documents.size() - first));
    std::vector<scored_text> texts;
    for (const auto& d : some) texts.push_back({tokens.encode_words(words_of(d), encode, work), {}});
    const auto found = find_spans(run, std::span<const scored_text>(texts), how, options.max_tokens, call);
    for (std::size_t i = 0; i < some.size(); ++i) {
      auto& d = result.emplace_back(some[i]);
      d.spans.clear();
      const auto word = [&](index_t at) {
        return static_cast<std::size_t>(found[i].words[static_cast<std::size_t>(at)]);
      };
      for (const auto& s : found[i].spans) {
        entity e;
        e.label = run.labels()[static_cast<std::size_t>(s.label)];
        e.score = s.score;
        e.span.bytes = {d.words[word(s.begin)].begin, d.words[word(s.end - 1)].end};
        d.spans.push_back(std::move(e));
      }
      complete_spans(d);
    }
  }
  return result;
}

}  // namespace onoma::inline ONOMA_ABI
