/// The model families: what each calls its configuration, parameters and classes. Tables, not code.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>

#include <array>
#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// A parameter of onoma's encoder and the tensor that holds it in a checkpoint, or the three whose
/// rows follow one another in it (q, k, v). `#` stands for the number of the layer.
struct checkpoint_name {
  std::string_view parameter;
  std::array<std::string_view, 3> tensors;
};

/// Which key of config.json holds a size or setting; empty where the family has none.
struct config_keys {
  std::string_view hidden_size, layers, heads, intermediate_size, types, activation, norm_eps;
  std::string_view hidden_dropout, attention_dropout;
  std::string_view classifier_dropout;  ///< null or absent: as hidden_dropout
  std::string_view embedding_size;      ///< width of the tables, projected to hidden_size
  std::string_view fixed_positions;     ///< whether the position table is not trained
};

/// One family of encoders as the Hub publishes it.
struct model_family {
  std::string_view model_type;    ///< of config.json
  std::string_view prefix;        ///< of encoder tensors in a model with a head
  std::string_view architecture;  ///< transformers' class of the token classifier
  config_keys keys;
  std::span<const checkpoint_name> names;
  index padding_id;               ///< of a config.json that does not say
  bool positions_follow_padding;  ///< the first token's position is padding_id + 1, not 0
  bool drops_attention_output;    ///< dropout between the attention's output and its add & norm
  bool relative_bias = false;     ///< scores have a bias of relative positions, one for all layers
  bool padding_is_fixed = false;  ///< the padding id is `padding_id` whatever config.json says
};

