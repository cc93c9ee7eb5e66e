/// onoma's classical models behind a command line, for comparing with CRFsuite on the same attributes.
///
/// Usage: crfsuite_engine attributes CORPUS FILE: writes a line for each word, its tag and its attributes with tabs
/// between, and an empty line behind each sentence.
/// crfsuite_engine train CORPUS MODEL THREADS ALGORITHM C1 C2 ITERATIONS: trains, and prints a JSON object: seconds of
/// reading words as attributes and of training, of all threads together, iterations, loss and bytes.
/// crfsuite_engine tag MODEL CORPUS THREADS REPEATS: labels the words, and prints words per second, the best of the
/// repeats, and the F1.
#include <onoma/classic/train.hpp>
#include <onoma/data/conll.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using onoma::index_t;

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

int write_attributes(const std::string& corpus, const std::string& path) {
  const auto sentences = onoma::read_conll(corpus, {});
  const onoma::classic_trainer trainer(sentences, {}, {});
  const auto& dictionary = trainer.dictionary();
  const auto& p = dictionary.problem();
  std::ofstream file(path);
  const auto write = [&](std::uint32_t attribute) {
    auto name = dictionary.name(attribute);
    std::replace_if(name.begin(), name.end(), [](char c) { return c == '\t' || c == '\n'; }, '\x1e');
    file << '\t' << name;
  };
  for (std::size_t s = 0; s < p.sentences(); ++s) {
    for (std::size_t w = p.sentence_begins[s]; w < p.sentence_begins[s + 1]; ++w) {
      file << trainer.tags().labels()[p.targets[w]];
      for (const auto row : p.word_rows[w]) {
        for (const auto attribute : p.rows[row]) write(attribute);
      }
      for (const auto attribute : p.word_attributes[w]) write(attribute);
      file << '\n';
    }
    file << '\n';
  }
  return file ? 0 : 1;
}

int train(char** arguments) {
  const auto sentences = onoma::read_conll(arguments[0], {});
  onoma::thread_pool pool(std::stol(arguments[2]));
  onoma::classic_training_options options;
  options.executor = pool;
  if (std::string(arguments[3]) == "perceptron") options.algorithm = onoma::classic_algorithm::perceptron;
  options.lbfgs.c1 = std::stod(arguments[4]);
  options.c2 = std::stod(arguments[5]);
  options.lbfgs.max_iterations = std::stol(arguments[6]);
  if (options.lbfgs.max_iterations > 0) options.perceptron.epochs = options.lbfgs.max_iterations;
  const auto begin = std::chrono::steady_clock::now();
  const auto clock = std::clock();
  onoma::classic_trainer trainer(sentences, {}, options);
  const double reading = seconds_since(begin);
  onoma::classic_progress last;
  const auto model = trainer.run([&](const onoma::classic_progress& p) {
    last = p;
    return true;
  });
  const double all = seconds_since(begin);
  const double processor = static_cast<double>(std::clock() - clock) / CLOCKS_PER_SEC;
  model.save(arguments[1]);
  std::printf("{\"read_seconds\": %.4f, \"train_seconds\": %.4f, \"cpu_seconds\": %.4f, ", reading, all - reading,
              processor);
  std::printf("\"iterations\": %td, \"loss\": %.6f, \"bytes\": %zu}\n", last.iteration, last.loss,
              model.bytes().size());
  return 0;
}

int tag(char** arguments) {
  const auto model = onoma::classic_model::open(arguments[0]);
  const auto sentences = onoma::read_conll(arguments[1], {});
  onoma::thread_pool pool(std::stol(arguments[2]));
  double words = 0.0;
  for (const auto& s : sentences) words += static_cast<double>(s.words.size());
  double best = 1e300;
  onoma::tag_sequences found;
  for (long i = std::stol(arguments[3]); i > 0; --i) {
    const auto begin = std::chrono::steady_clock::now();
    found = onoma::predict(model, sentences, pool);
    best = std::min(best, seconds_since(begin));
  }
  const double f1 = onoma::evaluate(onoma::tags_of(sentences), found).micro.f1;
  std::printf("{\"words\": %.0f, \"words_per_second\": %.0f, \"f1\": %.6f}\n", words, words / best, f1);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::string command = argc > 1 ? argv[1] : "";
  try {
    if (command == "attributes" && argc == 4) return write_attributes(argv[2], argv[3]);
    if (command == "train" && argc == 9) return train(argv + 2);
    if (command == "tag" && argc == 6) return tag(argv + 2);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
  std::cerr << "usage: crfsuite_engine attributes|train|tag ...\n";
  return 2;
}
