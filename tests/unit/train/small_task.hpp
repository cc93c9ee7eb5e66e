/// A tiny encoder and a few sentences that it can learn.
#pragma once

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/train/trainer.hpp>

#include <string>
#include <utility>
#include <vector>

namespace test {

using onoma::index_t;
using model = onoma::token_classifier<onoma::cpu_backend>;

inline const std::string tiny = std::string(ONOMA_TEST_DATA_DIR) + "/bert-tiny";
inline const std::vector<std::string> labels = {"B-LOC", "B-PER", "I-LOC", "I-PER", "O"};

inline onoma::sentence make(std::vector<std::string> words, std::vector<std::string> tags) {
  return {std::move(words), std::move(tags), false};
}

inline std::vector<onoma::sentence> sentences() {
  std::vector<onoma::sentence> all;
  for (const char* person : {"jane", "john", "Jane", "John"}) {
    for (const char* place : {"berlin", "paris", "york"}) {
      all.push_back(make({person, "was", "in", place, "."}, {"B-PER", "O", "O", "B-LOC", "O"}));
      all.push_back(make({"the", "new", place, "museum", "and", person, "met", "on", "monday"},
                         {"O", "B-LOC", "I-LOC", "I-LOC", "O", "B-PER", "O", "O", "O"}));
    }
  }
  return all;
}

/// The tiny encoder with dropout switched on.
inline onoma::encoder_config config_with_dropout() {
  auto config = onoma::encoder_config::from_json(onoma::model_folder::open(tiny).config());
  config.hidden_dropout = config.attention_dropout = config.classifier_dropout = 0.1;
  config.labels = labels;
  return config;
}

inline onoma::training_options options() {
  onoma::training_options o;
  o.epochs = 4;
  o.learning_rate = 3e-3;
  o.batch.batch_size = 4;
  o.batch.seed = 3;
  o.accumulation = 2;
  return o;
}

inline std::vector<float> weights_of(const model& m) {
  const auto values = m.parameters().values();
  return {values.begin(), values.end()};
}

}  // namespace test
