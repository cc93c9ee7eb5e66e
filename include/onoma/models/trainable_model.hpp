/// A model whose weights change: forward with a loss, backward, and saving.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/models/encoder_model.hpp>
#include <onoma/models/session.hpp>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Bytes that a training step holds (docs/memory.md).
struct training_memory {
  index_t parameters = 0;   ///< values, gradients and the optimizer's two moments
  index_t packed = 0;       ///< linear weights as the kernels of both directions read them
  index_t activations = 0;  ///< what the forward keeps for the backward
  index_t scratch = 0;      ///< what lives within one layer
};

/// An encoder with a head, for fine-tuning. One model serves one thread at a time. The backend must outlive
/// it. Movable.
template <training_backend B, encoder_head Head>
class trainable_model {
 public:
  using backend_type = B;                      ///< what computes
  using scalar = typename B::scalar;           ///< the type of numbers
  using head_type = Head;                      ///< what stands on the encoder
  using targets = typename Head::targets;      ///< what its loss compares with
  using batch_type = training_batch<targets>;  ///< what `forward_loss` takes

  /// A model with new weights: N(0, initializer_range) for matrices, by seed.
  /// @throws onoma::error (invalid_argument) for a configuration that contradicts itself.
  trainable_model(encoder_config config, B& device, model_options options = {})
      : trainable_model(std::move(config), options, device) {
    model_->allocate(device, true, parameter_layout::of<scalar>(*model_, true));
    fill_parameters({}, {}, this->config().initializer_range, seed_, *model_->parameters_, *model_);
    open_session();
  }

  /// Loads a folder as the Hub publishes it (config.json, weights). `labels` replace those of config.json;
  /// empty: keep them. A checkpoint without this head gets a new one, and the report says so. A head with
  /// names for its labels is only used with these labels.
  /// @throws onoma::error (file_not_found, io, parse, format, missing), (unsupported) for int8 weights, or
  /// (invalid_argument) for a head with other labels unless `replace_head`, and for settings that are not the
  /// head's.
  [[nodiscard]] static trainable_model load(const std::filesystem::path& path,
                                            std::vector<std::string> labels, B& device,
                                            model_options options = {}) {
    auto folder = model_folder::open(path, options.verify, file_access::mapped, executor_of(device));
    auto config = encoder_config::from_json(folder.config());
    if (config.int8_weights) {
      fail(error_code::unsupported, "load '" + path.string() + "' for training",
           "float weights: integers take no small steps (train the float model, then quantise it)",
           "int8 weights");
    }
    // The head, if the folder has one.
    bool replaces = options.replace_head && config.head != Head::kind;
    if (!labels.empty()) {
      const bool only_named = config.labels_are_default && config.labels.size() == labels.size();
      if (config.labels != labels && !only_named) {
        replaces = true;
        config.own.erase(std::exchange(config.head, "token"));  // with its settings
        config.scheme.reset();
      }
      if (config.labels != labels) check_new_labels(labels);
      std::swap(config.labels, labels);
      config.labels_are_default = false;
    }
    trainable_model model(std::move(config), options, device);
    if (replaces && !options.replace_head && model.model_->tensor_map().has_head(folder.tensors())) {
      fail(error_code::invalid_argument, "load '" + path.string() + "'",
           "the labels that its head was trained for (" + list(labels) + "), or the option to replace the head",
           list(model.labels()));
    }
    model.model_->fill(folder, device, true, replaces, options.seed, {});
    model.tokenizer_files_ = read_tokenizer_files(path);
    model.open_session();
    return model;
  }

  /// Writes a folder that transformers loads unchanged: config.json, model.safetensors (F32), and
  /// the tokenizer files of the folder that the model was loaded from. All or nothing.
  /// @throws onoma::error (io); (format) for parameters that are not finite.
  void save(const std::filesystem::path& path) const {
    const auto checkpoint = make_checkpoint(model_->tensor_map(), parameters());
    for (const auto& tensor : checkpoint.tensors) refuse_not_finite("saving " + path.string(), tensor);
    save_model_folder(path, config().to_json(), checkpoint.tensors, tokenizer_files_);
  }

  /// Bytes that `save` writes, rather more than less: to reserve disk space before a long run (`reserve_for_folder`).
  [[nodiscard]] std::uintmax_t save_size() const {
    const auto& layout = parameters().layout();
    std::uintmax_t bytes = static_cast<std::uintmax_t>(layout.size()) * sizeof(float) + layout.entries().size() * 512;
    for (const auto& [name, content] : tokenizer_files_) bytes += content.size();
    return bytes + config().to_json().dump().size() * 4 + (1U << 20);
  }

