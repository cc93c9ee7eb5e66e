/// The tokenizer of a model folder, from whichever files it has.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/files/in_file.hpp>
#include <onoma/text/files/json_models.hpp>
#include <onoma/text/files/sentencepiece_families.hpp>
#include <onoma/text/files/special_tokens.hpp>
#include <onoma/text/files/tokenizer_classes.hpp>
#include <onoma/text/files/tokenizer_json.hpp>
#include <onoma/text/tokenizer.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// The merges of a merges.txt, `name`. @throws onoma::error (format) with the line.
inline merge_list read_merges_txt(std::string_view text, std::string_view name) {
  merge_list merges;
  for (index_t number = 1; !text.empty(); ++number) {
    const auto end = std::min(text.find('\n'), text.size());
    auto line = text.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    const bool version = number == 1 && line.substr(0, 8) == "#version";
    if (!line.empty() && !version) {
      const auto read = [&] { return read_merge(line, "line " + std::to_string(number)); };
      merges.push_back(in_file(name, read));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return merges;
}

}  // namespace detail

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
  const auto pieces = read_vocabulary(vocab, std::string(vocab_name));
  tokenizer::byte_level_settings model;
  model.words.add_prefix_space = add_prefix_space;
  model.model.merges = detail::read_merges_txt(merges, merges_name);
  tokenizer::settings settings{std::move(model), {"<s>"}, {"</s>"}, {}, tokenizer::trimming{}, {}};
  settings.trim->keep_prefix_space = add_prefix_space;
  for (const char* content : {"<s>", "<pad>", "</s>", "<unk>", "<mask>"}) {
    const auto place = std::find(pieces.begin(), pieces.end(), content);
    if (place == pieces.end()) continue;
    settings.added.push_back({content, static_cast<std::int32_t>(place - pieces.begin())});
  }
  merge_added(settings.added, more);
  return in_file(vocab_name, [&] { return tokenizer(pieces, std::move(settings)); });
}

namespace detail {

/// Reads the tokenizer of a folder.
class tokenizer_loader {
 public:
  explicit tokenizer_loader(const std::filesystem::path& folder)
      : folder_(folder),
        config_(json_if_there("tokenizer_config.json")),
        model_(json_if_there("config.json")),
        map_(json_if_there("special_tokens_map.json")),
        asked_(read_tokenizer_class(config_, model_)) {
    if (value_or<bool>(config_, "split_special_tokens", false, config_name())) {
      fail(error_code::unsupported, config_name() + ": split_special_tokens", "false", "true");
    }
  }

  [[nodiscard]] tokenizer load() const {
    if (is_there(folder_ / "tokenizer.json")) return load_json();
    const auto& row = asked_.row != nullptr ? *asked_.row : row_of_files();
    switch (row.kind) {
      case tokenizer_kind::wordpiece: return load_wordpiece(row);
      case tokenizer_kind::byte_level:
      case tokenizer_kind::suffix_bpe: return load_bpe(row);
      default: return load_sentencepiece(row);
    }
  }

 private:
  using settings = tokenizer::settings;

  [[nodiscard]] std::string name_of(const char* file) const { return (folder_ / file).string(); }
  [[nodiscard]] std::string config_name() const { return name_of("tokenizer_config.json"); }
  [[nodiscard]] std::string operation() const { return "loading a tokenizer from " + folder_.string(); }
  /// A file of the folder as JSON, null if it is not there.
  [[nodiscard]] json json_if_there(const char* file) const {
    const auto path = folder_ / file;
    return is_there(path) ? parse_json(open_model_file(path).text(), path.string()) : json();
  }
  [[nodiscard]] std::optional<bool> bool_if_there(const char* key) const {
    if (member(config_, key).is_null()) return std::nullopt;
    return require<bool>(config_, key, config_name());
  }
  [[nodiscard]] bool flag(const char* key, bool otherwise) const {
    return value_or<bool>(config_, key, otherwise, config_name());
  }

