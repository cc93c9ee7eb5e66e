/// The tokenizer of a model folder, from whichever files it has.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/tokenizer_json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// RoBERTa's tokenizer from the contents of vocab.json and merges.txt (defaults of transformers'
/// RobertaTokenizer: `<s>` and `</s>` around, no added space, trimmed offsets).
/// @throws onoma::error (format, parse, missing).
[[nodiscard]] inline tokenizer roberta_from_files(std::string_view vocab_json, std::string_view merges,
                                                  bool add_prefix_space = false) {
  const json vocab = parse_json(vocab_json, "vocab.json");
  const auto pieces = detail::read_vocabulary(vocab);
  tokenizer::byte_level_settings model;
  model.words.add_prefix_space = add_prefix_space;
  for (bool first = true; !merges.empty(); first = false) {
    const auto end = std::min(merges.find('\n'), merges.size());
    auto line = merges.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool version = first && line.substr(0, 8) == "#version";
    if (!line.empty() && !version) {
      model.model.merges.push_back(detail::read_merge(line, "merges.txt"));
    }
    merges.remove_prefix(std::min(end + 1, merges.size()));
  }
  tokenizer::settings settings{std::move(model), {"<s>"}, {"</s>"}, {}, tokenizer::trimming{}};
  settings.trim->keep_prefix_space = add_prefix_space;
  for (const char* content : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}) {
    const auto place = std::find(pieces.begin(), pieces.end(), content);
    if (place == pieces.end()) continue;
    added_token token{content, static_cast<std::int32_t>(place - pieces.begin())};
    token.lstrip = token.content == "<mask>";
    settings.added.push_back(std::move(token));
  }
  return tokenizer(pieces, std::move(settings));
}

/// tokenizer.json if there is one, else vocab.txt (WordPiece) or vocab.json with merges.txt
/// (byte-level BPE), with the options of tokenizer_config.json: do_lower_case, strip_accents,
/// tokenize_chinese_chars, defaults as transformers' BertTokenizer; add_prefix_space.
/// @throws onoma::error (file_not_found) if there is none; as `tokenizer_from_json`,
/// `tokenizer::from_vocab` and `roberta_from_files`.
[[nodiscard]] inline tokenizer load_tokenizer(const std::filesystem::path& folder) {
  const auto as_json = folder / "tokenizer.json";
  if (std::filesystem::exists(as_json)) {
    const mapped_file file(as_json);
    return tokenizer_from_json(file.text(), as_json.string());
  }
  const auto vocab = folder / "vocab.txt";
  const auto merges = folder / "merges.txt";
  const bool byte_level = std::filesystem::exists(merges) &&
                          std::filesystem::exists(folder / "vocab.json");
  if (!byte_level && !std::filesystem::exists(vocab)) {
    fail(error_code::file_not_found, "loading a tokenizer from " + folder.string(),
         "tokenizer.json, vocab.txt, or vocab.json with merges.txt", "none of them");
  }
  bert_options options;
  bool add_prefix_space = false;
  const auto config_path = folder / "tokenizer_config.json";
  if (std::filesystem::exists(config_path)) {
    const std::string where = config_path.string();
    const mapped_file file(config_path);
    const json config = parse_json(file.text(), where);
    options.lowercase = value_or<bool>(config, "do_lower_case", true, where);
    options.tokenize_chinese_chars = value_or<bool>(config, "tokenize_chinese_chars", true, where);
    add_prefix_space = value_or<bool>(config, "add_prefix_space", false, where);
    if (config.contains("strip_accents") && !config["strip_accents"].is_null()) {
      options.strip_accents = require<bool>(config, "strip_accents", where);
    }
  }
  if (byte_level) {
    const mapped_file pieces(folder / "vocab.json");
    const mapped_file pairs(merges);
    return roberta_from_files(pieces.text(), pairs.text(), add_prefix_space);
  }
  const mapped_file file(vocab);
  return tokenizer::from_vocab(file.text(), options);
}

}  // namespace onoma::inline ONOMA_ABI
