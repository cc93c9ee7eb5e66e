/// An encoder with a linear head that scores the labels of each token: the model of a NER tagger.
#pragma once

#include <onoma/core/ragged.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/models/checkpoint.hpp>
#include <onoma/models/encoder.hpp>
#include <onoma/models/packed_cache.hpp>
#include <onoma/nn/loss.hpp>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct model_options {
  std::uint64_t seed = 42;    ///< of new weights and of dropout
  bool training = true;       ///< false: no gradients, and weights only as kernels read them
  bool replace_head = false;  ///< start a new head where the checkpoint's has other labels
  bool require_head = false;  ///< refuse a checkpoint without a head, an encoder alone
  bool recompute = false;     ///< less memory per token of training, a tenth more time, the same bits
  /// A file for the packed weights of inference: mapped, if it was made from this checkpoint on such a
  /// machine, and else written once they are packed, so that the next start maps it. Empty: none.
  std::filesystem::path packed_cache{};
};

/// Bytes that a training step holds (docs/memory.md).
struct training_memory {
  index parameters = 0;   ///< values, gradients and the optimizer's two moments
  index packed = 0;       ///< linear weights as the kernels of both directions read them
  index activations = 0;  ///< what the forward keeps for the backward
  index scratch = 0;      ///< what lives within one layer
};

/// Transformers' BertForTokenClassification and its counterparts in the other families.
///
/// A model serves one thread at a time: results and activations live in its own memory, which grows
/// to the largest batch and stays. The backend must outlive it.
template <backend B>
class token_classifier {
 public:
  using scalar = typename B::scalar;

  /// A model with new weights: N(0, initializer_range) for matrices, by seed.
  /// @throws onoma::error (invalid_argument) for a configuration that contradicts itself.
  token_classifier(encoder_config config, B& device, model_options options = {})
      : token_classifier(std::move(config), options, device) {
    allocate(parameter_layout::of<scalar>(*this, training_));
    fill_parameters({}, {}, config_.initializer_range, seed_, *parameters_, *this);
  }

  /// Loads a folder as the Hub publishes it (config.json, weights). `labels` replace
  /// those of config.json; empty: keep them. A checkpoint without a head gets a new one, and the
  /// report says so. A head with names for its labels is only used with these labels.
  ///
  /// A model for inference reads the rows of its embedding tables in the mapped file of weights, where
  /// the file has them as aligned F32 and the backend reads host memory (io/mapped_file.hpp). Replace
  /// such a file by a rename, as `save` does, or delete it, but do not overwrite it in place while the
  /// model lives.
  /// The same holds for its `packed_cache`.
  /// @throws onoma::error (file_not_found, io, parse, format, missing, unsupported), also (missing) with
  /// `require_head` for a checkpoint without one, or (invalid_argument) for a head with other labels
  /// unless `replace_head`, or for a `packed_cache` that is another file. A cache is unsupported for
  /// training, for int8 weights, and by backends that do not read host memory.
  [[nodiscard]] static token_classifier load(const std::filesystem::path& path,
                                             std::vector<std::string> labels, B& device,
                                             model_options options = {}) {
    auto folder = model_folder::open(path);
    auto config = encoder_config::from_json(folder.config());
    if (config.int8_weights && options.training) {
      fail(error_code::unsupported, "load '" + path.string() + "' for training",
           "float weights: integers take no small steps (train the float model, then quantise it)",
           "int8 weights");
    }
    const bool new_head =
        !labels.empty() && set_labels(config, std::move(labels), folder.tensors(), options, path);

    token_classifier model(std::move(config), options, device);
    auto layout = parameter_layout::of<scalar>(model, options.training);
    // Checked before anything is allocated: sizes come from a file.
    const auto match = match_checkpoint(*model.config_.family, layout.entries(), folder.tensors(),
                                        new_head, model.config_.int8_weights,
                                        "load '" + path.string() + "'");
    if (options.require_head && !match.initialised.empty()) {
      fail(error_code::missing, "load '" + path.string() + "'",
           "a token-classification head (fine-tune the encoder first)",
           "no " + match.initialised.front()->name);
    }
    model.report_.ignored = match.ignored;
    model.report_.remarks = model.config_.remarks;
    std::vector<std::string> initialised;
    for (const auto* entry : match.initialised) initialised.push_back(entry->name);
    model.report_.initialised = initialised;
    // `match` points into `layout`, which keeps its entries where they are when it moves.
    model.allocate(std::move(layout));
    model.fill(match, folder, options);
    if (options.training) model.tokenizer_files_ = read_tokenizer_files(path);
    if (model.parameters_->reads_pieces()) model.weights_ = std::move(folder).tensors();
    return model;
  }