  /// Encoder and head.
  [[nodiscard]] const encoder_model<B, Head>& model() const noexcept { return *model_; }
  /// What config.json says, or said.
  [[nodiscard]] const encoder_config& config() const noexcept { return model_->config_; }
  /// By id.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return model_->labels(); }
  /// The longest sequence in tokens, special ones included.
  [[nodiscard]] index_t max_length() const noexcept { return model_->max_length(); }
  /// What loading found, and which parameters are new.
  [[nodiscard]] const load_report& report() const noexcept { return model_->report(); }
  /// What computes.
  [[nodiscard]] B& device() const noexcept { return *device_; }
  /// How long the windows are that the model is trained on: saved with it, for those who run it.
  void set_trained_length(index_t tokens) noexcept { model_->config_.trained_length = tokens; }
  /// Something else that training found and that is saved with the model: see `encoder_config::own`.
  void set_own(std::string_view key, json value) {
    model_->config_.own[std::string(key)] = std::move(value);
  }

  /// For optimizers. The reference survives a move of the model.
  [[nodiscard]] parameter_store<B>& parameters() noexcept { return *model_->parameters_; }
  /// Likewise, read only.
  [[nodiscard]] const parameter_store<B>& parameters() const noexcept { return *model_->parameters_; }

  /// Runs the weights as they are now; a pending `backward` is given up. The reference is valid until the
  /// model moves.
  [[nodiscard]] session<B, Head>& inference() {
    // The session overwrites what a pending backward would read.
    pending_ = false;
    parameters().pack_changed();
    return *session_;
  }
  /// As those of a session with these weights.
  [[nodiscard]] mat<const scalar> logits(const token_batch& batch)
    requires token_scoring_head<Head>
  {
    return inference().logits(batch);
  }
  /// See `session::probabilities`.
  [[nodiscard]] mat<const scalar> probabilities(const token_batch& batch)
    requires token_scoring_head<Head>
  {
    return inference().probabilities(batch);
  }
  /// See `session::hidden_states`.
  [[nodiscard]] std::vector<std::vector<scalar>> hidden_states(const token_batch& batch) {
    return inference().hidden_states(batch);
  }

  /// How the loss counts labels from now on.
  /// @throws onoma::error (invalid_argument) as `loss_options::check_for`; (unsupported) for anything but a plain loss
  /// where the head knows no other.
  void set_loss(const loss_options& loss) {
    if constexpr (weighing_head<Head>) {
      model_->head_.set_loss(loss);
    } else {
      refuse_unless(loss.is_plain());
    }
  }
  /// What one sequence adds to the divisor of a mean loss: of token labels, how many there are, or the sum of their
  /// class weights. @throws onoma::error (unsupported) for another weight than 1 where the head knows none.
  [[nodiscard]] double weigh(const typename targets::item& of_sequence, double weight = 1.0) const {
    if constexpr (weighing_head<Head>) {
      return weight * model_->head().weigh(of_sequence);
    } else {
      refuse_unless(weight == 1.0);
      return static_cast<double>(targets::count(of_sequence));
    }
  }

  /// Which dropout masks the next `forward_loss` uses; each call advances the step by one. Setting
  /// both makes a run repeatable from any point.
  void set_dropout(std::uint64_t seed, std::uint64_t step) noexcept {
    seed_ = seed;
    step_ = step;
  }

  /// The head's loss for `batch`, with dropout; keeps what `backward` reads. The gradients will be those of
  /// sum / divisor. `divisor` 0: what the loss counts in this batch (of token labels: the labelled tokens, or the sum
  /// of their weights, so that the loss is their mean, as torch.nn.CrossEntropyLoss); where gradients of several
  /// batches accumulate, what it counts in all of them: the sum of `weigh`.
  /// @throws onoma::error (out_of_range) for an id outside the vocabulary, a sequence that is too long, or a
  /// target that is none of the head's.
  loss_result forward_loss(const batch_type& batch, double divisor = 0.0) {
    pending_ = false;
    input_.set(batch.tokens, config());
    const index_t labelled = model_->head().check(batch);
    model_->head().wanted(batch, wanted_);
    parameters().pack_changed();
    double scale = divisor > 0.0 ? divisor : static_cast<double>(labelled);
    if constexpr (weighing_head<Head>) {
      if (divisor <= 0.0) scale = model_->head().weigh(batch);
    } else {
      refuse_unless(batch.weights.empty());
    }
    if (scale <= 0.0) scale = 1.0;  // nothing counts
    saved_.masks = {true, seed_, step_++};
    const auto loss = workspace_->run(true, [&](arena& activations, arena& scratch) {
      return run_loss(training_pass(activations, scratch), batch, scale);
    });
    pending_ = true;
    return loss;
  }

