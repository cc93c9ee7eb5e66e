/// Special tokens under transformers' names, and what the files beside a vocabulary say of tokens.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/pieces/vocabulary.hpp>
#include <onoma/text/steps/added_tokens.hpp>

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What a special token is for, in the order in which transformers gives ids to those without a piece.
enum class special_role : std::uint8_t { bos, eos, unk, sep, pad, cls, mask };
inline constexpr std::size_t special_roles = 7;  ///< how many roles

/// The keys of tokenizer_config.json and special_tokens_map.json, by role.
inline constexpr std::array<const char*, special_roles> special_token_keys = {
    "bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"};

/// How a special token stands in a file or a class, which decides which of several with one content counts.
enum class token_form : std::uint8_t {
  text,     ///< a string
  object,   ///< an object with flags
  wrapped,  ///< a string of which the class makes an object
};

/// A special token of a file or a class.
struct special_token : added_token {
  token_form form = token_form::text;  ///< how a file writes it

  /// Whether transformers takes two for the same. What a class wraps is not yet special then, and normalized.
  [[nodiscard]] friend bool is_same(const special_token& a, const special_token& b) {
    const auto key = [](const special_token& t) {
      return std::tuple(t.form == token_form::text, std::string_view(t.content), t.single_word, t.lstrip,
                        t.rstrip, t.normalized || t.form == token_form::wrapped);
    };
    return key(a) == key(b);
  }
};

/// Tokens with a role, by `special_role`; an empty content: there is none.
class named_tokens {
 public:
  /// The token with this role.
  [[nodiscard]] const special_token& operator[](special_role role) const { return tokens_[place(role)]; }
  /// Likewise.
  [[nodiscard]] special_token& operator[](special_role role) { return tokens_[place(role)]; }
  /// The first role's.
  [[nodiscard]] auto begin() const { return tokens_.begin(); }
  /// Behind the last role's.
  [[nodiscard]] auto end() const { return tokens_.end(); }

 private:
  [[nodiscard]] static std::size_t place(special_role role) { return static_cast<std::size_t>(role); }
  std::array<special_token, special_roles> tokens_;
};

/// What the files beside a vocabulary say of tokens.
struct token_files {
  std::map<index_t, added_token> numbered;  ///< with the ids that a file gives
  std::string where;                      ///< that file
  named_tokens named;                     ///< with a role
  std::vector<special_token> more;        ///< special ones without a role
  std::set<std::string> in_files;         ///< what files name as special, not the class alone

  /// Whether a file gives this token an id.
  [[nodiscard]] bool has_number(const std::string& content) const {
    return std::any_of(numbered.begin(), numbered.end(),
                       [&content](const auto& entry) { return entry.second.content == content; });
  }
};

/// All of an added token but its id, as files write it. @throws onoma::error (missing, format, unsupported).
[[nodiscard]] inline added_token read_added_token(const json& entry, const std::string& where) {
  added_token token;
  token.content = require<std::string>(entry, "content", where);
  token.special = value_or<bool>(entry, "special", false, where);
  token.single_word = value_or<bool>(entry, "single_word", false, where);
  token.lstrip = value_or<bool>(entry, "lstrip", false, where);
  token.rstrip = value_or<bool>(entry, "rstrip", false, where);
  token.normalized = value_or<bool>(entry, "normalized", !token.special, where);
  if (token.content.size() > 1024) {
    fail(error_code::unsupported, where, "contents of at most 1024 bytes",
         std::to_string(token.content.size()));
  }
  return token;
}

/// Reads tokenizer_config.json, special_tokens_map.json and added_tokens.json as transformers does (5.24,
/// tokenization_utils_base.py, _from_pretrained): the map counts against tokenizer_config.json, and neither
/// it nor added_tokens.json counts where that has `added_tokens_decoder`.
class token_file_reader {
 public:
  /// `config` is tokenizer_config.json, `map` special_tokens_map.json; null where the folder has none.
  token_file_reader(const std::filesystem::path& folder, const json& config, const json& map)
      : folder_(folder), config_(config), map_(has_decoder() ? json() : map) {}

  /// `defaults` are the tokens of the class. `listed` is an added_tokens.json, or null.
  /// @throws onoma::error (format, missing, unsupported) that names the file.
  [[nodiscard]] token_files read(const named_tokens& defaults, const json& listed) {
    files_ = {};
    files_.named = defaults;
    read_named();
    read_more();
    if (has_decoder()) {
      read_decoder();
    } else if (!listed.is_null()) {
      read_listed(listed);
    }
    return std::move(files_);
  }

 private:
  [[nodiscard]] bool has_decoder() const { return member(config_, "added_tokens_decoder").is_object(); }
  [[nodiscard]] std::string name_of(const char* file) const { return (folder_ / file).string(); }
  [[nodiscard]] std::string config_name() const { return name_of("tokenizer_config.json"); }
  [[nodiscard]] std::string map_name() const { return name_of("special_tokens_map.json"); }

