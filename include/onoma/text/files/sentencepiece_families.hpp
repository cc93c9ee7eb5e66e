/// Tokenizers from SentencePiece's files alone: what each family of models puts around the pieces.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/text/files/sentencepiece.hpp>
#include <onoma/text/files/special_tokens.hpp>
#include <onoma/text/files/tokenizer_classes.hpp>
#include <onoma/text/pieces/unigram.hpp>
#include <onoma/text/steps/charsmap.hpp>
#include <onoma/text/steps/normalizers.hpp>
#include <onoma/text/steps/pre_tokenizers.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/text/unicode/unicode.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <iterator>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// From tokenizer_config.json, under these names.
struct sentencepiece_options {
  std::optional<bool> do_lower_case{};  ///< albert (there by default) and deberta_v2
  bool keep_accents = false;            ///< albert
  bool split_by_punct = false;          ///< deberta_v2
  bool add_prefix_space = true;         ///< a space before the text
  index_t extra_ids = 100;                ///< t5: pieces `<extra_id_99>` to `<extra_id_0>` behind the others
};

namespace detail {

/// Pieces by id with their scores, and the unknown one.
struct scored_pieces {
  std::vector<std::string> pieces;
  unigram::options model;

  void push(std::string text, double score) {
    pieces.push_back(std::move(text));
    model.scores.push_back(score);
  }
};

/// ALBERT leaves pieces like "1," for last, so that numbers are split from what follows.
inline bool is_number_with_comma(std::string_view piece) {
  if (piece.size() < 2 || piece.back() != ',') return false;
  const index_t at = previous_utf8(piece, static_cast<index_t>(piece.size()) - 1);
  const auto c = decode_utf8(piece, at).code_point;
  if (c < 0x80U) return c >= '0' && c <= '9';
  return unicode::contains(unicode::digit_ranges, c) || c == 0xB2U || c == 0xB3U || c == 0xB9U;
}

inline scored_pieces family_pieces(const sentencepiece_model& model, sentencepiece_family family,
                                   const sentencepiece_options& options) {
  using kind = sentencepiece_family;
  scored_pieces result;
  std::size_t first = 0;  // pieces of the file before it are replaced
  if (family == kind::xlm_roberta) {
    for (const char* text : {"<s>", "<pad>", "</s>", "<unk>"}) result.push(text, 0.0);
    first = 3;
  } else if (family == kind::camembert) {
    for (const char* text : {"<s>NOTUSED", "<pad>", "</s>NOTUSED", "<unk>"}) result.push(text, 0.0);
    result.push("<unk>NOTUSED", -100.0);
    first = 1;
  }
  for (std::size_t i = first; i < model.pieces.size(); ++i) {
    const auto& piece = model.pieces[i];
    const double lower = family == kind::albert && is_number_with_comma(piece.text) ? 100.0 : 0.0;
    result.push(piece.text, static_cast<double>(piece.score) - lower);
  }
  if (first > 0) {
    result.push("<mask>", 0.0);
    result.model.unknown = 3;
  } else {
    result.model.unknown = model.unknown_id;
  }
  if (family == kind::t5) {
    for (index_t i = options.extra_ids; i-- > 0;) {
      result.push("<extra_id_" + std::to_string(i) + '>', 0.0);
    }
  }
  return result;
}

inline std::vector<normalizer> family_normalizers(const sentencepiece_model& model,
                                                  sentencepiece_family family,
                                                  const sentencepiece_options& options) {
  namespace n = normalizers;
  std::vector<normalizer> steps;
  const bool lowercases = options.do_lower_case.value_or(family == sentencepiece_family::albert);
  const auto add_rules = [&] {
    if (model.charsmap.empty()) return;
    steps.emplace_back(n::precompiled{std::make_shared<const charsmap>(model.charsmap)});
  };
  if (family == sentencepiece_family::albert) {
    steps.emplace_back(n::replace{text_pattern::literal("``"), "\""});
    steps.emplace_back(n::replace{text_pattern::literal("''"), "\""});
    if (!options.keep_accents) {
      steps.emplace_back(n::form{unicode_form(false, true)});
      steps.emplace_back(n::strip_accents{});
    }
    if (lowercases) steps.emplace_back(n::lowercase{});
    add_rules();
  } else if (family == sentencepiece_family::deberta_v2) {
    if (lowercases) steps.emplace_back(n::lowercase{});
    steps.emplace_back(n::strip{});
    add_rules();
    steps.emplace_back(n::replace{text_pattern::expression(" {2,}", "DeBERTa's normalizer"), " "});
  } else {
    add_rules();
  }
  return steps;
}

inline std::vector<pre_tokenizer> family_pre_tokenizers(sentencepiece_family family,
                                                        const sentencepiece_options& options) {
  namespace p = pre_tokenizers;
  using characters = p::cut_at_characters;
  std::vector<pre_tokenizer> steps;
  if (family != sentencepiece_family::deberta_v2) {
    steps.emplace_back(characters{characters::kind::whitespace, 0, cut_behavior::removed});
  } else if (options.split_by_punct) {
    steps.emplace_back(characters{characters::kind::punctuation, 0, cut_behavior::isolated});
  }
  p::metaspace metaspace;
  if (!options.add_prefix_space) metaspace.scheme = p::metaspace::prepend_scheme::never;
  steps.emplace_back(std::move(metaspace));
  return steps;
}

/// Those that other files name, and the file's own control and user-defined ones.
inline std::vector<added_token> family_added_tokens(const sentencepiece_model& model,
                                                    sentencepiece_family family, const token_files& files,
                                                    const std::vector<std::string>& pieces) {
  token_numbers numbers(pieces, false);
  auto tokens = number_tokens(files, numbers, "SentencePiece model");
  std::unordered_set<std::string, keyed_hasher> known;
  for (const auto& token : tokens) known.insert(token.content);
  const auto add = [&](const std::string& content) {
    if (!known.insert(content).second) return;
    tokens.push_back({content, static_cast<std::int32_t>(numbers.number(content))});
  };
  for (const auto& piece : pieces) {
    if (family == sentencepiece_family::t5 && piece.starts_with("<extra_id_")) add(piece);
  }
  for (const auto& piece : model.pieces) {
    using type = sentencepiece_model::piece_type;
    if (piece.type == type::control || piece.type == type::user_defined) add(piece.text);
  }
  return tokens;
}

/// The class that reads the files of a family.
inline const tokenizer_class& class_of(sentencepiece_family family) {
  return *std::find_if(std::begin(tokenizer_classes), std::end(tokenizer_classes),
                       [family](const tokenizer_class& row) { return row.family == family; });
}

}  // namespace detail

