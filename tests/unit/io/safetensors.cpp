/// safetensors: what is written is read back, and no damaged file gets through.
#include "support/data_dir.hpp"
#include "support/temporary_folder.hpp"

#include <onoma/io/safetensors.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <string>
#include <vector>

namespace test::safetensors_tests {
namespace {

namespace fs = std::filesystem;

std::string file_of(const std::string& header, const std::string& data) {
  const std::uint64_t length = header.size();
  std::string bytes(8, '\0');
  std::memcpy(bytes.data(), &length, 8);
  return bytes + header + data;
}

onoma::safetensors_file parse(const std::string& bytes) {
  return onoma::safetensors_file::from_bytes(std::as_bytes(std::span(bytes.data(), bytes.size())),
                                             "test");
}

const std::string good_header =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
    R"("b":{"dtype":"U8","shape":[3,0],"data_offsets":[8,8]},)"
    R"("c":{"dtype":"F16","shape":[],"data_offsets":[8,10]}})";
const std::string good_data = std::string("\0\0\x80\x3f\0\0\0\x40", 8) + std::string("\0\x3c", 2);

}  // namespace

TEST_CASE("released pages are read again; memory that is not the file's stays") {
  const temporary_folder folder;
  const auto path = folder.path / "large.bin";
  std::string content(300'000, 'x');
  for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<char>(i % 251);
  onoma::write_file_atomically(path, content);
  const onoma::mapped_file file(path);
  CHECK(file.text() == content);
  file.release_pages(file.bytes().subspan(5000, 200'000));
  file.release_pages(file.bytes());
  CHECK(file.text() == content);
  std::vector<std::byte> own(100'000, std::byte{9});
  file.release_pages(own);
  CHECK(std::count(own.begin(), own.end(), std::byte{9}) == 100'000);
}

TEST_CASE("a small file is read") {
  const auto bytes = file_of(good_header, good_data);
  const auto file = parse(bytes);
  REQUIRE(file.tensors().size() == 3);
  CHECK(file.metadata().at("format") == "pt");
  float values[2];
  onoma::to_float(*file.find("a"), values);
  CHECK(values[0] == 1.0F);
  CHECK(values[1] == 2.0F);
  onoma::to_float(*file.find("c"), values);
  CHECK(values[0] == 1.0F);
  CHECK(file.find("b")->elements() == 0);
  CHECK(file.find("d") == nullptr);
}

TEST_CASE("every truncation of a file is refused") {
  const auto bytes = file_of(good_header, good_data);
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    CHECK_THROWS_AS(static_cast<void>(parse(bytes.substr(0, size))), onoma::error);
  }
  CHECK_THROWS_AS(static_cast<void>(parse(bytes + "x")), onoma::error);
}

TEST_CASE("a changed bit is refused or read, but never more") {
  const auto bytes = file_of(good_header, good_data);
  for (std::size_t i = 0; i < 8 + good_header.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      auto changed = bytes;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      try {
        const auto file = parse(changed);
        for (const auto& tensor : file.tensors()) {
          CHECK(static_cast<std::size_t>(tensor.elements() * onoma::size_of(tensor.type)) ==
                tensor.bytes.size());
        }
      } catch (const onoma::error&) {
        // refused with the library's own error: good
      }
    }
  }
}

TEST_CASE("headers that contradict the format are refused by name") {
  const std::string data(8, '\0');
  for (const char* header :
       {"", "[]", " {}", "{", "{\"a\":1}", "{\"a\":{}}",
        R"({"a":{"dtype":"F99","shape":[2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[3],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[-2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2.0],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[8,0]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,16]}})",
        R"({"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":1}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
        R"("b":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})",
        R"({"a":{"dtype":"F32","shape":[2147483647,2147483647,2147483647],"data_offsets":[0,8]}})",
        R"({"__metadata__":{"a":1},"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]}})"}) {
    INFO(header);
    CHECK_THROWS_AS(static_cast<void>(parse(file_of(header, data))), onoma::error);
  }
  std::string huge(8, '\xff');
  CHECK_THROWS_AS(static_cast<void>(parse(huge + "{}")), onoma::error);
}

TEST_CASE("written files are read back and aligned") {
  const temporary_folder folder;
  const std::vector<float> values = {1.5F, -2.0F, 3.25F};
  const std::vector<std::uint8_t> small = {7};
  const auto path = folder.path / "x.safetensors";
  onoma::write_safetensors(
      path,
      {{"small", onoma::dtype::u8, {1}, std::as_bytes(std::span(small))},
       {"values", onoma::dtype::f32, {3}, std::as_bytes(std::span(values))}},
      {{"format", "pt"}});
  const auto file = onoma::safetensors_file::open(path);
  float back[3];
  onoma::to_float(*file.find("values"), back);
  CHECK(std::vector<float>(back, back + 3) == values);
  CHECK(reinterpret_cast<std::uintptr_t>(file.find("values")->bytes.data()) % 4 == 0);
  CHECK_THROWS_AS(onoma::to_float(*file.find("small"), back), onoma::error);
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator{}) == 1);

  const std::vector<onoma::tensor_view> wrong = {
      {"values", onoma::dtype::f32, {4}, std::as_bytes(std::span(values))}};
  CHECK_THROWS_AS(onoma::write_safetensors(path, wrong), onoma::error);
  CHECK(onoma::safetensors_file::open(path).tensors().size() == 2);  // the old file stands
  CHECK_THROWS_AS(onoma::write_safetensors(folder.path / "no" / "x", {}), onoma::error);
  CHECK_THROWS_AS(static_cast<void>(onoma::safetensors_file::open(folder.path)), onoma::error);
}

TEST_CASE("files of the reference implementation are read") {
  ONOMA_REQUIRE_DATA_DIR(data);
  const auto folder = data / "conformance" / "hf-tokenizer";
  int files = 0;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() != ".safetensors") continue;
    CHECK_FALSE(onoma::safetensors_file::open(entry.path()).tensors().empty());
    ++files;
  }
  CHECK(files == 4);
}

}  // namespace test::safetensors_tests
