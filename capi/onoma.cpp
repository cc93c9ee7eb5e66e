/// The C interface: handles around the classes of compiled.hpp, and their exceptions as codes with a text.
#include "onoma.h"

#include <onoma/compiled.hpp>

#include <algorithm>
#include <cstring>
#include <new>

namespace compiled = onoma::compiled;

namespace {

onoma_string view(const std::string& text) { return {text.c_str(), text.size()}; }

/// The texts of an onoma_error, which points to them.
struct failure {
  std::string message, operation, expected, found;
  onoma_error view{ONOMA_OK, "", "", "", ""};

  void set(onoma_status code, const char* what) noexcept {
    view = {code, what, "", "", ""};  // literals: also where there is no memory for strings
  }
  void set(onoma_status code, std::string what, const compiled::error* parts) {
    message = std::move(what);
    operation = parts != nullptr ? parts->operation() : std::string();
    expected = parts != nullptr ? parts->expected() : std::string();
    found = parts != nullptr ? parts->found() : std::string();
    view = {code, message.c_str(), operation.c_str(), expected.c_str(), found.c_str()};
  }
};

failure& last_failure() {
  thread_local failure last;
  return last;
}

[[noreturn]] void refuse(const char* function, const std::string& expected, const std::string& found) {
  const std::string operation = function;
  throw compiled::error(operation + ": invalid argument: expected " + expected + ", found " + found,
                        compiled::error_code::invalid_argument, operation, expected, found);
}

void require(const void* pointer, const char* function, const char* what) {
  if (pointer == nullptr) refuse(function, what, "NULL");
}

/// The exception that is being handled, as a code; its text is kept for `onoma_last_error`.
onoma_status keep_failure() noexcept {
  auto& last = last_failure();
  try {
    try {
      throw;
    } catch (const compiled::error& e) {
      last.set(static_cast<onoma_status>(e.code()), e.what(), &e);
    } catch (const std::bad_alloc&) {
      last.set(ONOMA_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& e) {
      last.set(ONOMA_INTERNAL, std::string("internal error: ") + e.what(), nullptr);
    }
  } catch (const std::bad_alloc&) {
    last.set(ONOMA_OUT_OF_MEMORY, "out of memory");
  } catch (...) {
    last.set(ONOMA_INTERNAL, "internal error: an exception of another kind");
  }
  return last.view.code;
}

template <class Body>
onoma_status guarded(const Body& body) noexcept {
  try {
    body();
    return ONOMA_OK;
  } catch (...) {
    return keep_failure();
  }
}

/// `make` returns the handle that `out` gets; it stays null if that fails.
template <class Handle, class Make>
onoma_status guarded(const char* function, Handle** out, const Make& make) noexcept {
  if (out != nullptr) *out = nullptr;
  return guarded([&] {
    require(out, function, "a place for the result");
    *out = make().release();
  });
}

std::string text_of(const char* data, std::size_t size, const char* function) {
  if (data == nullptr && size > 0) refuse(function, "text", "NULL with a size above 0");
  return size > 0 ? std::string(data, size) : std::string();
}

std::vector<std::string> texts_of(const char* const* data, const std::size_t* sizes, std::size_t count,
                                  const char* function) {
  if (count > 0) {
    require(data, function, "texts");
    require(sizes, function, "sizes of the texts");
  }
  std::vector<std::string> texts;
  texts.reserve(count);
  for (std::size_t i = 0; i < count; ++i) texts.push_back(text_of(data[i], sizes[i], function));
  return texts;
}

/// What the caller filled of a struct that may be older than this library; `smallest`: of version 0.1.
template <class Options>
Options options_of(const Options* given, const Options& defaults, std::size_t smallest,
                   const char* function) {
  if (given == nullptr) return defaults;
  if (given->size < smallest || given->size > sizeof(Options)) {
    refuse(function,
           "options of " + std::to_string(sizeof(Options)) + " bytes, filled by their _init function",
           "a size of " + std::to_string(given->size));
  }
  Options options = defaults;
  std::memcpy(&options, given, given->size);
  return options;
}

template <class Options>
void init_options(Options* options, std::size_t size, Options defaults) {
  if (options == nullptr) return;
  defaults.size = size;
  std::memset(static_cast<void*>(options), 0, size);
  std::memcpy(static_cast<void*>(options), &defaults, std::min(size, sizeof(Options)));
}

onoma_load_options load_defaults() {
  const compiled::model_options from;
  return {sizeof(onoma_load_options),
          from.threads,
          from.max_length,
          from.stride,
          from.max_tokens,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr,
          nullptr};
}

onoma_training_options training_defaults() {
  const compiled::training_options from;
  return {sizeof(onoma_training_options),
          from.threads,
          from.epochs,
          from.learning_rate,
          from.warmup,
          from.weight_decay,
          from.max_grad_norm,
          from.accumulation,
          from.batch_size,
          from.max_tokens,
          from.seed,
          from.max_length,
          from.patience,
          from.checkpoint_every,
          nullptr,
          0,
          0};
}

compiled::training_options convert(const onoma_training_options& from) {
  compiled::training_options to;
  to.threads = from.threads;
  to.epochs = from.epochs;
  to.learning_rate = from.learning_rate;
  to.warmup = from.warmup;
  to.weight_decay = from.weight_decay;
  to.max_grad_norm = from.max_grad_norm;
  to.accumulation = from.accumulation;
  to.batch_size = from.batch_size;
  to.max_tokens = from.max_tokens;
  to.seed = from.seed;
  to.max_length = from.max_length;
  to.label_all_tokens = from.label_all_tokens != 0;
  to.recompute = from.recompute != 0;
  to.patience = from.patience;
  if (from.checkpoint != nullptr) to.checkpoint = from.checkpoint;
  to.checkpoint_every = from.checkpoint_every;
  return to;
}

onoma_entity view(const compiled::entity& e) {
  return {view(e.text),      view(e.label), e.score,     e.bytes.begin, e.bytes.end, e.code_points.begin,
          e.code_points.end, e.utf16.begin, e.utf16.end, e.first,       e.last,
          view(e.source),    view(e.id)};
}

onoma_score view(onoma_string type, const compiled::score& s) {
  return {type, s.precision, s.recall, s.f1, s.support, s.predicted, s.correct};
}

std::string scheme_of(const char* scheme) { return scheme != nullptr ? scheme : ""; }

constexpr onoma_string micro_name{"micro", 5};
constexpr onoma_string macro_name{"macro", 5};
constexpr onoma_string weighted_name{"weighted", 8};

}  // namespace

struct onoma_model {
  explicit onoma_model(compiled::model&& made) : model(std::move(made)), labels(model.labels()) {
    for (const auto& label : labels) views.push_back(view(label));
  }
  compiled::model model;
  std::vector<std::string> labels;
  std::vector<onoma_string> views;
};

struct onoma_result {
  explicit onoma_result(std::vector<compiled::tagged_text>&& found) : texts(std::move(found)) {
    for (const auto& text : texts) {
      auto& entities = views.emplace_back();
      entities.reserve(text.entities.size());
      for (const auto& e : text.entities) entities.push_back(view(e));
      auto& places = words.emplace_back();
      for (const auto& word : text.words) places.push_back({word.begin, word.end});
    }
  }
  std::vector<compiled::tagged_text> texts;
  std::vector<std::vector<onoma_entity>> views;
  std::vector<std::vector<onoma_range>> words;
};

struct onoma_corpus {
  std::vector<compiled::sentence> sentences;
};

struct onoma_report {
  explicit onoma_report(compiled::report&& scores)
      : report(std::move(scores)),
        micro(view(micro_name, report.micro)),
        macro(view(macro_name, report.macro)),
        weighted(view(weighted_name, report.weighted)) {
    for (const auto& [name, score] : report.types) types.push_back(view(view(name), score));
  }
  compiled::report report;
  onoma_score micro, macro, weighted;
  std::vector<onoma_score> types;
};

struct onoma_trainer {
  compiled::trainer trainer;
  onoma_training_result result{};
};

const char* onoma_version(void) { return compiled::version(); }

const char* onoma_status_name(onoma_status status) {
  constexpr const char* names[] = {"ok",           "invalid argument", "shape mismatch",
                                   "out of range", "file not found",   "input/output",
                                   "parse error",  "bad format",       "missing",
                                   "unsupported",  "out of memory",    "internal error",
                                   "cancelled",    "limit exceeded"};
  const auto at = static_cast<std::size_t>(status);
  return at < std::size(names) ? names[at] : "unknown";
}

const onoma_error* onoma_last_error(void) { return &last_failure().view; }

void onoma_load_options_init(onoma_load_options* options, size_t size) {
  init_options(options, size, load_defaults());
}

onoma_status onoma_model_load(const char* folder, const onoma_load_options* options, onoma_model** model) {
  return guarded(__func__, model, [&] {
    // Version 0.1 had no members behind `packed_cache`.
    const auto given =
        options_of(options, load_defaults(), offsetof(onoma_load_options, rules), "onoma_model_load");
    compiled::model_options how;
    how.threads = given.threads;
    how.max_length = given.max_length;
    how.stride = given.stride;
    how.max_tokens = given.max_tokens;
    if (given.strategy != nullptr) how.strategy = given.strategy;
    if (given.split != nullptr) how.split = given.split;
    if (given.packed_cache != nullptr) how.packed_cache = given.packed_cache;
    if (given.rules != nullptr) how.rules.emplace_back(given.rules);
    if (given.gazetteer != nullptr) how.gazetteers.emplace_back(given.gazetteer);
    if (given.rules_policy != nullptr) how.rules_policy = given.rules_policy;
    const bool alone = how.rules_policy == "only" && !(how.rules.empty() && how.gazetteers.empty());
    if (alone && folder == nullptr) folder = "";
    require(folder, "onoma_model_load", "a folder");
    return std::make_unique<onoma_model>(compiled::model::load(folder, how));
  });
}

onoma_status onoma_model_share(const onoma_model* model, onoma_model** other) {
  return guarded(__func__, other, [&] {
    require(model, "onoma_model_share", "a model");
    return std::make_unique<onoma_model>(model->model.share());
  });
}

void onoma_model_free(onoma_model* model) { delete model; }

size_t onoma_model_label_count(const onoma_model* model) {
  return model != nullptr ? model->labels.size() : 0;
}

const onoma_string* onoma_model_label(const onoma_model* model, size_t id) {
  return id < onoma_model_label_count(model) ? &model->views[id] : nullptr;
}

onoma_status onoma_tag(onoma_model* model, const char* text, size_t size, onoma_result** result) {
  return guarded(__func__, result, [&] {
    require(model, "onoma_tag", "a model");
    std::vector<compiled::tagged_text> found;
    found.push_back(model->model.tag(text_of(text, size, "onoma_tag")));
    return std::make_unique<onoma_result>(std::move(found));
  });
}

onoma_status onoma_tag_batch(onoma_model* model, const char* const* texts, const size_t* sizes, size_t count,
                             onoma_result** result) {
  return guarded(__func__, result, [&] {
    require(model, "onoma_tag_batch", "a model");
    return std::make_unique<onoma_result>(
        model->model.tag_batch(texts_of(texts, sizes, count, "onoma_tag_batch")));
  });
}

onoma_status onoma_tag_words(onoma_model* model, const char* const* words, const size_t* sizes, size_t count,
                             onoma_result** result) {
  return guarded(__func__, result, [&] {
    require(model, "onoma_tag_words", "a model");
    std::vector<compiled::tagged_text> found;
    found.push_back(model->model.tag_words(texts_of(words, sizes, count, "onoma_tag_words")));
    return std::make_unique<onoma_result>(std::move(found));
  });
}

size_t onoma_result_text_count(const onoma_result* result) {
  return result != nullptr ? result->texts.size() : 0;
}

size_t onoma_result_entity_count(const onoma_result* result, size_t text) {
  return text < onoma_result_text_count(result) ? result->views[text].size() : 0;
}

const onoma_entity* onoma_result_entity(const onoma_result* result, size_t text, size_t entity) {
  return entity < onoma_result_entity_count(result, text) ? &result->views[text][entity] : nullptr;
}

size_t onoma_result_word_count(const onoma_result* result, size_t text) {
  return text < onoma_result_text_count(result) ? result->words[text].size() : 0;
}

const onoma_range* onoma_result_word(const onoma_result* result, size_t text, size_t word) {
  return word < onoma_result_word_count(result, text) ? &result->words[text][word] : nullptr;
}

int64_t onoma_result_windows(const onoma_result* result, size_t text) {
  return text < onoma_result_text_count(result) ? result->texts[text].windows : 0;
}

int64_t onoma_result_unknown_tokens(const onoma_result* result, size_t text) {
  return text < onoma_result_text_count(result) ? result->texts[text].unknown_tokens : 0;
}

void onoma_result_free(onoma_result* result) { delete result; }

onoma_status onoma_corpus_read(const char* path, onoma_corpus** corpus) {
  return guarded(__func__, corpus, [&] {
    require(path, "onoma_corpus_read", "a file");
    return std::make_unique<onoma_corpus>(onoma_corpus{compiled::read_conll(path)});
  });
}

onoma_status onoma_corpus_read_columns(const char* path, int64_t word_column, int64_t tag_column,
                                       onoma_corpus** corpus) {
  return guarded(__func__, corpus, [&] {
    require(path, "onoma_corpus_read_columns", "a file");
    return std::make_unique<onoma_corpus>(
        onoma_corpus{compiled::read_conll(path, {word_column, tag_column})});
  });
}

onoma_status onoma_corpus_create(onoma_corpus** corpus) {
  return guarded(__func__, corpus, [&] { return std::make_unique<onoma_corpus>(); });
}

onoma_status onoma_corpus_add(onoma_corpus* corpus, const char* const* words, const char* const* tags,
                              size_t count) {
  return guarded([&] {
    require(corpus, "onoma_corpus_add", "a corpus");
    if (count > 0) {
      require(words, "onoma_corpus_add", "words");
      require(tags, "onoma_corpus_add", "tags");
    }
    compiled::sentence added;
    for (size_t i = 0; i < count; ++i) {
      require(words[i], "onoma_corpus_add", "words");
      require(tags[i], "onoma_corpus_add", "tags");
      added.words.emplace_back(words[i]);
      added.tags.emplace_back(tags[i]);
    }
    corpus->sentences.push_back(std::move(added));
  });
}

size_t onoma_corpus_size(const onoma_corpus* corpus) {
  return corpus != nullptr ? corpus->sentences.size() : 0;
}

void onoma_corpus_free(onoma_corpus* corpus) { delete corpus; }

onoma_status onoma_evaluate(onoma_model* model, const onoma_corpus* corpus, const char* scheme,
                            onoma_report** report) {
  return guarded(__func__, report, [&] {
    require(model, "onoma_evaluate", "a model");
    require(corpus, "onoma_evaluate", "a corpus");
    return std::make_unique<onoma_report>(model->model.evaluate(corpus->sentences, scheme_of(scheme)));
  });
}

const onoma_score* onoma_report_micro(const onoma_report* report) {
  return report != nullptr ? &report->micro : nullptr;
}

const onoma_score* onoma_report_macro(const onoma_report* report) {
  return report != nullptr ? &report->macro : nullptr;
}

const onoma_score* onoma_report_weighted(const onoma_report* report) {
  return report != nullptr ? &report->weighted : nullptr;
}

size_t onoma_report_type_count(const onoma_report* report) {
  return report != nullptr ? report->types.size() : 0;
}

const onoma_score* onoma_report_type(const onoma_report* report, size_t type) {
  return type < onoma_report_type_count(report) ? &report->types[type] : nullptr;
}

double onoma_report_token_accuracy(const onoma_report* report) {
  return report != nullptr ? report->report.token_accuracy : 0.0;
}

void onoma_report_free(onoma_report* report) { delete report; }

void onoma_training_options_init(onoma_training_options* options, size_t size) {
  init_options(options, size, training_defaults());
}

onoma_status onoma_trainer_create(const char* encoder, const onoma_corpus* train, const onoma_corpus* dev,
                                  const onoma_training_options* options, onoma_trainer** trainer) {
  return guarded(__func__, trainer, [&] {
    require(encoder, "onoma_trainer_create", "a folder");
    require(train, "onoma_trainer_create", "a corpus to train on");
    const auto how = convert(
        options_of(options, training_defaults(), sizeof(onoma_training_options), "onoma_trainer_create"));
    const std::vector<compiled::sentence> none;
    return std::unique_ptr<onoma_trainer>(new onoma_trainer{
        compiled::trainer(encoder, train->sentences, dev != nullptr ? dev->sentences : none, how)});
  });
}

onoma_status onoma_trainer_resume(onoma_trainer* trainer, const char* checkpoint) {
  return guarded([&] {
    require(trainer, "onoma_trainer_resume", "a trainer");
    require(checkpoint, "onoma_trainer_resume", "a file");
    trainer->trainer.resume(checkpoint);
  });
}

onoma_status onoma_trainer_run(onoma_trainer* trainer, onoma_progress_function progress, void* user) {
  return guarded([&] {
    require(trainer, "onoma_trainer_run", "a trainer");
    const auto show = [&](const compiled::training_progress& p) {
      if (progress == nullptr) return true;
      onoma_score dev{};
      if (p.dev != nullptr) dev = view(micro_name, p.dev->micro);
      const onoma_progress shown = {p.is_epoch,
                                    p.is_best,
                                    p.epoch,
                                    p.epochs,
                                    p.step,
                                    p.total_steps,
                                    p.loss,
                                    p.learning_rate,
                                    p.gradient_norm,
                                    p.tokens_per_second,
                                    p.seconds,
                                    p.seconds_left,
                                    p.dev != nullptr ? &dev : nullptr};
      return progress(&shown, user) != 0;
    };
    const auto done = trainer->trainer.run(show);
    trainer->result = {done.steps,   done.best_epoch,        done.best_f1,
                       done.seconds, done.tokens_per_second, done.stopped};
  });
}

const onoma_training_result* onoma_trainer_result(const onoma_trainer* trainer) {
  return trainer != nullptr ? &trainer->result : nullptr;
}

onoma_status onoma_trainer_use_best(onoma_trainer* trainer) {
  return guarded([&] {
    require(trainer, "onoma_trainer_use_best", "a trainer");
    trainer->trainer.use_best();
  });
}

onoma_status onoma_trainer_evaluate(onoma_trainer* trainer, const onoma_corpus* corpus, const char* scheme,
                                    onoma_report** report) {
  return guarded(__func__, report, [&] {
    require(trainer, "onoma_trainer_evaluate", "a trainer");
    require(corpus, "onoma_trainer_evaluate", "a corpus");
    return std::make_unique<onoma_report>(trainer->trainer.evaluate(corpus->sentences, scheme_of(scheme)));
  });
}

onoma_status onoma_trainer_save(const onoma_trainer* trainer, const char* folder) {
  return guarded([&] {
    require(trainer, "onoma_trainer_save", "a trainer");
    require(folder, "onoma_trainer_save", "a folder");
    trainer->trainer.save(folder);
  });
}

void onoma_trainer_free(onoma_trainer* trainer) { delete trainer; }
