/// onoma tag: finds entities in text from the command line, files or standard input.
#include "command.hpp"
#include "corpus.hpp"
#include "lines.hpp"
#include "matching.hpp"

#include <onoma/core/error.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/data/tag_view.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/entity_json.hpp>
#include <onoma/ner/mark.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/matching_model.hpp>
#include <onoma/text/words/words.hpp>

#include <filesystem>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

namespace command {

namespace {

struct settings : shared_options {
  std::string packed_cache;
  std::vector<std::string> texts;
  std::vector<std::string> files;
  std::string input = "text";
  bool words = false;
  bool conll = false;
  std::string color = "auto";
  std::string aggregation = "word";
  std::string splitting = "auto";
  onoma::index_t stride = 64;
  onoma::index_t max_length = 0;
  onoma::tagging_limits limits;
  bool no_mapping = false;
  matching_settings matching;
  column_options columns;
};

/// A cache that cannot be read or written costs time and no more.
onoma::pipeline load(const settings& s, const messages& say) {
  onoma::pipeline_options options;
  options.threads = s.thread_count();
  options.strategy = onoma::aggregation_from_name(s.aggregation);
  options.splitting = onoma::word_splitting_from_name(s.splitting);
  options.stride = s.stride;
  options.max_length = s.max_length;
  options.packed_cache = s.packed_cache;
  options.verify = onoma::verification_from_name(s.verify);
  options.limits = s.limits;
  options.map_files = !s.no_mapping;
  options.matching = read_matching(s.matching, say);
  if (s.matching.alone()) {
    return onoma::pipeline(std::make_unique<onoma::matching_model>(nullptr, options.matching, options.limits));
  }
  try {
    return onoma::pipeline::load(s.model, options);
  } catch (const onoma::error& problem) {
    const bool is_cache = !s.packed_cache.empty() && (problem.code() == onoma::error_code::io ||
                                                      problem.code() == onoma::error_code::file_not_found);
    if (!is_cache) throw;
    options.packed_cache.clear();
    auto pipeline = onoma::pipeline::load(s.model, options);
    say.warn(std::string("without the packed cache: ") + problem.what());
    return pipeline;
  }
}

/// What is tagged together: many short texts fill the machine better than one.
constexpr std::size_t most_pending = 64;

class tagger {
 public:
  tagger(const settings& s, const messages& say)
      : settings_(s),
        style_(terminal::wants_color(s.color, stdout) ? onoma::mark_style::colors
                                                      : onoma::mark_style::brackets),
        pipeline_(load(s, say)) {}

  /// `place`: where the text comes from, for errors. What came before is tagged all the same.
  void add(std::string text, const std::string& place) {
    if (onoma::find_invalid_utf8(text) >= 0) {
      flush();
      onoma::validate_utf8(text, place);
    }
    pending_.push_back(std::move(text));
    if (pending_.size() == most_pending) flush();
  }

  /// Tags and prints what is waiting.
  void flush() {
    if (settings_.input == "words") {
      for (const auto& line : pending_) tag_words(split(line));
    } else if (!pending_.empty()) {
      const auto tagged = pipeline_.tag_batch(pending_);
      for (std::size_t i = 0; i < pending_.size(); ++i) print(pending_[i], tagged[i]);
    }
    pending_.clear();
    terminal::flush();
  }

  void add(const std::vector<onoma::sentence>& sentences) {
    for (const auto& each : sentences) tag_words(each.words, each.begins_document);
    terminal::flush();
  }

 private:
  static std::vector<std::string> split(const std::string& line) {
    std::vector<std::string> words;
    std::string word;
    for (std::istringstream stream(line); stream >> word;) words.push_back(word);
    return words;
  }

  void tag_words(const std::vector<std::string>& words, bool begins_document = false) {
    const auto tagged = pipeline_.tag_words(words);
    if (settings_.conll) return print_columns(words, tagged, begins_document);
    std::string text;
    for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
    print(text, tagged);
  }

