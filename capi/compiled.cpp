/// onoma::compiled: the one unit that compiles the library. Types of the headers stay in here; what goes in
/// and out are those of compiled.hpp.
#include <onoma/compiled.hpp>

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/models/token_classifier.hpp>
#include <onoma/ner/metrics.hpp>
#include <onoma/ner/scheme_guess.hpp>
#include <onoma/ner/tag_set.hpp>
#include <onoma/pipeline.hpp>
#include <onoma/predict/evaluate.hpp>
#include <onoma/predict/matching_model.hpp>
#include <onoma/predict/word_splitting.hpp>
#include <onoma/text/files/load.hpp>
#include <onoma/train/trainer.hpp>

#define ONOMA_TEXT_(x) #x
#define ONOMA_TEXT(x) ONOMA_TEXT_(x)

namespace onoma::compiled {

namespace {

/// What pipeline::load makes of a folder with this head.
template <class Head>
using tagger = token_tagger<session<cpu_backend, Head>>;

/// The codes of the C interface keep their numbers: 10 and 11 are out of memory and internal errors.
constexpr error_code convert(onoma::error_code code) {
  const int number = static_cast<int>(code) + 1;
  return static_cast<error_code>(code > onoma::error_code::unsupported ? number + 2 : number);
}
static_assert(convert(onoma::error_code::invalid_argument) == error_code::invalid_argument &&
              convert(onoma::error_code::unsupported) == error_code::unsupported &&
              convert(onoma::error_code::cancelled) == error_code::cancelled &&
              convert(onoma::error_code::limit_exceeded) == error_code::limit_exceeded);

/// What `body` returns; its errors become those of compiled.hpp.
template <class Body>
auto guarded(const Body& body) {
  try {
    return body();
  } catch (const onoma::error& e) {
    throw error(e.what(), convert(e.code()), e.operation(), e.expected(), e.found());
  }
}

range convert(byte_span span) { return {span.begin, span.end}; }

tagged_text convert(onoma::tagged_text&& from) {
  tagged_text to;
  to.entities.reserve(from.entities.size());
  for (auto& e : from.entities) {
    to.entities.push_back({std::move(e.text), std::move(e.label), e.score, convert(e.span.bytes),
                           convert(e.span.code_points), convert(e.span.utf16), e.first, e.last,
                           std::string(to_string(e.source)), std::move(e.id)});
  }
  to.windows = from.windows;
  to.repairs = from.repairs;
  to.unknown_tokens = from.unknown_tokens;
  for (const auto word : from.words) to.words.push_back(convert(word));
  return to;
}

std::vector<tagged_text> convert(std::vector<onoma::tagged_text>&& from) {
  std::vector<tagged_text> to;
  to.reserve(from.size());
  for (auto& each : from) to.push_back(convert(std::move(each)));
  return to;
}

score convert(const entity_score& s) {
  return {s.precision, s.recall, s.f1, s.support, s.predicted, s.correct};
}

report convert(const ner_report& from) {
  report to;
  to.mode = from.mode;
  for (const auto& [name, each] : from.types) to.types.emplace_back(name, convert(each));
  to.micro = convert(from.micro);
  to.macro = convert(from.macro);
  to.weighted = convert(from.weighted);
  to.token_accuracy = from.token_accuracy;
  to.tokens = from.tokens;
  to.sentences = from.sentences;
  to.skipped_words = from.skipped_words + from.unknown_words;
  to.misread_tags = from.misread_tags;
  return to;
}

/// `what` names the sentences in messages. Each word has a tag.
std::vector<onoma::sentence> convert(const std::vector<sentence>& from, const std::string& what) {
  std::vector<onoma::sentence> to(from.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    const auto place = what + " " + std::to_string(i + 1);
    if (from[i].tags.size() != from[i].words.size()) {
      fail(onoma::error_code::shape_mismatch, place,
           std::to_string(from[i].words.size()) + " tags, one per word", std::to_string(from[i].tags.size()));
    }
    for (const auto& word : from[i].words) validate_utf8(word, place + ": words");
    for (const auto& tag : from[i].tags) validate_utf8(tag, place + ": tags");
    to[i].words = from[i].words;
    to[i].tags = from[i].tags;
  }
  return to;
}

index_t thread_count(std::int64_t threads) {
  check(threads >= 0, onoma::error_code::invalid_argument, "threads", "at least 0", "a negative number");
  return threads > 0 ? static_cast<index_t>(threads) : available_cpus();
}

/// Null where there are no rules.
std::shared_ptr<const matchers> matching_of(const model_options& from) {
  matcher_files files;
  files.patterns.assign(from.rules.begin(), from.rules.end());
  files.gazetteers.assign(from.gazetteers.begin(), from.gazetteers.end());
  files.policy = match_policy_from_name(from.rules_policy);
  if (files.patterns.empty() && files.gazetteers.empty()) {
    check(files.policy == match_policy::before, onoma::error_code::invalid_argument, "the policy of rules",
          "rules or gazetteers", "none");
    return nullptr;
  }
  return std::make_shared<const matchers>(read_matchers(files));
}

pipeline_options convert(const model_options& from) {
  pipeline_options to;
  to.threads = thread_count(from.threads);
  to.strategy = aggregation_from_name(from.strategy);
  to.splitting = word_splitting_from_name(from.split);
  to.max_length = from.max_length;
  to.stride = from.stride;
  to.max_tokens = from.max_tokens;
  to.packed_cache = from.packed_cache;
  to.matching = matching_of(from);
  return to;
}

onoma::training_options convert(const training_options& from) {
  onoma::training_options to;
  to.epochs = from.epochs;
  to.learning_rate = from.learning_rate;
  to.warmup = from.warmup;
  to.weight_decay = from.weight_decay;
  to.max_grad_norm = from.max_grad_norm;
  to.accumulation = from.accumulation;
  to.batch.batch_size = from.batch_size;
  to.batch.max_tokens = from.max_tokens;
  to.batch.seed = from.seed;
  to.data.max_length = from.max_length;
  to.data.align.label_all_tokens = from.label_all_tokens;
  to.patience = from.patience;
  to.checkpoint = from.checkpoint;
  to.checkpoint_every = from.checkpoint_every;
  return to;
}

metric_options metric_of(const std::string& scheme) {
  metric_options options;
  if (!scheme.empty()) options.strict = tag_scheme_from_name(scheme);
  return options;
}

/// Sentences whose tags are in BIO, if they are in a scheme.
struct in_bio {
  explicit in_bio(std::vector<onoma::sentence> from)
      : sentences(std::move(from)), found(bring_to_scheme(sentences, tag_scheme::iob2).found) {}
  /// What a model of these labels is said to be in.
  [[nodiscard]] std::optional<tag_scheme> scheme() const {
    return found.scheme && found.foreign == 0 ? std::optional(tag_scheme::iob2) : std::nullopt;
  }

