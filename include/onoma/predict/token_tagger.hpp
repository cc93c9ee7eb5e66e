/// An encoder with a head as a finder of entities: text in, entities out.
#pragma once

#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/entity_model.hpp>
#include <onoma/predict/limits.hpp>
#include <onoma/predict/spans.hpp>
#include <onoma/predict/windows.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/words/word_rules.hpp>
#include <onoma/text/words/words.hpp>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <iterator>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a tagger cuts texts, and how pieces become entities.
struct tagger_options {
  aggregation strategy = aggregation::word;  ///< how pieces become entities
  prediction_options windows{};              ///< how texts are cut and batched
};

/// `Session` runs a model for labels of tokens, or of spans (models/session.hpp).
template <class Session>
class token_tagger final : public entity_model {
 public:
  using backend_type = typename Session::backend_type;  ///< what computes
  using model_type = typename Session::model_type;      ///< the weights

  /// A backend for one more thread, and the threads that belong to it.
  struct device {
    std::shared_ptr<backend_type> backend;  ///< what computes for this thread
    executor_ref executor{};                ///< for the tokenizer
  };
  /// Makes one for each thread.
  using device_maker = std::function<device()>;

  /// What taggers of several threads have in common; constant.
  struct parts {
    std::shared_ptr<const model_type> model;  ///< the weights
    std::shared_ptr<const tokenizer> tokens;  ///< the tokenizer of the folder
    tag_set tags;                             ///< the labels, by id
    std::optional<tag_transitions> transitions;  ///< of their scheme, where the folder names one
    std::optional<word_rules> rules;          ///< what finds the words of raw text; none: the tokenizer
    tagger_options options;                   ///< as of the pipeline
    device_maker make_device;                 ///< for `share`
  };

  /// For one more thread, on a device that `make_device` makes.
  explicit token_tagger(std::shared_ptr<const parts> shared)
      : token_tagger(shared, shared->make_device()) {}
  /// On a device that is there.
  token_tagger(std::shared_ptr<const parts> shared, device own)
      : shared_(std::move(shared)),
        device_(std::move(own)),
        session_(shared_->model, *device_.backend),
        tokens_(shared_->tokens, device_.executor) {
    check(labels_words() || !together, error_code::invalid_argument, "a model whose head labels words",
          "the aggregation 'word'", "one of pieces");
    if (shared_->rules) finder_.emplace(*shared_->rules);
    stop_ = shared_->options.windows.stop;
  }

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept override {
    return shared_->tags.labels();
  }
  [[nodiscard]] std::unique_ptr<entity_model> share() const override {
    return std::make_unique<token_tagger>(shared_);
  }
  void set_cancellation(cancellation stop) override { stop_ = std::move(stop); }

  /// What runs the weights for this thread: for `evaluate_on`.
  [[nodiscard]] Session& session() noexcept { return session_; }
  /// The tokenizer of the folder.
  [[nodiscard]] const tokenizer& tokens() const noexcept { return *shared_->tokens; }
  /// As of the pipeline.
  [[nodiscard]] const tagger_options& options() const noexcept { return shared_->options; }

