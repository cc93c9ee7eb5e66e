/// Annotated sentences as the command reads them: one place for columns, guesses and what looks wrong.
#pragma once

#include "command.hpp"

#include <onoma/data/conll.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_scheme.hpp>

#include <CLI/CLI.hpp>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace command {

/// Which columns of CoNLL files hold words and tags, as the options say; else as the file looks.
struct column_options {
  std::optional<int> word_column;  ///< from 1; negative: from the last
  std::optional<int> tag_column;
  std::string separator = "auto";
  bool comments = false;
  std::string unknown_tag;  ///< of words whose tag is not known, beside onoma::unknown_tag
};

/// --word-column, --tag-column, --separator, --comments and --unknown-tag, the same for every file of CoNLL columns.
void add_columns(CLI::App& app, column_options& columns);

/// @throws onoma::error as `onoma::read_conll`.
std::vector<onoma::sentence> read_sentences(const std::filesystem::path& path, const column_options& columns);

/// Texts whose spans may overlap. @throws onoma::error as `onoma::read_span_corpus`.
std::vector<onoma::document> read_documents(const std::filesystem::path& path, const column_options& columns);

/// Brings sentences of a file to a scheme. Where that changes tags, it says so, and what was lost.
onoma::scheme_change bring_to_scheme(std::vector<onoma::sentence>& sentences, const std::string& path,
                                     onoma::tag_scheme scheme, const messages& say);

/// The names of all tag schemes.
std::vector<std::string> scheme_names();

}  // namespace command
