/// Which examples make up which batch of an epoch.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/random_places.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/data/sample.hpp>
#include <onoma/train/dataset.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// At least one of the two limits is above 0. Batches are packed: a batch's cost is its tokens, so
/// that `max_tokens` alone gives steps of equal length, and sentences need no sorting by length.
struct batch_options {
  index_t batch_size = 16;    ///< examples per batch; 0: no limit
  index_t max_tokens = 0;     ///< tokens per batch; 0: no limit
  std::uint64_t seed = 42;  ///< of the order
};

/// The examples that come more than once in an epoch, each as often as it is repeated: the part of `repeats` behind the
/// point is the probability of one more. A pure function of the key.
template <class Example>
[[nodiscard]] std::vector<index_t> repeated_examples(const std::vector<Example>& examples, std::uint64_t key) {
  std::vector<index_t> again;
  if constexpr (requires(const Example& example) { example.repeats; }) {
    random_stream random(key);
    for (std::size_t i = 0; i < examples.size(); ++i) {
      const double more = static_cast<double>(examples[i].repeats) - 1.0;
      if (more <= 0.0) continue;
      const double whole = std::floor(more);
      const auto times = static_cast<index_t>(whole) + (random.uniform() < more - whole ? 1 : 0);
      again.insert(again.end(), static_cast<std::size_t>(times), static_cast<index_t>(i));
    }
  }
  return again;
}

/// The batches of one epoch: lists of example numbers, in an order that depends on seed and epoch
/// alone. An example longer than `max_tokens` is a batch by itself.
/// @throws onoma::error (invalid_argument) without any limit.
template <class Example>
[[nodiscard]] std::vector<std::vector<index_t>> plan_batches(
    const std::vector<Example>& examples, index_t epoch, const batch_options& options) {
  check(options.batch_size > 0 || options.max_tokens > 0, error_code::invalid_argument,
        "plan_batches", "batch_size or max_tokens above 0", "neither");
  const auto key = [&](std::uint64_t place) {
    return derive_key(options.seed, static_cast<std::uint64_t>(epoch), place);
  };
  const auto again = repeated_examples(examples, key(random_place::example_repeats));
  const auto count = static_cast<index_t>(examples.size());
  auto order = shuffled_order(count + static_cast<index_t>(again.size()), key(random_place::example_order));
  for (auto& i : order) {
    if (i >= count) i = again[static_cast<std::size_t>(i - count)];
  }
  std::vector<std::vector<index_t>> batches;
  index_t tokens = 0;
  for (const index_t i : order) {
    const auto length = static_cast<index_t>(examples[static_cast<std::size_t>(i)].ids.size());
    const bool full =
        batches.empty() ||
        (options.batch_size > 0 &&
         static_cast<index_t>(batches.back().size()) >= options.batch_size) ||
        (options.max_tokens > 0 && tokens + length > options.max_tokens);
    if (full) {
      batches.emplace_back();
      tokens = 0;
    }
    batches.back().push_back(i);
    tokens += length;
  }
  return batches;
}

/// Collects the examples of one planned batch. `batch` keeps its memory between calls.
template <class Targets>
void fill_batch(const std::vector<example_of<Targets>>& examples, const std::vector<index_t>& members,
                training_batch<Targets>& batch) {
  batch.clear();
  for (const index_t i : members) {
    const auto& example = examples[static_cast<std::size_t>(i)];
    batch.add(example.ids, example.labels, example.weight);
  }
}

/// What the loss counts in these examples: of token labels, the labelled tokens.
template <class Targets>
[[nodiscard]] index_t count_targets(const std::vector<example_of<Targets>>& examples,
                                  const std::vector<index_t>& members) {
  index_t count = 0;
  for (const index_t i : members) count += Targets::count(examples[static_cast<std::size_t>(i)].labels);
  return count;
}

/// All batches of one epoch as a range, for loops of one's own:
/// `for (const auto& batch : batches(examples, epoch, options))`.
template <class Targets>
class batches {
 public:
  /// The examples must outlive it. @throws onoma::error as `plan_batches`.
  batches(const std::vector<example_of<Targets>>& examples, index_t epoch,
          const batch_options& options = {})
      : examples_(&examples), plan_(plan_batches(examples, epoch, options)) {}

  /// Goes over the batches once. All share one batch's memory: what it refers to changes with the next.
  class iterator {
   public:
    /// Of batch number `at`.
    iterator(batches* owner, std::size_t at) : owner_(owner), at_(at) {}
    /// Puts the batch together.
    const training_batch<Targets>& operator*() const {
      fill_batch(*owner_->examples_, owner_->plan_[at_], owner_->batch_);
      return owner_->batch_;
    }
    /// To the next batch.
    iterator& operator++() {
      ++at_;
      return *this;
    }
    /// Whether they stand at different batches.
    bool operator!=(const iterator& other) const { return at_ != other.at_; }

   private:
    batches* owner_;
    std::size_t at_;
  };
  /// The first batch.
  [[nodiscard]] iterator begin() { return {this, 0}; }
  /// Behind the last batch.
  [[nodiscard]] iterator end() { return {this, plan_.size()}; }
  /// How many batches the epoch has.
  [[nodiscard]] std::size_t size() const noexcept { return plan_.size(); }

 private:
  const std::vector<example_of<Targets>>* examples_;
  std::vector<std::vector<index_t>> plan_;
  training_batch<Targets> batch_;
};

}  // namespace onoma::inline ONOMA_ABI
