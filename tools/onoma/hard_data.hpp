/// Options of onoma train for data whose labels are rare, uneven or wrong.
#pragma once

#include "command.hpp"

#include <onoma/data/sentence.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/train/training_run.hpp>

#include <string>
#include <utility>
#include <vector>

namespace command {

struct hard_data_settings {
  std::string class_weights;
  std::vector<std::string> extra;
  bool freeze_embeddings = false;
};

/// A file of further training sentences, and how much they count.
struct extra_source {
  std::string file;
  float weight = 1.0F;
};

/// --class-weights, --focus, --label-smoothing, --layer-decay, --freeze-embeddings, --freeze-layers,
/// --repeat-rare-types and --extra.
void add_hard_data(CLI::App& app, hard_data_settings& s, onoma::training_options& training);

/// What --extra names. @throws usage_error for what is not FILE:WEIGHT.
std::vector<extra_source> extra_sources(const hard_data_settings& s);

/// The weights of tags, by id, for the training sentences; none where --class-weights is not given.
/// @throws usage_error for weights that are none, or of labels that do not occur.
std::vector<double> class_weights_of(const hard_data_settings& s, const std::vector<onoma::sentence>& train,
                                     const onoma::tag_set& tags);

/// What is not as ever, for the model's README.md.
std::vector<std::pair<std::string, std::string>> describe_hard_data(const hard_data_settings& s,
                                                                    const onoma::training_options& training);

}  // namespace command
