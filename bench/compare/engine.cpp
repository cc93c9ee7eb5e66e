/// onoma's side of bench/compare/compare_inference.py: times one batch of a model on request.
///
/// Usage: engine MODEL_FOLDER THREADS. Reads lines "SEQUENCES LENGTH REPEATS" and answers with one
/// JSON line: seconds of each repeat and the first logits. Token ids are those of the Python side:
/// id(b, i) = 1000 + (7919 b + 104729 i) mod 20000.
#include <onoma/onoma.hpp>

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <vector>

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    onoma::thread_pool pool(std::atoi(argv[2]));
    onoma::cpu_backend device{onoma::executor_ref(pool)};
    auto model = onoma::token_classifier<onoma::cpu_backend>::load(argv[1], {}, device,
                                                                   {.training = false});
    std::cout << "ready" << std::endl;
    onoma::index sequences = 0, length = 0, repeats = 0;
    while (std::cin >> sequences >> length >> repeats) {
      onoma::token_batch batch;
      batch.clear();
      for (onoma::index b = 0; b < sequences; ++b) {
        std::vector<std::int32_t> ids;
        for (onoma::index i = 0; i < length; ++i) {
          ids.push_back(static_cast<std::int32_t>(1000 + (7919 * b + 104729 * i) % 20000));
        }
        batch.add(ids);
      }
      auto times = onoma::json::array();
      auto first = onoma::json::array();
      for (onoma::index r = 0; r < repeats; ++r) {
        const auto start = std::chrono::steady_clock::now();
        const auto logits = model.logits(batch);
        const std::chrono::duration<double> t = std::chrono::steady_clock::now() - start;
        times.push_back(t.count());
        if (r > 0) continue;
        for (onoma::index l = 0; l < logits.cols; ++l) first.push_back(logits(logits.rows - 1, l));
      }
      std::cout << onoma::json{{"seconds", times}, {"logits", first}}.dump() << std::endl;
    }
  } catch (const onoma::error& problem) {
    std::cerr << "engine: " << problem.what() << '\n';
    return 1;
  }
}
