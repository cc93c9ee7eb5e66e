/// ELECTRA: BERT with tables that may be narrower than the encoder.
#pragma once

#include <onoma/models/families/bert.hpp>

namespace onoma::inline ONOMA_ABI::families {

/// ELECTRA's keys of config.json.
inline constexpr config_keys electra_keys{.embedding_size = "embedding_size"};

/// transformers 5: models/electra/configuration_electra.py and modeling_electra.py.
inline constexpr model_family electra{.model_type = "electra",
                                      .prefix = "electra.",
                                      .architecture = "ElectraForTokenClassification",
                                      .names = bert_names,
                                      .set_defaults = [](encoder_config&) {},
                                      .read = read<electra_keys>,
                                      .write = write<electra_keys>};

}  // namespace onoma::inline ONOMA_ABI::families
