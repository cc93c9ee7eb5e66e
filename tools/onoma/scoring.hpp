/// What a model is measured on, by its head: sentences with tags, or texts whose spans may overlap.
#pragma once

#include "command.hpp"
#include "corpus.hpp"

#include <onoma/core/error.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/text/piece_counts.hpp>
#include <onoma/text/tokenizer.hpp>

#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace command {

/// Scores, and what else people and programs are told.
struct scores {
  onoma::ner_report report;
  std::string more;         ///< a line, or nothing
  onoma::json more_json{};  ///< under "nesting", or null
};

/// Tags of the words of sentences.
struct tag_scoring {
  using item = onoma::sentence;

  static std::vector<item> read(const std::string& path, const column_options& columns) {
    return read_sentences(path, columns);
  }
  static onoma::piece_counts pieces(const onoma::tokenizer& tokens, const std::vector<item>& items) {
    return onoma::count_pieces(tokens, items);
  }
  /// True tags in the scheme of a model, if its folder names one.
  template <class Model>
  static void fit(Model& model, std::vector<item>& items, const std::string& path, const messages& say) {
    if (const auto scheme = onoma::scheme_of(model)) bring_to_scheme(items, path, *scheme, say);
  }
  template <class Model>
  static scores evaluate(Model& model, const onoma::tokenizer& tokens, const std::vector<item>& items,
                         const onoma::metric_options& metric, const onoma::prediction_options& options) {
    return {onoma::evaluate_on(model, tokens, items, metric, options), ""};
  }
};

/// Spans of the words of texts.
struct span_scoring {
  using item = onoma::document;

  static std::vector<item> read(const std::string& path, const column_options& columns) {
    return read_documents(path, columns);
  }
  static onoma::piece_counts pieces(const onoma::tokenizer& tokens, const std::vector<item>& items) {
    std::vector<onoma::sentence> words;
    for (const auto& d : items) words.push_back({onoma::words_of(d), {}});
    return onoma::count_pieces(tokens, words);
  }
  template <class Model>
  static void fit(Model& /*model*/, std::vector<item>& /*items*/, const std::string& /*path*/,
                  const messages& /*say*/) {}
  /// @throws onoma::error (invalid_argument) for a tag scheme.
  template <class Model>
  static scores evaluate(Model& model, const onoma::tokenizer& tokens, const std::vector<item>& items,
                         const onoma::metric_options& metric, const onoma::prediction_options& options) {
    onoma::check(!metric.strict, onoma::error_code::invalid_argument, "--mode strict", "a model that tags words",
                 "one that finds spans, which have no tags");
    const auto how = onoma::span_settings_of(onoma::session_of(model).config());
    const auto found = onoma::predict_spans(model, tokens, items, how, options);
    const auto n = onoma::nesting_recall_of(items, found);
    const auto recall = [](onoma::index_t right, onoma::index_t all) {
      if (all == 0) return std::string("none there");
      return fmt::format("{:.4f} of {}", static_cast<double>(right) / static_cast<double>(all), all);
    };
    return {onoma::evaluate(std::span<const item>(items), std::span<const item>(found)),
            fmt::format("Recall of spans inside of others: {}; of all others: {}", recall(n.inner_found, n.inner),
                        recall(n.outer_found, n.outer)),
            {{"inner", {{"found", n.inner_found}, {"support", n.inner}}},
             {"outer", {{"found", n.outer_found}, {"support", n.outer}}}}};
  }
};

/// How a model with a head is measured.
template <class Head>
using scoring_of = std::conditional_t<onoma::span_scoring_head<Head>, span_scoring, tag_scoring>;

}  // namespace command
