/// onoma's side of the comparisons in this folder: a process that times a model on request.
///
/// Usage: engine MODEL_FOLDER THREADS [train]. Reads one request a line and answers with one line of
/// JSON. Without `train`:
///   SEQUENCES LENGTH REPEATS   seconds of each forward pass and the last token's logits
///   file PATH                  PATH has a JSON list of batches of sequences of ids: seconds of one
///                              pass over all of it, and the best label of every token, flat
/// With `train`:
///   SEQUENCES LENGTH STEPS     seconds and loss of each step with AdamW (rate 5e-5, decay 0.01);
///                              labels are id mod the number of labels
/// Token ids are those of the Python side: id(b, i) = 1000 + (7919 b + 104729 i) mod 20000.
#include <onoma/onoma.hpp>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

namespace {

using onoma::index_t;
using onoma::json;
using model = onoma::token_classifier<onoma::cpu_backend>;
using session = onoma::token_classifier_session<onoma::cpu_backend>;

template <class Work>
double seconds(Work&& work) {
  const auto start = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// `labels` 0: none.
onoma::tagged_batch uniform(index_t sequences, index_t length, std::int32_t labels) {
  onoma::tagged_batch batch;
  for (index_t b = 0; b < sequences; ++b) {
    std::vector<std::int32_t> ids;
    std::vector<std::int32_t> gold;
    for (index_t i = 0; i < length; ++i) {
      ids.push_back(static_cast<std::int32_t>(1000 + (7919 * b + 104729 * i) % 20000));
      if (labels > 0) gold.push_back(ids.back() % labels);
    }
    batch.add(ids, gold);
  }
  return batch;
}

json forward(session& m, index_t sequences, index_t length, index_t repeats) {
  const auto batch = uniform(sequences, length, 0);
  auto times = json::array();
  auto last = json::array();
  for (index_t r = 0; r < repeats; ++r) {
    onoma::mat<const float> logits;
    times.push_back(seconds([&] { logits = m.logits(batch.tokens); }));
    if (r > 0) continue;
    for (index_t l = 0; l < logits.cols; ++l) last.push_back(logits(logits.rows - 1, l));
  }
  return {{"seconds", times}, {"logits", last}};
}

json forward_file(session& m, const std::string& path) {
  std::vector<onoma::token_batch> batches;
  for (const auto& sequences : onoma::parse_json(onoma::read_text_file(path), path)) {
    auto& batch = batches.emplace_back();
    for (const auto& ids : sequences) batch.add(ids.get<std::vector<std::int32_t>>());
  }
  std::vector<std::int32_t> best;
  const double time = seconds([&] {
    for (const auto& batch : batches) {
      const auto logits = m.logits(batch);
      for (index_t n = 0; n < logits.rows; ++n) {
        const auto row = logits.row(n);
        best.push_back(
            static_cast<std::int32_t>(std::max_element(row.begin(), row.end()) - row.begin()));
      }
    }
  });
  return {{"seconds", time}, {"labels", best}};
}

json train(model& m, onoma::adamw<onoma::cpu_backend>& optimizer, index_t sequences, index_t length,
           index_t steps) {
  const auto batch = uniform(sequences, length, static_cast<std::int32_t>(m.labels().size()));
  auto times = json::array();
  auto losses = json::array();
  for (index_t s = 0; s < steps; ++s) {
    times.push_back(seconds([&] {
      losses.push_back(m.forward_loss(batch).mean());
      m.backward();
      optimizer.step(5e-5);
    }));
  }
  return {{"seconds", times}, {"losses", losses}};
}

}  // namespace

int main(int argc, char** argv) {
  const bool training = argc == 4 && argv[3] == std::string_view("train");
  if (argc != 3 && !training) return 2;
  try {
    onoma::thread_pool pool(std::atoi(argv[2]));
    onoma::cpu_backend device{onoma::executor_ref(pool)};
    std::optional<session> used;
    std::optional<model> trained;
    std::optional<onoma::adamw<onoma::cpu_backend>> optimizer;
    if (training) {
      trained.emplace(model::load(argv[1], {}, device));
      optimizer.emplace(trained->parameters());
    } else {
      used.emplace(session::load(argv[1], device));
    }
    std::cout << "ready" << std::endl;
    for (std::string line; std::getline(std::cin, line);) {
      std::istringstream words(line);
      onoma::index_t sequences = 0;
      onoma::index_t length = 0;
      onoma::index_t repeats = 0;
      json answer;
      if (line.starts_with("file ")) {
        answer = forward_file(*used, line.substr(5));
      } else if (words >> sequences >> length >> repeats) {
        answer = training ? train(*trained, *optimizer, sequences, length, repeats)
                          : forward(*used, sequences, length, repeats);
      } else {
        onoma::fail(onoma::error_code::invalid_argument, "request", "SEQUENCES LENGTH REPEATS",
                    "'" + line + "'");
      }
      std::cout << answer.dump() << std::endl;
    }
  } catch (const onoma::error& problem) {
    std::cerr << "engine: " << problem.what() << '\n';
    return 1;
  }
}
