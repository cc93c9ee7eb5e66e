/// onoma train: fine-tunes a pretrained encoder for named entity recognition and saves a model.
#include "command.hpp"
#include "corpus.hpp"
#include "folders.hpp"
#include "train_classic.hpp"
#include "train_goals.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/data/check.hpp>
#include <onoma/io/atomic_file.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/reserved_space.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/trainable_model.hpp>
#include <onoma/ner/convert.hpp>
#include <onoma/ner/report.hpp>
#include <onoma/ner/report_json.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/train/checkpoint_store.hpp>
#include <onoma/train/model_card.hpp>
#include <onoma/train/progress.hpp>
#include <onoma/train/trainer.hpp>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>
#include <vector>

namespace command {

namespace {

using onoma::index_t;

using settings = train_settings;

volatile std::sig_atomic_t interrupts = 0;

/// The first one asks for an end in order; another one ends the program as it always does.
void on_interrupt(int signal) {
  interrupts = 1;
  std::signal(signal, SIG_DFL);
}

/// Shows progress as a moving bar on a terminal, as lines elsewhere, and keeps what each epoch gave.
class reporter {
 public:
  reporter(index_t log_every, bool quiet)
      : quiet_(quiet), bar_(!quiet && terminal::is_interactive(stderr)), every_(log_every) {}

  /// For `trainer::run`: false stops it.
  bool operator()(const onoma::training_progress& p) {
    const bool is_epoch = p.what == onoma::training_progress::kind::epoch;
    if (is_epoch) remember(p);
    if (p.what == onoma::training_progress::kind::rollback) {
      forget(p);
      if (!quiet_) fmt::print(stderr, "{}{}\n", bar_ ? "\r\033[K" : "", onoma::progress_line(p));
      return interrupts == 0;
    }
    if (!quiet_) show(p, is_epoch);
    return interrupts == 0;
  }

  [[nodiscard]] const onoma::json& epochs() const noexcept { return epochs_; }

 private:
  void remember(const onoma::training_progress& p) {
    onoma::json epoch = {{"epoch", p.epoch}, {"step", p.step}, {"loss", p.loss}};
    if (p.dev != nullptr) {
      const auto& score = p.dev->micro;
      epoch["dev"] = {{"precision", score.precision}, {"recall", score.recall}, {"f1", score.f1}};
      epoch["is_best"] = p.is_best;
    }
    epochs_.push_back(std::move(epoch));
  }

  /// The epochs that a rollback took back.
  void forget(const onoma::training_progress& p) {
    while (!epochs_.empty() && epochs_.back()["step"] > p.step) epochs_.erase(epochs_.size() - 1);
  }

  void show(const onoma::training_progress& p, bool is_epoch) const {
    if (bar_ && !is_epoch) {
      fmt::print(stderr, "\r\033[K{}", onoma::progress_bar(p));
    } else if (is_epoch) {
      fmt::print(stderr, "{}{}\n", bar_ ? "\r\033[K" : "", onoma::progress_line(p));
    } else if (p.step % every_ == 0) {
      fmt::print(stderr, "{}\n", onoma::progress_line(p));
    }
    std::fflush(stderr);
  }

