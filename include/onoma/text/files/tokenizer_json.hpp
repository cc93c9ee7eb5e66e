/// A tokenizer from tokenizer.json.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/files/in_file.hpp>
#include <onoma/text/files/json_components.hpp>
#include <onoma/text/files/json_models.hpp>
#include <onoma/text/files/special_tokens.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// Ids are those of a vocabulary of `pieces` or follow it: others would make tables as large as they are.
inline std::vector<added_token> read_added_tokens(const json& list, std::size_t pieces) {
  const std::string where = "added_tokens";
  std::vector<added_token> tokens;
  if (list.is_null()) return tokens;
  if (!list.is_array()) fail(error_code::format, where, "an array", describe(list));
  const auto limit =
      static_cast<index_t>(std::min<std::size_t>(2 * (pieces + list.size()) + 1024, INT32_MAX));
  for (const json& entry : list) {
    auto token = read_added_token(entry, where);
    const auto id = require<index_t>(entry, "id", where);
    if (id < 0 || id >= limit) {
      fail(error_code::out_of_range, where, "ids from 0 to " + std::to_string(limit - 1),
           "'" + token.content + "': " + std::to_string(id));
    }
    token.id = static_cast<std::int32_t>(id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// The pieces around a single sequence of a TemplateProcessing.
inline void read_template(const json& processor, tokenizer::settings& settings) {
  const std::string where = "post_processor.single";
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
    if (value_or<index_t>(special, "type_id", 0, where) != 0) {
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
  const std::string where = "post_processor";
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

/// BERT's chain, which is compiled as one pass over the text.
inline bool is_bert(const json& root) {
  return is_text(member(member(root, "normalizer"), "type"), "BertNormalizer") &&
         is_text(member(member(root, "pre_tokenizer"), "type"), "BertPreTokenizer");
}
/// Regular expressions keep the name of the file: they fail at texts too.
inline tokenizer::general_settings read_general(const json& root, std::string_view name) {
  tokenizer::general_settings general;
  const std::string file(name);
  read_normalizer(member(root, "normalizer"), file + ": normalizer", general.normalizers);
  read_pre_tokenizer(member(root, "pre_tokenizer"), file + ": pre_tokenizer", general.pre_tokenizers);
  return general;
}

inline std::vector<std::string> read_pieces(const json& model) {
  if (model_type(model) == "Unigram") return read_scored_vocabulary(model);
  return read_vocabulary(member(model, "vocab"));
}

/// A chain with BPE over characters. Where it ends with ByteLevel the model gets bytes, and if it is nothing
/// else it becomes the chain that is compiled as one pass over the text.
inline decltype(tokenizer::settings::kind) byte_level_kind(tokenizer::general_settings general,
                                                           const std::vector<std::string>& pieces) {
  auto& options = std::get<character_bpe::options>(general.model);
  auto* last = general.pre_tokenizers.empty()
                   ? nullptr
                   : std::get_if<pre_tokenizers::byte_level>(&general.pre_tokenizers.back());
  if (last == nullptr || !is_byte_level(options, pieces)) return general;
  if (general.normalizers.empty() && general.pre_tokenizers.size() == 1) {
    return tokenizer::byte_level_settings{{last->add_prefix_space, last->use_regex},
                                          to_byte_level(std::move(options))};
  }
  last->writes_alphabet = false;
  auto bytes = to_byte_level(std::move(options));
  general.model = std::move(bytes);
  return general;
}

/// Model and chain.
inline void read_kind(const json& root, std::string_view name, const std::vector<std::string>& pieces,
                      tokenizer::settings& settings) {
  const json& model = member(root, "model");
  const auto type = model_type(model);
  const bool normalizes_added =
      std::any_of(settings.added.begin(), settings.added.end(),
                  [](const added_token& token) { return token.normalized; });
  if (type == "WordPiece" && is_bert(root) && !normalizes_added) {
    settings.kind = tokenizer::wordpiece_settings{
        read_bert_options(member(root, "normalizer"), "normalizer"),
        read_wordpiece(model)};
    return;
  }
  auto general = read_general(root, name);
  if (type == "WordPiece") {
    general.model = read_wordpiece(model);
  } else if (type == "WordLevel") {
    general.model = read_word_level(model);
  } else if (type == "Unigram") {
    general.model = read_unigram(model);
  } else if (type == "BPE") {
    general.model = read_bpe(model);
    settings.kind = byte_level_kind(std::move(general), pieces);
    return;
  } else {
    refuse_type("model", "WordPiece, BPE, WordLevel or Unigram", type);
  }
  settings.kind = std::move(general);
}

}  // namespace detail

/// The parts of `root`, a tokenizer.json, before they are one tokenizer.
/// @throws onoma::error as `tokenizer_from_json`.
[[nodiscard]] inline tokenizer_parts read_tokenizer_json(const json& root, std::string_view name) {
  if (!root.is_object()) fail(error_code::format, std::string(name), "an object", describe(root));
  return in_file(name, [&] {
    try {
      tokenizer_parts parts;
      parts.settings.before.clear();  // without a post-processor, nothing is added
      parts.settings.after.clear();
      const json& model = member(root, "model");
      parts.pieces = detail::read_pieces(model);
      parts.settings.added =
          detail::read_added_tokens(member(root, "added_tokens"), parts.pieces.size());
      detail::read_kind(root, name, parts.pieces, parts.settings);
      bool done = false;
      detail::read_post_processor(member(root, "post_processor"), parts.settings, done);
      return parts;
    } catch (const json::exception& problem) {
      fail(error_code::format, std::string(name), "a tokenizer.json of version 1.0", problem.what());
    }
  });
}

/// Reads a tokenizer.json (version 1.0). Its `truncation` and `padding` are left alone, as
/// transformers does: the caller's `encode_options` decide.
/// @throws onoma::error (parse, format, missing, unsupported, out_of_range) with `name` and the part.
[[nodiscard]] inline tokenizer tokenizer_from_json(std::string_view text,
                                                   std::string_view name = "tokenizer.json") {
  auto parts = read_tokenizer_json(parse_json(text, name), name);
  return in_file(name, [&] { return tokenizer(parts.pieces, std::move(parts.settings)); });
}

}  // namespace onoma::inline ONOMA_ABI
