/// Reading config.json key by key.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>

#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// Reads and checks one key at a time, and remembers which it has read.
class config_reader {
 public:
  /// Of an object, which must outlive it.
  explicit config_reader(const json& config) : config_(config), rest_(config) {}

  /// Reads an integer from 1 to `high`. @throws onoma::error (missing, format).
  void require_size(std::string_view key, index_t high, index_t& value) {
    value = require<index_t>(config_, key, where);
    read_size(key, high, value);
  }

  /// The settings below keep their value where the key is absent or null, which is how transformers
  /// writes "unset".
  void read_size(std::string_view key, index_t high, index_t& value) {
    value = take(key, value);
    if (value < 1 || value > high) refuse(key, "1 to " + std::to_string(high), value);
  }
  /// The number lies in [low, high); `range` says so in a message.
  void read_number(std::string_view key, double low, double high, const char* range,
                   double& value) {
    value = take(key, value);
    if (!(value >= low && value < high)) refuse(key, range, value);
  }
  /// The number lies above 0 and below `high`.
  void read_positive(std::string_view key, double high, const char* range, double& value) {
    constexpr double tiny = 1e-300;  // "above 0" for a check of the form low <= x
    read_number(key, tiny, high, range, value);
  }
  /// Whether the key is there and says null.
  [[nodiscard]] bool is_null(std::string_view key) const {
    const auto found = config_.find(key);
    return found != config_.end() && found->is_null();
  }
  /// The value of the key, or `otherwise` where it is absent or null. @throws onoma::error (format).
  template <class T>
  [[nodiscard]] T take(std::string_view key, T otherwise) {
    rest_.erase(std::string(key));
    return value_or<T>(config_, key, std::move(otherwise), where);
  }

  /// The object under this key, or null.
  [[nodiscard]] const json* find_object(std::string_view key) {
    rest_.erase(std::string(key));
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null()) return nullptr;
    if (!found->is_object()) refuse(key, "an object", *found);
    return &*found;
  }

  /// What stands under this key, whatever it is, or null.
  [[nodiscard]] json take_json(std::string_view key) {
    rest_.erase(std::string(key));
    const auto found = config_.find(key);
    return found == config_.end() ? json() : *found;
  }

  /// Throws if the key is there and says anything but `harmless` (or null).
  void refuse_unless(std::string_view key, const json& harmless) const {
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null() || *found == harmless) return;
    fail(error_code::unsupported, place(key), describe(harmless), describe(*found));
  }

  /// @throws onoma::error (format) always, naming the key.
  [[noreturn]] static void refuse(std::string_view key, std::string expected, const json& found) {
    fail(error_code::format, place(key), std::move(expected), describe(found));
  }

  /// How messages name a key.
  [[nodiscard]] static std::string place(std::string_view key) {
    return std::string(where) + ": '" + std::string(key) + "'";
  }

  /// The keys that nothing has read.
  [[nodiscard]] json take_rest() { return std::move(rest_); }

 private:
  static constexpr const char* where = "config.json";

  const json& config_;
  json rest_;
};

}  // namespace onoma::inline ONOMA_ABI
