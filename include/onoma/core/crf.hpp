/// Operands of linear-chain conditional random fields: weights, rules, targets, gradients, and what is refused.
///
/// A path gives each word of a sequence a label. Its score is start[first label] + the emission of each word's
/// label + the transition between each two neighbours + end[last label], and its probability is the exponential
/// of that divided by the sum over all paths.
/// Source: Lafferty, McCallum and Pereira, "Conditional random fields", ICML 2001; the parameters are those of
/// the PyPI package pytorch-crf 0.7.2.
///
/// Shape alphabet: N words of all sequences together, B sequences, L labels.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/finite.hpp>
#include <onoma/core/ragged.hpp>
#include <onoma/core/targets.hpp>
#include <onoma/core/types.hpp>
#include <onoma/core/view.hpp>

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <type_traits>

namespace onoma::inline ONOMA_ABI {

/// What a path scores beside its emissions.
template <class T>
struct crf_weights {
  mat<const T> transitions;  ///< [L, L] from the row's label to the column's
  vec<const T> start;        ///< [L] of the first word's label
  vec<const T> end;          ///< [L] of the last word's label
};

/// Which paths there are at all: 0 forbids. A view that is null forbids nothing.
struct crf_rules {
  mat<const std::uint8_t> transitions{};  ///< [L, L] from the row's label to the column's
  vec<const std::uint8_t> start{};        ///< [L] of the first word's label
  vec<const std::uint8_t> end{};          ///< [L] of the last word's label

  /// Whether a sequence may begin with a label.
  [[nodiscard]] bool starts(index_t label) const { return !start || start[label] != 0; }
  /// Whether it may end with one.
  [[nodiscard]] bool ends(index_t label) const { return !end || end[label] != 0; }
  /// Whether label `next` may follow label `label`.
  [[nodiscard]] bool follows(index_t label, index_t next) const {
    return !transitions || transitions(label, next) != 0;
  }
};

/// A chain: its weights, and the rules that its paths obey.
template <class T>
struct crf_chain {
  crf_weights<T> weights;  ///< of every path
  crf_rules rules{};       ///< empty: every path

  /// L
  [[nodiscard]] index_t labels() const noexcept { return weights.start.size; }
};

/// What is known of the labels of words. A sequence stands for all paths that agree with what is known.
struct crf_targets {
  /// [N] the label of each word; `ignored_label`: not known. Null: no word is known.
  vec<const std::int32_t> labels{};
  /// [N, L] not 0 for the labels that a word may have whose own is not known; other rows are not read.
  /// Null: any.
  mat<const std::uint8_t> allowed{};

