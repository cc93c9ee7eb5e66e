/// Gazetteers as text: a phrase on each line, with a label and an id behind tabs.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/match/units.hpp>

#include <array>
#include <cstddef>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a text file of phrases is read.
struct gazetteer_text_options {
  phrase_options phrases{};  ///< how they will be looked for
  std::string label{};       ///< of lines without one; empty: each line needs its own
  index_t longest_phrase =
      10'000;  ///< bytes; longer ones are counted and left out, as files without line ends have
};

/// Lines that gave no entry, and the first of them.
struct lines_left_out {
  index_t count = 0;  ///< how many
  index_t first = 0;  ///< the number of the first, from 1; 0: there is none
};

/// What a text file of phrases had. `lines` is the sum of `entries` and of what was left out.
struct gazetteer_text_counts {
  index_t lines = 0;       ///< with what is behind the last line end, if anything is
  index_t entries = 0;     ///< in the gazetteer
  index_t duplicates = 0;  ///< lines whose phrase, label and id are there already
  lines_left_out blank{};  ///< without a phrase
  lines_left_out
      too_long{};  ///< with a phrase longer than `gazetteer_text_options::longest_phrase`

  /// A sentence for each kind of lines that gave no entry.
  [[nodiscard]] std::vector<std::string> remarks(const std::string& name) const {
    std::vector<std::string> said;
    const auto say = [&](index_t count, const std::string& what) {
      if (count > 0)
        said.push_back(name + ": " + std::to_string(count) + " of " + std::to_string(lines) + what);
    };
    const auto from = [](const lines_left_out& left) {
      return " (the first is line " + std::to_string(left.first) + ")";
    };
    say(blank.count, " lines have no phrase" + from(blank));
    say(too_long.count, " lines were left out, as their phrases are too long" + from(too_long));
    say(duplicates, " lines say again what another one said");
    return said;
  }
};

/// A gazetteer, and what its text had.
struct gazetteer_from_text {
  gazetteer compiled;              ///< the phrases
  gazetteer_text_counts counts{};  ///< of the lines
};

/// Reads phrases: `phrase`, `phrase<TAB>label` or `phrase<TAB>label<TAB>id` on each line, in UTF-8,
/// with line ends of any system. `name` is the file's, for messages.
/// @throws onoma::error (parse) for what is not UTF-8, by line and byte; (format) for a line
/// without a label where `options` have none, and for one with more than two tabs; as
/// `gazetteer_builder`.
[[nodiscard]] inline gazetteer_from_text parse_gazetteer(
    std::string_view text, const std::string& name, const gazetteer_text_options& options = {}) {
  gazetteer_builder builder(options.phrases);
  gazetteer_text_counts counts;
  const auto leave_out = [&](lines_left_out& kind) {
    if (kind.count++ == 0) kind.first = counts.lines;
  };
  if (text.starts_with(byte_order_mark)) text.remove_prefix(byte_order_mark.size());
  while (!text.empty()) {
    const auto end = text.find('\n');
    auto line = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    ++counts.lines;
    const auto where = [&] { return "reading " + name + ", line " + std::to_string(counts.lines); };
    if (find_invalid_utf8(line) >= 0) validate_utf8(line, where());
    std::array<std::string_view, 3> columns;
    std::size_t column = 0;
    for (std::string_view rest = line;;) {
      const auto tab = rest.find('\t');
      if (column == columns.size())
        fail(error_code::format, where(), "a phrase, a label and an id", "more tabs");
      columns[column++] = trim_white_space(rest.substr(0, tab));
      if (tab == std::string_view::npos) break;
      rest.remove_prefix(tab + 1);
    }
    if (columns[0].empty()) {
      leave_out(counts.blank);
      continue;
    }
    if (static_cast<index_t>(columns[0].size()) > options.longest_phrase) {
      leave_out(counts.too_long);
      continue;
    }
    const std::string_view label =
        columns[1].empty() ? std::string_view(options.label) : columns[1];
    if (label.empty())
      fail(error_code::format, where(), "a label behind a tab, or one for all lines", "none");
    if (builder.add(columns[0], label, columns[2]) == gazetteer_builder::outcome::blank)
      leave_out(counts.blank);
  }
  gazetteer compiled = builder.build(&counts.duplicates);
  counts.entries = compiled.size();
  return {std::move(compiled), counts};
}

/// The same for a file. @throws onoma::error (file_not_found, io), and as `parse_gazetteer`.
[[nodiscard]] inline gazetteer_from_text read_gazetteer_text(
    const std::filesystem::path& path, const gazetteer_text_options& options = {}) {
  const mapped_file file(path, file_access::copied);
  return parse_gazetteer(file.text(), path.string(), options);
}

}  // namespace onoma::inline ONOMA_ABI
