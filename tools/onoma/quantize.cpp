/// onoma quantize: writes a model folder with 8-bit integer or bfloat16 weights, and measures the loss.
#include "command.hpp"
#include "corpus.hpp"
#include "scoring.hpp"
#include "folders.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/io/json.hpp>
#include <onoma/models/head_kind.hpp>
#include <onoma/models/quantize.hpp>
#include <onoma/models/session.hpp>
#include <onoma/text/files/load.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

namespace command {

namespace {

struct settings : shared_options {
  std::string output;
  std::string data;
  std::string format = "int8";
  std::vector<std::string> keep;
  bool overwrite = false;
  onoma::index_t max_length = 0;
  column_options columns;
};

struct measurement {
  double f1 = 0.0;
  double sentences_per_second = 0.0;
};

/// Entity F1 on the sentences, and the speed of the faster of two passes.
template <class Head>
measurement measure_with(const std::string& folder, const settings& s) {
  auto items = scoring_of<Head>::read(s.data, s.columns);
  onoma::thread_pool pool(s.thread_count());
  onoma::cpu_backend backend(pool);
  auto model = onoma::session<onoma::cpu_backend, Head>::load(folder, backend);
  const auto tokens = onoma::load_tokenizer(folder).for_table(model.config().vocabulary);
  scoring_of<Head>::fit(model, items, s.data, messages("onoma quantize", true));
  onoma::prediction_options options;
  options.max_length = s.max_length;
  measurement result;
  for (int pass = 0; pass < 2; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    result.f1 = scoring_of<Head>::evaluate(model, tokens, items, {}, options).report.micro.f1;
    const std::chrono::duration<double> time = std::chrono::steady_clock::now() - start;
    result.sentences_per_second = std::max(result.sentences_per_second,
                                           static_cast<double>(items.size()) / time.count());
  }
  return result;
}

measurement measure(const std::string& folder, const settings& s) {
  return onoma::with_head<onoma::cpu_backend>(onoma::head_kind_of(folder), [&](auto head) {
    return measure_with<typename decltype(head)::type>(folder, s);
  });
}

double megabytes(std::uint64_t bytes) { return static_cast<double>(bytes) / 1e6; }

void print(const onoma::quantize_report& report, const settings& s) {
  terminal::print(fmt::format("{} to {}; weights {:.1f} MB -> {:.1f} MB ({:.0f} %)\n",
                              counted(static_cast<onoma::index_t>(report.converted.size()), "tensor"),
                              s.format, megabytes(report.bytes_before), megabytes(report.bytes_after),
                              100.0 * static_cast<double>(report.bytes_after) /
                                  static_cast<double>(report.bytes_before)));
}

void print(const measurement& before, const measurement& after) {
  const auto row = [](const char* name, const measurement& m) {
    terminal::print(fmt::format("{:>8}  {:>9.2f}  {:>11.0f}\n", name, 100.0 * m.f1, m.sentences_per_second));
  };
  terminal::print(fmt::format("{:>8}  {:>9}  {:>11}\n", "", "entity F1", "sentences/s"));
  row("before", before);
  row("after", after);
  terminal::print(fmt::format("{:>8}  {:>+9.2f}  {:>10.2f}x\n", "change", 100.0 * (after.f1 - before.f1),
                              after.sentences_per_second / before.sentences_per_second));
}

onoma::json to_json(const measurement& m) {
  return {{"f1", m.f1}, {"sentences_per_second", m.sentences_per_second}};
}

int quantize(const settings& s) {
  onoma::quantize_options options;
  options.verify = onoma::verification_from_name(s.verify);
  options.keep = s.keep;
  if (s.format == "bf16") options.format = onoma::weight_format::bf16;
  // Before anything is written: a bad file, or a model without a head, then leaves no folder.
  check_output_folder(s.output, s.overwrite);
  const bool measured = !s.data.empty();
  const auto before = measured ? measure(s.model, s) : measurement{};
  const auto report = onoma::quantize_folder(s.model, s.output, options);
  const auto after = measured ? measure(s.output, s) : measurement{};
  if (s.json) {
    onoma::json all = {{"output", s.output},
                       {"format", s.format},
                       {"tensors", report.converted},
                       {"bytes_before", report.bytes_before},
                       {"bytes_after", report.bytes_after}};
    if (measured) all.update({{"before", to_json(before)}, {"after", to_json(after)}});
    terminal::print(onoma::json_line(all) + "\n");
    return done;
  }
  print(report, s);
  if (measured) print(before, after);
  return done;
}

}  // namespace

subcommand add_quantize(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(
      root, "quantize", "Writes a smaller form of a fine-tuned model and says what it costs in entity F1.",
      "  onoma quantize --model my-model --output my-model-int8 --data dev.conll\n\n"
      "int8 is faster and smaller and for onoma alone; bf16 is smaller, computes in float,\n"
      "transformers loads it too, and training goes on from its rounded weights. An int8\n"
      "model cannot be trained further: keep the float model.");
  app.add_option("-m,--model", s->model, "Model folder with float weights")->required();
  app.add_option("-o,--output", s->output, "Folder to write the smaller model to")->required();
  app.add_flag("--overwrite", s->overwrite, "Write into a folder that is not empty");
  app.add_option("--format", s->format, "int8 or bf16")
      ->check(CLI::IsMember({"int8", "bf16"}))
      ->capture_default_str();
  app.add_option("-d,--data", s->data, "Annotated sentences: measures F1 and speed before and after");
  repeatable(app.add_option("--keep", s->keep,
                            "Layers that stay in float, by the beginning of their names (layer.11,\n"
                            "layer.0.attention); may be given several times"));
  app.add_option("--max-length", s->max_length,
                 "Tokens per window of --data (default: as the model was trained, or as many as it takes)")
      ->check(CLI::PositiveNumber);
  add_columns(app, s->columns);
  add_shared(app, *s, "What was converted and measured as one JSON object");
  return {&app, [s] { return quantize(*s); }};
}

}  // namespace command
