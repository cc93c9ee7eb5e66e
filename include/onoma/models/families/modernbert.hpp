/// ModernBERT: pre-norm layers with rotary positions and gated feed-forward, two of three of them local.
#pragma once

#include <onoma/models/families/bert.hpp>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI::families {

/// ModernBERT's names of tensors.
inline constexpr checkpoint_name modernbert_names[] = {
    {"embeddings.word", {"embeddings.tok_embeddings.weight"}},
    {"embeddings.norm.weight", {"embeddings.norm.weight"}},
    {"embeddings.norm.bias", {"embeddings.norm.bias"}},
    {"layer.#.attention_norm.weight", {"layers.#.attn_norm.weight"}},
    {"layer.#.attention_norm.bias", {"layers.#.attn_norm.bias"}},
    {"layer.#.attention.query_key_value.weight", {"layers.#.attn.Wqkv.weight"}},
    {"layer.#.attention.query_key_value.bias", {"layers.#.attn.Wqkv.bias"}},
    {"layer.#.attention.output.weight", {"layers.#.attn.Wo.weight"}},
    {"layer.#.attention.output.bias", {"layers.#.attn.Wo.bias"}},
    {"layer.#.feed_forward_norm.weight", {"layers.#.mlp_norm.weight"}},
    {"layer.#.feed_forward_norm.bias", {"layers.#.mlp_norm.bias"}},
    {"layer.#.feed_forward.expand.weight", {"layers.#.mlp.Wi.weight"}},
    {"layer.#.feed_forward.expand.bias", {"layers.#.mlp.Wi.bias"}},
    {"layer.#.feed_forward.contract.weight", {"layers.#.mlp.Wo.weight"}},
    {"layer.#.feed_forward.contract.bias", {"layers.#.mlp.Wo.bias"}},
    {"final_norm.weight", {"final_norm.weight"}},
    {"final_norm.bias", {"final_norm.bias"}},
};

inline constexpr std::string_view local_layer = "sliding_attention";  ///< in layer_types
inline constexpr std::string_view global_layer = "full_attention";    ///< likewise

/// Every `every`-th layer, from the first, sees the whole sequence.
inline std::vector<bool> local_layers(index_t layers, index_t every) {
  std::vector<bool> local;
  for (index_t i = 0; i < layers; ++i) local.push_back(i % every != 0);
  return local;
}

/// What transformers' ModernBertConfig has by default.
inline void set_modernbert_defaults(encoder_config& config) {
  config.vocabulary = 50368;
  config.inner = 1152;
  config.layers = 22;
  config.max_positions = 8192;
  config.types = 0;
  config.norm_eps = 1e-5;
  config.padding_id = 50283;
  config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0.0;
  config.pre_norm.emplace().is_local = local_layers(config.layers, 3);
  config.transform = transform_settings{activation::gelu, false, config.norm_eps, false};
}

/// The base of one kind of layers: "rope_parameters" since transformers 5, keys of their own before.
inline void read_base(config_reader& reader, const json& all, std::string_view kind, std::string_view old_key,
                      double& base) {
  constexpr const char* range = "a number in (0, 1e12)";
  const auto place = "config.json: 'rope_parameters'";
  reader.read_positive(old_key, 1e12, range, base);
  const auto found = all.find(std::string(kind));
  if (found == all.end() || found->is_null()) return;
  if (!found->is_object()) config_reader::refuse("rope_parameters", "an object for each kind of layer", all);
  const auto type = value_or<std::string>(*found, "rope_type", "default", place);
  if (type != "default") fail(error_code::unsupported, place, "the rope_type 'default'", "'" + type + "'");
  base = value_or<double>(*found, "rope_theta", base, place);
  if (!(base > 0.0 && base < 1e12)) config_reader::refuse("rope_parameters", range, all);
}

/// Which layers are local: "layer_types" since transformers 5, a number before.
inline void read_layer_kinds(config_reader& reader, encoder_config& config) {
  index_t every = 3;
  reader.read_size("global_attn_every_n_layers", 1 << 10, every);
  config.pre_norm->is_local = local_layers(config.layers, every);
  const json kinds = reader.take_json("layer_types");
  if (kinds.is_null()) return;
  if (!kinds.is_array() || static_cast<index_t>(kinds.size()) != config.layers) {
    config_reader::refuse("layer_types", "a list of " + std::to_string(config.layers) + " kinds", kinds);
  }
  config.pre_norm->is_local.clear();
  for (const auto& kind : kinds) {
    if (kind != local_layer && kind != global_layer) {
      config_reader::refuse("layer_types", std::string(local_layer) + " or " + std::string(global_layer), kind);
    }
    config.pre_norm->is_local.push_back(kind == local_layer);
  }
}