  /// A string, or an object, whose `special` does not count if the token is special anyway.
  [[nodiscard]] static special_token read_token(const json& value, const std::string& where, bool special) {
    json entry = value;
    if (value.is_string()) entry = {{"content", value}};
    if (entry.is_object() && (special || value.is_string())) entry["special"] = true;
    return {read_added_token(entry, where), value.is_object() ? token_form::object : token_form::text};
  }

  void read_named() {
    for (std::size_t i = 0; i < special_roles; ++i) {
      const char* key = special_token_keys[i];
      const bool mapped = map_.is_object() && map_.contains(key);
      const json& file = mapped ? map_ : config_;
      if (!file.is_object() || !file.contains(key)) continue;
      const std::string where = (mapped ? map_name() : config_name()) + ": " + key;
      auto& token = files_.named[static_cast<special_role>(i)];
      const auto of_class = token;
      token = file[key].is_null() ? special_token{} : read_token(file[key], where, true);
      if (file[key].is_string()) {  // what the class makes of its own token
        token.lstrip = of_class.lstrip;
        token.form = of_class.form;
      }
      files_.in_files.insert(token.content);
      if (mapped || file[key].is_string()) listed_special_.insert(token.content);
    }
  }

  /// Keys like "image_token", then the lists.
  void read_more() {
    // Strings of tokenizer_config.json count against the map, objects do not.
    std::map<std::string, special_token> further;
    read_further_names(config_, config_name(), false, further);
    read_further_names(map_, map_name(), true, further);
    read_further_names(config_, config_name(), true, further);
    for (auto& [key, token] : further) {
      files_.in_files.insert(token.content);
      files_.more.push_back(std::move(token));
    }
    const auto list = [](const json& file, const char* key) {
      const json& found = member(file, key);
      return found.is_array() && !found.empty() ? &found : nullptr;
    };
    const json* extra = list(config_, "extra_special_tokens");
    const bool has_key = config_.is_object() && (config_.contains("extra_special_tokens") ||
                                                 config_.contains("additional_special_tokens"));
    const json* additional = list(config_, "additional_special_tokens");
    if (extra == nullptr) extra = additional;
    const json* mapped = list(map_, "extra_special_tokens");
    if (extra != nullptr) add_list(*extra, config_name(), false, true);
    if (mapped != nullptr) add_list(*mapped, map_name(), true, true);
    if (extra != nullptr || mapped != nullptr || has_key) return;
    if (const json* last = list(map_, "additional_special_tokens")) {
      add_list(*last, map_name(), true, false);
    }
  }
  void add_list(const json& list, const std::string& where, bool special, bool counts) {
    for (const json& value : list) {
      files_.more.push_back(read_token(value, where, special));
      files_.in_files.insert(files_.more.back().content);
      if (counts) listed_special_.insert(files_.more.back().content);
    }
  }
  void read_further_names(const json& file, const std::string& where, bool strings,
                          std::map<std::string, special_token>& found) const {
    if (!file.is_object()) return;
    const bool mapped = &file == &map_;
    const auto note = [&](const std::string& key, const json& value) {
      const bool known = std::find(special_token_keys.begin(), special_token_keys.end(), key) !=
                         special_token_keys.end();
      const bool object = value.is_object() && value.contains("content") && (mapped || !strings);
      if (known || !((value.is_string() && strings) || object)) return;
      found.insert_or_assign(key, read_token(value, where + ": " + key, true));
    };
    for (const auto& [key, value] : file.items()) {
      if (key.ends_with("_token")) note(key, value);
    }
    const json& extra = member(file, "extra_special_tokens");
    if (!extra.is_object()) return;
    for (const auto& [key, value] : extra.items()) note(key, value);
  }

  void add_numbered(index_t id, added_token token) {
    const auto [place, is_new] = files_.numbered.try_emplace(id, std::move(token));
    if (is_new) return;
    fail(error_code::format, files_.where, "every id once",
         std::to_string(id) + " for '" + token.content + "' too");
  }
  void read_decoder() {
    files_.where = config_name() + ": added_tokens_decoder";
    for (const auto& [text, entry] : config_["added_tokens_decoder"].items()) {
      const bool number = !text.empty() && text.size() < 10 &&
                          std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; });
      if (!number) fail(error_code::format, files_.where, "ids", "'" + text + "'");
      add_numbered(std::stol(text), read_added_token(entry, files_.where));
    }
  }
  void read_listed(const json& listed) {
    files_.where = name_of("added_tokens.json");
    if (!listed.is_object()) fail(error_code::format, files_.where, "an object", describe(listed));
    for (const auto& [content, id] : listed.items()) {
      const json entry = {{"content", content}, {"special", listed_special_.contains(content)}};
      add_numbered(json_value<index_t>(id, content, files_.where), read_added_token(entry, files_.where));
    }
  }

  const std::filesystem::path& folder_;
  const json& config_;
  json map_;
  token_files files_;
  // What makes a token of added_tokens.json special; objects of tokenizer_config.json do not.
  std::set<std::string> listed_special_;
};

