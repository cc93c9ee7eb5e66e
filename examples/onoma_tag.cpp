/// onoma_tag: finds entities in text from the command line, files or standard input.
#include "terminal.hpp"

#include <onoma/onoma.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <cstdio>
#include <fstream>
#include <iostream>
#include <string>
#include <thread>
#include <vector>

namespace {

using onoma::json;

struct settings {
  std::string model;
  std::string packed_cache;
  std::vector<std::string> texts;
  std::vector<std::string> files;
  bool as_json = false;
  bool words = false;
  std::string color = "auto";
  std::string aggregation = "word";
  onoma::index stride = 64;
  onoma::index threads = 0;
};

/// One JSON object: the text and its entities with offsets in all three units.
std::string to_json(const std::string& text, const onoma::tagged_text& tagged) {
  json entities = json::array();
  const auto pair = [](onoma::byte_span s) { return json::array({s.begin, s.end}); };
  for (const auto& e : tagged) {
    entities.push_back({{"text", e.text},
                        {"label", e.label},
                        {"score", e.score},
                        {"bytes", pair(e.span.bytes)},
                        {"code_points", pair(e.span.code_points)},
                        {"utf16", pair(e.span.utf16)}});
  }
  return json{{"text", text}, {"entities", entities}, {"windows", tagged.windows},
              {"repairs", tagged.repairs}, {"unknown_tokens", tagged.unknown_tokens}}
      .dump();
}

/// The text with each entity marked where it stands.
std::string to_inline(const std::string& text, const onoma::tagged_text& tagged, bool color) {
  std::string out;
  onoma::index at = 0;
  for (const auto& e : tagged) {
    const auto bytes = e.span.bytes;
    if (bytes.begin < at) continue;  // strategy "none" may repeat a place
    out += text.substr(static_cast<std::size_t>(at), static_cast<std::size_t>(bytes.begin - at));
    if (color) {
      const int c = terminal::color_of(e.label);
      out += fmt::format("\033[1;{0}m{1}\033[0m\033[{0}m|{2}\033[0m", c, e.text, e.label);
    } else {
      out += fmt::format("[{}|{}]", e.text, e.label);
    }
    at = bytes.end;
  }
  return out + text.substr(static_cast<std::size_t>(at));
}

class tagger {
 public:
  explicit tagger(const settings& s)
      : settings_(s), color_(terminal::wants_color(s.color, stdout)), pipeline_(load(s)) {}

  /// `place`: where the text comes from, for errors. What came before is tagged all the same.
  void add(std::string text, const std::string& place) {
    if (onoma::find_invalid_utf8(text) >= 0) {
      flush();
      onoma::validate_utf8(text, place);
    }
    pending_.push_back(std::move(text));
    // Lines are tagged together: many short ones fill the machine better than one.
    if (pending_.size() == 64) flush();
  }
  void flush() {
    if (settings_.words) {
      for (const auto& line : pending_) {
        std::vector<std::string> words;
        std::string word;
        for (std::istringstream stream(line); stream >> word;) words.push_back(word);
        std::string text;
        for (const auto& w : words) text += (text.empty() ? "" : " ") + w;
        print(text, pipeline_.tag_words(words));
      }
    } else if (!pending_.empty()) {
      const auto tagged = pipeline_.tag_batch(pending_);
      for (std::size_t i = 0; i < pending_.size(); ++i) print(pending_[i], tagged[i]);
    }
    pending_.clear();
    terminal::flush_output();
  }

 private:
  static onoma::pipeline load(const settings& s) {
    onoma::pipeline_options options;
    options.threads = s.threads > 0 ? s.threads
                                    : static_cast<onoma::index>(std::thread::hardware_concurrency());
    options.strategy = onoma::aggregation_from_name(s.aggregation);
    options.stride = s.stride;
    options.packed_cache = s.packed_cache;
    return onoma::pipeline::load(s.model, options);
  }
  void print(const std::string& text, const onoma::tagged_text& tagged) const {
    const auto line =
        settings_.as_json ? to_json(text, tagged) : to_inline(text, tagged, color_);
    fmt::print("{}\n", line);
  }

  settings settings_;
  bool color_;
  onoma::pipeline pipeline_;
  std::vector<std::string> pending_;
};

void add_lines(std::istream& stream, const std::string& name, tagger& to, bool one_by_one) {
  onoma::index number = 0;
  for (std::string line; std::getline(stream, line);) {
    if (!line.empty() && line.back() == '\r') line.pop_back();
    to.add(std::move(line), fmt::format("{}:{}", name, ++number));
    if (one_by_one) to.flush();
  }
  if (stream.bad()) onoma::fail(onoma::error_code::io, "reading " + name, "");
}

int tag(const settings& s) {
  tagger t(s);
  for (std::size_t i = 0; i < s.texts.size(); ++i) t.add(s.texts[i], fmt::format("text {}", i + 1));
  for (const auto& name : s.files) {
    std::ifstream file(name);
    if (!file) onoma::fail_errno("reading", name);
    add_lines(file, name, t, false);
  }
  if (s.texts.empty() && s.files.empty()) {
    const bool interactive = terminal::is_interactive(stdin);
    if (interactive) fmt::print(stderr, "Reading text, one per line:\n");
    add_lines(std::cin, "standard input", t, interactive);
  }
  t.flush();
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Finds named entities in text. Each text argument or input line is tagged by itself;\n"
               "without texts or files, lines are read from standard input.");
  app.footer("Examples:\n"
             "  onoma_tag --model my-model \"Jane Doe moved to Berlin.\"\n"
             "  onoma_tag --model my-model --json --file news.txt > entities.jsonl\n"
             "  cat tweets.txt | onoma_tag --model my-model");
  app.add_option("-m,--model", s.model, "Model folder, as onoma_train or the Hub makes it")
      ->required();
  app.add_option("text", s.texts, "Texts to tag");
  app.add_option("-f,--file", s.files, "File to tag, line by line; may be given several times")
      ->expected(1)
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  app.add_flag("--json", s.as_json, "One JSON object per text, with offsets in bytes, code points\n"
                                    "and UTF-16 units");
  app.add_flag("--words", s.words, "Texts are words with spaces between them, split already");
  app.add_option("--aggregation", s.aggregation, "How pieces become entities")
      ->check(CLI::IsMember({"word", "none", "simple", "first", "average", "max"}))
      ->capture_default_str();
  app.add_option("--stride", s.stride, "Tokens that windows of a long text share")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--packed-cache", s.packed_cache,
                 "File for the weights as this machine's kernels read them: written by the\n"
                 "first start, mapped by later ones, which then begin sooner");
  app.add_option("--threads", s.threads, "Threads (default: all cores)")->check(CLI::Range(1, 4096));
  app.add_option("--color", s.color, "Colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return terminal::run("onoma_tag", [&] { return tag(s); });
}