  /// A folder that names no class that is known here: if it names none at all, that of its files.
  [[nodiscard]] const tokenizer_class& row_of_files() const {
    const bool bpe = is_there(folder_ / "vocab.json") && is_there(folder_ / "merges.txt");
    const auto spiece = find_sentencepiece();
    const bool any = bpe || !spiece.empty() || is_there(folder_ / "vocab.txt");
    if (!any) {
      fail(error_code::file_not_found, operation(),
           "tokenizer.json, a SentencePiece model, vocab.txt, or vocab.json with merges.txt", "none of them");
    }
    if (asked_.name.empty() && !spiece.empty()) {
      fail(error_code::missing, operation(),
           "model_type in config.json or tokenizer_class in tokenizer_config.json, which say how " +
               spiece.filename().string() + " is read",
           "neither");
    }
    if (!asked_.name.empty()) {
      std::string known;
      for (const auto& row : tokenizer_classes) known.append(known.empty() ? "" : ", ").append(row.name);
      fail(error_code::unsupported, operation(), "a tokenizer.json, or the files of one of " + known,
           "'" + asked_.name + "' (" + asked_.source + ") without a tokenizer.json");
    }
    return *find_tokenizer_class(bpe ? "RobertaTokenizer" : "BertTokenizer");
  }
  [[nodiscard]] std::filesystem::path find_sentencepiece() const {
    for (const char* name : {"sentencepiece.bpe.model", "spiece.model", "spm.model", "sentencepiece.model"}) {
      if (is_there(folder_ / name)) return folder_ / name;
    }
    return {};
  }
  /// A file that a class reads. @throws onoma::error (file_not_found).
  [[nodiscard]] mapped_file open(const tokenizer_class& row, const char* file) const {
    if (!is_there(folder_ / file)) {
      fail(error_code::file_not_found, operation(),
           std::string(file) + ", as " + std::string(row.name) + " reads it, or tokenizer.json", "neither");
    }
    return open_model_file(folder_ / file);
  }

  [[nodiscard]] token_files read_tokens(const named_tokens& defaults) const {
    const json listed = json_if_there("added_tokens.json");
    return token_file_reader(folder_, config_, map_).read(defaults, listed);
  }
  /// @throws onoma::error (unsupported) if the files say that there is none.
  [[nodiscard]] std::string require_token(const token_files& tokens, special_role role) const {
    const auto& token = tokens.named[role];
    if (token.content.empty()) {
      const char* key = special_token_keys[static_cast<std::size_t>(role)];
      fail(error_code::unsupported, operation(), std::string("a ") + key, "null");
    }
    return token.content;
  }
  /// Puts the special tokens of the class around texts.
  /// @throws onoma::error (missing) if one is neither a piece nor a token that a file gives an id:
  /// transformers gives it the next, which stands for nothing in a model. `optional`: if no file names any,
  /// nothing is changed then.
  void surround(const tokenizer_class& row, const token_files& tokens, bool optional,
                tokenizer_parts& parts) const {
    auto& s = parts.settings;
    if (parts.pieces.empty()) return;  // which the vocabulary refuses
    const auto has = [&](const std::string& content) {
      const auto same = [&content](const added_token& token) { return token.content == content; };
      return tokens.has_number(content) || std::any_of(s.added.begin(), s.added.end(), same) ||
             std::find(parts.pieces.begin(), parts.pieces.end(), content) != parts.pieces.end();
    };
    const std::string first = require_token(tokens, row.first.value_or(row.last));
    const std::string last = require_token(tokens, row.last);
    for (const auto& content : {first, last}) {
      if (has(content)) continue;
      if (optional && !tokens.in_files.contains(first) && !tokens.in_files.contains(last)) return;
      fail(error_code::missing, "tokenizer", "the piece '" + content + "' in the vocabulary",
           "no such piece");
    }
    s.before.clear();
    if (row.first) s.before.push_back(first);
    s.after = {last};
  }

  void remark_class(std::string_view file, settings& s) const {
    if (!asked_.name.empty()) return;
    s.remarks.push_back("no file names the class of the tokenizer: " + std::string(file) +
                        " is read by its name");
  }

  [[nodiscard]] bert_options bert() const {
    bert_options options;
    options.lowercase = flag("do_lower_case", true);
    options.tokenize_chinese_chars = flag("tokenize_chinese_chars", true);
    options.strip_accents = bool_if_there("strip_accents");
    return options;
  }

