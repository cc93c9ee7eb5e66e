/// Strict JSON: RFC 8259 to the letter, no duplicate keys, bounded depth, errors with positions.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

using json = nlohmann::json;

/// Nesting beyond this is refused: configuration files are a few levels deep, and hostile ones
/// would otherwise exhaust the stack of whoever walks them.
inline constexpr int json_max_depth = 200;

namespace detail {

/// Line and column (from 1, in bytes) of a byte position, for messages.
inline std::string position_of(std::string_view text, std::size_t byte) {
  const auto before = text.substr(0, std::min(byte, text.size()));
  const auto line = 1 + std::count(before.begin(), before.end(), '\n');
  const auto last = before.rfind('\n');
  const auto column = before.size() - (last == std::string_view::npos ? 0 : last + 1) + 1;
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

/// Counts depth and remembers keys, per open object, while nlohmann's parser walks the text.
class json_guard {
 public:
  json_guard(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  bool operator()(int depth, json::parse_event_t event, const json& value) {
    if (depth > json_max_depth) {
      fail(error_code::parse, "parsing " + std::string(name_),
           "at most " + std::to_string(json_max_depth) + " levels of nesting", "more");
    }
    switch (event) {
      case json::parse_event_t::object_start: keys_.emplace_back(); break;
      case json::parse_event_t::object_end:
        // A key that came twice is in the object once: no look-up per key, of which a vocabulary
        // has tens of thousands.
        if (value.size() != keys_.back().size()) fail_twice(keys_.back());
        keys_.pop_back();
        break;
      case json::parse_event_t::key:
        keys_.back().push_back(value.get_ref<const std::string&>());
        break;
      default: break;
    }
    return true;
  }

 private:
  [[noreturn]] void fail_twice(std::vector<std::string>& keys) const {
    std::sort(keys.begin(), keys.end());
    const auto twice = std::adjacent_find(keys.begin(), keys.end());
    fail(error_code::parse, "parsing " + std::string(name_), "every key once in an object",
         "'" + (twice == keys.end() ? std::string() : *twice) + "' twice");
  }

  std::string_view text_;
  std::string_view name_;
  std::vector<std::vector<std::string>> keys_;
};

}  // namespace detail

/// Parses one JSON text; `name` (a file name) appears in messages.
/// @throws onoma::error (parse) with line and column.
[[nodiscard]] inline json parse_json(std::string_view text, std::string_view name) {
  if (text.substr(0, 3) == "\xEF\xBB\xBF") {
    fail(error_code::parse, "parsing " + std::string(name), "JSON without a byte order mark",
         "a byte order mark");
  }
  // nlohmann's lexer takes a NUL byte for the end of the text; JSON has no place for one.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    fail(error_code::parse, "parsing " + std::string(name), "JSON",
         "a NUL byte at " + detail::position_of(text, nul));
  }
  detail::json_guard guard(text, name);
  try {
    return json::parse(text.begin(), text.end(),
                       [&guard](int depth, json::parse_event_t event, json& value) {
                         return guard(depth, event, value);
                       });
  } catch (const json::parse_error& problem) {
    const std::size_t byte = problem.byte > 0 ? problem.byte - 1 : 0;
    fail(error_code::parse, "parsing " + std::string(name), "JSON",
         "an error at " + detail::position_of(text, byte));
  } catch (const json::exception& problem) {  // numbers out of range
    fail(error_code::parse, "parsing " + std::string(name), "JSON", problem.what());
  }
}

/// Names of JSON types for messages.
[[nodiscard]] inline std::string describe(const json& value) {
  std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > 60) text = text.substr(0, 60) + "...";
  return text;
}

namespace detail {

[[noreturn]] inline void wrong_type(std::string_view key, std::string_view where,
                                    const char* expected, const json& found) {
  fail(error_code::format, std::string(where) + ": '" + std::string(key) + "'", expected,
       describe(found));
}

template <class T>
[[nodiscard]] T json_value(const json& value, std::string_view key, std::string_view where) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) wrong_type(key, where, "true or false", value);
    return value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) wrong_type(key, where, "a string", value);
    return value.get<std::string>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) wrong_type(key, where, "a number", value);
    const auto number = value.get<double>();
    if (!std::isfinite(static_cast<T>(number))) {
      wrong_type(key, where, "a number in range", value);
    }
    return static_cast<T>(number);
  } else {
    static_assert(std::is_same_v<T, index>, "bool, string, floating point or index");
    if (!value.is_number_integer()) wrong_type(key, where, "an integer", value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
      wrong_type(key, where, "an integer in range", value);
    }
    return static_cast<index>(value.get<std::int64_t>());
  }
}

}  // namespace detail

/// The value of a key that must be there. T is bool, std::string, a floating-point type or index.
/// @throws onoma::error (missing, format); `where` names the file or object.
template <class T>
[[nodiscard]] T require(const json& object, std::string_view key, std::string_view where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) {
    fail(error_code::missing, std::string(where), "the key '" + std::string(key) + "'", "no such key");
  }
  return detail::json_value<T>(*found, key, where);
}

/// The same with a default for a key that is absent or null.
template <class T>
[[nodiscard]] T value_or(const json& object, std::string_view key, T otherwise,
                         std::string_view where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || found->is_null()) return otherwise;
  return detail::json_value<T>(*found, key, where);
}

}  // namespace onoma::inline ONOMA_ABI
