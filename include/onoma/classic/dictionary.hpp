/// Sentences as attributes by templates, and weights of attributes as a model.
#pragma once

#include <onoma/classic/model.hpp>
#include <onoma/classic/problem.hpp>
#include <onoma/classic/sentence_features.hpp>
#include <onoma/core/digest.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/data/sentence.hpp>
#include <onoma/io/json.hpp>
#include <onoma/match/gazetteer.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/ner/transitions.hpp>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Makes a problem of sentences, and a model of its weights. A value of a template is a number, and an attribute a
/// value at a slot: value * slots + slot.
class classic_dictionary {
 public:
  /// With `bits` > 0 the number of a value is so many bits of a hash of it, and values share numbers by chance; else
  /// each value has its own. `list` may be null; both outlive it.
  /// @throws onoma::error (invalid_argument) for more than 26 bits, and for templates of a gazetteer without one.
  classic_dictionary(const template_plan& plan, const gazetteer* list, index_t bits)
      : plan_(plan), list_(list), bits_(static_cast<std::uint32_t>(bits)), features_(plan, list) {
    check(bits >= 0 && bits <= index_t{most_hash_bits}, error_code::invalid_argument, "hashed features",
          "at most 26 bits", "more");
    check(list != nullptr || plan.lists().empty(), error_code::invalid_argument, "templates of features",
          "a gazetteer for those that ask for one", "none");
  }

  /// Adds a sentence with a tag for each word.
  /// @throws onoma::error (parse) for a word that is not UTF-8, (out_of_range) for a tag that the set does not have,
  /// (shape_mismatch) for another number of tags than of words. A sentence without words is passed over.
  void add(const sentence& s, const tag_set& tags) {
    if (s.words.size() != s.tags.size()) {
      fail(error_code::shape_mismatch, "training a classical model", std::to_string(s.words.size()) + " tags",
           std::to_string(s.tags.size()));
    }
    if (s.words.empty()) return;
    features_.read(std::span<const std::string>(s.words), [&](std::uint32_t) { add_type(); });
    own_.assign(s.words.size(), {});
    const auto slots = static_cast<std::uint32_t>(plan_.slots());
    const auto radius = static_cast<std::uint32_t>(plan_.radius());
    features_.for_each_joint(
        [&](std::size_t word, std::string_view key) { own_[word].push_back(number(key) * slots + radius); });
    features_.for_each_phrase([&](std::size_t word, index_t offset, std::string_view key) {
      own_[word].push_back(number(key) * slots + static_cast<std::uint32_t>(offset + plan_.radius()));
    });
    for (std::size_t i = 0; i < s.words.size(); ++i) {
      for (index_t d = -plan_.radius(); d <= plan_.radius(); ++d) {
        const std::size_t row = features_.type(static_cast<index_t>(i) + d) * slots +
                                static_cast<std::size_t>(d + plan_.radius());
        if (!problem_.rows[row].empty()) problem_.word_rows.push(static_cast<std::uint32_t>(row));
      }
      problem_.word_rows.close();
      for (const auto attribute : own_[i]) problem_.word_attributes.push(attribute);
      problem_.word_attributes.close();
      problem_.targets.push_back(static_cast<std::uint32_t>(tags.id(s.tags[i])));
    }
    problem_.sentence_begins.push_back(problem_.targets.size());
    problem_.labels = tags.size();
    problem_.attributes = static_cast<index_t>(values()) * plan_.slots();
  }

  /// What was added.
  [[nodiscard]] const crf_problem& problem() const noexcept { return problem_; }
  /// The same, for who trains with it.
  [[nodiscard]] crf_problem& problem() noexcept { return problem_; }

  /// The text of an attribute, such as "word[-1]=Paris", as a template with its value; of a hashed one its number.
  [[nodiscard]] std::string name(std::uint32_t attribute) const {
    const auto slots = static_cast<std::uint32_t>(plan_.slots());
    const std::string at = "[" + std::to_string(static_cast<index_t>(attribute % slots) - plan_.radius()) + "]=";
    if (bits_ > 0) return std::to_string(attribute / slots) + at;
    const std::string_view key = exact_.view().units[attribute / slots];
    if (static_cast<unsigned char>(key[0]) >= 0x80U) {
      return "joint" + std::to_string(key[0] & 0x7F) + "=" + std::string(key.substr(1));
    }
    const auto property = static_cast<word_property>(key[0] - 'a');
    std::string text(to_string(property));
    const bool affix = has_length(property);
    if (affix) text += std::to_string(key[1] - '0');
    return text + at + std::string(key.substr(affix ? 2 : 1));
  }

