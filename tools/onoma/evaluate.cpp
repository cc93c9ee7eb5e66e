/// onoma evaluate: scores a model on annotated sentences, or one file of tags against another.
///
/// With several files, one table has a row for each: how a model does in other languages or domains.
#include "command.hpp"
#include "corpus.hpp"
#include "matching.hpp"
#include "scoring.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/classic/train.hpp>
#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/session.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/ner/report_json.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/matching_model.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/text/piece_counts.hpp>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace command {

namespace {

struct settings : shared_options {
  std::vector<std::string> data;
  std::string gold;
  std::string predicted;
  std::string mode = "default";
  std::string scheme = "IOB2";
  int digits = 2;
  onoma::index_t max_length = 0;
  bool confusion = false;
  matching_settings matching;
  column_options columns;
};

onoma::metric_options metric_of(const settings& s) {
  onoma::metric_options options;
  if (s.mode == "default") return options;
  options.strict = onoma::tag_scheme_from_name(s.scheme);
  return options;
}

/// A file and how the model does on it.
struct result {
  std::string file;
  scores found;
  std::optional<onoma::piece_counts> pieces;  // none: no model ran
};

template <class Head>
std::vector<result> evaluate_with(const settings& s, const messages& say) {
  onoma::thread_pool pool(s.thread_count());
  onoma::cpu_backend backend(pool);
  auto model = onoma::session<onoma::cpu_backend, Head>::load(
      s.model, backend, {.verify = onoma::verification_from_name(s.verify)});
  const auto tokens = onoma::load_tokenizer(s.model).for_table(model.config().vocabulary);
  onoma::prediction_options options;
  options.max_length = s.max_length;
  std::vector<result> results;
  for (const auto& file : s.data) {
    auto items = scoring_of<Head>::read(file, s.columns);
    scoring_of<Head>::fit(model, items, file, say);
    results.push_back({file, scoring_of<Head>::evaluate(model, tokens, items, metric_of(s), options),
                       scoring_of<Head>::pieces(tokens, items)});
  }
  return results;
}

/// Without words of unknown tag, which are counted.
onoma::ner_report compare(onoma::tag_sequences gold, onoma::tag_sequences predicted, const settings& s) {
  const auto unknown = onoma::drop_unknown_words(gold, predicted);
  auto report = onoma::evaluate(gold, predicted, metric_of(s));
  report.unknown_words = unknown;
  return report;
}

/// Of a model without a tokenizer: no pieces are counted.
std::vector<result> evaluate_classic(const settings& s) {
  onoma::thread_pool pool(s.thread_count());
  const auto model = onoma::classic_model::open(s.model);
  std::vector<result> results;
  for (const auto& file : s.data) {
    const auto sentences = read_sentences(file, s.columns);
    results.push_back(
        {file, {compare(onoma::tags_of(sentences), onoma::predict(model, sentences, pool), s), ""}, {}});
  }
  return results;
}

std::vector<result> evaluate_model(const settings& s, const messages& say) {
  if (onoma::classic_model::is_model(s.model)) return evaluate_classic(s);
  return onoma::with_head<onoma::cpu_backend>(onoma::head_kind_of(s.model), [&](auto head) {
    return evaluate_with<typename decltype(head)::type>(s, say);
  });
}

/// With rules and gazetteers, beside the model or alone.
std::vector<result> evaluate_matching(const settings& s, const messages& say) {
  const auto look = read_matching(s.matching, say);
  std::optional<onoma::tokenizer> tokens;
  std::optional<onoma::pipeline> pipeline;
  if (s.matching.alone()) {
    pipeline.emplace(std::make_unique<onoma::matching_model>(nullptr, look));
  } else {
    onoma::pipeline_options options;
    options.threads = s.thread_count();
    options.max_length = s.max_length;
    options.verify = onoma::verification_from_name(s.verify);
    options.matching = look;
    pipeline.emplace(onoma::pipeline::load(s.model, options));
    tokens.emplace(onoma::load_tokenizer(s.model));
  }
  std::vector<result> results;
  for (const auto& file : s.data) {
    auto sentences = read_sentences(file, s.columns);
    bring_to_scheme(sentences, file, metric_of(s).strict.value_or(onoma::tag_scheme::iob2), say);
    results.push_back({file, {onoma::evaluate_on(pipeline->model(), sentences, metric_of(s)), ""}, {}});
    if (tokens) results.back().pieces = onoma::count_pieces(*tokens, sentences);
  }
  return results;
}

onoma::ner_report compare_files(const settings& s) {
  const auto gold = read_sentences(s.gold, s.columns);
  const auto predicted = read_sentences(s.predicted, s.columns);
  onoma::check_same_words(gold, s.gold, predicted, s.predicted);
  return compare(onoma::tags_of(gold), onoma::tags_of(predicted), s);
}

void print_report(const scores& found, const settings& s) {
  const auto& report = found.report;
  terminal::print(onoma::summary(report) + "\n\n" + onoma::to_text(report, s.digits));
  if (!found.more.empty()) terminal::print("\n" + found.more + "\n");
  if (!s.confusion) return;
  terminal::print("\n" + onoma::confusion_text(report) + "\n" + onoma::entity_confusion_text(report));
}

/// A row for each file: averages over all entities (micro).
void print_table(const std::vector<result>& results, const settings& s) {
  std::size_t width = 4;
  for (const auto& r : results) {
    width = std::max(width, std::filesystem::path(r.file).filename().string().size());
  }
  terminal::print(fmt::format("{:<{}}  {:>9}  {:>9}  {:>9}  {:>9}  {:>9}  {:>14}\n", "file", width,
                              "precision", "recall", "f1-score", "entities", "sentences", "unknown pieces"));
  for (const auto& r : results) {
    const auto& micro = r.found.report.micro;
    const auto unknown = r.pieces ? fmt::format("{:.2f} %", 100.0 * r.pieces->unknown_rate()) : "-";
    terminal::print(fmt::format("{:<{}}  {:>9.{}f}  {:>9.{}f}  {:>9.{}f}  {:>9}  {:>9}  {:>14}\n",
                                std::filesystem::path(r.file).filename().string(), width, micro.precision,
                                s.digits, micro.recall, s.digits, micro.f1, s.digits, micro.support,
                                r.found.report.sentences, unknown));
  }
}

/// One file: its report, as for two files of tags. Several: a list of them.
void print_json(const std::vector<result>& results) {
  onoma::json list = onoma::json::array();
  for (const auto& r : results) {
    auto entry = onoma::to_json(r.found.report);
    if (!r.found.more_json.is_null()) entry["nesting"] = r.found.more_json;
    entry["file"] = r.file;
    if (r.pieces) {
      entry["pieces"] = r.pieces->pieces;
      entry["unknown_pieces"] = r.pieces->unknown;
    }
    list.push_back(std::move(entry));
  }
  terminal::print(onoma::json_line(results.size() == 1 ? list.front() : list) + "\n");
}

int evaluate(const settings& s, const messages& say) {
  if (s.model.empty() && s.gold.empty() && !s.matching.alone()) {
    throw usage_error{"expected --model with files, or --gold and --predicted"};
  }
  if (!s.gold.empty() && s.matching.any()) {
    throw usage_error{"--rules and --gazetteer find entities in annotated sentences: not with --gold"};
  }
  if (s.gold.empty()) {
    check_matching(s.matching, s.model);
    if (s.data.empty()) throw usage_error{"expected files with annotated sentences"};
  } else {
    const auto report = compare_files(s);
    if (s.json) {
      terminal::print(onoma::json_line(onoma::to_json(report)) + "\n");
    } else {
      print_report({report, ""}, s);
    }
    return done;
  }
  const auto results = s.matching.any() ? evaluate_matching(s, say) : evaluate_model(s, say);
  if (s.json) {
    print_json(results);
  } else if (results.size() == 1) {
    print_report(results.front().found, s);
  } else {
    print_table(results, s);
    for (const auto& r : results) {
      if (!s.confusion) break;
      terminal::print("\n" + r.file + "\n");
      print_report(r.found, s);
    }
  }
  return done;
}

void add_metric(CLI::App& app, settings& s) {
  auto* mode = app.add_option("--mode", s.mode, "How tags are read: default (conlleval) or strict")
                   ->check(CLI::IsMember({"default", "strict"}))
                   ->capture_default_str();
  app.add_option("--scheme", s.scheme, "Tag scheme of --mode strict")
      ->check(CLI::IsMember(scheme_names()))
      ->needs(mode)
      ->capture_default_str();
  app.add_option("--digits", s.digits, "Digits after the point")
      ->check(CLI::Range(0, 12))
      ->capture_default_str();
  app.add_flag("--confusion", s.confusion, "Also words, then entities, by true and predicted type");
}

}  // namespace

