/// Fine-tuning from start to end: epochs, schedule, clipping, evaluation, best model, checkpoints.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/train/adamw.hpp>
#include <onoma/train/batcher.hpp>
#include <onoma/train/checkpoint.hpp>
#include <onoma/train/schedule.hpp>
#include <onoma/train/tagging_task.hpp>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <concepts>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The recipe of a run, and what it keeps on disk.
struct training_options {
  index_t epochs = 3;                  ///< passes over the training data
  double learning_rate = 5e-5;       ///< the highest of the schedule
  double warmup = 0.1;               ///< part of all steps
  double weight_decay = 0.01;        ///< not on biases and LayerNorm weights
  double max_grad_norm = 1.0;        ///< 0: no clipping
  index_t accumulation = 1;            ///< batches per optimizer step
  batch_options batch{};             ///< its seed is also that of dropout
  dataset_options data{};            ///< of the tagging task that the trainer makes of sentences
  index_t patience = 0;                ///< stop after so many epochs without a better dev score; 0: never
  std::filesystem::path checkpoint;  ///< file of the training state; empty: none is written
  index_t checkpoint_every = 0;        ///< steps between two of them; 0: after each epoch only
};

/// What a run reports while it goes on.
struct training_progress {
  /// A report comes after each of both.
  enum class kind { step, epoch } what = kind::step;  ///< after which it comes
  index_t epoch = 0;                  ///< from 1
  index_t epochs = 0;                 ///< of the whole run
  index_t step = 0;                   ///< optimizer steps so far
  index_t total_steps = 0;            ///< of the whole run
  double loss = 0.0;                ///< mean of this step's labelled tokens; for an epoch: of all its steps
  double learning_rate = 0.0;       ///< of this step; for an epoch: of the next
  double gradient_norm = 0.0;       ///< before clipping
  double tokens_per_second = 0.0;   ///< since the run began or was resumed, evaluation left out
  double seconds = 0.0;             ///< likewise
  double seconds_left = 0.0;        ///< of training, by the mean of the steps so far
  const ner_report* dev = nullptr;  ///< for an epoch with a dev set
  bool is_best = false;             ///< its score is above those of all epochs before
};

/// What `trainer::run` did.
struct training_result {
  training_position position;      ///< where the run stands at the end
  double train_seconds = 0.0;      ///< of this call, evaluation left out
  double tokens_per_second = 0.0;  ///< likewise
  std::vector<double> losses;      ///< of the steps of this call
  bool stopped = false;            ///< the callback asked to stop: the run can be resumed
};

/// Trains a model for a task. The order of batches, the dropout masks and every sum depend on the
/// seed and the data alone: the same seed gives the same weights with any number of threads.
template <class Model, training_task<Model> Task>
class trainer {
 public:
  using scalar = typename Model::scalar;  ///< the type of numbers
  /// Called after every step and epoch; returning false stops the run after a checkpoint.
  using callback = std::function<bool(const training_progress&)>;

  /// The model must outlive the trainer. It is told the length of the task's windows, which is saved with it,
  /// and what else the task describes.
  /// @throws onoma::error (invalid_argument) for options outside their domain, or a task without examples.
  trainer(Model& model, Task task, training_options options)
      : model_(model),
        task_(std::move(task)),
        options_(checked(std::move(options))),
        optimizer_(model.parameters(), {.learning_rate = options_.learning_rate,
                                        .weight_decay = options_.weight_decay}) {
    check(!task_.examples().empty(), error_code::invalid_argument, "trainer", "training sentences", "none");
    model.set_trained_length(task_.window_length());
    if constexpr (requires { task_.describe(model); }) task_.describe(model);
    // The number of batches can differ by epoch only with max_tokens; the first epoch stands for all.
    const index_t per_epoch = steps_of(plan_batches(task_.examples(), 0, options_.batch));
    schedule_.learning_rate = options_.learning_rate;
    schedule_.total_steps = per_epoch * options_.epochs;
    // Rounded up, as transformers' Trainer does (TrainingArguments.get_warmup_steps).
    schedule_.warmup_steps = static_cast<index_t>(
        std::ceil(options_.warmup * static_cast<double>(schedule_.total_steps)));
  }

  /// For token labels: makes the tagging task of sentences. The tokenizer must outlive the trainer.
  /// @throws onoma::error also (out_of_range) for tags that the model does not have.
  trainer(Model& model, const tokenizer& tokens, const std::vector<sentence>& train,
          std::vector<sentence> dev, training_options options)
    requires std::same_as<Task, tagging_task>
      : trainer(model, tagging_task(model, tokens, train, std::move(dev), checked(options).data), options) {}

  /// What the model is trained for.
  [[nodiscard]] const Task& task() const noexcept { return task_; }
  /// Those of the task.
  [[nodiscard]] const auto& examples() const noexcept { return task_.examples(); }
  /// Optimizer steps of all epochs.
  [[nodiscard]] index_t total_steps() const noexcept { return schedule_.total_steps; }