/// Reads config.json. @throws onoma::error (format, missing, unsupported) naming the key.
inline void read_modernbert(config_reader& reader, encoder_config& config) {
  auto& own = *config.pre_norm;
  reader.require_size("vocab_size", 1 << 27, config.vocabulary);
  reader.require_size("hidden_size", 1 << 16, config.hidden);
  reader.require_size("num_hidden_layers", 1 << 10, config.layers);
  reader.require_size("num_attention_heads", 1 << 16, config.heads);
  reader.require_size("intermediate_size", 1 << 20, config.inner);
  reader.read_size("max_position_embeddings", 1 << 24, config.max_positions);
  if (config.hidden % (2 * config.heads) != 0) {
    config_reader::refuse("num_attention_heads", "a number that cuts " + std::to_string(config.hidden) +
                          " into even widths", config.heads);
  }
  read_layer_kinds(reader, config);
  index_t width = 2 * own.radius;
  reader.read_size("local_attention", 1 << 24, width);
  own.radius = width / 2;  // transformers counts that many to either side
  reader.refuse_unless("rope_scaling", nullptr);
  json bases = reader.take_json("rope_parameters");
  if (bases.is_null()) bases = json::object();
  read_base(reader, bases, global_layer, "global_rope_theta", own.global_base);
  read_base(reader, bases, local_layer, "local_rope_theta", own.local_base);

  own.attention_bias = reader.take("attention_bias", false);
  own.feed_forward_bias = reader.take("mlp_bias", false);
  own.norm_bias = reader.take("norm_bias", false);
  config.function = activation_from_name(reader.take("hidden_activation", std::string("gelu")),
                                         config_reader::place("hidden_activation"));
  reader.read_positive("norm_eps", 1.0, "a number in (0, 1)", config.norm_eps);
  read_probability(reader, "attention_dropout", config.attention_dropout);
  read_probability(reader, "embedding_dropout", own.embedding_dropout);
  read_probability(reader, "mlp_dropout", own.inner_dropout);
  read_probability(reader, "classifier_dropout", config.classifier_dropout);
  config.transform = transform_settings{
      activation_from_name(reader.take("classifier_activation", std::string("gelu")),
                           config_reader::place("classifier_activation")),
      reader.take("classifier_bias", false), config.norm_eps, own.norm_bias};
  read_padding(reader, {}, config);
}

/// For transformers 5 and for those before, which read other keys.
inline void write_modernbert(const encoder_config& from, json& config) {
  const auto& own = *from.pre_norm;
  config["vocab_size"] = from.vocabulary;
  config["hidden_size"] = from.hidden;
  config["num_hidden_layers"] = from.layers;
  config["num_attention_heads"] = from.heads;
  config["intermediate_size"] = from.inner;
  config["max_position_embeddings"] = from.max_positions;
  config["local_attention"] = 2 * own.radius;
  auto& kinds = config["layer_types"] = json::array();
  for (const bool local : own.is_local) kinds.push_back(local ? local_layer : global_layer);
  for (index_t every = 1; every <= from.layers; ++every) {
    if (own.is_local != local_layers(from.layers, every)) continue;
    config["global_attn_every_n_layers"] = every;
    break;
  }
  config["global_rope_theta"] = own.global_base;
  config["local_rope_theta"] = own.local_base;
  for (const auto& [kind, base] : {std::pair(global_layer, own.global_base), std::pair(local_layer, own.local_base)}) {
    config["rope_parameters"][std::string(kind)] = {{"rope_type", "default"}, {"rope_theta", base}};
  }
  config["attention_bias"] = own.attention_bias;
  config["mlp_bias"] = own.feed_forward_bias;
  config["norm_bias"] = own.norm_bias;
  config["hidden_activation"] = to_string(from.function);
  config["norm_eps"] = from.norm_eps;
  config["attention_dropout"] = from.attention_dropout;
  config["embedding_dropout"] = own.embedding_dropout;
  config["mlp_dropout"] = own.inner_dropout;
  config["classifier_dropout"] = from.classifier_dropout;
  config["classifier_activation"] = to_string(from.transform->function);
  config["classifier_bias"] = from.transform->bias;
  config["pad_token_id"] = from.padding_id < 0 ? json(nullptr) : json(from.padding_id);
}

/// transformers 5: models/modernbert/configuration_modernbert.py and modeling_modernbert.py.
inline constexpr model_family modernbert{.model_type = "modernbert",
                                         .prefix = "model.",
                                         .architecture = "ModernBertForTokenClassification",
                                         .names = modernbert_names,
                                         .set_defaults = set_modernbert_defaults,
                                         .read = read_modernbert,
                                         .write = write_modernbert};

}  // namespace onoma::inline ONOMA_ABI::families
