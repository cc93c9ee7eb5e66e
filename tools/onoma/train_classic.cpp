/// onoma train --classic: a model without a network, in one file.
#include "train_classic.hpp"

#include "folders.hpp"

#include <onoma/classic/train.hpp>
#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/match/gazetteer_text.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/ner/report_json.hpp>
#include <onoma/train/progress.hpp>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <optional>
#include <utility>

namespace command {

namespace {

using onoma::index_t;

constexpr const char* group = "Classical models";

volatile std::sig_atomic_t interrupts = 0;

/// The first one asks for an end in order; another one ends the program as it always does.
void on_interrupt(int signal) {
  interrupts = 1;
  std::signal(signal, SIG_DFL);
}

onoma::classic_training_options options_of(const classic_settings& s, const onoma::gazetteer* list) {
  onoma::classic_training_options options;
  if (!s.templates.empty()) options.templates = onoma::templates_from_texts(s.templates);
  options.list = list;
  options.hash_bits = s.hash_bits;
  options.features.min_frequency = s.min_frequency;
  if (s.algorithm == "perceptron") options.algorithm = onoma::classic_algorithm::perceptron;
  options.c2 = s.c2;
  options.lbfgs.c1 = s.c1;
  options.lbfgs.max_iterations = s.iterations;
  if (s.iterations > 0) options.perceptron.epochs = s.iterations;
  options.dev_every = s.dev_every;
  return options;
}

/// Shows each iteration, on one line of a terminal, and keeps what it gave.
class reporter {
 public:
  explicit reporter(bool quiet) : quiet_(quiet), bar_(!quiet && terminal::is_interactive(stderr)) {}

  bool operator()(const onoma::classic_progress& p) {
    last_ = p;
    onoma::json entry = {{"iteration", p.iteration}, {"loss", p.loss}};
    if (p.dev_f1) entry["dev_f1"] = *p.dev_f1;
    iterations_.push_back(std::move(entry));
    const bool shown = bar_ || p.dev_f1 || p.iteration % 10 == 0;
    if (!quiet_ && shown) {
      fmt::print(stderr, "{}iteration {}, loss {:.2f}, {} weights{}{}", bar_ ? "\r\033[K" : "", p.iteration, p.loss,
                 p.weights, p.dev_f1 ? fmt::format(", dev F1 {:.4f}", *p.dev_f1) : "", bar_ ? "" : "\n");
      std::fflush(stderr);
    }
    return interrupts == 0;
  }
  /// Ends the line that moves.
  void finish() const {
    if (bar_ && last_.iteration > 0) fmt::print(stderr, "\n");
  }

  [[nodiscard]] const onoma::classic_progress& last() const noexcept { return last_; }
  [[nodiscard]] const onoma::json& iterations() const noexcept { return iterations_; }

