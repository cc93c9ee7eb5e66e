/// The configuration of an encoder with a token-classification head: config.json, checked.
#pragma once

#include <onoma/core/activation.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/relative_position.hpp>
#include <onoma/core/types.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/checkpoint_names.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// The quant_method in config.json's quantization_config of folders whose linear weights are I8 with
/// scales (models/quantize.hpp): other programs refuse the folder by this name.
inline constexpr std::string_view int8_method = "onoma_int8";

/// The key of config.json under which onoma keeps what transformers does not know: an object of "head" and
/// "max_length", see `encoder_config`, and what other parts of onoma add.
inline constexpr std::string_view own_key = "onoma";

/// What follows a weight's name in that of its scales.
inline constexpr std::string_view scale_suffix = "_scale";

/// Sizes and settings of one encoder, whatever its family. The defaults are those of
/// bert-base-uncased, as transformers' BertConfig has them.
struct encoder_config {
  const model_family* family = &model_families[0];
  index vocabulary = 30522;  ///< V
  index hidden = 768;        ///< H
  index layers = 12;
  index heads = 12;           ///< A, divides H
  index inner = 3072;         ///< F
  index embedding = 0;        ///< E: width of the tables where they are projected to H; 0: H
  index max_positions = 512;  ///< P: rows of the position table
  index types = 2;            ///< T; 0: no type table
  activation function = activation::gelu;
  double norm_eps = 1e-12;
  double initializer_range = 0.02;  ///< standard deviation of new weights
  double hidden_dropout = 0.1;
  double attention_dropout = 0.1;
  double classifier_dropout = 0.1;
  bool fixed_positions = false;  ///< sinusoidal position table: not trained
  index padding_id = 0;          ///< its word embedding is not trained; -1: none
  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};
  bool int8_weights = false;       ///< linear layers may be I8; says how the folder was stored
  bool labels_are_default = true;  ///< config.json names no labels
  /// Sentences for people: what is odd in config.json and stands in nothing's way.
  std::vector<std::string> remarks;
  std::string head = "token";      ///< the kind of head (heads/concept.hpp) that the folder's tensors are for
  index trained_length = 0;        ///< tokens of the windows it was trained on; 0: not known
  json own = json::object();       ///< all of `own_key`: what is not read here is kept too
  json other = json::object();     ///< keys that are kept and written back

  /// Row of the position table that the first token of a sequence takes. RoBERTa counts from behind
  /// the padding token's row (transformers, `create_position_ids_from_input_ids`).
  [[nodiscard]] index first_position() const noexcept {
    return family->positions_follow_padding ? padding_id + 1 : 0;
  }
  /// The longest sequence, special tokens included.
  [[nodiscard]] index max_length() const noexcept { return max_positions - first_position(); }

  /// @throws onoma::error (invalid_argument) naming the first field outside its domain.
  void check() const;

  /// Reads config.json. @throws onoma::error (format, missing, unsupported) naming the key.
  [[nodiscard]] static encoder_config from_json(const json& source);

  /// What transformers reads: the kept keys, every setting under the family's key, the labels.
  [[nodiscard]] json to_json() const;
};

namespace detail {

/// Reads and checks one key at a time, and remembers which it has read.
class config_reader {
 public:
  explicit config_reader(const json& config) : config_(config), rest_(config) {}

  void require_size(std::string_view key, index high, index& value) {
    value = require<index>(config_, key, where);
    read_size(key, high, value);
  }

  /// The settings below keep their value where the key is absent or null, which is how transformers
  /// writes "unset".
  void read_size(std::string_view key, index high, index& value) {
    value = take(key, value);
    if (value < 1 || value > high) refuse(key, "1 to " + std::to_string(high), value);
  }
  /// The number lies in [low, high); `range` says so in a message.
  void read_number(std::string_view key, double low, double high, const char* range,
                   double& value) {
    value = take(key, value);
    if (!(value >= low && value < high)) refuse(key, range, value);
  }
  template <class T>
  [[nodiscard]] T take(std::string_view key, T otherwise) {
    rest_.erase(std::string(key));
    return value_or<T>(config_, key, std::move(otherwise), where);
  }

  /// The object under this key, or null.
  [[nodiscard]] const json* find_object(std::string_view key) {
    rest_.erase(std::string(key));
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null()) return nullptr;
    if (!found->is_object()) refuse(key, "an object", *found);
    return &*found;
  }

  /// What stands under this key, whatever it is, or null.
  [[nodiscard]] json take_json(std::string_view key) {
    rest_.erase(std::string(key));
    const auto found = config_.find(key);
    return found == config_.end() ? json() : *found;
  }

  /// Throws if the key is there and says anything but `harmless` (or null).
  void refuse_unless(std::string_view key, const json& harmless) const {
    const auto found = config_.find(key);
    if (found == config_.end() || found->is_null() || *found == harmless) return;
    fail(error_code::unsupported, place(key), describe(harmless), describe(*found));
  }