subcommand add_evaluate(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(root, "evaluate",
                             "Measures entity-level precision, recall and F1, equal to seqeval's.",
                             "  onoma evaluate --model my-model test.conll --confusion\n"
                             "  onoma evaluate --model my-model da.iob2 de.iob2 sk.iob2     # a table\n"
                             "  onoma evaluate --model my-model --rules patterns.jsonl test.conll\n"
                             "  onoma evaluate --gold test.conll --predicted tagged.conll --mode strict");
  auto* model = app.add_option("-m,--model", s->model, "Model folder, or the file of a classical model");
  auto* data = app.add_option("-d,--data,files", s->data,
                              "Annotated sentences in CoNLL columns, or Universal NER's .iob2; for a\n"
                              "model of spans also JSON lines of words with spans");
  auto* gold = app.add_option("--gold", s->gold, "CoNLL file with the true tags");
  auto* predicted = app.add_option("--predicted", s->predicted,
                                   "CoNLL file with predicted tags (onoma tag --conll writes it)");
  model->needs(data);
  gold->needs(predicted)->excludes(model)->excludes(data);
  predicted->needs(gold);
  add_metric(app, *s);
  add_matching(app, s->matching);
  app.add_option("--max-length", s->max_length,
                 "Tokens per window (default: as the model was trained, or as many as it takes)")
      ->check(CLI::PositiveNumber);
  add_columns(app, s->columns);
  add_shared(app, *s, "All numbers as one JSON object; of several files, as a list");
  return {&app, [s] { return evaluate(*s, messages("onoma evaluate", s->quiet)); }};
}

}  // namespace command
