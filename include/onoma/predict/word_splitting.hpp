/// What cuts raw text into the words that a model labels.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/aggregate.hpp>
#include <onoma/text/words/general_word_rules.hpp>
#include <onoma/text/words/word_rule_tables.hpp>
#include <onoma/text/words/word_rules_json.hpp>

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace onoma::inline ONOMA_ABI {

/// What finds the words of raw text. A model labels words; where those of a text are not those that
/// it was trained on, it finds less (docs/words.md has numbers).
enum class word_splitting {
  automatic,  ///< the model's rules if its training left some, else the tokenizer
  learned,    ///< the model's rules; a model that has none is refused
  general,    ///< `general_word_rules`, which suit most corpora
  tokenizer,  ///< the tokenizer alone, as transformers' pipeline does
};

/// "auto", "learned", "general" or "tokenizer". @throws onoma::error (invalid_argument) naming
/// these.
[[nodiscard]] inline word_splitting word_splitting_from_name(std::string_view name) {
  constexpr std::pair<std::string_view, word_splitting> names[] = {
      {"auto", word_splitting::automatic},
      {"learned", word_splitting::learned},
      {"general", word_splitting::general},
      {"tokenizer", word_splitting::tokenizer}};
  for (const auto& [known, splitting] : names) {
    if (known == name) return splitting;
  }
  fail(error_code::invalid_argument, "word splitting", "auto, learned, general or tokenizer",
       "'" + std::string(name) + "'");
}

/// The rules for a model with these settings of its own (`encoder_config::own`); none: its
/// tokenizer finds the words. Strategies of transformers' pipeline take pieces as they come: rules
/// cannot be chosen for them.
/// @throws onoma::error (missing) for rules that the model does not have, (invalid_argument) for
/// rules with such a strategy, and as `find_word_rules`.
[[nodiscard]] inline std::optional<word_rules> choose_word_rules(const json& own,
                                                                 word_splitting splitting,
                                                                 aggregation strategy) {
  const bool by_rules =
      splitting == word_splitting::learned || splitting == word_splitting::general;
  if (strategy != aggregation::word) {
    check(!by_rules, error_code::invalid_argument, "word splitting by rules",
          "the aggregation 'word'", "another one");
    return std::nullopt;
  }
  if (splitting == word_splitting::tokenizer) return std::nullopt;
  if (splitting == word_splitting::general) return general_word_rules();
  auto rules = find_word_rules(own);
  if (!rules && splitting == word_splitting::learned) {
    fail(error_code::missing, "word splitting by learned rules",
         "a model with word rules, which onoma's training stores", "none in its config.json");
  }
  return rules;
}

}  // namespace onoma::inline ONOMA_ABI