  bool quiet_;
  bool bar_;
  index_t every_;
  onoma::json epochs_ = onoma::json::array();
};

/// Before hours of training, not after.
void check_outputs(const settings& s) {
  check_output_folder(s.output, s.overwrite);
  if (s.checkpoint.empty()) return;
  const auto where = "writing " + s.checkpoint;
  const bool keeps_many = s.training.checkpoint_keep > 1;
  std::error_code problem;
  if (keeps_many && std::filesystem::is_regular_file(s.checkpoint, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, where, "a folder for " +
                counted(s.training.checkpoint_keep, "state"), "a file, with which --checkpoint-keep 1 goes on");
  }
  const bool is_folder = std::filesystem::is_directory(s.checkpoint, problem);
  if (!keeps_many && is_folder && !onoma::checkpoint_store::states(s.checkpoint).empty()) {
    onoma::fail(onoma::error_code::invalid_argument, where, "a file, or --checkpoint-keep",
                "a folder of states");
  }
  check_output_file(keeps_many && is_folder ? std::filesystem::path(s.checkpoint) / "state"
                                             : std::filesystem::path(s.checkpoint));
  onoma::checkpoint_store store(s.checkpoint, s.training.checkpoint_keep);
  store.lock();  // until the end of this function: a run that is on its way is named at once
  if (!onoma::checkpoint_store::states(s.checkpoint).empty() && !s.resume && !s.overwrite) {
    onoma::fail(onoma::error_code::invalid_argument, where,
                "no file of that name, or --resume or --overwrite", "the checkpoint of another run");
  }
}

template <class Goal>
onoma::model_card::part describe(const char* name, const std::string& file,
                                 const std::vector<typename Goal::item>& items) {
  onoma::model_card::part part{name, std::filesystem::path(file).filename().string(),
                               static_cast<index_t>(items.size()), 0};
  for (const auto& each : items) part.words += Goal::words(each);
  return part;
}

std::string folder_name(const std::string& folder) {
  const auto path = std::filesystem::absolute(folder).lexically_normal();
  return (path.filename().empty() ? path.parent_path() : path).filename().string();
}

/// Why a rate was changed.
std::string reason(const onoma::rate_change& change) {
  return change.diverged_at == 0 ? std::string("as was asked for")
                                 : fmt::format("since step {} diverged", change.diverged_at);
}

onoma::json to_json(const std::vector<onoma::rate_change>& rates) {
  onoma::json all = onoma::json::array();
  for (const auto& change : rates) {
    all.push_back({{"step", change.step}, {"from", change.from}, {"to", change.to}});
    if (change.diverged_at > 0) all.back()["diverged_at"] = change.diverged_at;
  }
  return all;
}

template <class Goal>
onoma::model_card make_card(const settings& s, const corpora<typename Goal::item>& data,
                            const std::vector<std::string>& labels, const std::vector<onoma::rate_change>& rates) {
  onoma::model_card card;
  card.name = folder_name(s.output);
  card.encoder = folder_name(s.model);
  card.labels = labels;
  card.word_rules = true;
  card.data.push_back(describe<Goal>("train", s.train, data.train));
  const auto sources = extra_sources(s.hard);
  for (std::size_t i = 0; i < data.extra.size(); ++i) {
    card.data.push_back(describe<Goal>("train", sources[i].file, data.extra[i]));
    card.data.back().name += fmt::format(", weight {}", sources[i].weight);
  }
  if (!s.dev.empty()) card.data.push_back(describe<Goal>("dev", s.dev, data.dev));
  if (!s.test.empty()) card.data.push_back(describe<Goal>("test", s.test, data.test));
  const auto& t = s.training;
  const auto add = [&](const char* name, const auto& value) {
    card.settings.emplace_back(name, fmt::format("{}", value));
  };
  add("epochs", t.epochs);
  add("learning rate", rates.empty() ? t.learning_rate : rates.front().from);
  for (const auto& change : rates) {
    card.settings.emplace_back(fmt::format("learning rate after step {}", change.step),
                               fmt::format("{}, {}", change.to, reason(change)));
  }
  add("batch size", t.batch.batch_size);
  add("tokens per batch", t.batch.max_tokens);
  add("batches per step", t.accumulation);
  add("warm-up", t.warmup);
  add("weight decay", t.weight_decay);
  add("largest gradient norm", t.max_grad_norm);
  add("tokens per example", t.data.max_length);
  add("every piece of a word labelled", s.label_all_tokens);
  add("head", s.head);
  if (s.head == "span") {
    add("words of the longest span", s.spans.width);
    add("part of the spans without a label", s.spans.negatives);
    add("spans beside each other", s.span_decoding);
  }
  if (const auto scheme = Goal::scheme(s, data.all())) add("tag scheme", onoma::to_string(*scheme));
  add("seed", t.batch.seed);
  for (auto& row : describe_hard_data(s.hard, t)) card.settings.push_back(std::move(row));
  return card;
}

template <class Head>
class run {
 public:
  run(const settings& s, const messages& say)
      : s_(s),
        say_(say),
        data_{read(s.train), read(s.dev), read(s.test), goal::read_extra(s, say)},
        labels_(goal::labels(data_.all(), s.train)),
        tokens_(onoma::load_tokenizer(s.model)),
        pool_(s.thread_count()),
        backend_(pool_),
        model_(model_type::load(
            s.model, labels_, backend_,
            {.seed = s.training.batch.seed, .replace_head = true, .head = goal::head_settings(s),
             .scheme = goal::scheme(s, data_.all()),
             .recompute = s.recompute, .verify = onoma::verification_from_name(s.verify)})) {
    tokens_ = tokens_.for_table(model_.config().vocabulary);
    goal::check(s, data_, say_);
    say_.note("{}, {}, {:.1f} million parameters{}, {}",
              counted(static_cast<index_t>(data_.train.size()), "sentence"),
              counted(static_cast<index_t>(labels_.size()), "label"),
              static_cast<double>(model_.parameters().layout().size()) / 1e6,
              model_.report().initialised.empty() ? "" : ", new classification head",
              counted(s.thread_count(), "thread"));
  }

