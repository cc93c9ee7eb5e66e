/// onoma's side of bench/compare/check_families.py: trains a model a few steps and saves it.
///
/// Usage: train_and_save MODEL_FOLDER OUT HEAD, where HEAD is token or crf. The batch is that of
/// MODEL_FOLDER/golden.safetensors (scripts/goldens/make_model_goldens.py). Prints the logits [N, L]
/// of the saved folder, loaded again, as one JSON list: of chains, the emissions.
#include <onoma/models/head_kind.hpp>
#include <onoma/onoma.hpp>

#include <cstring>
#include <filesystem>
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

template <class Head>
void train_and_save(const std::filesystem::path& folder, const std::filesystem::path& out,
                    const onoma::tagged_batch& batch) {
  onoma::cpu_backend device;
  auto trained = onoma::trainable_model<onoma::cpu_backend, Head>::load(folder, {}, device, {.replace_head = true});
  onoma::adamw optimizer(trained.parameters());
  for (int step = 0; step < 5; ++step) {
    static_cast<void>(trained.forward_loss(batch));
    trained.backward();
    optimizer.step(1e-3);
  }
  trained.save(out);

  auto saved = onoma::session<onoma::cpu_backend, Head>::load(out, device);
  const auto logits = saved.logits(batch.tokens);
  std::cout << onoma::json(std::vector<float>(logits.data, logits.data + logits.rows * logits.cols)) << '\n';
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) return 2;
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

    onoma::with_head<onoma::cpu_backend>(argv[3], [&](auto head) {
      train_and_save<typename decltype(head)::type>(folder, argv[2], batch);
    });
  } catch (const onoma::error& problem) {
    std::cerr << "train_and_save: " << problem.what() << '\n';
    return 1;
  }
}
