/// A program of a user in C, built with pkg-config: counts the entities of a sentence.
#include <onoma.h>
#include <stdio.h>

int main(int argc, char **argv) {
  onoma_model *model = NULL;
  onoma_result *result = NULL;
  int ok;
  if (argc != 2) return 2;
  ok = onoma_model_load(argv[1], NULL, &model) == ONOMA_OK &&
       onoma_tag(model, "Jane visited Berlin.", 20, &result) == ONOMA_OK &&
       onoma_result_entity_count(result, 0) > 0;
  if (!ok) fprintf(stderr, "%s\n", onoma_last_error()->message);
  onoma_result_free(result);
  onoma_model_free(model);
  return ok ? 0 : 1;
}