  std::vector<onoma::sentence> sentences;
  scheme_guess found;
};

/// True tags in the scheme of a model, if that is known.
template <class Model>
std::vector<onoma::sentence> in_scheme_of(Model& model, std::vector<onoma::sentence> sentences) {
  if (const auto scheme = scheme_of(model)) bring_to_scheme(sentences, *scheme);
  return sentences;
}

/// Labels of the training data: the model predicts no others.
std::vector<std::string> labels_of(const std::vector<onoma::sentence>& train) {
  const auto tags = tag_set::from_tags(tags_of(train));
  check(tags.size() >= 2, onoma::error_code::invalid_argument, "training sentences",
        "at least two different tags", "fewer");
  return tags.labels();
}

}  // namespace

error::error(const std::string& message, error_code code, std::string operation, std::string expected,
             std::string found)
    : std::runtime_error(message),
      code_(code),
      operation_(std::move(operation)),
      expected_(std::move(expected)),
      found_(std::move(found)) {}

error::~error() = default;

const char* version() noexcept {
  return ONOMA_TEXT(ONOMA_VERSION_MAJOR) "." ONOMA_TEXT(ONOMA_VERSION_MINOR) "." ONOMA_TEXT(
      ONOMA_VERSION_PATCH);
}

std::vector<sentence> read_conll(const std::string& path, const columns& which) {
  return guarded([&] {
    std::error_code problem;
    if (std::filesystem::is_directory(path, problem)) {
      fail(onoma::error_code::invalid_argument, "reading " + path, "a file of CoNLL columns", "a folder");
    }
    conll_options options;
    if (which.word) options.word_column = static_cast<index_t>(*which.word);
    if (which.tag) options.tag_column = static_cast<index_t>(*which.tag);
    std::vector<sentence> sentences;
    for (auto& each : onoma::read_conll(path, options)) {
      sentences.push_back({std::move(each.words), std::move(each.tags)});
    }
    return sentences;
  });
}

struct model::state {
  pipeline ner;
};

namespace {

pipeline load_pipeline(const std::string& folder, const pipeline_options& options) {
  if (options.matching == nullptr || options.matching->policy != match_policy::only)
    return pipeline::load(folder, options);
  return pipeline(std::make_unique<matching_model>(nullptr, options.matching));
}

}  // namespace

model::model(std::unique_ptr<state> made) : state_(std::move(made)) {}
model::model(model&&) noexcept = default;
model& model::operator=(model&&) noexcept = default;
model::~model() = default;

model model::load(const std::string& folder, const model_options& options) {
  return guarded([&] {
    const auto how = convert(options);
    return model(std::unique_ptr<state>(new state{load_pipeline(folder, how)}));
  });
}

model model::share() const {
  return guarded([&] { return model(std::unique_ptr<state>(new state{state_->ner.share()})); });
}

std::vector<std::string> model::labels() const { return state_->ner.labels(); }

tagged_text model::tag(std::string_view text) {
  return guarded([&] { return convert(state_->ner.tag(text)); });
}

std::vector<tagged_text> model::tag_batch(const std::vector<std::string>& texts) {
  return guarded([&] { return convert(state_->ner.tag_batch(texts)); });
}

tagged_text model::tag_words(const std::vector<std::string>& words) {
  return guarded([&] { return convert(state_->ner.tag_words(words)); });
}

report model::evaluate(const std::vector<sentence>& sentences, const std::string& scheme) {
  return guarded([&] {
    const auto gold = convert(sentences, "sentence");
    const auto with = [&](auto& all) {
      return convert(evaluate_on(all.session(), all.tokens(), in_scheme_of(all.session(), gold), metric_of(scheme),
                                 all.options().windows));
    };
    auto& made = state_->ner.model();
    if (auto* chains = dynamic_cast<tagger<crf_head<cpu_backend>>*>(&made)) return with(*chains);
    if (auto* tokens = dynamic_cast<tagger<token_head<cpu_backend>>*>(&made)) return with(*tokens);
    auto in_scheme = gold;
    bring_to_scheme(in_scheme, metric_of(scheme).strict.value_or(tag_scheme::iob2));
    return convert(evaluate_on(made, in_scheme, metric_of(scheme)));  // with rules
  });
}

struct trainer::state {
  using model_type = token_classifier<cpu_backend>;
  using run_type = onoma::trainer<model_type, tagging_task>;

