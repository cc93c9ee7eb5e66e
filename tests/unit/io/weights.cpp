/// The weights of a folder, whichever of the Hub's files hold them.
#include "support/temporary_folder.hpp"

#include <onoma/io/weights.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <string>

namespace test::weights_tests {
namespace {

namespace fs = std::filesystem;

const fs::path data = ONOMA_TEST_DATA_DIR;

/// The message of the refusal, or "" if the folder's weights are read.
std::string refusal(const fs::path& folder) {
  try {
    static_cast<void>(onoma::model_weights::open(folder));
  } catch (const onoma::error& problem) {
    return problem.what();
  }
  return {};
}

}  // namespace

TEST_CASE("four kinds of files hold the same tensors") {
  const auto expected = onoma::model_weights::open(data / "roberta-tiny");
  CHECK(expected.file_name() == "model.safetensors");
  for (const auto& [folder, file] :
       {std::pair{"roberta-tiny-shards", "model.safetensors.index.json"},
        std::pair{"roberta-tiny-bin", "pytorch_model.bin"},
        std::pair{"roberta-tiny-bin-shards", "pytorch_model.bin.index.json"}}) {
    INFO(folder);
    const auto found = onoma::model_weights::open(data / folder);
    CHECK(found.file_name() == file);
    REQUIRE(found.tensors().size() == expected.tensors().size());
    for (const auto& tensor : expected.tensors()) {
      const auto* same = found.find(tensor.name);
      REQUIRE(same != nullptr);
      CHECK(same->shape == tensor.shape);
      CHECK(std::equal(same->bytes.begin(), same->bytes.end(), tensor.bytes.begin(),
                       tensor.bytes.end()));
    }
    CHECK(found.find("x") == nullptr);
  }
}

TEST_CASE("safetensors come before PyTorch's file; other programs' files are named") {
  const temporary_folder folder;
  CHECK(refusal(folder.path).find("no weights") != std::string::npos);
  onoma::write_file_atomically(folder.path / "tf_model.h5", "x");
  CHECK(refusal(folder.path).find("tf_model.h5") != std::string::npos);
  onoma::write_file_atomically(folder.path / "pytorch_model.bin", "x");
  CHECK(refusal(folder.path).find("zip format") != std::string::npos);
  fs::copy_file(data / "roberta-tiny/model.safetensors", folder.path / "model.safetensors");
  CHECK(refusal(folder.path) == "");
}

TEST_CASE("an index agrees with its shards and stays in its folder") {
  const temporary_folder folder;
  fs::copy(data / "roberta-tiny-shards", folder.path, fs::copy_options::recursive);
  const auto path = folder.path / "model.safetensors.index.json";
  const auto good = onoma::parse_json(onoma::read_text_file(path), "index");
  const std::string first = "model-00001-of-00002.safetensors";
  const std::string second = "model-00002-of-00002.safetensors";
  const auto with = [&](auto&& change) {
    auto index = good;
    change(index["weight_map"]);
    onoma::write_file_atomically(path, index.dump());
    return refusal(folder.path);
  };
  REQUIRE(with([](onoma::json&) {}) == "");
  CHECK(with([](onoma::json& map) { map = nullptr; }).find("weight_map") != std::string::npos);
  CHECK(with([](onoma::json& map) { map = onoma::json::object(); }).find("weight_map") !=
        std::string::npos);
  CHECK(with([](onoma::json& map) { map.erase("classifier.bias"); }).find("classifier.bias") !=
        std::string::npos);
  CHECK(with([&](onoma::json& map) { map["classifier.bias"] = second; }).find("classifier.bias") !=
        std::string::npos);
  CHECK(with([&](onoma::json& map) { map["extra"] = first; }).find(first) != std::string::npos);
  CHECK(with([](onoma::json& map) { map["x"] = "model-3.safetensors"; }).find("model-3") !=
        std::string::npos);
  for (const onoma::json& name :
       {onoma::json("../roberta-tiny/model.safetensors"), onoma::json("/etc/x.safetensors"),
        onoma::json("..\\x.safetensors"), onoma::json("a/x.safetensors"),
        onoma::json(".safetensors"), onoma::json("..safetensors"), onoma::json("C:x.safetensors"),
        onoma::json("pytorch_model.bin"), onoma::json(std::string("x\0.safetensors", 14)),
        onoma::json(""), onoma::json(1), onoma::json::array()}) {
    INFO(name.dump());
    CHECK(with([&](onoma::json& map) { map["classifier.bias"] = name; }).find("file name") !=
          std::string::npos);
  }
  onoma::write_file_atomically(path, "{");
  CHECK(refusal(folder.path) != "");
  onoma::write_file_atomically(path, "[]");
  CHECK(refusal(folder.path) != "");
}

TEST_CASE("a damaged shard is refused by its name") {
  const temporary_folder folder;
  fs::copy(data / "roberta-tiny-bin-shards", folder.path, fs::copy_options::recursive);
  REQUIRE(refusal(folder.path) == "");
  const auto shard = folder.path / "pytorch_model-00002-of-00002.bin";
  fs::resize_file(shard, fs::file_size(shard) - 1);
  CHECK(refusal(folder.path).find("pytorch_model-00002-of-00002.bin") != std::string::npos);
  fs::remove(shard);
  CHECK(refusal(folder.path).find("pytorch_model-00002-of-00002.bin") != std::string::npos);
}

}  // namespace test::weights_tests
