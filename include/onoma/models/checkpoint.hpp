/// Between the tensors of a checkpoint and the parameters of a model: all or nothing.
#pragma once

#include <onoma/core/quantize.hpp>
#include <onoma/core/stored.hpp>
#include <onoma/io/weights.hpp>
#include <onoma/models/checkpoint_names.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/nn/parameter.hpp>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

/// What loading did beyond copying tensors.
struct load_report {
  std::vector<std::string> initialised;  ///< parameters that no tensor provided: the new head
  std::vector<std::string> ignored;      ///< tensors that a tagger does not need
  std::vector<std::string> remarks;      ///< `encoder_config::remarks`
};

/// Which tensors of a checkpoint hold the parameters of a model: those of the encoder by the table of its
/// family and with its prefix; those of the head under its own names, without one.
class checkpoint_map {
 public:
  /// `head` has `visit` and `tensor_prefixes` (heads/concept.hpp).
  template <class Head>
  checkpoint_map(const model_family& family, Head& head)
      : family_(&family), head_prefixes_(Head::tensor_prefixes) {
    head.visit(scope{}, [&](const scope& at, const auto&) { head_.push_back(at.name()); });
  }

  /// The family whose names count.
  [[nodiscard]] const model_family& family() const noexcept { return *family_; }
  /// Whether a parameter is the head's.
  [[nodiscard]] bool is_of_head(std::string_view parameter) const {
    return std::find(head_.begin(), head_.end(), parameter) != head_.end();
  }
  /// Names without prefix: one, or those whose rows follow one another.
  [[nodiscard]] std::vector<std::string> tensors_of(const std::string& parameter) const {
    if (is_of_head(parameter)) return {parameter};
    return tensor_names(*family_, parameter);
  }
  /// The prefix of these tensors in a model with a head.
  [[nodiscard]] std::string_view prefix_of(std::string_view parameter) const {
    return is_of_head(parameter) ? std::string_view() : family_->prefix;
  }
  /// Whether a parameter depends on the labels: it is new where a head is.
  [[nodiscard]] bool is_of_labels(std::string_view parameter) const {
    return is_of_head(parameter) && begins_with_any(parameter, head_prefixes_);
  }
  /// Whether a checkpoint has any tensor of the head that depends on the labels.
  [[nodiscard]] bool has_head(const model_weights& file) const {
    return std::any_of(head_.begin(), head_.end(), [&](const auto& name) {
      return is_of_labels(name) && file.find(name) != nullptr;
    });
  }
  /// `other_head`: the checkpoint's head is not used; it may be one of another task.
  [[nodiscard]] bool is_ignored(std::string_view tensor, bool other_head) const {
    if (other_head && begins_with_any(tensor, head_prefixes_)) return true;
    if (tensor.starts_with(family_->prefix)) tensor.remove_prefix(family_->prefix.size());
    return begins_with_any(tensor, ignored_tensors);
  }

 private:
  [[nodiscard]] static bool begins_with_any(std::string_view name, std::span<const std::string_view> starts) {
    return std::any_of(starts.begin(), starts.end(),
                       [&](std::string_view start) { return name.starts_with(start); });
  }

  const model_family* family_;
  std::vector<std::string> head_;
  std::span<const std::string_view> head_prefixes_;
};

/// A tensor with and without a prefix, under its name and the first release's; null if there is none.
[[nodiscard]] inline const tensor_view* find_tensor(std::string_view prefix, const model_weights& file,
                                                    const std::string& name) {
  for (const auto& start : {std::string(prefix), std::string()}) {
    for (const auto& candidate : {start + name, start + legacy_name(name)}) {
      if (const auto* tensor = file.find(candidate)) return tensor;
    }
  }
  return nullptr;
}

/// Where the rows of one parameter come from.
struct parameter_source {
  const parameter_entry* entry = nullptr;   ///< which parameter
  std::vector<const tensor_view*> tensors;  ///< one, or q, k, v
  std::vector<const tensor_view*> scales;   ///< of I8 tensors, as many as these
};

/// What `match_checkpoint` found.
struct checkpoint_match {
  std::vector<parameter_source> found;              ///< parameters that tensors provide
  std::vector<const parameter_entry*> initialised;  ///< those that none provides
  std::vector<std::string> ignored;                 ///< tensors that no parameter needs

  /// Null for a parameter that no tensor provides.
  [[nodiscard]] const parameter_source* source_of(const parameter_entry& entry) const {
    const auto source = std::find_if(found.begin(), found.end(),
                                     [&](const auto& each) { return each.entry == &entry; });
    return source == found.end() ? nullptr : &*source;
  }
};

