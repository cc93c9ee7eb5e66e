/// Corpora whose spans may overlap and nest, as documents of words: columns with several layers of tags, and JSON
/// lines of words with spans.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/data/conll_columns.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/format.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>

#include <cstddef>
#include <filesystem>
#include <iterator>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

namespace detail {

/// A label twice on the same words, as when two layers say the same, is one span.
inline void drop_repeated_spans(document& d) {
  std::set<std::tuple<index_t, index_t, std::string_view>> seen;
  std::vector<entity> kept;
  kept.reserve(d.spans.size());  // the views stay
  for (auto& e : d.spans) {
    if (seen.count({e.span.bytes.begin, e.span.bytes.end, e.label}) != 0) continue;
    const auto& here = kept.emplace_back(std::move(e));
    seen.insert({here.span.bytes.begin, here.span.bytes.end, here.label});
  }
  d.spans = std::move(kept);
}

}  // namespace detail

/// CoNLL columns with one column of tags for each layer (DaN+ has two): each sentence is a document with the entities
/// of all layers, each label on the same words once. Layers that `options` do not name are guessed
/// (`guess_conll_layers`); everything else is as `parse_conll` has it.
/// @throws onoma::error as `parse_conll`.
[[nodiscard]] inline std::vector<document> parse_conll_layers(std::string_view text, std::string_view name,
                                                              const conll_options& options = {}) {
  std::vector<document> documents;
  bool first = true;
  auto read = options;
  for (const index_t layer : guess_conll_layers(text, name, options)) {
    read.tag_column = layer;
    const auto sentences = parse_conll(text, name, read);
    for (std::size_t i = 0; i < sentences.size(); ++i) {
      auto d = to_document(sentences[i], name);
      if (first) {
        documents.push_back(std::move(d));
      } else {
        auto& spans = documents[i].spans;
        spans.insert(spans.end(), std::make_move_iterator(d.spans.begin()), std::make_move_iterator(d.spans.end()));
      }
    }
    first = false;
  }
  for (auto& d : documents) detail::drop_repeated_spans(d);
  return documents;
}

/// JSON lines of sentences, {"tokens": ["...", ...], "spans": [[begin, end, "label", ...], ...]}, with spans in words,
/// `end` behind the last one (what is derived from GUM looks so). "doc" and "sent", if they are there, name the text
/// and the sentence of it: a sentence above 0 continues the document before. Words are joined by spaces.
/// @throws onoma::error (parse, format) naming the line; (out_of_range) for a span without words or outside of its
/// sentence.
[[nodiscard]] inline std::vector<document> parse_token_spans(std::string_view text, std::string_view name) {
  std::vector<document> documents;
  index_t number = 0;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    const auto line = trim_white_space(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    const std::string where = std::string(name) + ":" + std::to_string(++number);
    if (line.empty()) continue;
    const json entry = parse_json(line, where);
    sentence s;
    const auto tokens = entry.find("tokens");
    const auto spans = entry.find("spans");
    if (tokens == entry.end() || !tokens->is_array() || spans == entry.end() || !spans->is_array()) {
      fail(error_code::format, where, "an object with lists of 'tokens' and 'spans'", describe(entry));
    }
    for (const json& word : *tokens) {
      if (!word.is_string()) fail(error_code::format, where, "tokens that are strings", describe(word));
      s.words.push_back(word.get<std::string>());
    }
    s.line = number;
    document d = to_document(s, name);
    d.origin.id = value_or<std::string>(entry, "doc", "", where);
    d.continues = value_or<index_t>(entry, "sent", 0, where) > 0;
    for (const json& span : *spans) {
      const bool formed = span.is_array() && span.size() > 2 && span[0].is_number_integer() &&
                          span[1].is_number_integer() && span[2].is_string();
      if (!formed) fail(error_code::format, where, "spans of begin, end and label", span.dump());
      const auto begin = span[0].get<index_t>();
      const auto behind = span[1].get<index_t>();
      if (begin < 0 || begin >= behind || behind > std::ssize(d.words)) {
        fail(error_code::out_of_range, where, "spans of some of " + std::to_string(d.words.size()) + " words",
             span.dump());
      }
      entity e;
      e.label = span[2].get<std::string>();
      e.score = 1.0;
      e.span.bytes = {d.words[static_cast<std::size_t>(begin)].begin,
                      d.words[static_cast<std::size_t>(behind - 1)].end};
      d.spans.push_back(std::move(e));
    }
    detail::drop_repeated_spans(d);
    complete_spans(d);
    documents.push_back(std::move(d));
  }
  return documents;
}

/// Reads a file of either kind, which its content tells. @throws onoma::error (file_not_found, io), and as
/// `parse_conll_layers` and `parse_token_spans`; (format) for a file without any sentence.
[[nodiscard]] inline std::vector<document> read_span_corpus(const std::filesystem::path& path,
                                                            const conll_options& options = {}) {
  const mapped_file file(path);
  auto documents = guess_format(file.text()) == data_format::json_lines
                       ? parse_token_spans(file.text(), path.string())
                       : parse_conll_layers(file.text(), path.string(), options);
  if (documents.empty()) fail(error_code::format, "reading " + path.string(), "at least one sentence", "none");
  return documents;
}

}  // namespace onoma::inline ONOMA_ABI
