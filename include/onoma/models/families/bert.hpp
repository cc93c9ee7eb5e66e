/// BERT, and how it and its relatives write their configuration.
#pragma once

#include <onoma/core/relative_position.hpp>
#include <onoma/models/families/family.hpp>

#include <string>
#include <string_view>

namespace onoma::inline ONOMA_ABI::families {

/// Which key of config.json holds a size or setting; empty where the family has none.
struct config_keys {
  std::string_view hidden_size = "hidden_size";  ///< H
  std::string_view layers = "num_hidden_layers";  ///< how many
  std::string_view heads = "num_attention_heads";  ///< A
  std::string_view intermediate_size = "intermediate_size";  ///< F
  std::string_view types = "type_vocab_size";  ///< T
  std::string_view activation = "hidden_act";  ///< of the feed-forward blocks
  std::string_view norm_eps = "layer_norm_eps";  ///< of the norms
  std::string_view hidden_dropout = "hidden_dropout_prob";  ///< behind embeddings and blocks
  std::string_view attention_dropout = "attention_probs_dropout_prob";  ///< on the attention probabilities
  std::string_view classifier_dropout = "classifier_dropout";  ///< null or absent: as hidden_dropout
  std::string_view embedding_size{};   ///< width of the tables, projected to hidden_size
  std::string_view fixed_positions{};  ///< whether the position table is not trained
  bool padding_is_fixed = false;       ///< the padding id is the family's whatever config.json says
};

/// A probability of config.json.
inline void read_probability(config_reader& reader, std::string_view key, double& value) {
  reader.read_number(key, 0.0, 1.0, "a number in [0, 1)", value);
}

/// The padding id, which may be null for none.
inline void read_padding(config_reader& reader, const config_keys& keys, encoder_config& config) {
  const index_t of_family = config.padding_id;
  if (keys.padding_is_fixed) reader.refuse_unless("pad_token_id", of_family);
  const bool none = reader.is_null("pad_token_id");
  config.padding_id = none ? -1 : reader.take("pad_token_id", of_family);
  const index_t lowest = config.positions_follow_padding ? 0 : -1;
  if (config.padding_id < lowest || config.padding_id >= config.vocabulary) {
    reader.refuse("pad_token_id", "0 to " + std::to_string(config.vocabulary - 1),
                  none ? json(nullptr) : json(config.padding_id));
  }
}

/// Sizes and settings of a post-norm encoder with a table of positions. Limits are far above any model, so
/// that products of sizes fit into 64 bits.
inline void read_post_norm(config_reader& reader, const config_keys& keys, encoder_config& config) {
  // What the encoder does not compute. A field that were ignored would be a wrong result.
  reader.refuse_unless("position_embedding_type", "absolute");
  reader.refuse_unless("attention_type", "original_full");
  reader.refuse_unless("relative_attention", false);
  reader.refuse_unless("pruned_heads", json::object());
  reader.refuse_unless("relative_attention_num_buckets",
                       config.relative_bias ? json(relative_position_buckets) : json());

  reader.require_size("vocab_size", 1 << 27, config.vocabulary);
  reader.require_size(keys.hidden_size, 1 << 16, config.hidden);
  reader.require_size(keys.layers, 1 << 10, config.layers);
  reader.require_size(keys.heads, 1 << 16, config.heads);
  reader.require_size(keys.intermediate_size, 1 << 20, config.inner);
  reader.read_size("max_position_embeddings", 1 << 24, config.max_positions);
  if (!keys.types.empty()) reader.read_size(keys.types, 1 << 16, config.types);
  if (config.hidden % config.heads != 0) {
    reader.refuse(keys.heads, "a divisor of " + std::to_string(config.hidden), config.heads);
  }
  if (keys.embedding_size.empty()) {
    reader.refuse_unless("embedding_size", config.hidden);
  } else {
    index_t width = 128;  // ElectraConfig's default
    reader.read_size(keys.embedding_size, 1 << 16, width);
    config.embedding = width == config.hidden ? 0 : width;
  }

  config.function = activation_from_name(reader.take(keys.activation, std::string("gelu")),
                                         reader.place(keys.activation));
  if (!keys.norm_eps.empty()) reader.read_positive(keys.norm_eps, 1.0, "a number in (0, 1)", config.norm_eps);
  read_probability(reader, keys.hidden_dropout, config.hidden_dropout);
  read_probability(reader, keys.attention_dropout, config.attention_dropout);
  config.classifier_dropout = config.hidden_dropout;  // null or absent
  if (!keys.classifier_dropout.empty()) {
    read_probability(reader, keys.classifier_dropout, config.classifier_dropout);
  }
  if (!keys.fixed_positions.empty()) config.fixed_positions = reader.take(keys.fixed_positions, false);
  read_padding(reader, keys, config);
  if (config.max_length() < 1) {
    reader.refuse("max_position_embeddings", "more than pad_token_id + 1", config.max_positions);
  }
}

/// What `read_post_norm` reads.
inline void write_post_norm(const config_keys& keys, const encoder_config& from, json& config) {
  const auto put = [&](std::string_view key, const json& value) {
    if (!key.empty()) config[std::string(key)] = value;
  };
  put("vocab_size", from.vocabulary);
  put(keys.hidden_size, from.hidden);
  put(keys.layers, from.layers);
  put(keys.heads, from.heads);
  put(keys.intermediate_size, from.inner);
  put(keys.embedding_size, from.embedding == 0 ? from.hidden : from.embedding);
  put("max_position_embeddings", from.max_positions);
  put(keys.types, from.types);
  put(keys.activation, to_string(from.function));
  put(keys.norm_eps, from.norm_eps);
  put("pad_token_id", from.padding_id < 0 ? json(nullptr) : json(from.padding_id));
  put(keys.hidden_dropout, from.hidden_dropout);
  put(keys.attention_dropout, from.attention_dropout);
  put(keys.classifier_dropout, from.classifier_dropout == from.hidden_dropout
                                   ? json(nullptr)
                                   : json(from.classifier_dropout));
  put(keys.fixed_positions, from.fixed_positions);
}

/// The functions of a family with these keys.
template <const config_keys& Keys>
void read(config_reader& reader, encoder_config& config) {
  read_post_norm(reader, Keys, config);
}
/// Writes what `read` reads.
template <const config_keys& Keys>
void write(const encoder_config& from, json& config) {
  write_post_norm(Keys, from, config);
}

/// BERT's names of tensors.
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

/// BERT's keys of config.json.
inline constexpr config_keys bert_keys{};

/// transformers 5: models/bert/configuration_bert.py and modeling_bert.py.
inline constexpr model_family bert{.model_type = "bert",
                                   .prefix = "bert.",
                                   .architecture = "BertForTokenClassification",
                                   .names = bert_names,
                                   .set_defaults = [](encoder_config&) {},
                                   .read = read<bert_keys>,
                                   .write = write<bert_keys>};

}  // namespace onoma::inline ONOMA_ABI::families
