/// What a tokenizer is made of: how text becomes words and pieces, special and added tokens, offsets.
#pragma once

#include <onoma/text/pieces/bpe.hpp>
#include <onoma/text/pieces/byte_level.hpp>
#include <onoma/text/pieces/character_bpe.hpp>
#include <onoma/text/pieces/unigram.hpp>
#include <onoma/text/pieces/word_level.hpp>
#include <onoma/text/pieces/wordpiece.hpp>
#include <onoma/text/steps/added_tokens.hpp>
#include <onoma/text/steps/bert_words.hpp>
#include <onoma/text/steps/general_words.hpp>

#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What the constructor of `tokenizer` takes beside the vocabulary.
struct tokenizer_settings {
  /// BertNormalizer, BertPreTokenizer and WordPiece.
  struct wordpiece_chain {
    bert_options normalizer;   ///< of the first two
    wordpiece::options model;  ///< of the last
  };
  /// ByteLevel and byte-level BPE.
  struct byte_level_chain {
    byte_level_words::options words;  ///< of the first
    bpe::options model;               ///< of the second
  };
  /// Any chain, at the price of some speed: the two above are compiled as one pass over the text.
  struct general_chain {
    std::vector<normalizer> normalizers;        ///< in their order
    std::vector<pre_tokenizer> pre_tokenizers;  ///< in their order
    std::variant<wordpiece::options, bpe::options, character_bpe::options, word_level::options,
                 unigram::options>
        model;  ///< which pieces words have
  };
  /// Offsets of pieces that begin or end with spaces: without these spaces.
  struct trimming {
    bool keep_prefix_space = false;  ///< not the one that `add_prefix_space` added
  };

  std::variant<wordpiece_chain, byte_level_chain, general_chain> kind;  ///< how text becomes pieces
  std::vector<std::string> before{"[CLS]"};  ///< special pieces in front of every window
  std::vector<std::string> after{"[SEP]"};   ///< and behind it
  std::vector<added_token> added;            ///< tokens that stay whole
  std::optional<trimming> trim;              ///< of offsets
  std::vector<std::string> remarks;          ///< what is odd about the files, for people

  /// Added tokens that are looked for in normalised text, or the others.
  [[nodiscard]] added_tokens find_added(bool normalized) const {
    std::vector<added_token> found;
    std::copy_if(added.begin(), added.end(), std::back_inserter(found),
                 [=](const added_token& token) { return token.normalized == normalized; });
    std::vector<std::string> patterns;
    for (const auto& token : found) patterns.push_back(token.content);
    // What is looked for in normalised text is normalised itself.
    const auto* general = std::get_if<general_chain>(&kind);
    if (normalized && general != nullptr) {
      const normalizer_chain normalize(general->normalizers);
      for (auto& pattern : patterns) pattern = normalize(pattern);
    }
    return {std::move(found), std::move(patterns)};
  }
  /// Whether words are what stands between spaces.
  [[nodiscard]] bool cuts_at_spaces() const {
    const auto* general = std::get_if<general_chain>(&kind);
    if (general == nullptr) return false;
    const auto& steps = general->pre_tokenizers;
    return std::holds_alternative<unigram::options>(general->model) ||
           std::any_of(steps.begin(), steps.end(), [](const pre_tokenizer& step) {
             return std::holds_alternative<pre_tokenizers::metaspace>(step);
           });
  }
  /// Whether a prefix marks the pieces that continue a word.
  [[nodiscard]] bool marks_continuations() const {
    if (const auto* chosen = std::get_if<wordpiece_chain>(&kind)) {
      return !chosen->model.continuing_prefix.empty();
    }
    const auto* general = std::get_if<general_chain>(&kind);
    if (general == nullptr) return false;
    return std::visit(
        [](const auto& model) {
          if constexpr (requires { model.continuing_prefix; }) return !model.continuing_prefix.empty();
          return false;
        },
        general->model);
  }
  /// Whether pieces hold the space before their word, and no step adds it where it is not.
  [[nodiscard]] bool has_unspaced_words() const {
    if (const auto* chosen = std::get_if<byte_level_chain>(&kind)) return !chosen->words.add_prefix_space;
    const auto* general = std::get_if<general_chain>(&kind);
    if (general == nullptr) return false;
    bool found = false;
    for (const auto& step : general->pre_tokenizers) {
      const auto* bytes = std::get_if<pre_tokenizers::byte_level>(&step);
      if (bytes != nullptr && bytes->add_prefix_space) return false;
      found = found || bytes != nullptr;
    }
    return found;
  }
};

/// A tokenizer before it is built.
struct tokenizer_parts {
  std::vector<std::string> pieces;  ///< by id
  tokenizer_settings settings;      ///< of the tokenizer
};

/// BERT's chain. Tokens that are looked for in normalised text need a text that is normalised before it is
/// cut.
[[nodiscard]] inline decltype(tokenizer_settings::kind) bert_chain(bert_options options,
                                                                   wordpiece::options model,
                                                                   const std::vector<added_token>& added) {
  if (std::none_of(added.begin(), added.end(), [](const added_token& token) { return token.normalized; })) {
    return tokenizer_settings::wordpiece_chain{options, std::move(model)};
  }
  tokenizer_settings::general_chain steps;
  append_bert_normalizer(options, steps.normalizers);
  append_bert_pre_tokenizer(steps.pre_tokenizers);
  steps.model = std::move(model);
  return steps;
}

}  // namespace onoma::inline ONOMA_ABI
