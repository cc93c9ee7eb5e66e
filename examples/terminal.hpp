/// What the example programs share: errors in one line, colours, and whether there is a terminal.
#pragma once

#include <onoma/core/error.hpp>

#include <cstdio>
#include <cstdlib>
#include <exception>
#include <string>
#include <string_view>

#include <unistd.h>

namespace terminal {

/// Whether colours and moving lines are welcome: a terminal, and NO_COLOR (no-color.org) not set.
inline bool is_interactive(std::FILE* stream) { return ::isatty(::fileno(stream)) != 0; }
inline bool wants_color(const std::string& when, std::FILE* stream) {
  if (when == "always") return true;
  if (when == "never") return false;
  const char* no_color = std::getenv("NO_COLOR");
  return is_interactive(stream) && (no_color == nullptr || *no_color == '\0');
}

/// One of eight colours per label, always the same for the same label.
inline int color_of(std::string_view label) {
  constexpr int colors[] = {32, 33, 34, 35, 36, 91, 92, 94};
  unsigned hash = 7;
  for (const char c : label) hash = hash * 31 + static_cast<unsigned char>(c);
  return colors[hash % 8];
}

/// Sends on what was printed. @throws onoma::error (io) if not all of it could be written.
inline void flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  onoma::fail(onoma::error_code::io, "writing to standard output", "room for all of it", "an error");
}

/// Runs a program's body; an error becomes one line on stderr and exit code 1.
template <class F>
int run(const char* program, F body) {
  try {
    const int code = body();
    flush_output();
    return code;
  } catch (const onoma::error& problem) {
    std::fprintf(stderr, "%s: %s\n", program, problem.what());
  } catch (const std::exception& problem) {
    std::fprintf(stderr, "%s: %s\n", program, problem.what());
  }
  return 1;
}

}  // namespace terminal
