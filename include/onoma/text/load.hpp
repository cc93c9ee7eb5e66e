/// The tokenizer of a model folder, from whichever files it has.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/tokenizer_json.hpp>

#include <filesystem>
#include <string>

namespace onoma::inline ONOMA_ABI {

/// tokenizer.json if there is one, else vocab.txt with the options of tokenizer_config.json
/// (do_lower_case, strip_accents, tokenize_chinese_chars; defaults as transformers' BertTokenizer).
/// @throws onoma::error (file_not_found) if there is neither; as `tokenizer_from_json` and
/// `tokenizer::from_vocab`.
[[nodiscard]] inline tokenizer load_tokenizer(const std::filesystem::path& folder) {
  const auto as_json = folder / "tokenizer.json";
  if (std::filesystem::exists(as_json)) {
    const mapped_file file(as_json);
    return tokenizer_from_json(file.text(), as_json.string());
  }
  const auto vocab = folder / "vocab.txt";
  if (!std::filesystem::exists(vocab)) {
    fail(error_code::file_not_found, "loading a tokenizer from " + folder.string(),
         "tokenizer.json or vocab.txt", "neither");
  }
  bert_options options;
  const auto config_path = folder / "tokenizer_config.json";
  if (std::filesystem::exists(config_path)) {
    const std::string where = config_path.string();
    const mapped_file file(config_path);
    const json config = parse_json(file.text(), where);
    options.lowercase = value_or<bool>(config, "do_lower_case", true, where);
    options.tokenize_chinese_chars = value_or<bool>(config, "tokenize_chinese_chars", true, where);
    if (config.contains("strip_accents") && !config["strip_accents"].is_null()) {
      options.strip_accents = require<bool>(config, "strip_accents", where);
    }
  }
  const mapped_file file(vocab);
  return tokenizer::from_vocab(file.text(), options);
}

}  // namespace onoma::inline ONOMA_ABI