  /// With word rules, the words are those by these rules, encoded like words that are given: as in training.
  /// Without, they are the tokenizer's, but for those without any text (spaces, line ends); where these are
  /// what stands between spaces (SentencePiece), those of `find_words`, which are words in any script.
  ///
  /// Texts are worked on some at a time and long ones in parts (`prediction_options::long_text`), so that memory does
  /// not grow with what a call is given.
  /// @throws onoma::error (limit_exceeded, cancelled) as `prediction_options` and `set_cancellation` say.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) override {
    auto call = begin_call("tag_batch");
    index_t largest = 0;
    for (std::size_t i = 0; i < texts.size(); ++i) {
      call.check_text(texts[i].size(), i);
      largest = std::max(largest, working_memory(texts[i]));
      if (texts.size() > 1 && find_invalid_utf8(texts[i]) >= 0) {
        validate_utf8(texts[i], "tag_batch: text " + std::to_string(i));
      }
    }
    call.check_memory(largest);
    std::vector<tagged_text> results;
    results.reserve(texts.size());
    for (std::size_t first = 0; first < texts.size();) {
      call.check();
      if constexpr (!together) {
        if (is_long(texts[first])) {
          results.push_back(tag_in_parts(texts[first++], call));
          continue;
        }
      }
      const auto some = texts.subspan(first, count_together(texts.subspan(first)));
      auto found = finder_ ? tag_by_rules(some, call) : tag_by_tokenizer(some, call);
      std::move(found.begin(), found.end(), std::back_inserter(results));
      first += some.size();
    }
    return results;
  }

  /// Words of white space are no part of an entity, and do not end one.
  [[nodiscard]] tagged_text tag_words(std::span<const std::string> words) override {
    std::string text;
    std::vector<byte_span> places;
    places.reserve(words.size());
    for (const auto& word : words) {
      if (!places.empty()) text += ' ';
      const auto begin = static_cast<index_t>(text.size());
      text += word;
      places.push_back({begin, static_cast<index_t>(text.size())});
    }
    auto call = begin_call("tag_words");
    call.check_text(text.size(), 0);
    call.check_memory(per_byte_whole * static_cast<index_t>(text.size()));
    call.check();
    const std::span<const std::string> texts(&text, 1);
    auto scored = encode_words(texts, std::span(&words, 1), std::span(&places, 1));
    return std::move(find_entities(texts, scored, call).front());
  }

 private:
  /// Whether the words of a text are labelled together, or spans of them.
  static constexpr bool together = decodes_words<Session> || scores_spans<Session>;

  // Bytes of memory for each byte of a text, set above what bert-tiny took for English (263 whole), Chinese and
  // combining marks (34 in parts), results not counted in parts. An estimate, not a bound.
  static constexpr index_t per_byte_whole = 320;
  static constexpr index_t per_byte_in_parts = 64;

  [[nodiscard]] bool labels_words() const noexcept { return shared_->options.strategy == aggregation::word; }
  [[nodiscard]] const prediction_options& windows() const noexcept { return shared_->options.windows; }

  [[nodiscard]] call_limits begin_call(const char* operation) const {
    return call_limits(windows().limits, stop_ ? &*stop_ : nullptr, operation);
  }
  /// Whether a text is long, and can be scored while it is read.
  [[nodiscard]] bool is_long(const std::string& text) const {
    if (together) return false;
    if (static_cast<index_t>(text.size()) < windows().long_text) return false;
    const bool moves_words = !finder_ && labels_words() && tokens_.get().has_space_words();
    return !moves_words && tokens_.get().reads_in_parts(finder_.has_value());
  }
  /// What a text takes beside its results and what each call takes, at most.
  [[nodiscard]] index_t working_memory(const std::string& text) const {
    return static_cast<index_t>(text.size()) * (is_long(text) ? per_byte_in_parts : per_byte_whole);
  }
  /// How many of the first texts are worked on together: a megabyte of them, or one.
  [[nodiscard]] std::size_t count_together(std::span<const std::string> texts) const {
    constexpr std::size_t most_bytes = 1 << 20;
    std::size_t count = 1;
    for (std::size_t bytes = texts[0].size(); count < texts.size() && !is_long(texts[count]); ++count) {
      bytes += texts[count].size();
      if (bytes > most_bytes) break;
    }
    return count;
  }

  /// As `tag_by_rules` and `tag_by_tokenizer`, batch after batch, each of which goes before the next comes.
  [[nodiscard]] tagged_text tag_in_parts(const std::string& text, call_limits& call)
    requires(!together)
  {
    tagged_text result;
    result.windows = 0;
    aggregator entities(text, shared_->tags, aggregation_options());
    std::vector<scored_text> batch(1);
    index_t pending = 0;
    const auto score = [&] {
      score_windows(session_, std::span(batch), windows().max_tokens, call);
      for (const auto& window : batch.front().views(tokens_.get(), shared_->tags.size())) {
        entities.add(window);
        result.windows += 1;
        result.unknown_tokens += std::count(window.unknown.begin(), window.unknown.end(), 1);
      }
      batch.front() = {};
      pending = 0;
    };
    const auto take = [&](encoding& window) {
      if (pending > 0 && pending + window.size() > windows().max_tokens) score();
      pending += window.size();
      if (finder_) move_offsets(window, result.words);
      batch.front().windows.push_back(std::move(window));
    };
    tokenizer::workspace work(tokens_.get());
    const auto options = window_options(session_, windows());
    if (finder_) {
      finder_->find(text, result.words, [&] { call.check(); });
      call.check();
      tokens_.get().encode_word_parts(text, result.words, options, labels_words(), work, take);
    } else {
      tokens_.get().encode_parts(text, options, labels_words(), work, take);
    }
    score();
    finish(text, std::move(entities).finish(), result);
    return result;
  }

  [[nodiscard]] std::vector<tagged_text> tag_by_tokenizer(std::span<const std::string> texts, call_limits& call) {
    auto windows = tokens_.encode(texts, window_options(session_, shared_->options.windows));
    std::vector<scored_text> scored(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      scored[i].windows = std::move(windows[i]);
      if (!labels_words()) continue;
      if (tokens_.get().has_space_words()) {
        assign_words(texts[i], scored[i].windows);
      } else {
        drop_blank_words(texts[i], scored[i].windows);
      }
    }
    return find_entities(texts, scored, call);
  }

  [[nodiscard]] std::vector<tagged_text> tag_by_rules(std::span<const std::string> texts, call_limits& call) {
    std::vector<std::vector<byte_span>> places(texts.size());
    std::vector<std::vector<std::string>> words(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      finder_->find(texts[i], places[i], [&] { call.check(); });
      words[i].reserve(places[i].size());
      for (const auto at : places[i]) {
        words[i].push_back(
            texts[i].substr(static_cast<std::size_t>(at.begin), static_cast<std::size_t>(at.size())));
      }
    }
    const std::vector<std::span<const std::string>> lists(words.begin(), words.end());
    auto scored = encode_words(texts, lists, places);
    auto results = find_entities(texts, scored, call);
    for (std::size_t i = 0; i < texts.size(); ++i) results[i].words = std::move(places[i]);
    return results;
  }

  /// Windows of texts whose words are known, with offsets into the texts. `places` are those of the words.
  [[nodiscard]] std::vector<scored_text> encode_words(std::span<const std::string> texts,
                                                      std::span<const std::span<const std::string>> words,
                                                      std::span<const std::vector<byte_span>> places) {
    auto windows = tokens_.encode_words(texts.size(), [&](std::size_t i) { return words[i]; },
                                        window_options(session_, shared_->options.windows));
    std::vector<scored_text> scored(texts.size());
    for (std::size_t t = 0; t < texts.size(); ++t) {
      scored[t].windows = std::move(windows[t]);
      for (auto& window : scored[t].windows) {
        move_offsets(window, places[t]);
      }
      if (labels_words()) drop_blank_words(texts[t], scored[t].windows);
    }
    return scored;
  }

  /// From bytes of words to bytes of the text in which they stand in `places`.
  static void move_offsets(encoding& window, std::span<const byte_span> places) {
    for (std::size_t i = 0; i < window.offsets.size(); ++i) {
      if (window.word_ids[i] < 0) continue;
      const index_t begin = places[static_cast<std::size_t>(window.word_ids[i])].begin;
      window.offsets[i].begin += begin;
      window.offsets[i].end += begin;
    }
  }

  [[nodiscard]] std::vector<tagged_text> find_entities(std::span<const std::string> texts,
                                                       std::vector<scored_text>& scored, call_limits& call) {
    std::vector<tagged_text> results;
    results.reserve(texts.size());
    if constexpr (scores_spans<Session>) {
      const auto found = onoma::find_spans(session_, std::span<const scored_text>(scored),
                                           span_settings_of(shared_->model->config()), windows().max_tokens, call);
      for (std::size_t i = 0; i < texts.size(); ++i) results.push_back(make_entities(texts[i], scored[i], found[i]));
      return results;
    } else {
      score_windows(session_, std::span(scored), windows().max_tokens, call);
    }
    if constexpr (decodes_words<Session>) {
      const auto words = label_texts(session_, std::span<const scored_text>(scored));
      for (std::size_t i = 0; i < texts.size(); ++i) results.push_back(find_entities(texts[i], scored[i], &words[i]));
    } else {
      for (std::size_t i = 0; i < texts.size(); ++i) results.push_back(find_entities(texts[i], scored[i], nullptr));
    }
    return results;
  }

  /// Of spans.
  [[nodiscard]] tagged_text make_entities(const std::string& text, const scored_text& scored,
                                          const found_spans& found) const {
    tagged_text result;
    result.windows = static_cast<index_t>(scored.windows.size());
    for (const auto& window : scored.windows) {
      result.unknown_tokens += std::count(window.ids.begin(), window.ids.end(), tokens_.get().unknown_id());
    }
    aggregated entities;
    for (const auto& s : found.spans) {
      const auto first = static_cast<std::size_t>(s.begin);
      const auto last = static_cast<std::size_t>(s.end - 1);
      entity e;
      e.label = shared_->tags.label(s.label);
      e.score = s.score;
      e.span.bytes = {found.places[first].begin, found.places[last].end};
      e.first = found.words[first];
      e.last = found.words[last];
      entities.entities.push_back(std::move(e));
    }
    finish(text, std::move(entities), result);
    return result;
  }

  /// `words`: the labelled words, where the head labels them together.
  [[nodiscard]] tagged_text find_entities(const std::string& text, const scored_text& scored,
                                          const std::vector<word_label>* words) const {
    tagged_text result;
    result.windows = static_cast<index_t>(scored.windows.size());
    const auto windows = scored.views(tokens_.get(), shared_->tags.size());
    for (const auto& window : windows) {
      for (const auto unknown : window.unknown) result.unknown_tokens += unknown;
    }
    if (words == nullptr) {
      finish(text, aggregate(text, windows, shared_->tags, aggregation_options()), result);
      return result;
    }
    aggregator entities(text, shared_->tags, aggregation_options());
    for (const auto& word : *words) entities.add(word);
    finish(text, std::move(entities).finish(), result);
    return result;
  }
  [[nodiscard]] aggregate_options aggregation_options() const {
    return {shared_->options.strategy, {"O"}, tokens_.get().has_continuing_prefix(),
            shared_->transitions ? &*shared_->transitions : nullptr};
  }
  /// Entities with places in all units.
  void finish(const std::string& text, aggregated found, tagged_text& result) const {
    std::vector<byte_span> places;
    places.reserve(found.entities.size());
    for (auto& e : found.entities) {
      auto& bytes = e.span.bytes;
      // Offsets of byte-level BPE may begin with the space before a word.
      if (labels_words()) {
        bytes = trim_white_space(text, bytes);
        e.text = text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
      }
      places.push_back(bytes);
    }
    const auto spans = spans_of(text, places);
    for (std::size_t i = 0; i < spans.size(); ++i) found.entities[i].span = spans[i];
    result.entities = std::move(found.entities);
    result.repairs = found.repairs;
  }

  std::shared_ptr<const parts> shared_;
  device device_;
  Session session_;
  batch_tokenizer tokens_;
  std::optional<word_finder> finder_;
  std::optional<cancellation> stop_;
};

}  // namespace onoma::inline ONOMA_ABI
