/// Annotated sentences as the command reads them: one place for columns, guesses and what looks wrong.
#pragma once

#include <onoma/data/conll.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/sentence.hpp>

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

}  // namespace command