  /// Continues from a training state. @throws onoma::error as `load_training_state`.
  void resume(const std::filesystem::path& path) {
    position_ = load_training_state(path, model_.parameters(), optimizer_, best_, settings());
    broken_ = false;
  }

  /// Gives the model the weights of the best epoch so far. False if no epoch was scored.
  bool use_best() {
    if (best_.empty()) return false;
    model_.device().upload(best_.data(), model_.parameters().values());
    model_.parameters().changed();
    return true;
  }

  /// Runs what is left. With a dev set the model ends with the weights of its best epoch, unless the
  /// callback stops the run: then with those of the last step (`use_best` has the others).
  training_result run(const callback& report = {}) {
    training_result result;
    started_ = clock::now();
    paused_ = 0.0;
    tokens_done_ = 0;
    first_step_ = position_.step;
    check(!broken_, error_code::invalid_argument, "training",
          "the state before a step (resume from a checkpoint)");
    // Of whoever had the model before.
    model_.parameters().zero_gradients();
    bool go_on = true;
    while (go_on && position_.epoch < options_.epochs && !out_of_patience()) {
      go_on = run_epoch(report, result);
    }
    result.stopped = !go_on;
    refuse_values();
    result.train_seconds = seconds();
    result.tokens_per_second = rate();
    if (result.stopped) {
      save_state();
    } else {
      use_best();
    }
    result.position = position_;
    return result;
  }

 private:
  using clock = std::chrono::steady_clock;

  static training_options checked(training_options o) {
    const auto require_that = [](bool ok, const char* expected) {
      check(ok, error_code::invalid_argument, "training options", expected);
    };
    require_that(o.epochs >= 1, "epochs of at least 1");
    require_that(std::isfinite(o.learning_rate) && o.learning_rate > 0.0, "learning_rate above 0");
    require_that(o.warmup >= 0.0 && o.warmup < 1.0, "warmup from 0 to below 1");
    require_that(std::isfinite(o.weight_decay) && o.weight_decay >= 0.0, "weight_decay of at least 0");
    require_that(std::isfinite(o.max_grad_norm) && o.max_grad_norm >= 0.0,
                 "max_grad_norm of at least 0");
    require_that(o.accumulation >= 1, "accumulation of at least 1");
    return o;
  }

  /// Everything that decides what the next step does.
  [[nodiscard]] json settings() const {
    json all = task_.settings();
    all.update({{"epochs", options_.epochs},
                {"learning rate", options_.learning_rate},
                {"warm-up", options_.warmup},
                {"weight decay", options_.weight_decay},
                {"clipping", options_.max_grad_norm},
                {"accumulation", options_.accumulation},
                {"batch size", options_.batch.batch_size},
                {"max tokens", options_.batch.max_tokens},
                {"seed", options_.batch.seed},
                {"parameters", model_.parameters().layout().size()}});
    return all;
  }

  [[nodiscard]] double seconds() const {
    return std::chrono::duration<double>(clock::now() - started_).count() - paused_;
  }
  [[nodiscard]] double rate() const {
    return seconds() > 0.0 ? static_cast<double>(tokens_done_) / seconds() : 0.0;
  }
  [[nodiscard]] bool out_of_patience() const {
    return options_.patience > 0 && position_.epochs_since_best >= options_.patience;
  }
  /// Nothing that is not finite is kept: not as a state, not as the best weights, not as the result.
  void refuse_values() const {
    try {
      refuse_not_finite(model_.parameters());
    } catch (const error& problem) {
      fail(error_code::invalid_argument, "training step " + std::to_string(position_.step),
           "finite parameters (a lower learning rate may help)", problem.operation() + ": " + problem.found());
    }
  }
  void save_state() const {
    if (options_.checkpoint.empty()) return;
    refuse_values();
    save_training_state(options_.checkpoint, model_.parameters(), optimizer_, best_, position_,
                        settings());
  }

  /// Optimizer steps of an epoch.
  [[nodiscard]] index_t steps_of(const std::vector<std::vector<index_t>>& plan) const {
    return (static_cast<index_t>(plan.size()) + options_.accumulation - 1) / options_.accumulation;
  }

  /// Returns false if the callback asked to stop.
  bool run_epoch(const callback& report, training_result& result) {
    const auto plan = plan_batches(task_.examples(), position_.epoch, options_.batch);
    while (position_.batch < static_cast<index_t>(plan.size())) {
      auto progress = step(plan);
      result.losses.push_back(progress.loss);
      if (report && !report(progress)) return false;
      if (options_.checkpoint_every > 0 && position_.step % options_.checkpoint_every == 0) {
        save_state();
      }
    }
    const bool go_on = finish_epoch(position_.loss / static_cast<double>(steps_of(plan)), report);
    if (go_on) save_state();
    return go_on;
  }

