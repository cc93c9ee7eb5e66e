/// onoma_train: fine-tunes a pretrained encoder for named entity recognition and saves a model.
#include "terminal.hpp"

#include <onoma/onoma.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <csignal>
#include <cstdio>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

namespace {

using onoma::index;

struct settings {
  std::string encoder;
  std::string train;
  std::string dev;
  std::string test;
  std::string output;
  std::string report;
  std::string checkpoint;
  bool resume = false;
  bool recompute = false;
  bool label_all_tokens = false;
  index threads = 0;
  index log_every = 0;
  onoma::training_options training;
};

volatile std::sig_atomic_t interrupted = 0;

std::vector<onoma::sentence> read_optional(const std::string& path) {
  return path.empty() ? std::vector<onoma::sentence>{} : onoma::read_conll(path);
}

/// Labels of the training data: the model predicts no others.
onoma::tag_set labels_of(const std::vector<onoma::sentence>& train, const std::string& name) {
  auto tags = onoma::tag_set::from_tags(onoma::tags_of(train));
  if (tags.size() < 2) {
    onoma::fail(onoma::error_code::invalid_argument, "reading " + name,
                "at least two different tags in the last column", tags.label(0));
  }
  return tags;
}

/// Shows progress as a moving bar on a terminal, as lines elsewhere.
class reporter {
 public:
  explicit reporter(index log_every)
      : bar_(terminal::is_interactive(stderr)), every_(log_every > 0 ? log_every : 50) {}

  bool operator()(const onoma::training_progress& p) {
    const bool is_epoch = p.what == onoma::training_progress::kind::epoch;
    if (bar_ && !is_epoch) {
      fmt::print(stderr, "\r\033[K{}", onoma::progress_bar(p));
    } else if (is_epoch) {
      fmt::print(stderr, "{}{}\n", bar_ ? "\r\033[K" : "", onoma::progress_line(p));
    } else if (p.step % every_ == 0) {
      fmt::print(stderr, "{}\n", onoma::progress_line(p));
    }
    std::fflush(stderr);
    return interrupted == 0;
  }

