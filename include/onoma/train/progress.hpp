/// Training progress as text: a bar for terminals, plain lines for logs.
#pragma once

#include <onoma/train/trainer.hpp>

#include <algorithm>
#include <cstdio>
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

template <class... Values>
std::string print(const char* format, Values... values) {
  char buffer[256];
  const int size = std::snprintf(buffer, sizeof buffer, format, values...);
  return std::string(buffer, static_cast<std::size_t>(std::clamp(size, 0, 255)));
}

}  // namespace detail

/// One line that a terminal can overwrite: bar, step, loss, tokens per second, time left.
[[nodiscard]] inline std::string progress_bar(const training_progress& p, int width = 28) {
  const auto total = std::max<index>(p.total_steps, 1);
  const auto filled = static_cast<int>(p.step * width / total);
  std::string bar;
  for (int i = 0; i < width; ++i) bar += i < filled ? "\u2588" : "\u2591";
  return detail::print("epoch %ld/%ld ", static_cast<long>(p.epoch), static_cast<long>(p.epochs)) +
         bar +
         detail::print(" %ld/%ld  loss %.4f  %.0f tokens/s  ", static_cast<long>(p.step),
                       static_cast<long>(p.total_steps), p.loss, p.tokens_per_second) +
         format_duration(p.seconds_left) + " left";
}

/// One line of a log.
[[nodiscard]] inline std::string progress_line(const training_progress& p) {
  const auto step = static_cast<long>(p.step);
  const auto total = static_cast<long>(p.total_steps);
  if (p.what == training_progress::kind::step) {
    return detail::print("step %ld/%ld  loss %.4f  learning rate %.3g  gradient norm %.3f  %.0f "
                         "tokens/s  ",
                         step, total, p.loss, p.learning_rate, p.gradient_norm,
                         p.tokens_per_second) +
           format_duration(p.seconds_left) + " left";
  }
  auto line = detail::print("epoch %ld/%ld  mean loss %.4f", static_cast<long>(p.epoch),
                            static_cast<long>(p.epochs), p.loss);
  if (p.dev != nullptr) {
    line += detail::print("  dev precision %.4f recall %.4f F1 %.4f%s", p.dev->micro.precision,
                          p.dev->micro.recall, p.dev->micro.f1, p.is_best ? "  (best so far)" : "");
  }
  return line;
}

}  // namespace onoma::inline ONOMA_ABI
