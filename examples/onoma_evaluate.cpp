/// onoma_evaluate: scores a model on annotated sentences, or one file of tags against another.
#include "terminal.hpp"

#include <onoma/onoma.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <string>
#include <thread>

namespace {

struct settings {
  std::string model;
  std::string data;
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

onoma::ner_report evaluate_model(const settings& s) {
  onoma::thread_pool pool(s.threads > 0
                              ? s.threads
                              : static_cast<onoma::index>(std::thread::hardware_concurrency()));
  onoma::cpu_backend backend(pool);
  auto model = onoma::token_classifier<onoma::cpu_backend>::load(s.model, {}, backend,
                                                                 {.training = false});
  if (!model.report().initialised.empty()) {
    onoma::fail(onoma::error_code::missing, "evaluating " + s.model,
                "a model with a token-classification head", "an encoder alone");
  }
  const auto tokens = onoma::load_tokenizer(s.model);
  return onoma::evaluate_on(model, tokens, onoma::read_conll(s.data), metric_of(s));
}

onoma::ner_report compare_files(const settings& s) {
  return onoma::evaluate(onoma::tags_of(onoma::read_conll(s.gold)),
                         onoma::tags_of(onoma::read_conll(s.predicted)), metric_of(s));
}

int evaluate(const settings& s) {
  const auto report = s.gold.empty() ? evaluate_model(s) : compare_files(s);
  if (s.as_json) {
    fmt::print("{}\n", onoma::to_json(report));
    return 0;
  }
  fmt::print("{}\n\n{}", onoma::summary(report), onoma::to_text(report, s.digits));
  if (s.confusion) fmt::print("\n{}", onoma::confusion_text(report));
  if (s.confusion) fmt::print("\n{}", onoma::entity_confusion_text(report));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Entity-level precision, recall and F1, equal to seqeval's.");
  app.footer("Examples:\n"
             "  onoma_evaluate --model my-model --data test.conll --confusion\n"
             "  onoma_evaluate --gold test.conll --predicted tagged.conll --mode strict");
  auto* model = app.add_option("-m,--model", s.model, "Model folder");
  auto* data = app.add_option("-d,--data", s.data, "Annotated sentences in CoNLL columns");
  auto* gold = app.add_option("--gold", s.gold, "CoNLL file with the true tags");
  auto* predicted = app.add_option("--predicted", s.predicted, "CoNLL file with predicted tags");
  model->needs(data);
  data->needs(model);
  gold->needs(predicted)->excludes(model);
  predicted->needs(gold);
  app.add_option("--mode", s.mode, "How tags are read: default (conlleval) or strict")
      ->check(CLI::IsMember({"default", "strict"}))
      ->capture_default_str();
  app.add_option("--scheme", s.scheme, "Tag scheme of the strict mode")
      ->check(CLI::IsMember({"IOB1", "IOB2", "IOE1", "IOE2", "IOBES", "BILOU"}))
      ->capture_default_str();
  app.add_option("--digits", s.digits, "Digits after the point")
      ->check(CLI::Range(0, 12))
      ->capture_default_str();
  app.add_flag("--confusion", s.confusion, "Also words, then entities, by true and predicted type");
  app.add_flag("--json", s.as_json, "All numbers as one JSON object");
  app.add_option("--threads", s.threads, "Threads (default: all cores)")->check(CLI::PositiveNumber);
  try {
    app.parse(argc, argv);
    if (s.model.empty() && s.gold.empty()) throw CLI::RequiredError("--model or --gold");
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return terminal::run("onoma_evaluate", [&] { return evaluate(s); });
}
