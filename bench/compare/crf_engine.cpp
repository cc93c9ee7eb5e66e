/// onoma's linear chains behind a pipe: times itself on the batch of a file, and writes what it found.
///
/// Usage: crf_engine BATCH THREADS. BATCH holds, in the machine's order of bytes: int32 L, B, the lengths of B
/// sequences; float transitions [L, L], start [L], end [L], emissions [N, L]; int32 tags [N]. Then a line a command
/// on standard input: "viterbi" and "loss" (with all gradients) answer with the seconds that one call took, "dump
/// FILE" writes double loss; float demissions, dtransitions, dstart, dend; int32 best labels [N].
#include <onoma/backend/cpu/backend.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <fstream>
#include <iostream>
#include <string>
#include <vector>

namespace {

using onoma::index_t;

template <class T>
std::vector<T> read(std::istream& from, index_t count) {
  std::vector<T> values(static_cast<std::size_t>(count));
  from.read(reinterpret_cast<char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
  if (!from) onoma::fail(onoma::error_code::format, "batch", "more bytes");
  return values;
}
template <class T>
void write(std::ostream& to, const std::vector<T>& values) {
  to.write(reinterpret_cast<const char*>(values.data()), static_cast<std::streamsize>(values.size() * sizeof(T)));
}

/// The batch, and what onoma makes of it.
class engine {
 public:
  engine(std::istream& file, index_t threads) : pool_(threads), device_(onoma::executor_ref(pool_)) {
    const auto sizes = read<std::int32_t>(file, 2);
    labels_ = sizes[0];
    for (const auto length : read<std::int32_t>(file, sizes[1])) offsets_.push_back(offsets_.back() + length);
    words_ = offsets_.back();
    transitions_ = read<float>(file, labels_ * labels_);
    start_ = read<float>(file, labels_);
    end_ = read<float>(file, labels_);
    emissions_ = read<float>(file, words_ * labels_);
    tags_ = read<std::int32_t>(file, words_);
    dx_.resize(emissions_.size());
    best_.resize(tags_.size());
    scores_.resize(static_cast<std::size_t>(sizes[1]));
  }

  void viterbi() { device_.crf_viterbi(chain(), x(), batch(), {}, {best_.data(), words_}, all(scores_)); }
  void loss() {
    dt_.assign(transitions_.size(), 0.0F);
    ds_.assign(start_.size(), 0.0F);
    de_.assign(end_.size(), 0.0F);
    loss_ = device_.crf_loss(chain(), x(), batch(), {{tags_.data(), words_}, {}}, 1.0F, {dx_.data(), words_, labels_},
                             {{dt_.data(), labels_, labels_}, all(ds_), all(de_)});
  }
  void dump(const std::string& path) const {
    std::ofstream file(path, std::ios::binary);
    write(file, std::vector<double>{loss_.sum});
    for (const auto* v : {&dx_, &dt_, &ds_, &de_}) write(file, *v);
    write(file, best_);
  }

 private:
  template <class T>
  [[nodiscard]] static onoma::vec<T> all(std::vector<T>& v) {
    return {v.data(), static_cast<index_t>(v.size())};
  }
  [[nodiscard]] onoma::crf_chain<float> chain() const {
    return {{{transitions_.data(), labels_, labels_}, {start_.data(), labels_}, {end_.data(), labels_}}, {}};
  }
  [[nodiscard]] onoma::mat<const float> x() const { return {emissions_.data(), words_, labels_}; }
  [[nodiscard]] onoma::sequences batch() const {
    return onoma::sequences::of({offsets_.data(), static_cast<index_t>(offsets_.size())});
  }

  onoma::thread_pool pool_;
  onoma::cpu_backend device_;
  index_t labels_ = 0;
  index_t words_ = 0;
  std::vector<std::int32_t> offsets_ = {0};
  std::vector<std::int32_t> tags_, best_;
  std::vector<float> transitions_, start_, end_, emissions_, dx_, dt_, ds_, de_;
  std::vector<double> scores_;
  onoma::loss_result loss_;
};

int run(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: crf_engine BATCH THREADS < commands\n";
    return 2;
  }
  std::ifstream file(argv[1], std::ios::binary);
  engine batch(file, std::stol(argv[2]));
  for (std::string command; std::cin >> command;) {
    const auto start = std::chrono::steady_clock::now();
    if (command == "viterbi") batch.viterbi();
    if (command == "loss") batch.loss();
    const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - start;
    if (command == "dump") {
      std::string path;
      std::cin >> path;
      batch.dump(path);
    }
    std::cout << seconds.count() << std::endl;
  }
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const std::exception& e) {
    std::cerr << e.what() << "\n";
    return 1;
  }
}
