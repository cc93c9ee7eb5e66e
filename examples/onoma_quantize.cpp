/// onoma_quantize: writes a model folder with 8-bit integer or bfloat16 weights, and measures the loss.
#include "terminal.hpp"

#include <onoma/onoma.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <string>
#include <thread>
#include <vector>

namespace {

struct settings {
  std::string model;
  std::string output;
  std::string data;
  std::string format = "int8";
  std::vector<std::string> keep;
  onoma::index threads = 0;
};

struct measurement {
  double f1 = 0.0;
  double sentences_per_second = 0.0;
};

/// Entity F1 on the sentences, and the speed of the faster of two passes.
measurement measure(const std::string& folder, const std::vector<onoma::sentence>& sentences,
                    onoma::index threads) {
  onoma::thread_pool pool(threads);
  onoma::cpu_backend backend(pool);
  auto model = onoma::token_classifier_session<onoma::cpu_backend>::load(folder, backend);
  const auto tokens = onoma::load_tokenizer(folder);
  measurement result;
  for (int pass = 0; pass < 2; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    result.f1 = onoma::evaluate_on(model, tokens, sentences).micro.f1;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    result.sentences_per_second = std::max(
        result.sentences_per_second, static_cast<double>(sentences.size()) / time.count());
  }
  return result;
}

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

int quantize(const settings& s) {
  onoma::quantize_options options;
  options.keep = s.keep;
  if (s.format == "bf16") options.format = onoma::weight_format::bf16;
  const auto threads = s.threads > 0
                           ? s.threads
                           : static_cast<onoma::index>(std::thread::hardware_concurrency());
  // Before anything is written: a bad file, or a model without a head, then leaves no folder.
  const auto sentences = s.data.empty() ? std::vector<onoma::sentence>{} : onoma::read_conll(s.data);
  const auto before = sentences.empty() ? measurement{} : measure(s.model, sentences, threads);
  const auto report = onoma::quantize_folder(s.model, s.output, options);
  fmt::print("{} tensors to {}; weights {:.1f} MB -> {:.1f} MB ({:.0f} %)\n",
             report.converted.size(), s.format, megabytes(report.bytes_before),
             megabytes(report.bytes_after),
             100.0 * static_cast<double>(report.bytes_after) /
                 static_cast<double>(report.bytes_before));
  if (sentences.empty()) return 0;

  const auto after = measure(s.output, sentences, threads);
  fmt::print("{:>8}  {:>9}  {:>11}\n", "", "entity F1", "sentences/s");
  fmt::print("{:>8}  {:>9.2f}  {:>11.0f}\n", "before", 100.0 * before.f1,
             before.sentences_per_second);
  fmt::print("{:>8}  {:>9.2f}  {:>11.0f}\n", "after", 100.0 * after.f1, after.sentences_per_second);
  fmt::print("{:>8}  {:>+9.2f}  {:>10.2f}x\n", "change", 100.0 * (after.f1 - before.f1),
             after.sentences_per_second / before.sentences_per_second);
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  settings s;
  CLI::App app("Writes a smaller form of a fine-tuned model and says what it costs in entity F1.");
  app.footer("Example:\n"
             "  onoma_quantize --model my-model --output my-model-int8 --data dev.conll\n\n"
             "int8 is faster and smaller and for onoma alone; bf16 is smaller, computes in float,\n"
             "transformers loads it too, and training goes on from its rounded weights. An int8\n"
             "model cannot be trained further: keep the float model.");
  app.add_option("-m,--model", s.model, "Model folder with float weights")->required();
  app.add_option("-o,--output", s.output, "Folder to write")->required();
  app.add_option("--format", s.format, "Number format of the weights")
      ->check(CLI::IsMember({"int8", "bf16"}))
      ->capture_default_str();
  app.add_option("--keep", s.keep,
                 "Linear layers that stay float in int8 folders: beginnings of names, such as "
                 "layer.11 or layer.0.attention");
  app.add_option("-d,--data", s.data, "Annotated sentences: measure F1 and speed before and after");
  app.add_option("--threads", s.threads, "Threads (default: all cores)")->check(CLI::Range(1, 4096));
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& problem) {
    return app.exit(problem) == 0 ? 0 : 2;
  }
  return terminal::run("onoma_quantize", [&] { return quantize(s); });
}
