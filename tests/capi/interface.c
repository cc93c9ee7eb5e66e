/// The C interface from C99: loads, tags, evaluates, trains, fails in every way, and serves four threads.
/// Usage: interface MODEL_FOLDER CORPUS SCRATCH_FOLDER
#define _POSIX_C_SOURCE 200809L
#include <onoma.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int failures = 0;
static const char *scratch = "";

static void check(int ok, const char *what, int line) {
  if (ok) return;
  ++failures;
  fprintf(stderr, "interface.c:%d: %s\n  last error: %s\n", line, what, onoma_last_error()->message);
}
#define CHECK(condition) check((condition), #condition, __LINE__)

/* What must work for the rest to make sense. */
static void require(onoma_status status, int line) {
  if (status == ONOMA_OK) return;
  fprintf(stderr, "interface.c:%d: %s: %s\n", line, onoma_status_name(status), onoma_last_error()->message);
  exit(1);
}
#define REQUIRE(call) require((call), __LINE__)

/* A call that fails with `code`, says so in its text, and names its operation. */
static void check_error(onoma_status found, onoma_status code, const char *part, int line) {
  const onoma_error *error = onoma_last_error();
  check(found == code, onoma_status_name(found), line);
  check(error->code == code, "the code of onoma_last_error", line);
  check(strstr(error->message, part) != NULL, error->message, line);
  check(error->operation[0] != 0, "an operation", line);
}
#define CHECK_ERROR(call, code, part) check_error((call), (code), (part), __LINE__)

static const char text[] = "Jane Doe moved from Paris to New York with Zo\xC3\xAB.";
static const char *const names[] = {"Jane", "visited", "Berlin", "."};
static const size_t sizes[] = {4, 7, 6, 1};
static const char *const tags[] = {"B-PER", "O", "B-LOC", "O"};

static int same_entities(const onoma_result *a, const onoma_result *b) {
  size_t i;
  if (onoma_result_entity_count(a, 0) != onoma_result_entity_count(b, 0)) return 0;
  for (i = 0; i < onoma_result_entity_count(a, 0); ++i) {
    const onoma_entity *x = onoma_result_entity(a, 0, i);
    const onoma_entity *y = onoma_result_entity(b, 0, i);
    if (x->bytes_begin != y->bytes_begin || x->bytes_end != y->bytes_end || x->score < y->score ||
        x->score > y->score || strcmp(x->label.data, y->label.data) != 0) {
      return 0;
    }
  }
  return 1;
}

static void test_versions(void) {
  onoma_load_options options;
  onoma_training_options recipe;
  CHECK(strcmp(onoma_version(), EXPECTED_VERSION) == 0);
  CHECK(strcmp(onoma_status_name(ONOMA_FILE_NOT_FOUND), "file not found") == 0);
  CHECK(strcmp(onoma_status_name((onoma_status)99), "unknown") == 0);
  CHECK(onoma_last_error()->code == ONOMA_OK && onoma_last_error()->message[0] == 0);
  onoma_load_options_init(&options, sizeof(options));
  CHECK(options.size == sizeof(options) && options.threads == 1 && options.stride == 64 &&
        options.max_tokens == 2048 && options.max_length == 0 && options.strategy == NULL);
  onoma_training_options_init(&recipe, sizeof(recipe));
  CHECK(recipe.size == sizeof(recipe) && recipe.epochs == 3 && recipe.seed == 42 && recipe.batch_size == 16 &&
        recipe.max_length == 256 && recipe.checkpoint == NULL && recipe.recompute == 0);
}

