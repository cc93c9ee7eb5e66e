/// onoma_evaluate: scores a model on annotated sentences, or one file of tags against another.
///
/// With several files, one table has a row for each: how a model does in other languages or domains.
#include "terminal.hpp"

#include <onoma/onoma.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

struct settings {
  std::string model;
  std::vector<std::string> data;
  std::string gold;
  std::string predicted;
  std::string mode = "default";
  std::string scheme = "IOB2";
  int digits = 2;
  bool as_json = false;
  bool confusion = false;
  onoma::index threads = 0;
};

onoma::metric_options metric_of(const settings& s) {
  onoma::metric_options options;
  if (s.mode == "default") return options;
  for (const auto scheme : {onoma::tag_scheme::iob1, onoma::tag_scheme::iob2,
                            onoma::tag_scheme::ioe1, onoma::tag_scheme::ioe2,
                            onoma::tag_scheme::iobes, onoma::tag_scheme::bilou}) {
    if (onoma::to_string(scheme) == s.scheme) options.strict = scheme;
  }
  return options;
}

/// A file and how the model does on it.
struct result {
  std::string file;
  onoma::ner_report report;
  onoma::index pieces = 0;
  onoma::index unknown = 0;  // of these
  [[nodiscard]] double unknown_rate() const {
    return pieces > 0 ? static_cast<double>(unknown) / static_cast<double>(pieces) : 0.0;
  }
};

void count_pieces(const onoma::tokenizer& tokens, const std::vector<onoma::sentence>& sentences,
                  result& out) {
  onoma::tokenizer::workspace work(tokens);
  onoma::encode_options options;
  options.add_special_tokens = false;
  for (const auto& sentence : sentences) {
    for (const auto& window : tokens.encode_words(sentence.words, options, work)) {
      out.pieces += window.size();
      out.unknown += std::count(window.ids.begin(), window.ids.end(), tokens.unknown_id());
    }
  }
}

std::vector<result> evaluate_model(const settings& s) {
  onoma::thread_pool pool(s.threads > 0
                              ? s.threads
                              : static_cast<onoma::index>(std::thread::hardware_concurrency()));
  onoma::cpu_backend backend(pool);
  auto model = onoma::token_classifier_session<onoma::cpu_backend>::load(s.model, backend);
  const auto tokens = onoma::load_tokenizer(s.model);
  std::vector<result> results;
  for (const auto& file : s.data) {
    const auto sentences = onoma::read_conll(file);
    results.push_back({file, onoma::evaluate_on(model, tokens, sentences, metric_of(s))});
    count_pieces(tokens, sentences, results.back());
  }
  return results;
}

onoma::ner_report compare_files(const settings& s) {
  const auto gold = onoma::read_conll(s.gold);
  const auto predicted = onoma::read_conll(s.predicted);
  onoma::check_same_words(gold, s.gold, predicted, s.predicted);
  return onoma::evaluate(onoma::tags_of(gold), onoma::tags_of(predicted), metric_of(s));
}

void print_report(const onoma::ner_report& report, const settings& s) {
  fmt::print("{}\n\n{}", onoma::summary(report), onoma::to_text(report, s.digits));
  if (s.confusion) fmt::print("\n{}", onoma::confusion_text(report));
  if (s.confusion) fmt::print("\n{}", onoma::entity_confusion_text(report));
}

/// A row for each file: averages over all entities (micro).
void print_table(const std::vector<result>& results, const settings& s) {
  std::size_t width = 4;
  for (const auto& r : results) {
    width = std::max(width, std::filesystem::path(r.file).filename().string().size());
  }
  fmt::print("{:<{}}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>14}\n", "file", width, "precision", "recall",
             "f1-score", "entities", "sentences", "unknown pieces");
  for (const auto& r : results) {
    const auto& micro = r.report.micro;
    fmt::print("{:<{}}  {:>9.{}f}  {:>9.{}f}  {:>9.{}f}  {:>9}  {:>9}  {:>12.2f} %\n",
               std::filesystem::path(r.file).filename().string(), width, micro.precision, s.digits,
               micro.recall, s.digits, micro.f1, s.digits, micro.support, r.report.sentences,
               100.0 * r.unknown_rate());
  }
}

/// One file: its report, as for two files of tags. Several: a list of them.
void print_json(const std::vector<result>& results) {
  std::string text;
  for (const auto& r : results) {
    auto entry = onoma::to_json(r.report);
    entry["file"] = r.file;
    entry["pieces"] = r.pieces;
    entry["unknown_pieces"] = r.unknown;
    text += (text.empty() ? "" : ",\n ") + entry.dump();
  }
  if (results.size() == 1) {
    fmt::print("{}\n", text);
  } else {
    fmt::print("[{}]\n", text);
  }
}

int evaluate(const settings& s) {
  if (!s.gold.empty()) {
    const auto report = compare_files(s);
    if (s.as_json) {
      fmt::print("{}\n", onoma::to_json(report).dump());
    } else {
      print_report(report, s);
    }
    return 0;
  }
  const auto results = evaluate_model(s);
  if (s.as_json) {
    print_json(results);
  } else if (results.size() == 1) {
    print_report(results.front().report, s);
  } else {
    print_table(results, s);
    if (s.confusion) {
      for (const auto& r : results) {
        fmt::print("\n{}\n", r.file);
        print_report(r.report, s);
      }
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Entity-level precision, recall and F1, equal to seqeval's.");
  app.footer("Examples:\n"
             "  onoma_evaluate --model my-model --data test.conll --confusion\n"
             "  onoma_evaluate --model my-model da.iob2 de.iob2 sk.iob2     (a table)\n"
             "  onoma_evaluate --gold test.conll --predicted tagged.conll --mode strict");
  auto* model = app.add_option("-m,--model", s.model, "Model folder");
  auto* data = app.add_option("-d,--data,files", s.data,
                              "Annotated sentences in CoNLL columns, or Universal NER's .iob2");
  auto* gold = app.add_option("--gold", s.gold, "CoNLL file with the true tags");
  auto* predicted = app.add_option("--predicted", s.predicted, "CoNLL file with predicted tags");
  model->needs(data);
  data->needs(model);
  gold->needs(predicted)->excludes(model);
  predicted->needs(gold);
  app.add_option("--mode", s.mode, "How tags are read: default (conlleval) or strict")
      ->check(CLI::IsMember({"default", "strict"}))
      ->capture_default_str();
  auto* scheme = app.add_option("--scheme", s.scheme, "Tag scheme of the strict mode")
      ->check(CLI::IsMember({"IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"}))
      ->capture_default_str();
  app.add_option("--digits", s.digits, "Digits after the point")
      ->check(CLI::Range(0, 12))
      ->capture_default_str();
  app.add_flag("--confusion", s.confusion, "Also words, then entities, by true and predicted type");
  app.add_flag("--json", s.as_json, "All numbers as one JSON object");
  app.add_option("--threads", s.threads, "Threads (default: all cores)")->check(CLI::Range(1, 4096));
  try {
    app.parse(argc, argv);
    if (s.model.empty() && s.gold.empty()) throw CLI::RequiredError("--model or --gold");
    if (scheme->count() > 0 && s.mode != "strict") throw CLI::RequiresError("--scheme", "--mode strict");
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return terminal::run("onoma_evaluate", [&] { return evaluate(s); });
}
