/// What a model for inference reads in its mapped file, and what it copies.
#include "support/inference_only.hpp"
#include "support/temporary_folder.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/guarded.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

namespace test::mapped_tests {
namespace {

namespace fs = std::filesystem;
using onoma::index_t;
using backend = onoma::cpu_backend;
using session = onoma::token_classifier_session<backend>;
using trainable = onoma::token_classifier<backend>;

const fs::path data = ONOMA_TEST_DATA_DIR;

template <class Model>
std::vector<float> logits_of(Model& m) {
  onoma::token_batch batch;
  batch.add(std::vector<std::int32_t>{2, 11, 57, 8, 3});
  batch.add(std::vector<std::int32_t>{2, 30, 3});
  const auto found = m.logits(batch);
  return {found.data, found.data + found.rows * found.cols};
}

template <class B>
bool reads_file(const fs::path& folder) {
  B device;
  return onoma::token_classifier_model<B>::load(folder, device)->parameters().reads_pieces();
}

/// The folder with its file of weights moved by so many bytes: its header ends in spaces.
void shift_tensors(const fs::path& folder, std::uint64_t by) {
  const auto path = folder / "model.safetensors";
  auto bytes = onoma::read_text_file(path);
  std::uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  bytes.insert(static_cast<std::size_t>(8 + header), static_cast<std::size_t>(by), ' ');
  header += by;
  std::memcpy(bytes.data(), &header, 8);
  onoma::write_file_atomically(path, bytes);
}

}  // namespace

TEST_CASE("tables are read in the file where it has them as the kernels read them, else copied") {
  for (const char* name : {"bert-tiny", "distilbert-tiny", "electra-tiny", "roberta-tiny-shards",
                           "roberta-tiny-bin"}) {
    INFO(name);
    CHECK(reads_file<backend>(data / name));
  }
  CHECK_FALSE(reads_file<backend>(data / "bert-tiny-f16"));
  CHECK_FALSE(reads_file<backend>(data / "bert-tiny-bf16"));
  CHECK_FALSE(reads_file<onoma::reference_backend<double>>(data / "bert-tiny"));
  CHECK_FALSE(reads_file<onoma::guarded_backend<backend>>(data / "bert-tiny"));
  backend device;
  CHECK_FALSE(trainable::load(data / "bert-tiny", {}, device).parameters().reads_pieces());
}

TEST_CASE("misaligned tables are copied, with the same bits") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  fs::copy(data / "bert-tiny", path);
  backend device;
  auto plain = session::load(data / "bert-tiny", device);
  const auto expected = logits_of(plain);
  for (const std::uint64_t by : {1, 1, 2}) {  // together 1, 2 and 4 bytes
    shift_tensors(path, by);
    auto shifted = session::load(path, device);
    CHECK(shifted.model().parameters().reads_pieces() == (by == 2));
    CHECK(logits_of(shifted) == expected);
  }
}

TEST_CASE("the guarded backend's copies of tables are out of reach too") {
  onoma::guarded_backend<backend> device;
  auto guarded = onoma::token_classifier_session<onoma::guarded_backend<backend>>::load(data / "bert-tiny",
                                                                                       device);
  backend plain_device;
  auto plain = session::load(data / "bert-tiny", plain_device);
  CHECK(logits_of(guarded) == logits_of(plain));
}

TEST_CASE("the mapping lives as long as the model, wherever it is moved and whatever replaces the file") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  fs::copy(data / "bert-tiny", path);
  backend device;
  std::vector<session> models;
  models.push_back(session::load(path, device));
  const auto expected = logits_of(models.front());
  auto other = trainable::load(data / "bert-tiny", {}, device);
  const auto values = other.parameters().values();
  device.fill(values, 0.5F);
  other.parameters().changed();
  other.save(path);  // in its place
  models.push_back(session::load(path, device));  // moves the first
  CHECK(logits_of(models.front()) == expected);
  CHECK(logits_of(models.back()) != expected);
  fs::remove_all(path);
  session moved = std::move(models.front());
  models.clear();
  CHECK(logits_of(moved) == expected);
  CHECK(moved.model().parameters().reads_pieces());
}

TEST_CASE("a text touches its own rows of a table, not the table") {
#if defined(__linux__)
  const temporary_folder folder;
  onoma::encoder_config config;
  config.vocabulary = 100'000;
  config.hidden = 16;
  config.layers = 1;
  config.heads = 2;
  config.inner = 16;
  config.labels = {"O", "B-X"};
  const index_t table_bytes = config.vocabulary * config.hidden * 4;
  backend device;
  trainable(config, device).save(folder.path / "model");
  auto m = session::load(folder.path / "model", device);
  CHECK(m.model().parameters().reads_pieces());
  static_cast<void>(logits_of(m));
  // A mapping is a line with the file's name; `Rss: ... kB` follows.
  index_t resident = -1;
  std::ifstream maps("/proc/self/smaps");
  bool inside = false;
  for (std::string line; resident < 0 && std::getline(maps, line);) {
    inside = inside || line.find((folder.path / "model/model.safetensors").string()) !=
                           std::string::npos;
    if (inside && line.starts_with("Rss:")) resident = 1024 * std::stol(line.substr(4));
  }
  REQUIRE(resident > 0);
  // The system maps some neighbours of a page that is touched.
  CHECK(resident < table_bytes / 4);
#endif
}

TEST_CASE("a session needs no more of a backend than inference") {
  using half = inference_only<backend>;
  static_assert(!onoma::training_backend<half>);
  half device;
  backend whole;
  for (const char* name : {"bert-tiny", "modernbert-tiny"}) {
    CAPTURE(name);
    auto a = onoma::token_classifier_session<half>::load(data / name, device);
    auto b = session::load(data / name, whole);
    CHECK(logits_of(a) == logits_of(b));
  }
}

}  // namespace test::mapped_tests
