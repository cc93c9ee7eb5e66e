/// Numbers that are not finite never become results: planted in each tensor, they are refused at the load or where
/// they are first used, by name.
#include "support/temporary_folder.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/models/quantize.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <limits>
#include <string>
#include <utility>
#include <vector>

namespace test::not_finite_tests {
namespace {

namespace fs = std::filesystem;
using onoma::index_t;
using backend = onoma::cpu_backend;
using session = onoma::token_classifier_session<backend>;

const fs::path data = ONOMA_TEST_DATA_DIR;

/// Ids that the batch below uses: every row of a table that is planted in is one that it looks at.
const std::vector<std::int32_t> ids{2, 3, 4, 5, 6, 7, 8};

/// The bytes of a tensor of a safetensors file that is in memory.
std::span<char> bytes_of(std::string& file, const onoma::safetensors_file& opened, const onoma::tensor_view& t) {
  const auto* begin = opened.tensors().front().bytes.data();
  for (const auto& tensor : opened.tensors()) begin = std::min(begin, tensor.bytes.data());
  std::uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  return {file.data() + 8 + header + (t.bytes.data() - begin), t.bytes.size()};
}

/// What tagging says: the error, or "" where it went through.
std::string outcome(const fs::path& folder) {
  try {
    backend device;
    auto model = session::load(folder, device);
    onoma::token_batch batch;
    batch.add(ids);
    batch.add(std::vector<std::int32_t>{2, 8, 3});
    static_cast<void>(model.probabilities(batch));
  } catch (const onoma::error& e) {
    return e.what();
  }
  return {};
}

}  // namespace

TEST_CASE("NaN and infinity in any weight of any family are refused by name") {
  index_t planted = 0;
  for (const char* name : {"bert-tiny", "bert-tiny-f16", "bert-tiny-bf16", "distilbert-tiny", "electra-tiny",
                           "roberta-tiny", "mpnet-tiny", "modernbert-tiny"}) {
    const temporary_folder folder;
    const auto copy = folder.path / "model";
    fs::copy(data / name, copy, fs::copy_options::recursive);
    REQUIRE(outcome(copy).empty());
    backend device;
    const auto ignored = onoma::token_classifier_model<backend>::load(copy, device)->report().ignored;
    const auto opened = onoma::safetensors_file::open(data / name / "model.safetensors");
    const std::string clean = onoma::read_text_file(data / name / "model.safetensors");
    for (const auto& tensor : opened.tensors()) {
      if (!onoma::is_float(tensor.type) || std::count(ignored.begin(), ignored.end(), tensor.name) > 0) continue;
      for (const float value : {std::numeric_limits<float>::quiet_NaN(), -std::numeric_limits<float>::infinity()}) {
        CAPTURE(name);
        CAPTURE(tensor.name);
        std::string file = clean;
        const auto bytes = bytes_of(file, opened, tensor);
        const auto width = static_cast<std::size_t>(onoma::size_of(tensor.type));
        // A number of row 4 where there is one: words, positions and relative places use it.
        const auto row = tensor.shape.size() > 1 ? static_cast<std::size_t>(tensor.shape[1]) * width : 0;
        const bool one_type = tensor.name.find("token_type") != std::string::npos;  // the batch has type 0 alone
        const auto at = !one_type && 4 * row + 2 * width < bytes.size() ? 4 * row + width : 0;
        const std::uint16_t half = tensor.type == onoma::dtype::f16 ? 0x7E00U : 0x7FC0U;
        std::memcpy(bytes.data() + at, width == 4 ? static_cast<const void*>(&value) : &half, width);
        onoma::write_file_atomically(copy / "model.safetensors", file);
        const auto message = outcome(copy);
        CHECK(message.find("finite numbers") != std::string::npos);
        ++planted;
      }
    }
  }
  CHECK(planted > 300);
}

TEST_CASE("a scale of int8 weights that is not finite is refused, and so is quantising what is not") {
  const temporary_folder folder;
  const auto integers = folder.path / "int8";
  onoma::quantize_folder(data / "bert-tiny", integers);
  REQUIRE(outcome(integers).empty());
  const auto opened = onoma::safetensors_file::open(integers / "model.safetensors");
  const std::string clean = onoma::read_text_file(integers / "model.safetensors");
  const float nan = std::numeric_limits<float>::quiet_NaN();
  index_t planted = 0;
  for (const auto& tensor : opened.tensors()) {
    if (tensor.type != onoma::dtype::f32 || tensor.name.find("embeddings") != std::string::npos) continue;
    CAPTURE(tensor.name);
    std::string file = clean;
    std::memcpy(bytes_of(file, opened, tensor).data(), &nan, 4);
    onoma::write_file_atomically(integers / "model.safetensors", file);
    const bool ignored = tensor.name.find("pooler") != std::string::npos;
    CHECK((ignored || !outcome(integers).empty()));
    ++planted;
  }
  CHECK(planted > 20);

  const auto copy = folder.path / "copy";
  fs::copy(data / "bert-tiny", copy);
  const auto source = onoma::safetensors_file::open(data / "bert-tiny" / "model.safetensors");
  std::string file = onoma::read_text_file(copy / "model.safetensors");
  const auto& tensor = *std::find_if(source.tensors().begin(), source.tensors().end(), [](const auto& t) {
    return t.name.find("layer.0.attention.self.query.weight") != std::string::npos;
  });
  std::memcpy(bytes_of(file, source, tensor).data() + 40, &nan, 4);
  onoma::write_file_atomically(copy / "model.safetensors", file);
  CHECK_THROWS_WITH_AS(onoma::quantize_folder(copy, folder.path / "bad"),
                       doctest::Contains("query.weight': bad format: expected finite numbers, found NaN"),
                       onoma::error);
  CHECK_FALSE(fs::exists(folder.path / "bad"));
}

}  // namespace test::not_finite_tests