static void test_tagging(onoma_model *model) {
  onoma_result *one = NULL;
  onoma_result *batch = NULL;
  onoma_result *words = NULL;
  const char *const texts[] = {text, "", "Berlin"};
  const size_t lengths[] = {sizeof(text) - 1, 0, 6};
  size_t i;
  REQUIRE(onoma_tag(model, text, sizeof(text) - 1, &one));
  CHECK(onoma_result_text_count(one) == 1);
  CHECK(onoma_result_entity_count(one, 0) > 0);
  CHECK(onoma_result_windows(one, 0) >= 1);
  CHECK(onoma_result_unknown_tokens(one, 0) >= 0);
  for (i = 0; i < onoma_result_entity_count(one, 0); ++i) {
    const onoma_entity *e = onoma_result_entity(one, 0, i);
    CHECK(e->score > 0.0 && e->score <= 1.0);
    CHECK(e->label.size == strlen(e->label.data) && e->label.size > 0);
    CHECK(e->text.size == (size_t)(e->bytes_end - e->bytes_begin));
    CHECK(memcmp(e->text.data, text + e->bytes_begin, e->text.size) == 0);
    CHECK(e->code_points_end - e->code_points_begin <= e->bytes_end - e->bytes_begin);
    CHECK(e->utf16_begin <= e->bytes_begin && e->first <= e->last);
  }
  CHECK(onoma_result_entity(one, 0, i) == NULL && onoma_result_entity(one, 1, 0) == NULL);
  CHECK(onoma_result_entity_count(one, 1) == 0 && onoma_result_windows(one, 1) == 0);

  REQUIRE(onoma_tag_batch(model, texts, lengths, 3, &batch));
  CHECK(onoma_result_text_count(batch) == 3 && onoma_result_entity_count(batch, 1) == 0);
  CHECK(same_entities(one, batch));
  REQUIRE(onoma_tag_words(model, names, sizes, 4, &words));
  CHECK(onoma_result_text_count(words) == 1);
  for (i = 0; i < onoma_result_entity_count(words, 0); ++i) {
    CHECK(onoma_result_entity(words, 0, i)->last < 4);
  }
  onoma_result_free(one);
  onoma_result_free(batch);
  onoma_result_free(words);
  REQUIRE(onoma_tag(model, NULL, 0, &one));
  CHECK(onoma_result_entity_count(one, 0) == 0);
  onoma_result_free(one);
}

/* Words by rules, which entities count. */
static void test_words(const char *folder) {
  onoma_load_options options;
  onoma_model *model = NULL;
  onoma_result *result = NULL;
  size_t i;
  onoma_load_options_init(&options, sizeof(options));
  options.split = "general";
  REQUIRE(onoma_model_load(folder, &options, &model));
  REQUIRE(onoma_tag(model, "A. B. Doe", 9, &result));
  CHECK(onoma_result_word_count(result, 0) == 3 && onoma_result_word(result, 0, 3) == NULL);
  CHECK(onoma_result_word(result, 0, 1)->begin == 3 && onoma_result_word(result, 0, 1)->end == 5);
  for (i = 0; i < onoma_result_entity_count(result, 0); ++i) {
    const onoma_entity *e = onoma_result_entity(result, 0, i);
    CHECK(onoma_result_word(result, 0, (size_t)e->first)->begin == e->bytes_begin);
  }
  onoma_result_free(result);
  onoma_model_free(model);
  options.split = "learned";
  CHECK_ERROR(onoma_model_load(folder, &options, &model), ONOMA_MISSING, "word rules");
}

/* Rules alone and beside the model. */
static void test_rules(const char *folder) {
  onoma_load_options options;
  onoma_model *model = NULL;
  onoma_result *result = NULL;
  char path[512];
  FILE *file;
  size_t i;
  snprintf(path, sizeof(path), "%s/patterns.jsonl", scratch);
  file = fopen(path, "w");
  CHECK(file != NULL);
  if (file == NULL) return;
  fputs("{\"label\": \"ORG\", \"pattern\": [{\"LOWER\": \"bank\"}, {\"IS_DIGIT\": true}], \"id\": \"b\"}\n", file);
  fclose(file);
  onoma_load_options_init(&options, sizeof(options));
  options.rules = path;
  options.rules_policy = "only";
  REQUIRE(onoma_model_load(NULL, &options, &model));
  CHECK(onoma_model_label_count(model) == 1);
  REQUIRE(onoma_tag(model, "Bank 24", 7, &result));
  CHECK(onoma_result_entity_count(result, 0) == 1);
  if (onoma_result_entity_count(result, 0) == 1) {
    const onoma_entity *e = onoma_result_entity(result, 0, 0);
    CHECK(strcmp(e->source.data, "rule") == 0 && strcmp(e->id.data, "b") == 0 && e->first == 0 && e->last == 1);
  }
  onoma_result_free(result);
  onoma_model_free(model);
  options.rules_policy = "before";
  REQUIRE(onoma_model_load(folder, &options, &model));
  REQUIRE(onoma_tag(model, text, sizeof(text) - 1, &result));
  CHECK(onoma_result_entity_count(result, 0) > 0);
  for (i = 0; i < onoma_result_entity_count(result, 0); ++i) {
    CHECK(strcmp(onoma_result_entity(result, 0, i)->source.data, "model") == 0);
  }
  onoma_result_free(result);
  onoma_model_free(model);
  CHECK_ERROR(onoma_model_load(NULL, &options, &model), ONOMA_INVALID_ARGUMENT, "a folder");
  options.rules = NULL;
  options.rules_policy = "only";
  CHECK_ERROR(onoma_model_load(folder, &options, &model), ONOMA_INVALID_ARGUMENT, "rules or gazetteers");
  /* Of a program that was compiled with version 0.1. */
  options.size = offsetof(onoma_load_options, rules);
  REQUIRE(onoma_model_load(folder, &options, &model));
  onoma_model_free(model);
}

