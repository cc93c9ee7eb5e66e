/// A host that has threads of its own lends them to onoma: any type with two functions will do.
#include <onoma/onoma.hpp>

#include <atomic>
#include <iostream>
#include <thread>
#include <vector>

/// Stands for the host's scheduler. Here: a thread per call, which is simple and slow.
class host_scheduler {
 public:
  [[nodiscard]] onoma::index_t concurrency() const { return 2; }

  void parallel_for(onoma::index_t count, onoma::function_ref<void(onoma::index_t)> task) {
    ++calls_;
    std::atomic<onoma::index_t> next{0};
    const auto work = [&] {
      for (onoma::index_t i = next++; i < count; i = next++) task(i);
    };
    std::thread helper(work);
    work();
    helper.join();
  }

  [[nodiscard]] long calls() const { return calls_; }

 private:
  long calls_ = 0;
};

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: host_executor MODEL_FOLDER TEXT\n";
    return 2;
  }
  try {
    host_scheduler scheduler;
    onoma::pipeline_options options;
    options.executor = scheduler;  // a reference: the scheduler must outlive the pipeline
    auto ner = onoma::pipeline::load(argv[1], options);
    for (const auto& entity : ner.tag(argv[2])) {
      std::cout << entity.text << '\t' << entity.label << '\t' << entity.score << '\n';
    }
    std::cout << scheduler.calls() << " parallel sections ran on the host's threads\n";
  } catch (const onoma::error& problem) {
    std::cerr << "host_executor: " << problem.what() << '\n';
    return 1;
  }
}
