/// What compare_match.py measures: rules over documents in words, and gazetteers over text.
///
///   match_engine rules PATTERNS.jsonl DOCUMENTS.jsonl ROUNDS    entities to standard output, times to standard error
///   match_engine gazetteer PHRASES.txt COMPILED TEXT.txt ROUNDS
///
/// A line of DOCUMENTS has "text" and "words" (pairs of bytes). A line of PATTERNS has beside label and pattern the
/// "words" of the phrase, as spaCy's tokenizer found them.
#include <onoma/match/gazetteer_text.hpp>
#include <onoma/match/rules.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <limits>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace {

using namespace onoma;

double seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

std::vector<byte_span> places_in(const json& pairs) {
  std::vector<byte_span> places;
  for (const auto& pair : pairs) places.push_back({pair[0].get<index_t>(), pair[1].get<index_t>()});
  return places;
}

int run_rules(const std::string& patterns, const std::string& documents, int rounds) {
  std::unordered_map<std::string, std::vector<byte_span>> phrases;
  std::ifstream pattern_file(patterns);
  for (std::string line; std::getline(pattern_file, line);) {
    const json entry = parse_json(line, patterns);
    if (entry["pattern"].is_string()) phrases[entry["pattern"].get<std::string>()] = places_in(entry["words"]);
  }
  rules_options options;
  options.split = [&](std::string_view phrase) { return phrases.at(std::string(phrase)); };
  double start = seconds();
  const auto r = rules::read(patterns, options);
  const double compiled = seconds() - start;

  std::vector<document> given;
  std::ifstream document_file(documents);
  for (std::string line; std::getline(document_file, line);) {
    const json entry = parse_json(line, documents);
    document d;
    d.text = entry["text"].get<std::string>();
    d.words = places_in(entry["words"]);
    given.push_back(std::move(d));
  }
  double best = std::numeric_limits<double>::infinity();
  std::vector<document> tagged;
  for (int i = 0; i < rounds; ++i) {
    tagged = given;
    rules::workspace memory;
    std::vector<match> found;
    start = seconds();
    for (auto& d : tagged) {
      found.clear();
      r.find(d, false, found, memory);
      add_matches(d, found, match_policy::only);
    }
    best = std::min(best, seconds() - start);
  }
  for (std::size_t i = 0; i < tagged.size(); ++i) {
    for (const auto& e : tagged[i].spans) {
      std::printf("%zu %td %td %s\n", i, e.first, e.last + 1, e.label.c_str());
    }
  }
  std::fprintf(stderr, "%.6f %.6f\n", compiled, best);
  return 0;
}

int run_gazetteer(const std::string& phrases, const std::string& compiled, const std::string& text_file, int rounds) {
  double start = seconds();
  const auto read = read_gazetteer_text(phrases, {.label = "X"});
  const double built = seconds() - start;
  read.compiled.save(compiled);
  double loaded = std::numeric_limits<double>::infinity();
  double best = loaded;
  const std::string text = read_text_file(text_file);
  std::size_t found = 0;
  for (int i = 0; i < rounds; ++i) {
    start = seconds();
    const auto g = gazetteer::open(compiled);
    loaded = std::min(loaded, seconds() - start);
    gazetteer::workspace memory;
    found = 0;
    start = seconds();
    g.scan(text, memory, [&](byte_span, index_t) { ++found; });
    best = std::min(best, seconds() - start);
  }
  const auto entries = static_cast<double>(read.counts.entries);
  std::printf("%.0f entries built in %.2f s, %.1f bytes each\n", entries, built,
              static_cast<double>(std::filesystem::file_size(compiled)) / entries);
  std::printf("opened in %.3f s\n", loaded);
  std::printf("%.1f MB at %.0f MB/s, %zu places\n", static_cast<double>(text.size()) / 1e6,
              static_cast<double>(text.size()) / 1e6 / best, found);
  return 0;
}

}  // namespace

int main(int count, char** arguments) {
  const std::vector<std::string> given(arguments + 1, arguments + count);
  try {
    if (count == 5 && given[0] == "rules") return run_rules(given[1], given[2], std::stoi(given[3]));
    if (count == 6 && given[0] == "gazetteer") return run_gazetteer(given[1], given[2], given[3], std::stoi(given[4]));
  } catch (const std::exception& problem) {
    std::cerr << problem.what() << '\n';
    return 1;
  }
  std::cerr << "usage: see the head of match_engine.cpp\n";
  return 2;
}
