/// An encoder with a head: layers and their weights, without the memory that running them takes.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/function_ref.hpp>
#include <onoma/exec/executor.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/models/checkpoint.hpp>
#include <onoma/models/encoder.hpp>
#include <onoma/models/packed_cache.hpp>

#include <algorithm>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// How a model for inference is loaded.
struct inference_options {
  /// A file for the packed weights: mapped, if it was made from this checkpoint on such a machine, and else
  /// written once they are packed, so that the next start maps it. Empty: none.
  std::filesystem::path packed_cache{};
  verification verify = verification::fast;  ///< of a folder that onoma saved (io/manifest.hpp)
  /// Whether files of weights are mapped. false: they are read into memory, which takes longer and more of it, and
  /// nothing that happens to a file later is seen.
  bool map_files = true;
  /// Work of the caller's that needs neither the model nor its device: loading a tokenizer, say. `load` does it once,
  /// on another thread of the device where it can, while the cache is verified. What it throws comes out of `load`.
  std::function<void()> meanwhile{};

  /// The same for files.
  [[nodiscard]] file_access access() const noexcept {
    return map_files ? file_access::mapped : file_access::copied;
  }
};

/// How a model for training is made or loaded.
struct model_options {
  std::uint64_t seed = 42;    ///< of new weights and of dropout
  bool replace_head = false;  ///< start a new head where the checkpoint's is of another kind or has other labels
  json head{};                ///< settings of the head, in place of those that the folder has; null: none
  std::optional<tag_scheme> scheme{};  ///< of the labels, in place of what the folder says; none: nothing is said
  bool recompute = false;     ///< less memory per token of training, a tenth more time, the same bits
  verification verify = verification::fast;  ///< as that of `inference_options`
};

/// What a head of this kind is made of on the encoder that config.json describes. It refers to `config`.
/// @throws onoma::error (missing) where the folder has this head and not its settings.
template <class Head>
[[nodiscard]] head_settings head_settings_of(const encoder_config& config) {
  head_settings s{config.hidden, static_cast<index_t>(config.labels.size()), config.classifier_dropout,
                  config.transform, config.labels, config.scheme, {}};
  if constexpr (head_with_settings<Head>) {
    const auto found = config.own.find(std::string(Head::kind));
    if (found != config.own.end()) {
      s.own = *found;
    } else if (config.head == Head::kind) {
      fail(error_code::missing, "config.json: 'onoma'", "settings of the head under '" + config.head + "'", "none");
    }
  }
  return s;
}

/// Weights for inference: constant once they are loaded, so that any number of sessions on any number of
/// threads share one of them (models/session.hpp). `trainable_model` has weights that change.
///
/// Rows of embedding tables are read in the mapped file of weights, where the file has them as aligned F32
/// and the backend reads host memory (io/mapped_file.hpp). Replace such a file by a rename, as saving does,
/// or delete it, but do not overwrite it in place while the model lives; the same holds for its packed cache.
/// With `inference_options::map_files` off, files may change as they will.
template <inference_backend B, encoder_head Head>
class encoder_model {
 public:
  using scalar = typename B::scalar;  ///< the type of numbers
  using head_type = Head;             ///< what stands on the encoder

  /// New weights for inference, by seed: for tests and measurements of speed.
  /// @throws onoma::error (invalid_argument) for a configuration that contradicts itself.
  [[nodiscard]] static std::shared_ptr<const encoder_model> make(encoder_config config, B& device,
                                                                 std::uint64_t seed = 42) {
    auto model = std::make_shared<encoder_model>(token{}, std::move(config));
    model->allocate(device, false, parameter_layout::of<scalar>(*model, false));
    fill_parameters({}, {}, model->config_.initializer_range, seed, *model->parameters_, *model);
    return model;
  }

