/// Rules and gazetteers of the command: their options, and reading them.
#include "matching.hpp"

#include <utility>

namespace command {

void add_matching(CLI::App& app, matching_settings& s) {
  repeatable(app.add_option("--rules", s.rules,
                            "Patterns in JSON lines, as spaCy's EntityRuler and Prodigy write them; may be\n"
                            "given several times"));
  repeatable(app.add_option("--gazetteer", s.gazetteers,
                            "Phrases: lines of phrase<TAB>label<TAB>id, or what onoma gazetteer made of\n"
                            "them; may be given several times"));
  app.add_option("--rules-policy", s.policy,
                 "Where rules and the model both find something: before (rules count), after\n"
                 "(the model counts), override (rules count, and may ask for the model's\n"
                 "entities), only (rules alone; no model is needed). Default: before")
      ->check(CLI::IsMember({"before", "after", "override", "only"}));
}

void check_matching(const matching_settings& s, const std::string& model) {
  if (!s.policy.empty() && !s.any()) throw usage_error{"--rules-policy needs --rules or --gazetteer"};
  if (model.empty() && !s.alone()) {
    throw usage_error{"expected --model, or --rules-policy only with --rules or --gazetteer"};
  }
}

std::shared_ptr<const onoma::matchers> read_matching(const matching_settings& s, const messages& say) {
  if (!s.any()) return nullptr;
  onoma::matcher_files files;
  files.patterns.assign(s.rules.begin(), s.rules.end());
  files.gazetteers.assign(s.gazetteers.begin(), s.gazetteers.end());
  if (!s.policy.empty()) files.policy = onoma::match_policy_from_name(s.policy);
  std::vector<std::string> remarks;
  auto look = std::make_shared<const onoma::matchers>(onoma::read_matchers(files, &remarks));
  for (const auto& remark : remarks) say.warn(remark);
  return look;
}

}  // namespace command
