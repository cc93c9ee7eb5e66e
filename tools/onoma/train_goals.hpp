/// What `onoma train` can train a model for: tags of words, or spans of them.
#pragma once

#include "command.hpp"
#include "corpus.hpp"
#include "hard_data.hpp"
#include "scoring.hpp"

#include <onoma/core/error.hpp>
#include <onoma/data/check.hpp>
#include <onoma/data/document.hpp>
#include <onoma/data/document_scores.hpp>
#include <onoma/io/json.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_scheme.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/text/tokenizer.hpp>
#include <onoma/train/span_task.hpp>
#include <onoma/train/trainer.hpp>

#include <algorithm>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

namespace command {

/// Everything that the options of `onoma train` say.
struct train_settings : shared_options {
  std::string train;
  std::string dev;
  std::string test;
  std::string output;
  std::string checkpoint;
  bool overwrite = false;
  bool resume = false;
  bool change_learning_rate = false;
  std::string on_divergence = "stop";
  onoma::index_t divergence_retries = 3;
  bool recompute = false;
  bool label_all_tokens = false;
  std::string head = "token";
  onoma::span_settings spans;
  std::string span_decoding = "nested";
  std::optional<std::string> scheme;  // none: IOB2 for tags that have one
  onoma::index_t log_every = 50;
  onoma::training_options training;
  hard_data_settings hard;
  column_options columns;
};

/// The texts of the three files; those that were not given are empty.
template <class Item>
struct corpora {
  std::vector<Item> train;
  std::vector<Item> dev;
  std::vector<Item> test;
  std::vector<std::vector<Item>> extra{};  ///< of each file of --extra

  /// What is trained on: `train` and all of `extra`.
  [[nodiscard]] std::vector<Item> all() const {
    auto together = train;
    for (const auto& more : extra) together.insert(together.end(), more.begin(), more.end());
    return together;
  }
};

/// Tags of the words of sentences.
struct tagging_goal : tag_scoring {
  using task = onoma::tagging_task;

  static onoma::tag_scheme wanted(const train_settings& s) {
    return onoma::tag_scheme_from_name(s.scheme.value_or("IOB2"));
  }
  /// Sentences of a file, their tags in the scheme of the model if they are in one.
  static std::vector<item> read(const std::string& path, const train_settings& s, const messages& say) {
    auto sentences = tag_scoring::read(path, s.columns);
    const auto change = bring_to_scheme(sentences, path, wanted(s), say);
    const auto& found = change.found;
    if (found.scheme && !change.changed) say.note("{}: tags in {}", path, onoma::to_string(*found.scheme));
    if (!found.scheme && s.scheme && found.foreign > 0) {
      onoma::fail(onoma::error_code::invalid_argument, "--scheme " + *s.scheme + ": " + path,
                  "tags with the prefixes of a scheme", "others");
    }
    return sentences;
  }
  /// The sentences of each file of --extra, with its weight.
  static std::vector<std::vector<item>> read_extra(const train_settings& s, const messages& say) {
    std::vector<std::vector<item>> files;
    for (const auto& source : extra_sources(s.hard)) {
      files.push_back(read(source.file, s, say));
      for (auto& sentence : files.back()) sentence.weight = source.weight;
    }
    return files;
  }
  /// Of the labels, by id; none: 1 each.
  static std::vector<double> class_weights(const train_settings& s, const corpora<item>& data,
                                           const std::vector<std::string>& labels) {
    return class_weights_of(s.hard, data.all(), onoma::tag_set(labels));
  }
  /// That of the model; none: there are labels without one.
  static std::optional<onoma::tag_scheme> scheme(const train_settings& s, const std::vector<item>& train) {
    const auto fit = onoma::measure_scheme(train, wanted(s));
    return fit.foreign == 0 ? fit.scheme : std::nullopt;
  }
  /// Labels of the training data: the model predicts no others.
  static std::vector<std::string> labels(const std::vector<item>& train, const std::string& name) {
    const auto tags = onoma::tag_set::from_tags(onoma::tags_of(train));
    if (tags.size() < 2) {
      onoma::fail(onoma::error_code::invalid_argument, "reading " + name,
                  "at least two different tags in their column", "'" + tags.label(0) + "' alone");
    }
    return tags.labels();
  }
  static onoma::json head_settings(const train_settings& /*s*/) { return nullptr; }
  static onoma::index_t words(const item& s) { return static_cast<onoma::index_t>(s.words.size()); }

