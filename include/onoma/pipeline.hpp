/// Text in, entities out: a model folder, its tokenizer and the decoder behind one call.
#pragma once

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/entity.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/windows.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/load.hpp>
#include <onoma/text/words.hpp>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct pipeline_options {
  index threads = 1;         ///< > 1: an own thread pool; ignored where `executor` is given
  executor_ref executor{};   ///< the host's threads; must outlive the pipeline
  aggregation strategy = aggregation::word;
  index max_length = 0;      ///< tokens per window; 0: as the model was trained, or as many as it takes
  index stride = 64;         ///< tokens that windows of a long text share
  index max_tokens = 2048;   ///< tokens per batch: fewer than some hundred cost time
  std::filesystem::path packed_cache{};  ///< as that of `model_options`
};

/// The entities of one text, and what happened on the way to them.
struct tagged_text {
  std::vector<entity> entities;  ///< in the order of the text
  index windows = 1;             ///< > 1: the text was longer than the model takes
  index repairs = 0;             ///< I- tags that continued nothing and opened an entity
  index unknown_tokens = 0;      ///< pieces that the vocabulary does not have

  [[nodiscard]] auto begin() const noexcept { return entities.begin(); }
  [[nodiscard]] auto end() const noexcept { return entities.end(); }
  [[nodiscard]] std::size_t size() const noexcept { return entities.size(); }
  [[nodiscard]] const entity& operator[](std::size_t i) const { return entities[i]; }
};

/// A tagger on the CPU. Movable; one pipeline serves one thread at a time, and `share` makes one more for
/// another thread, with the same weights.
class pipeline {
 public:
  /// Loads a folder as the Hub publishes it or as `token_classifier::save` writes it.
  /// @throws onoma::error naming what is missing or wrong in which file; (missing) if the folder
  /// holds an encoder without a token-classification head.
  [[nodiscard]] static pipeline load(const std::filesystem::path& folder,
                                     const pipeline_options& options = {}) {
    return pipeline(std::make_shared<const loaded>(folder, options), options);
  }

