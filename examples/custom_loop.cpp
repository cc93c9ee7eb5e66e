/// A training loop of one's own: every part of the trainer is usable alone.
#include <onoma/onoma.hpp>

#include <iostream>

int main(int argc, char** argv) {
  if (argc != 4) {
    std::cerr << "usage: custom_loop ENCODER_FOLDER TRAIN.conll OUTPUT_FOLDER\n";
    return 2;
  }
  try {
    const auto sentences = onoma::read_conll(argv[2]);
    const auto tags = onoma::tag_set::from_tags(onoma::tags_of(sentences));
    const auto tokenizer = onoma::load_tokenizer(argv[1]);
    const auto examples = onoma::make_examples(tokenizer, sentences, tags);

    onoma::thread_pool pool(2);
    onoma::cpu_backend backend(pool);
    auto model =
        onoma::token_classifier<onoma::cpu_backend>::load(argv[1], tags.labels(), backend);
    onoma::adamw optimizer(model.parameters(), {.weight_decay = 0.01});

    const onoma::batch_options batching{.batch_size = 0, .max_tokens = 512, .seed = 7};
    const onoma::index_t epochs = 2;
    const auto steps = static_cast<onoma::index_t>(onoma::batches(examples, 0, batching).size());
    const onoma::schedule rate{3e-4, steps / 5, epochs * steps};

    onoma::index_t step = 0;
    for (onoma::index_t epoch = 0; epoch < epochs; ++epoch) {
      for (const auto& batch : onoma::batches(examples, epoch, batching)) {
        const auto loss = model.forward_loss(batch);
        model.backward();
        onoma::clip_grad_norm(model.parameters(), 1.0);
        optimizer.step(rate(step++));
        if (step % 10 == 0) std::cout << "step " << step << " loss " << loss.mean() << '\n';
      }
    }
    model.save(argv[3]);
  } catch (const onoma::error& problem) {
    std::cerr << "custom_loop: " << problem.what() << '\n';
    return 1;
  }
}
