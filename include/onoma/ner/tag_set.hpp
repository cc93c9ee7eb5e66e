/// The labels of a tagger: names, ids, and what BIO says about each.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/keyed_hash.hpp>
#include <onoma/core/types.hpp>

#include <algorithm>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What stands in the place of a tag that is not known, as in spaCy's data: a word that nobody looked at.
inline constexpr std::string_view unknown_tag = "-";

/// A tag such as "B-PER" in its parts: prefix 'B', type "PER". "O" has no type. A label without a
/// prefix ("PER") is read as the inside of its type, as transformers' pipeline does; a prefix alone
/// ("B") has the type "_", as in seqeval.
struct tag_parts {
  char prefix = 'O';      ///< B, I, E, S, L, U, M, W or O
  std::string_view type;  ///< behind the hyphen; empty for O
};

/// `tag` must outlive the result. Prefixes are those of BIO, IOE, BIOES, BILOU, BMES and BMEWO; any other
/// letter before a hyphen belongs to the type ("x-ray").
[[nodiscard]] inline tag_parts split_tag(std::string_view tag) {
  if (tag == "O") return {};
  const bool prefixed =
      !tag.empty() && std::string_view("BIESLUMW").find(tag[0]) != std::string_view::npos;
  if (prefixed && tag.size() == 1) return {tag[0], "_"};
  // Types may hold hyphens ("B-creative-work"): the first one ends the prefix.
  if (prefixed && tag.size() > 2 && tag[1] == '-') return {tag[0], tag.substr(2)};
  return {'I', tag};
}

/// Whether a text has the form of a tag: "O", or a prefix, a hyphen and a type. Labels without a prefix have
/// not.
[[nodiscard]] inline bool is_formed_tag(std::string_view tag) {
  const auto parts = split_tag(tag);
  return parts.prefix == 'O' || (tag.size() > 2 && parts.type.size() == tag.size() - 2);
}

/// Labels by id, in the order of the model's id2label. Two ids may have one name, as in transformers: a
/// tagger that answers either has found the same.
class tag_set {
 public:
  tag_set() = default;

  /// @throws onoma::error (invalid_argument) for no label or an empty one.
  explicit tag_set(std::vector<std::string> labels) : labels_(std::move(labels)) {
    check(!labels_.empty(), error_code::invalid_argument, "tag_set", "at least one label", "none");
    for (std::size_t i = 0; i < labels_.size(); ++i) {
      check(!labels_[i].empty(), error_code::invalid_argument, "tag_set", "labels with a name",
            "an empty one");
      ids_[labels_[i]] = static_cast<index_t>(i);
    }
  }

  /// "O", then B- and I- of each type, sorted; the order of `from_tags`.
  /// @throws onoma::error (invalid_argument) for an empty type or one twice.
  [[nodiscard]] static tag_set bio(std::span<const std::string> types) {
    std::vector<std::string> labels = {"O"};
    for (const auto& type : types) {
      check(!type.empty(), error_code::invalid_argument, "tag_set::bio", "types with a name",
            "an empty one");
      labels.push_back("B-" + type);
      labels.push_back("I-" + type);
    }
    std::sort(labels.begin(), labels.end());
    const auto twice = std::adjacent_find(labels.begin(), labels.end());
    if (twice != labels.end()) {
      fail(error_code::invalid_argument, "tag_set::bio", "each type once", "'" + *twice + "' twice");
    }
    return tag_set(std::move(labels));
  }

  /// The labels that occur in tag sequences, sorted: the order that transformers' run_ner.py gives. `unknown_tag` is
  /// none.
  /// With `complete`, "O" and both B- and I- of every type are there even where the data lacks one.
  template <class Sequences>
  [[nodiscard]] static tag_set from_tags(const Sequences& sequences, bool complete = false) {
    std::vector<std::string> labels;
    for (const auto& tags : sequences) {
      for (const auto& tag : tags) {
        if (tag == unknown_tag) continue;
        labels.push_back(tag);
        if (!complete) continue;
        const auto parts = split_tag(tag);
        if (parts.prefix == 'O') continue;
        labels.push_back("B-" + std::string(parts.type));
        labels.push_back("I-" + std::string(parts.type));
      }
    }
    if (complete) labels.emplace_back("O");
    std::sort(labels.begin(), labels.end());
    labels.erase(std::unique(labels.begin(), labels.end()), labels.end());
    return tag_set(std::move(labels));
  }

  /// L, the number of labels.
  [[nodiscard]] index_t size() const noexcept { return static_cast<index_t>(labels_.size()); }
  /// By id.
  [[nodiscard]] const std::vector<std::string>& labels() const noexcept { return labels_; }
  /// @throws onoma::error (out_of_range).
  [[nodiscard]] const std::string& label(index_t id) const {
    if (id < 0 || id >= size()) {
      fail(error_code::out_of_range, "tag_set::label", "an id below " + std::to_string(size()),
           std::to_string(id));
    }
    return labels_[static_cast<std::size_t>(id)];
  }
  /// The id of a label; of several with this name the last, as in the label2id that Python makes of them.
  [[nodiscard]] std::optional<index_t> find(std::string_view label) const {
    const auto found = ids_.find(std::string(label));
    return found == ids_.end() ? std::nullopt : std::optional(found->second);
  }
  /// The same. @throws onoma::error (out_of_range) naming the label and those there are.
  [[nodiscard]] index_t id(std::string_view label) const {
    if (const auto found = find(label)) return *found;
    std::string known;
    for (const auto& name : labels_) known.append(known.empty() ? "one of " : " ").append(name);
    fail(error_code::out_of_range, "tag_set::id", known, "'" + std::string(label) + "'");
  }

 private:
  std::vector<std::string> labels_;
  std::unordered_map<std::string, index_t, keyed_hasher> ids_;
};

}  // namespace onoma::inline ONOMA_ABI