  /// Loads a folder as the Hub publishes it (config.json, weights) or as `trainable_model::save` writes it.
  /// `device` packs the weights and must outlive them.
  /// @throws onoma::error (file_not_found, io, parse, format, missing, unsupported); (missing) for a
  /// checkpoint without this head; (invalid_argument) for a `packed_cache` that is another file. A cache is
  /// unsupported for int8 weights, and by backends that do not read host memory.
  [[nodiscard]] static std::shared_ptr<const encoder_model> load(const std::filesystem::path& path,
                                                                 B& device,
                                                                 const inference_options& options = {}) {
    auto folder = model_folder::open(path, options.verify, options.access(), executor_of(device));
    auto model = std::make_shared<encoder_model>(token{}, encoder_config::from_json(folder.config()));
    bool done = !options.meanwhile;
    std::exception_ptr problem;
    const auto meanwhile = [&]() noexcept {
      try {
        if (!std::exchange(done, true)) options.meanwhile();
      } catch (...) {
        problem = std::current_exception();
      }
    };
    model->fill(folder, device, false, false, 0, options.packed_cache, meanwhile);
    meanwhile();
    if (problem) std::rethrow_exception(problem);
    return model;
  }

  /// What config.json says.
  [[nodiscard]] const encoder_config& config() const noexcept { return config_; }
  /// By id.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return config_.labels; }
  /// The longest sequence, special tokens included.
  [[nodiscard]] index_t max_length() const noexcept { return config_.max_length(); }
  /// Tokens of the windows that texts are cut into unless the caller says otherwise: as in training, where
  /// the folder says so, else as many as the model takes.
  [[nodiscard]] index_t window_length() const noexcept {
    return config_.trained_length > 0 ? std::min(config_.trained_length, max_length()) : max_length();
  }
  /// What loading found.
  [[nodiscard]] const load_report& report() const noexcept { return report_; }
  /// The memory of all parameters.
  [[nodiscard]] const parameter_store<B>& parameters() const noexcept { return *parameters_; }
  /// The encoder.
  [[nodiscard]] const encoder<B>& body() const noexcept { return encoder_; }
  /// What stands on it.
  [[nodiscard]] const Head& head() const noexcept { return head_; }
  /// For scores that are not finite, of token `number` of a batch: names the tensor that made them so, where it can
  /// be found among those that are read in the file. @throws onoma::error (format), always.
  [[noreturn]] void refuse_scores(index_t number) const {
    for (const auto& tensor : weights_.tensors()) refuse_not_finite("tagging with " + weights_.file_name(), tensor);
    fail(error_code::format, "the scores of token " + std::to_string(number) + " of a batch", "finite numbers",
         "others, from weights that are finite: they overflow");
  }
  /// How kernels read the packed weights: sessions need a backend whose kernels read them so.
  [[nodiscard]] const std::string& packed_layout() const noexcept { return packed_layout_; }

  /// Calls visitor(scope, parameter) for every parameter, in a fixed order.
  template <class Visitor>
  void visit(const scope& at, Visitor&& visitor) {
    encoder_.visit(at, visitor);
    head_.visit(at, visitor);
  }
  /// Calls visitor(layer) for every linear layer.
  template <class Visitor>
  void visit_linears(Visitor&& visitor) {
    encoder_.visit_linears(visitor);
    head_.visit_linears(visitor);
  }

 private:
  template <training_backend, encoder_head>
  friend class trainable_model;
  struct token {};  // only load, make and trainable_model make one

 public:
  /// Without memory for parameters.
  encoder_model(token, encoder_config config)
      : config_((config.check(), std::move(config))),
        encoder_(config_),
        head_(head_settings_of<Head>(config_)) {}

 private:
  /// Puts settings and scheme in the place of what config.json says.
  static void set_head(encoder_config& config, const model_options& options) {
    if (options.scheme) config.scheme = options.scheme;
    if (options.head.is_null()) return;
    if constexpr (head_with_settings<Head>) {
      if (options.head.is_object()) {
        auto& all = config.own[std::string(Head::kind)];
        if (all.is_null()) all = json::object();
        for (const auto& [key, value] : options.head.items()) all[key] = value;
        return;
      }
    }
    fail(error_code::invalid_argument, "settings of a head of kind '" + std::string(Head::kind) + "'",
         head_with_settings<Head> ? "an object" : "none", options.head.dump());
  }

  void allocate(B& device, bool training, parameter_layout layout) {
    if (config_.head != Head::kind) config_.own.erase(config_.head);
    config_.head = Head::kind;
    if constexpr (head_with_settings<Head>) config_.own[config_.head] = head_.settings();
    if constexpr (requires { head_.scheme(); }) config_.scheme = head_.scheme();
    if constexpr (reads_host_memory<B>) packed_layout_ = device.packed_layout();
    parameters_ = std::make_unique<parameter_store<B>>(device, std::move(layout), *this, training);
  }