  [[nodiscard]] tokenizer load_wordpiece(const tokenizer_class& row) const {
    const auto file = open(row, "vocab.txt");
    const std::string name = name_of("vocab.txt");
    tokenizer_parts parts{read_vocab_txt(file.text(), name), {}};
    auto& s = parts.settings;
    const auto tokens = read_tokens(row.special_tokens());
    token_numbers numbers(parts.pieces, true);
    in_file(name, [&] { surround(row, tokens, false, parts); });
    s.added = number_tokens(tokens, numbers, name);
    wordpiece::options model;
    model.unknown = require_token(tokens, special_role::unk);
    s.kind = bert_chain(bert(), std::move(model), s.added);
    trim(row, s);
    remark_class("vocab.txt", s);
    if (numbers.has_blank() || numbers.has_repeats()) remark_lines(parts.pieces, s.remarks);
    return build(std::move(parts), name);
  }
  [[nodiscard]] static tokenizer build(tokenizer_parts parts, const std::string& name) {
    return in_file(name, [&] { return tokenizer(parts.pieces, std::move(parts.settings)); });
  }
  /// Offsets as the post-processor of a class trims them.
  void trim(const tokenizer_class& row, settings& s) const {
    s.trim.reset();
    const bool asks = row.kind == tokenizer_kind::byte_level;  // the configuration
    if (row.trims_offsets && (!asks || flag("trim_offsets", true))) {
      s.trim = settings::trimming{asks && flag("add_prefix_space", false)};
    }
  }
  /// Lines that no text leads to.
  static void remark_lines(const std::vector<std::string>& pieces, std::vector<std::string>& remarks) {
    std::unordered_set<std::string_view, keyed_hasher> known;
    known.reserve(pieces.size());
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const std::string line = "vocab.txt: line " + std::to_string(i + 1);
      if (pieces[i].empty()) {
        remarks.push_back(line + " is blank: a piece that no text gives");
      } else if (!known.insert(pieces[i]).second) {
        remarks.push_back(line + " has '" + pieces[i] + "' again: the last of equal lines counts");
      }
    }
    constexpr std::size_t most = 5;
    if (remarks.size() > most) {
      const std::string more = std::to_string(remarks.size() - most) + " more like these";
      remarks.resize(most);
      remarks.push_back(more);
    }
  }

  [[nodiscard]] tokenizer load_bpe(const tokenizer_class& row) const {
    const auto file = open(row, "vocab.json");
    const auto pairs = open(row, "merges.txt");
    const std::string name = name_of("vocab.json");
    tokenizer_parts parts{read_vocabulary(parse_json(file.text(), name), name), {}};
    auto& s = parts.settings;
    const auto tokens = read_tokens(row.special_tokens());
    token_numbers numbers(parts.pieces, false);
    in_file(name, [&] { surround(row, tokens, false, parts); });
    s.added = number_tokens(tokens, numbers, name);
    character_bpe::options model;
    model.merges = read_merges_txt(pairs.text(), name_of("merges.txt"));
    if (row.kind == tokenizer_kind::byte_level) {
      pre_tokenizers::byte_level words;
      words.add_prefix_space = flag("add_prefix_space", false);
      s.kind = byte_level_kind({{}, {std::move(words)}, std::move(model)}, parts.pieces);
    } else {
      model.unknown = require_token(tokens, special_role::unk);
      check_herbert(s, numbers, name);
      s.kind = herbert_chain(std::move(model));
    }
    trim(row, s);
    remark_class("vocab.json", s);
    return build(std::move(parts), name);
  }
  /// HerbertTokenizer takes these ids for granted, whatever the vocabulary says.
  static void check_herbert(const settings& s, token_numbers& numbers, const std::string& name) {
    const auto check_id = [&](const std::string& content, index_t id) {
      const index_t found = numbers.number(content);
      if (found == id) return;
      fail(error_code::unsupported, name, "'" + content + "' with the id " + std::to_string(id),
           std::to_string(found));
    };
    check_id(s.before.front(), 0);
    check_id(s.after.front(), 2);
  }
  [[nodiscard]] static settings::general_chain herbert_chain(character_bpe::options model) {
    settings::general_chain chain;
    bert_options options;
    options.lowercase = false;
    options.strip_accents = false;
    append_bert_normalizer(options, chain.normalizers);
    append_bert_pre_tokenizer(chain.pre_tokenizers);
    model.end_suffix = "</w>";
    chain.model = std::move(model);
    return chain;
  }