namespace detail {

/// The shape that one of `pieces` tensors of a parameter must have.
inline std::vector<index_t> piece_shape(const parameter_entry& entry, std::size_t pieces) {
  const auto n = static_cast<index_t>(pieces);
  if (entry.is_matrix) return {entry.rows / n, entry.cols};
  return {entry.cols / n};
}

/// What is wrong with an I8 tensor [M, K] and its scales; empty if nothing.
inline std::string int8_damage(const tensor_view& codes, const tensor_view& scales) {
  if (scales.type != dtype::f32 || scales.shape != std::vector<index_t>{codes.shape[0]}) {
    return scales.name + " " + std::string(to_string(scales.type)) + " " + to_string(scales.shape) +
           " instead of F32 [" + std::to_string(codes.shape[0]) + "]";
  }
  if (codes.shape[1] > longest_quantized_row) {
    return codes.name + " with rows of more than " + std::to_string(longest_quantized_row);
  }
  for (index_t i = 0; i < codes.shape[0]; ++i) {
    const float scale = scale_of({codes.bytes.data(), codes.type, 0, 0, scales.bytes.data()}, i);
    if (!(scale >= 0.0F) || std::isinf(scale)) {
      return scales.name + " with " + std::to_string(scale) + " at " + std::to_string(i);
    }
  }
  // -128 is no code: the sums of AVX2 would overflow.
  unsigned found = 0;
  for (const std::byte code : codes.bytes) found |= code == std::byte{0x80} ? 1U : 0U;
  return found != 0 ? codes.name + " with a code of -128" : std::string();
}

inline void append_list(std::string& text, const char* what,
                        const std::vector<std::string>& names) {
  if (names.empty()) return;
  if (!text.empty()) text += "; ";
  text += std::to_string(names.size()) + " " + what + ": ";
  for (std::size_t i = 0; i < names.size(); ++i) text += (i == 0 ? "" : ", ") + names[i];
}

/// What stands in the way of a match, by kind.
struct checkpoint_problems {
  std::vector<std::string> missing;
  std::vector<std::string> unexpected;
  std::vector<std::string> misshapen;
  std::vector<std::string> damaged;

  [[nodiscard]] std::string text() const {
    std::string all;
    append_list(all, "missing", missing);
    append_list(all, "unexpected", unexpected);
    append_list(all, "misshapen", misshapen);
    append_list(all, "damaged", damaged);
    return all;
  }
};

/// The tensors of one parameter. `is_int8`: they may be I8 with scales.
inline parameter_source find_source(const checkpoint_map& map, const parameter_entry& entry,
                                    const model_weights& file, bool is_int8, checkpoint_problems& problems) {
  const auto names = map.tensors_of(entry.name);
  const auto shape = piece_shape(entry, names.size());
  parameter_source source{&entry, {}, {}};
  for (const auto& name : names) {
    const auto* tensor = find_tensor(map.prefix_of(entry.name), file, name);
    if (tensor == nullptr) {
      problems.missing.push_back(name);
      continue;
    }
    source.tensors.push_back(tensor);
    const bool has_codes = is_int8 && tensor->type == dtype::i8;
    if (!(has_codes || is_float(tensor->type)) || tensor->shape != shape) {
      problems.misshapen.push_back(tensor->name + " " + std::string(to_string(tensor->type)) + " " +
                                   to_string(tensor->shape) + " instead of " + to_string(shape));
    } else if (has_codes) {
      const auto scale_name = tensor->name + std::string(scale_suffix);
      const auto* scales = file.find(scale_name);
      if (scales == nullptr) {
        problems.missing.push_back(scale_name);
        continue;
      }
      source.scales.push_back(scales);
      auto damage = int8_damage(*tensor, *scales);
      if (!damage.empty()) problems.damaged.push_back(std::move(damage));
    }
  }
  if (!source.scales.empty() && source.scales.size() != source.tensors.size()) {
    problems.misshapen.push_back(names.front() + ": its pieces are I8 and float");
  }
  return source;
}

}  // namespace detail

/// Finds the tensors of every parameter. The head may be absent as a whole, or be left out with
/// `without_head`; then it is in `initialised`. With `int8_weights`, a weight that is only packed may be
/// I8 with scales. `where` names the file in messages.
/// @throws onoma::error (format) with one message that lists every missing, unexpected, misshapen and
/// damaged tensor.
[[nodiscard]] inline checkpoint_match match_checkpoint(const checkpoint_map& map,
                                                       std::span<const parameter_entry> entries,
                                                       const model_weights& file,
                                                       bool without_head, bool int8_weights,
                                                       const std::string& where) {
  checkpoint_match match;
  detail::checkpoint_problems problems;
  const bool has_head = !without_head && map.has_head(file);
  std::set<std::string_view> used;
  for (const auto& entry : entries) {
    const bool is_new = !has_head && (map.is_of_labels(entry.name) ||
                                      (map.is_of_head(entry.name) && file.find(entry.name) == nullptr));
    if (is_new) {
      match.initialised.push_back(&entry);
      continue;
    }
    auto source = detail::find_source(map, entry, file, int8_weights && !entry.has_value(), problems);
    for (const auto* tensor : source.tensors) used.insert(tensor->name);
    for (const auto* scales : source.scales) used.insert(scales->name);
    match.found.push_back(std::move(source));
  }
  for (const auto& tensor : file.tensors()) {
    if (used.count(tensor.name) != 0) continue;
    const bool ignored = map.is_ignored(tensor.name, !has_head);
    (ignored ? match.ignored : problems.unexpected).push_back(tensor.name);
  }
  if (const auto text = problems.text(); !text.empty()) {
    fail(error_code::format, where, "the tensors of " + std::string(map.family().architecture), text);
  }
  return match;
}