  /// Writes a folder that transformers loads unchanged: config.json, model.safetensors (F32), and
  /// the tokenizer files of the folder that the model was loaded from. All or nothing.
  /// @throws onoma::error (io), or (unsupported) for a model loaded for inference: it keeps its
  /// weights in the form that kernels read, and nothing else.
  void save(const std::filesystem::path& path) const {
    if (!training_) {
      fail(error_code::unsupported, "saving model folder " + path.string(),
           "a model loaded for training", "one for inference");
    }
    const auto checkpoint = make_checkpoint(*config_.family, *parameters_);
    save_model_folder(path, config_.to_json(), checkpoint.tensors, tokenizer_files_);
  }

  [[nodiscard]] const encoder_config& config() const noexcept { return config_; }
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return config_.labels; }
  [[nodiscard]] index max_length() const noexcept { return config_.max_length(); }
  [[nodiscard]] const load_report& report() const noexcept { return report_; }
  [[nodiscard]] B& device() const noexcept { return *device_; }

  /// For optimizers. The reference survives a move of the model.
  [[nodiscard]] parameter_store<B>& parameters() noexcept { return *parameters_; }
  [[nodiscard]] const parameter_store<B>& parameters() const noexcept { return *parameters_; }

  /// Scores before the softmax, [N, L], in host memory: valid until the next call.
  /// @throws onoma::error (out_of_range) for an id outside the vocabulary or a sequence that is too
  /// long.
  [[nodiscard]] mat<const scalar> logits(const token_batch& batch) {
    return infer(batch, [](const pass<B>&, mat<scalar>) {});
  }

  /// Probabilities of the labels, [N, L], each row summing to 1; otherwise as `logits`.
  [[nodiscard]] mat<const scalar> probabilities(const token_batch& batch) {
    return infer(batch, [](const pass<B>& run, mat<scalar> m) { run.device.softmax(m, m); });
  }

  /// The embeddings' output and that of each layer, [N, H] each, row-major, in host memory: for
  /// inspection; it allocates.
  [[nodiscard]] std::vector<std::vector<scalar>> hidden_states(const token_batch& batch) {
    prepare(batch);
    pending_ = false;
    workspace_.run(true, [&](arena& activations, arena& scratch) {
      const pass<B> run{*device_, activations, scratch, true, {}};
      encoder_.forward(run, upload(run, batch, 0, batch.count()), saved_.encoder);
    });
    std::vector<std::vector<scalar>> states;
    for (const auto& state : saved_.encoder.states) {
      auto& host = states.emplace_back(static_cast<std::size_t>(state.rows * state.cols));
      device_->download(vec<const scalar>{state.data, state.rows * state.cols}, host.data());
    }
    return states;
  }

  /// Which dropout masks the next `forward_loss` uses; each call advances the step by one. Setting
  /// both makes a run repeatable from any point.
  void set_dropout(std::uint64_t seed, std::uint64_t step) noexcept {
    seed_ = seed;
    step_ = step;
  }

  /// Cross-entropy over the labelled tokens of `batch`, with dropout; keeps what `backward` reads.
  /// The gradients will be those of sum / divisor. `divisor` 0: the labelled tokens of this batch,
  /// so that the loss is their mean, as torch.nn.CrossEntropyLoss; where gradients of several
  /// batches accumulate, the labelled tokens of all of them.
  /// @throws onoma::error as `logits`, and (out_of_range) for a label that is neither a label's id
  /// nor `token_batch::ignored_label`.
  loss_result forward_loss(const token_batch& batch, index divisor = 0) {
    check(parameters_->has_gradients(), error_code::invalid_argument, "forward_loss",
          "a model loaded for training");
    pending_ = false;
    prepare(batch);
    const index labelled = check_labels(batch);
    const auto scale = static_cast<double>(std::max<index>(divisor > 0 ? divisor : labelled, 1));
    saved_.masks = {true, seed_, step_++};
    const auto loss = workspace_.run(true, [&](arena& activations, arena& scratch) {
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
    workspace_.run(false, [&](arena& activations, arena& scratch) {
      run_backward(training_pass(activations, scratch));
    });
  }

  /// What training a model of this configuration on `batch` would hold. Measured, not estimated: the
  /// step runs on arenas that count, with the kernels switched off and no memory for weights.
  [[nodiscard]] static training_memory measure_training(encoder_config config, B& device,
                                                        const token_batch& batch,
                                                        model_options options = {}) {
    options.training = true;
    token_classifier model(std::move(config), options, device);
    training_memory memory;
    const index parameters = parameter_layout::of<scalar>(model, true).size();
    memory.parameters = 4 * parameters * static_cast<index>(sizeof(scalar));
    model.visit_linears([&](const linear<B>& layer) {
      memory.packed += 2 * layer.weight().size() * static_cast<index>(sizeof(scalar));
    });
    arena activations;
    arena forward_scratch;
    arena backward_scratch;
    const dry_run_scope<B> dry(device);
    model.saved_.masks = {true, options.seed, 0};
    model.run_loss(model.training_pass(activations, forward_scratch), batch, 1.0);
    model.run_backward(model.training_pass(activations, backward_scratch));
    memory.activations = activations.peak();
    memory.scratch = std::max(forward_scratch.peak(), backward_scratch.peak());
    return memory;
  }

  /// Bytes of activations and scratch that this model holds now: they grow to the largest batch, with
  /// half as much to spare.
  [[nodiscard]] index workspace_size() const noexcept { return workspace_.size(); }

  /// Calls visitor(scope, parameter) for every parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    encoder_.visit(at, visitor);
    classifier_.visit(at / "classifier", visitor);
  }
  /// Calls visitor(layer) for every linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    encoder_.visit_linears(visitor);
    classifier_.visit_linears(visitor);
  }

 private:
  struct saved {
    dropout_masks masks;
    typename encoder<B>::saved encoder;
    mat<scalar> hidden;  // [M, H] of the wanted tokens, after the classifier's dropout
    typename cross_entropy<B>::saved loss;
  };

  /// Without memory for parameters.
  token_classifier(encoder_config config, const model_options& options, B& device)
      : device_(&device),
        config_((config.check(), std::move(config))),
        training_(options.training),
        recompute_(options.recompute),
        seed_(options.seed),
        encoder_(config_),
        classifier_(config_.hidden, static_cast<index>(config_.labels.size())),
        workspace_(device) {}

  void allocate(parameter_layout layout) {
    parameters_ =
        std::make_unique<parameter_store<B>>(*device_, std::move(layout), *this, training_);
  }

  /// Gives all parameters their values, from the packed cache where there is one.
  void fill(const checkpoint_match& match, const model_folder& folder, const model_options& options) {
    const auto fill_all = [&](auto... is_packed) {
      fill_parameters(match, folder.tensors(), config_.initializer_range, options.seed, *parameters_,
                      *this, is_packed...);
    };
    if (options.packed_cache.empty()) return fill_all();
    if constexpr (reads_host_memory<B>) {
      if (!options.training && !config_.int8_weights) {
        packed_cache cache(options.packed_cache, device_->packed_layout(), folder.tensors(), match);
        fill_all([&](const parameter_entry& entry) {
          const auto* weight = cache.find(entry.name);
          if (weight == nullptr) return false;
          parameters_->packed(entry) =
              device_->packed_in_place(entry.rows, entry.cols, weight->bytes);
          return true;
        });
        if (cache.is_empty()) cache.write(packed_weights(match));
        packed_file_ = std::move(cache).take();
        return;
      }
    }
    fail(error_code::unsupported, "the packed cache " + options.packed_cache.string(),
         "inference with float weights on the CPU",
         options.training ? "training" : config_.int8_weights ? "int8 weights" : "another backend");
  }

  /// Those that the checkpoint has: others are new each time.
  [[nodiscard]] std::vector<tensor_view> packed_weights(const checkpoint_match& match)
    requires reads_host_memory<B>
  {
    std::vector<tensor_view> weights;
    for (const auto& entry : parameters_->layout().entries()) {
      if (entry.has_value() || match.source_of(entry) == nullptr) continue;
      const auto bytes = device_->packed_bytes(parameters_->packed(entry));
      weights.push_back({entry.name, dtype::f32,
                         {static_cast<index>(bytes.size() / sizeof(float))}, bytes});
    }
    return weights;
  }

  /// Puts the requested labels into the configuration. Returns whether the head must be new.
  static bool set_labels(encoder_config& config, std::vector<std::string> labels,
                         const model_weights& tensors, const model_options& options,
                         const std::filesystem::path& path) {
    const bool has_head = tensors.find("classifier.weight") != nullptr;
    const bool same = config.labels == labels ||
                      (config.labels_are_default && config.labels.size() == labels.size());
    if (has_head && !same && !options.replace_head) {
      fail(error_code::invalid_argument, "load '" + path.string() + "'",
           "the labels that its head was trained for (" + list(config.labels) +
               "), or the option to replace the head",
           list(labels));
    }
    if (!same) check_new_labels(labels);
    config.labels = std::move(labels);
    config.labels_are_default = false;
    return !same;
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

  /// Checks what comes from outside, and refreshes what depends on the weights.
  void prepare(const token_batch& batch) {
    for (const auto id : batch.ids()) {
      if (id < 0 || id >= config_.vocabulary) {
        fail(error_code::out_of_range, "token id", "0 to " + std::to_string(config_.vocabulary - 1),
             std::to_string(id));
      }
    }
    const auto layout = batch.layout();
    positions_.resize(static_cast<std::size_t>(batch.tokens()));
    for (index b = 0; b < layout.count(); ++b) {
      if (layout.length(b) > max_length()) {
        fail(error_code::out_of_range, "length of sequence " + std::to_string(b),
             "at most " + std::to_string(max_length()) + " tokens",
             std::to_string(layout.length(b)));
      }
      auto position = static_cast<std::int32_t>(config_.first_position());
      for (index n = layout.begin(b); n < layout.begin(b) + layout.length(b); ++n) {
        // A padding token that a text spells out stays at the row of the padding token.
        const bool padding = config_.family->positions_follow_padding &&
                             batch.ids()[n] == config_.padding_id;
        positions_[static_cast<std::size_t>(n)] =
            padding ? static_cast<std::int32_t>(config_.padding_id) : position++;
      }
    }
    if (training_) parameters_->pack_changed();
  }

  index check_labels(const token_batch& batch) const {
    index labelled = 0;
    for (const auto label : batch.labels()) {
      if (label == token_batch::ignored_label) continue;
      if (label < 0 || label >= static_cast<index>(config_.labels.size())) {
        fail(error_code::out_of_range, "label of a token",
             "0 to " + std::to_string(config_.labels.size() - 1) + " or " +
                 std::to_string(token_batch::ignored_label),
             std::to_string(label));
      }
      ++labelled;
    }
    return labelled;
  }

  vec<const std::int32_t> upload(const pass<B>& run, vec<const std::int32_t> host) const {
    const auto ids = run.kept().template take<std::int32_t>(host.size);
    device_->upload_ids(host, ids);
    return ids;
  }
  /// Sequences first to last of `batch`.
  encoder_input upload(const pass<B>& run, const token_batch& batch, index first, index last) {
    const auto all = batch.layout();
    const index begin = all.begin(first);
    offsets_.clear();
    for (index b = first; b <= last; ++b) offsets_.push_back(all.offsets[b] - all.offsets[first]);
    const index tokens = offsets_.back();
    return {{upload(run, {batch.ids().data + begin, tokens}),
             upload(run, {positions_.data() + begin, tokens})},
            {upload(run, view_of(offsets_)), sequences::of(view_of(offsets_)).longest}};
  }

  /// Returns the logits of the wanted tokens, [M, L], in backend memory.
  mat<scalar> forward(const pass<B>& run, const encoder_input& input) {
    saved_.hidden = encoder_.forward(run, input, saved_.encoder);
    device_->dropout(saved_.hidden, classifier_mask(run));
    const auto scores = run.keep(saved_.hidden.rows, static_cast<index>(config_.labels.size()));
    classifier_.forward(*device_, saved_.hidden, scores);
    return scores;
  }

  pass<B> training_pass(arena& activations, arena& scratch) const {
    return {*device_, activations, scratch, true, saved_.masks, recompute_};
  }

  loss_result run_loss(const pass<B>& run, const token_batch& batch, double divisor) {
    // The loss reads the logits of labelled tokens alone.
    for (auto* numbers : {&wanted_, &labels_}) {
      numbers->clear();
      numbers->reserve(static_cast<std::size_t>(batch.tokens()));
    }
    for (index n = 0; n < batch.tokens(); ++n) {
      if (batch.labels()[n] == token_batch::ignored_label) continue;
      wanted_.push_back(static_cast<std::int32_t>(n));
      labels_.push_back(batch.labels()[n]);
    }
    const bool some = !wanted_.empty() && static_cast<index>(wanted_.size()) < batch.tokens();
    auto input = upload(run, batch, 0, batch.count());
    if (some) input.wanted = upload(run, view_of(wanted_));
    const auto scores = forward(run, input);
    const auto labels = upload(run, some ? view_of(labels_) : batch.labels());
    return cross_entropy<B>::forward(run, scores, labels, divisor, saved_.loss);
  }

  void run_backward(const pass<B>& run) {
    const auto d = run.scratch.template take<scalar>(saved_.hidden.rows, saved_.hidden.cols);
    classifier_.backward(*device_, saved_.hidden, cross_entropy<B>::backward(saved_.loss), set, d);
    device_->dropout(d, classifier_mask(run));
    encoder_.backward(run, d, saved_.encoder);
  }

  static vec<const std::int32_t> view_of(const std::vector<std::int32_t>& numbers) {
    return {numbers.data(), static_cast<index>(numbers.size())};
  }

  dropout_spec classifier_mask(const pass<B>& run) const {
    return run.dropout.at(dropout_place::classifier,
                          static_cast<float>(config_.classifier_dropout));
  }

  template <class Finish>
  mat<const scalar> infer(const token_batch& batch, Finish&& finish) {
    prepare(batch);
    // The forward overwrites what a pending backward would read.
    pending_ = false;
    const auto labels = static_cast<index>(config_.labels.size());
    host_.resize(static_cast<std::size_t>(batch.tokens() * labels));
    // In parts of whole sequences, each in the part that its first token falls in.
    const auto layout = batch.layout();
    const index most = device_->rows_at_once(2 * config_.hidden + config_.inner);
    const index parts = (batch.tokens() + most - 1) / most;
    index last = 0;
    for (index part = 0; part < parts; ++part) {
      const index first = last;
      while (last < layout.count() && layout.begin(last) * parts / batch.tokens() <= part) ++last;
      if (first == last) continue;
      workspace_.run(true, [&](arena& activations, arena& scratch) {
        const pass<B> run{*device_, activations, scratch, false, {}};
        const auto scores = forward(run, upload(run, batch, first, last));
        finish(run, scores);
        device_->download(vec<const scalar>{scores.data, scores.rows * scores.cols},
                          host_.data() + layout.begin(first) * labels);
      });
    }
    return {host_.data(), batch.tokens(), labels};
  }

  B* device_;
  encoder_config config_;
  bool training_;
  bool recompute_;
  std::uint64_t seed_;
  std::uint64_t step_ = 0;
  encoder<B> encoder_;
  linear<B> classifier_;
  model_weights weights_;  // what `parameters_` views: none where it copied all
  std::optional<safetensors_file> packed_file_;  // what the layers' packed weights view, if they do
  std::unique_ptr<parameter_store<B>> parameters_;
  workspace<B> workspace_;
  bool pending_ = false;
  saved saved_;
  std::vector<std::int32_t> positions_;  // [N] of the current batch
  std::vector<std::int32_t> offsets_;    // of the sequences that are computed together
  std::vector<std::int32_t> wanted_;     // [M] its labelled tokens
  std::vector<std::int32_t> labels_;     // [M] their labels
  std::vector<scalar> host_;             // [N, L] of the last inference
  load_report report_;
  std::map<std::string, std::string> tokenizer_files_;  // by name: saved with the model
};

}  // namespace onoma::inline ONOMA_ABI