  /// Counts the labels of all files, and warns of what looks like a slip.
  static void check(const train_settings& s, const corpora<item>& data, const messages& say) {
    std::vector<std::pair<std::string, onoma::corpus_check>> checks;
    const auto look = [&](const char* name, const std::string& file, const std::vector<item>& sentences) {
      if (sentences.empty()) return;
      const bool in_one = onoma::guess_scheme(sentences).scheme.has_value();
      checks.emplace_back(name, onoma::check_corpus(sentences, in_one ? std::optional(wanted(s)) : std::nullopt));
      auto remarks = checks.back().second.remarks;
      if (checks.size() > 1) {
        for (auto& more : onoma::compare_corpora(checks.front().second, checks.back().second)) {
          remarks.push_back(std::move(more));
        }
      }
      for (const auto& remark : remarks) say.warn(file + ": " + remark);
      if (const auto unknown = checks.back().second.unknown; unknown > 0) {
        say.note("{}: {} of unknown label", file, counted(unknown, "word"));
      }
    };
    look("train", s.train, data.train);
    look("dev", s.dev, data.dev);
    look("test", s.test, data.test);
    const auto sources = extra_sources(s.hard);
    for (std::size_t i = 0; i < data.extra.size(); ++i) look("extra", sources[i].file, data.extra[i]);
    say.note("{}", onoma::count_table(checks));
  }

  template <class Model>
  static task make(const Model& model, const onoma::tokenizer& tokens, const corpora<item>& data,
                   const train_settings& s, const messages& /*say*/) {
    return task(model, tokens, data.all(), data.dev, s.training.data);
  }
  template <class Model>
  static void finish(const task& /*of*/, Model& /*model*/) {}
};

/// Spans of the words of texts, which may overlap.
struct span_goal : span_scoring {
  using task = onoma::span_task;

  static std::vector<item> read(const std::string& path, const train_settings& s, const messages& /*say*/) {
    return span_scoring::read(path, s.columns);
  }
  /// @throws usage_error for what is for tags of words alone.
  static std::vector<std::vector<item>> read_extra(const train_settings& s, const messages& /*say*/) {
    if (s.hard.extra.empty() && s.hard.class_weights.empty() && s.training.data.repeat_threshold == 0.0) return {};
    throw usage_error{"--extra, --class-weights and --repeat-rare-types are for tags of words: not with --head span"};
  }
  static std::vector<double> class_weights(const train_settings& /*s*/, const corpora<item>& /*data*/,
                                           const std::vector<std::string>& /*labels*/) {
    return {};
  }
  static std::vector<std::string> labels(const std::vector<item>& train, const std::string& name) {
    if (std::all_of(train.begin(), train.end(), [](const auto& d) { return d.spans.empty(); })) {
      onoma::fail(onoma::error_code::invalid_argument, "reading " + name, "at least one span", "none");
    }
    return onoma::span_labels(train);
  }
  static std::optional<onoma::tag_scheme> scheme(const train_settings& /*s*/, const std::vector<item>& /*train*/) {
    return std::nullopt;
  }
  static onoma::json head_settings(const train_settings& s) {
    return {{"width", s.spans.width}, {"negatives", s.spans.negatives}, {"decoding", s.span_decoding}};
  }
  static onoma::index_t words(const item& d) { return static_cast<onoma::index_t>(d.words.size()); }

  static void check(const train_settings& s, const corpora<item>& data, const messages& say) {
    const auto look = [&](const char* name, const std::string& file, const std::vector<item>& items) {
      if (items.empty()) return;
      onoma::index_t all = 0;
      for (const auto& d : items) all += static_cast<onoma::index_t>(d.spans.size());
      const auto inside = onoma::nesting_recall_of(items, items).inner;
      say.note("{} ({}): {}, {}, {} inside of others", name, file,
               counted(static_cast<onoma::index_t>(items.size()), "text"), counted(all, "span"), inside);
    };
    look("train", s.train, data.train);
    look("dev", s.dev, data.dev);
    look("test", s.test, data.test);
  }

  /// Says which true spans the model cannot find: how many, and some of each kind.
  template <class Model>
  static task make(const Model& model, const onoma::tokenizer& tokens, const corpora<item>& data,
                   const train_settings& s, const messages& say) {
    task made(model, tokens, data.train, data.dev, s.training.data.max_length);
    using reason = onoma::unreached_span::reason;
    for (const auto why : {reason::no_word, reason::cut, reason::too_wide, reason::same_words}) {
      onoma::index_t count = 0;
      std::string some;
      for (const auto& u : made.unreached()) {
        if (u.why != why) continue;
        const auto& d = data.train[u.document];
        const auto& span = d.spans[u.span];
        if (++count <= 3) some += fmt::format("; line {}: {} '{}'", d.origin.line, span.label, span.text);
      }
      if (count > 0) {
        say.warn(fmt::format("{}: {} cannot be found: {}{}{}", s.train, counted(count, "span"), onoma::to_string(why),
                             some, count > 3 ? "; ..." : ""));
      }
    }
    return made;
  }
  /// Thresholds of labels, where there are dev texts to choose them by.
  template <class Model>
  static void finish(const task& of, Model& model) {
    if (of.has_dev()) of.tune(model);
  }
};

/// What a head is trained for.
template <class Head>
using goal_of = std::conditional_t<onoma::span_scoring_head<Head>, span_goal, tagging_goal>;

}  // namespace command
