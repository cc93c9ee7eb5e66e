/// RoBERTa, XLM-RoBERTa and CamemBERT: BERT with positions that begin behind the padding id.
#pragma once

#include <onoma/models/families/bert.hpp>

namespace onoma::inline ONOMA_ABI::families {

/// Positions begin behind the padding token's row.
inline void set_roberta_defaults(encoder_config& config) {
  config.padding_id = 1;
  config.positions_follow_padding = true;
}

/// transformers 5: models/roberta/configuration_roberta.py and modeling_roberta.py.
inline constexpr model_family roberta{.model_type = "roberta",
                                      .prefix = "roberta.",
                                      .architecture = "RobertaForTokenClassification",
                                      .names = bert_names,
                                      .set_defaults = set_roberta_defaults,
                                      .read = read<bert_keys>,
                                      .write = write<bert_keys>};

/// The same under another name: models/xlm_roberta.
inline constexpr model_family xlm_roberta = [] {
  auto family = roberta;
  family.model_type = "xlm-roberta";
  family.architecture = "XLMRobertaForTokenClassification";
  return family;
}();

/// The same under another name: models/camembert.
inline constexpr model_family camembert = [] {
  auto family = roberta;
  family.model_type = "camembert";
  family.architecture = "CamembertForTokenClassification";
  return family;
}();

}  // namespace onoma::inline ONOMA_ABI::families
