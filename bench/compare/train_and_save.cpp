/// onoma's side of bench/compare/check_families.py: trains a model a few steps and saves it.
///
/// Usage: train_and_save MODEL_FOLDER OUT. The batch is that of MODEL_FOLDER/golden.safetensors
/// (scripts/goldens/make_model_goldens.py). Prints the logits [N, L] of the saved folder, loaded
/// again, as one JSON list.
#include <onoma/onoma.hpp>

#include <cstring>
#include <iostream>
#include <span>
#include <vector>

namespace {

std::vector<std::int32_t> ids(const onoma::safetensors_file& file, const char* name) {
  const auto* tensor = file.find(name);
  if (tensor == nullptr) onoma::fail(onoma::error_code::missing, "golden.safetensors", name);
  std::vector<std::int32_t> values(static_cast<std::size_t>(tensor->elements()));
  std::memcpy(values.data(), tensor->bytes.data(), tensor->bytes.size());
  return values;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  try {
    const std::filesystem::path folder = argv[1];
    const auto golden = onoma::safetensors_file::open(folder / "golden.safetensors");
    const auto input = ids(golden, "input_ids");
    const auto labels = ids(golden, "labels");
    const auto offsets = ids(golden, "offsets");
    onoma::tagged_batch batch;
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      const auto begin = static_cast<std::size_t>(offsets[b]);
      const auto length = static_cast<std::size_t>(offsets[b + 1]) - begin;
      const auto target = std::span(labels).subspan(begin, length);
      batch.add(std::span(input).subspan(begin, length), {target.begin(), target.end()});
    }

    onoma::cpu_backend device;
    using model = onoma::token_classifier<onoma::cpu_backend>;
    auto trained = model::load(folder, {}, device);
    onoma::adamw optimizer(trained.parameters());
    for (int step = 0; step < 5; ++step) {
      static_cast<void>(trained.forward_loss(batch));
      trained.backward();
      optimizer.step(1e-3);
    }
    trained.save(argv[2]);

    auto saved = onoma::token_classifier_session<onoma::cpu_backend>::load(argv[2], device);
    const auto logits = saved.logits(batch.tokens);
    std::cout << onoma::json(
                     std::vector<float>(logits.data, logits.data + logits.rows * logits.cols))
              << '\n';
  } catch (const onoma::error& problem) {
    std::cerr << "train_and_save: " << problem.what() << '\n';
    return 1;
  }
}
