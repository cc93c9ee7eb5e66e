/// Rules and gazetteers as a finder of entities: beside another one, or alone.
#pragma once

#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/span.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/document.hpp>
#include <onoma/match/match.hpp>
#include <onoma/match/matchers.hpp>
#include <onoma/ner/entity.hpp>
#include <onoma/predict/entity_model.hpp>
#include <onoma/predict/limits.hpp>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What another finder of entities finds, together with what rules and gazetteers find, by their policy
/// (`add_matches`): each entity says what found it. Without another one, they find alone.
///
/// Rules go through the words that `matchers::split` finds in a raw text, whatever words the other finder labels, so
/// that a rule finds the same beside each model; or through the words that are given. `tagged_text::words` are
/// those that the other one labelled, or else those of the rules; all entities count in them.
class matching_model final : public entity_model {
 public:
  /// `base` may be null where the policy is `only`, and does not run with this policy. `limits` are those of a
  /// call as a whole; those for tokens and memory are for `base` to keep.
  /// @throws onoma::error (invalid_argument) for nothing that looks, and for another policy without `base`.
  matching_model(std::unique_ptr<entity_model> base, std::shared_ptr<const matchers> look,
                 const tagging_limits& limits = {})
      : base_(std::move(base)), look_(std::move(look)), limits_{limits.text_bytes, 0, limits.seconds, 0} {
    check(look_ != nullptr && !look_->empty(), error_code::invalid_argument, "matching_model",
          "rules or gazetteers", "none");
    check(base_ != nullptr || look_->policy == match_policy::only, error_code::invalid_argument,
          "matching_model", "a model, or the policy 'only'", "rules without a model");
    if (base_ == nullptr) labels_ = look_->labels();
  }

  /// Those of the other finder, by its ids; alone: those that may be found, by name.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept override {
    return base_ != nullptr ? base_->labels() : labels_;
  }
  [[nodiscard]] std::unique_ptr<entity_model> share() const override {
    auto other = std::make_unique<matching_model>(base_ != nullptr ? base_->share() : nullptr, look_, limits_);
    return other;
  }
  void set_cancellation(cancellation stop) override {
    if (base_ != nullptr) base_->set_cancellation(stop);
    stop_ = std::move(stop);
  }

  /// @throws onoma::error (limit_exceeded, cancelled, unsupported) as `matchers::find`, the limits and
  /// `set_cancellation` say.
  [[nodiscard]] std::vector<tagged_text> tag_batch(std::span<const std::string> texts) override {
    const auto call = begin_call("tag_batch");
    for (std::size_t i = 0; i < texts.size(); ++i) {
      call.check_text(texts[i].size(), i);
      if (find_invalid_utf8(texts[i]) < 0) continue;
      validate_utf8(texts[i], texts.size() > 1 ? "tag_batch: text " + std::to_string(i) : "tag_batch");
    }
    auto results = runs_base() ? base_->tag_batch(texts) : std::vector<tagged_text>(texts.size());
    for (std::size_t i = 0; i < texts.size(); ++i) {
      call.check();
      auto& result = results[i];
      document d;
      d.text = texts[i];
      d.spans = std::move(result.entities);
      d.words = look_->split(d.text);
      const bool recount = !d.spans.empty() || !result.words.empty();
      add(d, false);
      if (result.words.empty()) result.words = d.words;
      if (recount) {
        d.words = result.words;
        complete_spans(d);
      }
      result.entities = std::move(d.spans);
    }
    return results;
  }

  /// An entity that rules or gazetteers find is of whole words.
  [[nodiscard]] tagged_text tag_words(std::span<const std::string> words) override {
    const auto call = begin_call("tag_words");
    document d;
    std::vector<index_t> numbers;  // of words that are not empty: those that rules see
    for (std::size_t i = 0; i < words.size(); ++i) {
      validate_utf8(words[i], "tag_words");
      if (i > 0) d.text += ' ';
      const auto begin = static_cast<index_t>(d.text.size());
      d.text += words[i];
      if (words[i].empty()) continue;
      d.words.push_back({begin, static_cast<index_t>(d.text.size())});
      numbers.push_back(static_cast<index_t>(i));
    }
    call.check_text(d.text.size(), 0);
    auto result = runs_base() ? base_->tag_words(words) : tagged_text{};
    call.check();
    d.spans = std::move(result.entities);
    add(d, true);
    if (numbers.size() != words.size()) {
      complete_spans(d);
      for (auto& e : d.spans) {
        if (e.last < e.first) continue;
        e.first = numbers[static_cast<std::size_t>(e.first)];
        e.last = numbers[static_cast<std::size_t>(e.last)];
      }
    }
    result.entities = std::move(d.spans);
    return result;
  }

 private:
  [[nodiscard]] bool runs_base() const noexcept {
    return base_ != nullptr && look_->policy != match_policy::only;
  }
  [[nodiscard]] call_limits begin_call(const char* operation) const {
    return call_limits(limits_, stop_ ? &*stop_ : nullptr, operation);
  }
  void add(document& d, bool words_are_given) {
    matches_.clear();
    look_->find(d, words_are_given, matches_, memory_);
    add_matches(d, matches_, look_->policy);
  }

  std::unique_ptr<entity_model> base_;
  std::shared_ptr<const matchers> look_;
  tagging_limits limits_;
  std::vector<std::string> labels_;
  std::optional<cancellation> stop_;
  matchers::workspace memory_;
  std::vector<match> matches_;
};

}  // namespace onoma::inline ONOMA_ABI
