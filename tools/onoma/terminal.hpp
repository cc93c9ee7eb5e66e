/// The terminal as the command sees it: colours, lines that move, and output that may have no room.
#pragma once

#include <onoma/core/error.hpp>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

#include <unistd.h>

namespace terminal {

inline bool is_interactive(std::FILE* stream) { return ::isatty(::fileno(stream)) != 0; }

/// Whether colours are welcome: a terminal, and NO_COLOR (no-color.org) not set.
/// @param when auto, always or never.
inline bool wants_color(std::string_view when, std::FILE* stream) {
  if (when != "auto") return when == "always";
  const char* no_color = std::getenv("NO_COLOR");
  return is_interactive(stream) && (no_color == nullptr || *no_color == '\0');
}

namespace detail {

[[noreturn]] inline void refuse_output() {
  onoma::fail(onoma::error_code::io, "writing to standard output", "room for all of it",
              std::strerror(errno));
}

}  // namespace detail

/// Prints to standard output. @throws onoma::error (io) if not all of it could be written.
inline void print(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size()) return;
  detail::refuse_output();
}

/// Sends on what was printed. @throws onoma::error (io) if not all of it could be written.
inline void flush() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return;
  detail::refuse_output();
}

/// A message of a program: one line, whatever the names in it hold.
inline void complain(std::string_view program, std::string_view message) {
  std::string line(program);
  line += ": ";
  for (const char c : message) {
    if (c == '\n') {
      line += "\\n";
    } else {
      line += c;
    }
  }
  line += '\n';
  std::fwrite(line.data(), 1, line.size(), stderr);
}

}  // namespace terminal