  state(const std::string& folder, const in_bio& train, in_bio dev, const training_options& options)
      : pool(thread_count(options.threads)),
        backend(pool),
        trained(
            model_type::load(folder, labels_of(train.sentences), backend,
                             {.seed = options.seed, .replace_head = true, .scheme = train.scheme(),
                              .recompute = options.recompute})),
        tokens(load_tokenizer(folder).for_table(trained.config().vocabulary)),
        run(trained, tokens, train.sentences, std::move(dev.sentences), convert(options)) {}

  thread_pool pool;
  cpu_backend backend;
  model_type trained;
  tokenizer tokens;
  run_type run;
};

trainer::trainer(const std::string& encoder, const std::vector<sentence>& train,
                 const std::vector<sentence>& dev, const training_options& options)
    : state_(guarded([&] {
        return std::make_unique<state>(encoder, in_bio(convert(train, "training sentence")),
                                       in_bio(convert(dev, "dev sentence")), options);
      })) {}
trainer::trainer(trainer&&) noexcept = default;
trainer& trainer::operator=(trainer&&) noexcept = default;
trainer::~trainer() = default;

std::int64_t trainer::total_steps() const { return state_->run.total_steps(); }

std::vector<std::string> trainer::labels() const { return state_->trained.labels(); }

void trainer::resume(const std::string& checkpoint) {
  guarded([&] { state_->run.resume(checkpoint); });
}

training_result trainer::run(const callback& progress) {
  const auto show = [&](const onoma::training_progress& p) {
    if (!progress) return true;
    report dev;
    if (p.dev != nullptr) dev = convert(*p.dev);
    return progress({p.what == onoma::training_progress::kind::epoch, p.epoch, p.epochs, p.step,
                     p.total_steps, p.loss, p.learning_rate, p.gradient_norm, p.tokens_per_second, p.seconds,
                     p.seconds_left, p.dev != nullptr ? &dev : nullptr, p.is_best});
  };
  return guarded([&] {
    const auto done = state_->run.run(show);
    const auto& at = done.position;
    return training_result{at.step,      at.best_epoch,      std::max(0.0, at.best_score),
                           done.stopped, done.train_seconds, done.tokens_per_second};
  });
}

bool trainer::use_best() {
  return guarded([&] { return state_->run.use_best(); });
}

report trainer::evaluate(const std::vector<sentence>& sentences, const std::string& scheme) {
  return guarded([&] {
    return convert(evaluate_on(state_->trained, state_->tokens,
                               in_scheme_of(state_->trained, convert(sentences, "sentence")), metric_of(scheme),
                               {.max_length = state_->run.task().window_length()}));
  });
}

void trainer::save(const std::string& folder) const {
  guarded([&] { state_->trained.save(folder); });
}

}  // namespace onoma::compiled