  int operator()() {
    auto recipe = s_.training;
    if (s_.hard.freeze_embeddings) recipe.frozen_layers = 0;
    recipe.loss.class_weights = goal::class_weights(s_, data_, labels_);
    trainer_type trainer(model_, goal::make(model_, tokens_, data_, s_, say_), recipe);
    auto space = onoma::reserve_for_folder(s_.output, model_.save_size());
    if (s_.resume && !onoma::checkpoint_store::states(s_.checkpoint).empty()) resume(trainer);
    std::signal(SIGINT, on_interrupt);
    std::signal(SIGTERM, on_interrupt);
    reporter report(s_.log_every, s_.quiet);
    const auto result = train(trainer, report);
    if (result.stopped && !s_.checkpoint.empty()) {
      say_.note("\nStopped at step {}; go on with --resume --checkpoint {}", result.position.step,
                s_.checkpoint);
      return interrupted;
    }
    say_.note("{} {} in {}, {:.0f} tokens/s", result.stopped ? "\nStopped after" : "Trained",
              counted(result.position.step, "step"), onoma::format_duration(result.train_seconds),
              result.tokens_per_second);
    const bool is_best = result.stopped ? trainer.use_best() : result.position.best_epoch > 0;
    if (is_best) say_.note("The model has the weights of epoch {}, the best", result.position.best_epoch);
    space.clear();
    if (!result.stopped) goal::finish(trainer.task(), model_);
    model_.save(s_.output);  // before the scores, which take time: nothing is lost by an interrupt
    finish(result, report);
    say_.note("\nSaved {}", s_.output);
    return result.stopped ? interrupted : done;
  }

 private:
  using model_type = onoma::trainable_model<onoma::cpu_backend, Head>;
  using goal = goal_of<Head>;
  using items = std::vector<typename goal::item>;
  using trainer_type = onoma::trainer<model_type, typename goal::task>;

  [[nodiscard]] items read(const std::string& path) const {
    return path.empty() ? items{} : goal::read(path, s_, say_);
  }

  void resume(trainer_type& trainer) {
    const auto from = trainer.resume(s_.checkpoint, {.change_learning_rate = s_.change_learning_rate});
    for (const auto& state : from.passed_over) say_.warn("passed over: " + state);
    say_.note("Resumed from {}", from.path.string());
  }

  /// Says what can be typed against divergence.
  onoma::training_result train(trainer_type& trainer, reporter& report) {
    try {
      return trainer.run(std::ref(report));
    } catch (const onoma::divergence_error& problem) {
      const auto start = "start with --checkpoint FILE --on-divergence lower-rate";
      const auto go_on = fmt::format("go on with --resume --checkpoint {} --learning-rate {} --change-learning-rate",
                                     s_.checkpoint, trainer.learning_rate() / 2);
      const bool saved = !s_.checkpoint.empty() && !onoma::checkpoint_store::states(s_.checkpoint).empty();
      onoma::fail(problem.code(), problem.operation(),
                  problem.wanted() + " (a lower learning rate may help: " + (saved ? go_on : start) + ")",
                  problem.found());
    }
  }

  /// Scores, what --json prints, and the folder's README.md. Of a run that was stopped, without scores.
  void finish(const onoma::training_result& result, const reporter& report) {
    auto card = make_card<goal>(s_, data_, labels_, result.position.rate_changes);
    onoma::json summary = {{"seed", s_.training.batch.seed},
                           {"threads", s_.thread_count()},
                           {"steps", result.position.step},
                           {"stopped", result.stopped},
                           {"train_seconds", result.train_seconds},
                           {"tokens_per_second", result.tokens_per_second},
                           {"best_epoch", result.position.best_epoch},
                           {"epochs", report.epochs()},
                           {"losses", result.losses},
                           {"rate_changes", to_json(result.position.rate_changes)},
                           {"passed_over", result.passed_over}};
    const auto evaluate = [&](const char* name, const items& of) {
      if (of.empty() || result.stopped) return;
      auto [scores, more, more_json] =
          goal::evaluate(model_, tokens_, of, {}, {.max_length = s_.training.data.max_length});
      summary[name] = onoma::to_json(scores);
      if (!more_json.is_null()) summary[name]["nesting"] = std::move(more_json);
      if (!s_.json) {
        terminal::print(fmt::format("\n{}: {}\n\n{}{}{}", name, onoma::summary(scores), onoma::to_text(scores, 4),
                                    more.empty() ? "" : "\n" + more, more.empty() ? "" : "\n"));
      }
      card.scores.push_back({name, std::move(scores)});
    };
    evaluate("dev", data_.dev);
    evaluate("test", data_.test);
    if (s_.json) terminal::print(onoma::json_line(summary) + "\n");
    onoma::write_file_atomically(std::filesystem::path(s_.output) / "README.md", onoma::to_markdown(card));
  }

