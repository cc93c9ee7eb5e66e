/// Text in, entities out: a model folder, its tokenizer and the decoder behind one call.
#pragma once

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/entity.hpp>
#include <onoma/ner/tag_set.hpp>
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
  index max_length = 0;      ///< tokens per window; 0: as many as the model takes
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

/// A tagger on the CPU. Movable; one pipeline serves one thread at a time.
class pipeline {
 public:
  /// Loads a folder as the Hub publishes it or as `token_classifier::save` writes it.
  /// @throws onoma::error naming what is missing or wrong in which file; (missing) if the folder
  /// holds an encoder without a token-classification head.
  [[nodiscard]] static pipeline load(const std::filesystem::path& folder,
                                     const pipeline_options& options = {}) {
    return pipeline(folder, options);
  }

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return tags_.labels(); }

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
    std::vector<input> inputs(1);
    inputs[0].begins.reserve(words.size());
    for (const auto& word : words) {
      if (!inputs[0].begins.empty()) inputs[0].text += ' ';
      inputs[0].begins.push_back(static_cast<index>(inputs[0].text.size()));
      inputs[0].text += word;
    }
    inputs[0].windows = std::move(
        tokens_.encode_words(1, [words](std::size_t) { return words; }, window_options()).front());
    for (auto& window : inputs[0].windows) {
      for (std::size_t i = 0; i < window.offsets.size(); ++i) {
        if (window.word_ids[i] < 0) continue;
        const index begin = inputs[0].begins[static_cast<std::size_t>(window.word_ids[i])];
        window.offsets[i].begin += begin;
        window.offsets[i].end += begin;
      }
    }
    if (options_.strategy == aggregation::word) drop_blank_words(inputs[0].text, inputs[0].windows);
    return std::move(run(inputs).front());
  }

  /// Many texts at once: the same entities as one by one, faster.
  /// @throws onoma::error (parse) naming the text that is not UTF-8; then nothing is tagged.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) {
    for (std::size_t i = 0; i < texts.size() && texts.size() > 1; ++i) {
      if (find_invalid_utf8(texts[i]) >= 0) {
        validate_utf8(texts[i], "tag_batch: text " + std::to_string(i));
      }
    }
    auto windows = tokens_.encode(texts, window_options());
    std::vector<input> inputs(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      inputs[i].text = texts[i];
      inputs[i].windows = std::move(windows[i]);
      if (options_.strategy != aggregation::word) continue;
      if (tokens_.get().has_space_words()) {
        assign_words(texts[i], inputs[i].windows);
      } else {
        drop_blank_words(texts[i], inputs[i].windows);
      }
    }
    return run(inputs);
  }

 private:
  struct input {
    std::string text;
    std::vector<index> begins;  // of pre-split words
    std::vector<encoding> windows;
    std::vector<std::vector<float>> probabilities;  // one [N, L] per window
  };

  pipeline(const std::filesystem::path& folder, const pipeline_options& options)
      : options_(options),
        pool_(make_pool(options)),
        backend_(std::make_unique<cpu_backend>(pool_ ? executor_ref(*pool_) : options.executor)),
        model_(token_classifier<cpu_backend>::load(
            folder, {}, *backend_,
            {.training = false, .require_head = true, .packed_cache = options.packed_cache})),
        tokens_(load_tokenizer(folder), backend_->executor()),
        tags_(model_.labels()) {
    if (tokens_.get().vocabulary_size() > model_.config().vocabulary) {
      fail(error_code::format, "loading a pipeline from " + folder.string(),
           "a vocabulary of at most " + std::to_string(model_.config().vocabulary) + " pieces",
           std::to_string(tokens_.get().vocabulary_size()));
    }
    static_cast<void>(window_options());
  }

  [[nodiscard]] static std::unique_ptr<thread_pool> make_pool(const pipeline_options& options) {
    const bool own = options.threads > 1 && !options.executor;
    return own ? std::make_unique<thread_pool>(options.threads) : nullptr;
  }

  [[nodiscard]] encode_options window_options() const {
    encode_options o;
    o.max_length = options_.max_length > 0 ? std::min(options_.max_length, model_.max_length())
                                           : model_.max_length();
    // A model with room for few tokens cannot share as many as the default says.
    o.stride = std::min(options_.stride, std::max<index>(0, (o.max_length - 2) / 2));
    return o;
  }

  [[nodiscard]] std::vector<tagged_text> run(std::vector<input>& inputs) {
    std::vector<std::pair<std::size_t, std::size_t>> pending;  // (input, window) of the batch
    batch_.clear();
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      inputs[i].probabilities.resize(inputs[i].windows.size());
      for (std::size_t w = 0; w < inputs[i].windows.size(); ++w) {
        const auto& ids = inputs[i].windows[w].ids;
        if (batch_.count() > 0 &&
            batch_.tokens() + static_cast<index>(ids.size()) > options_.max_tokens) {
          score(inputs, pending);
        }
        batch_.add(ids);
        pending.emplace_back(i, w);
      }
    }
    if (batch_.count() > 0) score(inputs, pending);
    std::vector<tagged_text> results;
    results.reserve(inputs.size());
    for (auto& in : inputs) results.push_back(finish(in));
    return results;
  }

  void score(std::vector<input>& inputs, std::vector<std::pair<std::size_t, std::size_t>>& pending) {
    const auto probabilities = model_.probabilities(batch_);
    const auto layout = batch_.layout();
    for (std::size_t b = 0; b < pending.size(); ++b) {
      const auto at = static_cast<index>(b);
      const float* first = probabilities.row_data(layout.begin(at));
      inputs[pending[b].first].probabilities[pending[b].second].assign(
          first, first + layout.length(at) * probabilities.cols);
    }
    pending.clear();
    batch_.clear();
  }

  [[nodiscard]] tagged_text finish(input& in) const {
    tagged_text result;
    result.windows = static_cast<index>(in.windows.size());
    std::vector<scored_window> windows;
    for (std::size_t w = 0; w < in.windows.size(); ++w) {
      const encoding& e = in.windows[w];
      scored_window scored;
      scored.offsets = e.offsets;
      scored.word_ids = e.word_ids;
      scored.special = e.special;
      scored.probabilities = {in.probabilities[w].data(), e.size(), tags_.size()};
      for (const auto id : e.ids) {
        const bool unknown = id == tokens_.get().unknown_id();
        scored.pieces.push_back(tokens_.get().piece(id));
        scored.unknown.push_back(unknown ? 1 : 0);
        result.unknown_tokens += unknown ? 1 : 0;
      }
      windows.push_back(std::move(scored));
    }
    auto found = aggregate(in.text, windows, tags_,
                           {options_.strategy, {"O"}, tokens_.get().has_continuing_prefix()});
    const offset_map offsets(in.text);
    for (auto& e : found.entities) {
      auto bytes = e.span.bytes;
      // Offsets of byte-level BPE may begin with the space before a word.
      if (options_.strategy == aggregation::word) {
        bytes = trim_white_space(in.text, bytes);
        e.text = in.text.substr(static_cast<std::size_t>(bytes.begin), static_cast<std::size_t>(bytes.size()));
      }
      e.span = offsets.span(bytes);
    }
    result.entities = std::move(found.entities);
    result.repairs = found.repairs;
    return result;
  }

  pipeline_options options_;
  std::unique_ptr<thread_pool> pool_;
  std::unique_ptr<cpu_backend> backend_;
  token_classifier<cpu_backend> model_;
  batch_tokenizer tokens_;
  tag_set tags_;
  token_batch batch_;
};

}  // namespace onoma::inline ONOMA_ABI
