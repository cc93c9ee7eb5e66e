/// Reading with poll(2), so that who waits for an answer gets it before the next line.
#include "lines.hpp"

#include <onoma/core/error.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/io/mapped_file.hpp>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

namespace command {

namespace {

int open_file(const std::string& path) {
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, "reading " + path, "a file of text", "a folder");
  }
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) onoma::fail_errno("reading", path);
  return descriptor;
}

}  // namespace

line_reader::line_reader(const std::string& path) : name_(path), descriptor_(open_file(path)) {}

line_reader::line_reader() : name_("standard input"), descriptor_(STDIN_FILENO) {}

line_reader::~line_reader() {
  if (descriptor_ != STDIN_FILENO) ::close(descriptor_);
}

bool line_reader::fill() {
  buffer_.erase(0, at_);
  seen_ -= at_;
  at_ = 0;
  const std::size_t size = buffer_.size();
  constexpr std::size_t part = 65536;
  buffer_.resize(size + part);
  ssize_t count = 0;
  do {
    count = ::read(descriptor_, buffer_.data() + size, part);
  } while (count < 0 && errno == EINTR);
  buffer_.resize(size + static_cast<std::size_t>(count < 0 ? 0 : count));
  if (count < 0) {
    onoma::fail(onoma::error_code::io, "reading " + name_, "", std::strerror(errno));
  }
  return count > 0;
}

bool line_reader::next(std::string& line) {
  std::size_t end = buffer_.find('\n', seen_);
  while (end == std::string::npos && !ended_) {
    seen_ = buffer_.size();
    ended_ = !fill();
    end = buffer_.find('\n', seen_);
  }
  if (end == std::string::npos) {
    if (at_ == buffer_.size()) return false;
    end = buffer_.size();
  }
  line.assign(buffer_, at_, end - at_);
  at_ = std::min(end + 1, buffer_.size());
  seen_ = at_;
  if (++number_ == 1 && line.starts_with(onoma::byte_order_mark)) {
    line.erase(0, onoma::byte_order_mark.size());
  }
  if (!line.empty() && line.back() == '\r') line.pop_back();
  return true;
}

bool line_reader::would_wait() {
  if (ended_) return false;
  for (;;) {
    if (buffer_.find('\n', seen_) != std::string::npos) return false;
    seen_ = buffer_.size();
    pollfd wanted{descriptor_, POLLIN, 0};
    // What cannot be asked is read: then `next` says what is wrong.
    const int ready = ::poll(&wanted, 1, 0);
    if (ready == 0) return true;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return false;
    if (!fill()) {
      ended_ = true;
      return false;
    }
  }
}

std::string line_reader::place() const { return name_ + ":" + std::to_string(number_); }

}  // namespace command