namespace detail {

inline constexpr checkpoint_name bert_names[] = {
    {"embeddings.word", {"embeddings.word_embeddings.weight"}},
    {"embeddings.position", {"embeddings.position_embeddings.weight"}},
    {"embeddings.type", {"embeddings.token_type_embeddings.weight"}},
    {"embeddings.norm.weight", {"embeddings.LayerNorm.weight"}},
    {"embeddings.norm.bias", {"embeddings.LayerNorm.bias"}},
    {"embeddings.projection.weight", {"embeddings_project.weight"}},  // ELECTRA
    {"embeddings.projection.bias", {"embeddings_project.bias"}},
    {"layer.#.attention.query_key_value.weight",
     {"encoder.layer.#.attention.self.query.weight", "encoder.layer.#.attention.self.key.weight",
      "encoder.layer.#.attention.self.value.weight"}},
    {"layer.#.attention.query_key_value.bias",
     {"encoder.layer.#.attention.self.query.bias", "encoder.layer.#.attention.self.key.bias",
      "encoder.layer.#.attention.self.value.bias"}},
    {"layer.#.attention.output.weight", {"encoder.layer.#.attention.output.dense.weight"}},
    {"layer.#.attention.output.bias", {"encoder.layer.#.attention.output.dense.bias"}},
    {"layer.#.attention_norm.weight", {"encoder.layer.#.attention.output.LayerNorm.weight"}},
    {"layer.#.attention_norm.bias", {"encoder.layer.#.attention.output.LayerNorm.bias"}},
    {"layer.#.feed_forward.expand.weight", {"encoder.layer.#.intermediate.dense.weight"}},
    {"layer.#.feed_forward.expand.bias", {"encoder.layer.#.intermediate.dense.bias"}},
    {"layer.#.feed_forward.contract.weight", {"encoder.layer.#.output.dense.weight"}},
    {"layer.#.feed_forward.contract.bias", {"encoder.layer.#.output.dense.bias"}},
    {"layer.#.feed_forward_norm.weight", {"encoder.layer.#.output.LayerNorm.weight"}},
    {"layer.#.feed_forward_norm.bias", {"encoder.layer.#.output.LayerNorm.bias"}},
};

inline constexpr checkpoint_name distilbert_names[] = {
    {"embeddings.word", {"embeddings.word_embeddings.weight"}},
    {"embeddings.position", {"embeddings.position_embeddings.weight"}},
    {"embeddings.norm.weight", {"embeddings.LayerNorm.weight"}},
    {"embeddings.norm.bias", {"embeddings.LayerNorm.bias"}},
    {"layer.#.attention.query_key_value.weight",
     {"transformer.layer.#.attention.q_lin.weight", "transformer.layer.#.attention.k_lin.weight",
      "transformer.layer.#.attention.v_lin.weight"}},
    {"layer.#.attention.query_key_value.bias",
     {"transformer.layer.#.attention.q_lin.bias", "transformer.layer.#.attention.k_lin.bias",
      "transformer.layer.#.attention.v_lin.bias"}},
    {"layer.#.attention.output.weight", {"transformer.layer.#.attention.out_lin.weight"}},
    {"layer.#.attention.output.bias", {"transformer.layer.#.attention.out_lin.bias"}},
    {"layer.#.attention_norm.weight", {"transformer.layer.#.sa_layer_norm.weight"}},
    {"layer.#.attention_norm.bias", {"transformer.layer.#.sa_layer_norm.bias"}},
    {"layer.#.feed_forward.expand.weight", {"transformer.layer.#.ffn.lin1.weight"}},
    {"layer.#.feed_forward.expand.bias", {"transformer.layer.#.ffn.lin1.bias"}},
    {"layer.#.feed_forward.contract.weight", {"transformer.layer.#.ffn.lin2.weight"}},
    {"layer.#.feed_forward.contract.bias", {"transformer.layer.#.ffn.lin2.bias"}},
    {"layer.#.feed_forward_norm.weight", {"transformer.layer.#.output_layer_norm.weight"}},
    {"layer.#.feed_forward_norm.bias", {"transformer.layer.#.output_layer_norm.bias"}},
};

inline constexpr checkpoint_name mpnet_names[] = {
    {"embeddings.word", {"embeddings.word_embeddings.weight"}},
    {"embeddings.position", {"embeddings.position_embeddings.weight"}},
    {"embeddings.norm.weight", {"embeddings.LayerNorm.weight"}},
    {"embeddings.norm.bias", {"embeddings.LayerNorm.bias"}},
    {"relative_bias", {"encoder.relative_attention_bias.weight"}},
    {"layer.#.attention.query_key_value.weight",
     {"encoder.layer.#.attention.attn.q.weight", "encoder.layer.#.attention.attn.k.weight",
      "encoder.layer.#.attention.attn.v.weight"}},
    {"layer.#.attention.query_key_value.bias",
     {"encoder.layer.#.attention.attn.q.bias", "encoder.layer.#.attention.attn.k.bias",
      "encoder.layer.#.attention.attn.v.bias"}},
    {"layer.#.attention.output.weight", {"encoder.layer.#.attention.attn.o.weight"}},
    {"layer.#.attention.output.bias", {"encoder.layer.#.attention.attn.o.bias"}},
    {"layer.#.attention_norm.weight", {"encoder.layer.#.attention.LayerNorm.weight"}},
    {"layer.#.attention_norm.bias", {"encoder.layer.#.attention.LayerNorm.bias"}},
    {"layer.#.feed_forward.expand.weight", {"encoder.layer.#.intermediate.dense.weight"}},
    {"layer.#.feed_forward.expand.bias", {"encoder.layer.#.intermediate.dense.bias"}},
    {"layer.#.feed_forward.contract.weight", {"encoder.layer.#.output.dense.weight"}},
    {"layer.#.feed_forward.contract.bias", {"encoder.layer.#.output.dense.bias"}},
    {"layer.#.feed_forward_norm.weight", {"encoder.layer.#.output.LayerNorm.weight"}},
    {"layer.#.feed_forward_norm.bias", {"encoder.layer.#.output.LayerNorm.bias"}},
};

inline constexpr config_keys bert_keys = {"hidden_size",
                                         "num_hidden_layers",
                                         "num_attention_heads",
                                         "intermediate_size",
                                         "type_vocab_size",
                                         "hidden_act",
                                         "layer_norm_eps",
                                         "hidden_dropout_prob",
                                         "attention_probs_dropout_prob",
                                         "classifier_dropout",
                                         "",
                                         ""};

inline constexpr config_keys electra_keys = [] {
  auto keys = bert_keys;
  keys.embedding_size = "embedding_size";
  return keys;
}();

inline constexpr config_keys mpnet_keys = [] {
  auto keys = bert_keys;
  keys.types = "";
  keys.classifier_dropout = "";
  return keys;
}();

inline constexpr config_keys distilbert_keys = {"dim",        "n_layers", "n_heads",
                                               "hidden_dim", "",         "activation",
                                               "",           "dropout",  "attention_dropout",
                                               "",           "",         "sinusoidal_pos_embds"};

}  // namespace detail

