/// A classical model as a finder of entities: text in, entities out.
#pragma once

#include <onoma/classic/decoder.hpp>
#include <onoma/classic/model.hpp>
#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/offsets.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/entity_model.hpp>
#include <onoma/predict/limits.hpp>
#include <onoma/predict/word_splitting.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/word_rules.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a classical tagger works.
struct classic_tagger_options {
  index_t threads = 1;      ///< > 1: an own thread pool; ignored where `executor` is given
  executor_ref executor{};  ///< the host's threads; must outlive the tagger and those that it shares with
  word_splitting splitting = word_splitting::automatic;  ///< what finds words: the model's rules, else general ones
  tagging_limits limits{};                               ///< what a call may take; its words count as tokens
};

/// Finds entities by a classical model. Their score is the mean probability of their words' labels, over all labels
/// that the scheme allows.
class classic_tagger final : public entity_model {
 public:
  /// @throws onoma::error (invalid_argument) for words by a tokenizer, which such a model does not have, (missing) for
  /// learned rules that it does not have.
  explicit classic_tagger(const classic_model& model, const classic_tagger_options& options = {})
      : options_(options), tags_(model.labels()), rules_(choose_rules(model, options.splitting)) {
    if (!options.executor && options.threads > 1) pool_ = std::make_unique<thread_pool>(options.threads);
    const executor_ref executor = this->executor();
    for (index_t i = 0; i < executor.concurrency(); ++i) workers_.push_back(std::make_unique<worker>(model, rules_));
  }
  /// Opens a file that `classic_model::save` wrote. @throws onoma::error as `classic_model::open` and the constructor.
  [[nodiscard]] static std::unique_ptr<classic_tagger> open(const std::filesystem::path& path,
                                                            const classic_tagger_options& options = {},
                                                            file_access access = file_access::mapped) {
    return std::make_unique<classic_tagger>(classic_model::open(path, access), options);
  }

  [[nodiscard]] const std::vector<std::string>& labels() const noexcept override { return tags_.labels(); }
  /// The model.
  [[nodiscard]] const classic_model& model() const noexcept { return workers_.front()->decoder.model(); }
  [[nodiscard]] std::unique_ptr<entity_model> share() const override {
    return std::make_unique<classic_tagger>(model(), options_);
  }
  void set_cancellation(cancellation stop) override { stop_ = std::move(stop); }

  /// Words are found by rules and labelled as in training, one text as one sentence.
  /// @throws onoma::error (limit_exceeded, cancelled) as the options and `set_cancellation` say.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) override {
    auto call = begin_call("tag_batch");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      check_size(call, texts[i], i);
      if (find_invalid_utf8(texts[i]) >= 0) validate_utf8(texts[i], "tag_batch: text " + std::to_string(i));
    }
    std::vector<tagged_text> results(texts.size());
    std::atomic<std::size_t> next{0};
    const auto tasks = std::min(workers_.size(), texts.size());
    executor().parallel_for(static_cast<index_t>(tasks), [&](index_t task) {
      auto& own = *workers_[static_cast<std::size_t>(task)];
      for (std::size_t i = next.fetch_add(1); i < texts.size(); i = next.fetch_add(1)) {
        call.check();
        own.finder.find(texts[i], results[i].words, [&] { call.check(); });
        tag(texts[i], results[i].words, own, results[i]);
      }
    });
    for (const auto& result : results) call.add_tokens(static_cast<index_t>(result.words.size()));
    return results;
  }

  [[nodiscard]] tagged_text tag_words(std::span<const std::string> words) override {
    std::string text;
    std::vector<byte_span> places;
    for (const auto& word : words) {
      if (!places.empty()) text += ' ';
      const auto begin = static_cast<index_t>(text.size());
      text += word;
      places.push_back({begin, static_cast<index_t>(text.size())});
    }
    auto call = begin_call("tag_words");
    check_size(call, text, 0);
    call.add_tokens(static_cast<index_t>(words.size()));
    call.check();
    tagged_text result;
    tag(text, places, *workers_.front(), result);
    return result;
  }

 private:
  /// What one thread needs.
  struct worker {
    worker(const classic_model& model, const word_rules& rules) : decoder(model), finder(rules) {}
    classic_decoder decoder;
    word_finder finder;
    std::vector<std::string_view> words;
    std::vector<float> probabilities;
  };

  // Bytes of memory for each byte of a text, above what words of one letter take: views, scores and sums of ten labels.
  static constexpr index_t memory_per_byte = 512;

  [[nodiscard]] static word_rules choose_rules(const classic_model& model, word_splitting splitting) {
    check(splitting != word_splitting::tokenizer, error_code::invalid_argument, "word splitting by the tokenizer",
          "a model with a tokenizer", "a classical model");
    auto rules = choose_word_rules(model.own(), splitting, aggregation::word);
    return rules ? *std::move(rules) : general_word_rules();
  }

  [[nodiscard]] executor_ref executor() const {
    return pool_ != nullptr ? executor_ref(*pool_) : options_.executor;
  }
  [[nodiscard]] call_limits begin_call(const char* operation) const {
    return call_limits(options_.limits, stop_ ? &*stop_ : nullptr, operation);
  }
  static void check_size(const call_limits& call, const std::string& text, std::size_t number) {
    call.check_text(text.size(), number);
    call.check_memory(memory_per_byte * static_cast<index_t>(text.size()));
  }

  void tag(const std::string& text, std::span<const byte_span> places, worker& own, tagged_text& result) const {
    own.words.clear();
    for (const auto place : places) {
      own.words.push_back(std::string_view(text).substr(static_cast<std::size_t>(place.begin),
                                                        static_cast<std::size_t>(place.size())));
    }
    const auto labels = own.decoder.decode(std::span<const std::string_view>(own.words), &own.probabilities);
    aggregator entities(text, tags_);
    for (std::size_t i = 0; i < labels.size(); ++i) {
      entities.add(word_label{static_cast<index_t>(i), index_t{labels[i]}, own.probabilities[i], places[i]});
    }
    auto found = std::move(entities).finish();
    std::vector<byte_span> bytes;
    for (const auto& e : found.entities) bytes.push_back(e.span.bytes);
    const auto spans = spans_of(text, bytes);
    for (std::size_t i = 0; i < spans.size(); ++i) found.entities[i].span = spans[i];
    result.entities = std::move(found.entities);
    result.repairs = found.repairs;
  }

  classic_tagger_options options_;
  tag_set tags_;
  word_rules rules_;
  std::unique_ptr<thread_pool> pool_;
  std::vector<std::unique_ptr<worker>> workers_;
  std::optional<cancellation> stop_;
};

}  // namespace onoma::inline ONOMA_ABI
