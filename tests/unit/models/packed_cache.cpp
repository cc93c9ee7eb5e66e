/// The file of packed weights: the same bits, and never the wrong file.
#include "support/temporary_folder.hpp"

#include <onoma/backend/cpu/backend.hpp>
#include <onoma/backend/reference.hpp>
#include <onoma/exec/thread_pool.hpp>
#include <onoma/models/token_classifier.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace test::packed_cache_tests {
namespace {

namespace fs = std::filesystem;
using model = onoma::token_classifier_session<onoma::cpu_backend>;
using onoma::error_code;
using onoma::index_t;

const fs::path data = ONOMA_TEST_DATA_DIR;

onoma::inference_options with_cache(const fs::path& cache) {
  onoma::inference_options options;
  options.packed_cache = cache;
  return options;
}

std::vector<float> logits_of(model& m) {
  onoma::token_batch batch;
  batch.add(std::vector<std::int32_t>{2, 11, 57, 8, 3});
  const auto found = m.logits(batch);
  return {found.data, found.data + found.rows * found.cols};
}
std::vector<float> logits_of(const fs::path& folder, const fs::path& cache) {
  onoma::cpu_backend device;
  auto m = model::load(folder, device, with_cache(cache));
  return logits_of(m);
}

template <class B = onoma::cpu_backend>
error_code code_of(const fs::path& folder, const onoma::inference_options& options) {
  B device;
  try {
    static_cast<void>(onoma::token_classifier_model<B>::load(folder, device, options));
  } catch (const onoma::error& problem) {
    INFO(problem.what());
    return problem.code();
  }
  FAIL("loaded");
  return {};
}

}  // namespace

TEST_CASE("a packed cache gives the same bits, and its weights are those that are read") {
  const temporary_folder folder;
  for (const char* name : {"bert-tiny", "bert-tiny-f16", "electra-tiny", "roberta-tiny-shards"}) {
    INFO(name);
    const auto cache = folder.path / (std::string(name) + ".safetensors");
    const auto expected = logits_of(data / name, {});
    CHECK(logits_of(data / name, cache) == expected);  // writes it
    CHECK(logits_of(data / name, cache) == expected);  // reads it
  }
}

TEST_CASE("it is the cache that is read, and not the weights") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  const auto expected = logits_of(data / "bert-tiny", cache);
  // Other numbers under a seal of their own.
  const auto file = onoma::safetensors_file::open(cache);
  std::vector<std::vector<std::byte>> bytes;
  std::vector<onoma::tensor_view> tensors;
  for (auto tensor : file.tensors()) {
    auto& copy = bytes.emplace_back(tensor.bytes.begin(), tensor.bytes.end());
    std::fill(copy.begin(), copy.begin() + 400, std::byte{});
    tensor.bytes = copy;
    tensors.push_back(tensor);
  }
  onoma::write_sealed_tensors(cache, tensors, file.metadata());
  CHECK(logits_of(data / "bert-tiny", cache) != expected);
}

TEST_CASE("a flipped bit of a cache is noticed, wherever it is, and the cache is written anew") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  const auto expected = logits_of(data / "bert-tiny", cache);
  const auto clean = onoma::read_text_file(cache);
  std::uint64_t header = 0;
  std::memcpy(&header, clean.data(), 8);
  for (std::size_t i = 0; i < 60; ++i) {
    CAPTURE(i);
    // Half of them in the description, whose damage can also make it a file of another kind.
    const std::size_t size = i % 2 == 0 ? 8 + header : clean.size() - 8 - header;
    const std::size_t at = (i % 2 == 0 ? 0 : 8 + header) + i * 7919 % size;
    auto bytes = clean;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << i % 8));
    onoma::write_file_atomically(cache, bytes);
    try {
      const auto found = logits_of(data / "bert-tiny", cache);
      CHECK(found == expected);
      CHECK(onoma::read_text_file(cache) == clean);
    } catch (const onoma::error& e) {
      CHECK(e.code() == error_code::invalid_argument);
    }
  }
}

TEST_CASE("a cache is verified by any number of threads") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  const auto expected = logits_of(data / "bert-tiny", cache);
  const auto clean = onoma::read_text_file(cache);
  onoma::thread_pool pool(3);
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  const auto remarks = [&] {
    auto m = model::load(data / "bert-tiny", device, with_cache(cache));
    CHECK(logits_of(m) == expected);
    return m.model().report().remarks;
  };
  CHECK(remarks().empty());
  const auto tensors = onoma::safetensors_file::open(cache).tensors();
  REQUIRE(tensors.size() > 3);
  for (const auto& tensor : tensors) {
    CAPTURE(tensor.name);
    auto bytes = clean;
    const auto file = onoma::safetensors_file::open(cache);
    // The data end with the file: places from its end are those in any mapping of it.
    const auto* last = file.tensors().front().bytes.data();
    for (const auto& other : file.tensors()) last = std::max(last, other.bytes.data() + other.bytes.size());
    auto& byte = *(bytes.end() - (last - file.find(tensor.name)->bytes.data()));
    byte = static_cast<char>(byte ^ 1);
    onoma::write_file_atomically(cache, bytes);
    const auto found = remarks();
    REQUIRE(found.size() == 1);
    CHECK(found[0].find("others in '" + tensor.name + "'") != std::string::npos);
    CHECK(onoma::read_text_file(cache) == clean);  // sealed by three threads
    CHECK(remarks().empty());
  }
}

