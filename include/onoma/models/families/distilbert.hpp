/// DistilBERT: no token types, other names, and no dropout behind the attention.
#pragma once

#include <onoma/models/families/bert.hpp>

namespace onoma::inline ONOMA_ABI::families {

/// DistilBERT's names of tensors.
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

/// DistilBERT's keys of config.json.
inline constexpr config_keys distilbert_keys{.hidden_size = "dim",
                                             .layers = "n_layers",
                                             .heads = "n_heads",
                                             .intermediate_size = "hidden_dim",
                                             .types = "",
                                             .activation = "activation",
                                             .norm_eps = "",
                                             .hidden_dropout = "dropout",
                                             .attention_dropout = "attention_dropout",
                                             .classifier_dropout = "",
                                             .fixed_positions = "sinusoidal_pos_embds"};

/// transformers 5: models/distilbert/configuration_distilbert.py and modeling_distilbert.py.
inline constexpr model_family distilbert{.model_type = "distilbert",
                                         .prefix = "distilbert.",
                                         .architecture = "DistilBertForTokenClassification",
                                         .names = distilbert_names,
                                         .set_defaults =
                                             [](encoder_config& config) {
                                               config.types = 0;
                                               config.drops_attention_output = false;
                                             },
                                         .read = read<distilbert_keys>,
                                         .write = write<distilbert_keys>};

}  // namespace onoma::inline ONOMA_ABI::families
