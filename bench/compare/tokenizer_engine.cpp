/// onoma's tokenizer behind a pipe: times itself on the texts of a file, and prints what it found.
///
/// Usage: tokenizer_engine TOKENIZER.json TEXTS.json; TEXTS is an array of strings. Then a line a
/// command on standard input: "time THREADS" answers with seconds on the wall and of the processor,
/// "dump FILE" writes the ids, word ids and offsets. Offsets are turned into code points, as the
/// Python package gives them, within the measured time.
#include <onoma/core/offsets.hpp>
#include <onoma/core/utf8.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/io/json.hpp>
#include <onoma/io/mapped_file.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/files/tokenizer_json.hpp>

#include <algorithm>
#include <chrono>
#include <ctime>
#include <exception>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

namespace {

using results = std::vector<std::vector<onoma::encoding>>;

void to_code_points(const std::vector<std::string>& texts, results& found, onoma::executor_ref threads) {
  const auto count = static_cast<onoma::index_t>(texts.size());
  const auto stretch = std::clamp<onoma::index_t>(count / 16, 1, 32);
  threads.parallel_for((count + stretch - 1) / stretch, [&](onoma::index_t s) {
    for (onoma::index_t i = s * stretch; i < std::min(count, (s + 1) * stretch); ++i) {
      const auto at = static_cast<std::size_t>(i);
      const onoma::offset_map map(texts[at]);
      for (auto& window : found[at]) {
        for (auto& o : window.offsets) o = {map.code_point_at(o.begin), map.code_point_at(o.end)};
      }
    }
  });
}

int run(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: tokenizer_engine tokenizer.json texts.json < commands\n";
    return 2;
  }
  const auto tokenizer = onoma::tokenizer_from_json(onoma::read_text_file(argv[1]));
  const auto texts =
      onoma::json::parse(onoma::read_text_file(argv[2])).get<std::vector<std::string>>();
  std::unique_ptr<onoma::thread_pool> pool;
  onoma::batch_tokenizer batch(tokenizer);
  onoma::index_t threads = 1;
  results found;
  for (std::string command; std::cin >> command;) {
    std::string argument;
    std::cin >> argument;
    if (command == "time") {
      if (const onoma::index_t wanted = std::stol(argument); wanted != threads) {
        threads = wanted;
        pool = threads > 1 ? std::make_unique<onoma::thread_pool>(threads) : nullptr;
        batch = onoma::batch_tokenizer(tokenizer, pool ? onoma::executor_ref(*pool)
                                                       : onoma::executor_ref());
      }
      const auto executor = pool ? onoma::executor_ref(*pool) : onoma::executor_ref();
      const auto start = std::chrono::steady_clock::now();
      const std::clock_t cpu = std::clock();
      batch.encode(texts, {}, found);
      to_code_points(texts, found, executor);
      const double used = static_cast<double>(std::clock() - cpu) / CLOCKS_PER_SEC;
      const std::chrono::duration<double> wall = std::chrono::steady_clock::now() - start;
      std::cout << wall.count() << ' ' << used << std::endl;
    } else {
      std::ofstream out(argument);
      for (const auto& windows : found) {
        const auto& e = windows.front();
        auto offsets = onoma::json::array();
        for (const auto& o : e.offsets) offsets.push_back({o.begin, o.end});
        out << onoma::json{e.ids, e.word_ids, offsets}.dump() << '\n';
      }
      out.close();
      std::cout << "done" << std::endl;
    }
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
}