TEST_CASE("what is to be done meanwhile is done once, and its errors come out") {
  const temporary_folder folder;
  onoma::thread_pool pool(2);
  onoma::cpu_backend device{onoma::executor_ref(pool)};
  for (const auto& options : {with_cache({}), with_cache(folder.path / "cache"), with_cache(folder.path / "cache")}) {
    int calls = 0;
    auto more = options;
    more.meanwhile = [&] { ++calls; };
    static_cast<void>(model::load(data / "bert-tiny", device, more));
    CHECK(calls == 1);
    more.meanwhile = [] { onoma::fail(error_code::missing, "meanwhile", "something", "nothing"); };
    try {
      static_cast<void>(model::load(data / "bert-tiny", device, more));
      FAIL("loaded");
    } catch (const onoma::error& problem) {
      CHECK(problem.code() == error_code::missing);
    }
  }
}

TEST_CASE("a cache that others may write to is not believed") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  static_cast<void>(logits_of(data / "bert-tiny", cache));
  const auto written = fs::last_write_time(cache);
  fs::permissions(cache, fs::perms::others_write, fs::perm_options::add);
  onoma::cpu_backend device;
  const auto loaded = onoma::token_classifier_model<onoma::cpu_backend>::load(data / "bert-tiny", device,
                                                                              with_cache(cache));
  REQUIRE(loaded->report().remarks.size() == 1);
  CHECK(loaded->report().remarks[0].find("others may write to it") != std::string::npos);
  CHECK(fs::last_write_time(cache) != written);
  CHECK((fs::status(cache).permissions() & fs::perms::others_write) == fs::perms::none);
}

TEST_CASE("every set of kernels has caches of its own") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  const auto& found = onoma::find_dispatched_kernels();
  for (index_t i = 0; i < found.count; ++i) {
    INFO(found.available[i]->name);
    onoma::cpu_backend device({}, *found.available[i]);
    auto plain = model::load(data / "bert-tiny", device, with_cache({}));
    const auto expected = logits_of(plain);
    for (int start = 0; start < 2; ++start) {
      auto cached = model::load(data / "bert-tiny", device, with_cache(cache));
      CHECK(logits_of(cached) == expected);
    }
  }
}

TEST_CASE("a cache of other weights is written again") {
  const temporary_folder folder;
  const auto path = folder.path / "model";
  const auto cache = path / "packed.safetensors";  // beside the weights: no part of them
  fs::copy(data / "bert-tiny", path);
  const auto before = logits_of(path, cache);
  const auto written = fs::last_write_time(cache);
  CHECK(logits_of(path, cache) == before);
  CHECK(fs::last_write_time(cache) == written);

  // The same size and time, other values.
  const auto weights = path / "model.safetensors";
  const auto time = fs::last_write_time(weights);
  auto bytes = onoma::read_text_file(weights);
  for (std::size_t i = bytes.size() / 2; i < bytes.size(); i += 4) bytes[i] ^= 1;
  onoma::write_file_atomically(weights, bytes);
  fs::last_write_time(weights, time);
  const auto after = logits_of(path, {});
  CHECK(after != before);
  CHECK(logits_of(path, cache) == after);

  // The same content, another time.
  const auto again = fs::last_write_time(cache);
  fs::last_write_time(weights, time + std::chrono::seconds(5));
  CHECK(logits_of(path, cache) == after);
  CHECK(fs::last_write_time(cache) == again);
}

TEST_CASE("no other file is taken for a cache or replaced by one") {
  const temporary_folder folder;
  const auto file = folder.path / "file";
  const auto options = with_cache(file);
  const auto copy_of_weights = onoma::read_text_file(data / "bert-tiny" / "model.safetensors");
  for (const std::string& content : {std::string("my notes"), copy_of_weights, std::string()}) {
    onoma::write_file_atomically(file, content);
    CHECK(code_of(data / "bert-tiny", options) == error_code::invalid_argument);
    CHECK(onoma::read_text_file(file) == content);
  }
  fs::remove(file);
  static_cast<void>(logits_of(data / "bert-tiny", file));
  auto cut = onoma::read_text_file(file);
  cut.resize(cut.size() - 100);
  onoma::write_file_atomically(file, cut);
  CHECK(code_of(data / "bert-tiny", options) == error_code::invalid_argument);
  CHECK(code_of(data / "bert-tiny", with_cache(folder.path)) == error_code::io);  // a folder
  CHECK(code_of(data / "bert-tiny", with_cache(folder.path / "no" / "folder")) ==
        error_code::file_not_found);
}

TEST_CASE("a packed cache is for float weights in inference on the CPU") {
  const temporary_folder folder;
  auto options = with_cache(folder.path / "cache");
  CHECK(code_of<onoma::reference_backend<double>>(data / "bert-tiny", options) ==
        error_code::unsupported);
  CHECK_FALSE(fs::exists(options.packed_cache));
}

TEST_CASE("the mapping of a cache lives as long as the model") {
  const temporary_folder folder;
  const auto cache = folder.path / "cache";
  const auto expected = logits_of(data / "bert-tiny", cache);
  onoma::cpu_backend device;
  auto m = model::load(data / "bert-tiny", device, with_cache(cache));
  fs::remove(cache);
  model moved = std::move(m);
  CHECK(logits_of(moved) == expected);
}

}  // namespace test::packed_cache_tests
