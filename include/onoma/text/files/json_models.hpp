/// Models of tokenizer.json: WordPiece, BPE, WordLevel and Unigram with their vocabularies.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/files/json_components.hpp>
#include <onoma/text/pieces/bpe.hpp>
#include <onoma/text/pieces/byte_level.hpp>
#include <onoma/text/pieces/character_bpe.hpp>
#include <onoma/text/pieces/unigram.hpp>
#include <onoma/text/pieces/word_level.hpp>
#include <onoma/text/pieces/wordpiece.hpp>

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// WordPiece models that were written before 2020 have no "type".
inline std::string model_type(const json& model) {
  const std::string where = "model";
  if (!model.is_object()) fail(error_code::format, where, "an object", describe(model));
  if (!model.contains("type") && model.contains("continuing_subword_prefix") &&
      !model.contains("merges")) {
    return "WordPiece";
  }
  return require<std::string>(model, "type", where);
}

}  // namespace detail

/// Pieces by id from an object {piece: id}, "vocab" of a tokenizer.json or the whole of a vocab.json. Ids that
/// no piece has are gaps, which added tokens fill.
/// @throws onoma::error (format).
[[nodiscard]] inline std::vector<std::string> read_vocabulary(const json& vocab,
                                                              const std::string& where = "model.vocab") {
  if (!vocab.is_object()) fail(error_code::format, where, "an object", describe(vocab));
  const auto limit = static_cast<index_t>(2 * vocab.size() + 1024);
  std::vector<std::string> pieces;
  for (const auto& [piece, value] : vocab.items()) {
    const auto id = json_value<index_t>(value, piece, where);
    const auto at = static_cast<std::size_t>(id);
    const bool taken = id >= 0 && at < pieces.size() && !pieces[at].empty();
    if (id < 0 || id >= limit || taken) {
      fail(error_code::format, where, "ids from 0 to " + std::to_string(limit - 1) + ", each once",
           "'" + piece + "': " + std::to_string(id));
    }
    if (at >= pieces.size()) pieces.resize(at + 1);
    pieces[at] = piece;
  }
  return pieces;
}

namespace detail {

/// Pieces by id from Unigram's list [[piece, score], ...].
inline std::vector<std::string> read_scored_vocabulary(const json& model) {
  const std::string where = "model";
  std::vector<std::string> pieces;
  for (const json& entry : require_array(model, "vocab", where)) {
    if (!entry.is_array() || entry.size() != 2 || !entry[0].is_string() || !entry[1].is_number()) {
      fail(error_code::format, where + ".vocab", "[piece, score]", describe(entry));
    }
    pieces.push_back(entry[0].get<std::string>());
  }
  return pieces;
}

}  // namespace detail

/// "a b", a line of a merges.txt, as two. @throws onoma::error (format) unless it has one blank.
[[nodiscard]] inline std::pair<std::string, std::string> read_merge(std::string_view line,
                                                                    const std::string& where) {
  const auto space = line.find(' ');
  if (space == std::string_view::npos || line.find(' ', space + 1) != std::string_view::npos) {
    fail(error_code::format, where, "two pieces with a space between", "'" + std::string(line) + "'");
  }
  return {std::string(line.substr(0, space)), std::string(line.substr(space + 1))};
}

namespace detail {

inline merge_list read_merges(const json& model) {
  const std::string where = "model";
  merge_list merges;
  for (const json& entry : require_array(model, "merges", where)) {
    // "a b", or since tokenizers 0.20 ["a", "b"].
    if (entry.is_array() && entry.size() == 2) {
      merges.emplace_back(entry[0].get<std::string>(), entry[1].get<std::string>());
    } else {
      merges.push_back(read_merge(entry.get<std::string>(), where + ".merges"));
    }
  }
  return merges;
}

/// A string, or nothing for null.
inline std::string read_text(const json& model, const char* key) {
  if (member(model, key).is_null()) return {};
  return require<std::string>(model, key, "model");
}

inline wordpiece::options read_wordpiece(const json& model) {
  const std::string where = "model";
  wordpiece::options options;
  options.unknown = value_or<std::string>(model, "unk_token", options.unknown, where);
  options.continuing_prefix =
      value_or<std::string>(model, "continuing_subword_prefix", options.continuing_prefix, where);
  options.max_characters =
      value_or<index_t>(model, "max_input_chars_per_word", options.max_characters, where);
  return options;
}

inline character_bpe::options read_bpe(const json& model) {
  const std::string where = "model";
  const json& dropout = member(model, "dropout");
  if (!dropout.is_null() && dropout != 0) {
    fail(error_code::unsupported, where + ".dropout", "null", describe(dropout));
  }
  character_bpe::options options;
  options.unknown = read_text(model, "unk_token");
  options.fuse_unknown = value_or<bool>(model, "fuse_unk", false, where);
  options.byte_fallback = value_or<bool>(model, "byte_fallback", false, where);
  options.ignore_merges = value_or<bool>(model, "ignore_merges", false, where);
  options.continuing_prefix = read_text(model, "continuing_subword_prefix");
  options.end_suffix = read_text(model, "end_of_word_suffix");
  if (options.byte_fallback && !(options.continuing_prefix.empty() && options.end_suffix.empty())) {
    fail(error_code::unsupported, where + ".byte_fallback",
         "false with continuing_subword_prefix or end_of_word_suffix", "true");
  }
  options.merges = read_merges(model);
  return options;
}

/// Whether `bpe` does what the options ask for, if words are bytes. Where bytes are dropped, offsets
/// count characters of the byte alphabet.
inline bool is_byte_level(const character_bpe::options& options,
                          const std::vector<std::string>& pieces) {
  if (options.byte_fallback || !options.continuing_prefix.empty() || !options.end_suffix.empty()) {
    return false;
  }
  if (!options.unknown.empty()) return true;
  const byte_alphabet alphabet;
  std::array<bool, 256> found{};
  for (const auto& piece : pieces) {
    const auto bytes = piece.size() <= 2 ? alphabet.decode(piece) : std::nullopt;
    if (bytes && bytes->size() == 1) found[static_cast<unsigned char>(bytes->front())] = true;
  }
  return std::find(found.begin(), found.end(), false) == found.end();
}
inline bpe::options to_byte_level(character_bpe::options&& options) {
  return {std::move(options.merges), std::move(options.unknown), options.fuse_unknown,
          options.ignore_merges};
}

inline word_level::options read_word_level(const json& model) {
  word_level::options options;
  options.unknown =
      value_or<std::string>(model, "unk_token", options.unknown, "model");
  return options;
}

/// After `read_scored_vocabulary`, which checks the entries.
inline unigram::options read_unigram(const json& model) {
  const std::string where = "model";
  unigram::options options;
  for (const json& entry : model.at("vocab")) options.scores.push_back(entry[1].get<double>());
  if (!member(model, "unk_id").is_null()) {
    const auto unknown = require<index_t>(model, "unk_id", where);
    if (unknown < 0 || unknown >= static_cast<index_t>(options.scores.size())) {
      fail(error_code::out_of_range, where + ".unk_id",
           "an id below " + std::to_string(options.scores.size()), std::to_string(unknown));
    }
    options.unknown = static_cast<std::int32_t>(unknown);
  }
  options.byte_fallback = value_or<bool>(model, "byte_fallback", false, where);
  return options;
}

}  // namespace detail

}  // namespace onoma::inline ONOMA_ABI