  /// A step is done as a whole, or the run stands where it stood; but if the optimizer fails on its way through
  /// the parameters, which nobody can take back, nothing may build on them.
  training_progress step(const std::vector<std::vector<index_t>>& plan) {
    const auto forward = position_.forward;
    try {
      return try_step(plan);
    } catch (...) {
      position_.forward = forward;
      model_.parameters().zero_gradients();
      throw;
    }
  }

  training_progress try_step(const std::vector<std::vector<index_t>>& plan) {
    const auto first = static_cast<std::size_t>(position_.batch);
    const auto last =
        std::min(plan.size(), first + static_cast<std::size_t>(options_.accumulation));
    index_t labelled = 0;
    for (std::size_t i = first; i < last; ++i) labelled += count_targets(task_.examples(), plan[i]);
    double sum = 0.0;
    for (std::size_t i = first; i < last; ++i) {
      fill_batch(task_.examples(), plan[i], batch_);
      model_.set_dropout(options_.batch.seed, static_cast<std::uint64_t>(position_.forward++));
      sum += model_.forward_loss(batch_, std::max<index_t>(labelled, 1)).sum;
      model_.backward();
      tokens_done_ += batch_.tokens.tokens();
    }
    training_progress progress;
    progress.loss = sum / static_cast<double>(std::max<index_t>(labelled, 1));
    progress.learning_rate = schedule_(position_.step);
    progress.gradient_norm =
        clip_grad_norm(model_.parameters(), options_.max_grad_norm > 0.0
                                                ? options_.max_grad_norm
                                                : std::numeric_limits<double>::infinity());
    if (!std::isfinite(progress.loss) || !std::isfinite(progress.gradient_norm)) {
      fail(error_code::invalid_argument, "training step " + std::to_string(position_.step + 1),
           "a finite loss and finite gradients (a lower learning rate may help)",
           "a loss of " + std::to_string(progress.loss) + " and gradients of norm " +
               std::to_string(progress.gradient_norm));
    }
    broken_ = true;
    optimizer_.step(progress.learning_rate);
    broken_ = false;
    ++position_.step;
    position_.batch = static_cast<index_t>(last);
    position_.loss += progress.loss;
    fill(progress, training_progress::kind::step, position_.epoch + 1);
    return progress;
  }

  void fill(training_progress& progress, typename training_progress::kind what, index_t epoch) const {
    progress.what = what;
    progress.epoch = epoch;
    progress.epochs = options_.epochs;
    progress.step = position_.step;
    progress.total_steps = schedule_.total_steps;
    progress.tokens_per_second = rate();
    progress.seconds = seconds();
    const auto done = static_cast<double>(std::max<index_t>(1, position_.step - first_step_));
    const auto left = static_cast<double>(std::max<index_t>(0, progress.total_steps - position_.step));
    progress.seconds_left = progress.seconds / done * left;
  }

  /// What can fail comes first: then nothing has changed, and a further run ends the epoch again.
  bool finish_epoch(double loss, const callback& report) {
    training_progress progress;
    progress.loss = loss;
    progress.learning_rate = schedule_(position_.step);
    std::optional<ner_report> dev;
    auto next = position_;
    next.batch = 0;
    next.loss = 0.0;
    ++next.epoch;
    if (task_.has_dev()) {
      const auto before = clock::now();
      dev = task_.evaluate(model_);
      paused_ += std::chrono::duration<double>(clock::now() - before).count();
      progress.dev = &*dev;
      progress.is_best = task_.score(*dev) > position_.best_score;
      if (progress.is_best) {
        refuse_values();
        next.best_score = task_.score(*dev);
        next.best_epoch = next.epoch;
        next.epochs_since_best = 0;
        best_.resize(static_cast<std::size_t>(model_.parameters().layout().size()));
        model_.device().download(model_.parameters().values(), best_.data());
      } else {
        ++next.epochs_since_best;
      }
    }
    position_ = next;
    fill(progress, training_progress::kind::epoch, position_.epoch);
    return !report || report(progress);
  }

  Model& model_;
  Task task_;
  training_options options_;
  adamw<typename Model::backend_type> optimizer_;
  schedule schedule_;
  training_position position_;
  std::vector<scalar> best_;  // parameters of the best epoch
  typename Model::batch_type batch_;
  clock::time_point started_;
  double paused_ = 0.0;
  index_t tokens_done_ = 0;
  index_t first_step_ = 0;
  bool broken_ = false;  // the optimizer did not finish a step
};

/// Sentences make a tagging task.
template <class Model>
trainer(Model&, const tokenizer&, const std::vector<sentence>&, std::vector<sentence>, training_options)
    -> trainer<Model, tagging_task>;

}  // namespace onoma::inline ONOMA_ABI