  [[noreturn]] static void refuse(std::string_view key, std::string expected, const json& found) {
    fail(error_code::format, place(key), std::move(expected), describe(found));
  }

  /// How messages name a key.
  [[nodiscard]] static std::string place(std::string_view key) {
    return std::string(where) + ": '" + std::string(key) + "'";
  }

  /// The keys that nothing has read.
  [[nodiscard]] json take_rest() { return std::move(rest_); }

 private:
  static constexpr const char* where = "config.json";

  const json& config_;
  json rest_;
};

/// The labels of id2label ({"0": "O", ...}), in the order of their ids; empty if it is not there. As in
/// transformers two ids may have one name, and label2id has no say: where it contradicts, that is a remark.
inline std::vector<std::string> read_labels(config_reader& reader, std::vector<std::string>& remarks) {
  std::map<index, std::string> by_id;
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
    if (id != static_cast<index>(labels.size())) {
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

}  // namespace detail

inline void encoder_config::check() const {
  const auto require = [](bool ok, const char* field, const char* expected) {
    onoma::check(ok, error_code::invalid_argument, field, expected);
  };
  require(family != nullptr, "encoder_config.family", "a family");
  require(vocabulary >= 1, "encoder_config.vocabulary", "at least 1");
  require(hidden >= 1, "encoder_config.hidden", "at least 1");
  require(layers >= 1, "encoder_config.layers", "at least 1");
  require(heads >= 1 && hidden % heads == 0, "encoder_config.heads",
          "a divisor of the hidden size");
  require(inner >= 1, "encoder_config.inner", "at least 1");
  require(embedding >= 0, "encoder_config.embedding", "at least 0");
  require(padding_id >= -1 && padding_id < vocabulary, "encoder_config.padding_id",
          "-1 or a row of the vocabulary");
  require(padding_id >= 0 || !family->positions_follow_padding, "encoder_config.padding_id",
          "an id: positions are counted from it");
  require(max_length() >= 1, "encoder_config.max_positions", "rows for at least one token");
  require(types >= 0, "encoder_config.types", "at least 0");
  require(std::isfinite(norm_eps) && norm_eps > 0, "encoder_config.norm_eps", "above 0");
  require(std::isfinite(initializer_range) && initializer_range > 0,
          "encoder_config.initializer_range", "above 0");
  for (const double p : {hidden_dropout, attention_dropout, classifier_dropout}) {
    require(p >= 0.0 && p < 1.0, "encoder_config: a dropout", "in [0, 1)");
  }
  require(!labels.empty(), "encoder_config.labels", "at least one label");
}

inline encoder_config encoder_config::from_json(const json& source) {
  if (!source.is_object()) {
    fail(error_code::format, "config.json", "an object", describe(source));
  }
  detail::config_reader reader(source);
  encoder_config config;
  // Configurations from before model_type existed are of the first family.
  config.family = &family_of(reader.take("model_type", std::string(model_families[0].model_type)));
  const auto& keys = config.family->keys;

  // What the encoder does not compute. A field that were ignored would be a wrong result.
  reader.refuse_unless("position_embedding_type", "absolute");
  reader.refuse_unless("attention_type", "original_full");
  for (const char* key :
       {"is_decoder", "is_encoder_decoder", "add_cross_attention", "relative_attention"}) {
    reader.refuse_unless(key, false);
  }
  reader.refuse_unless("pruned_heads", json::object());
  if (const auto* quantised = reader.find_object("quantization_config")) {
    const auto method = require<std::string>(*quantised, "quant_method",
                                             "config.json: 'quantization_config'");
    if (method != int8_method || quantised->size() != 1) {
      fail(error_code::unsupported, "config.json: 'quantization_config'",
           "nothing, or the quant_method '" + std::string(int8_method) + "' alone",
           describe(*quantised));
    }
    config.int8_weights = true;
  }
  reader.refuse_unless("auto_map", nullptr);
  reader.refuse_unless("relative_attention_num_buckets",
                       config.family->relative_bias ? json(relative_position_buckets) : json());
  if (config.family->padding_is_fixed) {
    reader.refuse_unless("pad_token_id", config.family->padding_id);
  }

  // Limits far above any model, so that products of sizes fit into 64 bits.
  reader.require_size("vocab_size", 1 << 27, config.vocabulary);
  reader.require_size(keys.hidden_size, 1 << 16, config.hidden);
  reader.require_size(keys.layers, 1 << 10, config.layers);
  reader.require_size(keys.heads, 1 << 16, config.heads);
  reader.require_size(keys.intermediate_size, 1 << 20, config.inner);
  reader.read_size("max_position_embeddings", 1 << 24, config.max_positions);
  if (keys.types.empty()) {
    config.types = 0;
  } else {
    reader.read_size(keys.types, 1 << 16, config.types);
  }
  if (config.hidden % config.heads != 0) {
    reader.refuse(keys.heads, "a divisor of " + std::to_string(config.hidden), config.heads);
  }
  if (keys.embedding_size.empty()) {
    reader.refuse_unless("embedding_size", config.hidden);
  } else {
    index width = 128;  // ElectraConfig's default
    reader.read_size(keys.embedding_size, 1 << 16, width);
    config.embedding = width == config.hidden ? 0 : width;
  }

  config.function = activation_from_name(reader.take(keys.activation, std::string("gelu")),
                                         reader.place(keys.activation));
  constexpr double tiny = 1e-300;  // "above 0" for a check of the form low <= x
  if (!keys.norm_eps.empty()) {
    reader.read_number(keys.norm_eps, tiny, 1.0, "a number in (0, 1)", config.norm_eps);
  }
  reader.read_number("initializer_range", tiny, 1e3, "a number in (0, 1000)",
                     config.initializer_range);
  constexpr const char* probability = "a number in [0, 1)";
  reader.read_number(keys.hidden_dropout, 0.0, 1.0, probability, config.hidden_dropout);
  reader.read_number(keys.attention_dropout, 0.0, 1.0, probability, config.attention_dropout);
  config.classifier_dropout = config.hidden_dropout;  // null or absent
  if (!keys.classifier_dropout.empty()) {
    reader.read_number(keys.classifier_dropout, 0.0, 1.0, probability, config.classifier_dropout);
  }
  if (!keys.fixed_positions.empty()) {
    config.fixed_positions = reader.take(keys.fixed_positions, false);
  }

  const auto padding = source.find("pad_token_id");
  const bool no_padding = padding != source.end() && padding->is_null();
  config.padding_id = no_padding ? -1 : reader.take("pad_token_id", config.family->padding_id);
  const index lowest = config.family->positions_follow_padding ? 0 : -1;
  if (config.padding_id < lowest || config.padding_id >= config.vocabulary) {
    reader.refuse("pad_token_id", "0 to " + std::to_string(config.vocabulary - 1),
                  no_padding ? json(nullptr) : json(config.padding_id));
  }
  if (config.max_length() < 1) {
    reader.refuse("max_position_embeddings", "more than pad_token_id + 1", config.max_positions);
  }

  if (const auto* own = reader.find_object(own_key)) {
    config.own = *own;
    config.head = value_or<std::string>(*own, "head", "token", "config.json: 'onoma'");
    config.trained_length = value_or<index>(*own, "max_length", 0, "config.json: 'onoma'");
    if (config.trained_length < 0) reader.refuse(own_key, "a max_length of at least 0", *own);
  }
  auto labels = detail::read_labels(reader, config.remarks);
  index count = labels.empty() ? 2 : static_cast<index>(labels.size());  // transformers' default
  reader.read_size("num_labels", 999'999, count);
  if (!labels.empty() && count != static_cast<index>(labels.size())) {
    // As transformers does: the names are of other labels.
    config.remarks.push_back("config.json: num_labels is " + std::to_string(count) + " where id2label has " +
                             std::to_string(labels.size()) + " names: these are not used");
    labels.clear();
  }
  for (index i = static_cast<index>(labels.size()); i < count; ++i) {
    labels.push_back("LABEL_" + std::to_string(i));
  }
  config.labels_are_default = detail::are_default_labels(labels);
  config.labels = std::move(labels);
  config.other = reader.take_rest();
  config.check();
  return config;
}

inline json encoder_config::to_json() const {
  json config = other;
  const auto& keys = family->keys;
  const auto put = [&](std::string_view key, const json& value) {
    if (!key.empty()) config[std::string(key)] = value;
  };
  config["model_type"] = family->model_type;
  config["architectures"] = {family->architecture};
  put("vocab_size", vocabulary);
  put(keys.hidden_size, hidden);
  put(keys.layers, layers);
  put(keys.heads, heads);
  put(keys.intermediate_size, inner);
  put(keys.embedding_size, embedding == 0 ? hidden : embedding);
  put("max_position_embeddings", max_positions);
  put(keys.types, types);
  put(keys.activation, to_string(function));
  put(keys.norm_eps, norm_eps);
  put("initializer_range", initializer_range);
  put("pad_token_id", padding_id < 0 ? json(nullptr) : json(padding_id));
  put(keys.hidden_dropout, hidden_dropout);
  put(keys.attention_dropout, attention_dropout);
  put(keys.classifier_dropout,
      classifier_dropout == hidden_dropout ? json(nullptr) : json(classifier_dropout));
  put(keys.fixed_positions, fixed_positions);
  json kept = own;
  kept.erase("head");
  if (head != "token") kept["head"] = head;
  if (trained_length > 0) kept["max_length"] = trained_length;
  if (!kept.empty()) config[std::string(own_key)] = std::move(kept);
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
