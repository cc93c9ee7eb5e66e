/// Reading CoNLL columns for every subcommand.
#include "corpus.hpp"

#include <onoma/core/error.hpp>
#include <onoma/data/span_corpora.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <string>

namespace command {

namespace {

constexpr const char* group = "Columns of CoNLL files";

/// As onoma counts: from 0, negative ones from the last.
onoma::index_t column_of(int number) { return number > 0 ? number - 1 : number; }

std::string check_column(const std::string& text) {
  return text == "0" ? "columns count from 1, or from -1 for the last" : std::string();
}

/// What stays open is guessed from the file.
onoma::conll_options options_of(const std::filesystem::path& path, const column_options& columns) {
  std::error_code problem;
  if (std::filesystem::is_directory(path, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, "reading " + path.string(), "a file of CoNLL columns",
                "a folder");
  }
  onoma::conll_options options;
  if (columns.word_column) options.word_column = column_of(*columns.word_column);
  if (columns.tag_column) options.tag_column = column_of(*columns.tag_column);
  if (columns.separator == "tab") options.separator = onoma::conll_separator::tab;
  if (columns.separator == "space") options.separator = onoma::conll_separator::space;
  if (columns.comments) options.comments = true;
  return options;
}

}  // namespace

void add_columns(CLI::App& app, column_options& columns) {
  const CLI::Validator column(check_column, "", "column");
  app.add_option("--word-column", columns.word_column,
                 "Column of the words, from 1, or from -1 for the last (default: found\n"
                 "by what columns hold)")
      ->check(column)
      ->group(group);
  app.add_option("--tag-column", columns.tag_column, "Column of the tags (default: likewise)")
      ->check(column)
      ->group(group);
  app.add_option("--separator", columns.separator, "Between columns: auto, tab or space")
      ->check(CLI::IsMember({"auto", "tab", "space"}))
      ->capture_default_str()
      ->group(group);
  app.add_flag("--comments", columns.comments,
               "Lines \"# ...\" before a sentence are comments (default: if none of\n"
               "them reads as a row)")
      ->group(group);
  app.add_option("--unknown-tag", columns.unknown_tag,
                 "Tag of words whose tag is not known; - always is one")
      ->group(group);
}

std::vector<onoma::sentence> read_sentences(const std::filesystem::path& path,
                                            const column_options& columns) {
  auto sentences = onoma::read_conll(path, options_of(path, columns));
  const std::string unknown(onoma::unknown_tag);
  for (auto& s : sentences) {
    if (!columns.unknown_tag.empty()) std::replace(s.tags.begin(), s.tags.end(), columns.unknown_tag, unknown);
  }
  return sentences;
}

std::vector<onoma::document> read_documents(const std::filesystem::path& path, const column_options& columns) {
  return onoma::read_span_corpus(path, options_of(path, columns));
}

onoma::scheme_change bring_to_scheme(std::vector<onoma::sentence>& sentences, const std::string& path,
                                     onoma::tag_scheme scheme, const messages& say) {
  const auto change = onoma::bring_to_scheme(sentences, scheme);
  if (!change.changed) return change;
  std::string text;
  const auto add = [&](onoma::index_t count, const char* what, const char* why) {
    if (count > 0) text += ", " + counted(count, what) + " " + why;
  };
  add(change.counts.repairs, "tag", "repaired");
  add(change.counts.lost, "border", "lost between entities of one type side by side");
  add(change.counts.unknown, "tag", "unknown beside words of unknown tag");
  say.note("{}: tags converted from {} to {}{}", path, onoma::to_string(*change.found.scheme),
           onoma::to_string(scheme), text);
  return change;
}

std::vector<std::string> scheme_names() {
  std::vector<std::string> names;
  for (const auto scheme : onoma::tag_schemes) names.emplace_back(to_string(scheme));
  return names;
}

}  // namespace command
