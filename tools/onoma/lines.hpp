/// Lines of text from a file or a pipe, as they arrive.
#pragma once

#include <onoma/core/types.hpp>

#include <cstddef>
#include <string>

namespace command {

/// Reads UTF-8 text line by line: a byte order mark at the start and CR before LF belong to no line. The last
/// line need not end.
class line_reader {
 public:
  /// A file. @throws onoma::error (file_not_found, io) naming it.
  explicit line_reader(const std::string& path);
  /// Standard input.
  line_reader();
  ~line_reader();
  line_reader(const line_reader&) = delete;
  line_reader& operator=(const line_reader&) = delete;

  /// False at the end. Waits for a whole line. @throws onoma::error (io).
  bool next(std::string& line);
  /// Whether `next` would wait: no whole line is at hand, and no more input right now.
  [[nodiscard]] bool would_wait();

  /// "news.txt:3", for messages about the line that `next` gave last.
  [[nodiscard]] std::string place() const;

 private:
  /// Adds what there is to the buffer; false at the end of input.
  bool fill();

  std::string name_;
  int descriptor_;
  std::string buffer_;
  std::size_t at_ = 0;    // of the buffer: where the next line begins
  std::size_t seen_ = 0;  // up to here there is no line end
  bool ended_ = false;
  onoma::index_t number_ = 0;
};

}  // namespace command
