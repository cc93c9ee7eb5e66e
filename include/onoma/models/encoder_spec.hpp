/// What an encoder computes: sizes and settings, whatever file they come from.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <cmath>

namespace onoma::inline ONOMA_ABI {

/// Sizes and settings of one encoder. The defaults are those of bert-base-uncased, as transformers'
/// BertConfig has them.
struct encoder_spec {
  index vocabulary = 30522;  ///< V
  index hidden = 768;        ///< H
  index layers = 12;
  index heads = 12;           ///< A, divides H
  index inner = 3072;         ///< F
  index embedding = 0;        ///< E: width of the tables where they are projected to H; 0: H
  index max_positions = 512;  ///< P: rows of the position table
  index types = 2;            ///< T; 0: no type table
  activation function = activation::gelu;
  double norm_eps = 1e-12;
  double initializer_range = 0.02;  ///< standard deviation of new weights
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  bool fixed_positions = false;           ///< sinusoidal position table: not trained
  index padding_id = 0;                   ///< its word embedding is not trained; -1: none
  bool positions_follow_padding = false;  ///< the first token's position is padding_id + 1, not 0
  bool drops_attention_output = true;     ///< dropout between the attention's output and its add & norm
  bool relative_bias = false;             ///< scores have a bias of relative positions, one for all layers

  /// Row of the position table that the first token of a sequence takes. RoBERTa counts from behind
  /// the padding token's row (transformers, `create_position_ids_from_input_ids`).
  [[nodiscard]] index first_position() const noexcept {
    return positions_follow_padding ? padding_id + 1 : 0;
  }
  /// The longest sequence, special tokens included.
  [[nodiscard]] index max_length() const noexcept { return max_positions - first_position(); }

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
    for (const double p : {hidden_dropout, attention_dropout}) {
      require(p >= 0.0 && p < 1.0, "encoder_config: a dropout", "in [0, 1)");
    }
  }
};

}  // namespace onoma::inline ONOMA_ABI
