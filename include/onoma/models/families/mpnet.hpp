/// MPNet: a bias of relative positions, shared by all layers.
#pragma once

#include <onoma/models/families/bert.hpp>

namespace onoma::inline ONOMA_ABI::families {

/// MPNet's names of tensors.
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

/// MPNet's keys of config.json.
inline constexpr config_keys mpnet_keys{.types = "", .classifier_dropout = "", .padding_is_fixed = true};

/// transformers 5: models/mpnet/configuration_mpnet.py and modeling_mpnet.py.
inline constexpr model_family mpnet{.model_type = "mpnet",
                                    .prefix = "mpnet.",
                                    .architecture = "MPNetForTokenClassification",
                                    .names = mpnet_names,
                                    .set_defaults =
                                        [](encoder_config& config) {
                                          config.types = 0;
                                          config.padding_id = 1;
                                          config.positions_follow_padding = true;
                                          config.relative_bias = true;
                                        },
                                    .read = read<mpnet_keys>,
                                    .write = write<mpnet_keys>};

}  // namespace onoma::inline ONOMA_ABI::families
