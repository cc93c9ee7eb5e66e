/// The tokenizer of a model folder, from whichever files it has.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/in_file.hpp>
#include <onoma/text/sentencepiece_families.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/tokenizer_json.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <initializer_list>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// RoBERTa's tokenizer from the contents of vocab.json and merges.txt (defaults of transformers'
/// RobertaTokenizer: `<s>` and `</s>` around, no added space, trimmed offsets). `more` tokens are recognised
/// in text.
/// @throws onoma::error (format, parse, missing) with the name of the file, and the line of a merge.
[[nodiscard]] inline tokenizer roberta_from_files(std::string_view vocab_json, std::string_view merges,
                                                  bool add_prefix_space = false,
                                                  std::string_view vocab_name = "vocab.json",
                                                  std::string_view merges_name = "merges.txt",
                                                  const std::vector<added_token>& more = {}) {
  const json vocab = parse_json(vocab_json, vocab_name);
  const auto pieces = detail::read_vocabulary(vocab, std::string(vocab_name));
  tokenizer::byte_level_settings model;
  model.words.add_prefix_space = add_prefix_space;
  for (index number = 1; !merges.empty(); ++number) {
    const auto end = std::min(merges.find('\n'), merges.size());
    auto line = merges.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool version = number == 1 && line.substr(0, 8) == "#version";
    if (!line.empty() && !version) {
      const auto read = [&] { return detail::read_merge(line, "line " + std::to_string(number)); };
      model.model.merges.push_back(detail::in_file(merges_name, read));
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
  merge_added(settings.added, more);
  return detail::in_file(vocab_name, [&] { return tokenizer(pieces, std::move(settings)); });
}

namespace detail {

/// A file of the folder as JSON, null if it is not there.
inline json json_if_there(const std::filesystem::path& path) {
  if (!is_there(path)) return nullptr;
  const mapped_file file(path);
  return parse_json(file.text(), path.string());
}

/// SentencePiece's files by the names of the Hub; empty if there is none.
inline std::filesystem::path find_sentencepiece(const std::filesystem::path& folder) {
  for (const char* name :
       {"sentencepiece.bpe.model", "spiece.model", "spm.model", "sentencepiece.model"}) {
    if (is_there(folder / name)) return folder / name;
  }
  return {};
}

inline std::optional<bool> bool_if_there(const json& config, const char* key,
                                         const std::string& where) {
  if (!config.is_object() || !config.contains(key) || config[key].is_null()) return std::nullopt;
  return require<bool>(config, key, where);
}

/// The class that transformers takes, without "Fast" at its end: that of tokenizer_config.json, of config.json,
/// or of the type of model (5.24, tokenization_auto.py, AutoTokenizer.from_pretrained).
inline std::string find_tokenizer_class(const json& config, const json& model) {
  for (const json* file : {&config, &model}) {
    const json& name = member(*file, "tokenizer_class");
    if (!name.is_string()) continue;
    auto text = name.get<std::string>();
    if (text.ends_with("Fast")) text.resize(text.size() - 4);
    return text;
  }
  const json& type = member(model, "model_type");
  if (type == "bert" || type == "distilbert" || type == "electra") return "BertTokenizer";
  if (type == "mpnet") return "MPNetTokenizer";
  if (type == "roberta") return "RobertaTokenizer";
  return {};
}

/// What transformers does with a tokenizer.json, `root`, of these classes: their constructors build the steps
/// anew from tokenizer_config.json, with defaults for what is not there, whatever the file says (5.24,
/// BertTokenizer, MPNetTokenizer, RobertaTokenizer). Other kinds of steps are left alone.
inline void apply_options(const json& config, const json& model, const std::string& where, json& root) {
  if (!root.is_object()) return;
  const auto name = find_tokenizer_class(config, model);
  const auto is = [&root](const char* part, const char* type) {
    return member(member(root, part), "type") == type;
  };
  if (name == "BertTokenizer" || name == "DistilBertTokenizer" || name == "ElectraTokenizer" ||
      name == "MPNetTokenizer") {
    if (!is("normalizer", "BertNormalizer")) return;
    const auto strips = bool_if_there(config, "strip_accents", where);
    root["normalizer"] = {
        {"type", "BertNormalizer"},
        {"clean_text", true},
        {"handle_chinese_chars", value_or<bool>(config, "tokenize_chinese_chars", true, where)},
        {"strip_accents", strips ? json(*strips) : json()},
        {"lowercase", value_or<bool>(config, "do_lower_case", true, where)}};
  } else if (name == "RobertaTokenizer" && is("pre_tokenizer", "ByteLevel")) {
    const bool adds = value_or<bool>(config, "add_prefix_space", false, where);
    root["pre_tokenizer"]["add_prefix_space"] = adds;
    if (!is("post_processor", "RobertaProcessing")) return;
    root["post_processor"]["add_prefix_space"] = adds;
    root["post_processor"]["trim_offsets"] = value_or<bool>(config, "trim_offsets", true, where);
  }
}

/// The special tokens that a tokenizer_config.json names, or with fewer `lists` a special_tokens_map.json.
inline void read_special_tokens(const json& file, std::initializer_list<const char*> lists,
                                std::set<std::string>& found) {
  const auto add = [&found](const json& token) {
    const json& text = token.is_object() ? member(token, "content") : token;
    if (text.is_string()) found.insert(text.get<std::string>());
  };
  for (const char* key : {"bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"}) {
    add(member(file, key));
  }
  for (const char* key : lists) {
    const json& list = member(file, key);
    if (list.is_array()) std::for_each(list.begin(), list.end(), add);
  }
}

/// Tokens with their ids, ordered by these, that a folder adds to the files of its vocabulary: those of
/// `added_tokens_decoder` in tokenizer_config.json, else of added_tokens.json (transformers 5.24,
/// tokenization_utils_base.py, _from_pretrained). `where` becomes the file. @throws onoma::error (format).
inline std::map<index, added_token> read_more_tokens(const std::filesystem::path& folder, const json& config,
                                                     std::string& where) {
  std::map<index, added_token> tokens;
  const auto add = [&](index id, added_token token) {
    if (tokens.try_emplace(id, token).second) return;
    fail(error_code::format, where, "every id once", std::to_string(id) + " for '" + token.content + "' too");
  };
  where = (folder / "tokenizer_config.json").string() + ": added_tokens_decoder";
  if (const json& decoder = member(config, "added_tokens_decoder"); decoder.is_object()) {
    for (const auto& [text, entry] : decoder.items()) {
      const bool number = !text.empty() && text.size() < 10 &&
                          std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!number) fail(error_code::format, where, "ids", "'" + text + "'");
      add(std::stol(text), read_added_token(entry, where));
    }
    return tokens;
  }
  where = (folder / "added_tokens.json").string();
  const json file = json_if_there(where);
  if (file.is_null()) return tokens;
  if (!file.is_object()) fail(error_code::format, where, "an object", describe(file));
  std::set<std::string> special;
  read_special_tokens(config, {"additional_special_tokens", "extra_special_tokens"}, special);
  read_special_tokens(json_if_there(folder / "special_tokens_map.json"), {"extra_special_tokens"}, special);
  for (const auto& [content, id] : file.items()) {
    const bool is_special = special.count(content) != 0;
    const json entry = {{"content", content}, {"special", is_special}};
    add(json_value<index>(id, content, where), read_added_token(entry, where));
  }
  return tokens;
}

/// Those for the pieces of a vocab.txt or vocab.json, which `read_pieces()` returns: asked for only if there
/// are such tokens. transformers gives tokens that are no pieces the next ids
/// behind the vocabulary, whatever the file says: a model that was trained with other ids would fit neither.
/// @throws onoma::error (format) where the ids differ.
template <class ReadPieces>
std::vector<added_token> number_more_tokens(const std::filesystem::path& folder, const json& config,
                                            const ReadPieces& read_pieces) {
  std::string where;
  std::vector<added_token> tokens;
  const auto more = read_more_tokens(folder, config, where);
  if (more.empty()) return tokens;
  const std::vector<std::string> pieces = read_pieces();
  auto next = static_cast<index>(pieces.size());
  for (auto [id, token] : more) {
    const auto piece = std::find(pieces.rbegin(), pieces.rend(), token.content);
    const index expected = piece != pieces.rend() ? pieces.rend() - piece - 1 : next++;
    if (id != expected) {
      fail(error_code::format, where, "the id " + std::to_string(expected) + " for '" + token.content + "'",
           std::to_string(id));
    }
    token.id = static_cast<std::int32_t>(id);
    tokens.push_back(std::move(token));
  }
  return tokens;
}

/// A tokenizer of files that have added tokens themselves. @throws onoma::error (unsupported) if
/// added_tokens.json has another one or gives it another id.
inline tokenizer check_more_tokens(const std::filesystem::path& folder, const json& config, tokenizer found) {
  if (member(config, "added_tokens_decoder").is_object()) return found;  // then the file counts for nothing
  std::string where;
  for (const auto& [id, token] : read_more_tokens(folder, config, where)) {
    const auto known = found.id(token.content);
    if (known && *known == id) continue;
    fail(error_code::unsupported, where, "the tokens and ids that the other files have",
         "'" + token.content + "': " + std::to_string(id));
  }
  return found;
}

/// `config` is tokenizer_config.json. The family is that of config.json.
inline tokenizer load_sentencepiece(const std::filesystem::path& path, const json& config,
                                    const std::string& where) {
  const auto model_path = path.parent_path() / "config.json";
  const json model = json_if_there(model_path);
  const auto type = require<std::string>(model, "model_type", model_path.string());
  const auto family = find_sentencepiece_family(type);
  if (!family) {
    fail(error_code::unsupported, "loading a tokenizer from " + path.string(),
         "a tokenizer.json, as model_type has no rules for this file alone", "'" + type + "'");
  }
  sentencepiece_options options;
  options.do_lower_case = bool_if_there(config, "do_lower_case", where);
  options.keep_accents = value_or<bool>(config, "keep_accents", options.keep_accents, where);
  options.split_by_punct = value_or<bool>(config, "split_by_punct", options.split_by_punct, where);
  options.add_prefix_space =
      value_or<bool>(config, "add_prefix_space", options.add_prefix_space, where);
  options.extra_ids = value_or<index>(config, "extra_ids", options.extra_ids, where);
  const mapped_file file(path);
  return tokenizer_from_sentencepiece(file.text(), path.string(), *family, options);
}

}  // namespace detail

/// The first that is there of tokenizer.json, a SentencePiece file (sentencepiece.bpe.model,
/// spiece.model, spm.model, sentencepiece.model; with the model_type of config.json), vocab.json with
/// merges.txt (byte-level BPE) and vocab.txt (WordPiece). Options of tokenizer_config.json, with
/// transformers' defaults: do_lower_case, strip_accents, tokenize_chinese_chars, add_prefix_space,
/// keep_accents, split_by_punct, extra_ids. As in transformers, the tokenizers of BERT, DistilBERT, ELECTRA,
/// MPNet and RoBERTa (by tokenizer_class, else model_type) obey them against a tokenizer.json too, defaults
/// included: one that keeps capitals needs "do_lower_case": false beside it. Tokens of `added_tokens_decoder`
/// there, or else of added_tokens.json, are recognised too; ids that transformers would not give are refused.
/// @throws onoma::error (file_not_found) if there is none; as `tokenizer_from_json`,
/// `tokenizer_from_sentencepiece`, `tokenizer::from_vocab` and `roberta_from_files`.
[[nodiscard]] inline tokenizer load_tokenizer(const std::filesystem::path& folder) {
  const auto config_path = folder / "tokenizer_config.json";
  const std::string where = config_path.string();
  const json config = detail::json_if_there(config_path);
  const auto as_json = folder / "tokenizer.json";
  if (is_there(as_json)) {
    json root = parse_json(mapped_file(as_json).text(), as_json.string());
    detail::apply_options(config, detail::json_if_there(folder / "config.json"), where, root);
    return detail::check_more_tokens(folder, config, detail::tokenizer_from_root(root, as_json.string()));
  }
  if (const auto file = detail::find_sentencepiece(folder); !file.empty()) {
    return detail::check_more_tokens(folder, config, detail::load_sentencepiece(file, config, where));
  }
  const auto vocab = folder / "vocab.txt";
  const auto merges = folder / "merges.txt";
  const auto vocab_json = folder / "vocab.json";
  if (is_there(merges) && is_there(vocab_json)) {
    const mapped_file pieces(vocab_json);
    const mapped_file pairs(merges);
    const std::string name = vocab_json.string();
    const auto more = detail::number_more_tokens(
        folder, config, [&] { return detail::read_vocabulary(parse_json(pieces.text(), name), name); });
    return roberta_from_files(pieces.text(), pairs.text(),
                              value_or<bool>(config, "add_prefix_space", false, where), name,
                              merges.string(), more);
  }
  if (!is_there(vocab)) {
    fail(error_code::file_not_found, "loading a tokenizer from " + folder.string(),
         "tokenizer.json, a SentencePiece model, vocab.txt, or vocab.json with merges.txt",
         "none of them");
  }
  bert_options options;
  options.lowercase = value_or<bool>(config, "do_lower_case", true, where);
  options.tokenize_chinese_chars = value_or<bool>(config, "tokenize_chinese_chars", true, where);
  options.strip_accents = detail::bool_if_there(config, "strip_accents", where);
  const mapped_file file(vocab);
  const auto more = detail::number_more_tokens(
      folder, config, [&] { return read_vocab_txt(file.text(), vocab.string()); });
  return tokenizer::from_vocab(file.text(), options, vocab.string(), more);
}

}  // namespace onoma::inline ONOMA_ABI