 private:
  bool quiet_;
  bool bar_;
  onoma::classic_progress last_;
  onoma::json iterations_ = onoma::json::array();
};

/// The scores of a file, printed unless JSON is wanted.
void evaluate(const classic_settings& s, const char* name, const std::string& file, const onoma::classic_model& model,
              onoma::executor_ref executor, onoma::json& summary) {
  if (file.empty()) return;
  const auto sentences = read_sentences(file, s.columns);
  auto gold = onoma::tags_of(sentences);
  auto predicted = onoma::predict(model, sentences, executor);
  const auto unknown = onoma::drop_unknown_words(gold, predicted);
  auto report = onoma::evaluate(gold, predicted);
  report.unknown_words = unknown;
  summary[name] = onoma::to_json(report);
  if (s.shared->json) return;
  terminal::print(fmt::format("\n{}: {}\n\n{}", name, onoma::summary(report), onoma::to_text(report, 4)));
}

}  // namespace

void add_classic(CLI::App& app, classic_settings& s, const std::vector<CLI::Option*>& others) {
  auto* classic = app.add_option("--classic", s.train,
                                 "Trains a model without an encoder on these sentences: features of words,\n"
                                 "their parts and neighbours, in one file (--output)")
                      ->group(group);
  for (auto* other : others) classic->excludes(other);
  const auto add = [&](const char* name, auto& value, const char* description) {
    return app.add_option(name, value, description)->needs(classic)->group(group);
  };
  add("--templates", s.templates, "What it looks at, such as word[-1] suffix3[0] \"lower[-1]|lower[0]\"\n"
                                  "(default: a set that suits most corpora)")
      ->expected(1, 1000);
  add("--gazetteer", s.gazetteer, "Compiled list of phrases whose labels are features; it is saved in the model");
  add("--algorithm", s.algorithm, "likelihood, or the averaged perceptron")
      ->check(CLI::IsMember({"likelihood", "perceptron"}))
      ->capture_default_str();
  add("--c1", s.c1, "Penalty on the absolute values of weights: more leaves fewer of them")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add("--c2", s.c2, "Penalty on their squares")->check(CLI::NonNegativeNumber)->capture_default_str();
  add("--iterations", s.iterations, "At most so many (default: until the loss settles; 20 of the perceptron)")
      ->check(CLI::PositiveNumber);
  add("--min-frequency", s.min_frequency, "Leaves out features that were seen less often")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
  add("--hash-bits", s.hash_bits, "Features share weights by so many bits of a hash, and their texts are not saved")
      ->check(CLI::Range(1, 26));
  add("--dev-every", s.dev_every, "Scores the dev sentences after so many iterations, and keeps the best weights")
      ->check(CLI::PositiveNumber)
      ->needs("--dev");
}

void check_classic_options(const CLI::App& app) {
  for (const auto* option : app.get_options()) {
    const bool foreign = option->get_group() == "Recipe" || option->get_group() == "Running" ||
                         option->check_lname("scheme");
    if (foreign && option->count() > 0) throw usage_error{option->get_name() + " is not for --classic"};
  }
}

int train_classic(const classic_settings& s, const messages& say) {
  std::error_code problem;
  if (!s.overwrite && std::filesystem::is_regular_file(s.output, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, "writing " + s.output, "no file of that name, or --overwrite",
                "one that is there");
  }
  check_output_file(s.output);
  std::optional<onoma::gazetteer> list;
  if (!s.gazetteer.empty()) list = onoma::gazetteer::open(s.gazetteer);
  onoma::thread_pool pool(s.shared->thread_count());
  auto options = options_of(s, list ? &*list : nullptr);
  options.executor = pool;
  const auto begin = std::chrono::steady_clock::now();
  std::vector<onoma::sentence> dev;
  if (!s.dev.empty()) dev = read_sentences(s.dev, s.columns);
  const auto sentences = read_sentences(s.train, s.columns);
  onoma::classic_trainer trainer(sentences, std::move(dev), options);
  if (trainer.tags().size() < 2) {
    onoma::fail(onoma::error_code::invalid_argument, "reading " + s.train, "at least two different tags",
                "'" + trainer.tags().label(0) + "' alone");
  }
  say.note("{}, {}, {} features, {}", counted(static_cast<index_t>(sentences.size()), "sentence"),
           counted(trainer.tags().size(), "label"), trainer.features().count, counted(pool.concurrency(), "thread"));
  std::signal(SIGINT, on_interrupt);
  std::signal(SIGTERM, on_interrupt);
  reporter report(s.shared->quiet);
  const auto model = trainer.run(std::ref(report));
  report.finish();
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  model.save(s.output);
  say.note("{} {} in {}; saved {}, {} bytes", interrupts != 0 ? "Stopped after" : "Trained",
           counted(report.last().iteration, "iteration"), onoma::format_duration(seconds.count()), s.output,
           model.bytes().size());
  onoma::json summary = {{"threads", pool.concurrency()},
                         {"iterations", report.iterations()},
                         {"stopped", interrupts != 0},
                         {"features", trainer.features().count},
                         {"weights", model.parts().weights.size()},
                         {"bytes", model.bytes().size()},
                         {"train_seconds", seconds.count()}};
  if (interrupts == 0) {
    evaluate(s, "dev", s.dev, model, pool, summary);
    evaluate(s, "test", s.test, model, pool, summary);
  }
  if (s.shared->json) terminal::print(onoma::json_line(summary) + "\n");
  return interrupts != 0 ? interrupted : done;
}

}  // namespace command