 private:
  bool bar_;
  index every_;
};

void print_report(const char* name, const onoma::ner_report& report) {
  fmt::print("\n{}: {}\n\n{}", name, onoma::summary(report), onoma::to_text(report, 4));
}

/// Before hours of training, not after.
void check_can_write(const settings& s) {
  onoma::check_can_save(s.output);
  for (const std::string& file : {s.checkpoint, s.report}) {
    if (file.empty()) continue;
    if (std::filesystem::is_directory(file)) {
      onoma::fail(onoma::error_code::invalid_argument, "writing " + file, "a file", "a folder");
    }
    // Made and thrown away: its folder exists and can be written to.
    const onoma::atomic_file probe(file);
  }
}

int train(settings s) {
  check_can_write(s);
  const auto train_set = onoma::read_conll(s.train);
  const auto dev_set = read_optional(s.dev);
  const auto test_set = read_optional(s.test);
  const auto tags = labels_of(train_set, s.train);
  const auto tokens = onoma::load_tokenizer(s.encoder);

  const auto threads = s.threads > 0 ? s.threads
                                     : static_cast<index>(std::thread::hardware_concurrency());
  onoma::thread_pool pool(threads);
  onoma::cpu_backend backend(pool);
  auto model = onoma::token_classifier<onoma::cpu_backend>::load(
      s.encoder, tags.labels(), backend,
      {.seed = s.training.batch.seed,
       .replace_head = true,
       .recompute = s.recompute});
  fmt::print(stderr, "{} sentences, {} labels, {} million parameters{}, {} thread(s)\n",
             train_set.size(), tags.size(), model.parameters().layout().size() / 1000000,
             model.report().initialised.empty() ? "" : ", new classification head", threads);

  s.training.data.align.label_all_tokens = s.label_all_tokens;
  s.training.checkpoint = s.checkpoint;
  onoma::trainer trainer(model, tokens, train_set, dev_set, s.training);
  if (s.resume && std::filesystem::exists(s.checkpoint)) {
    trainer.resume(s.checkpoint);
    fmt::print(stderr, "Resumed from {}\n", s.checkpoint);
  }
  if (!s.checkpoint.empty()) std::signal(SIGINT, [](int) { interrupted = 1; });
  const auto result = trainer.run(reporter(s.log_every));
  if (result.stopped) {
    fmt::print(stderr, "\nStopped at step {}; go on with --resume --checkpoint {}\n",
               result.position.step, s.checkpoint);
    return 130;
  }
  fmt::print(stderr, "Trained {} steps in {}, {:.0f} tokens/s\n", result.position.step,
             onoma::format_duration(result.train_seconds), result.tokens_per_second);

  onoma::json summary = {{"seed", s.training.batch.seed},
                         {"threads", threads},
                         {"steps", result.position.step},
                         {"train_seconds", result.train_seconds},
                         {"tokens_per_second", result.tokens_per_second},
                         {"best_epoch", result.position.best_epoch},
                         {"losses", result.losses}};
  const auto evaluate = [&](const char* name, const std::vector<onoma::sentence>& sentences) {
    if (sentences.empty()) return;
    const auto report = onoma::evaluate_on(model, tokens, sentences, {},
                                           {s.training.data.max_length, 64, 2048});
    print_report(name, report);
    summary[name] = onoma::to_json(report);
  };
  evaluate("dev", dev_set);
  evaluate("test", test_set);
  model.save(s.output);
  if (!s.report.empty()) onoma::write_file_atomically(s.report, summary.dump(2) + "\n");
  fmt::print(stderr, "\nSaved {}\n", s.output);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  auto& t = s.training;
  t.epochs = 3;
  t.learning_rate = 1e-4;
  CLI::App app("Fine-tunes a pretrained encoder of the BERT family to find named entities.\n"
               "Data files are CoNLL columns: the word first, its BIO tag last, a blank line between\n"
               "sentences. The result is a folder that onoma_tag and transformers load.");
  app.footer("Example:\n"
             "  onoma_train --encoder all-MiniLM-L6-v2 --train train.conll --dev dev.conll \\\n"
             "              --test test.conll --output my-model --epochs 5");
  app.add_option("-e,--encoder", s.encoder,
                 "Folder of the pretrained model: config.json, model.safetensors, tokenizer")
      ->required();
  app.add_option("--train", s.train, "Training sentences")->required();
  auto* dev = app.add_option("--dev", s.dev, "Sentences that choose the best epoch");
  app.add_option("--test", s.test, "Sentences for the final report");
  app.add_option("-o,--output", s.output, "Folder to save the model in")->required();
  app.add_option("--json", s.report, "File for losses and scores as JSON");
  auto* recipe = app.add_option_group("Recipe");
  recipe->add_option("--epochs", t.epochs, "Passes over the training data")->capture_default_str();
  recipe->add_option("--learning-rate", t.learning_rate, "Highest learning rate")
      ->capture_default_str();
  recipe->add_option("--batch-size", t.batch.batch_size, "Sentences per batch; 0: no limit")
      ->capture_default_str();
  recipe->add_option("--max-tokens", t.batch.max_tokens, "Tokens per batch; 0: no limit")
      ->capture_default_str();
  recipe->add_option("--accumulation", t.accumulation, "Batches per optimizer step")
      ->capture_default_str();
  recipe->add_option("--warmup", t.warmup, "Part of the steps in which the rate rises")
      ->capture_default_str();
  recipe->add_option("--weight-decay", t.weight_decay, "Not on biases and LayerNorm weights")
      ->capture_default_str();
  recipe->add_option("--max-grad-norm", t.max_grad_norm, "Clip the gradient to this; 0: never")
      ->capture_default_str();
  recipe->add_option("--max-length", t.data.max_length, "Tokens per example")
      ->capture_default_str();
  recipe->add_option("--patience", t.patience, "Stop after so many epochs without a better dev F1")
      ->needs(dev)
      ->capture_default_str();
  recipe->add_option("--seed", t.batch.seed, "The same seed gives the same model")
      ->capture_default_str();
  recipe->add_flag("--label-all-tokens", s.label_all_tokens,
                   "Train on every piece of a word, not on the first alone");
  auto* running = app.add_option_group("Running");
  running->add_option("--threads", s.threads, "Threads (default: all cores)")
      ->check(CLI::Range(1, 4096));
  running->add_flag("--recompute", s.recompute,
                    "Keep less for the backward: half the memory per token, a tenth slower");
  auto* checkpoint = running->add_option("--checkpoint", s.checkpoint,
                                         "File that keeps the state of the run; written after\n"
                                         "each epoch and on Ctrl-C");
  running->add_option("--checkpoint-every", t.checkpoint_every, "Also after so many steps")
      ->needs(checkpoint);
  running->add_flag("--resume", s.resume, "Go on from the checkpoint if it exists")
      ->needs(checkpoint);
  running->add_option("--log-every", s.log_every, "Steps between two lines of a log (default: 50)");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return terminal::run("onoma_train", [&] { return train(s); });
}
