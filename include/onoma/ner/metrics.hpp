/// Entity-level precision, recall and F1, equal to seqeval's.
#pragma once

#include <onoma/core/error.hpp>
#include <onoma/core/types.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

namespace onoma::inline ONOMA_ABI {

using tag_sequences = std::vector<std::vector<std::string>>;  ///< the tags of each sentence

/// Takes words whose gold tag is `unknown_tag` out of both sides, of whose predicted tags nobody can say whether they
/// are right; returns how many. Both have the same numbers of words.
inline index_t drop_unknown_words(tag_sequences& gold, tag_sequences& predicted) {
  index_t dropped = 0;
  for (std::size_t s = 0; s < gold.size() && s < predicted.size(); ++s) {
    std::size_t kept = 0;
    for (std::size_t w = 0; w < gold[s].size() && w < predicted[s].size(); ++w) {
      if (gold[s][w] == unknown_tag) continue;
      if (kept != w) {
        gold[s][kept] = std::move(gold[s][w]);
        predicted[s][kept] = std::move(predicted[s][w]);
      }
      ++kept;
    }
    if (gold[s].size() != predicted[s].size()) continue;  // `evaluate` refuses them
    dropped += static_cast<index_t>(gold[s].size() - kept);
    gold[s].resize(kept);
    predicted[s].resize(kept);
  }
  return dropped;
}

/// Counts by gold type and predicted type.
using confusion_table = std::map<std::string, std::map<std::string, index_t>>;

/// Scores of one type or one average.
struct entity_score {
  double precision = 0.0;  ///< correct of those predicted
  double recall = 0.0;     ///< correct of those that are there
  double f1 = 0.0;         ///< harmonic mean of both
  index_t support = 0;       ///< entities in the gold tags
  index_t predicted = 0;     ///< entities in the predicted tags
  index_t correct = 0;       ///< in both: same sentence, words and type (0 for macro and weighted)
};

/// How tags are read. Without a scheme: seqeval's default mode (conlleval's transitions). With one:
/// its strict mode; strict without a scheme, which seqeval silently takes for default, cannot be
/// said. The two differ by points of F1 on the same file, so a report names the mode.
struct metric_options {
  std::optional<tag_scheme> strict{};  ///< seqeval's strict mode with this scheme; none: its default mode
  double zero_division = 0.0;        ///< value of a quotient whose denominator is zero: 0 or 1
};

/// Scores of entities, as a whole and by type.
struct ner_report {
  std::string mode;  ///< "default", "strict IOB2" and so on, or "spans" (`evaluate_entities`)
  std::vector<std::pair<std::string, entity_score>> types;  ///< sorted by name
  entity_score micro;     ///< over all entities
  entity_score macro;     ///< mean over types, of the gold or the predicted tags
  entity_score weighted;  ///< mean over types, weighted by support
  double token_accuracy = 0.0;  ///< of single tags
  index_t tokens = 0;  ///< tags that were compared
  index_t sentences = 0;  ///< sequences that were compared
  /// Words that count on neither side, since no model sees them (predict/evaluate.hpp).
  index_t skipped_words = 0;
  /// Words that count on neither side, since their true tag is not known (`unknown_tag`).
  index_t unknown_words = 0;
  /// Tags, gold and predicted, whose prefix is none of B, I, E and S. The default mode, like
  /// seqeval's, still scores them, wrongly; seqeval warns of some. They need strict mode.
  index_t misread_tags = 0;
  confusion_table word_confusion;  ///< words by type, "O" included; B- and I- are not told apart
  /// Entities of the same words by type; `no_entity` stands opposite missed and spurious ones.
  confusion_table entity_confusion;

