/// Labels of words become labels of word pieces, for training.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/tag_set.hpp>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// Which pieces of a word have its label.
struct align_options {
  /// false: only the first piece of a word counts in the loss. true: the others get the word's
  /// label too, as I- where it is B- and the set has such a label.
  bool label_all_tokens = false;
};

/// Labels [tokens] for `word_ids` [tokens], of those of words: ignored where there is no word (-1), and by the options
/// for pieces after the first (transformers, run_ner.py, `tokenize_and_align_labels`). A word may have
/// `unknown_label`. `previous`: the word that the pieces before these end with, where a window of a long sentence may
/// have cut it in two.
/// @throws onoma::error (out_of_range) for a word id outside `labels`, or a label outside `tags` that
/// is not the ignored one.
[[nodiscard]] inline std::vector<std::int32_t> align_labels(std::span<const std::int32_t> labels,
                                                            std::span<const std::int32_t> word_ids,
                                                            const tag_set& tags,
                                                            const align_options& options = {},
                                                            std::int32_t previous = -1) {
  for (const std::int32_t label : labels) {
    if (is_known(label) && (label < 0 || label >= tags.size())) {
      fail(error_code::out_of_range, "align_labels",
           "labels below " + std::to_string(tags.size()), std::to_string(label));
    }
  }
  std::vector<std::int32_t> aligned;
  aligned.reserve(word_ids.size());
  for (const std::int32_t word : word_ids) {
    if (word < 0) {
      aligned.push_back(ignored_label);
    } else {
      if (static_cast<std::size_t>(word) >= labels.size()) {
        fail(error_code::out_of_range, "align_labels",
             "word ids below " + std::to_string(labels.size()), std::to_string(word));
      }
      const std::int32_t label = labels[static_cast<std::size_t>(word)];
      if (word != previous) {
        aligned.push_back(label);
      } else if (!options.label_all_tokens || !is_known(label)) {
        aligned.push_back(ignored_label);
      } else {
        const auto parts = split_tag(tags.label(label));
        const auto inside = parts.prefix == 'B' ? tags.find("I-" + std::string(parts.type))
                                                : std::nullopt;
        aligned.push_back(inside ? static_cast<std::int32_t>(*inside) : label);
      }
      previous = word;
    }
  }
  return aligned;
}

}  // namespace onoma::inline ONOMA_ABI
