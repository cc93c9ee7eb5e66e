/// Trains, saves, loads and measures a head of one's own, which stands in two_layer_head.hpp.
#include "two_layer_head.hpp"

#include <exception>
#include <iostream>
#include <stdexcept>

int main(int argc, char** argv) try {
  if (argc != 4) throw std::invalid_argument("needs ENCODER_FOLDER TRAIN.conll OUTPUT_FOLDER");
  using head = two_layer_head<onoma::cpu_backend>;
  const auto sentences = onoma::read_conll(argv[2]);
  const auto tags = onoma::tag_set::from_tags(onoma::tags_of(sentences));
  const auto tokens = onoma::load_tokenizer(argv[1]);
  onoma::thread_pool pool(2);
  onoma::cpu_backend backend(pool);
  auto model = onoma::trainable_model<onoma::cpu_backend, head>::load(argv[1], tags.labels(), backend,
                                                                      {.replace_head = true});
  onoma::trainer trainer(model, tokens, sentences, {}, {.epochs = 2, .learning_rate = 3e-4});
  const auto losses = trainer.run().losses;
  std::cout << "loss " << losses.front() << " to " << losses.back() << '\n';
  model.save(argv[3]);
  auto session = onoma::session<onoma::cpu_backend, head>::load(argv[3], backend);
  std::cout << "F1 on what it learned from: " << onoma::evaluate_on(session, tokens, sentences).micro.f1 << '\n';
} catch (const std::exception& problem) {
  std::cerr << "own_head: " << problem.what() << '\n';
  return 1;
}