  /// Opposite an entity whose words are no entity on the other side.
  static constexpr std::string_view no_entity = "(none)";
};

namespace detail {

inline double quotient(index_t numerator, index_t denominator, double zero_division) {
  return denominator == 0 ? zero_division
                          : static_cast<double>(numerator) / static_cast<double>(denominator);
}

inline void finish(entity_score& score, double zero_division) {
  score.precision = quotient(score.correct, score.predicted, zero_division);
  score.recall = quotient(score.correct, score.support, zero_division);
  // seqeval divides by 1 where precision + recall is zero.
  const double sum = score.precision + score.recall;
  score.f1 = 2.0 * score.precision * score.recall / (sum == 0.0 ? 1.0 : sum);
}

/// The sum in numpy's order (numpy/_core/src/umath/loops_utils.h.src, pairwise_sum): other orders round
/// otherwise, and a mean that stands between two decimals is printed as the other one.
inline double numpy_sum(std::span<const double> values) {
  const std::size_t size = values.size();
  if (size > 128) {
    const std::size_t half = size / 2 - size / 2 % 8;
    return numpy_sum(values.first(half)) + numpy_sum(values.subspan(half));
  }
  double sum = 0.0;
  std::size_t i = 0;
  if (size >= 8) {
    double lanes[8] = {};
    for (; i + 8 <= size; i += 8) {
      for (std::size_t lane = 0; lane < 8; ++lane) lanes[lane] += values[i + lane];
    }
    sum = ((lanes[0] + lanes[1]) + (lanes[2] + lanes[3])) +
          ((lanes[4] + lanes[5]) + (lanes[6] + lanes[7]));
  }
  for (; i < size; ++i) sum += values[i];
  return sum;
}

inline void check_sequences(const tag_sequences& gold, const tag_sequences& predicted) {
  if (gold.size() != predicted.size()) {
    fail(error_code::shape_mismatch, "evaluate", std::to_string(gold.size()) + " sentences",
         std::to_string(predicted.size()));
  }
  for (std::size_t i = 0; i < gold.size(); ++i) {
    if (gold[i].size() != predicted[i].size()) {
      fail(error_code::shape_mismatch, "evaluate: sentence " + std::to_string(i),
           std::to_string(gold[i].size()) + " tags", std::to_string(predicted[i].size()));
    }
  }
}

/// Whether the default mode, which takes the first letter for a prefix whatever it is, misreads
/// `tag`: BILOU's U- and L-, or a label without a prefix ("ORG" is outside, as it begins with O).
inline bool is_misread(std::string_view tag) {
  if (tag == "O") return false;
  const bool known = !tag.empty() && std::string_view("BIES").find(tag[0]) != std::string_view::npos;
  return !known || (tag.size() > 1 && tag[1] != '-');
}

/// The entities of all sentences, whose words are counted through, with one place between two sentences.
inline std::vector<entity_span> entities_of(const tag_sequences& sentences, const metric_options& options,
                                            index_t& misread_tags) {
  std::vector<entity_span> entities;
  lenient_reader lenient;
  index_t offset = 0;
  for (const auto& tags : sentences) {
    if (options.strict) {
      for (auto& found : strict_entities(tags, *options.strict)) {
        entities.push_back({found.begin + offset, found.end + offset, std::move(found.type)});
      }
    } else {
      misread_tags += std::count_if(tags.begin(), tags.end(), is_misread);
      lenient.read_all(tags, entities);
    }
    offset += static_cast<index_t>(tags.size()) + 1;
  }
  return entities;
}

/// Counts entities by type and in the confusion table: as sets, so that one that is there twice counts once.
/// Of those on the same words, equal types find each other first; what is left is paired by name.
inline void count_entities(std::vector<entity_span> gold, std::vector<entity_span> predicted,
                           std::map<std::string, entity_score>& types, confusion_table& confusion) {
  const auto before = [](const entity_span& a, const entity_span& b) {
    return std::tie(a.begin, a.end, a.type) < std::tie(b.begin, b.end, b.type);
  };
  for (auto* entities : {&gold, &predicted}) {
    std::sort(entities->begin(), entities->end(), before);
    entities->erase(std::unique(entities->begin(), entities->end()), entities->end());
  }
  for (const auto& entity : gold) ++types[entity.type].support;
  for (const auto& entity : predicted) ++types[entity.type].predicted;
  std::vector<entity_span> missed;
  std::vector<entity_span> spurious;
  std::set_difference(gold.begin(), gold.end(), predicted.begin(), predicted.end(),
                      std::back_inserter(missed), before);
  std::set_difference(predicted.begin(), predicted.end(), gold.begin(), gold.end(),
                      std::back_inserter(spurious), before);
  std::vector<entity_span> found;
  std::set_intersection(gold.begin(), gold.end(), predicted.begin(), predicted.end(),
                        std::back_inserter(found), before);
  for (const auto& entity : found) {
    ++types[entity.type].correct;
    ++confusion[entity.type][entity.type];
  }
  const std::string none(ner_report::no_entity);
  const auto words = [](const entity_span& entity) { return std::pair(entity.begin, entity.end); };
  auto other = spurious.begin();
  for (const auto& entity : missed) {
    for (; other != spurious.end() && words(*other) < words(entity); ++other) ++confusion[none][other->type];
    const bool confused = other != spurious.end() && words(*other) == words(entity);
    ++confusion[entity.type][confused ? (other++)->type : none];
  }
  for (; other != spurious.end(); ++other) ++confusion[none][other->type];
}

/// Quotients and averages of a report whose types have their counts.
inline void finish(ner_report& report, std::map<std::string, entity_score>& types, double zero) {
  for (auto& [name, score] : types) {
    finish(score, zero);
    report.micro.support += score.support;
    report.micro.predicted += score.predicted;
    report.micro.correct += score.correct;
    report.types.emplace_back(name, score);
  }
  finish(report.micro, zero);
  for (entity_score* average : {&report.macro, &report.weighted}) {
    average->support = report.micro.support;
    average->predicted = report.micro.predicted;
  }
  const auto count = static_cast<double>(types.size());
  const auto total = static_cast<double>(report.micro.support);
  // numpy.average: one sum, then one quotient.
  const auto average = [&](double entity_score::*value, bool weighted) {
    std::vector<double> terms;
    for (const auto& [name, score] : report.types) {
      terms.push_back(score.*value * (weighted ? static_cast<double>(score.support) : 1.0));
    }
    return numpy_sum(terms) / (weighted ? total : count);
  };
  for (const auto value : {&entity_score::precision, &entity_score::recall, &entity_score::f1}) {
    if (count > 0) report.macro.*value = average(value, false);
    if (total > 0) report.weighted.*value = average(value, true);
  }
  if (report.micro.support == 0) {
    // seqeval: with nothing to find, recall is undefined, and so is precision if nothing was found.
    const double undefined = report.micro.predicted == 0 ? zero : 0.0;
    report.weighted.precision = undefined;
    report.weighted.recall = zero;
    report.weighted.f1 = undefined;
  }
}

inline void check_zero_division(double value) {
  check(value == 0.0 || value == 1.0, error_code::invalid_argument, "evaluate", "a zero_division of 0 or 1",
        "another number");
}

}  // namespace detail

/// Scores predicted entities against true ones, which may overlap and nest: one is right where begin, end and
/// type are equal. Both are of the same texts; their places are in any unit that tells texts apart. An entity
/// that is there twice counts once. The report has no words, accuracy or sentences.
/// @throws onoma::error (invalid_argument) for a `zero_division` other than 0 and 1.
[[nodiscard]] inline ner_report evaluate_entities(std::vector<entity_span> gold,
                                                  std::vector<entity_span> predicted,
                                                  double zero_division = 0.0) {
  detail::check_zero_division(zero_division);
  ner_report report;
  report.mode = "spans";
  std::map<std::string, entity_score> types;
  detail::count_entities(std::move(gold), std::move(predicted), types, report.entity_confusion);
  detail::finish(report, types, zero_division);
  return report;
}

/// Scores predicted tags against gold tags.
///
/// Default mode reads all sentences as one sequence with an O after each; strict mode reads each
/// by the rules of its scheme. Types are those of the gold or the predicted entities. Without
/// any entity all scores are `zero_division` or 0 (seqeval has no report then). Source:
/// https://github.com/chakki-works/seqeval (metrics/sequence_labeling.py, metrics/v1.py).
/// @throws onoma::error (shape_mismatch) for different lengths, (invalid_argument) for a tag that
/// the scheme does not have, or a `zero_division` other than 0 and 1.
[[nodiscard]] inline ner_report evaluate(const tag_sequences& gold, const tag_sequences& predicted,
                                         const metric_options& options = {}) {
  detail::check_zero_division(options.zero_division);
  detail::check_sequences(gold, predicted);
  ner_report report;
  report.mode = options.strict ? "strict " + std::string(to_string(*options.strict)) : "default";
  report.sentences = static_cast<index_t>(gold.size());
  std::map<std::string, entity_score> types;
  detail::count_entities(detail::entities_of(gold, options, report.misread_tags),
                         detail::entities_of(predicted, options, report.misread_tags), types,
                         report.entity_confusion);
  const auto type = [](const std::string& tag) {
    const auto parts = split_tag(tag);
    return parts.prefix == 'O' ? std::string("O") : std::string(parts.type);
  };
  index_t equal = 0;
  for (std::size_t i = 0; i < gold.size(); ++i) {
    for (std::size_t w = 0; w < gold[i].size(); ++w) {
      ++report.tokens;
      equal += gold[i][w] == predicted[i][w] ? 1 : 0;
      ++report.word_confusion[type(gold[i][w])][type(predicted[i][w])];
    }
  }
  report.token_accuracy = detail::quotient(equal, report.tokens, 0.0);
  detail::finish(report, types, options.zero_division);
  return report;
}

}  // namespace onoma::inline ONOMA_ABI
