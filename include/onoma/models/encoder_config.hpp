/// config.json to an encoder and its labels, and back.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/manifest.hpp>
#include <onoma/models/config_reader.hpp>
#include <onoma/models/families/registry.hpp>
#include <onoma/ner/tag_scheme.hpp>

#include <cstddef>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The quant_method in config.json's quantization_config of folders whose linear weights are I8 with
/// scales (models/quantize.hpp): other programs refuse the folder by this name.
inline constexpr std::string_view int8_method = "onoma_int8";

/// What follows a weight's name in that of its scales.
inline constexpr std::string_view scale_suffix = "_scale";

namespace detail {

/// The labels of id2label ({"0": "O", ...}), in the order of their ids; empty if it is not there. As in
/// transformers two ids may have one name, and label2id has no say: where it contradicts, that is a remark.
inline std::vector<std::string> read_labels(config_reader& reader, std::vector<std::string>& remarks) {
  std::map<index_t, std::string> by_id;
  if (const auto* id2label = reader.find_object("id2label")) {
    for (const auto& [key, label] : id2label->items()) {
      if (!label.is_string()) reader.refuse("id2label", "strings", label);
      if (key.empty() || key.size() > 6 ||
          key.find_first_not_of("0123456789") != std::string::npos) {
        reader.refuse("id2label", "ids from 0 as keys", key);
      }
      if (!by_id.emplace(std::stol(key), label.get<std::string>()).second) {
        reader.refuse("id2label", "each id once", key);
      }
    }
  }
  std::vector<std::string> labels;
  json inverse = json::object();
  for (auto& [id, label] : by_id) {
    if (id != static_cast<index_t>(labels.size())) {
      reader.refuse("id2label", "an entry for id " + std::to_string(labels.size()), id);
    }
    const auto [first, is_new] = inverse.emplace(label, id);
    if (!is_new) {
      remarks.push_back("config.json: id2label gives the ids " + first->dump() + " and " +
                        std::to_string(id) + " one name, '" + label + "'");
    }
    labels.push_back(std::move(label));
  }
  const json label2id = reader.take_json("label2id");
  if (labels.empty() && !label2id.empty()) {
    remarks.emplace_back("config.json: label2id without id2label, which alone names the labels: not used");
  } else if (inverse.size() == labels.size() && !label2id.empty() && label2id != inverse) {
    remarks.emplace_back("config.json: label2id is not the inverse of id2label, which alone names the labels");
  }
  return labels;
}

inline bool are_default_labels(const std::vector<std::string>& labels) {
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (labels[i] != "LABEL_" + std::to_string(i)) return false;
  }
  return true;
}

/// As many labels as the head has: those of id2label, or transformers' default names.
inline void read_label_names(config_reader& reader, encoder_config& config) {
  auto labels = read_labels(reader, config.remarks);
  index_t count = labels.empty() ? 2 : static_cast<index_t>(labels.size());  // transformers' default
  reader.read_size("num_labels", 999'999, count);
  if (!labels.empty() && count != static_cast<index_t>(labels.size())) {
    // As transformers does: the names are of other labels.
    config.remarks.push_back("config.json: num_labels is " + std::to_string(count) + " where id2label has " +
                             std::to_string(labels.size()) + " names: these are not used");
    labels.clear();
  }
  for (index_t i = static_cast<index_t>(labels.size()); i < count; ++i) {
    labels.push_back("LABEL_" + std::to_string(i));
  }
  config.labels_are_default = are_default_labels(labels);
  config.labels = std::move(labels);
}

/// Whether the linear layers are integers of onoma's own format. Other formats are refused.
inline bool reads_int8(config_reader& reader) {
  const auto* quantised = reader.find_object("quantization_config");
  if (quantised == nullptr) return false;
  const auto method =
      require<std::string>(*quantised, "quant_method", "config.json: 'quantization_config'");
  if (method != int8_method || quantised->size() != 1) {
    fail(error_code::unsupported, "config.json: 'quantization_config'",
         "nothing, or the quant_method '" + std::string(int8_method) + "' alone", describe(*quantised));
  }
  return true;
}

}  // namespace detail

inline encoder_config encoder_config::from_json(const json& source) {
  if (!source.is_object()) {
    fail(error_code::format, "config.json", "an object", describe(source));
  }
  config_reader reader(source);
  encoder_config config(family_of(reader.take("model_type", std::string(default_family().model_type))));
  // What no encoder here computes. A field that were ignored would be a wrong result.
  for (const char* key : {"is_decoder", "is_encoder_decoder", "add_cross_attention"}) {
    reader.refuse_unless(key, false);
  }
  reader.refuse_unless("auto_map", nullptr);
  config.int8_weights = detail::reads_int8(reader);
  config.family->read(reader, config);
  reader.read_positive("initializer_range", 1e3, "a number in (0, 1000)", config.initializer_range);
  if (const auto* own = reader.find_object(own_key)) {
    config.own = *own;
    config.head = value_or<std::string>(*own, "head", "token", "config.json: 'onoma'");
    const auto scheme = value_or<std::string>(*own, "scheme", "", "config.json: 'onoma'");
    if (!scheme.empty()) config.scheme = tag_scheme_from_name(scheme);
    config.trained_length = value_or<index_t>(*own, "max_length", 0, "config.json: 'onoma'");
    if (config.trained_length < 0) reader.refuse(own_key, "a max_length of at least 0", *own);
  }
  detail::read_label_names(reader, config);
  config.other = reader.take_rest();
  config.check();
  return config;
}

inline json encoder_config::to_json() const {
  json config = other;
  config["model_type"] = family->model_type;
  config["architectures"] = {family->architecture};
  config["initializer_range"] = initializer_range;
  family->write(*this, config);
  json kept = own;
  kept.erase("head");
  if (head != "token") kept["head"] = head;
  kept.erase("scheme");
  if (scheme) kept["scheme"] = to_string(*scheme);
  if (trained_length > 0) kept["max_length"] = trained_length;
  if (!kept.empty()) config[own_key] = std::move(kept);
  auto id2label = json::object();
  auto label2id = json::object();
  for (std::size_t i = 0; i < labels.size(); ++i) {
    id2label[std::to_string(i)] = labels[i];
    label2id[labels[i]] = i;
  }
  // Weights are saved as F32, whatever they were loaded from.
  for (const char* key : {"torch_dtype", "dtype"}) {
    if (config.contains(key)) config[key] = "float32";
  }
  config["id2label"] = std::move(id2label);
  config["label2id"] = std::move(label2id);
  return config;
}

}  // namespace onoma::inline ONOMA_ABI