  /// A pipeline for another thread, over the same weights and tokenizer, with memory and threads of its own.
  /// Each may outlive the others.
  [[nodiscard]] pipeline share() const { return pipeline(loaded_, options_); }

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return loaded_->tags.labels(); }

  /// Words are the tokenizer's, but for those without any text (spaces, line ends); where they are what
  /// stands between spaces (SentencePiece), those of `find_words`, which are words in any script.
  /// @throws onoma::error (parse) if the text is not UTF-8.
  [[nodiscard]] tagged_text tag(std::string_view text) {
    const std::string owned(text);
    return std::move(tag_batch(std::span(&owned, 1)).front());
  }

  /// Words that are split already. Their text is that of the words with a space between each two:
  /// offsets count in it, and `entity::first` and `last` are positions in `words`. Words of white space are
  /// no part of an entity, and do not end one.
  /// @throws onoma::error (parse) if a word is not UTF-8.
  [[nodiscard]] tagged_text tag_words(std::span<const std::string> words) {
    std::string text;
    std::vector<index> begins;
    begins.reserve(words.size());
    for (const auto& word : words) {
      if (!begins.empty()) text += ' ';
      begins.push_back(static_cast<index>(text.size()));
      text += word;
    }
    std::vector<scored_text> scored(1);
    scored[0].windows = std::move(
        tokens_.encode_words(1, [words](std::size_t) { return words; }, encoding_options()).front());
    for (auto& window : scored[0].windows) {
      for (std::size_t i = 0; i < window.offsets.size(); ++i) {
        if (window.word_ids[i] < 0) continue;
        const index begin = begins[static_cast<std::size_t>(window.word_ids[i])];
        window.offsets[i].begin += begin;
        window.offsets[i].end += begin;
      }
    }
    if (options_.strategy == aggregation::word) drop_blank_words(text, scored[0].windows);
    return std::move(finish(std::span(&text, 1), scored).front());
  }

  /// Many texts at once: the same entities as one by one, faster.
  /// @throws onoma::error (parse) naming the text that is not UTF-8; then nothing is tagged.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) {
    for (std::size_t i = 0; i < texts.size() && texts.size() > 1; ++i) {
      if (find_invalid_utf8(texts[i]) >= 0) {
        validate_utf8(texts[i], "tag_batch: text " + std::to_string(i));
      }
    }
    auto windows = tokens_.encode(texts, encoding_options());
    std::vector<scored_text> scored(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      scored[i].windows = std::move(windows[i]);
      if (options_.strategy != aggregation::word) continue;
      if (tokens_.get().has_space_words()) {
        assign_words(texts[i], scored[i].windows);
      } else {
        drop_blank_words(texts[i], scored[i].windows);
      }
    }
    return finish(texts, scored);
  }

 private:
  /// What pipelines share. Constant once it is loaded.
  struct loaded {
    loaded(const std::filesystem::path& folder, const pipeline_options& options)
        : pool(options.threads > 1 && !options.executor ? std::make_unique<thread_pool>(options.threads)
                                                        : nullptr),
          backend(pool ? executor_ref(*pool) : options.executor),
          model(token_classifier_model<cpu_backend>::load(folder, backend,
                                                          {.packed_cache = options.packed_cache})),
          tokens(std::make_shared<const tokenizer>(load_tokenizer(folder))),
          tags(model->labels()) {
      pool.reset();  // what follows needs none
      backend = cpu_backend();
      if (tokens->vocabulary_size() > model->config().vocabulary) {
        fail(error_code::format, "loading a pipeline from " + folder.string(),
             "a vocabulary of at most " + std::to_string(model->config().vocabulary) + " pieces",
             std::to_string(tokens->vocabulary_size()));
      }
    }

    std::unique_ptr<thread_pool> pool;
    cpu_backend backend;  // packs the weights
    std::shared_ptr<const token_classifier_model<cpu_backend>> model;
    std::shared_ptr<const tokenizer> tokens;
    tag_set tags;
  };

  pipeline(std::shared_ptr<const loaded> from, const pipeline_options& options)
      : options_(options),
        loaded_(std::move(from)),
        pool_(options.threads > 1 && !options.executor ? std::make_unique<thread_pool>(options.threads)
                                                       : nullptr),
        backend_(std::make_unique<cpu_backend>(pool_ ? executor_ref(*pool_) : options.executor)),
        session_(loaded_->model, *backend_),
        tokens_(loaded_->tokens, backend_->executor()) {}

  [[nodiscard]] encode_options encoding_options() const {
    return window_options(session_, {.max_length = options_.max_length, .stride = options_.stride});
  }

  [[nodiscard]] std::vector<tagged_text> finish(std::span<const std::string> texts,
                                                std::vector<scored_text>& scored) {
    score_windows(session_, std::span(scored), options_.max_tokens);
    std::vector<tagged_text> results;
    results.reserve(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) results.push_back(find_entities(texts[i], scored[i]));
    return results;
  }

  [[nodiscard]] tagged_text find_entities(const std::string& text, const scored_text& scored) const {
    tagged_text result;
    result.windows = static_cast<index>(scored.windows.size());
    const auto windows = scored.views(tokens_.get(), loaded_->tags.size());
    for (const auto& window : windows) {
      for (const auto unknown : window.unknown) result.unknown_tokens += unknown;
    }
    auto found = aggregate(text, windows, loaded_->tags,
                           {options_.strategy, {"O"}, tokens_.get().has_continuing_prefix()});
    const offset_map offsets(text);
    for (auto& e : found.entities) {
      auto bytes = e.span.bytes;
      // Offsets of byte-level BPE may begin with the space before a word.
      if (options_.strategy == aggregation::word) {
        bytes = trim_white_space(text, bytes);
        e.text = text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
      }
      e.span = offsets.span(bytes);
    }
    result.entities = std::move(found.entities);
    result.repairs = found.repairs;
    return result;
  }

  pipeline_options options_;
  std::shared_ptr<const loaded> loaded_;
  std::unique_ptr<thread_pool> pool_;
  std::unique_ptr<cpu_backend> backend_;
  token_classifier_session<cpu_backend> session_;
  batch_tokenizer tokens_;
};

}  // namespace onoma::inline ONOMA_ABI
