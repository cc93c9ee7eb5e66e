/// Running a model: what one thread needs beside the weights that it shares with others.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/exclusive.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/models/batch_input.hpp>
#include <onoma/models/encoder_model.hpp>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Scores batches with the weights of a model. One session serves one thread at a time, with a backend of its
/// own: results and activations live in its memory, which grows to the largest batch and stays. The backend
/// must outlive it.
template <inference_backend B, encoder_head Head>
class session {
 public:
  using backend_type = B;                     ///< what computes
  using scalar = typename B::scalar;          ///< the type of numbers
  using model_type = encoder_model<B, Head>;  ///< the weights

  /// @throws onoma::error (invalid_argument) for a backend whose kernels read weights otherwise than those
  /// that packed them.
  session(std::shared_ptr<const model_type> model, B& device)
      : session(std::move(model), device, std::make_shared<workspace<B>>(device)) {}

  /// A model of one's own. @throws onoma::error as `encoder_model::load`.
  [[nodiscard]] static session load(const std::filesystem::path& path, B& device,
                                    const inference_options& options = {}) {
    return session(model_type::load(path, device, options), device);
  }

  /// The weights.
  [[nodiscard]] const model_type& model() const noexcept { return *model_; }
  /// The weights, for one more session.
  [[nodiscard]] const std::shared_ptr<const model_type>& shared_model() const noexcept { return model_; }
  /// As that of the model.
  [[nodiscard]] const encoder_config& config() const noexcept { return model_->config(); }
  /// By id.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return model_->labels(); }
  /// The longest sequence in tokens, special ones included.
  [[nodiscard]] index_t max_length() const noexcept { return model_->max_length(); }
  /// See `encoder_model::window_length`.
  [[nodiscard]] index_t window_length() const noexcept { return model_->window_length(); }
  /// What computes.
  [[nodiscard]] B& device() const noexcept { return *device_; }
  /// Bytes of activations and scratch that it holds now: they grow to the largest batch, with half as much
  /// to spare.
  [[nodiscard]] index_t workspace_size() const noexcept { return workspace_->size(); }

  /// The head's scores, [N, columns] (of token labels: logits before the softmax), in host memory: valid
  /// until the next call.
  /// @throws onoma::error (out_of_range) for an id outside the vocabulary or a sequence that is too long.
  [[nodiscard]] mat<const scalar> logits(const token_batch& batch)
    requires token_scoring_head<Head>
  {
    return infer(batch, [](const pass<B>&, mat<scalar>) {});
  }

  /// Probabilities, [N, columns] (of token labels: each row sums to 1); otherwise as `logits`.
  [[nodiscard]] mat<const scalar> probabilities(const token_batch& batch)
    requires token_scoring_head<Head>
  {
    return infer(batch,
                 [&](const pass<B>& run, mat<scalar> scores) { model_->head().normalise(run, scores); });
  }

  /// Probabilities of the labels of spans, [M, columns] for the words that begin with the tokens `words`; see
  /// `span_scoring_head`. Those of spans beyond the end of a sequence mean nothing. Otherwise as `logits`.
  [[nodiscard]] mat<const scalar> span_probabilities(const token_batch& batch, const word_rows& words)
    requires span_scoring_head<Head>
  {
    const exclusive::use used(in_use_, "session", one_each);
    input_.set(batch, config());
    const index_t columns = model_->head().columns();
    host_.resize(words.rows.size() * static_cast<std::size_t>(columns));
    std::vector<std::int32_t> rows;
    std::vector<std::int32_t> offsets;
    for_each_part(batch, [&](index_t first, index_t last) {
      const auto begin = words.offsets[static_cast<std::size_t>(first)];
      const auto end = words.offsets[static_cast<std::size_t>(last)];
      if (begin == end) return;
      offsets.assign(words.offsets.begin() + first, words.offsets.begin() + last + 1);
      for (auto& offset : offsets) offset -= begin;
      rows.assign(words.rows.begin() + begin, words.rows.begin() + end);
      for (auto& row : rows) row -= static_cast<std::int32_t>(batch.layout().begin(first));
      const vec<const std::int32_t> of_words{offsets.data(), static_cast<index_t>(offsets.size())};
      workspace_->run(true, [&](arena& activations, arena& scratch) {
        const pass<B> run{*device_, activations, scratch, false, {}};
        auto input = input_.upload(run, first, last);
        input.wanted = run.upload({rows.data(), static_cast<index_t>(rows.size())});
        const sequences uploaded{run.upload(of_words), sequences::of(of_words).longest};
        const auto hidden = model_->body().forward(run, input, saved_);
        const auto scores = model_->head().scores(run, hidden, uploaded);
        model_->head().normalise(run, scores);
        device_->download(vec<const scalar>{scores.data, scores.rows * scores.cols}, host_.data() + begin * columns);
      });
    });
    return checked(static_cast<index_t>(words.rows.size()), columns);
  }

