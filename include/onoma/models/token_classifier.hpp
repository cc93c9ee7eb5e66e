/// An encoder with a linear head that scores the labels of each token: the model of a NER tagger.
#pragma once

#include <onoma/heads/token.hpp>
#include <onoma/models/session.hpp>
#include <onoma/models/trainable_model.hpp>

namespace onoma::inline ONOMA_ABI {

/// Transformers' BertForTokenClassification and its counterparts in the other families, for fine-tuning.
template <training_backend B>
using token_classifier = trainable_model<B, token_head<B>>;

/// Its weights alone, for inference.
template <inference_backend B>
using token_classifier_model = encoder_model<B, token_head<B>>;

/// What runs them: `token_classifier_session<cpu_backend>::load(folder, backend)`.
template <inference_backend B>
using token_classifier_session = session<B, token_head<B>>;

}  // namespace onoma::inline ONOMA_ABI