  void print(const std::string& text, const onoma::tagged_text& tagged) {
    if (settings_.conll) return print_columns(text, tagged);
    if (settings_.json) {
      onoma::json line = {{"text", text},
                          {"entities", onoma::to_json(tagged.entities)},
                          {"windows", tagged.windows},
                          {"repairs", tagged.repairs},
                          {"unknown_tokens", tagged.unknown_tokens}};
      return terminal::print(onoma::json_line(line) + "\n");
    }
    terminal::print(onoma::mark_entities(text, tagged.entities, style_) + "\n");
  }

  /// A sentence of the words that the entities count.
  void print_columns(const std::vector<std::string>& words, const onoma::tagged_text& tagged,
                     bool begins_document) {
    std::vector<onoma::entity_span> spans;
    for (const auto& e : tagged) spans.push_back({e.first, e.last + 1, e.label});
    onoma::sentence sentence{words, onoma::bio_tags(spans, static_cast<onoma::index_t>(words.size())),
                             begins_document};
    if (begins_document && std::exchange(any_document_, true)) terminal::print("-DOCSTART-\tO\n\n");
    terminal::print(onoma::format_conll({sentence}));
  }

  /// Text that is not split: its words are those that were labelled; where the tokenizer's were, those of
  /// `find_words`, cut where entities begin and end.
  void print_columns(const std::string& text, const onoma::tagged_text& tagged) {
    onoma::document document{text, tagged.entities};
    const auto sentence = onoma::make_sentence(std::move(document),
                                               tagged.words.empty() ? onoma::find_words(text) : tagged.words);
    terminal::print(onoma::format_conll({sentence}));
  }