  /// Labels the words of sequences together, by the first tokens of words: see `word_decoding_head`. All views are in
  /// host memory. @throws onoma::error (shape_mismatch, invalid_argument) as `check_crf`.
  void decode_words(mat<const scalar> scores, const sequences& words, vec<std::int32_t> labels,
                    vec<scalar> confidences)
    requires word_decoding_head<Head>
  {
    const exclusive::use used(in_use_, "session", one_each);
    workspace_->run(true, [&](arena& activations, arena& scratch) {
      const pass<B> run{*device_, activations, scratch, false, {}};
      model_->head().decode(run, scores, words, labels, confidences);
    });
  }

  /// The embeddings' output and that of each layer, [N, H] each, row-major, in host memory: for
  /// inspection; it allocates.
  [[nodiscard]] std::vector<std::vector<scalar>> hidden_states(const token_batch& batch) {
    input_.set(batch, config());
    workspace_->run(true, [&](arena& activations, arena& scratch) {
      const pass<B> run{*device_, activations, scratch, true, {}};
      model_->body().forward(run, input_.upload(run), saved_);
    });
    std::vector<std::vector<scalar>> states;
    for (const auto& state : saved_.states) {
      auto& host = states.emplace_back(static_cast<std::size_t>(state.rows * state.cols));
      device_->download(vec<const scalar>{state.data, state.rows * state.cols}, host.data());
    }
    return states;
  }

 private:
  template <training_backend, encoder_head>
  friend class trainable_model;

  session(std::shared_ptr<const model_type> model, B& device, std::shared_ptr<workspace<B>> memory)
      : model_(std::move(model)), device_(&device), workspace_(std::move(memory)) {
    if constexpr (reads_host_memory<B>) {
      if (device.packed_layout() != model_->packed_layout()) {
        fail(error_code::invalid_argument, "session", "a backend that reads weights packed for " +
             model_->packed_layout(), "one for " + device.packed_layout());
      }
    }
  }

  /// f(first, last) for parts of whole sequences, each in the part that its first token falls in.
  template <class F>
  void for_each_part(const token_batch& batch, F f) const {
    const auto layout = batch.layout();
    const index_t most = device_->rows_at_once(2 * config().hidden + config().inner);
    const index_t parts = (batch.tokens() + most - 1) / most;
    index_t last = 0;
    for (index_t part = 0; part < parts; ++part) {
      const index_t first = last;
      while (last < layout.count() && layout.begin(last) * parts / batch.tokens() <= part) ++last;
      if (first < last) f(first, last);
    }
  }

  template <class Finish>
  mat<const scalar> infer(const token_batch& batch, Finish&& finish) {
    const exclusive::use used(in_use_, "session", one_each);
    input_.set(batch, config());
    const index_t columns = model_->head().columns();
    host_.resize(static_cast<std::size_t>(batch.tokens() * columns));
    for_each_part(batch, [&](index_t first, index_t last) {
      workspace_->run(true, [&](arena& activations, arena& scratch) {
        const pass<B> run{*device_, activations, scratch, false, {}};
        const auto hidden = model_->body().forward(run, input_.upload(run, first, last), saved_);
        const auto scores = model_->head().scores(run, hidden);
        finish(run, scores);
        device_->download(vec<const scalar>{scores.data, scores.rows * scores.cols},
                          host_.data() + batch.layout().begin(first) * columns);
      });
    });
    return checked(batch.tokens(), columns);
  }

  /// What `host_` holds. @throws onoma::error as `encoder_model::refuse_scores`.
  [[nodiscard]] mat<const scalar> checked(index_t rows, index_t columns) const {
    const std::span<const scalar> scores(host_.data(), host_.size());
    if (!all_finite(scores)) {
      for (index_t n = 0; n < rows; ++n) {
        if (!all_finite(scores.subspan(static_cast<std::size_t>(n * columns), static_cast<std::size_t>(columns)))) {
          model_->refuse_scores(n);
        }
      }
    }
    return {host_.data(), rows, columns};
  }

  static constexpr const char* one_each = "a session for each thread, over one model";

  std::shared_ptr<const model_type> model_;
  B* device_;
  std::shared_ptr<workspace<B>> workspace_;  // a trainable model's own, or nobody else's
  exclusive in_use_;
  batch_input input_;
  typename encoder<B>::saved saved_;
  std::vector<scalar> host_;  // [N, columns] of the last inference
};

}  // namespace onoma::inline ONOMA_ABI
