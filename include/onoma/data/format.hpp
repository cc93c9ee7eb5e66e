/// What a file of annotated text looks like, told from its content: so that a file in another format is
/// named for what it is, not for the column that it lacks.
#pragma once

#include <onoma/core/types.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/core/white_space.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Formats that `guess_format` tells apart.
enum class data_format {
  unknown,       ///< nothing below: CoNLL columns, plain text or anything else
  json_text,     ///< one JSON value: an array of texts, spaCy's and others' exports
  json_lines,    ///< one JSON value per line: doccano, Prodigy and others
  label_studio,  ///< a JSON export of Label Studio
  csv,           ///< lines of values with commas or semicolons between them
  brat,          ///< a .ann file of BRAT
  spacy,         ///< a DocBin of spaCy, or other data that zlib packed
  html,          ///< a web page: often what a server answered for the file
  xml,
  git_lfs_pointer,  ///< says where the file is
  compressed,       ///< gzip, zip, bzip2, xz or zstd
  utf16,            ///< text in 16-bit units
};

/// A phrase for messages that completes "this looks like".
[[nodiscard]] constexpr std::string_view to_string(data_format format) noexcept {
  switch (format) {
    case data_format::unknown: return "an unknown format";
    case data_format::json_text: return "JSON";
    case data_format::json_lines: return "JSON lines, one value per line";
    case data_format::label_studio: return "an export of Label Studio (JSON)";
    case data_format::csv: return "CSV, values with commas or semicolons between them";
    case data_format::brat: return "annotations of BRAT (.ann)";
    case data_format::spacy: return "a binary file of spaCy (DocBin)";
    case data_format::html: return "a web page (HTML)";
    case data_format::xml: return "XML";
    case data_format::git_lfs_pointer: return "a pointer of git-lfs: the file itself was not downloaded";
    case data_format::compressed: return "a compressed file";
    case data_format::utf16: return "text in UTF-16";
  }
  return "?";
}

