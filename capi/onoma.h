/**
 * @file
 * The C interface of the compiled library (CMake: onoma::compiled, pkg-config: onoma): tagging, evaluating
 * and training, for C and for every language that can call C. docs/compiled.md has examples in C and Python.
 *
 * Rules:
 * - Strings that go in are UTF-8 with their length in bytes, or end with a NUL where no length is asked for
 *   (names of files, names of strategies). Strings that come out have both.
 * - Functions that can fail return an `onoma_status`; `onoma_last_error` has the text. No C++ exception
 *   leaves the library. What a failed function would have given is NULL.
 * - Handles are opaque. Each has a function that frees it, which takes NULL too. What a function returns by
 *   `const` pointer belongs to the handle that was asked, and lives as long as it.
 * - A handle serves one thread at a time. `onoma_model_share` makes one more for another thread, over the
 *   same weights.
 * - Structs that the library fills (`onoma_entity`, ...) may get more members at their end in later versions:
 *   read them through the pointer that a function returns, and neither copy nor allocate them. `onoma_string`
 *   stays as it is. Structs of options begin with their own size, and `onoma_load_options_init` and
 *   `onoma_training_options_init` fill them.
 * - Before 1.0 the shared library has the version MAJOR.MINOR in its name, and another one may differ in all
 *   of this.
 */
#ifndef ONOMA_H
#define ONOMA_H

#include <stddef.h>
#include <stdint.h>

/** @def ONOMA_API
 * What the shared library exports. */
#if !defined(ONOMA_API)
#if !defined(_WIN32)
#define ONOMA_API __attribute__((visibility("default")))
#elif defined(ONOMA_BUILDS_LIBRARY)
#define ONOMA_API __declspec(dllexport)
#else
#define ONOMA_API
#endif
#endif

