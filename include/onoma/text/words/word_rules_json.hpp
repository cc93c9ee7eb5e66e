/// Word rules as JSON, as the config.json of a model keeps them.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/words/word_rule_tables.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// The key under which a model keeps the rules that its training data taught, beside its other own
/// settings (the object "onoma" in config.json, which transformers passes by).
inline constexpr const char* word_rules_key = "words";

namespace detail {

/// By value of `joins`.
inline constexpr std::array<std::string_view, 4> joins_names = {"none", "left", "right", "both"};

[[nodiscard]] inline json places_to_json(const word_rules::place_table& table) {
  json object = json::object();
  for (const auto& [place, how] : table) object[place] = joins_names[static_cast<std::size_t>(how)];
  return object;
}

[[nodiscard]] inline const json& require_object(const json& value, const char* key,
                                                std::string_view where) {
  const auto found = value.find(key);
  if (found == value.end() || !found->is_object()) {
    fail(error_code::format, std::string(where) + ": '" + key + "'", "an object",
         found == value.end() ? "no such key" : describe(*found));
  }
  return *found;
}

/// Whether a key of `word_rules::signs` can be one: an entry that is never looked up is an error of
/// its writer.
[[nodiscard]] inline bool is_class_key(std::string_view key) {
  constexpr std::string_view before = "^aicw9n";
  constexpr std::string_view behind = "ailU9n$,smMdpe";
  return key.size() >= 3 && before.find(key.front()) != std::string_view::npos &&
         behind.find(key.back()) != std::string_view::npos;
}

[[nodiscard]] inline word_rules::place_table places_from_json(const json& value, const char* key,
                                                              std::string_view where) {
  word_rules::place_table table;
  for (const auto& [place, how] : require_object(value, key, where).items()) {
    const auto found =
        std::find(joins_names.begin(), joins_names.end(),
                  how.is_string() ? how.get_ref<const std::string&>() : std::string());
    if (found == joins_names.end()) {
      fail(error_code::format, std::string(where) + ": '" + key + "': '" + place + "'",
           "none, left, right or both", describe(how));
    }
    table.emplace(place, static_cast<joins>(found - joins_names.begin()));
  }
  return table;
}

}  // namespace detail

/// An object of the tables and switches, and the version of their meaning.
[[nodiscard]] inline json to_json(const word_rules& rules) {
  json pairs = json::object();
  for (const auto& [pair, one] : rules.pairs) pairs[pair] = one;
  return {{"version", 1},
          {"signs", detail::places_to_json(rules.signs)},
          {"before", detail::places_to_json(rules.before)},
          {"behind", detail::places_to_json(rules.behind)},
          {"pairs", std::move(pairs)},
          {"splits_negations", rules.splits_negations},
          {"keeps_addresses", rules.keeps_addresses},
          {"joins_scripts", rules.joins_scripts}};
}

/// The rules that `to_json` wrote, or a person; `where` is for messages. Keys of other programs are
/// passed by. @throws onoma::error (missing, format) naming the key; (unsupported) for a version of
/// the future.
[[nodiscard]] inline word_rules word_rules_from_json(const json& value, std::string_view where) {
  if (!value.is_object())
    fail(error_code::format, std::string(where), "an object", describe(value));
  const auto version = require<index_t>(value, "version", where);
  if (version != 1) {
    fail(error_code::unsupported, std::string(where) + ": 'version'", "word rules of version 1",
         std::to_string(version));
  }
  word_rules rules;
  rules.signs = detail::places_from_json(value, "signs", where);
  for (const auto& [key, how] : rules.signs) {
    if (!detail::is_class_key(key)) {
      fail(error_code::format, std::string(where) + ": 'signs'",
           "a class, a sign and a class, such as \"a-a\"", "\"" + key + "\"");
    }
  }
  rules.before = detail::places_from_json(value, "before", where);
  rules.behind = detail::places_from_json(value, "behind", where);
  for (const auto& [pair, one] : detail::require_object(value, "pairs", where).items()) {
    rules.pairs.emplace(pair, json_value<bool>(one, pair, std::string(where) + ": 'pairs'"));
  }
  rules.splits_negations = require<bool>(value, "splits_negations", where);
  rules.keeps_addresses = require<bool>(value, "keeps_addresses", where);
  rules.joins_scripts = require<bool>(value, "joins_scripts", where);
  return rules;
}

/// The rules among a model's own settings (`encoder_config::own`); none if it has none.
/// @throws onoma::error as `word_rules_from_json`.
[[nodiscard]] inline std::optional<word_rules> find_word_rules(const json& own) {
  const auto& found = member(own, word_rules_key);
  if (found.is_null()) return std::nullopt;
  return word_rules_from_json(found, "config.json: 'onoma': 'words'");
}

}  // namespace onoma::inline ONOMA_ABI