static void test_evaluation(onoma_model *model, const char *path) {
  onoma_corpus *corpus = NULL;
  onoma_report *report = NULL;
  int64_t support = 0;
  size_t i;
  REQUIRE(onoma_corpus_read(path, &corpus));
  CHECK(onoma_corpus_size(corpus) > 1);
  REQUIRE(onoma_evaluate(model, corpus, NULL, &report));
  CHECK(onoma_report_micro(report)->support > 0 && onoma_report_type_count(report) > 0);
  CHECK(strcmp(onoma_report_micro(report)->type.data, "micro") == 0);
  CHECK(onoma_report_macro(report)->f1 <= 1.0 && onoma_report_weighted(report)->f1 <= 1.0);
  CHECK(onoma_report_token_accuracy(report) > 0.0 && onoma_report_token_accuracy(report) < 1.0);
  for (i = 0; i < onoma_report_type_count(report); ++i) support += onoma_report_type(report, i)->support;
  CHECK(support == onoma_report_micro(report)->support);
  CHECK(onoma_report_type(report, i) == NULL);
  onoma_report_free(report);
  REQUIRE(onoma_evaluate(model, corpus, "IOB2", &report));
  onoma_report_free(report);
  CHECK_ERROR(onoma_evaluate(model, corpus, "BOI", &report), ONOMA_INVALID_ARGUMENT, "IOB2");
  CHECK(report == NULL);
  onoma_corpus_free(corpus);
  REQUIRE(onoma_corpus_read_columns(path, 0, -1, &corpus));
  CHECK(onoma_corpus_size(corpus) > 1);
  onoma_corpus_free(corpus);
}

/* Stops after the step that `user` says. */
static int stop_at(const onoma_progress *progress, void *user) {
  const int64_t *last = (const int64_t *)user;
  CHECK(progress->total_steps > 0 && progress->loss > 0.0 && progress->learning_rate >= 0.0);
  CHECK(progress->is_epoch || progress->dev == NULL);
  CHECK(!progress->is_epoch || (progress->dev != NULL && progress->dev->support == 2));
  return progress->step < *last;
}

static onoma_corpus *small_corpus(void) {
  onoma_corpus *corpus = NULL;
  REQUIRE(onoma_corpus_create(&corpus));
  REQUIRE(onoma_corpus_add(corpus, names, tags, 4));
  CHECK(onoma_corpus_size(corpus) == 1);
  return corpus;
}

static void test_training(const char *folder) {
  char output[1000];
  char state[1000];
  onoma_training_options options;
  onoma_corpus *corpus = small_corpus();
  onoma_trainer *trainer = NULL;
  onoma_report *report = NULL;
  onoma_model *model = NULL;
  int64_t last = 1;
  snprintf(output, sizeof(output), "%s/trained", scratch);
  snprintf(state, sizeof(state), "%s/trained.state", scratch);
  onoma_training_options_init(&options, sizeof(options));
  options.epochs = 2;
  options.checkpoint = state;
  REQUIRE(onoma_trainer_create(folder, corpus, corpus, &options, &trainer));
  REQUIRE(onoma_trainer_run(trainer, stop_at, &last));
  CHECK(onoma_trainer_result(trainer)->stopped == 1 && onoma_trainer_result(trainer)->steps == 1);
  onoma_trainer_free(trainer);

  REQUIRE(onoma_trainer_create(folder, corpus, corpus, &options, &trainer));
  REQUIRE(onoma_trainer_resume(trainer, state));
  last = 100;
  REQUIRE(onoma_trainer_run(trainer, stop_at, &last));
  CHECK(onoma_trainer_result(trainer)->stopped == 0 && onoma_trainer_result(trainer)->steps == 2);
  REQUIRE(onoma_trainer_use_best(trainer));
  REQUIRE(onoma_trainer_evaluate(trainer, corpus, NULL, &report));
  CHECK(onoma_report_micro(report)->support == 2);
  REQUIRE(onoma_trainer_save(trainer, output));
  REQUIRE(onoma_model_load(output, NULL, &model));
  CHECK(onoma_model_label_count(model) == 3);
  CHECK(strcmp(onoma_model_label(model, 0)->data, "B-LOC") == 0 && onoma_model_label(model, 3) == NULL);
  CHECK_ERROR(onoma_trainer_resume(trainer, "none.state"), ONOMA_FILE_NOT_FOUND, "none.state");
  onoma_model_free(model);
  onoma_report_free(report);
  onoma_trainer_free(trainer);
  onoma_corpus_free(corpus);
}

