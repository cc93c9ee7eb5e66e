/// Reads the golden files that scripts/goldens/make_model_goldens.py writes.
#pragma once

#include <onoma/heads/token.hpp>
#include <onoma/io/safetensors.hpp>

#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace test {

inline const std::filesystem::path golden_dir = ONOMA_TEST_DATA_DIR;

/// One model's expected numbers.
class golden {
 public:
  explicit golden(const std::string& model)
      : file_(onoma::safetensors_file::open(golden_dir / model / "golden.safetensors")) {}

  [[nodiscard]] const onoma::safetensors_file& file() const { return file_; }

  [[nodiscard]] std::vector<float> floats(const std::string& name) const {
    const auto& tensor = find(name);
    std::vector<float> values(static_cast<std::size_t>(tensor.elements()));
    onoma::to_float(tensor, values.data());
    return values;
  }
  [[nodiscard]] std::vector<std::int32_t> ids(const std::string& name) const {
    const auto& tensor = find(name);
    std::vector<std::int32_t> values(static_cast<std::size_t>(tensor.elements()));
    std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
    return values;
  }

  /// The packed batch: sequences of 9, 1, 23, 14 and 40 tokens.
  [[nodiscard]] onoma::tagged_batch batch() const {
    const auto input = ids("input_ids");
    const auto labels = ids("labels");
    const auto offsets = ids("offsets");
    onoma::tagged_batch batch;
    for (std::size_t b = 0; b + 1 < offsets.size(); ++b) {
      const auto begin = static_cast<std::size_t>(offsets[b]);
      const auto length = static_cast<std::size_t>(offsets[b + 1]) - begin;
      const auto target = std::span(labels).subspan(begin, length);
      batch.add(std::span(input).subspan(begin, length), {target.begin(), target.end()});
    }
    return batch;
  }

 private:
  [[nodiscard]] const onoma::tensor_view& find(const std::string& name) const {
    const auto* tensor = file_.find(name);
    if (tensor == nullptr) onoma::fail(onoma::error_code::missing, "golden", name);
    return *tensor;
  }

  onoma::safetensors_file file_;
};

}  // namespace test
