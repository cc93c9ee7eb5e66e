/// What a training run is told, what it reports, and what it gives.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/nn/loss.hpp>
#include <onoma/train/batcher.hpp>
#include <onoma/train/checkpoint.hpp>
#include <onoma/train/dataset.hpp>

#include <filesystem>
#include <string>
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
  double layer_decay = 1.0;          ///< of the learning rate from layer to layer downwards: `layer_rate_factors`
  index_t frozen_layers = -1;        ///< 0: the embeddings keep their values; n: the n lowest layers too; -1: none
  /// Epochs in which the dropped part of the loss rises from 0 to `loss.dropped`, evenly; at least 1.
  /// Source: Han et al., "Co-teaching", NeurIPS 2018, section 3 (there for two networks, with 10 epochs).
  index_t drop_ramp = 2;
  loss_options loss{};               ///< how labels count: for rare, uneven or wrong ones
  dataset_options data{};            ///< of the tagging task that the trainer makes of sentences
  index_t patience = 0;                ///< stop after so many epochs without a better dev score; 0: never
  std::filesystem::path checkpoint{};  ///< file, or folder, of the training state; empty: none is written
  index_t checkpoint_every = 0;        ///< steps between two of them; 0: after each epoch only
  index_t checkpoint_keep = 1;         ///< how many states are kept: 1 in a file, more in a folder (checkpoint_store)
  index_t divergence_retries = 0;      ///< how often a run that diverges goes back to its checkpoint; 0: it ends
  double divergence_factor = 0.5;    ///< by which the learning rate is multiplied then
};

/// What a run reports while it goes on.
struct training_progress {
  /// A report comes after each step and epoch, and when a run that diverged went back to its checkpoint.
  enum class kind { step, epoch, rollback } what = kind::step;  ///< after which it comes
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
  const rate_change* change = nullptr;  ///< for a rollback: the rate with which the run goes on
};

/// What `trainer::run` did.
struct training_result {
  training_position position;      ///< where the run stands at the end, and how its learning rate was changed
  double train_seconds = 0.0;      ///< of this call, evaluation left out
  double tokens_per_second = 0.0;  ///< likewise
  std::vector<double> losses;      ///< of the steps of this call that were not taken back
  bool stopped = false;            ///< the callback asked to stop: the run can be resumed
  std::vector<std::string> passed_over;  ///< states that could not be read when the run was resumed or went back
};

/// What may differ from the run that wrote a training state.
struct resume_options {
  /// The learning rate. The change is noted in the state, in `training_position::rate_changes`. Where the state has
  /// this rate already, a run that went back after it diverged keeps the rate that it had lowered.
  bool change_learning_rate = false;
};

/// From where a run goes on.
struct resume_report {
  std::filesystem::path path;            ///< of the state
  std::vector<std::string> passed_over;  ///< newer states that could not be read, by name and reason
};

/// A step whose loss or gradients are not finite, or after which parameters are not.
class divergence_error : public error {
 public:
  /// `step` from 1. The message has advice behind `wanted`, for who writes programs.
  divergence_error(index_t step, const std::string& wanted, const std::string& found)
      : error(error_code::invalid_argument, "training step " + std::to_string(step), wanted + advice, found),
        step_(step),
        wanted_(wanted) {}
  /// The number of the step, from 1.
  [[nodiscard]] index_t step() const noexcept { return step_; }
  /// What was expected, without the advice.
  [[nodiscard]] const std::string& wanted() const noexcept { return wanted_; }

 private:
  static constexpr const char* advice =
      " (a lower learning rate may help: resume the checkpoint with resume_options::change_learning_rate, or let "
      "training_options::divergence_retries do it)";

  index_t step_;
  std::string wanted_;
};

}  // namespace onoma::inline ONOMA_ABI