  /// Adds the gradients of the last `forward_loss` to those of the parameters.
  /// @throws onoma::error (invalid_argument) without a forward_loss before it.
  void backward() {
    check(std::exchange(pending_, false), error_code::invalid_argument, "backward",
          "a forward_loss before it");
    workspace_->run(false, [&](arena& activations, arena& scratch) {
      run_backward(training_pass(activations, scratch));
    });
  }

  /// What training a model of this configuration on `batch` would hold. Measured, not estimated: the
  /// step runs on arenas that count, with the kernels switched off and no memory for weights.
  [[nodiscard]] static training_memory measure_training(encoder_config config, B& device,
                                                        const batch_type& batch,
                                                        model_options options = {}) {
    trainable_model model(std::move(config), options, device);
    training_memory memory;
    const index_t parameters = parameter_layout::of<scalar>(*model.model_, true).size();
    memory.parameters = 4 * parameters * static_cast<index_t>(sizeof(scalar));
    model.model_->visit_linears([&](const linear<B>& layer) {
      memory.packed += 2 * layer.weight().size() * static_cast<index_t>(sizeof(scalar));
    });
    arena activations;
    arena forward_scratch;
    arena backward_scratch;
    const dry_run_scope<B> dry(device);
    model.saved_.masks = {true, options.seed, 0};
    model.input_.set(batch.tokens, model.config());
    model.model_->head().wanted(batch, model.wanted_);
    model.run_loss(model.training_pass(activations, forward_scratch), batch, 1.0);
    model.run_backward(model.training_pass(activations, backward_scratch));
    memory.activations = activations.peak();
    memory.scratch = std::max(forward_scratch.peak(), backward_scratch.peak());
    return memory;
  }

  /// Bytes of activations and scratch that this model holds now: they grow to the largest batch, with
  /// half as much to spare.
  [[nodiscard]] index_t workspace_size() const noexcept { return workspace_->size(); }

 private:
  struct saved {
    dropout_masks masks;
    typename encoder<B>::saved body;
    typename Head::saved head;
  };

  /// Without memory for parameters.
  trainable_model(encoder_config config, const model_options& options, B& device)
      : device_(&device),
        recompute_(options.recompute),
        seed_(options.seed),
        model_(std::make_shared<encoder_model<B, Head>>(
            typename encoder_model<B, Head>::token{},
            (encoder_model<B, Head>::set_head(config, options), std::move(config)))),
        workspace_(std::make_shared<workspace<B>>(device)) {}

  void open_session() {
    session_ = std::unique_ptr<session<B, Head>>(new session<B, Head>(model_, *device_, workspace_));
  }

  static void refuse_unless(bool plain) {
    if (plain) return;
    fail(error_code::unsupported, "the loss of a head '" + std::string(Head::kind) + "'",
         "labels and sentences that count alike", "weights, smoothing or focus, which are for a head 'token'");
  }

  /// A checkpoint's head may have two labels of one name; in a new one that is a mistake.
  static void check_new_labels(std::vector<std::string> labels) {
    std::sort(labels.begin(), labels.end());
    const auto twice = std::adjacent_find(labels.begin(), labels.end());
    if (twice == labels.end()) return;
    fail(error_code::invalid_argument, "labels of a new head", "each label once", "'" + *twice + "' twice");
  }

  static std::string list(const std::vector<std::string>& labels) {
    std::string text;
    for (const auto& label : labels) text += (text.empty() ? "" : " ") + label;
    return text;
  }

  pass<B> training_pass(arena& activations, arena& scratch) const {
    return {*device_, activations, scratch, true, saved_.masks, recompute_};
  }

  loss_result run_loss(const pass<B>& run, const batch_type& batch, double divisor) {
    auto input = input_.upload(run);
    if (!wanted_.empty()) {
      input.wanted = run.upload({wanted_.data(), static_cast<index_t>(wanted_.size())});
    }
    const auto hidden = model_->body().forward(run, input, saved_.body);
    return model_->head().forward_loss(run, batch, hidden, divisor, saved_.head);
  }

  void run_backward(const pass<B>& run) {
    model_->body().backward(run, model_->head().backward(run, saved_.head), saved_.body);
  }

  B* device_;
  bool recompute_;
  std::uint64_t seed_;
  std::uint64_t step_ = 0;
  std::shared_ptr<encoder_model<B, Head>> model_;
  std::shared_ptr<workspace<B>> workspace_;
  std::unique_ptr<session<B, Head>> session_;  // over the same weights and the same memory
  bool pending_ = false;
  saved saved_;
  batch_input input_;
  std::vector<std::int32_t> wanted_;  // [M] the rows that the loss of the current batch reads; none: all
  std::map<std::string, std::string> tokenizer_files_;  // by name: saved with the model
};

}  // namespace onoma::inline ONOMA_ABI
