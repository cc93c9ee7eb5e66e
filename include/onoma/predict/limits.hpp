/// What one call of a tagger may take, and the end of it on request.
#pragma once

#include <onoma/core/cancellation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/number_text.hpp>
#include <onoma/core/types.hpp>

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// Limits of one call; 0: none. A call that would go beyond one ends with an error (limit_exceeded) and without
/// results, and the tagger serves the next.
struct tagging_limits {
  index_t text_bytes = 0;  ///< of each text; looked at before anything else is done
  index_t tokens = 0;      ///< that all texts of a call have together, those that windows share counted again
  double seconds = 0.0;    ///< looked at between batches, texts and some of their words: a call ends a batch late
  /// Bytes of working memory beside the texts and the results: an estimate, by the bytes of the texts, that is made
  /// before anything else is done.
  index_t memory = 0;
};

/// One call: what it has used, and whether it may go on.
class call_limits {
 public:
  /// The call begins now. `stop` may be null.
  call_limits(const tagging_limits& limits, const cancellation* stop, const char* operation)
      : limits_(limits), stop_(stop), operation_(operation) {
    if (limits_.seconds > 0) begin_ = std::chrono::steady_clock::now();
  }

  /// @throws onoma::error (limit_exceeded) for a text that is too long.
  void check_text(std::size_t bytes, std::size_t number) const {
    if (limits_.text_bytes > 0 && static_cast<index_t>(bytes) > limits_.text_bytes) {
      refuse("text " + std::to_string(number) + " of at most " + std::to_string(limits_.text_bytes) + " bytes",
             std::to_string(bytes));
    }
  }
  /// @throws onoma::error (limit_exceeded) for a call that would take more memory.
  void check_memory(index_t bytes) const {
    if (limits_.memory > 0 && bytes > limits_.memory) {
      refuse("a call that takes at most " + std::to_string(limits_.memory) + " bytes of memory",
             "one that may take " + std::to_string(bytes));
    }
  }
  /// @throws onoma::error (limit_exceeded).
  void add_tokens(index_t count) {
    tokens_ += count;
    if (limits_.tokens > 0 && tokens_ > limits_.tokens) {
      refuse("at most " + std::to_string(limits_.tokens) + " tokens", std::to_string(tokens_) + " or more");
    }
  }
  /// @throws onoma::error (cancelled, limit_exceeded).
  void check() const {
    if (stop_ != nullptr) stop_->check(operation_);
    if (limits_.seconds <= 0) return;
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin_;
    if (taken.count() > limits_.seconds) {
      refuse("at most " + significant_text(limits_.seconds, 6) + " seconds", fixed_text(taken.count(), 3));
    }
  }

 private:
  [[noreturn]] void refuse(std::string expected, std::string found) const {
    fail(error_code::limit_exceeded, operation_, std::move(expected), std::move(found));
  }

  tagging_limits limits_;
  const cancellation* stop_;
  const char* operation_;
  index_t tokens_ = 0;
  std::chrono::steady_clock::time_point begin_;
};

}  // namespace onoma::inline ONOMA_ABI
