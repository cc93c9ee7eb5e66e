/// Normalizers and pre-tokenizers from tokenizer.json; what is not known is refused by name.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/io/json.hpp>
#include <onoma/text/steps/bert_normalizer.hpp>
#include <onoma/text/steps/charsmap.hpp>
#include <onoma/text/steps/normalizers.hpp>
#include <onoma/text/steps/pattern.hpp>
#include <onoma/text/steps/pre_tokenizers.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

[[noreturn]] inline void refuse_type(const std::string& where, const char* known,
                                     const std::string& found) {
  fail(error_code::unsupported, where, known, "'" + found + "'");
}

/// The `pattern` of Replace or Split: {"String": "..."} or {"Regex": "..."}.
inline text_pattern read_pattern(const json& component, const std::string& where) {
  const json& pattern = member(component, "pattern");
  const json& literal = member(pattern, "String");
  const json& expression = member(pattern, "Regex");
  if (literal.is_string()) return text_pattern::literal(literal.get<std::string>());
  if (expression.is_string()) return text_pattern::expression(expression.get<std::string>(), where);
  fail(error_code::format, where + ".pattern", "a String or a Regex", describe(pattern));
}

/// A string of one character. @throws onoma::error (format).
inline std::string read_character(const json& component, const char* key, const std::string& where) {
  auto text = require<std::string>(component, key, where);
  if (text.empty() || decode_utf8(text, 0).length != static_cast<index_t>(text.size())) {
    fail(error_code::format, where + '.' + key, "one character", "'" + text + "'");
  }
  return text;
}

/// The bytes that stand in Base64 with padding (RFC 4648, section 4). @throws onoma::error (format).
inline std::string decode_base64(std::string_view text, const std::string& where) {
  const auto value_of = [](char c) {
    if (c >= 'A' && c <= 'Z') return c - 'A';
    if (c >= 'a' && c <= 'z') return c - 'a' + 26;
    if (c >= '0' && c <= '9') return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
  };
  const auto refuse = [&where] { fail(error_code::format, where, "Base64", "other characters"); };
  if (text.size() % 4 != 0) refuse();
  std::string bytes;
  bytes.reserve(text.size() / 4 * 3);
  for (std::size_t i = 0; i < text.size(); i += 4) {
    const bool last = i + 4 == text.size();
    const std::size_t padding = !last || text[i + 3] != '=' ? 0 : text[i + 2] == '=' ? 2 : 1;
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 4; ++k) {
      const int value = k < 4 - padding ? value_of(text[i + k]) : 0;
      if (value < 0) refuse();
      group = group << 6 | static_cast<std::uint32_t>(value);
    }
    for (std::size_t k = 0; k < 3 - padding; ++k) bytes += static_cast<char>(group >> (16 - 8 * k));
  }
  return bytes;
}

inline cut_behavior read_behavior(const json& component, const std::string& where) {
  const auto name = value_or<std::string>(component, "behavior", "Isolated", where);
  if (name == "Removed") return cut_behavior::removed;
  if (name == "Isolated") return cut_behavior::isolated;
  if (name == "MergedWithPrevious") return cut_behavior::merged_with_previous;
  if (name == "MergedWithNext") return cut_behavior::merged_with_next;
  if (name == "Contiguous") return cut_behavior::contiguous;
  refuse_type(where + ".behavior",
              "Removed, Isolated, MergedWithPrevious, MergedWithNext or Contiguous", name);
}

inline bert_options read_bert_options(const json& component, const std::string& where) {
  bert_options options;
  options.clean_text = value_or<bool>(component, "clean_text", true, where);
  options.tokenize_chinese_chars = value_or<bool>(component, "handle_chinese_chars", true, where);
  if (!member(component, "strip_accents").is_null()) {
    options.strip_accents = require<bool>(component, "strip_accents", where);
  }
  options.lowercase = value_or<bool>(component, "lowercase", true, where);
  return options;
}