/// The tokenizer of a family from its SentencePiece file. Sources: transformers 5.24, XLMRobertaTokenizer,
/// CamembertTokenizer and T5Tokenizer, as they load a folder without tokenizer.json; for ALBERT the
/// tokenizer.json on the Hub, with the scores of AlbertConverter (convert_slow_tokenizer.py); for DeBERTa
/// DebertaV2Converter there, which applies the rules of the file as in training: the class of 5.24 does not.
/// `files`: what other files say of tokens, instead of the family's own.
/// @throws onoma::error (unsupported) if the model is no Unigram model or puts spaces behind words,
/// (invalid_argument) for too many extra ids; as `charsmap`.
[[nodiscard]] inline tokenizer_parts convert_sentencepiece(
    const sentencepiece_model& model, sentencepiece_family family,
    const sentencepiece_options& options = {}, const token_files* files = nullptr) {
  const char* where = "SentencePiece model";
  if (model.type != sentencepiece_model::algorithm::unigram) {
    constexpr const char* names[] = {"unigram", "bpe", "word", "char"};
    fail(error_code::unsupported, where, "model_type unigram",
         names[static_cast<std::size_t>(model.type) - 1]);
  }
  if (model.treat_whitespace_as_suffix) {
    fail(error_code::unsupported, where, "treat_whitespace_as_suffix: false", "true");
  }
  if (options.extra_ids < 0 || options.extra_ids > 100000) {
    fail(error_code::invalid_argument, where, "extra_ids from 0 to 100000",
         std::to_string(options.extra_ids));
  }
  auto [pieces, unigram_options] = detail::family_pieces(model, family, options);
  tokenizer::general_settings general;
  general.normalizers = detail::family_normalizers(model, family, options);
  general.pre_tokenizers = detail::family_pre_tokenizers(family, options);
  general.model = std::move(unigram_options);

  tokenizer::settings settings;
  const auto& row = detail::class_of(family);
  token_files own;
  own.named = row.special_tokens();
  const auto& tokens = files != nullptr ? *files : own;
  settings.added = detail::family_added_tokens(model, family, tokens, pieces);
  settings.kind = std::move(general);
  settings.before.clear();
  if (row.first) settings.before.push_back(tokens.named[*row.first].content);
  settings.after = {tokens.named[row.last].content};
  return {std::move(pieces), std::move(settings)};
}

/// The same from the content of a file. @throws onoma::error as `sentencepiece_model::from_bytes`,
/// `convert_sentencepiece` and the constructor of `tokenizer`.
[[nodiscard]] inline tokenizer tokenizer_from_sentencepiece(std::string_view bytes,
                                                            std::string_view name,
                                                            sentencepiece_family family,
                                                            const sentencepiece_options& options = {}) {
  return in_file(name, [&] {
    auto [pieces, settings] =
        convert_sentencepiece(sentencepiece_model::from_bytes(bytes, name), family, options);
    return tokenizer(pieces, std::move(settings));
  });
}

}  // namespace onoma::inline ONOMA_ABI