  /// Whether word n may have a label.
  [[nodiscard]] bool allows(index_t n, index_t label) const {
    if (labels && labels[n] != ignored_label) return labels[n] == label;
    return !allowed || allowed(n, label) != 0;
  }
  /// Those of words `first` to `first + count`.
  [[nodiscard]] crf_targets slice(index_t first, index_t count) const {
    return {labels ? labels.slice(first, count) : labels,
            allowed ? allowed.rows_slice(first, count) : allowed};
  }
};

/// The gradients of crf_weights; they accumulate. The views of all three are null where none is wanted.
template <class T>
struct crf_gradients {
  mat<T> dtransitions{};  ///< [L, L]
  vec<T> dstart{};        ///< [L]
  vec<T> dend{};          ///< [L]
};

namespace detail {

/// The operation that messages name.
inline constexpr const char* crf_operation = "linear-chain CRF";

/// What passes builds no text: batches of training come here.
[[noreturn]] inline void refuse_crf(error_code code, const std::string& what, const std::string& expected,
                                    const std::string& found) {
  fail(code, std::string(crf_operation) + ": " + what, expected, found);
}

inline void check_crf_size(const char* what, index_t found, index_t labels) {
  if (found == labels) return;
  refuse_crf(error_code::shape_mismatch, what, std::to_string(labels) + " labels", std::to_string(found));
}
inline void check_crf_shape(const char* what, index_t rows, index_t columns, index_t expected_rows,
                            index_t expected_columns) {
  if (rows == expected_rows && columns == expected_columns) return;
  refuse_crf(error_code::shape_mismatch, what,
             std::to_string(expected_rows) + " x " + std::to_string(expected_columns),
             std::to_string(rows) + " x " + std::to_string(columns));
}

template <class T>
void check_crf_numbers(const char* what, mat<const T> values) {
  if constexpr (std::is_floating_point_v<T>) {
    for (index_t i = 0; i < values.rows; ++i) {
      const std::span<const T> row(values.row_data(i), static_cast<std::size_t>(values.cols));
      if (all_finite(row)) continue;
      for (index_t j = 0; j < values.cols; ++j) {
        if (all_finite(row.subspan(static_cast<std::size_t>(j), 1))) continue;
        refuse_crf(error_code::invalid_argument, what, "finite numbers",
                   std::to_string(values(i, j)) + " at row " + std::to_string(i) + ", column " + std::to_string(j));
      }
    }
  }
}
template <class T>
void check_crf_numbers(const char* what, vec<const T> values) {
  check_crf_numbers(what, mat<const T>(values.data, 1, values.size));
}

inline void check_crf_rules(const crf_rules& rules, index_t labels) {
  if (rules.start) check_crf_size("rules of starts", rules.start.size, labels);
  if (rules.end) check_crf_size("rules of ends", rules.end.size, labels);
  const auto& t = rules.transitions;
  if (t) check_crf_shape("rules of transitions", t.rows, t.cols, labels, labels);
}

}  // namespace detail

/// Looks at a chain and a batch in host memory.
/// @throws onoma::error (shape_mismatch) for extents that do not fit together, (invalid_argument) for a sequence
/// without words and for numbers that are not finite, with their place.
template <class T>
void check_crf(const crf_chain<T>& chain, mat<const T> emissions, const sequences& batch) {
  const index_t labels = chain.labels();
  const auto& w = chain.weights;
  check(labels > 0, error_code::shape_mismatch, detail::crf_operation, "at least one label", "none");
  detail::check_crf_size("weights of ends", w.end.size, labels);
  detail::check_crf_shape("transitions", w.transitions.rows, w.transitions.cols, labels, labels);
  detail::check_crf_rules(chain.rules, labels);
  const index_t words = batch.tokens();
  // No words: whatever number of columns.
  detail::check_crf_shape("emissions", emissions.rows, words == 0 ? labels : emissions.cols, words, labels);
  check(batch.count() == 0 || batch.begin(0) == 0, error_code::invalid_argument, detail::crf_operation,
        "offsets that begin with 0", "others");
  for (index_t b = 0; b < batch.count(); ++b) {
    if (batch.length(b) > 0) continue;
    fail(error_code::invalid_argument, detail::crf_operation, "sequences of at least one word",
         "sequence " + std::to_string(b) + " with " + std::to_string(batch.length(b)));
  }
  detail::check_crf_numbers("transitions", w.transitions);
  detail::check_crf_numbers("weights of starts", w.start);
  detail::check_crf_numbers("weights of ends", w.end);
  detail::check_crf_numbers("emissions", emissions);
}

/// Looks at targets in host memory for `words` words, and counts the words of which anything is known: a label,
/// or that it is none of some.
/// @throws onoma::error (shape_mismatch) for extents that do not fit, (out_of_range) for a label that is neither
/// an id nor `ignored_label`, (invalid_argument) for a word that may have no label.
[[nodiscard]] inline index_t check_crf_targets(const crf_targets& targets, index_t words, index_t labels) {
  const auto& allowed = targets.allowed;
  if (targets.labels) detail::check_crf_shape("labels of words", targets.labels.size, 1, words, 1);
  if (allowed) detail::check_crf_shape("allowed labels", allowed.rows, allowed.cols, words, labels);
  index_t known = 0;
  for (index_t n = 0; n < words; ++n) {
    if (targets.labels && targets.labels[n] != ignored_label) {
      if (targets.labels[n] < 0 || targets.labels[n] >= labels) {
        detail::refuse_crf(error_code::out_of_range, "label of word " + std::to_string(n),
                           "0 to " + std::to_string(labels - 1) + " or " + std::to_string(ignored_label),
                           std::to_string(targets.labels[n]));
      }
      ++known;
    } else if (allowed) {
      index_t count = 0;
      for (index_t l = 0; l < labels; ++l) count += allowed(n, l) != 0 ? 1 : 0;
      if (count == 0) {
        detail::refuse_crf(error_code::invalid_argument, "word " + std::to_string(n),
                           "at least one label that it may have", "none");
      }
      known += count < labels ? 1 : 0;
    }
  }
  return known;
}

/// The logarithm of an empty sum: what a kernel says of a sequence without a path.
inline constexpr double crf_no_path = -std::numeric_limits<double>::infinity();

/// Looks at what a kernel found: `log_sums` [B] over some paths, which `what` names, such as "that has its labels".
/// @throws onoma::error (invalid_argument) with the number of the first sequence that has no such path, or whose
/// scores are so large that their sums are not finite.
inline void check_crf_sums(vec<const double> log_sums, const char* what) {
  for (index_t b = 0; b < log_sums.size; ++b) {
    if (std::isfinite(log_sums[b])) continue;
    const std::string sequence = "sequence " + std::to_string(b);
    if (log_sums[b] != crf_no_path) {
      detail::refuse_crf(error_code::invalid_argument, sequence, "scores whose sums are finite",
                         std::to_string(log_sums[b]));
    }
    detail::refuse_crf(error_code::invalid_argument, sequence, "a path that the rules of transitions allow",
                       std::string("none ") + what);
  }
}

}  // namespace onoma::inline ONOMA_ABI
