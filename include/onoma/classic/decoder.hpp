/// Labels for words by a classical model.
#pragma once

#include <onoma/classic/chain.hpp>
#include <onoma/classic/model.hpp>
#include <onoma/classic/sentence_features.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Finds the best labels of one sentence after another. What words are worth by themselves is remembered, so that a
/// word that comes again costs an addition for each word around it. Memory of one thread; no result depends on what
/// was labelled before.
class classic_decoder {
 public:
  /// Takes a copy of the model, which shares its weights.
  explicit classic_decoder(classic_model model)
      : model_(std::move(model)),
        features_(model_.plan(), model_.list()),
        labels_(model_.parts().labels),
        width_(chain_transitions::width_of(labels_)),
        slots_(model_.parts().slots),
        chain_(labels_),
        transitions_(labels_ * width_, -std::numeric_limits<float>::infinity()) {
    const auto rules = model_.rules();
    for (std::size_t i = 0; i < labels_; ++i) {
      for (std::size_t j = 0; j < labels_; ++j) {
        const bool may = rules.follows(static_cast<index_t>(i), static_cast<index_t>(j));
        const float score = may ? model_.parts().transitions[i * labels_ + j] : -std::numeric_limits<float>::infinity();
        transitions_[i * width_ + j] = score;
        chain_(i, j) = static_cast<double>(score);
      }
    }
    chain_.prepare();
    // Memory for the types of a few thousand words of any number of labels.
    most_types_ = std::clamp<std::size_t>((std::size_t{8} << 20) / (slots_ * width_ * sizeof(float)), 1024, 65'536);
  }
  classic_decoder(const classic_decoder&) = delete;
  classic_decoder& operator=(const classic_decoder&) = delete;

  /// The model.
  [[nodiscard]] const classic_model& model() const noexcept { return model_; }

  /// The label of each word on the best path that the rules allow. `probabilities`, if not null, gets the probability
  /// of each of these labels, over all paths that the rules allow. Both are valid until the next call. The words are
  /// strings or views of strings; none: there are no labels.
  /// @throws onoma::error (parse) for a word that is not UTF-8, (format) for weights so large that their sums are not
  /// finite.
  template <class Word>
  std::span<const std::int32_t> decode(std::span<const Word> words, std::vector<float>* probabilities = nullptr) {
    path_.resize(words.size());
    if (probabilities != nullptr) probabilities->resize(words.size());
    if (words.empty()) return path_;
    score(words);
    const float best = viterbi_.run(scores_.data(), transitions_.data(), labels_, width_, words.size(), path_.data());
    check(std::isfinite(best), error_code::format, "labelling words", "scores that are finite", "others");
    if (probabilities != nullptr) find_probabilities(*probabilities);
    return path_;
  }

 private:
  template <class Word>
  void score(std::span<const Word> words) {
    if (features_.types() > most_types_) features_.clear();
    features_.read(words, [&](std::uint32_t type) { remember(type); });
    const auto count = static_cast<index_t>(words.size());
    const index_t radius = model_.plan().radius();
    scores_.assign(words.size() * width_, 0.0F);
    for (index_t i = 0; i < count; ++i) {
      float* out = scores_.data() + static_cast<std::size_t>(i) * width_;
      for (index_t d = -radius; d <= radius; ++d) {
        const float* more =
            memory_.data() + (features_.type(i + d) * slots_ + static_cast<std::size_t>(d + radius)) * width_;
        for (std::size_t j = 0; j < width_; ++j) out[j] += more[j];
      }
    }
    features_.for_each_joint([&](std::size_t word, std::string_view key) { add(word, radius, key); });
    features_.for_each_phrase([&](std::size_t word, index_t offset, std::string_view key) {
      add(word, offset + radius, key);
    });
    constexpr float forbidden = -std::numeric_limits<float>::infinity();
    const auto rules = model_.rules();
    float* last = scores_.data() + (words.size() - 1) * width_;
    for (std::size_t j = 0; j < labels_; ++j) {
      if (!rules.starts(static_cast<index_t>(j))) scores_[j] = forbidden;
      if (!rules.ends(static_cast<index_t>(j))) last[j] = forbidden;
    }
  }

  /// What the words around a type get from it.
  void remember(std::uint32_t type) {
    memory_.resize((type + 1) * slots_ * width_);
    float* own = memory_.data() + type * slots_ * width_;
    std::fill(own, own + slots_ * width_, 0.0F);  // of types that were forgotten
    features_.for_each_value([&](std::string_view key, std::span<const index_t>) { model_.add(key, width_, own); });
  }

  void add(std::size_t word, index_t slot, std::string_view key) {
    const auto& parts = model_.parts();
    const auto value = parts.find(key);
    if (value == unit_table::none) return;
    float* out = scores_.data() + word * width_;
    const auto first = static_cast<std::size_t>(slot) * labels_;
    for (std::uint32_t i = parts.begins[value]; i < parts.begins[value + 1]; ++i) {
      const std::size_t label = parts.targets[i] - first;
      if (label < labels_) out[label] += parts.weights[i];
    }
  }

  void find_probabilities(std::vector<float>& out) {
    wide_.assign(scores_.begin(), scores_.end());
    sums_.run(chain_, wide_.data(), path_.size());
    row_.resize(width_);
    for (std::size_t i = 0; i < path_.size(); ++i) {
      sums_.marginals(i, row_.data());
      out[i] = static_cast<float>(row_[static_cast<std::size_t>(path_[i])]);
    }
  }

  classic_model model_;
  sentence_features features_;
  std::size_t labels_;
  std::size_t width_;
  std::size_t slots_;
  chain_transitions chain_;
  std::vector<float> transitions_;  // [L, width]
  std::size_t most_types_ = 0;
  std::vector<float> memory_;  // [types, slots, width]
  std::vector<float> scores_;  // [words, width]
  std::vector<double> wide_, row_;
  std::vector<std::int32_t> path_;
  best_path<float> viterbi_;
  chain_sums sums_;
};

}  // namespace onoma::inline ONOMA_ABI
