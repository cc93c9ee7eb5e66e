/// Many texts at once: a tokenizer with the workspaces of several threads.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/core/types.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/text/encoding.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <exception>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Encodes line by line on the host's threads. What it returns does not depend on how many there
/// are. Serves one thread at a time; keep it, and the word caches stay warm.
class batch_tokenizer {
 public:
  /// What is behind `threads` must outlive this. Default: the calling thread.
  explicit batch_tokenizer(tokenizer tokens, executor_ref threads = {})
      : batch_tokenizer(std::make_shared<const tokenizer>(std::move(tokens)), threads) {}
  /// With a tokenizer that others use too, on any threads.
  explicit batch_tokenizer(std::shared_ptr<const tokenizer> tokens, executor_ref threads = {})
      : tokenizer_(std::move(tokens)), threads_(threads) {}

  /// The tokenizer that all threads share.
  [[nodiscard]] const tokenizer& get() const noexcept { return *tokenizer_; }

  /// Encodes text i into `result[i]`, whose memory is used again.
  /// @throws onoma::error as `tokenizer::encode`; of several, that of the first text.
  void encode(std::span<const std::string> texts, const encode_options& options,
              std::vector<std::vector<encoding>>& result) {
    result.resize(texts.size());
    each(texts.size(), [&](std::size_t i, tokenizer::workspace& work) {
      tokenizer_->encode(texts[i], options, work, result[i]);
    });
  }
  /// The windows of each text, as `tokenizer::encode`.
  [[nodiscard]] std::vector<std::vector<encoding>> encode(std::span<const std::string> texts,
                                                          const encode_options& options = {}) {
    std::vector<std::vector<encoding>> result;
    encode(texts, options, result);
    return result;
  }

  /// Encodes `count` lists of words: `words(i)` is a list, `std::span<const std::string>`.
  /// @throws onoma::error as `tokenizer::encode_words`; of several, that of the first list.
  template <class Words>
  [[nodiscard]] std::vector<std::vector<encoding>> encode_words(std::size_t count,
                                                                const Words& words,
                                                                const encode_options& options = {}) {
    std::vector<std::vector<encoding>> result(count);
    each(count, [&](std::size_t i, tokenizer::workspace& work) {
      result[i] = tokenizer_->encode_words(words(i), options, work);
    });
    return result;
  }

 private:
  /// Calls `encode(i, workspace)` for each i. Threads take stretches of lines until none is left,
  /// so that a long line does not make the others wait.
  void each(std::size_t count, function_ref<void(std::size_t, tokenizer::workspace&)> encode) {
    const auto threads = static_cast<std::size_t>(std::max<index_t>(1, threads_.concurrency()));
    const std::size_t stretch = std::clamp<std::size_t>(count / (8 * threads), 1, 32);
    const std::size_t stretches = (count + stretch - 1) / stretch;
    const auto workers = std::min(threads, stretches);
    while (workspaces_.size() < workers) workspaces_.emplace_back(*tokenizer_);
    std::atomic<std::size_t> next{0};
    struct failure {
      std::size_t line;
      std::exception_ptr what;
    };
    std::vector<failure> failures(workers, failure{count, nullptr});
    const auto work = [&](index_t worker) {
      const auto w = static_cast<std::size_t>(worker);
      for (std::size_t s = next++; s < stretches; s = next++) {
        const std::size_t end = std::min(count, (s + 1) * stretch);
        for (std::size_t i = s * stretch; i < end; ++i) {
          try {  // tasks of an executor do not throw
            encode(i, workspaces_[w]);
          } catch (...) {
            if (i < failures[w].line) failures[w] = {i, std::current_exception()};
            return;
          }
        }
      }
    };
    threads_.parallel_for(static_cast<index_t>(workers), work);
    const auto first = std::min_element(
        failures.begin(), failures.end(),
        [](const failure& a, const failure& b) { return a.line < b.line; });
    if (first != failures.end() && first->what) std::rethrow_exception(first->what);
  }

  std::shared_ptr<const tokenizer> tokenizer_;
  executor_ref threads_;
  std::vector<tokenizer::workspace> workspaces_;
};

}  // namespace onoma::inline ONOMA_ABI
