/// Strict JSON: RFC 8259 to the letter, no duplicate keys, bounded depth, errors with positions.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/io/json_type.hpp>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

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

/// Keys of all objects of a text: colons outside of strings. Right for JSON; for other texts, which the
/// parser refuses, it is some number. (A callback of `json::parse`, the other way to look on, takes
/// quadratic time in the objects of an array.) `name_twice`: the text is JSON, and the first object that
/// ends with a key that it has twice is refused.
/// @throws onoma::error (parse) for a text that is nested too deeply.
inline std::size_t count_keys(std::string_view text, std::string_view name, bool name_twice = false) {
  const auto refuse = [&](const std::string& expected, const std::string& found) {
    fail(error_code::parse, "parsing " + std::string(name), expected, found);
  };
  std::size_t keys = 0;
  int depth = 0;
  std::string_view last;                                // string, as it stands
  std::vector<std::vector<std::string_view>> objects;  // keys of those that are open
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (c == '"') {
      const std::size_t begin = ++i;
      for (; i < text.size() && text[i] != '"'; ++i) i += text[i] == '\\' ? 1 : 0;
      if (name_twice) last = text.substr(begin, i - begin);
    } else if (c == ':') {
      ++keys;
      if (name_twice) objects.back().push_back(last);
    } else if (c == '{' || c == '[') {
      if (++depth > json_max_depth) {
        refuse("at most " + std::to_string(json_max_depth) + " levels of nesting", "more");
      }
      if (name_twice && c == '{') objects.emplace_back();
    } else if (c == '}' || c == ']') {
      --depth;
      if (!name_twice || c == ']') continue;
      std::sort(objects.back().begin(), objects.back().end());
      const auto twice = std::adjacent_find(objects.back().begin(), objects.back().end());
      if (twice != objects.back().end()) {
        refuse("every key once in an object", "'" + std::string(*twice) + "' twice");
      }
      objects.pop_back();
    }
  }
  if (name_twice) refuse("every key once in an object", "a key twice, written in two ways");
  return keys;
}

/// Keys of all objects of a value.
inline std::size_t count_keys(const json& value) {
  std::size_t keys = value.is_object() ? value.size() : 0;
  if (value.is_structured()) {
    for (const json& part : value) {
      if (part.is_structured()) keys += count_keys(part);
    }
  }
  return keys;
}

}  // namespace detail

/// A value as one line of text. Bytes that are not UTF-8 (of file names, say) become U+FFFD.
[[nodiscard]] inline std::string json_line(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// Parses one JSON text; `name` (a file name) appears in messages.
/// @throws onoma::error (parse) with line and column.
[[nodiscard]] inline json parse_json(std::string_view text, std::string_view name) {
  if (text.starts_with(byte_order_mark)) {
    fail(error_code::parse, "parsing " + std::string(name), "JSON without a byte order mark",
         "a byte order mark");
  }
  // nlohmann's lexer takes a NUL byte for the end of the text; JSON has no place for one.
  if (const auto nul = text.find('\0'); nul != std::string_view::npos) {
    fail(error_code::parse, "parsing " + std::string(name), "JSON",
         "a NUL byte at " + detail::position_of(text, nul));
  }
  const std::size_t keys = detail::count_keys(text, name);
  json value;
  try {
    value = json::parse(text.begin(), text.end());
  } catch (const json::parse_error& problem) {
    const std::size_t byte = problem.byte > 0 ? problem.byte - 1 : 0;
    fail(error_code::parse, "parsing " + std::string(name), "JSON",
         "an error at " + detail::position_of(text, byte));
  } catch (const json::exception& problem) {  // numbers out of range
    fail(error_code::parse, "parsing " + std::string(name), "JSON", problem.what());
  }
  // A key that came twice is there once. Which one it was is asked for only then: a vocabulary has tens
  // of thousands.
  if (detail::count_keys(value) != keys) detail::count_keys(text, name, true);
  return value;
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

}  // namespace detail

/// A value as a T: bool, std::string, a floating-point type or index. @throws onoma::error (format) with its
/// `key`; `where` names the file or object.
template <class T>
[[nodiscard]] T json_value(const json& value, std::string_view key, std::string_view where) {
  if constexpr (std::is_same_v<T, bool>) {
    if (!value.is_boolean()) detail::wrong_type(key, where, "true or false", value);
    return value.get<bool>();
  } else if constexpr (std::is_same_v<T, std::string>) {
    if (!value.is_string()) detail::wrong_type(key, where, "a string", value);
    return value.get<std::string>();
  } else if constexpr (std::is_floating_point_v<T>) {
    if (!value.is_number()) detail::wrong_type(key, where, "a number", value);
    const auto number = value.get<double>();
    if (!std::isfinite(static_cast<T>(number))) {
      detail::wrong_type(key, where, "a number in range", value);
    }
    return static_cast<T>(number);
  } else {
    static_assert(std::is_same_v<T, index_t>, "bool, string, floating point or index");
    if (!value.is_number_integer()) detail::wrong_type(key, where, "an integer", value);
    if (value.is_number_unsigned() && value.get<std::uint64_t>() > INT64_MAX) {
      detail::wrong_type(key, where, "an integer in range", value);
    }
    return static_cast<index_t>(value.get<std::int64_t>());
  }
}

/// The value of a key, or null where the value is no object or has no such key.
[[nodiscard]] inline const json& member(const json& object, const char* key) {
  static const json null;
  if (!object.is_object()) return null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

/// Whether a value is this string. (nlohmann's comparison with a literal makes a value of it, and ends the program
/// where memory runs out.)
[[nodiscard]] inline bool is_text(const json& value, std::string_view text) {
  return value.is_string() && value.get_ref<const std::string&>() == text;
}

/// The array under a key. @throws onoma::error (format); `where` names the object.
[[nodiscard]] inline const json& require_array(const json& object, const char* key,
                                               const std::string& where) {
  const json& list = member(object, key);
  if (!list.is_array()) fail(error_code::format, where + '.' + key, "an array", describe(list));
  return list;
}

/// The value of a key that must be there. T is bool, std::string, a floating-point type or index.
/// @throws onoma::error (missing, format); `where` names the file or object.
template <class T>
[[nodiscard]] T require(const json& object, std::string_view key, std::string_view where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end()) {
    fail(error_code::missing, std::string(where), "the key '" + std::string(key) + "'", "no such key");
  }
  return json_value<T>(*found, key, where);
}

/// The same with a default for a key that is absent or null.
template <class T>
[[nodiscard]] T value_or(const json& object, std::string_view key, T otherwise,
                         std::string_view where) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  if (found == object.end() || found->is_null()) return otherwise;
  return json_value<T>(*found, key, where);
}

}  // namespace onoma::inline ONOMA_ABI