  const settings& s_;
  const messages& say_;
  corpora<typename goal::item> data_;
  std::vector<std::string> labels_;
  onoma::tokenizer tokens_;
  onoma::thread_pool pool_;
  onoma::cpu_backend backend_;
  model_type model_;
};

int train(settings& s, const messages& say) {
  check_outputs(s);
  s.training.data.align.label_all_tokens = s.label_all_tokens;
  s.training.checkpoint = s.checkpoint;
  if (s.on_divergence == "lower-rate") s.training.divergence_retries = s.divergence_retries;
  return onoma::with_head<onoma::cpu_backend>(s.head, [&](auto head) {
    return run<typename decltype(head)::type>(s, say)();
  });
}

void add_recipe(CLI::App& app, settings& s, CLI::Option* dev) {
  auto& t = s.training;
  const auto add = [&](const char* name, auto& value, const char* description) {
    return app.add_option(name, value, description)->capture_default_str()->group("Recipe");
  };
  add("--epochs", t.epochs, "Passes over the training data");
  add("--learning-rate", t.learning_rate, "Highest learning rate");
  add("--batch-size", t.batch.batch_size, "Sentences per batch; 0: no limit");
  add("--max-tokens", t.batch.max_tokens, "Tokens per batch; 0: no limit");
  add("--accumulation", t.accumulation, "Batches per optimizer step");
  add("--warmup", t.warmup, "Part of the steps in which the rate rises");
  add("--weight-decay", t.weight_decay, "Not on biases and LayerNorm weights");
  add("--max-grad-norm", t.max_grad_norm, "Clip the gradient to this; 0: never");
  add("--max-length", t.data.max_length, "Tokens per example, here and wherever the model is used");
  add("--patience", t.patience, "Stop after so many epochs without a better dev F1; 0: never")->needs(dev);
  add("--seed", t.batch.seed, "The same seed gives the same model");
  app.add_option("--head", s.head,
                 "What is labelled: token, each word by itself; crf, all of a\n"
                 "sentence together, never with tags that follow each other\n"
                 "against their scheme; span, spans of words, which may overlap")
      ->check(CLI::IsMember({"token", "crf", "span"}))
      ->capture_default_str()
      ->group("Recipe");
  app.add_flag("--label-all-tokens", s.label_all_tokens,
               "Train on every piece of a word, not on the first alone")
      ->group("Recipe");
}

void add_spans(CLI::App& app, settings& s) {
  constexpr const char* group = "Recipe";
  app.add_option("--span-width", s.spans.width, "With --head span: words of the longest span that is looked at")
      ->check(CLI::Range(1, 4096))
      ->capture_default_str()
      ->group(group);
  app.add_option("--span-decoding", s.span_decoding,
                 "With --head span: which may stand beside each other: flat, none\n"
                 "that share words; nested, none that cross; free, any")
      ->check(CLI::IsMember({"flat", "nested", "free"}))
      ->capture_default_str()
      ->group(group);
  app.add_option("--span-negatives", s.spans.negatives,
                 "With --head span: part of those without a label that each step\n"
                 "learns from")
      ->capture_default_str()
      ->group(group);
}

/// Options that mean nothing for the head are a mistake.
void check_head(const CLI::App& app, const settings& s) {
  const bool spans = s.head == "span";
  for (const char* name : {"--span-width", "--span-decoding", "--span-negatives"}) {
    if (!spans && app.count(name) > 0) throw usage_error{std::string(name) + " needs --head span"};
  }
  for (const char* name : {"--label-all-tokens", "--scheme"}) {
    if (spans && app.count(name) > 0) throw usage_error{std::string(name) + " is for tags: not with --head span"};
  }
}

void add_running(CLI::App& app, settings& s) {
  constexpr const char* group = "Running";
  auto* checkpoint = app.add_option("--checkpoint", s.checkpoint,
                                    "File that keeps the state of the run: written after each\n"
                                    "epoch and on Ctrl-C")
                         ->group(group);
  app.add_option("--checkpoint-every", s.training.checkpoint_every, "Also after so many steps")
      ->needs(checkpoint)
      ->group(group);
  app.add_option("--checkpoint-keep", s.training.checkpoint_keep,
                 "How many states are kept; more than 1 in a folder")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(checkpoint)
      ->group(group);
  auto* resume = app.add_flag("--resume", s.resume, "Go on from the checkpoint if it exists")
                     ->needs(checkpoint)
                     ->group(group);
  app.add_flag("--change-learning-rate", s.change_learning_rate,
               "Go on with the --learning-rate given here, which is noted\n"
               "in the checkpoint and the model's README.md")
      ->needs(resume)
      ->group(group);
  auto* divergence = app.add_option("--on-divergence", s.on_divergence,
                                    "At a step that is not finite: stop, or go back to the\n"
                                    "checkpoint with a lower-rate, which is noted likewise")
                         ->check(CLI::IsMember({"stop", "lower-rate"}))
                         ->needs(checkpoint)
                         ->capture_default_str()
                         ->group(group);
  app.add_option("--divergence-retries", s.divergence_retries, "How often at most")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(divergence)
      ->group(group);
  app.add_option("--divergence-factor", s.training.divergence_factor, "By which the learning rate is multiplied")
      ->capture_default_str()
      ->needs(divergence)
      ->group(group);
  app.add_flag("--recompute", s.recompute,
               "Keep less for the backward: half the memory per token, a tenth slower")
      ->group(group);
  app.add_option("--log-every", s.log_every, "Steps between two lines of a log")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->group(group);
}

}  // namespace

subcommand add_train(CLI::App& root) {
  auto s = std::make_shared<settings>();
  s->training.epochs = 3;
  s->training.learning_rate = 1e-4;
  auto& app = add_subcommand(
      root, "train",
      "Fine-tunes a pretrained encoder to find named entities. Data files are CoNLL columns: the\n"
      "word first, its BIO tag last, a blank line between sentences. The result is a folder that\n"
      "onoma tag and transformers load. Ctrl-C ends the run in order: with --checkpoint it can be\n"
      "resumed, without one the model is saved as it is; a second Ctrl-C aborts.",
      "  onoma train --encoder all-MiniLM-L6-v2 --train train.conll --dev dev.conll \\\n"
      "              --test test.conll --output my-model --epochs 5\n"
      "  onoma train --classic train.conll --dev dev.conll --test test.conll --output names.onoma");
  auto classic = std::make_shared<classic_settings>();
  auto* encoder = app.add_option("-e,--encoder,-m,--model", s->model,
                                 "Folder of the pretrained model: config.json, model.safetensors, tokenizer");
  auto* train_file = app.add_option("--train", s->train, "Training sentences");
  auto* dev = app.add_option("--dev", s->dev, "Sentences that choose the best epoch");
  app.add_option("--test", s->test, "Sentences for the final report");
  app.add_option("-o,--output,--out", s->output, "Folder to save the model in; with --classic a file")->required();
  app.add_flag("--overwrite", s->overwrite, "Write into a folder that is not empty, over another checkpoint");
  add_recipe(app, *s, dev);
  add_hard_data(app, s->hard, s->training);
  add_spans(app, *s);
  add_running(app, *s);
  add_columns(app, s->columns);
  auto schemes = scheme_names();
  schemes.emplace_back("BIO");
  app.add_option("--scheme", s->scheme,
                 "Scheme of the model's tags (default: IOB2, which is BIO). The scheme of\n"
                 "each file is recognised, and its tags are converted")
      ->check(CLI::IsMember(schemes));
  add_shared(app, *s, "Losses, dev scores of each epoch and final scores as one JSON object");
  add_classic(app, *classic, {encoder, train_file});
  return {&app, [s, classic, &app] {
            if (classic->train.empty()) {
              if (s->model.empty() || s->train.empty()) {
                throw usage_error{"--encoder and --train, or --classic, is required"};
              }
              check_head(app, *s);
              return train(*s, messages("onoma train", s->quiet));
            }
            check_classic_options(app);
            classic->shared = s.get();
            classic->dev = s->dev;
            classic->test = s->test;
            classic->output = s->output;
            classic->overwrite = s->overwrite;
            classic->columns = s->columns;
            return train_classic(*classic, messages("onoma train", s->quiet));
          }};
}

}  // namespace command