/// The pieces of a vocabulary that tokens are numbered by.
class token_numbers {
 public:
  /// `pieces[id]`; `pieces` must outlive this. An empty piece counts as one if `blank_counts`: it is a line
  /// of a vocab.txt then, and a gap between the ids of other formats else.
  token_numbers(const std::vector<std::string>& pieces, bool blank_counts)
      : pieces_(static_cast<index_t>(pieces.size())) {
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      const bool blank = pieces[i].empty();
      if (blank && !blank_counts) continue;
      const bool again = blank ? has_blank_ : !pieces_.insert(pieces[i], static_cast<std::int32_t>(i));
      has_blank_ = has_blank_ || blank;
      has_repeats_ = has_repeats_ || again;
      if (!again) ++count_;
    }
  }

  /// Whether a token is empty.
  [[nodiscard]] bool has_blank() const noexcept { return has_blank_; }
  /// Whether a token is there twice.
  [[nodiscard]] bool has_repeats() const noexcept { return has_repeats_; }
  /// Whether a token with this text has an id.
  [[nodiscard]] bool has_piece(std::string_view content) const { return find(content) >= 0; }

  /// A token that has its id already; its content must outlive this.
  void take(std::string_view content, index_t id) {
    if (!has_piece(content)) last_ = std::max(last_, id);
    taken_.insert_or_assign(content, id);
  }

  /// The id of a token: that of its piece, or the next behind the vocabulary and the tokens before it
  /// (tokenizers, added_vocabulary.rs, add_tokens). That vocabulary is as long as it has different pieces.
  [[nodiscard]] index_t number(std::string_view content) {
    if (const index_t piece = find(content); piece >= 0) return piece;
    last_ = std::max(count_, last_ + 1);
    return last_;
  }

 private:
  /// The id, or -1.
  [[nodiscard]] index_t find(std::string_view content) const {
    const auto token = taken_.find(content);
    return token != taken_.end() ? token->second : pieces_.find(content);
  }

  piece_table pieces_;  // without the empty one
  std::unordered_map<std::string_view, index_t, keyed_hasher> taken_;
  index_t count_ = 0;
  bool has_blank_ = false;
  bool has_repeats_ = false;
  index_t last_ = -1;  // the greatest id of a token that is no piece
};

/// The tokens of the files with the ids that transformers gives them: those with a number in the order of
/// their numbers, then those with a role, then the others. Of several with one content those with a number
/// count, else the last, unless it is the same as one before. `vocabulary` is the file of the pieces (5.24,
/// tokenization_utils_tokenizers.py, TokenizersBackend.__init__).
/// @throws onoma::error (format) where a file gives another id: a model that was trained with that fits
/// neither; for a token that has no piece where pieces come twice: transformers gives it the id of another
/// piece.
[[nodiscard]] inline std::vector<added_token> number_tokens(const token_files& files, token_numbers& numbers,
                                                            const std::string& vocabulary) {
  std::vector<added_token> list;
  token_places places;
  const auto is_lost = [&](const added_token& token) {
    return numbers.has_repeats() && !numbers.has_piece(token.content);
  };
  const auto enter = [&](const added_token& token) {
    if (is_lost(token)) {
      fail(error_code::format, vocabulary,
           "every piece once, as '" + token.content + "' has none and gets an id behind them",
           "pieces that come again");
    }
    places.add(token.content, list.size());
    list.push_back(token);
    list.back().id = static_cast<std::int32_t>(numbers.number(token.content));
    return index_t{list.back().id};
  };
  for (const auto& [id, token] : files.numbered) {
    if (token.content.empty() || places.find(list, token.content) != nullptr) continue;
    if (const index_t given = enter(token); given != id) {
      fail(error_code::format, files.where,
           "the id " + std::to_string(given) + " for '" + token.content + "'", std::to_string(id));
    }
  }
  const auto numbered = static_cast<std::ptrdiff_t>(list.size());
  std::unordered_map<std::string, std::vector<special_token>, keyed_hasher> seen;  // by content
  const auto add_special = [&](const special_token& token) {
    const auto again = [&token](const special_token& other) { return is_same(token, other); };
    auto& before = seen[token.content];
    if (token.content.empty() || std::any_of(before.begin(), before.end(), again)) return;
    before.push_back(token);
    if (auto* same = places.find(list, token.content)) {
      if (same - list.data() < numbered) return;
      const auto id = same->id;
      static_cast<added_token&>(*same) = token;
      same->id = id;
      return;
    }
    if (is_lost(token) && !files.in_files.contains(token.content)) return;
    enter(token);
  };
  for (const auto& token : files.named) add_special(token);
  for (const auto& token : files.more) add_special(token);
  return list;
}

}  // namespace onoma::inline ONOMA_ABI
