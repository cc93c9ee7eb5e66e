/// Rules and gazetteers of the command: their options, and reading them.
#pragma once

#include "command.hpp"

#include <onoma/match/matchers.hpp>

#include <memory>
#include <string>
#include <vector>

namespace command {

struct matching_settings {
  std::vector<std::string> rules;
  std::vector<std::string> gazetteers;
  std::string policy;

  [[nodiscard]] bool any() const { return !rules.empty() || !gazetteers.empty(); }
  /// Whether entities come from rules and gazetteers alone, so that no model is needed.
  [[nodiscard]] bool alone() const { return any() && policy == "only"; }
};

/// --rules, --gazetteer and --rules-policy.
void add_matching(CLI::App& app, matching_settings& s);

/// @throws usage_error where what is given does not fit together, or neither a model nor rules are.
void check_matching(const matching_settings& s, const std::string& model);

/// Reads the files, with a warning for what is odd in them; null where there are none.
std::shared_ptr<const onoma::matchers> read_matching(const matching_settings& s, const messages& say);

}  // namespace command