  settings settings_;
  onoma::mark_style style_;
  onoma::pipeline pipeline_;
  std::vector<std::string> pending_;
  bool any_document_ = false;
};

/// Lines are tagged together as long as more of them are at hand: who waits for an answer gets it.
void add_lines(line_reader& lines, tagger& to) {
  for (std::string line; lines.next(line);) {
    to.add(std::move(line), lines.place());
    if (lines.would_wait()) to.flush();
  }
}

/// A text that is the name of a file is a file whose option was forgotten.
void check_texts(const std::vector<std::string>& texts) {
  for (const auto& text : texts) {
    std::error_code problem;
    if (!std::filesystem::is_regular_file(text, problem)) continue;
    throw usage_error{"'" + text + "' is a file: --file " + text +
                      " tags its lines; a text of these letters can come from standard input"};
  }
}

int tag(settings s, const messages& say) {
  if (s.words) s.input = "words";
  if (s.conll && s.aggregation != "word") {
    throw usage_error{"--conll writes tags of words: it needs --aggregation word"};
  }
  if (s.input == "conll" && (s.files.empty() || !s.texts.empty())) {
    throw usage_error{"--input conll reads files: it needs --file and no texts"};
  }
  if (s.splitting != "auto" && s.input != "text") {
    throw usage_error{"--split is for text: with --input " + s.input + " the words are given"};
  }
  const bool by_rules = s.splitting == "learned" || s.splitting == "general";
  if (by_rules && s.aggregation != "word") {
    throw usage_error{"--split " + s.splitting + " finds words to label: it needs --aggregation word"};
  }
  check_matching(s.matching, s.model);
  if (s.matching.any() && s.aggregation == "none") {
    throw usage_error{"rules and gazetteers need an --aggregation that makes entities, not none"};
  }
  if (s.matching.alone() && (s.limits.tokens > 0 || s.limits.memory > 0)) {
    throw usage_error{"--max-tokens and --max-memory are for a model: with --rules-policy only none runs"};
  }
  check_texts(s.texts);
  tagger t(s, say);
  if (s.input == "conll") {
    for (const auto& name : s.files) t.add(read_sentences(name, s.columns));
    return done;
  }
  for (std::size_t i = 0; i < s.texts.size(); ++i) t.add(s.texts[i], fmt::format("text {}", i + 1));
  for (const auto& name : s.files) {
    line_reader lines(name);
    add_lines(lines, t);
  }
  if (s.texts.empty() && s.files.empty()) {
    if (terminal::is_interactive(stdin)) say.note("Reading text, one per line:");
    line_reader lines;
    add_lines(lines, t);
  }
  t.flush();
  return done;
}

void add_output(CLI::App& app, settings& s) {
  app.add_flag("--conll", s.conll, "Words and BIO tags in columns, as evaluate and train read them");
  app.add_option("--color", s.color, "Colours: auto, always or never")
      ->check(CLI::IsMember({"auto", "always", "never"}))
      ->capture_default_str();
}

void add_input(CLI::App& app, settings& s) {
  app.add_option("text", s.texts, "Texts to tag");
  repeatable(app.add_option("-f,--file", s.files, "File to tag, line by line; may be given several times"));
  auto* input = app.add_option("--input", s.input,
                               "What is tagged: lines of text; words with spaces between them;\n"
                               "the sentences of CoNLL files")
                    ->check(CLI::IsMember({"text", "words", "conll"}))
                    ->capture_default_str();
  app.add_flag("--words", s.words, "The same as --input words")->excludes(input);
}

/// Each 0 unless it is given: no limit.
void add_limits(CLI::App& app, settings& s) {
  app.add_option("--max-bytes", s.limits.text_bytes, "Refuse texts of more bytes")->check(CLI::PositiveNumber);
  app.add_option("--max-tokens", s.limits.tokens, "Refuse texts that have more tokens, together with those\n"
                                                  "that are tagged with them (up to 64 lines)")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-seconds", s.limits.seconds, "Give up on texts (up to 64 lines at a time) that take longer")
      ->check(CLI::PositiveNumber);
  app.add_option("--max-memory", s.limits.memory, "Refuse texts that may take more bytes of working memory")
      ->check(CLI::PositiveNumber);
  app.add_flag("--no-mapping", s.no_mapping,
               "Read the weights into memory instead of mapping their file: nothing that\n"
               "happens to it later is seen");
}

}  // namespace

subcommand add_tag(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(
      root, "tag",
      "Finds named entities in text. Each text or line is tagged by itself; without texts or\n"
      "files, lines are read from standard input and answered as they come.",
      "  onoma tag --model my-model \"Jane Doe moved to Berlin.\"\n"
      "  onoma tag --model my-model --json --file news.txt > entities.jsonl\n"
      "  onoma tag --model my-model --input conll --conll --file test.conll > tagged.conll\n"
      "  cat tweets.txt | onoma tag --model my-model\n"
      "  onoma tag --rules patterns.jsonl --gazetteer cities.txt --rules-policy only --file news.txt");
  app.add_option("-m,--model", s->model,
                 "Model folder, as onoma train or the Hub makes it, or the file of a classical model");
  add_input(app, *s);
  add_output(app, *s);
  app.add_option("--aggregation", s->aggregation, "How pieces become entities")
      ->check(CLI::IsMember({"word", "none", "simple", "first", "average", "max"}))
      ->capture_default_str();
  app.add_option("--split", s->splitting,
                 "What finds the words of text: learned (rules that training stored with the model),\n"
                 "general (rules that suit most corpora), tokenizer (it alone, as transformers does),\n"
                 "or auto (learned if the model has rules, else tokenizer)")
      ->check(CLI::IsMember({"auto", "learned", "general", "tokenizer"}))
      ->capture_default_str();
  app.add_option("--max-length", s->max_length,
                 "Tokens per window (default: as the model was trained, or as many as it takes)")
      ->check(CLI::PositiveNumber);
  app.add_option("--stride", s->stride, "Tokens that windows of a long text share")
      ->check(CLI::Range(0, 100000))
      ->capture_default_str();
  app.add_option("--packed-cache", s->packed_cache,
                 "File for the weights as this machine's kernels read them: written by the\n"
                 "first start, mapped by later ones, which then begin sooner");
  add_matching(app, s->matching);
  add_limits(app, *s);
  add_columns(app, s->columns);
  add_shared(app, *s, "One JSON object per text, with offsets in bytes, code points and UTF-16 units");
  return {&app, [s] { return tag(*s, messages("onoma tag", s->quiet)); }};
}

}  // namespace command
