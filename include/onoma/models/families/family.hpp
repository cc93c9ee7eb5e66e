/// A family of encoders as the Hub publishes it, and the configuration of a model of one.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/heads/concept.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/config_reader.hpp>
#include <onoma/models/encoder_spec.hpp>
#include <onoma/ner/tag_scheme.hpp>

#include <array>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace onoma::inline ONOMA_ABI {

struct encoder_config;

/// A parameter of onoma's encoder and the tensor that holds it in a checkpoint, or the three whose
/// rows follow one another in it (q, k, v). `#` stands for the number of the layer.
struct checkpoint_name {
  std::string_view parameter;               ///< onoma's name
  std::array<std::string_view, 3> tensors;  ///< names in a checkpoint; the rest is empty
};

/// One family of encoders: tables and two functions, no layers of its own.
struct model_family {
  std::string_view model_type;             ///< of config.json
  std::string_view prefix;                 ///< of encoder tensors in a model with a head
  std::string_view architecture;           ///< transformers' class of the token classifier
  std::span<const checkpoint_name> names;  ///< of the encoder's tensors
  /// What transformers' configuration of the family has by default.
  void (*set_defaults)(encoder_config&);
  /// Reads the keys of the family into a configuration that has its defaults.
  /// Throws onoma::error (format, missing, unsupported) naming the key.
  void (*read)(config_reader&, encoder_config&);
  /// Writes what `read` reads.
  void (*write)(const encoder_config&, json&);
};

/// The family of configurations that name none (models/families/registry.hpp).
[[nodiscard]] const model_family& default_family() noexcept;

/// An encoder, the labels of the head on it, and what else stands in config.json.
struct encoder_config : encoder_spec {
  /// names and keys are its
  const model_family* family = &default_family();
  double classifier_dropout = 0.1;  ///< on what the head reads
  std::optional<transform_settings> transform{};  ///< the head's layer before its scores
  std::vector<std::string> labels = {"LABEL_0", "LABEL_1"};  ///< by id
  bool int8_weights = false;       ///< linear layers may be I8; says how the folder was stored
  bool labels_are_default = true;  ///< config.json names no labels
  /// Sentences for people: what is odd in config.json and stands in nothing's way.
  std::vector<std::string> remarks{};
  std::string head = "token";   ///< the kind of head (heads/concept.hpp) that the folder's tensors are for
  std::optional<tag_scheme> scheme{};  ///< of the labels; none: nobody said
  index_t trained_length = 0;     ///< tokens of the windows it was trained on; 0: not known
  json own = json::object();    ///< all of `own_key`: what is not read here is kept too
  json other = json::object();  ///< keys that are kept and written back

  encoder_config() = default;
  /// With the settings of a family, and the sizes of its base model.
  explicit encoder_config(const model_family& of) : family(&of) { of.set_defaults(*this); }

  /// @throws onoma::error (invalid_argument) naming the first field outside its domain.
  void check() const {
    encoder_spec::check();
    onoma::check(family != nullptr, error_code::invalid_argument, "encoder_config.family", "a family");
    onoma::check(classifier_dropout >= 0.0 && classifier_dropout < 1.0, error_code::invalid_argument,
                 "encoder_config: a dropout", "in [0, 1)");
    onoma::check(!labels.empty(), error_code::invalid_argument, "encoder_config.labels",
                 "at least one label");
  }

  /// Reads config.json. @throws onoma::error (format, missing, unsupported) naming the key.
  [[nodiscard]] static encoder_config from_json(const json& source);

  /// What transformers reads: the kept keys, every setting under the family's key, the labels.
  [[nodiscard]] json to_json() const;
};

}  // namespace onoma::inline ONOMA_ABI
