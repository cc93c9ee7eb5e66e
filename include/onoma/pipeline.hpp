/// Text in, entities out: a model folder, its tokenizer and the decoder behind one call.
#pragma once

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/classic/model.hpp>
#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/exclusive.hpp>
#include <onoma/data/document.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/match/matchers.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/classic_tagger.hpp>
#include <onoma/predict/entity_model.hpp>
#include <onoma/predict/limits.hpp>
#include <onoma/predict/matching_model.hpp>
#include <onoma/predict/token_tagger.hpp>
#include <onoma/predict/word_splitting.hpp>
#include <onoma/text/files/load.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a pipeline runs its model and cuts its texts.
struct pipeline_options {
  index_t threads = 1;         ///< > 1: an own thread pool; ignored where `executor` is given
  executor_ref executor{};   ///< the host's threads; must outlive the pipeline
  aggregation strategy = aggregation::word;  ///< how pieces become entities
  word_splitting splitting = word_splitting::automatic;  ///< what finds the words of raw text
  index_t max_length = 0;      ///< tokens per window; 0: as the model was trained, or as many as it takes
  index_t stride = 64;         ///< tokens that windows of a long text share
  index_t max_tokens = 2048;   ///< tokens per batch: fewer than some hundred cost time
  std::filesystem::path packed_cache{};  ///< as that of `inference_options`
  verification verify = verification::fast;  ///< as that of `inference_options`
  bool map_files = true;       ///< as that of `inference_options`
  tagging_limits limits{};     ///< what a call may take: bytes, tokens, seconds, memory
  index_t long_text = 1 << 20;  ///< as that of `prediction_options`
  /// Rules and gazetteers beside the model, as `matching_model`; null: none.
  std::shared_ptr<const matchers> matching{};
};

/// A tagger on the CPU. Movable; one pipeline serves one thread at a time, and `share` makes one more for
/// another thread, with the same weights.
class pipeline {
 public:
  /// Loads a folder as the Hub publishes it or as `trainable_model::save` writes it, with a head of tokens or of
  /// chains; or the file of a classical model, to which options of encoders (windows, caches) mean nothing.
  /// @throws onoma::error naming what is missing or wrong in which file; (missing) if the folder
  /// holds an encoder without a token-classification head; (invalid_argument) for a head of chains with another
  /// aggregation than `word`, and for rules beside the strategy `none`, which finds pieces and no entities; as
  /// `choose_word_rules`.
  [[nodiscard]] static pipeline load(const std::filesystem::path& folder,
                                     const pipeline_options& options = {}) {
    check(options.matching == nullptr || options.strategy != aggregation::none,
          error_code::invalid_argument, "rules beside a model", "an aggregation that makes entities",
          "'none'");
    auto alone = load_alone(folder, options);
    if (options.matching == nullptr) return alone;
    return pipeline(
        std::make_unique<matching_model>(std::move(alone.model_), options.matching, options.limits));
  }

  /// Of any finder of entities; rules without a model are a `matching_model`.
  explicit pipeline(std::unique_ptr<entity_model> model) : model_(std::move(model)) {
    check(model_ != nullptr, error_code::invalid_argument, "pipeline", "a model", "none");
  }

  /// A pipeline for another thread, over the same weights and tokenizer, with memory and threads of its own.
  /// Each may outlive the others.
  [[nodiscard]] pipeline share() const { return pipeline(model_->share()); }

  /// Calls end with an error (cancelled) once `stop` is set, by any thread; they look at it between batches. It
  /// stays in place for later calls, until another one takes it.
  /// @throws onoma::error (unsupported) where the model cannot be stopped.
  void set_cancellation(cancellation stop) {
    const exclusive::use used(in_use_, "pipeline", one_each);
    model_->set_cancellation(std::move(stop));
  }

  /// The labels that the model tells apart, by id.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return model_->labels(); }
  /// What finds the entities.
  [[nodiscard]] entity_model& model() const noexcept { return *model_; }

