/// tokenizer.json: the components that encoders for NER use; others are refused by name.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/tokenizer.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

inline const json& member(const json& object, const char* key) {
  static const json null;
  const auto found = object.find(key);
  return found == object.end() ? null : *found;
}

/// @throws onoma::error (unsupported) unless `part.type` is `type`.
inline void require_type(const json& part, const char* key, std::string_view type) {
  const std::string where = std::string("tokenizer.json: ") + key;
  if (!part.is_object()) fail(error_code::unsupported, where, std::string(type), describe(part));
  // Models written before 2020 have no "type"; WordPiece ones are known by their prefix.
  if (!part.contains("type") && part.contains("continuing_subword_prefix")) return;
  const auto found = require<std::string>(part, "type", where);
  if (found != type) {
    fail(error_code::unsupported, where, std::string(type), "'" + found + "'");
  }
}

/// "a b", a line of a merges.txt. @throws onoma::error (format).
inline std::pair<std::string, std::string> read_merge(std::string_view line,
                                                      const std::string& where) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    fail(error_code::format, where, "two pieces with a space between", "'" + std::string(line) + "'");
  }
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

inline wordpiece::options read_wordpiece_options(const json& model) {
  const std::string where = "tokenizer.json: model";
  wordpiece::options options;
  options.unknown = value_or<std::string>(model, "unk_token", options.unknown, where);
  options.continuing_prefix =
      value_or<std::string>(model, "continuing_subword_prefix", options.continuing_prefix, where);
  options.max_characters =
      value_or<index>(model, "max_input_chars_per_word", options.max_characters, where);
  return options;
}

inline std::vector<std::string> read_vocabulary(const json& model) {
  const std::string where = "tokenizer.json: model.vocab";
  const json& vocab = member(model, "vocab");
  if (!vocab.is_object()) fail(error_code::format, where, "an object", describe(vocab));
  std::vector<std::string> pieces(vocab.size());
  std::vector<bool> taken(vocab.size(), false);
  for (const auto& [piece, value] : vocab.items()) {
    const auto id = json_value<index>(value, piece, where);
    // Ids of a vocabulary are its line numbers: anything else has holes or doubles.
    if (id < 0 || id >= static_cast<index>(vocab.size()) || taken[static_cast<std::size_t>(id)]) {
      fail(error_code::format, where,
           "every id from 0 to " + std::to_string(vocab.size() - 1) + " once",
           "'" + piece + "': " + std::to_string(id));
    }
    taken[static_cast<std::size_t>(id)] = true;
    pieces[static_cast<std::size_t>(id)] = piece;
  }
  return pieces;
}

