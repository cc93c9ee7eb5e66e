/// Int8 and bfloat16 folders: round trips, what they cost in accuracy, and damaged ones.
#include "support/temporary_folder.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/models/quantize.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

namespace test::quantize_tests {
namespace {

namespace fs = std::filesystem;
using onoma::index_t;
using backend = onoma::cpu_backend;
using model = onoma::token_classifier<backend>;

const fs::path data = ONOMA_TEST_DATA_DIR;

onoma::token_batch some_batch() {
  onoma::token_batch batch;
  batch.clear();
  for (const index_t length : {1, 9, 16, 3}) {
    std::vector<std::int32_t> ids;
    for (index_t i = 0; i < length; ++i) ids.push_back(static_cast<std::int32_t>((7 * i + length) % 50));
    batch.add(ids);
  }
  return batch;
}

template <class Model>
std::vector<float> logits_of(Model& m) {
  const auto found = m.logits(some_batch());
  return {found.data, found.data + found.rows * found.cols};
}
template <class B = backend>
std::vector<float> logits_of(const fs::path& folder, B device = {}) {
  auto m = onoma::token_classifier_session<B>::load(folder, device);
  return logits_of(m);
}

/// Root of the mean square of the differences, as a part of that of `exact`.
double relative_difference(const std::vector<float>& found, const std::vector<float>& exact) {
  REQUIRE(found.size() == exact.size());
  double errors = 0.0;
  double squares = 0.0;
  for (std::size_t i = 0; i < exact.size(); ++i) {
    const double error = static_cast<double>(found[i]) - exact[i];
    errors += error * error;
    squares += static_cast<double>(exact[i]) * exact[i];
  }
  return std::sqrt(errors / squares);
}

/// The message of the error, or "".
std::string refusal(const fs::path& folder, bool training = false) {
  try {
    backend device;
    if (training) {
      static_cast<void>(model::load(folder, {}, device));
    } else {
      static_cast<void>(onoma::token_classifier_model<backend>::load(folder, device));
    }
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return {};
}
bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

/// An int8 folder of bert-tiny whose tensors can be changed.
struct altered {
  explicit altered(const temporary_folder& to) : path(to.path / "altered") {
    onoma::quantize_folder(data / "bert-tiny", to.path / "int8");
    const auto folder = onoma::model_folder::open(to.path / "int8");
    config = folder.config();
    for (const auto& tensor : folder.tensors().tensors()) {
      memory.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
      tensors.push_back(tensor);
    }
    for (std::size_t i = 0; i < tensors.size(); ++i) tensors[i].bytes = memory[i];
  }
  std::size_t find(const std::string& name) const {
    const auto place = std::find_if(tensors.begin(), tensors.end(),
                                    [&](const auto& t) { return t.name == name; });
    REQUIRE(place != tensors.end());
    return static_cast<std::size_t>(place - tensors.begin());
  }
  void set_scale(const std::string& name, std::size_t at, float value) {
    std::memcpy(memory[find(name)].data() + 4 * at, &value, sizeof(value));
  }
  [[nodiscard]] std::string refusal() const {
    onoma::save_model_folder(path, config, tensors, {});
    return quantize_tests::refusal(path);
  }

  fs::path path;
  onoma::json config;
  std::vector<std::vector<std::byte>> memory;
  std::vector<onoma::tensor_view> tensors;
};

const std::string query = "bert.encoder.layer.1.attention.self.query.weight";

}  // namespace

TEST_CASE("an int8 folder gives logits near those of the float model") {
  const temporary_folder folder;
  for (const std::string name : {"bert-tiny", "distilbert-tiny", "roberta-tiny", "bert-tiny-bf16"}) {
    INFO(name);
    const std::size_t layers = name == "distilbert-tiny" ? 3 : 2;
    const auto report = onoma::quantize_folder(data / name, folder.path / name);
    CHECK(report.bytes_after < report.bytes_before);
    // q, k, v, output, two of the feed-forward
    CHECK(report.converted.size() == 6 * layers);
    // Rounding to 1/127 of a row's largest magnitude, a third of which is about the row's standard
    // deviation, is noise of 3 / 127 / sqrt(12) = 0.7 % on each operand, 1 % on a product. Four
    // products in each of up to three layers: 1 % * sqrt(12) = 3.5 %; twice that leaves room for
    // activations that are less even than that.
    const double difference = relative_difference(logits_of(folder.path / name),
                                                  logits_of(data / name));
    CHECK(difference < 0.07);
    CHECK(difference > 0.0);  // it does compute on integers
  }
}

TEST_CASE("int8: the fast backend, for any number of threads, and the specification agree") {
  const temporary_folder folder;
  onoma::quantize_folder(data / "bert-tiny", folder.path / "int8");
  const auto one = logits_of(folder.path / "int8");
  onoma::thread_pool pool(3);
  CHECK(logits_of(folder.path / "int8", backend(onoma::executor_ref(pool))) == one);
  // Activations differ in the last digits, and one that lies between two codes may take the other:
  // one part in 254 of a row's largest value, now and then.
  const auto slow = logits_of(folder.path / "int8", onoma::reference_backend<float>{});
  CHECK(relative_difference(one, slow) < 0.01);
}

TEST_CASE("int8: layers can be kept in float") {
  const temporary_folder folder;
  const auto report = onoma::quantize_folder(
      data / "bert-tiny", folder.path / "part", {.keep = {"layer.0.", "layer.1.attention.output"}});
  CHECK(report.converted.size() == 5);
  onoma::quantize_folder(data / "bert-tiny", folder.path / "none", {.keep = {"layer."}});
  CHECK(logits_of(folder.path / "none") == logits_of(data / "bert-tiny"));
  CHECK(relative_difference(logits_of(folder.path / "part"), logits_of(data / "bert-tiny")) < 0.07);

  // Names of none, and of a format that keeps none apart.
  CHECK_THROWS_WITH_AS(onoma::quantize_folder(data / "bert-tiny", folder.path / "bad", {.keep = {"layr.0"}}),
                       doctest::Contains("'layr.0', which none has"), onoma::error);
  CHECK_THROWS_AS(onoma::quantize_folder(data / "bert-tiny", folder.path / "bad",
                                         {.format = onoma::weight_format::bf16, .keep = {"layer.0."}}),
                  onoma::error);
  CHECK_FALSE(fs::exists(folder.path / "bad"));
}

TEST_CASE("a bfloat16 folder rounds every tensor and computes in float") {
  const temporary_folder folder;
  onoma::quantize_folder(data / "bert-tiny", folder.path / "bf16",
                         {.format = onoma::weight_format::bf16});
  const auto saved = onoma::model_folder::open(folder.path / "bf16");
  CHECK(saved.config()["torch_dtype"] == "bfloat16");
  for (const auto& tensor : saved.tensors().tensors()) CHECK(tensor.type == onoma::dtype::bf16);
  // 8 bits of precision: 2^-9 on each weight, which averages out in sums.
  CHECK(relative_difference(logits_of(folder.path / "bf16"), logits_of(data / "bert-tiny")) < 0.02);
  CHECK(refusal(folder.path / "bf16", true).empty());  // trains: in float
}

TEST_CASE("int8 folders are refused for training, in place, twice, and under another name") {
  const temporary_folder folder;
  const auto int8 = folder.path / "int8";
  onoma::quantize_folder(data / "bert-tiny", int8);
  CHECK(refusal(int8).empty());
  CHECK(contains(refusal(int8, true), "expected float weights"));
  CHECK_THROWS_AS(onoma::quantize_folder(data / "bert-tiny", data / "bert-tiny"), onoma::error);
  CHECK_THROWS_AS(onoma::quantize_folder(int8, folder.path / "again"), onoma::error);

  altered other(folder);
  other.config["quantization_config"]["quant_method"] = "gptq";
  CHECK(contains(other.refusal(), "'onoma_int8' alone"));
  other.config["quantization_config"] = {{"quant_method", "onoma_int8"}, {"bits", 4}};
  CHECK(contains(other.refusal(), "'onoma_int8' alone"));
  other.config.erase("quantization_config");  // I8 tensors in a folder that does not say so
  CHECK(contains(other.refusal(), query + " I8 [40, 40] instead of [40, 40]"));
}

TEST_CASE("int8: damaged scales and codes are named") {
  const temporary_folder folder;
  const altered good(folder);
  CHECK(good.refusal().empty());
  const auto scales = query + "_scale";
  for (const float bad : {-1.0F, std::nanf(""), HUGE_VALF}) {
    altered a(folder);
    a.set_scale(scales, 3, bad);
    CHECK(contains(a.refusal(), "1 damaged: " + scales + " with "));
  }
  {
    altered a(folder);
    a.tensors.erase(a.tensors.begin() + static_cast<std::ptrdiff_t>(a.find(scales)));
    CHECK(contains(a.refusal(), "1 missing: " + scales));
  }
  {
    altered a(folder);
    auto& tensor = a.tensors[a.find(scales)];
    tensor.shape = {39};
    tensor.bytes = tensor.bytes.first(4 * 39);
    CHECK(contains(a.refusal(), "instead of F32 [40]"));
  }
  {
    altered a(folder);
    a.memory[a.find(query)][17] = std::byte{0x80};
    CHECK(contains(a.refusal(), query + " with a code of -128"));
  }
  {  // one of three pieces in float
    altered a(folder);
    std::vector<std::byte> floats(4 * 40 * 40);
    auto& tensor = a.tensors[a.find(query)];
    tensor.type = onoma::dtype::f32;
    tensor.bytes = floats;
    CHECK(contains(a.refusal(), "its pieces are I8 and float"));
  }
  {  // embeddings are looked up as floats
    altered a(folder);
    auto& tensor = a.tensors[a.find("bert.embeddings.LayerNorm.bias")];
    tensor.type = onoma::dtype::i8;
    tensor.bytes = tensor.bytes.first(40);
    CHECK(contains(a.refusal(), "misshapen: bert.embeddings.LayerNorm.bias I8"));
  }
}

TEST_CASE("weights that are not finite are not quantised") {
  const temporary_folder folder;
  const auto source = onoma::model_folder::open(data / "bert-tiny");
  auto tensors = source.tensors().tensors();
  std::vector<std::byte> bytes;
  for (auto& tensor : tensors) {
    if (tensor.name != query) continue;
    bytes.assign(tensor.bytes.begin(), tensor.bytes.end());
    const float infinity = HUGE_VALF;
    std::memcpy(bytes.data() + 4 * 40 * 2, &infinity, 4);
    tensor.bytes = bytes;
  }
  onoma::save_model_folder(folder.path / "bad", source.config(), tensors, {});
  CHECK_THROWS_WITH_AS(onoma::quantize_folder(folder.path / "bad", folder.path / "int8"),
                       doctest::Contains("row 2"), onoma::error);
  CHECK_FALSE(fs::exists(folder.path / "int8"));
}

}  // namespace test::quantize_tests
