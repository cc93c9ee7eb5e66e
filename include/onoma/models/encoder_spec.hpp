/// What an encoder computes: sizes and settings, whatever file they come from.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <cmath>
#include <iterator>
#include <optional>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What an encoder of pre-norm layers with rotary positions has beside its sizes (ModernBERT, arXiv 2412.13663).
struct pre_norm_spec {
  std::vector<bool> is_local;      ///< for each layer: whether a token sees its neighbours alone
  index_t radius = 64;               ///< how many of them to either side
  double global_base = 160000.0;   ///< of the wave lengths of rotary positions, where all tokens are seen
  double local_base = 10000.0;     ///< and where not
  bool attention_bias = false;     ///< of the attention's projections
  bool feed_forward_bias = false;  ///< of the feed-forward block's
  bool norm_bias = false;          ///< of the norms
  double embedding_dropout = 0.0;  ///< behind the embeddings
  double inner_dropout = 0.0;      ///< on the gated values of the feed-forward block
};

/// Sizes and settings of one encoder. The defaults are those of bert-base-uncased, as transformers'
/// BertConfig has them.
struct encoder_spec {
  index_t vocabulary = 30522;                ///< V
  index_t hidden = 768;                      ///< H
  index_t layers = 12;                       ///< how many
  index_t heads = 12;                        ///< A, divides H
  index_t inner = 3072;                      ///< F
  index_t embedding = 0;                     ///< E: width of the tables where they are projected to H; 0: H
  index_t max_positions = 512;               ///< P: rows of the position table
  index_t types = 2;                         ///< T; 0: no type table
  activation function = activation::gelu;  ///< of the feed-forward blocks
  double norm_eps = 1e-12;                 ///< of the norms
  double initializer_range = 0.02;         ///< standard deviation of new weights
  double hidden_dropout = 0.1;             ///< behind embeddings and blocks
  double attention_dropout = 0.1;          ///< on the attention probabilities
  bool fixed_positions = false;            ///< sinusoidal position table: not trained
  index_t padding_id = 0;                    ///< its word embedding is not trained; -1: none
  bool positions_follow_padding = false;   ///< the first token's position is padding_id + 1, not 0
  bool drops_attention_output = true;      ///< dropout between the attention's output and its add & norm
  bool relative_bias = false;              ///< scores have a bias of relative positions, one for all layers
  /// Layers that normalise before each block and gate their feed-forward; none: BERT's, which normalise
  /// after it. Then there is no position table, and `hidden_dropout` is nowhere.
  std::optional<pre_norm_spec> pre_norm{};

  /// Row of the position table that the first token of a sequence takes. RoBERTa counts from behind
  /// the padding token's row (transformers, `create_position_ids_from_input_ids`).
  [[nodiscard]] index_t first_position() const noexcept {
    return positions_follow_padding ? padding_id + 1 : 0;
  }
  /// The longest sequence, special tokens included.
  [[nodiscard]] index_t max_length() const noexcept { return max_positions - first_position(); }

  /// @throws onoma::error (invalid_argument) naming the first field outside its domain.
  void check() const {
    const auto require = [](bool ok, const char* field, const char* expected) {
      onoma::check(ok, error_code::invalid_argument, field, expected);
    };
    require(vocabulary >= 1, "encoder_config.vocabulary", "at least 1");
    require(hidden >= 1, "encoder_config.hidden", "at least 1");
    require(layers >= 1, "encoder_config.layers", "at least 1");
    require(heads >= 1 && hidden % heads == 0, "encoder_config.heads", "a divisor of the hidden size");
    require(inner >= 1, "encoder_config.inner", "at least 1");
    require(embedding >= 0, "encoder_config.embedding", "at least 0");
    require(padding_id >= -1 && padding_id < vocabulary, "encoder_config.padding_id",
            "-1 or a row of the vocabulary");
    require(padding_id >= 0 || !positions_follow_padding, "encoder_config.padding_id",
            "an id: positions are counted from it");
    require(max_length() >= 1, "encoder_config.max_positions", "rows for at least one token");
    require(types >= 0, "encoder_config.types", "at least 0");
    require(std::isfinite(norm_eps) && norm_eps > 0, "encoder_config.norm_eps", "above 0");
    require(std::isfinite(initializer_range) && initializer_range > 0,
            "encoder_config.initializer_range", "above 0");
    const auto is_probability = [](double p) { return p >= 0.0 && p < 1.0; };
    require(is_probability(hidden_dropout) && is_probability(attention_dropout), "encoder_config: a dropout",
            "in [0, 1)");
    if (!pre_norm) return;
    require(std::ssize(pre_norm->is_local) == layers, "encoder_config.pre_norm.is_local", "one for each layer");
    require(hidden / heads % 2 == 0, "encoder_config.heads", "heads of an even width: pairs turn");
    require(pre_norm->radius >= 0, "encoder_config.pre_norm.radius", "at least 0");
    const auto is_base = [](double base) { return std::isfinite(base) && base > 0.0; };
    require(is_base(pre_norm->global_base) && is_base(pre_norm->local_base), "encoder_config.pre_norm: a base",
            "above 0");
    require(is_probability(pre_norm->embedding_dropout) && is_probability(pre_norm->inner_dropout),
            "encoder_config.pre_norm: a dropout", "in [0, 1)");
  }
};

}  // namespace onoma::inline ONOMA_ABI