  [[nodiscard]] tokenizer load_sentencepiece(const tokenizer_class& row) const {
    const auto path = find_sentencepiece();
    if (path.empty()) {
      fail(error_code::file_not_found, operation(),
           "the SentencePiece model that " + std::string(row.name) + " reads, or tokenizer.json", "neither");
    }
    sentencepiece_options options;
    options.do_lower_case = bool_if_there("do_lower_case");
    options.keep_accents = flag("keep_accents", options.keep_accents);
    options.split_by_punct = flag("split_by_punct", options.split_by_punct);
    options.add_prefix_space = flag("add_prefix_space", options.add_prefix_space);
    options.extra_ids = value_or<index_t>(config_, "extra_ids", options.extra_ids, config_name());
    const auto tokens = read_tokens(row.special_tokens());
    const mapped_file file = open_model_file(path);
    return in_file(path.string(), [&] {
      const auto model = sentencepiece_model::from_bytes(file.text(), path.string());
      auto parts = convert_sentencepiece(model, *row.family, options, &tokens);
      surround(row, tokens, false, parts);
      return tokenizer(parts.pieces, std::move(parts.settings));
    });
  }

  [[nodiscard]] tokenizer load_json() const {
    const auto path = folder_ / "tokenizer.json";
    const std::string name = path.string();
    json root = parse_json(open_model_file(path).text(), name);
    const bool rebuilt = apply_options(root);
    auto parts = read_tokenizer_json(root, name);
    auto& s = parts.settings;
    auto tokens = read_tokens(asked_.row != nullptr ? asked_.row->special_tokens() : named_tokens());
    if (rebuilt) {
      in_file(name, [&] { surround(*asked_.row, tokens, true, parts); });
      take_unknown(*asked_.row, tokens, parts);
      trim(*asked_.row, s);
      take_added(s.added, name, tokens);
      token_numbers numbers(parts.pieces, false);
      s.added = number_tokens(tokens, numbers, name);
    } else {
      add_tokens(tokens, name, parts);
    }
    if (const auto* chain = std::get_if<settings::wordpiece_chain>(&s.kind)) {
      s.kind = bert_chain(chain->normalizer, chain->model, s.added);
    }
    if (is_python_tokenizer(asked_.name)) {
      s.remarks.push_back("tokenizer.json is read, whose words may not be those of " + asked_.name +
                          ", which cuts text with code of its own");
    }
    return build(std::move(parts), name);
  }

  /// What transformers does with a tokenizer.json, `root`, of some classes: their constructors build the
  /// steps anew from tokenizer_config.json, with defaults for what is not there, whatever the file says
  /// (5.24, BertTokenizer, MPNetTokenizer, RobertaTokenizer). Other kinds of steps are left alone: then
  /// false.
  [[nodiscard]] bool apply_options(json& root) const {
    if (asked_.row == nullptr || !root.is_object()) return false;
    const auto is = [&root](const char* part, const char* type) {
      return is_text(member(member(root, part), "type"), type);
    };
    if (asked_.row->kind == tokenizer_kind::wordpiece && is("normalizer", "BertNormalizer")) {
      const auto options = bert();
      root["normalizer"] = {{"type", "BertNormalizer"},
                            {"clean_text", true},
                            {"handle_chinese_chars", options.tokenize_chinese_chars},
                            {"strip_accents", options.strip_accents ? json(*options.strip_accents) : json()},
                            {"lowercase", options.lowercase}};
      return true;
    }
    if (asked_.row->kind != tokenizer_kind::byte_level || !is("pre_tokenizer", "ByteLevel")) return false;
    root["pre_tokenizer"]["add_prefix_space"] = flag("add_prefix_space", false);
    return true;
  }