namespace detail {

/// The first `count` lines that hold more than white space, without their ends.
inline std::vector<std::string_view> first_lines(std::string_view text, std::size_t count) {
  std::vector<std::string_view> lines;
  while (!text.empty() && lines.size() < count) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trim_white_space(text.substr(0, end));
    if (!line.empty()) lines.push_back(line);
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return lines;
}

/// What the first bytes alone tell.
inline data_format format_of_first_bytes(std::string_view text) {
  using enum data_format;
  switch (stand_in_of(text)) {
    case stand_in::none: break;
    case stand_in::git_lfs_pointer: return git_lfs_pointer;
    case stand_in::html: return html;
  }
  for (const auto start : {"\x1F\x8B", "PK\x03\x04",
                           "\xFD"
                           "7zXZ",
                           "\x28\xB5\x2F\xFD"}) {
    if (text.starts_with(start)) return compressed;
  }
  if (text.starts_with("BZh") && text.substr(0, 10).ends_with("1AY&SY")) return compressed;
  if (text.starts_with("\xFF\xFE") || text.starts_with("\xFE\xFF")) return utf16;
  // RFC 1950: a window of 32 KB and one of three levels.
  if (text.size() > 1 && text[0] == 'x' && find_invalid_utf8(text.substr(0, 64)) >= 0) {
    const auto flags = static_cast<unsigned char>(text[1]);
    if (flags == 0x01 || flags == 0x9C || flags == 0xDA) return spacy;
  }
  text = trim_white_space(text.substr(0, 200));
  if (text.starts_with("<?xml")) return xml;
  return unknown;
}

/// Whether a JSON value is what Label Studio exports: tasks with their data and annotations, or its short
/// form (JSON_MIN), whose labels have a begin, an end and a list of names.
inline bool is_label_studio(const json& value) {
  if (!value.is_array() || value.empty() || !value.front().is_object()) return false;
  const json& task = value.front();
  for (const char* key : {"annotations", "completions", "predictions"}) {
    if (task.contains(key) && task.contains("data")) return true;
  }
  for (const json& field : task) {
    if (field.is_array() && !field.empty() && field.front().is_object() && field.front().contains("start") &&
        field.front().contains("end") && field.front().contains("labels")) {
      return true;
    }
  }
  return false;
}

inline data_format format_of_json(std::string_view text) {
  using enum data_format;
  const auto lines = first_lines(text, 3);
  const auto is_whole = [](std::string_view line) { return json::accept(line.begin(), line.end()); };
  if (lines.size() > 1 && std::all_of(lines.begin(), lines.end(), is_whole)) return json_lines;
  if (is_whole(text)) {
    return is_label_studio(json::parse(text.begin(), text.end())) ? label_studio : json_text;
  }
  // Damaged, or only begun: a bracket alone is no row of columns, and a row that begins like an object ends
  // with a tag.
  if (lines[0].size() == 1) {
    return lines.size() > 1 && std::string_view("{[\"]}").find(lines[1][0]) != std::string_view::npos
               ? json_text
               : unknown;
  }
  const bool object = lines[0].starts_with("{\"") || lines[0].starts_with("[{\"");
  const bool row = is_formed_tag(lines[0].substr(lines[0].find_last_of(" \t") + 1));
  if (!object || row || lines[0].find("\":") == std::string_view::npos) return unknown;
  return is_whole(lines[0]) ? json_lines : json_text;
}

/// "T1<TAB>Type 0 5<TAB>surface", and the lines of relations, events, attributes, notes, ids and sets.
inline bool is_brat(const std::vector<std::string_view>& lines) {
  bool any_text = false;
  for (const auto line : lines) {
    const auto tab = line.find('\t');
    if (tab == std::string_view::npos ||
        std::string_view("TREAMN#*").find(line[0]) == std::string_view::npos ||
        line.substr(1, tab - 1).find_first_not_of("0123456789") != std::string_view::npos) {
      return false;
    }
    const auto place = line.substr(tab + 1, line.find('\t', tab + 1) - tab - 1);
    const auto blank = place.find(' ');
    any_text = any_text || (line[0] == 'T' && tab > 1 && blank != std::string_view::npos &&
                            place.find_first_not_of("0123456789 ;", blank) == std::string_view::npos);
  }
  return any_text;
}

/// Fields of the first line of a text by one separator, quoted ones as one; `rest` is what follows the line.
inline std::size_t count_fields(std::string_view text, char separator, std::string_view& rest) {
  std::size_t fields = 1;
  bool quoted = false;
  std::size_t i = 0;
  for (; i < text.size() && (quoted || text[i] != '\n'); ++i) {
    if (text[i] == '"') quoted = !quoted;
    if (text[i] == separator && !quoted) ++fields;
  }
  rest = text.substr(std::min(i + 1, text.size()));
  return fields;
}

/// Ten records, or all, with as many fields as the first.
inline bool is_csv(std::string_view text) {
  for (const char separator : {',', ';'}) {
    auto rest = text;
    const auto names = count_fields(text, separator, rest);
    bool same =
        names > 1 && !rest.empty() && text.substr(0, text.find('\n')).find('\t') == std::string_view::npos;
    for (int record = 0; same && record < 10 && !rest.empty(); ++record) {
      same = count_fields(rest, separator, rest) == names;
    }
    if (same) return true;
  }
  return false;
}

}  // namespace detail

/// What a file looks like; `unknown` for CoNLL columns, plain text and whatever else has no signs of its
/// own. But for `csv`, the signs are such that no CoNLL file has them.
[[nodiscard]] inline data_format guess_format(std::string_view content) {
  if (content.starts_with(byte_order_mark)) content.remove_prefix(byte_order_mark.size());
  if (const auto format = detail::format_of_first_bytes(content); format != data_format::unknown) {
    return format;
  }
  const auto lines = detail::first_lines(content, 20);
  if (lines.empty()) return data_format::unknown;
  if (lines[0][0] == '{' || lines[0][0] == '[') {
    const auto format = detail::format_of_json(trim_white_space(content));
    if (format != data_format::unknown) return format;
  }
  if (detail::is_brat(lines)) return data_format::brat;
  return detail::is_csv(content) ? data_format::csv : data_format::unknown;
}

}  // namespace onoma::inline ONOMA_ABI
