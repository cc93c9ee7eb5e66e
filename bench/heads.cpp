/// A training step of MiniLM with each head: what a chain of the words costs beside a softmax of each.
///
/// Random weights of the true shapes, and the nine labels of CoNLL-2003. Clipping and AdamW, which cost both heads the
/// same, are left out. To compare on a machine that does other things as well:
///   bench_heads --benchmark_enable_random_interleaving=true --benchmark_repetitions=15
#include "support.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/heads/crf.hpp>
#include <onoma/heads/token.hpp>
#include <onoma/models/encoder_config.hpp>
#include <onoma/models/trainable_model.hpp>

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace bench {
namespace {

onoma::encoder_config minilm() {
  auto config = onoma::encoder_config::from_json({{"model_type", "bert"},
                                                  {"vocab_size", 30522},
                                                  {"hidden_size", 384},
                                                  {"num_hidden_layers", 6},
                                                  {"num_attention_heads", 12},
                                                  {"intermediate_size", 1536},
                                                  {"max_position_embeddings", 512},
                                                  {"type_vocab_size", 2}});
  config.labels = {"B-LOC", "B-MISC", "B-ORG", "B-PER", "I-LOC", "I-MISC", "I-ORG", "I-PER", "O"};
  return config;
}

/// Sentences of 10 to 46 pieces; two of three are the first of a word, as in English text.
onoma::tagged_batch sentences() {
  onoma::tagged_batch batch;
  onoma::random_stream random(7);
  for (const int length : {25, 31, 10, 18, 46, 22, 27, 35, 12, 29, 24, 19, 33, 21, 28, 20}) {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> labels;
    for (int i = 0; i < length; ++i) {
      const bool special = i == 0 || i + 1 == length;
      ids.push_back(static_cast<std::int32_t>(1000 + random.below(20000)));
      labels.push_back(special || i % 3 == 2 ? onoma::ignored_label : static_cast<std::int32_t>(random.below(9)));
    }
    batch.add(ids, std::move(labels));
  }
  return batch;
}

template <class Head>
void training_step(benchmark::State& state) {
  onoma::thread_pool pool(state.range(0));
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  onoma::trainable_model<onoma::cpu_backend, Head> model(minilm(), device, {.seed = 1});
  const auto batch = sentences();
  double loss = 0.0;
  const auto run = [&] {
    loss += model.forward_loss(batch).mean();
    model.backward();
  };
  run();
  for (auto _ : state) run();
  benchmark::DoNotOptimize(loss);
}

BENCHMARK(training_step<onoma::token_head<onoma::cpu_backend>>)
    ->Name("token")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);
BENCHMARK(training_step<onoma::crf_head<onoma::cpu_backend>>)
    ->Name("crf")
    ->ArgName("threads")
    ->Arg(1)
    ->Arg(2)
    ->MeasureProcessCPUTime()
    ->Unit(benchmark::kMillisecond);

}  // namespace
}  // namespace bench

BENCHMARK_MAIN();
