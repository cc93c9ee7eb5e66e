/// Training progress as text: a bar for terminals, plain lines for logs.
#pragma once

#include <onoma/core/number_text.hpp>
#include <onoma/train/trainer.hpp>

#include <algorithm>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// "42 s", "3 min 5 s", "2 h 10 min".
[[nodiscard]] inline std::string format_duration(double seconds) {
  const auto total = static_cast<long>(std::max(0.0, seconds) + 0.5);
  if (total < 60) return std::to_string(total) + " s";
  if (total < 3600) return std::to_string(total / 60) + " min " + std::to_string(total % 60) + " s";
  return std::to_string(total / 3600) + " h " + std::to_string(total / 60 % 60) + " min";
}

namespace detail {

inline std::string ratio(index_t part, index_t whole) {
  return std::to_string(part) + "/" + std::to_string(whole);
}

}  // namespace detail

/// One line that a terminal can overwrite: bar, step, loss, tokens per second, time left.
[[nodiscard]] inline std::string progress_bar(const training_progress& p, int width = 28) {
  const auto total = std::max<index_t>(p.total_steps, 1);
  const auto filled = static_cast<int>(p.step * width / total);
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < filled ? "\u2588" : "\u2591";
  return "epoch " + detail::ratio(p.epoch, p.epochs) + " " + bar + " " +
         detail::ratio(p.step, p.total_steps) + "  loss " + fixed_text(p.loss, 4) + "  " +
         fixed_text(p.tokens_per_second, 0) + " tokens/s  " + format_duration(p.seconds_left) + " left";
}

/// One line of a log.
[[nodiscard]] inline std::string progress_line(const training_progress& p) {
  if (p.what == training_progress::kind::step) {
    return "step " + detail::ratio(p.step, p.total_steps) + "  loss " + fixed_text(p.loss, 4) +
           "  learning rate " + significant_text(p.learning_rate, 3) + "  gradient norm " +
           fixed_text(p.gradient_norm, 3) + "  " + fixed_text(p.tokens_per_second, 0) + " tokens/s  " +
           format_duration(p.seconds_left) + " left";
  }
  if (p.what == training_progress::kind::rollback && p.change != nullptr) {
    return "step " + std::to_string(p.change->diverged_at) + " diverged: back to step " +
           std::to_string(p.change->step) + ", learning rate " + significant_text(p.change->from, 3) + " -> " +
           significant_text(p.change->to, 3);
  }
  auto line = "epoch " + detail::ratio(p.epoch, p.epochs) + "  mean loss " + fixed_text(p.loss, 4);
  if (p.dev != nullptr) {
    const auto& score = p.dev->micro;
    line += "  dev precision " + fixed_text(score.precision, 4) + " recall " + fixed_text(score.recall, 4) +
            " F1 " + fixed_text(score.f1, 4) + (p.is_best ? "  (best so far)" : "");
  }
  return line;
}

}  // namespace onoma::inline ONOMA_ABI