  [[nodiscard]] checkpoint_map tensor_map() { return {*config_.family, head_}; }

  /// Gives all parameters their values. `new_head`: those of the head are new whatever the file has.
  void fill(model_folder& folder, B& device, bool training, bool new_head, std::uint64_t seed,
            const std::filesystem::path& cache, function_ref<void()> meanwhile = do_nothing) {
    const std::string where = "load '" + folder.path().string() + "'";
    // A folder that says nothing has the usual head, or none.
    const bool has_one = config_.own.contains("head") || tensor_map().has_head(folder.tensors());
    if (config_.head != Head::kind && !new_head && has_one) {
      fail(error_code::unsupported, where, "a head of kind '" + std::string(Head::kind) + "'",
           "one of kind '" + config_.head + "'");
    }
    auto layout = parameter_layout::of<scalar>(*this, training);
    // Checked before anything is allocated: sizes come from a file.
    const auto match = match_checkpoint(tensor_map(), layout.entries(), folder.tensors(), new_head,
                                        config_.int8_weights, where);
    if (!training && !match.initialised.empty()) {
      fail(error_code::missing, where, "a token-classification head (fine-tune the encoder first)",
           "no " + match.initialised.front()->name);
    }
    report_.ignored = match.ignored;
    report_.remarks = config_.remarks;
    report_.remarks.insert(report_.remarks.end(), folder.remarks().begin(), folder.remarks().end());
    for (const auto* entry : match.initialised) report_.initialised.push_back(entry->name);
    // `match` points into `layout`, which keeps its entries where they are when it moves.
    allocate(device, training, std::move(layout));
    if (cache.empty()) {
      fill_parameters(match, folder.tensors(), config_.initializer_range, seed, *parameters_, *this);
    } else {
      fill_from_cache(match, folder, device, cache, meanwhile);
    }
    if (parameters_->reads_pieces()) weights_ = std::move(folder).tensors();
  }

  /// The same, for inference, from the packed cache where there is one.
  void fill_from_cache(const checkpoint_match& match, const model_folder& folder, B& device,
                       const std::filesystem::path& path, function_ref<void()> meanwhile) {
    if constexpr (reads_host_memory<B>) {
      if (!config_.int8_weights) {
        packed_cache cache(path, packed_layout_, folder.tensors(), match, executor_of(device), meanwhile);
        fill_parameters(match, folder.tensors(), config_.initializer_range, 0, *parameters_, *this,
                        [&](const parameter_entry& entry) {
                          const auto* weight = cache.find(entry.name);
                          if (weight == nullptr) return false;
                          parameters_->packed(entry) =
                              device.packed_in_place(entry.rows, entry.cols, weight->bytes);
                          return true;
                        });
        for (const auto& remark : cache.remarks()) report_.remarks.push_back(remark);
        if (cache.is_empty()) cache.write(packed_weights(device, match));
        packed_file_ = std::move(cache).take();
        return;
      }
    }
    fail(error_code::unsupported, "the packed cache " + path.string(),
         "inference with float weights on the CPU",
         config_.int8_weights ? "int8 weights" : "another backend");
  }

  /// Those that the checkpoint has.
  [[nodiscard]] std::vector<tensor_view> packed_weights(B& device, const checkpoint_match& match)
    requires reads_host_memory<B>
  {
    std::vector<tensor_view> weights;
    for (const auto& entry : parameters_->layout().entries()) {
      if (entry.has_value() || match.source_of(entry) == nullptr) continue;
      const auto bytes = device.packed_bytes(parameters_->packed(entry));
      weights.push_back({entry.name, dtype::f32,
                         {static_cast<index_t>(bytes.size() / sizeof(float))}, bytes});
    }
    return weights;
  }

  encoder_config config_;
  encoder<B> encoder_;
  Head head_;
  std::string packed_layout_;
  model_weights weights_;  // what `parameters_` views: none where it copied all
  std::optional<safetensors_file> packed_file_;  // what the layers' packed weights view, if they do
  std::unique_ptr<parameter_store<B>> parameters_;
  load_report report_;
};

}  // namespace onoma::inline ONOMA_ABI
