/// tokenizer.json of WordPiece models: the parts that BERT's tokenizers use, the rest refused by name.
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

inline std::vector<added_token> read_added_tokens(const json& list) {
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
    if (value_or<bool>(entry, "normalized", !token.special, where)) {
      fail(error_code::unsupported, where, "tokens with normalized: false",
           "'" + token.content + "' with normalized: true");
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// [CLS] and [SEP] of BertProcessing, or of a TemplateProcessing "[CLS] $A [SEP]".
inline void read_special_tokens(const json& processor, tokenizer::settings& settings) {
  const std::string where = "tokenizer.json: post_processor";
  if (processor.is_null()) return;
  const auto type = require<std::string>(processor, "type", where);
  if (type == "BertProcessing") {
    settings.before = {processor.at("cls").at(0).get<std::string>()};
    settings.after = {processor.at("sep").at(0).get<std::string>()};
    return;
  }
  if (type != "TemplateProcessing") {
    fail(error_code::unsupported, where, "BertProcessing or TemplateProcessing", "'" + type + "'");
  }
  const json& single = processor.at("single");
  if (!single.is_array() || single.size() != 3 || !single[0].contains("SpecialToken") ||
      !single[1].contains("Sequence") || !single[2].contains("SpecialToken")) {
    fail(error_code::unsupported, where, "the template [CLS] $A [SEP]", describe(single));
  }
  settings.before = {single[0].at("SpecialToken").at("id").get<std::string>()};
  settings.after = {single[2].at("SpecialToken").at("id").get<std::string>()};
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
    const json& normalizer = detail::member(root, "normalizer");
    detail::require_type(normalizer, "normalizer", "BertNormalizer");
    const std::string where = "tokenizer.json: normalizer";
    settings.normalizer.clean_text = value_or<bool>(normalizer, "clean_text", true, where);
    settings.normalizer.tokenize_chinese_chars =
        value_or<bool>(normalizer, "handle_chinese_chars", true, where);
    if (!detail::member(normalizer, "strip_accents").is_null()) {
      settings.normalizer.strip_accents = require<bool>(normalizer, "strip_accents", where);
    }
    settings.normalizer.lowercase = value_or<bool>(normalizer, "lowercase", true, where);
    detail::require_type(detail::member(root, "pre_tokenizer"), "pre_tokenizer", "BertPreTokenizer");
    const json& model = detail::member(root, "model");
    detail::require_type(model, "model", "WordPiece");
    settings.model = detail::read_wordpiece_options(model);
    settings.added = detail::read_added_tokens(detail::member(root, "added_tokens"));
    detail::read_special_tokens(detail::member(root, "post_processor"), settings);
    return tokenizer(detail::read_vocabulary(model), std::move(settings));
  } catch (const json::exception& problem) {
    fail(error_code::format, std::string(name), "a tokenizer.json of version 1.0", problem.what());
  }
}

}  // namespace onoma::inline ONOMA_ABI
