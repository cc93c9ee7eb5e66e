/// Fine-tuning from start to end: epochs, schedule, clipping, evaluation, best model, checkpoints.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/train/adamw.hpp>
#include <onoma/train/batcher.hpp>
#include <onoma/train/checkpoint.hpp>
#include <onoma/train/checkpoint_store.hpp>
#include <onoma/train/layer_rates.hpp>
#include <onoma/train/schedule.hpp>
#include <onoma/train/tagging_task.hpp>
#include <onoma/train/training_run.hpp>

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
                                        .weight_decay = options_.weight_decay}),
        store_(options_.checkpoint, options_.checkpoint_keep) {
    check(!task_.examples().empty(), error_code::invalid_argument, "trainer", "training sentences", "none");
    model.set_trained_length(task_.window_length());
    model.set_loss(options_.loss);
    for (const auto& example : task_.examples()) {  // a head that knows no weights says so now
      if (example.weight != 1.0F) static_cast<void>(model.weigh(example.labels, static_cast<double>(example.weight)));
    }
    model.parameters().set_rate_factors(layer_rate_factors(model.parameters().layout(), model.config().layers,
                                                           options_.layer_decay, options_.frozen_layers));
    if constexpr (requires { task_.describe(model); }) task_.describe(model);
    // The number of batches can differ by epoch only with max_tokens; the first epoch stands for all.
    const index_t per_epoch = steps_of(plan_batches(task_.examples(), 0, options_.batch));
    set_rate(options_.learning_rate);
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

  /// The highest rate of the schedule, as it is now.
  [[nodiscard]] double learning_rate() const noexcept { return position_.learning_rate; }

  /// Continues from a training state: a file, or the newest state of a folder that can be read.
  /// @throws onoma::error as `load_training_state`; (file_not_found) for a folder without states;
  /// (invalid_argument) if another process uses the checkpoint of this run.
  resume_report resume(const std::filesystem::path& path, const resume_options& accepted = {}) {
    store_.lock();
    auto report = load_newest(path, accepted.change_learning_rate);
    passed_over_ = report.passed_over;
    if (store_.has(report.path)) store_.continues();
    return report;
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
  ///
  /// With a checkpoint, the run holds a lock on it and disk space for all states that it will keep.
  /// @throws divergence_error for a step that is not finite, once there are no retries left; onoma::error (io) if the
  /// disk has no place for the states; (invalid_argument) if another process uses the checkpoint.
  training_result run(const callback& report = {}) {
    training_result result;
    started_ = clock::now();
    paused_ = 0.0;
    tokens_done_ = 0;
    first_step_ = position_.step;
    check(!broken_, error_code::invalid_argument, "training",
          "the state before a step (resume from a checkpoint)");
    const checkpoint_store::opened open(store_, state_bytes());
    result.passed_over = std::exchange(passed_over_, {});
    // Of whoever had the model before.
    model_.parameters().zero_gradients();
    if (options_.divergence_retries > 0 && store_.is_new()) save_state();  // to go back to
    bool go_on = true;
    while (go_on && position_.epoch < options_.epochs && !out_of_patience()) {
      try {
        go_on = run_epoch(report, result);
      } catch (const divergence_error& problem) {
        if (rollbacks() >= options_.divergence_retries) throw;
        go_on = roll_back(problem.step(), report, result);
      }
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
    require_that(o.checkpoint_keep >= 1, "checkpoint_keep of at least 1");
    require_that(o.drop_ramp >= 1, "drop_ramp of at least 1");
    require_that(o.divergence_retries >= 0, "divergence_retries of at least 0");
    require_that(o.divergence_retries == 0 || !o.checkpoint.empty(), "a checkpoint to go back to after divergence");
    require_that(o.divergence_factor > 0.0 && o.divergence_factor < 1.0, "divergence_factor between 0 and 1");
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
    // Only where they are not as ever: states of earlier versions go on.
    const auto& loss = options_.loss;
    if (!loss.class_weights.empty()) all["class weights"] = loss.class_weights;
    if (loss.smoothing != 0.0) all["label smoothing"] = loss.smoothing;
    if (loss.focus != 0.0) all["focus"] = loss.focus;
    if (loss.dropped != 0.0) {
      all["dropped"] = loss.dropped;
      all["drop ramp"] = options_.drop_ramp;
    }
    if (options_.layer_decay != 1.0) all["layer decay"] = options_.layer_decay;
    if (options_.frozen_layers >= 0) all["frozen layers"] = options_.frozen_layers;
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
      throw divergence_error(position_.step, "finite parameters",
                             problem.operation() + ": " + problem.found());
    }
  }
  void save_state() {
    if (store_.is_none()) return;
    refuse_values();
    store_.make_room();
    save_training_state(store_.place(position_.step), model_.parameters(), optimizer_, best_, position_, settings());
    store_.saved(position_.step);
  }
  /// Of a training state on disk, at most.
  [[nodiscard]] std::uintmax_t state_bytes() const {
    const auto size = static_cast<std::uintmax_t>(model_.parameters().layout().size()) * sizeof(scalar);
    return size * (task_.has_dev() || !best_.empty() ? 4 : 3) + 2 * settings().dump().size() + (1U << 16);
  }

  void set_rate(double learning_rate) { schedule_.learning_rate = position_.learning_rate = learning_rate; }

  /// @throws onoma::error of the newest state, if none can be read.
  resume_report load_newest(const std::filesystem::path& path, bool any_rate) {
    resume_report report;
    std::optional<error> first;
    for (const auto& state : checkpoint_store::states(path)) {
      try {
        position_ = load_training_state(state, model_.parameters(), optimizer_, best_, settings(), any_rate);
        set_rate(position_.learning_rate);
        broken_ = false;
        report.path = state;
        return report;
      } catch (const error& problem) {
        if (problem.code() == error_code::invalid_argument) throw;  // of another run, as the others are
        report.passed_over.emplace_back(problem.what());
        if (!first) first = problem;
      }
    }
    if (first) throw *first;
    fail(error_code::file_not_found, "resuming from " + path.string(), "a training state", "none");
  }

  /// How often the run went back since somebody last chose its rate.
  [[nodiscard]] index_t rollbacks() const {
    index_t count = 0;
    for (const auto& change : position_.rate_changes) count = change.diverged_at > 0 ? count + 1 : 0;
    return count;
  }
  /// To the last good state, which is written again at once with the lower rate: who resumes makes the same choice.
  bool roll_back(index_t diverged_at, const callback& report, training_result& result) {
    const auto before = position_;
    // Of this run, though its rate may have been changed since.
    const auto found = load_newest(options_.checkpoint, true);
    result.passed_over.insert(result.passed_over.end(), found.passed_over.begin(), found.passed_over.end());
    set_rate(before.learning_rate * options_.divergence_factor);
    position_.rate_changes = before.rate_changes;
    position_.rate_changes.push_back({position_.step, before.learning_rate, position_.learning_rate, diverged_at});
    const auto undone = static_cast<std::size_t>(std::max<index_t>(0, before.step - position_.step));
    result.losses.resize(result.losses.size() - std::min(undone, result.losses.size()));
    save_state();
    training_progress progress;
    progress.learning_rate = schedule_(position_.step);
    progress.change = &position_.rate_changes.back();
    fill(progress, training_progress::kind::rollback, position_.epoch + 1);
    return !report || report(progress);
  }

  /// What the loss of a batch is divided by, for the mean.
  [[nodiscard]] double weigh(const std::vector<index_t>& members) const {
    double sum = 0.0;
    for (const index_t i : members) {
      const auto& example = task_.examples()[static_cast<std::size_t>(i)];
      sum += model_.weigh(example.labels, static_cast<double>(example.weight));
    }
    return sum;
  }

  /// Optimizer steps of an epoch.
  [[nodiscard]] index_t steps_of(const std::vector<std::vector<index_t>>& plan) const {
    return (static_cast<index_t>(plan.size()) + options_.accumulation - 1) / options_.accumulation;
  }

  /// Returns false if the callback asked to stop.
  bool run_epoch(const callback& report, training_result& result) {
    const auto plan = plan_batches(task_.examples(), position_.epoch, options_.batch);
    if (options_.loss.dropped > 0.0) {
      auto loss = options_.loss;
      loss.dropped *= std::min(1.0, static_cast<double>(position_.epoch) / static_cast<double>(options_.drop_ramp));
      model_.set_loss(loss);
    }
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
    double divisor = 0.0;
    for (std::size_t i = first; i < last; ++i) divisor += weigh(plan[i]);
    if (divisor <= 0.0) divisor = 1.0;  // nothing counts
    double sum = 0.0;
    for (std::size_t i = first; i < last; ++i) {
      fill_batch(task_.examples(), plan[i], batch_);
      model_.set_dropout(options_.batch.seed, static_cast<std::uint64_t>(position_.forward++));
      sum += model_.forward_loss(batch_, divisor).sum;
      model_.backward();
      tokens_done_ += batch_.tokens.tokens();
    }
    training_progress progress;
    progress.loss = sum / divisor;
    progress.learning_rate = schedule_(position_.step);
    progress.gradient_norm =
        clip_grad_norm(model_.parameters(), options_.max_grad_norm > 0.0
                                                ? options_.max_grad_norm
                                                : std::numeric_limits<double>::infinity());
    if (!std::isfinite(progress.loss) || !std::isfinite(progress.gradient_norm)) {
      throw divergence_error(position_.step + 1, "a finite loss and finite gradients",
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
    refuse_values();
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
  checkpoint_store store_;
  std::vector<std::string> passed_over_;  // by resume
  bool broken_ = false;  // the optimizer did not finish a step
};

/// Sentences make a tagging task.
template <class Model>
trainer(Model&, const tokenizer&, const std::vector<sentence>&, std::vector<sentence>, training_options)
    -> trainer<Model, tagging_task>;

}  // namespace onoma::inline ONOMA_ABI