  /// A model of weights, one for each of `features`: those of which a float is not 0 are kept. `scheme`, if there is
  /// one, says which tags may follow which. `own` is what else the model says of itself.
  /// @throws onoma::error (limit_exceeded) for more than 65,536 labels times slots, and for 2^32 weights.
  [[nodiscard]] classic_model make_model(const tag_set& tags, const crf_features& features,
                                         std::span<const double> weights, const std::optional<tag_scheme>& scheme,
                                         const json& own) const {
    kept_weights kept;
    keep(features, weights, static_cast<std::uint32_t>(tags.size()), kept);
    classic_parts parts;
    parts.bits = bits_;
    parts.labels = static_cast<std::uint32_t>(tags.size());
    parts.slots = static_cast<std::uint32_t>(plan_.slots());
    parts.keys.key = hash_key_of(kept.keys.characters);
    unit_numbers numbers;
    if (bits_ == 0) {
      numbers = unit_numbers::of(std::move(kept.keys), parts.keys.key);
      parts.keys = numbers.view();
    }
    parts.begins = kept.begins;
    parts.targets = kept.targets;
    parts.weights = kept.weights;
    std::vector<float> transitions;
    for (const auto f : features.transitions) {
      transitions.push_back(f == crf_features::none ? 0.0F : static_cast<float>(weights[f]));
    }
    parts.transitions = transitions;
    const auto rules = rules_of(tags, scheme);
    parts.rules = rules;
    json templates = json::array();
    for (const auto& each : plan_.templates()) templates.push_back(to_string(each));
    const std::string settings = json_line({{"labels", tags.labels()}, {"templates", templates}, {"own", own}});
    parts.settings = settings;
    if (list_ != nullptr && !plan_.lists().empty()) {
      const auto compiled = list_->compiled();
      parts.list = {reinterpret_cast<const char*>(compiled.data()), compiled.size()};
    }
    auto bytes = std::make_shared<const std::vector<std::byte>>(write_classic(parts));
    const std::span<const std::byte> view(*bytes);
    return classic_model::of_file(std::move(bytes), view, "making a classical model");
  }

 private:
  struct kept_weights {
    string_pool keys;
    std::vector<std::uint32_t> begins{0};
    std::vector<std::uint16_t> targets;
    std::vector<float> weights;
  };

  [[nodiscard]] std::size_t values() const { return bits_ > 0 ? std::size_t{1} << bits_ : exact_.size(); }
  /// Of no process: files are the same wherever they are made.
  [[nodiscard]] hash_key hash_key_of(std::string_view keys) const {
    if (bits_ == 0) return {digest_of(keys), digest_of(keys, 1) | 1U};
    return hashed_key;
  }
  static constexpr hash_key hashed_key{0x9E3779B97F4A7C15U, 0xC4CEB9FE1A85EC53U};

  [[nodiscard]] std::uint32_t number(std::string_view key) {
    if (bits_ > 0) return static_cast<std::uint32_t>(keyed_hash(key, hashed_key) >> (64U - bits_));
    const auto found = exact_.number(key);
    check(found < (std::uint64_t{1} << 32) / static_cast<std::uint64_t>(plan_.slots()) - 1, error_code::limit_exceeded,
          "training a classical model", "fewer than 2^32 attributes", "more");
    return found;
  }

  /// The rows of a word's type: the attributes of each slot.
  void add_type() {
    const auto slots = static_cast<std::size_t>(plan_.slots());
    rows_.assign(slots, {});
    features_.for_each_value([&](std::string_view key, std::span<const index_t> offsets) {
      const std::uint32_t first = number(key) * static_cast<std::uint32_t>(slots);
      for (const auto offset : offsets) {
        const auto slot = static_cast<std::uint32_t>(offset + plan_.radius());
        // What a word is to the one at -offset stands at the slot `offset`.
        rows_[slot].push_back(first + slot);
      }
    });
    for (const auto& row : rows_) {
      for (const auto attribute : row) problem_.rows.push(attribute);
      problem_.rows.close();
    }
  }

  void keep(const crf_features& features, std::span<const double> weights, std::uint32_t labels,
            kept_weights& kept) const {
    const auto slots = static_cast<std::size_t>(plan_.slots());
    check(std::size_t{labels} * slots <= 65'536, error_code::limit_exceeded, "making a classical model",
          "at most 65,536 labels times slots of its templates", "more");
    for (std::size_t value = 0; value < values(); ++value) {
      const std::size_t before = kept.weights.size();
      for (std::size_t slot = 0; slot < slots; ++slot) {
        const std::size_t attribute = value * slots + slot;
        for (std::size_t f = features.begins[attribute]; f < features.begins[attribute + 1]; ++f) {
          const auto weight = static_cast<float>(weights[f]);
          if (weight == 0.0F) continue;
          kept.targets.push_back(static_cast<std::uint16_t>(slot * labels + features.labels[f]));
          kept.weights.push_back(weight);
        }
      }
      if (bits_ == 0 && kept.weights.size() == before) continue;
      if (bits_ == 0) kept.keys.add(exact_.view().units[value]);
      kept.begins.push_back(static_cast<std::uint32_t>(kept.weights.size()));
    }
  }

  [[nodiscard]] static std::vector<std::uint8_t> rules_of(const tag_set& tags,
                                                          const std::optional<tag_scheme>& scheme) {
    const auto labels = static_cast<std::size_t>(tags.size());
    if (!scheme) return std::vector<std::uint8_t>(labels * labels + 2 * labels, 1);
    const auto found = transitions_of(tags, *scheme);
    std::vector<std::uint8_t> rules = found.between;
    rules.insert(rules.end(), found.start.begin(), found.start.end());
    rules.insert(rules.end(), found.end.begin(), found.end.end());
    return rules;
  }

  const template_plan& plan_;
  const gazetteer* list_;
  std::uint32_t bits_;
  sentence_features features_;
  unit_numbers exact_;
  crf_problem problem_;
  std::vector<std::vector<std::uint32_t>> rows_;  // of one type
  std::vector<std::vector<std::uint32_t>> own_;   // of one sentence's words
};

}  // namespace onoma::inline ONOMA_ABI