static void test_errors(onoma_model *model, const char *folder) {
  static const char *const broken_texts[] = {"Berlin", "\xFF"};
  static const size_t broken_sizes[] = {6, 1};
  const char *const untagged[] = {"O", "O", "O", "O"};
  onoma_corpus *corpus = small_corpus();
  onoma_corpus *missing = NULL;
  onoma_load_options options;
  onoma_training_options recipe;
  onoma_model *none = model;
  onoma_result *result = NULL;
  onoma_trainer *trainer = NULL;
  CHECK_ERROR(onoma_model_load(NULL, NULL, &none), ONOMA_INVALID_ARGUMENT, "NULL");
  CHECK(none == NULL);
  CHECK_ERROR(onoma_model_load(folder, NULL, NULL), ONOMA_INVALID_ARGUMENT, "onoma_model_load");
  CHECK_ERROR(onoma_model_load("no-such-folder", NULL, &none), ONOMA_FILE_NOT_FOUND, "no-such-folder");
  CHECK(strcmp(onoma_last_error()->expected, "a folder") == 0);
  CHECK(strcmp(onoma_last_error()->found, "nothing") == 0);
  memset(&options, 0, sizeof(options));
  CHECK_ERROR(onoma_model_load(folder, &options, &none), ONOMA_INVALID_ARGUMENT, "onoma_model_load");
  onoma_load_options_init(&options, sizeof(options));
  options.strategy = "best";
  CHECK_ERROR(onoma_model_load(folder, &options, &none), ONOMA_INVALID_ARGUMENT, "'best'");
  CHECK_ERROR(onoma_model_share(NULL, &none), ONOMA_INVALID_ARGUMENT, "a model");
  CHECK_ERROR(onoma_tag(model, "a\xC3", 2, &result), ONOMA_PARSE, "UTF-8");
  CHECK(result == NULL);
  CHECK_ERROR(onoma_tag(NULL, "a", 1, &result), ONOMA_INVALID_ARGUMENT, "a model");
  CHECK_ERROR(onoma_tag(model, NULL, 1, &result), ONOMA_INVALID_ARGUMENT, "NULL");
  CHECK_ERROR(onoma_tag_batch(model, broken_texts, broken_sizes, 2, &result), ONOMA_PARSE, "text 1");
  CHECK_ERROR(onoma_tag_words(model, names, NULL, 4, &result), ONOMA_INVALID_ARGUMENT, "sizes");
  CHECK_ERROR(onoma_corpus_read("no-such-file", &missing), ONOMA_FILE_NOT_FOUND, "no-such-file");
  CHECK(missing == NULL);
  CHECK_ERROR(onoma_corpus_add(corpus, names, NULL, 4), ONOMA_INVALID_ARGUMENT, "tags");
  CHECK_ERROR(onoma_evaluate(model, NULL, NULL, NULL), ONOMA_INVALID_ARGUMENT, "onoma_evaluate");
  onoma_training_options_init(&recipe, sizeof(recipe));
  recipe.epochs = 0;
  CHECK_ERROR(onoma_trainer_create(folder, corpus, NULL, &recipe, &trainer), ONOMA_INVALID_ARGUMENT,
              "epochs");
  onoma_corpus_free(corpus);
  REQUIRE(onoma_corpus_create(&corpus));
  REQUIRE(onoma_corpus_add(corpus, names, untagged, 4));
  CHECK_ERROR(onoma_trainer_create(folder, corpus, NULL, NULL, &trainer), ONOMA_INVALID_ARGUMENT, "two");
  CHECK_ERROR(onoma_trainer_run(NULL, NULL, NULL), ONOMA_INVALID_ARGUMENT, "a trainer");
  onoma_corpus_free(corpus);
}

static void write_file(const char *name, const char *content) {
  char path[1000];
  FILE *file;
  snprintf(path, sizeof(path), "%s/%s", scratch, name);
  file = fopen(path, "w");
  if (file == NULL) exit(1);
  fputs(content, file);
  fclose(file);
}

