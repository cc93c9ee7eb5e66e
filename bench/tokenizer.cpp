/// The tokenizer on made-up text: one long text, short lines, words that miss the vocabulary, no ASCII.
#include <onoma/core/rng.hpp>
#include <onoma/text/batch_tokenizer.hpp>
#include <onoma/text/tokenizer.hpp>

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

/// 20,000 pieces: special ones, every letter alone and continuing, then invented words.
struct language {
  std::vector<std::string> pieces{"[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ",", ".", "-"};
  std::vector<std::string> words;

  explicit language(bool ascii) {
    onoma::random_stream random(7);
    const auto below = [&random](std::size_t n) {
      return static_cast<std::size_t>(random.uniform() * static_cast<float>(n)) % n;
    };
    std::vector<std::string> letters;
    for (std::uint32_t i = 0; i < 26; ++i) {
      letters.emplace_back();
      onoma::append_utf8(letters.back(), (ascii ? std::uint32_t{'a'} : 0x430U) + i);
      pieces.push_back(letters.back());
      pieces.push_back("##" + letters.back());
    }
    while (pieces.size() < 20'000) {
      std::string word;
      for (std::size_t length = 2 + below(8); length > 0; --length) word += letters[below(26)];
      pieces.push_back(word);
      words.push_back(std::move(word));
    }
  }

  /// `known` of ten words are in the vocabulary, often ones more often, as in real text.
  [[nodiscard]] std::string line(std::size_t length, std::uint64_t key, std::size_t known) const {
    onoma::random_stream random(key);
    std::string text;
    for (std::size_t i = 0; i < length; ++i) {
      const float u = random.uniform();
      const auto rank = static_cast<std::size_t>(u * u * u * static_cast<float>(words.size() - 1));
      text += words[rank];
      if (random.uniform() * 10.0F >= static_cast<float>(known)) text += words[words.size() - 1 - rank];
      text += i % 9 == 8 ? ", " : " ";
    }
    return text;
  }

  [[nodiscard]] onoma::tokenizer tokenizer() const { return {pieces, {}}; }
};

void count_bytes(benchmark::State& state, std::size_t bytes) {
  state.SetBytesProcessed(static_cast<std::int64_t>(bytes) * state.iterations());
}

void long_text(benchmark::State& state) {
  const language words(state.range(0) != 0);
  const auto tokenizer = words.tokenizer();
  const auto text = words.line(100'000, 1, static_cast<std::size_t>(state.range(1)));
  onoma::tokenizer::workspace work(tokenizer);
  std::vector<onoma::encoding> windows;
  tokenizer.encode(text, {}, work, windows);
  // The cache is warm now: it must not have changed the answer.
  if (windows.front().ids != tokenizer.encode(text).front().ids) throw std::logic_error("ids");
  for (auto _ : state) {
    tokenizer.encode(text, {}, work, windows);
    benchmark::DoNotOptimize(windows.front().ids.data());
  }
  count_bytes(state, text.size());
  state.counters["tokens"] = benchmark::Counter(
      static_cast<double>(windows.front().size()) * static_cast<double>(state.iterations()),
      benchmark::Counter::kIsRate);
}
BENCHMARK(long_text)->ArgNames({"ascii", "known"})->Args({1, 10})->Args({1, 8})->Args({0, 10});

void short_lines(benchmark::State& state) {
  const language words(true);
  onoma::batch_tokenizer tokenizer(words.tokenizer());
  std::vector<std::string> lines;
  std::size_t bytes = 0;
  for (std::uint64_t i = 0; i < 5'000; ++i) {
    lines.push_back(words.line(5 + i % 30, 100 + i, 9));
    bytes += lines.back().size();
  }
  std::vector<std::vector<onoma::encoding>> result;
  for (auto _ : state) {
    tokenizer.encode(lines, {}, result);
    benchmark::DoNotOptimize(result.data());
  }
  count_bytes(state, bytes);
}
BENCHMARK(short_lines);

}  // namespace

BENCHMARK_MAIN();
