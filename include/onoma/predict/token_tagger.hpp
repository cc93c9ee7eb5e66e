/// An encoder with a token head as a finder of entities: text in, entities out.
#pragma once

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
#include <onoma/predict/windows.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/words/word_rules.hpp>
#include <onoma/text/words/words.hpp>

#include <functional>
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

/// `Session` runs a model for token labels (models/session.hpp).
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
    if (shared_->rules) finder_.emplace(*shared_->rules);
  }

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept override {
    return shared_->tags.labels();
  }
  [[nodiscard]] std::unique_ptr<entity_model> share() const override {
    return std::make_unique<token_tagger>(shared_);
  }

  /// What runs the weights for this thread: for `evaluate_on`.
  [[nodiscard]] Session& session() noexcept { return session_; }
  /// The tokenizer of the folder.
  [[nodiscard]] const tokenizer& tokens() const noexcept { return *shared_->tokens; }
  /// As of the pipeline.
  [[nodiscard]] const tagger_options& options() const noexcept { return shared_->options; }

  /// With word rules, the words are those by these rules, encoded like words that are given: as in training.
  /// Without, they are the tokenizer's, but for those without any text (spaces, line ends); where these are
  /// what stands between spaces (SentencePiece), those of `find_words`, which are words in any script.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) override {
    for (std::size_t i = 0; i < texts.size() && texts.size() > 1; ++i) {
      if (find_invalid_utf8(texts[i]) >= 0) {
        validate_utf8(texts[i], "tag_batch: text " + std::to_string(i));
      }
    }
    return finder_ ? tag_by_rules(texts) : tag_by_tokenizer(texts);
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
    const std::span<const std::string> texts(&text, 1);
    auto scored = encode_words(texts, std::span(&words, 1), std::span(&places, 1));
    return std::move(find_entities(texts, scored).front());
  }

 private:
  [[nodiscard]] bool labels_words() const noexcept { return shared_->options.strategy == aggregation::word; }

  [[nodiscard]] std::vector<tagged_text> tag_by_tokenizer(std::span<const std::string> texts) {
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
    return find_entities(texts, scored);
  }

  [[nodiscard]] std::vector<tagged_text> tag_by_rules(std::span<const std::string> texts) {
    std::vector<std::vector<byte_span>> places(texts.size());
    std::vector<std::vector<std::string>> words(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      finder_->find(texts[i], places[i]);
      words[i].reserve(places[i].size());
      for (const auto at : places[i]) {
        words[i].push_back(
            texts[i].substr(static_cast<std::size_t>(at.begin), static_cast<std::size_t>(at.size())));
      }
    }
    const std::vector<std::span<const std::string>> lists(words.begin(), words.end());
    auto scored = encode_words(texts, lists, places);
    auto results = find_entities(texts, scored);
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
        for (std::size_t i = 0; i < window.offsets.size(); ++i) {
          if (window.word_ids[i] < 0) continue;
          const index_t begin = places[t][static_cast<std::size_t>(window.word_ids[i])].begin;
          window.offsets[i].begin += begin;
          window.offsets[i].end += begin;
        }
      }
      if (labels_words()) drop_blank_words(texts[t], scored[t].windows);
    }
    return scored;
  }

  [[nodiscard]] std::vector<tagged_text> find_entities(std::span<const std::string> texts,
                                                       std::vector<scored_text>& scored) {
    score_windows(session_, std::span(scored), shared_->options.windows.max_tokens);
    std::vector<tagged_text> results;
    results.reserve(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) results.push_back(find_entities(texts[i], scored[i]));
    return results;
  }

  [[nodiscard]] tagged_text find_entities(const std::string& text, const scored_text& scored) const {
    tagged_text result;
    result.windows = static_cast<index_t>(scored.windows.size());
    const auto windows = scored.views(tokens_.get(), shared_->tags.size());
    for (const auto& window : windows) {
      for (const auto unknown : window.unknown) result.unknown_tokens += unknown;
    }
    auto found = aggregate(text, windows, shared_->tags,
                           {shared_->options.strategy, {"O"}, tokens_.get().has_continuing_prefix()});
    const offset_map offsets(text);
    for (auto& e : found.entities) {
      auto bytes = e.span.bytes;
      // Offsets of byte-level BPE may begin with the space before a word.
      if (labels_words()) {
        bytes = trim_white_space(text, bytes);
        e.text = text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
      }
      e.span = offsets.span(bytes);
    }
    result.entities = std::move(found.entities);
    result.repairs = found.repairs;
    return result;
  }

  std::shared_ptr<const parts> shared_;
  device device_;
  Session session_;
  batch_tokenizer tokens_;
  std::optional<word_finder> finder_;
};

}  // namespace onoma::inline ONOMA_ABI
