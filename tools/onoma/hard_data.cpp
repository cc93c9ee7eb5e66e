/// Options of onoma train for data whose labels are rare, uneven or wrong.
#include "hard_data.hpp"

#include <onoma/train/dataset.hpp>

#include <cmath>
#include <cstddef>
#include <optional>
#include <sstream>
#include <string_view>

namespace command {

namespace {

/// The whole of a text as a finite number of at least 0.
std::optional<double> weight_from(const std::string& text) {
  std::size_t used = 0;
  try {
    const double weight = std::stod(text, &used);
    if (used == text.size() && std::isfinite(weight) && weight >= 0.0) return weight;
  } catch (const std::exception&) {
    // not a number
  }
  return std::nullopt;
}

std::vector<double> class_weights_from(const std::string& given, const std::vector<onoma::sentence>& train,
                                       const onoma::tag_set& tags) {
  if (given == "balanced") return onoma::balanced_class_weights(train, tags);
  std::vector<double> weights(static_cast<std::size_t>(tags.size()), 1.0);
  std::istringstream parts(given);
  for (std::string part; std::getline(parts, part, ',');) {
    const auto sign = part.rfind('=');
    const auto weight = sign == std::string::npos ? std::nullopt : weight_from(part.substr(sign + 1));
    if (!weight) throw usage_error{"--class-weights: expected balanced, or LABEL=WEIGHT,..., found '" + part + "'"};
    const auto name = part.substr(0, sign);
    bool found = false;
    for (onoma::index_t id = 0; id < tags.size(); ++id) {
      const auto& label = tags.label(id);
      if (label != name && onoma::split_tag(label).type != name) continue;
      weights[static_cast<std::size_t>(id)] = *weight;
      found = true;
    }
    if (!found) throw usage_error{"--class-weights: no tag or type of the training sentences is '" + name + "'"};
  }
  return weights;
}

}  // namespace

void add_hard_data(CLI::App& app, hard_data_settings& s, onoma::training_options& training) {
  constexpr const char* group = "Rare, uneven or wrong labels";
  app.add_option("--class-weights", s.class_weights,
                 "How much tags count in the loss: balanced (by how rare they are), or\n"
                 "TAG=WEIGHT,... with types for all of their tags (O=0.5,PER=2); others 1")
      ->group(group);
  app.add_option("--focus", training.loss.focus, "Gamma of the focal loss: words that are right already count less")
      ->check(CLI::NonNegativeNumber)
      ->group(group);
  app.add_option("--label-smoothing", training.loss.smoothing, "Part of each target that all tags share")
      ->check(CLI::Range(0.0, 0.999))
      ->group(group);
  auto* drop = app.add_option("--drop-highest", training.loss.dropped,
                              "Part of the words of a batch, those of the highest losses, that does not\n"
                              "count, as their labels may be wrong")
                   ->check(CLI::Range(0.0, 0.999))
                   ->group(group);
  app.add_option("--drop-ramp", training.drop_ramp, "Epochs in which that part rises from 0")
      ->check(CLI::PositiveNumber)
      ->capture_default_str()
      ->needs(drop)
      ->group(group);
  app.add_option("--layer-decay", training.layer_decay,
                 "Learning rate of a layer in that of the layer above it (0.8 to 0.95)")
      ->check(CLI::Range(1e-6, 1.0))
      ->group(group);
  auto* embeddings = app.add_flag("--freeze-embeddings", s.freeze_embeddings, "The embeddings do not learn");
  embeddings->group(group);
  app.add_option("--freeze-layers", training.frozen_layers,
                 "The embeddings and so many of the lowest layers do not learn")
      ->check(CLI::PositiveNumber)
      ->excludes(embeddings)
      ->group(group);
  app.add_option("--repeat-rare-types", training.data.repeat_threshold,
                 "Repeat sentences with types that fewer than this part of the sentences\n"
                 "have (0.01: of 1 %), the more the rarer")
      ->check(CLI::Range(0.0, 1.0))
      ->group(group);
  repeatable(app.add_option("--extra", s.extra,
                            "FILE:WEIGHT: further training sentences, whose labels count so much (weak or\n"
                            "silver ones: 0.1 to 0.5); may be given several times"))
      ->group(group);
}

std::vector<extra_source> extra_sources(const hard_data_settings& s) {
  std::vector<extra_source> sources;
  for (const auto& each : s.extra) {
    const auto sign = each.rfind(':');
    const auto weight = sign == std::string::npos || sign == 0 ? std::nullopt : weight_from(each.substr(sign + 1));
    if (!weight) throw usage_error{"--extra: expected FILE:WEIGHT, found '" + each + "'"};
    sources.push_back({each.substr(0, sign), static_cast<float>(*weight)});
  }
  return sources;
}

std::vector<double> class_weights_of(const hard_data_settings& s, const std::vector<onoma::sentence>& train,
                                     const onoma::tag_set& tags) {
  if (s.class_weights.empty()) return {};
  return class_weights_from(s.class_weights, train, tags);
}

std::vector<std::pair<std::string, std::string>> describe_hard_data(const hard_data_settings& s,
                                                                    const onoma::training_options& training) {
  std::vector<std::pair<std::string, std::string>> rows;
  const auto add = [&](bool wanted, const char* name, const auto& value) {
    if (wanted) rows.emplace_back(name, fmt::format("{}", value));
  };
  add(!s.class_weights.empty(), "class weights", s.class_weights);
  add(training.loss.focus != 0.0, "focus", training.loss.focus);
  add(training.loss.smoothing != 0.0, "label smoothing", training.loss.smoothing);
  add(training.loss.dropped != 0.0, "words with the highest losses dropped", training.loss.dropped);
  add(training.loss.dropped != 0.0, "epochs until so many are dropped", training.drop_ramp);
  add(training.layer_decay != 1.0, "layer decay", training.layer_decay);
  add(s.freeze_embeddings, "frozen", "embeddings");
  add(training.frozen_layers > 0, "frozen layers", training.frozen_layers);
  add(training.data.repeat_threshold != 0.0, "rare types repeated below", training.data.repeat_threshold);
  return rows;
}

}  // namespace command