#ifdef __cplusplus
extern "C" {
#endif

/** What a function returns: 0, or what kind of thing went wrong. */
typedef enum onoma_status {
  ONOMA_OK = 0,               /**< done */
  ONOMA_INVALID_ARGUMENT = 1, /**< a value outside its domain, NULL among them */
  ONOMA_SHAPE_MISMATCH = 2,   /**< extents that do not fit together */
  ONOMA_OUT_OF_RANGE = 3,     /**< an id or index outside its table */
  ONOMA_FILE_NOT_FOUND = 4,   /**< a file or folder that is not there */
  ONOMA_IO = 5,               /**< the operating system refused to read or write */
  ONOMA_PARSE = 6,            /**< text that does not follow its grammar (JSON, CoNLL, UTF-8) */
  ONOMA_FORMAT = 7,           /**< well-formed data whose content contradicts its format */
  ONOMA_MISSING = 8,          /**< something required is absent (a key, a tensor, a file of a folder) */
  ONOMA_UNSUPPORTED = 9,      /**< valid, but outside what this version handles */
  ONOMA_OUT_OF_MEMORY = 10,   /**< the system has no more memory */
  ONOMA_INTERNAL = 11,        /**< a fault of the library: please report it */
  ONOMA_CANCELLED = 12,       /**< another thread asked for the end of the call; none can yet */
  ONOMA_LIMIT_EXCEEDED = 13   /**< the call would take more than its limits allow; none can be set yet */
} onoma_status;

/** Why a function failed. All strings end with a NUL, and none is NULL. */
typedef struct onoma_error {
  onoma_status code;     /**< what the function returned */
  const char *message;   /**< for people: `<operation>: <code>: expected <expected>, found <found>` */
  const char *operation; /**< what was being done, and where (a file, a line, a tensor) */
  const char *expected;  /**< completes "expected ..."; may be empty */
  const char *found;     /**< completes "found ..."; may be empty */
} onoma_error;

/** Bytes of UTF-8, with a NUL behind them that does not count. */
typedef struct onoma_string {
  const char *data; /**< never NULL */
  size_t size;      /**< in bytes */
} onoma_string;

typedef struct onoma_model onoma_model;     /**< A tagger: `onoma_model_load`. */
typedef struct onoma_result onoma_result;   /**< What tagging found: `onoma_tag`. */
typedef struct onoma_corpus onoma_corpus;   /**< Annotated sentences: `onoma_corpus_read`. */
typedef struct onoma_report onoma_report;   /**< Scores: `onoma_evaluate`. */
typedef struct onoma_trainer onoma_trainer; /**< A training run: `onoma_trainer_create`. */

/** The version of the library that is linked, such as "0.1.0". */
ONOMA_API const char *onoma_version(void);

/** The name of a status, such as "file not found". */
ONOMA_API const char *onoma_status_name(onoma_status status);

/** The last failure of a function on this thread; with code ONOMA_OK and empty strings if there was none.
 * Valid until another function fails on this thread. */
ONOMA_API const onoma_error *onoma_last_error(void);

/** @name Models
 * @{ */

/** How a model is loaded and run. */
typedef struct onoma_load_options {
  size_t size;          /**< of this struct */
  int64_t threads;      /**< 1; > 1: the model has a pool of so many; 0: one per processor */
  int64_t max_length;   /**< 0: tokens per window as it was trained, or as many as it takes */
  int64_t stride;       /**< 64: tokens that windows of a long text share */
  int64_t max_tokens;   /**< 2048: tokens per batch */
  const char *strategy; /**< NULL ("word"): how pieces become entities; none, simple, first, average, max */
  const char *split;        /**< NULL ("auto"): what finds words of raw text; learned, general, tokenizer */
  const char *packed_cache; /**< NULL; a file for packed weights, so that later starts are faster */
  const char *rules;        /**< NULL; a file of patterns that stand beside the model */
  const char *gazetteer;    /**< NULL; a file of phrases, as text or compiled */
  const char *rules_policy; /**< NULL ("before"): after, override, or only: then no model is loaded */
} onoma_load_options;

/** Sets all members to what their comments say first. `size` is sizeof(onoma_load_options). */
ONOMA_API void onoma_load_options_init(onoma_load_options *options, size_t size);

/** Loads a folder as the Hugging Face Hub publishes it or as `onoma_trainer_save` writes it.
 * `options` may be NULL, and `folder` too where the policy of rules is "only". Free the
 * model with `onoma_model_free`. */
ONOMA_API onoma_status onoma_model_load(const char *folder, const onoma_load_options *options,
                                        onoma_model **model);

/** One more for another thread, over the same weights, with memory and threads of its own. Each may outlive
 * the others. `model` may serve no other call meanwhile. */
ONOMA_API onoma_status onoma_model_share(const onoma_model *model, onoma_model **other);

/** Frees a model. NULL is fine. */
ONOMA_API void onoma_model_free(onoma_model *model);

/** How many labels it tells apart; 0 for NULL. */
ONOMA_API size_t onoma_model_label_count(const onoma_model *model);

/** A label by its id, from 0; NULL for an id that is not there. */
ONOMA_API const onoma_string *onoma_model_label(const onoma_model *model, size_t id);

/** @} */
/** @name Tagging
 * @{ */

/** A name in a text. Ranges are half-open; `bytes_begin` and `bytes_end` count in the text that was tagged.
 */
typedef struct onoma_entity {
  onoma_string text;         /**< as it stands in the text */
  onoma_string label;        /**< its type, such as "PER" */
  double score;              /**< mean probability of its words (or pieces), 0 to 1 */
  int64_t bytes_begin;       /**< first byte */
  int64_t bytes_end;         /**< behind the last byte */
  int64_t code_points_begin; /**< first Unicode code point */
  int64_t code_points_end;   /**< behind the last code point */
  int64_t utf16_begin;       /**< first UTF-16 unit */
  int64_t utf16_end;         /**< behind the last UTF-16 unit */
  int64_t first;             /**< first word (or, for the token-based strategies, token) */
  int64_t last;              /**< last word (or token), inclusive */
  onoma_string source;       /**< "model", "rule" or "gazetteer" where rules or a gazetteer look; else empty */
  onoma_string id;           /**< the name of the rule or of the gazetteer's entry; may be empty */
} onoma_entity;

/** Finds the entities of a text of `size` bytes. The result has one text.
 * Free it with `onoma_result_free`. ONOMA_PARSE if the text is not UTF-8. */
ONOMA_API onoma_status onoma_tag(onoma_model *model, const char *text, size_t size, onoma_result **result);

/** Many texts at once: the same entities as one by one, faster. Text i has `sizes[i]` bytes. */
ONOMA_API onoma_status onoma_tag_batch(onoma_model *model, const char *const *texts, const size_t *sizes,
                                       size_t count, onoma_result **result);

/** The words of one text, split already: word i has `sizes[i]` bytes. Offsets count in the words with a space
 * between each two; `first` and `last` are positions in `words`. */
ONOMA_API onoma_status onoma_tag_words(onoma_model *model, const char *const *words, const size_t *sizes,
                                       size_t count, onoma_result **result);

/** How many texts were tagged; 0 for NULL. */
ONOMA_API size_t onoma_result_text_count(const onoma_result *result);

/** How many entities a text has; 0 for a text that is not there. */
ONOMA_API size_t onoma_result_entity_count(const onoma_result *result, size_t text);

/** An entity of a text, both from 0, in the order of the text; NULL if it is not there. */
ONOMA_API const onoma_entity *onoma_result_entity(const onoma_result *result, size_t text, size_t entity);

/** [begin, end) in bytes of a text. */
typedef struct onoma_range {
  int64_t begin; /**< the first byte inside */
  int64_t end;   /**< the first byte behind */
} onoma_range;

/** How many words rules found in a raw text (`onoma_load_options`, split); 0 where the tokenizer's words were
 * labelled, or the text came in words. */
ONOMA_API size_t onoma_result_word_count(const onoma_result *result, size_t text);

/** A word that rules found, from 0: `first` and `last` of entities count these. NULL if it is not there. */
ONOMA_API const onoma_range *onoma_result_word(const onoma_result *result, size_t text, size_t word);

/** Windows that a text was cut into: more than 1 if it was longer than the model takes. */
ONOMA_API int64_t onoma_result_windows(const onoma_result *result, size_t text);

/** Pieces of a text that the vocabulary does not have. */
ONOMA_API int64_t onoma_result_unknown_tokens(const onoma_result *result, size_t text);

/** Frees a result. NULL is fine. */
ONOMA_API void onoma_result_free(onoma_result *result);

/** @} */
/** @name Annotated sentences
 * @{ */

/** Reads a file of CoNLL columns: which of them are words and tags is guessed from what they hold. */
ONOMA_API onoma_status onoma_corpus_read(const char *path, onoma_corpus **corpus);

/** Likewise; columns count from 0, or from -1 for the last. */
ONOMA_API onoma_status onoma_corpus_read_columns(const char *path, int64_t word_column, int64_t tag_column,
                                                 onoma_corpus **corpus);

/** An empty corpus. */
ONOMA_API onoma_status onoma_corpus_create(onoma_corpus **corpus);

/** Adds a sentence: `count` words and their tags ("B-PER", "I-PER", "O"), all ending with a NUL. */
ONOMA_API onoma_status onoma_corpus_add(onoma_corpus *corpus, const char *const *words,
                                        const char *const *tags, size_t count);

/** How many sentences; 0 for NULL. */
ONOMA_API size_t onoma_corpus_size(const onoma_corpus *corpus);

/** Frees a corpus. NULL is fine. */
ONOMA_API void onoma_corpus_free(onoma_corpus *corpus);

/** @} */
/** @name Scores
 * @{ */

/** Scores of one type or one average. */
typedef struct onoma_score {
  onoma_string type; /**< its name; "micro", "macro" or "weighted" for an average */
  double precision;  /**< correct of those predicted */
  double recall;     /**< correct of those that are there */
  double f1;         /**< harmonic mean of both */
  int64_t support;   /**< entities in the gold tags */
  int64_t predicted; /**< entities in the predicted tags */
  int64_t correct;   /**< in both (0 for macro and weighted) */
} onoma_score;

/** Tags the words of a corpus and compares, as seqeval does. `scheme`: NULL for its default mode, or IOB1,
 * IOB2, IOE1, IOE2, IOBES or BILOU for its strict mode. Free the report with `onoma_report_free`. */
ONOMA_API onoma_status onoma_evaluate(onoma_model *model, const onoma_corpus *corpus, const char *scheme,
                                      onoma_report **report);

/** Over all entities; NULL for NULL. */
ONOMA_API const onoma_score *onoma_report_micro(const onoma_report *report);

/** The mean over types; NULL for NULL. */
ONOMA_API const onoma_score *onoma_report_macro(const onoma_report *report);

/** The mean over types, weighted by their support; NULL for NULL. */
ONOMA_API const onoma_score *onoma_report_weighted(const onoma_report *report);

/** How many types; 0 for NULL. */
ONOMA_API size_t onoma_report_type_count(const onoma_report *report);

/** A type, from 0, sorted by name; NULL if it is not there. */
ONOMA_API const onoma_score *onoma_report_type(const onoma_report *report, size_t type);

/** The share of single tags that are right. */
ONOMA_API double onoma_report_token_accuracy(const onoma_report *report);

/** Frees a report. NULL is fine. */
ONOMA_API void onoma_report_free(onoma_report *report);

/** @} */
/** @name Training
 * @{ */

/** The recipe of a training run. */
typedef struct onoma_training_options {
  size_t size;              /**< of this struct */
  int64_t threads;          /**< 1; 0: one per processor */
  int64_t epochs;           /**< 3: passes over the training data */
  double learning_rate;     /**< 1e-4: the highest of the schedule */
  double warmup;            /**< 0.1: part of all steps in which the rate rises */
  double weight_decay;      /**< 0.01: not on biases and LayerNorm weights */
  double max_grad_norm;     /**< 1.0; 0: no clipping */
  int64_t accumulation;     /**< 1: batches per optimizer step */
  int64_t batch_size;       /**< 16: sentences per batch; 0: no limit */
  int64_t max_tokens;       /**< 0: tokens per batch; 0: no limit */
  uint64_t seed;            /**< 42: the same seed gives the same model */
  int64_t max_length;       /**< 256: tokens per example, here and wherever the model is used */
  int64_t patience;         /**< 0: stop after so many epochs without a better dev F1; 0: never */
  int64_t checkpoint_every; /**< 0: steps between two checkpoints; 0: after each epoch only */
  const char *checkpoint;   /**< NULL; a file for the training state */
  int label_all_tokens;     /**< 0; 1: train on every piece of a word, not on the first alone */
  int recompute;            /**< 0; 1: half the memory per token, a tenth slower */
} onoma_training_options;

/** Sets all members to what their comments say first. `size` is sizeof(onoma_training_options). */
ONOMA_API void onoma_training_options_init(onoma_training_options *options, size_t size);

/** What a run reports while it goes on. */
typedef struct onoma_progress {
  int is_epoch;             /**< 1: the end of an epoch; 0: of a step */
  int is_best;              /**< 1: the score of this epoch is above those of all before */
  int64_t epoch;            /**< from 1 */
  int64_t epochs;           /**< of the whole run */
  int64_t step;             /**< optimizer steps so far */
  int64_t total_steps;      /**< of the whole run */
  double loss;              /**< mean over this step, or over the epoch */
  double learning_rate;     /**< of this step; for an epoch: of the next */
  double gradient_norm;     /**< before clipping */
  double tokens_per_second; /**< evaluation left out */
  double seconds;           /**< likewise */
  double seconds_left;      /**< of training */
  const onoma_score *dev;   /**< micro average of an epoch with dev sentences; else NULL */
} onoma_progress;

/** Called after every step and epoch, on the thread that runs the training. What it is given lives during the
 * call. Returns 1 to go on, 0 to stop. It must not throw. */
typedef int (*onoma_progress_function)(const onoma_progress *progress, void *user);

/** What a run did. */
typedef struct onoma_training_result {
  int64_t steps;            /**< optimizer steps, those before a resumption included */
  int64_t best_epoch;       /**< from 1; 0: none was scored */
  double best_f1;           /**< of that epoch, on the dev sentences */
  double seconds;           /**< of the last call, evaluation left out */
  double tokens_per_second; /**< likewise */
  int stopped;              /**< 1: the callback asked to stop */
} onoma_training_result;

/** Loads the encoder of a folder, with a head for the tags of `train` (a new one where the folder has none
 * for these). `dev` may be NULL; with it the best epoch is kept. `options` may be NULL. Both corpora are
 * copied. Free the trainer with `onoma_trainer_free`. */
ONOMA_API onoma_status onoma_trainer_create(const char *encoder, const onoma_corpus *train,
                                            const onoma_corpus *dev, const onoma_training_options *options,
                                            onoma_trainer **trainer);

/** Goes on from a checkpoint: the run ends as if it had never stopped. */
ONOMA_API onoma_status onoma_trainer_resume(onoma_trainer *trainer, const char *checkpoint);

/** Runs what is left, and calls `progress`, which may be NULL, with `user`. A run that is stopped has the
 * weights of its last step; one that ends, with dev sentences, those of its best epoch. */
ONOMA_API onoma_status onoma_trainer_run(onoma_trainer *trainer, onoma_progress_function progress,
                                         void *user);

/** What the last run did; NULL for NULL. */
ONOMA_API const onoma_training_result *onoma_trainer_result(const onoma_trainer *trainer);

/** Gives the model the weights of the best epoch so far, if one was scored. */
ONOMA_API onoma_status onoma_trainer_use_best(onoma_trainer *trainer);

/** Scores the model as it is now: as `onoma_evaluate`. */
ONOMA_API onoma_status onoma_trainer_evaluate(onoma_trainer *trainer, const onoma_corpus *corpus,
                                              const char *scheme, onoma_report **report);

/** Writes a folder that `onoma_model_load` and transformers load. All or nothing. */
ONOMA_API onoma_status onoma_trainer_save(const onoma_trainer *trainer, const char *folder);

/** Frees a trainer. NULL is fine. */
ONOMA_API void onoma_trainer_free(onoma_trainer *trainer);

/** @} */

#ifdef __cplusplus
}
#endif

#endif
