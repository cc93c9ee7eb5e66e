/// onoma bench: how fast a model runs on this machine, and how far that is from what the machine can do.
#include "command.hpp"
#include "peak.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/core/error.hpp>
#include <onoma/core/rng.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/session.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

namespace command {

namespace {

using onoma::index_t;

struct settings : shared_options {
  std::vector<index_t> lengths;
  std::vector<index_t> thread_counts;
  index_t texts = 1;
  double seconds = 1.0;
};

/// One shape and how long a batch of it takes: the median of runs.
struct measurement {
  index_t length = 0;
  index_t threads = 0;
  double seconds = 0.0;
  double operations = 0.0;  // of a batch, in products and attention
};

/// Multiplications and additions of a forward pass: two for each weight of a linear layer and token, and two
/// products of attention, each of 2 T T H for a text of T tokens.
template <class Session>
double count_operations(const Session& session, index_t texts, index_t length) {
  double weights = 0.0;
  for (const auto& entry : session.model().parameters().layout().entries()) {
    if (entry.reading == onoma::read_as::packed) weights += static_cast<double>(entry.size());
  }
  const auto& c = session.config();
  const auto tokens = static_cast<double>(length);
  const double attention = 4.0 * tokens * tokens * static_cast<double>(c.hidden * c.layers);
  return static_cast<double>(texts) * (2.0 * weights * tokens + attention);
}

/// Random pieces: what they are does not change the time.
onoma::token_batch random_batch(index_t texts, index_t length, index_t vocabulary) {
  onoma::random_stream random(1);
  onoma::token_batch batch;
  std::vector<std::int32_t> ids(static_cast<std::size_t>(length));
  for (index_t i = 0; i < texts; ++i) {
    for (auto& id : ids) id = static_cast<std::int32_t>(random.below(static_cast<std::uint32_t>(vocabulary)));
    batch.add(ids);
  }
  return batch;
}

template <class Session>
measurement measure(Session& session, index_t length, index_t threads, const settings& s) {
  if (length > session.max_length()) {
    onoma::fail(onoma::error_code::invalid_argument, "--lengths",
                "at most " + std::to_string(session.max_length()) + " tokens, which the model takes",
                std::to_string(length));
  }
  const auto batch = random_batch(s.texts, length, session.config().vocabulary);
  // A head of spans reads words: here, every token is one.
  onoma::word_rows words;
  std::vector<std::int32_t> each(static_cast<std::size_t>(length));
  std::iota(each.begin(), each.end(), 0);
  for (index_t i = 0; i < batch.count(); ++i) words.add(i * length, each);
  const auto score = [&] {
    if constexpr (requires { session.logits(batch); }) {
      static_cast<void>(session.logits(batch));
    } else {
      static_cast<void>(session.span_probabilities(batch, words));
    }
  };
  score();  // warms up: memory appears when it is first written
  std::vector<double> times;
  double total = 0.0;
  while (times.size() < 3 || (total < s.seconds && times.size() < 10000)) {
    const auto start = std::chrono::steady_clock::now();
    score();
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    times.push_back(time.count());
    total += time.count();
  }
  const auto middle = times.begin() + static_cast<std::ptrdiff_t>(times.size() / 2);
  std::nth_element(times.begin(), middle, times.end());
  return {length, threads, *middle, count_operations(session, s.texts, length)};
}

void print(const std::vector<measurement>& all, const settings& s, const std::string& kernels, double peak) {
  if (s.json) {
    onoma::json rows = onoma::json::array();
    for (const auto& m : all) {
      rows.push_back({{"length", m.length},
                      {"texts", s.texts},
                      {"threads", m.threads},
                      {"seconds", m.seconds},
                      {"tokens_per_second", static_cast<double>(s.texts * m.length) / m.seconds},
                      {"gflops", m.operations / m.seconds / 1e9},
                      {"of_peak", m.operations / m.seconds / peak / static_cast<double>(m.threads)}});
    }
    const onoma::json report = {{"model", s.model}, {"kernels", kernels}, {"peak_gflops", peak / 1e9},
                                {"rows", rows}};
    return terminal::print(onoma::json_line(report) + "\n");
  }
  terminal::print(fmt::format("kernels {}; multiply-adds at {:.0f} GFLOP/s per core; {} at a time\n", kernels,
                              peak / 1e9, counted(s.texts, "text")));
  terminal::print(fmt::format("{:>8}  {:>8}  {:>10}  {:>10}  {:>8}  {:>8}\n", "tokens", "threads", "ms/text",
                              "tokens/s", "GFLOP/s", "of peak"));
  for (const auto& m : all) {
    terminal::print(fmt::format("{:>8}  {:>8}  {:>10.3f}  {:>10.0f}  {:>8.1f}  {:>6.0f} %\n", m.length,
                                m.threads, 1e3 * m.seconds / static_cast<double>(s.texts),
                                static_cast<double>(s.texts * m.length) / m.seconds,
                                m.operations / m.seconds / 1e9,
                                100.0 * m.operations / m.seconds / peak / static_cast<double>(m.threads)));
  }
}

/// With each number of threads, each length.
template <class Head>
std::vector<measurement> measure_all(const settings& s) {
  std::vector<measurement> all;
  for (const index_t threads : s.thread_counts) {
    onoma::thread_pool pool(threads);
    onoma::cpu_backend device(pool);
    auto session = onoma::session<onoma::cpu_backend, Head>::load(
        s.model, device, {.verify = onoma::verification_from_name(s.verify)});
    auto lengths = s.lengths;
    if (lengths.empty()) lengths = {16, std::min<index_t>(128, session.max_length())};
    for (const index_t length : lengths) all.push_back(measure(session, length, threads, s));
  }
  return all;
}

int bench(settings& s) {
  if (s.thread_counts.empty()) s.thread_counts = {s.thread_count()};
  const std::string kernels = onoma::default_kernels().name;
  const double peak = measure_peak(kernels);
  const auto all = onoma::with_head<onoma::cpu_backend>(onoma::head_kind_of(s.model), [&](auto head) {
    return measure_all<typename decltype(head)::type>(s);
  });
  print(all, s, kernels, peak);
  return done;
}

}  // namespace

subcommand add_bench(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(
      root, "bench",
      "Measures how fast a model runs: time per text, tokens per second, and the share of what the\n"
      "machine does in multiply-adds. Tokens are random; tokenizing is not part of it.",
      "  onoma bench my-model\n"
      "  onoma bench my-model --lengths 16,32,64 --thread-counts 1,2 --texts 16");
  app.add_option("-m,--model,folder", s->model, "Model folder")->required();
  app.add_option("--lengths", s->lengths, "Tokens per text, with commas between them (default: 16 and 128)")
      ->delimiter(',')
      ->check(CLI::PositiveNumber);
  app.add_option("--thread-counts", s->thread_counts,
                 "Numbers of threads, each measured (default: that of --threads)")
      ->delimiter(',')
      ->check(CLI::Range(1, 4096));
  app.add_option("--texts", s->texts, "Texts per batch")->check(CLI::PositiveNumber)->capture_default_str();
  app.add_option("--seconds", s->seconds, "How long each measurement takes, about")
      ->check(CLI::NonNegativeNumber)
      ->capture_default_str();
  add_shared(app, *s, "All numbers as one JSON object");
  return {&app, [s] { return bench(*s); }};
}

}  // namespace command