/// transformers 5: models/<family>/configuration_*.py and modeling_*.py. The RoBERTa family differs
/// from BERT in where positions begin and, in its class names, from one another.
inline constexpr model_family model_families[] = {
    {"bert", "bert.", "BertForTokenClassification", detail::bert_keys, detail::bert_names, 0, false,
     true},
    {"distilbert", "distilbert.", "DistilBertForTokenClassification", detail::distilbert_keys,
     detail::distilbert_names, 0, false, false},
    {"roberta", "roberta.", "RobertaForTokenClassification", detail::bert_keys, detail::bert_names,
     1, true, true},
    {"xlm-roberta", "roberta.", "XLMRobertaForTokenClassification", detail::bert_keys,
     detail::bert_names, 1, true, true},
    {"camembert", "roberta.", "CamembertForTokenClassification", detail::bert_keys,
     detail::bert_names, 1, true, true},
    {"electra", "electra.", "ElectraForTokenClassification", detail::electra_keys,
     detail::bert_names, 0, false, true},
    {"mpnet", "mpnet.", "MPNetForTokenClassification", detail::mpnet_keys, detail::mpnet_names, 1,
     true, true, true, true},
};

/// Beginnings of tensors that no tagger needs, after the family's prefix: the heads of pretraining
/// and of other tasks (whose weights may be tied to the word table), and buffers that hold 0, 1, ...
inline constexpr std::string_view ignored_tensors[] = {
    "pooler.",
    "cls.",
    "lm_head.",
    "qa_outputs.",
    "pre_classifier.",
    "sequence_summary.",
    "vocab_transform.",
    "vocab_layer_norm.",
    "vocab_projector.",
    "discriminator_predictions.",
    "generator_predictions.",
    "generator_lm_head.",
    "embeddings.position_ids",
    "embeddings.token_type_ids",
};

/// @throws onoma::error (unsupported) for a model_type without a row in the table.
[[nodiscard]] inline const model_family& family_of(std::string_view model_type) {
  std::string known;
  for (const auto& family : model_families) {
    if (family.model_type == model_type) return family;
    known.append(known.empty() ? "one of " : ", ").append(family.model_type);
  }
  fail(error_code::unsupported, "config.json: model_type", known,
       "'" + std::string(model_type) + "'");
}

/// The tensors that hold `parameter` (a name of onoma's encoder, "layer.3.attention..."), without
/// the family's prefix: one, or three in the order of their rows.
/// @throws onoma::error (missing) for a parameter that the family's table lacks.
[[nodiscard]] inline std::vector<std::string> tensor_names(const model_family& family,
                                                           std::string_view parameter) {
  // "layer.12.attention" -> "layer.#.attention" and "12".
  constexpr std::string_view layers = "layer.";
  std::string pattern(parameter);
  std::string number;
  if (parameter.substr(0, layers.size()) == layers) {
    const auto end = parameter.find('.', layers.size());
    number = parameter.substr(layers.size(), end - layers.size());
    pattern.replace(layers.size(), number.size(), "#");
  }
  for (const auto& row : family.names) {
    if (row.parameter != pattern) continue;
    std::vector<std::string> names;
    for (const auto tensor : row.tensors) {
      if (tensor.empty()) continue;
      std::string name(tensor);
      const auto place = name.find('#');
      if (place != std::string::npos) name.replace(place, 1, number);
      names.push_back(std::move(name));
    }
    return names;
  }
  fail(error_code::missing, "tensor_names",
       "a row for '" + pattern + "' in the table of " + std::string(family.model_type));
}

/// The name of the first BERT release, before LayerNorm parameters were called weight and bias; the
/// same name where the tensor had no other.
[[nodiscard]] inline std::string legacy_name(const std::string& tensor) {
  const auto renamed = [&](std::string_view now, std::string_view before) -> std::string {
    if (!tensor.ends_with(now)) return {};
    return tensor.substr(0, tensor.size() - now.size()).append(before);
  };
  if (auto name = renamed("LayerNorm.weight", "LayerNorm.gamma"); !name.empty()) return name;
  if (auto name = renamed("LayerNorm.bias", "LayerNorm.beta"); !name.empty()) return name;
  return tensor;
}

}  // namespace onoma::inline ONOMA_ABI
