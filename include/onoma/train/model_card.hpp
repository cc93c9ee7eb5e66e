/// The README.md of a model folder: what the model finds, how well, and what it was made from.
#pragma once

#include <onoma/core/number_text.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/version.hpp>

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Facts for `to_markdown`. Empty parts are left out.
struct model_card {
  /// A part of the data.
  struct part {
    std::string name;     ///< "train", "dev", "test"
    std::string file;     ///< its name, without folders
    index_t sentences = 0;  ///< how many
    index_t words = 0;      ///< of all of them
  };
  /// The scores of a part.
  struct score {
    std::string part;   ///< "dev", "test"
    ner_report report;  ///< of its entities
  };

  std::string name;                                           ///< of the model: its folder
  std::string encoder;                                        ///< what it was fine-tuned from
  std::vector<std::string> labels;                            ///< by id
  std::vector<part> data;                                     ///< what it was trained and measured on
  bool word_rules = false;  ///< the folder says how its training data are cut into words
  std::vector<score> scores;                                  ///< of parts with true tags
  std::vector<std::pair<std::string, std::string>> settings;  ///< of training: name and value
};

namespace detail {

/// A name between backticks (more of them where it has some itself), fit for a cell of a table.
inline std::string markdown_code(std::string_view text) {
  std::string content;
  std::size_t run = 0;
  std::size_t longest = 0;
  for (const char c : text) {
    run = c == '`' ? run + 1 : 0;
    longest = std::max(longest, run);
    if (c == '|') content += '\\';
    content += c == '\n' || c == '\r' ? ' ' : c;
  }
  const std::string fence(longest + 1, '`');
  const char* gap = longest > 0 ? " " : "";
  return fence + gap + content + gap + fence;
}

inline std::string markdown_scores(const model_card::score& score, int digits) {
  std::string text = "\n`" + score.part + "`, " + std::to_string(score.report.sentences) +
                     (score.report.sentences == 1 ? " sentence" : " sentences") + ":\n\n" +
                     "| type | precision | recall | F1 | entities |\n|---|---|---|---|---|\n";
  const auto row = [&](const std::string& name, const entity_score& s) {
    text += "| " + name + " | " + fixed_text(s.precision, digits) + " | " + fixed_text(s.recall, digits) + " | " +
            fixed_text(s.f1, digits) + " | " + std::to_string(s.support) + " |\n";
  };
  for (const auto& [name, s] : score.report.types) row(markdown_code(name), s);
  row("all (micro average)", score.report.micro);
  return text;
}

}  // namespace detail

/// The card as Markdown, with the metadata that the Hugging Face Hub reads in front (pipeline_tag, tags).
/// `digits` of scores after the point.
[[nodiscard]] inline std::string to_markdown(const model_card& card, int digits = 4) {
  std::string text =
      "---\npipeline_tag: token-classification\ntags:\n- named-entity-recognition\n- onoma\n---\n\n";
  text += "# " + (card.name.empty() ? std::string("A model") : card.name) + "\n\n";
  text += "Finds named entities in text. Made with onoma " + std::to_string(ONOMA_VERSION_MAJOR) + "." +
          std::to_string(ONOMA_VERSION_MINOR) + "." + std::to_string(ONOMA_VERSION_PATCH);
  if (!card.encoder.empty()) text += " from the encoder " + detail::markdown_code(card.encoder);
  text += "; `onoma tag --model FOLDER` and transformers load the folder.\n";
  if (!card.labels.empty()) {
    text += "\n## Labels\n\n";
    for (std::size_t i = 0; i < card.labels.size(); ++i) {
      text += (i == 0 ? "" : ", ") + detail::markdown_code(card.labels[i]);
    }
    text += "\n";
  }
  if (!card.scores.empty()) {
    text += "\n## Scores\n\nOf whole entities, as seqeval counts them in its " +
            card.scores.front().report.mode + " mode.\n";
    for (const auto& score : card.scores) text += detail::markdown_scores(score, digits);
  }
  if (!card.data.empty()) {
    text += "\n## Data\n\n| part | file | sentences | words |\n|---|---|---|---|\n";
    for (const auto& part : card.data) {
      text += "| " + part.name + " | " + detail::markdown_code(part.file) + " | " +
              std::to_string(part.sentences) + " | " + std::to_string(part.words) + " |\n";
    }
  }
  if (card.word_rules) {
    text += "\nThe folder keeps how the words of its training data are cut, and onoma cuts running text likewise. "
            "Scores are on given words.\n";
  }
  if (!card.settings.empty()) {
    text += "\n## Training\n\n| setting | value |\n|---|---|\n";
    for (const auto& [name, value] : card.settings) text += "| " + name + " | " + value + " |\n";
  }
  return text;
}

}  // namespace onoma::inline ONOMA_ABI