/// Appends the steps of a normalizer; null is none.
inline void read_normalizer(const json& component, const std::string& where,
                            std::vector<normalizer>& steps) {
  namespace n = normalizers;
  if (component.is_null()) return;
  const auto type = require<std::string>(component, "type", where);
  if (type == "Sequence") {
    for (const json& part : require_array(component, "normalizers", where)) {
      read_normalizer(part, where, steps);
    }
  } else if (type == "BertNormalizer") {
    append_bert_normalizer(read_bert_options(component, where), steps);
  } else if (type == "NFC" || type == "NFD" || type == "NFKC" || type == "NFKD") {
    steps.emplace_back(n::form{unicode_form(type.back() == 'C', type.size() == 4)});
  } else if (type == "Lowercase") {
    steps.emplace_back(n::lowercase{});
  } else if (type == "StripAccents") {
    steps.emplace_back(n::strip_accents{});
  } else if (type == "Strip") {
    steps.emplace_back(n::strip{value_or<bool>(component, "strip_left", true, where),
                                value_or<bool>(component, "strip_right", true, where)});
  } else if (type == "Replace") {
    steps.emplace_back(n::replace{read_pattern(component, where),
                                  require<std::string>(component, "content", where)});
  } else if (type == "Prepend") {
    steps.emplace_back(n::prepend{require<std::string>(component, "prepend", where)});
  } else if (type == "Nmt") {
    steps.emplace_back(n::nmt{});
  } else if (type == "Precompiled") {
    const auto rules = require<std::string>(component, "precompiled_charsmap", where);
    steps.emplace_back(n::precompiled{
        std::make_shared<const charsmap>(decode_base64(rules, where + ".precompiled_charsmap"))});
  } else if (type == "ByteLevel") {
    steps.emplace_back(n::byte_level{});
  } else {
    refuse_type(where,
                "BertNormalizer, NFC, NFD, NFKC, NFKD, Lowercase, StripAccents, Strip, Replace, "
                "Prepend, Nmt, Precompiled, ByteLevel or Sequence",
                type);
  }
}

inline pre_tokenizers::metaspace read_metaspace(const json& component, const std::string& where) {
  using scheme = pre_tokenizers::metaspace::prepend_scheme;
  pre_tokenizers::metaspace step;
  step.replacement = read_character(component, "replacement", where);
  const bool adds = value_or<bool>(component, "add_prefix_space", true, where);
  const auto name =
      value_or<std::string>(component, "prepend_scheme", adds ? "always" : "never", where);
  if (name == "always") {
    step.scheme = scheme::always;
  } else if (name == "first") {
    step.scheme = scheme::first;
  } else if (name == "never") {
    step.scheme = scheme::never;
  } else {
    refuse_type(where + ".prepend_scheme", "always, first or never", name);
  }
  if (!adds && step.scheme != scheme::never) {
    fail(error_code::format, where + ".prepend_scheme", "never, as add_prefix_space is false",
         "'" + name + "'");
  }
  step.split = value_or<bool>(component, "split", true, where);
  return step;
}

/// Appends the steps of a pre-tokenizer; null is none.
inline void read_pre_tokenizer(const json& component, const std::string& where,
                               std::vector<pre_tokenizer>& steps) {
  namespace p = pre_tokenizers;
  using characters = p::cut_at_characters;
  if (component.is_null()) return;
  const auto type = require<std::string>(component, "type", where);
  if (type == "Sequence") {
    for (const json& part : require_array(component, "pretokenizers", where)) {
      read_pre_tokenizer(part, where, steps);
    }
  } else if (type == "BertPreTokenizer") {
    append_bert_pre_tokenizer(steps);
  } else if (type == "Whitespace") {
    steps.emplace_back(p::word_characters{});
  } else if (type == "WhitespaceSplit") {
    steps.emplace_back(characters{characters::kind::whitespace, 0, cut_behavior::removed});
  } else if (type == "Punctuation") {
    steps.emplace_back(characters{characters::kind::punctuation, 0, read_behavior(component, where)});
  } else if (type == "Digits") {
    const bool single = value_or<bool>(component, "individual_digits", false, where);
    steps.emplace_back(characters{characters::kind::numeric, 0,
                                  single ? cut_behavior::isolated : cut_behavior::contiguous});
  } else if (type == "CharDelimiterSplit") {
    const auto one = decode_utf8(read_character(component, "delimiter", where), 0).code_point;
    steps.emplace_back(characters{characters::kind::one, one, cut_behavior::removed});
  } else if (type == "Split") {
    steps.emplace_back(p::cut_at_pattern{read_pattern(component, where),
                                         read_behavior(component, where),
                                         value_or<bool>(component, "invert", false, where)});
  } else if (type == "FixedLength") {
    const auto length = value_or<index_t>(component, "length", 5, where);
    if (length < 1) fail(error_code::format, where + ".length", "1 or more", std::to_string(length));
    steps.emplace_back(p::fixed_length{length});
  } else if (type == "Metaspace") {
    steps.emplace_back(read_metaspace(component, where));
  } else if (type == "ByteLevel") {
    p::byte_level step;
    step.add_prefix_space = value_or<bool>(component, "add_prefix_space", true, where);
    step.use_regex = value_or<bool>(component, "use_regex", true, where);
    steps.emplace_back(std::move(step));
  } else {
    refuse_type(where,
                "BertPreTokenizer, Whitespace, WhitespaceSplit, ByteLevel, Metaspace, Punctuation, "
                "Digits, Split, CharDelimiterSplit, FixedLength or Sequence",
                type);
  }
}

}  // namespace detail

}  // namespace onoma::inline ONOMA_ABI