  /// @throws onoma::error (parse) if the text is not UTF-8; (limit_exceeded, cancelled) as `limits` and
  /// `set_cancellation` say. The pipeline serves the next call then.
  [[nodiscard]] tagged_text tag(std::string_view text) {
    const std::string owned(text);
    return std::move(tag_batch(std::span(&owned, 1)).front());
  }
  /// Puts the entities of its text in the place of the document's spans.
  /// @throws onoma::error (parse) if the text is not UTF-8.
  void tag(document& item) { item.spans = std::move(tag(item.text).entities); }

  /// Words that are split already: see `entity_model`.
  [[nodiscard]] tagged_text tag_words(std::span<const std::string> words) {
    const exclusive::use used(in_use_, "pipeline", one_each);
    return model_->tag_words(words);
  }
  /// Many texts at once: the same entities as one by one, faster. See `entity_model`.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) {
    const exclusive::use used(in_use_, "pipeline", one_each);
    return model_->tag_batch(texts);
  }

 private:
  [[nodiscard]] static pipeline load_alone(const std::filesystem::path& folder, const pipeline_options& options) {
    if (classic_model::is_model(folder)) return load_classic(folder, options);
    return with_head<cpu_backend>(head_kind_of(folder), [&](auto head) {
      return load_with<typename decltype(head)::type>(folder, options);
    });
  }
  [[nodiscard]] static pipeline load_classic(const std::filesystem::path& file, const pipeline_options& options) {
    check(options.strategy == aggregation::word, error_code::invalid_argument, "pipeline of a classical model",
          "the aggregation 'word'", "another one");
    return pipeline(classic_tagger::open(file,
                                         {.threads = options.threads,
                                          .executor = options.executor,
                                          .splitting = options.splitting,
                                          .limits = options.limits},
                                         options.map_files ? file_access::mapped : file_access::copied));
  }
  template <class Head>
  [[nodiscard]] static pipeline load_with(const std::filesystem::path& folder, const pipeline_options& options) {
    using tagger = token_tagger<session<cpu_backend, Head>>;
    using device = typename tagger::device;
    auto parts = std::make_shared<typename tagger::parts>();
    parts->make_device = [threads = options.threads, executor = options.executor] {
      return make_device<device>(threads, executor);
    };
    const auto first = make_device<device>(options.threads, options.executor);
    std::optional<tokenizer> tokens;
    const auto model = encoder_model<cpu_backend, Head>::load(
        folder, *first.backend, {.packed_cache = options.packed_cache,
                                 .verify = options.verify,
                                 .map_files = options.map_files,
                                 .meanwhile = [&] { tokens.emplace(load_tokenizer(folder)); }});
    // The weights keep the backend that packed them.
    parts->model = {model.get(), [model, backend = first.backend](const auto*) {}};
    parts->tokens = std::make_shared<const tokenizer>(tokens->for_table(model->config().vocabulary));
    parts->tags = tag_set(model->labels());
    if (const auto& scheme = model->config().scheme) parts->transitions = transitions_of(parts->tags, *scheme);
    parts->rules = choose_word_rules(model->config().own, options.splitting, options.strategy);
    parts->options = {options.strategy, {.max_length = options.max_length,
                                         .stride = options.stride,
                                         .max_tokens = options.max_tokens,
                                         .limits = options.limits,
                                         .long_text = options.long_text}};
    return pipeline(std::make_unique<tagger>(std::move(parts), first));
  }

  template <class Device>
  [[nodiscard]] static Device make_device(index_t threads, executor_ref executor) {
    if (threads <= 1 || executor) return {std::make_shared<cpu_backend>(executor), executor};
    struct with_pool {
      explicit with_pool(index_t n) : pool(n), backend(executor_ref(pool)) {}
      thread_pool pool;
      cpu_backend backend;
    };
    const auto both = std::make_shared<with_pool>(threads);
    return {std::shared_ptr<cpu_backend>(both, &both->backend), executor_ref(both->pool)};
  }

  static constexpr const char* one_each = "a pipeline for each thread (share())";

  std::unique_ptr<entity_model> model_;
  exclusive in_use_;
};

}  // namespace onoma::inline ONOMA_ABI
