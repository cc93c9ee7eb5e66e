/// The seam between an encoder and what is made of its hidden states: token labels, and later chains and
/// spans.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/io/json_type.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/nn/loss.hpp>
#include <onoma/nn/pass.hpp>

#include <concepts>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A layer between the encoder and the scores: normalised(f(x W^T + b)).
struct transform_settings {
  activation function = activation::gelu;  ///< between the two
  bool bias = true;                        ///< of the product
  double norm_eps = 1e-5;                  ///< of the norm
  bool norm_bias = true;                   ///< of the norm
};

/// What a head must know of its encoder and its labels.
struct head_settings {
  index_t hidden = 0;                               ///< H
  index_t labels = 0;                               ///< L
  double dropout = 0.0;                           ///< on the hidden states that it scores
  std::optional<transform_settings> transform{};  ///< that its family has before the scores
  std::span<const std::string> names{};           ///< [L] of the labels; read by constructors alone
  std::optional<tag_scheme> scheme{};             ///< that they are in; none: nobody said
  json own{};                                     ///< what config.json says of this kind of head; null: nothing
};

/// A batch with what its sequences should give. `Targets` is a head's: it has one `item` for each sequence.
template <class Targets>
struct training_batch {
  token_batch tokens;  ///< what the encoder reads
  Targets targets;     ///< what the head should make of it
  /// How much each sequence counts in the loss; empty: all of them 1. A `weighing_head` reads them.
  std::vector<float> weights{};

  /// Takes all sequences out; the memory stays.
  void clear() {
    tokens.clear();
    targets.clear();
    weights.clear();
  }
  /// Appends one sequence. @throws onoma::error (shape_mismatch) for a target that does not fit it.
  void add(std::span<const std::int32_t> ids, const typename Targets::item& target, float weight = 1.0F) {
    targets.add(ids.size(), target);
    tokens.add(ids);
    if (weight != 1.0F && weights.empty()) weights.resize(static_cast<std::size_t>(tokens.count()) - 1, 1.0F);
    if (weight != 1.0F || !weights.empty()) weights.push_back(weight);
  }
};

/// Which tokens of a batch begin words that a head reads.
struct word_rows {
  std::vector<std::int32_t> rows;           ///< [M] numbers of tokens in the batch, ascending
  std::vector<std::int32_t> offsets = {0};  ///< [B + 1] words of each sequence, among `rows`

  /// Takes all words out.
  void clear() {
    rows.clear();
    offsets.assign(1, 0);
  }
  /// Appends a sequence that begins with token `first` of the batch: which of its tokens begin words.
  void add(index_t first, std::span<const std::int32_t> of_sequence) {
    for (const auto token : of_sequence) rows.push_back(static_cast<std::int32_t>(first) + token);
    offsets.push_back(static_cast<std::int32_t>(rows.size()));
  }
  /// Where each sequence begins; a view of this, until it changes.
  [[nodiscard]] sequences layout() const {
    return sequences::of({offsets.data(), static_cast<index_t>(offsets.size())});
  }
};

/// What stands on an encoder. A head owns parameters, knows which hidden states it reads, and has forward,
/// loss and backward as neighbours; it never dereferences a tensor.
///
/// `wanted(batch, rows)` fills `rows` with the ascending numbers of the tokens that the loss reads, or
/// leaves it empty where it reads all. `check(batch)` throws for targets that are not the head's and returns
/// how many the loss counts. `forward_loss` takes the wanted hidden states and keeps what `backward` reads, which
/// returns their gradient [M, H] from scratch. What inference asks of a head is below.
///
/// A head may also have `settings()`, a JSON object that config.json keeps under its kind and `head_settings::own`
/// brings back.
template <class H, class B = typename H::backend_type>
concept encoder_head = requires(
    const H& head, const pass<B>& run,
    const training_batch<typename H::targets>& batch, std::vector<std::int32_t>& rows,
    mat<typename B::scalar> m, typename H::saved& saved, double divisor) {
  /// The name under which a folder says which head it has; "token" is what says nothing.
  { H::kind } -> std::convertible_to<std::string_view>;
  /// Beginnings of the names of the tensors that depend on the labels, and of those of other tasks' heads that
  /// may stand there instead. Other tensors of a head are used where a checkpoint without one has them.
  { H::tensor_prefixes } -> std::convertible_to<std::span<const std::string_view>>;
  requires std::constructible_from<H, const head_settings&>;
  { head.check(batch) } -> std::same_as<index_t>;
  { head.wanted(batch, rows) };
  { head.forward_loss(run, batch, m, divisor, saved) } -> std::same_as<loss_result>;
  { head.backward(run, saved) } -> std::same_as<mat<typename B::scalar>>;
};

/// A head that scores each token. `scores` [M, columns] are what inference downloads, from hidden states [M, H], which
/// it may overwrite; `normalise` makes probabilities of them, in place.
template <class H, class B = typename H::backend_type>
concept token_scoring_head =
    encoder_head<H, B> && requires(const H& head, const pass<B>& run, mat<typename B::scalar> m) {
      { head.columns() } -> std::same_as<index_t>;
      { head.scores(run, m) } -> std::same_as<mat<typename B::scalar>>;
      { head.normalise(run, m) };
    };

/// A head that scores the spans of the words of sequences, from the hidden states [M, H] of the tokens that begin the
/// words. `words` are the sequences, in backend memory; row n of `scores` [M, columns] has those of the spans that
/// begin with word n, `labels` of them for each width from one word on.
template <class H, class B = typename H::backend_type>
concept span_scoring_head =
    encoder_head<H, B> &&
    requires(const H& head, const pass<B>& run, mat<typename B::scalar> m, const sequences& words) {
      { head.columns() } -> std::same_as<index_t>;
      { head.scores(run, m, words) } -> std::same_as<mat<typename B::scalar>>;
      { head.normalise(run, m) };
    };

/// A head that config.json keeps settings of.
template <class H>
concept head_with_settings = requires(const H& head) {
  { head.settings() } -> std::same_as<json>;
};

/// A head that labels the words of a sequence together, from the scores of their first tokens: where a sentence has
/// several windows, from all of them. Labels [M] and the probability of each [M] for scores [M, columns] of the words
/// of several sequences, none of them empty; all are in host memory.  (run, scores, words, labels, confidences)
template <class H, class B = typename H::backend_type>
concept word_decoding_head =
    token_scoring_head<H, B> &&
    requires(const H& head, const pass<B>& run, mat<const typename B::scalar> scores, const sequences& words,
             vec<std::int32_t> labels, vec<typename B::scalar> confidences) {
      { head.decode(run, scores, words, labels, confidences) };
    };

/// A head whose loss can count labels and sequences by weights. `weigh` says what the loss is divided by so that it is
/// a mean: of a sequence's targets, and of a batch with the weights of its sequences.
template <class H, class B = typename H::backend_type>
concept weighing_head =
    encoder_head<H, B> &&
    requires(H& head, const H& constant, const loss_options& loss, const typename H::targets::item& targets,
             const training_batch<typename H::targets>& batch) {
      { head.set_loss(loss) };
      { constant.weigh(targets) } -> std::same_as<double>;
      { constant.weigh(batch) } -> std::same_as<double>;
    };

}  // namespace onoma::inline ONOMA_ABI