/// For `fill_parameters`: all weights come from the checkpoint.
struct none_is_packed {
  /// Packs nothing.
  bool operator()(const parameter_entry& /*entry*/) const noexcept { return false; }
};

/// Gives every parameter its value: from the tensors of `match`, else a new one (normal ones from
/// N(0, stddev), by seed). A weight that is only packed goes there straight from the file, and a table
/// may be read in the file: then `parameters.reads_pieces()`, and `weights` must outlive the model. The
/// pages of other tensors are given back once they are read, so that the file and the model never lie
/// in memory side by side.
///
/// is_packed(entry) may pack such a weight otherwise, and says whether it did.
/// @throws onoma::error (format) for numbers that are not finite, but in tables that are read in the file: rows of
/// theirs show when they are used.
template <inference_backend B, class Model, class IsPacked = none_is_packed>
void fill_parameters(const checkpoint_match& match, const model_weights& weights, double stddev,
                     std::uint64_t seed, parameter_store<B>& parameters, Model& model,
                     IsPacked is_packed = {}) {
  const auto with_values = [&](const parameter_entry& entry, auto&& use) {
    const auto* source = match.source_of(entry);
    if (source == nullptr) {
      const auto values = initial_values(entry, stddev, seed);
      const stored_matrix whole{reinterpret_cast<const std::byte*>(values.data()), dtype::f64,
                                entry.rows, entry.cols};
      return use(std::span(&whole, 1), false);
    }
    const auto pieces = static_cast<index_t>(source->tensors.size());
    std::vector<stored_matrix> rows;
    for (std::size_t i = 0; i < source->tensors.size(); ++i) {
      const auto* tensor = source->tensors[i];
      rows.push_back({tensor->bytes.data(), tensor->type,
                      entry.is_matrix ? entry.rows / pieces : 1,
                      entry.is_matrix ? entry.cols : entry.cols / pieces,
                      source->scales.empty() ? nullptr : source->scales[i]->bytes.data()});
    }
    // A file that is not mapped is in memory as a whole: better to let go of it.
    use(std::span<const stored_matrix>(rows), weights.are_mapped());
    for (const auto* tensor : source->tensors) weights.release(*tensor);
  };
  model.visit(scope{}, [&](const scope&, auto& p) {
    const auto& entry = parameters.entry_of(p);
    if (!entry.has_value() && is_packed(entry)) return;
    with_values(entry, [&](std::span<const stored_matrix> pieces, bool stay) {
      bool finite = true;
      if (entry.has_value()) {
        parameters.fill(p, pieces, stay);
        const bool at_first_use = entry.reading == read_as::rows && !parameters.has_gradients();
        finite = at_first_use || std::all_of(pieces.begin(), pieces.end(),
                                             [](const stored_matrix& piece) { return all_finite(piece); });
      } else {
        finite = parameters.pack(entry, pieces);
      }
      for (const auto& piece : pieces) {
        if (!finite) refuse_not_finite("the weights of " + entry.name, piece);
      }
    });
  });
}

/// The parameters of a model as the tensors of a checkpoint, in host memory.
struct checkpoint_tensors {
  std::vector<std::vector<float>> storage;  ///< what the tensors view
  std::vector<tensor_view> tensors;         ///< under the names of the file
};

/// F32 tensors under the names that transformers' token classifier of this family uses.
template <inference_backend B>
[[nodiscard]] checkpoint_tensors make_checkpoint(const checkpoint_map& map,
                                                 const parameter_store<B>& parameters) {
  checkpoint_tensors checkpoint;
  for (const auto& entry : parameters.layout().entries()) {
    const auto values = parameters.download_value(entry);
    auto& stored = checkpoint.storage.emplace_back();
    stored.reserve(values.size());
    for (const auto& value : values) stored.push_back(static_cast<float>(value));

    const auto names = map.tensors_of(entry.name);
    const std::size_t size = stored.size() / names.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
      const std::span<const float> piece(stored.data() + i * size, size);
      checkpoint.tensors.push_back({std::string(map.prefix_of(entry.name)) + names[i], dtype::f32,
                                    detail::piece_shape(entry, names.size()), std::as_bytes(piece)});
    }
  }
  return checkpoint;
}

}  // namespace onoma::inline ONOMA_ABI