  /// Tokens that other files name are recognised beside those of a tokenizer.json, which has its own ids.
  /// @throws onoma::error (unsupported) if added_tokens.json has another one or gives it another id.
  void add_tokens(const token_files& files, const std::string& name, tokenizer_parts& parts) const {
    auto& added = parts.settings.added;
    token_files rest = files;
    const token_places places(added);
    const auto known = [&](const added_token& token) { return places.find(added, token.content); };
    const bool decoder = member(config_, "added_tokens_decoder").is_object();
    for (const auto& [id, token] : files.numbered) {
      const auto found = known(token);
      if (found != nullptr && (decoder || found->id == id)) {
        if (decoder) {
          const auto own = found->id;
          *found = token;
          found->id = own;
        }
        rest.numbered.erase(id);
      } else if (!decoder) {
        fail(error_code::unsupported, files.where, "the tokens and ids that the other files have",
             "'" + token.content + "': " + std::to_string(id));
      }
    }
    for (std::size_t i = 0; i < special_roles; ++i) {
      auto& token = rest.named[static_cast<special_role>(i)];
      if (known(token) != nullptr) token = {};
    }
    std::erase_if(rest.more, [&](const added_token& token) { return known(token) != nullptr; });
    const bool named = std::any_of(rest.named.begin(), rest.named.end(),
                                   [](const added_token& token) { return !token.content.empty(); });
    if (rest.numbered.empty() && !named && rest.more.empty()) return;
    token_numbers numbers(parts.pieces, false);
    for (const auto& token : added) numbers.take(token.content, token.id);
    for (auto& token : number_tokens(rest, numbers, name)) added.push_back(std::move(token));
  }

  /// The tokens of a tokenizer.json as tokens with a number, unless added_tokens_decoder counts.
  void take_added(const std::vector<added_token>& added, const std::string& name, token_files& tokens) const {
    if (member(config_, "added_tokens_decoder").is_object()) return;
    for (const auto& token : added) tokens.numbered.insert_or_assign(token.id, token);
    if (tokens.where.empty()) tokens.where = name + ": added_tokens";
  }

  /// The unknown piece of the class instead of that of the file, unless the vocabulary lacks it and no file
  /// names it.
  static void take_unknown(const tokenizer_class& row, const token_files& tokens, tokenizer_parts& parts) {
    const auto& content = tokens.named[special_role::unk].content;
    if (row.kind != tokenizer_kind::wordpiece) return;
    const bool there = std::find(parts.pieces.begin(), parts.pieces.end(), content) != parts.pieces.end();
    if (!there && !tokens.in_files.contains(content)) return;
    auto& kind = parts.settings.kind;
    if (auto* chain = std::get_if<settings::wordpiece_chain>(&kind)) chain->model.unknown = content;
    if (auto* chain = std::get_if<settings::general_chain>(&kind)) {
      if (auto* model = std::get_if<wordpiece::options>(&chain->model)) model->unknown = content;
    }
  }

  std::filesystem::path folder_;
  json config_;  // tokenizer_config.json
  json model_;   // config.json
  json map_;     // special_tokens_map.json
  asked_class asked_;
};

}  // namespace detail

/// The tokenizer of a folder, as transformers' AutoTokenizer (5.24) would make it.
///
/// A tokenizer.json says everything. Without one the class of the tokenizer decides (`tokenizer_classes`):
/// that of tokenizer_config.json or config.json, or that of config.json's model_type. A class that is not
/// known here is refused by its name. A folder that names none is read by the names of its files: vocab.json
/// with merges.txt as RoBERTa's, vocab.txt as BERT's, with a remark.
///
/// Options of tokenizer_config.json, with transformers' defaults: do_lower_case, strip_accents,
/// tokenize_chinese_chars, add_prefix_space, trim_offsets, keep_accents, split_by_punct, extra_ids. As in
/// transformers, the tokenizers of BERT, DistilBERT, ELECTRA, MPNet and RoBERTa obey them against a
/// tokenizer.json too, defaults included: one that keeps capitals needs "do_lower_case": false beside it.
///
/// Special tokens are those of tokenizer_config.json and special_tokens_map.json, else those of the class.
/// They are recognised in text, as are the tokens of `added_tokens_decoder`, or else of added_tokens.json;
/// those without a piece get the ids behind the vocabulary, and other ids in a file are refused.
/// @throws onoma::error (file_not_found) if the files are not there, (unsupported) for a class or option that
/// is not known; as `tokenizer_from_json`, `convert_sentencepiece` and the constructor of `tokenizer`.
[[nodiscard]] inline tokenizer load_tokenizer(const std::filesystem::path& folder) {
  return detail::tokenizer_loader(folder).load();
}

}  // namespace onoma::inline ONOMA_ABI
