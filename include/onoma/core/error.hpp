/// The one exception type of the library, and the checks that throw it.
#pragma once

#include <onoma/core/config.hpp>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// What kind of thing went wrong: for programs that react, where the message is for people.
enum class error_code {
  invalid_argument,  ///< a value outside its domain, or arguments that contradict each other
  shape_mismatch,    ///< extents that do not fit together
  out_of_range,      ///< an id or index outside its table
  file_not_found,    ///< a file or folder that is not there
  io,                ///< the operating system refused to read or write
  parse,             ///< text that does not follow its grammar (JSON, CoNLL, UTF-8)
  format,            ///< well-formed data whose content contradicts its format
  missing,           ///< something required is absent (a key, a tensor, a file of a folder)
  unsupported,       ///< valid, but outside what this version handles
  cancelled,         ///< another thread asked for the end of a call
  limit_exceeded,    ///< a call would take more bytes, tokens, time or memory than its caller allows
};

/// The name of an error code, as it appears in messages.
[[nodiscard]] constexpr std::string_view to_string(error_code code) noexcept {
  switch (code) {
    case error_code::invalid_argument: return "invalid argument";
    case error_code::shape_mismatch: return "shape mismatch";
    case error_code::out_of_range: return "out of range";
    case error_code::file_not_found: return "file not found";
    case error_code::io: return "input/output";
    case error_code::parse: return "parse error";
    case error_code::format: return "bad format";
    case error_code::missing: return "missing";
    case error_code::unsupported: return "unsupported";
    case error_code::cancelled: return "cancelled";
    case error_code::limit_exceeded: return "limit exceeded";
  }
  return "unknown";
}

/// Every failure that onoma reports. `what()` reads
/// `<operation>: <code>: expected <expected>, found <found>`; the parts are kept for programs.
class error : public std::runtime_error {
 public:
  /// `operation` names what was being done and where (a file, a line, a tensor); `expected` and
  /// `found` are phrases that complete "expected ..., found ...". Either may be empty.
  error(error_code code, std::string operation, std::string expected, std::string found = {})
      : std::runtime_error(message(code, operation, expected, found)),
        code_(code),
        operation_(std::move(operation)),
        expected_(std::move(expected)),
        found_(std::move(found)) {}

  /// For programs that react.
  [[nodiscard]] error_code code() const noexcept { return code_; }
  /// What was being done, and where.
  [[nodiscard]] const std::string& operation() const noexcept { return operation_; }
  /// Completes "expected ..."; may be empty.
  [[nodiscard]] const std::string& expected() const noexcept { return expected_; }
  /// Completes "found ..."; may be empty.
  [[nodiscard]] const std::string& found() const noexcept { return found_; }

 private:
  static std::string message(error_code code, std::string_view operation,
                             std::string_view expected, std::string_view found) {
    std::string text;
    text.append(operation).append(": ").append(to_string(code));
    if (!expected.empty()) text.append(": expected ").append(expected);
    if (!found.empty()) text.append(expected.empty() ? ": found " : ", found ").append(found);
    return text;
  }

  error_code code_;
  std::string operation_;
  std::string expected_;
  std::string found_;
};

/// Throws `onoma::error`. The one place where the library throws: hosts can break here.
[[noreturn]] inline void fail(error_code code, std::string operation, std::string expected,
                              std::string found = {}) {
  throw error(code, std::move(operation), std::move(expected), std::move(found));
}

/// Throws `onoma::error` with these fixed phrases if `ok` is false. For messages that must be
/// built from values, test first and call `fail`: then the good path builds no string.
inline void check(bool ok, error_code code, const char* operation, const char* expected,
                  const char* found = "") {
  if (!ok) [[unlikely]] {
    fail(code, operation, expected, found);
  }
}

/// Like `check`, for mistakes inside the library; compiled away where NDEBUG is defined.
inline void debug_check([[maybe_unused]] bool ok, [[maybe_unused]] const char* operation,
                        [[maybe_unused]] const char* expected) {
#if ONOMA_DEBUG_CHECKS
  check(ok, error_code::invalid_argument, operation, expected);
#endif
}

}  // namespace onoma::inline ONOMA_ABI