/// `normalizes`: added tokens would have to be looked for in normalised text.
inline std::vector<added_token> read_added_tokens(const json& list, bool normalizes) {
  const std::string where = "tokenizer.json: added_tokens";
  std::vector<added_token> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) fail(error_code::format, where, "an array", describe(list));
  for (const json& entry : list) {
    added_token token;
    token.content = require<std::string>(entry, "content", where);
    const auto id = require<index>(entry, "id", where);
    if (id < 0 || id > INT32_MAX) {
      fail(error_code::out_of_range, where, "an id from 0 to 2^31 - 1", std::to_string(id));
    }
    token.id = static_cast<std::int32_t>(id);
    token.special = value_or<bool>(entry, "special", false, where);
    token.single_word = value_or<bool>(entry, "single_word", false, where);
    token.lstrip = value_or<bool>(entry, "lstrip", false, where);
    token.rstrip = value_or<bool>(entry, "rstrip", false, where);
    token.normalized = value_or<bool>(entry, "normalized", !token.special, where);
    if (token.normalized && normalizes) {
      fail(error_code::unsupported, where, "tokens with normalized: false",
           "'" + token.content + "' with normalized: true");
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

inline void refuse_unless_null(const json& object, const char* key, const std::string& where) {
  const json& value = member(object, key);
  // Some writers have "" and false for nothing.
  if (value.is_null() || value == "" || value == false || value == 0) return;
  fail(error_code::unsupported, where + "." + key, "null", describe(value));
}

inline bpe::options read_bpe_options(const json& model) {
  const std::string where = "tokenizer.json: model";
  for (const char* key :
       {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback"}) {
    refuse_unless_null(model, key, where);
  }
  bpe::options options;
  if (!member(model, "unk_token").is_null()) {
    options.unknown = require<std::string>(model, "unk_token", where);
  }
  options.fuse_unknown = value_or<bool>(model, "fuse_unk", false, where);
  options.ignore_merges = value_or<bool>(model, "ignore_merges", false, where);
  const json& merges = member(model, "merges");
  if (!merges.is_array()) fail(error_code::format, where + ".merges", "an array", describe(merges));
  for (const json& entry : merges) {
    // "a b", or since tokenizers 0.20 ["a", "b"].
    if (entry.is_array() && entry.size() == 2) {
      options.merges.emplace_back(entry[0].get<std::string>(), entry[1].get<std::string>());
    } else {
      options.merges.push_back(read_merge(entry.get<std::string>(), where + ".merges"));
    }
  }
  return options;
}

inline tokenizer::byte_level_settings read_byte_level(const json& root) {
  tokenizer::byte_level_settings settings;
  const std::string where = "tokenizer.json: pre_tokenizer";
  const json& words = member(root, "pre_tokenizer");
  require_type(words, "pre_tokenizer", "ByteLevel");
  settings.words.add_prefix_space = value_or<bool>(words, "add_prefix_space", true, where);
  settings.words.use_regex = value_or<bool>(words, "use_regex", true, where);
  const json& normalizer = member(root, "normalizer");
  if (!normalizer.is_null()) {
    fail(error_code::unsupported, "tokenizer.json: normalizer", "none with the model BPE",
         "'" + value_or<std::string>(normalizer, "type", "?", where) + "'");
  }
  settings.model = read_bpe_options(member(root, "model"));
  return settings;
}

inline tokenizer::wordpiece_settings read_bert(const json& root) {
  tokenizer::wordpiece_settings settings;
  const json& normalizer = member(root, "normalizer");
  require_type(normalizer, "normalizer", "BertNormalizer");
  const std::string where = "tokenizer.json: normalizer";
  settings.normalizer.clean_text = value_or<bool>(normalizer, "clean_text", true, where);
  settings.normalizer.tokenize_chinese_chars =
      value_or<bool>(normalizer, "handle_chinese_chars", true, where);
  if (!member(normalizer, "strip_accents").is_null()) {
    settings.normalizer.strip_accents = require<bool>(normalizer, "strip_accents", where);
  }
  settings.normalizer.lowercase = value_or<bool>(normalizer, "lowercase", true, where);
  require_type(member(root, "pre_tokenizer"), "pre_tokenizer", "BertPreTokenizer");
  settings.model = read_wordpiece_options(member(root, "model"));
  return settings;
}

/// The pieces around a single sequence of a TemplateProcessing.
inline void read_template(const json& processor, tokenizer::settings& settings) {
  const std::string where = "tokenizer.json: post_processor.single";
  settings.before.clear();
  settings.after.clear();
  bool behind = false;
  for (const json& item : processor.at("single")) {
    if (item.contains("Sequence")) {
      if (behind) fail(error_code::unsupported, where, "one sequence", "two");
      behind = true;
      continue;
    }
    const json& special = item.at("SpecialToken");
    if (value_or<index>(special, "type_id", 0, where) != 0) {
      fail(error_code::unsupported, where, "type_id 0", describe(special));
    }
    auto& list = behind ? settings.after : settings.before;
    const auto id = special.at("id").get<std::string>();
    for (const json& token : processor.at("special_tokens").at(id).at("tokens")) {
      list.push_back(token.get<std::string>());
    }
  }
  if (!behind) fail(error_code::unsupported, where, "a sequence", "special tokens only");
}

/// `done`: a post-processor that adds special tokens came before this one.
inline void read_post_processor(const json& processor, tokenizer::settings& settings, bool& done) {
  const std::string where = "tokenizer.json: post_processor";
  if (processor.is_null()) return;
  const auto type = require<std::string>(processor, "type", where);
  if (type == "Sequence") {
    for (const json& part : processor.at("processors")) read_post_processor(part, settings, done);
    return;
  }
  if (done) {
    fail(error_code::unsupported, where, "nothing behind the one that adds special tokens",
         "'" + type + "'");
  }
  const auto read_trimming = [&] {
    if (!value_or<bool>(processor, "trim_offsets", true, where)) return;
    settings.trim = {value_or<bool>(processor, "add_prefix_space", true, where)};
  };
  if (type == "ByteLevel") {
    read_trimming();
    return;
  }
  done = true;
  if (type == "BertProcessing" || type == "RobertaProcessing") {
    settings.before = {processor.at("cls").at(0).get<std::string>()};
    settings.after = {processor.at("sep").at(0).get<std::string>()};
    if (type == "RobertaProcessing") read_trimming();
  } else if (type == "TemplateProcessing") {
    read_template(processor, settings);
  } else {
    fail(error_code::unsupported, where,
         "BertProcessing, RobertaProcessing, ByteLevel, TemplateProcessing or Sequence",
         "'" + type + "'");
  }
}

}  // namespace detail

/// Reads a tokenizer.json (version 1.0). Its `truncation` and `padding` are left alone, as
/// transformers does: the caller's `encode_options` decide.
/// @throws onoma::error (parse, format, missing, unsupported) naming the part.
[[nodiscard]] inline tokenizer tokenizer_from_json(std::string_view text,
                                                   std::string_view name = "tokenizer.json") {
  const json root = parse_json(text, name);
  if (!root.is_object()) fail(error_code::format, std::string(name), "an object", describe(root));
  try {
    tokenizer::settings settings;
    const json& model = detail::member(root, "model");
    const bool byte_level = model.is_object() && detail::member(model, "type") == "BPE";
    if (byte_level) {
      settings.kind = detail::read_byte_level(root);
      settings.before.clear();  // without a post-processor, nothing is added
      settings.after.clear();
    } else {
      detail::require_type(model, "model", "WordPiece");
      settings.kind = detail::read_bert(root);
    }
    settings.added = detail::read_added_tokens(detail::member(root, "added_tokens"), !byte_level);
    bool done = false;
    detail::read_post_processor(detail::member(root, "post_processor"), settings, done);
    return tokenizer(detail::read_vocabulary(model), std::move(settings));
  } catch (const json::exception& problem) {
    fail(error_code::format, std::string(name), "a tokenizer.json of version 1.0", problem.what());
  }
}

}  // namespace onoma::inline ONOMA_ABI