/* What is wrong in folders and files. */
static void test_wrong_files(const char *folder, const char *corpus_file) {
  char path[1000];
  onoma_model *model = NULL;
  onoma_corpus *corpus = small_corpus();
  onoma_trainer *trainer = NULL;
  snprintf(path, sizeof(path), "%s-bare", folder);
  CHECK_ERROR(onoma_model_load(path, NULL, &model), ONOMA_MISSING, "head");
  write_file("config.json", "{\"model_type\": \"no-such-family\"}");
  CHECK_ERROR(onoma_model_load(scratch, NULL, &model), ONOMA_UNSUPPORTED, "no-such-family");
  REQUIRE(onoma_trainer_create(folder, corpus, NULL, NULL, &trainer));
  snprintf(path, sizeof(path), "%s/below/a/file", corpus_file);
  CHECK_ERROR(onoma_trainer_save(trainer, path), ONOMA_IO, "below");
  onoma_trainer_free(trainer);
  onoma_corpus_free(corpus);
  snprintf(path, sizeof(path), "%s/config.json", folder);
  CHECK_ERROR(onoma_corpus_read(path, &corpus), ONOMA_FORMAT, "JSON");
}

/* Functions that free or count take NULL. */
static void test_null(void) {
  onoma_model_free(NULL);
  onoma_result_free(NULL);
  onoma_corpus_free(NULL);
  onoma_report_free(NULL);
  onoma_trainer_free(NULL);
  onoma_load_options_init(NULL, 0);
  CHECK(onoma_model_label_count(NULL) == 0 && onoma_model_label(NULL, 0) == NULL);
  CHECK(onoma_result_text_count(NULL) == 0 && onoma_result_entity(NULL, 0, 0) == NULL);
  CHECK(onoma_corpus_size(NULL) == 0 && onoma_trainer_result(NULL) == NULL);
  CHECK(onoma_report_micro(NULL) == NULL && onoma_report_type_count(NULL) == 0);
}

struct work {
  onoma_model *model;
  const onoma_result *expected;
  int equal;
  int own_error;
};

static void *tag_often(void *argument) {
  struct work *work = argument;
  int i;
  onoma_model *none = NULL;
  work->own_error = onoma_last_error()->code == ONOMA_OK; /* those of other threads are not seen */
  for (i = 0; i < 20; ++i) {
    onoma_result *result = NULL;
    if (onoma_tag(work->model, text, sizeof(text) - 1, &result) != ONOMA_OK) return NULL;
    work->equal += same_entities(result, work->expected);
    onoma_result_free(result);
  }
  onoma_model_load("no-such-folder", NULL, &none);
  work->own_error += onoma_last_error()->code == ONOMA_FILE_NOT_FOUND;
  return NULL;
}

static void test_threads(onoma_model *model) {
  pthread_t threads[4];
  struct work work[4];
  onoma_result *expected = NULL;
  int i;
  REQUIRE(onoma_tag(model, text, sizeof(text) - 1, &expected));
  memset(work, 0, sizeof(work));
  for (i = 0; i < 4; ++i) {
    work[i].expected = expected;
    REQUIRE(onoma_model_share(model, &work[i].model));
  }
  for (i = 0; i < 4; ++i) CHECK(pthread_create(&threads[i], NULL, tag_often, &work[i]) == 0);
  for (i = 0; i < 4; ++i) CHECK(pthread_join(threads[i], NULL) == 0);
  for (i = 0; i < 4; ++i) {
    CHECK(work[i].equal == 20);
    CHECK(work[i].own_error == 2);
    onoma_model_free(work[i].model);
  }
  onoma_result_free(expected);
}

int main(int argc, char **argv) {
  onoma_model *model = NULL;
  onoma_load_options options;
  if (argc != 4) return 2;
  scratch = argv[3];
  test_versions();
  onoma_load_options_init(&options, sizeof(options));
  options.threads = 2;
  REQUIRE(onoma_model_load(argv[1], &options, &model));
  test_tagging(model);
  test_words(argv[1]);
  test_rules(argv[1]);
  test_evaluation(model, argv[2]);
  test_training(argv[1]);
  test_errors(model, argv[1]);
  test_wrong_files(argv[1], argv[2]);
  test_null();
  test_threads(model);
  onoma_model_free(model);
  if (failures > 0) fprintf(stderr, "%d failures\n", failures);
  return failures > 0 ? 1 : 0;
}
