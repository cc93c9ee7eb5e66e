/// What is written is there whole or not at all: files, folders, and what is in their places.
#include "support/temporary_folder.hpp"

#include <onoma/io/atomic_file.hpp>
#include <onoma/io/model_folder.hpp>

#include <doctest/doctest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include <sys/stat.h>
#include <unistd.h>

namespace test::atomic_tests {
namespace {

namespace fs = std::filesystem;
using files = std::map<std::string, std::string>;

std::string text_of(const fs::path& path) { return onoma::read_text_file(path); }

onoma::index_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator{});
}

std::vector<onoma::tensor_view> weights(const std::vector<float>& values) {
  return {{"w", onoma::dtype::f32, {static_cast<onoma::index_t>(values.size())}, std::as_bytes(std::span(values))}};
}

void save(const fs::path& path, const std::vector<float>& values, const char* label, const files& tokenizer) {
  onoma::save_model_folder(path, {{"model_type", "bert"}, {"label", label}}, weights(values), tokenizer);
}

std::string refusal(const fs::path& path, onoma::verification asked = onoma::verification::fast) {
  try {
    static_cast<void>(onoma::model_folder::open(path, asked));
  } catch (const onoma::error& e) {
    return e.what();
  }
  return "opened";
}

}  // namespace

TEST_CASE("a file keeps its mode, a link stays, and what it leads to is replaced") {
  const temporary_folder folder;
  const auto file = folder.path / "file";
  onoma::write_file_atomically(file, "old");
  REQUIRE(::chmod(file.c_str(), 0640) == 0);
  fs::create_symlink("file", folder.path / "link");
  fs::create_symlink("later", folder.path / "dangling");
  onoma::write_file_atomically(folder.path / "link", "new");
  onoma::write_file_atomically(folder.path / "dangling", "there");
  CHECK(fs::is_symlink(folder.path / "link"));
  CHECK(text_of(file) == "new");
  CHECK(fs::status(file).permissions() == (fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read));
  CHECK(text_of(folder.path / "later") == "there");
  CHECK(entries(folder.path) == 4);
}

TEST_CASE("a link in the place of a temporary file is never followed") {
  const temporary_folder folder;
  onoma::write_file_atomically(folder.path / "victim", "precious");
  // Names cannot be guessed; if one could, the file must still be a new one.
  CHECK(onoma::temporary_path("a") != onoma::temporary_path("a"));
  for (int i = 0; i < 4; ++i) {
    const std::string name = "file." + std::to_string(::getpid()) + "." + std::to_string(i) + ".tmp";
    fs::create_symlink("victim", folder.path / name);
  }
  onoma::write_file_atomically(folder.path / "file", "text");
  CHECK(text_of(folder.path / "victim") == "precious");
  CHECK_FALSE(fs::is_symlink(folder.path / "file"));
}

TEST_CASE("devices and pipes are written to and stay what they are") {
  CHECK_THROWS_WITH_AS(onoma::write_file_atomically("/dev/full", "text"), doctest::Contains("No space left"),
                       onoma::error);
  CHECK(fs::is_character_file("/dev/full"));
  const temporary_folder folder;
  const auto pipe = folder.path / "pipe";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  std::string read;
  std::thread reader([&] { std::getline(std::ifstream(pipe), read); });
  onoma::write_file_atomically(pipe, "through\n");
  reader.join();
  CHECK(read == "through");
  CHECK(fs::is_fifo(pipe));
  CHECK_THROWS_WITH_AS(onoma::write_file_atomically(folder.path, "text"), doctest::Contains("found a folder"),
                       onoma::error);
}

TEST_CASE("a folder is replaced as one, and what else was in it stays") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  save(model, {1, 2}, "old", {{"vocab.txt", "old"}, {"tokenizer.json", "old"}});
  onoma::write_file_atomically(model / "notes.txt", "mine");
  fs::create_directories(model / "logs" / "deep");
  onoma::write_file_atomically(model / "logs" / "deep" / "log", "line");
  fs::create_symlink("notes.txt", model / "link");
  fs::create_symlink("model", folder.path / "latest");
  REQUIRE(::chmod(model.c_str(), 0750) == 0);
  REQUIRE(::chmod((model / "model.safetensors").c_str(), 0600) == 0);
  save(folder.path / "latest", {3, 4}, "new", {{"vocab.txt", "new"}});
  CHECK(fs::is_symlink(folder.path / "latest"));
  const auto opened = onoma::model_folder::open(model, onoma::verification::full);
  CHECK(opened.config()["label"] == "new");
  CHECK(opened.remarks().empty());
  CHECK_FALSE(fs::exists(model / "tokenizer.json"));
  CHECK(text_of(model / "notes.txt") == "mine");
  CHECK(text_of(model / "logs" / "deep" / "log") == "line");
  CHECK(fs::read_symlink(model / "link") == "notes.txt");
  CHECK((fs::status(model).permissions() & fs::perms::others_all) == fs::perms::none);
  CHECK(fs::status(model / "model.safetensors").permissions() == (fs::perms::owner_read | fs::perms::owner_write));
  CHECK(entries(folder.path) == 2);
}

TEST_CASE("the working folder stays where it is, and its files are replaced") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  save(model, {1, 2}, "old", {{"tokenizer.json", "old"}});
  onoma::write_file_atomically(model / "notes.txt", "mine");
  const auto before = fs::current_path();
  fs::current_path(model);
  for (const char* name : {".", "../model", "../model/"}) {
    CAPTURE(name);
    save(name, {3, 4}, name, {{"vocab.txt", "new"}});
    CHECK(fs::equivalent(fs::current_path(), model));
    CHECK(onoma::model_folder::open(".", onoma::verification::full).config()["label"] == name);
    CHECK_FALSE(fs::exists("tokenizer.json"));
    CHECK(entries(".") == 4);
  }
  fs::current_path(before);
  CHECK(text_of(model / "notes.txt") == "mine");
}

TEST_CASE("a folder that cannot be replaced stays as it was, and nothing else does") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  save(model, {1, 2}, "old", {});
  REQUIRE(::mkfifo((model / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(save(model, {3, 4}, "new", {}), doctest::Contains("pipe, which is none of them"), onoma::error);
  CHECK(onoma::model_folder::open(model).config()["label"] == "old");
  CHECK(entries(folder.path) == 1);
}

TEST_CASE("a mixture of two models is no model") {
  const temporary_folder folder;
  const auto a = folder.path / "a";
  const auto b = folder.path / "b";
  const files tokenizer_a = {{"vocab.txt", "one"}, {"tokenizer_config.json", "{}"}};
  const files tokenizer_b = {{"vocab.txt", "two"}, {"tokenizer_config.json", "{}"}, {"tokenizer.json", "{}"}};
  for (const char* name : {"config.json", "model.safetensors", "vocab.txt", "tokenizer.json"}) {
    CAPTURE(name);
    save(a, {1, 2}, "a", tokenizer_a);
    save(b, {3, 4}, "b", tokenizer_b);
    REQUIRE(refusal(a, onoma::verification::full) == "opened");
    fs::copy_file(b / name, a / name, fs::copy_options::overwrite_existing);
    CHECK(refusal(a).find("saved with the weights") != std::string::npos);
    CHECK(refusal(a, onoma::verification::off) == "opened");
  }
  save(a, {1, 2}, "a", tokenizer_a);
  fs::remove(a / "vocab.txt");
  CHECK(refusal(a).find("expected a vocab.txt") != std::string::npos);
}

TEST_CASE("an edited configuration is a remark; a flipped bit of the weights is found when all is asked for") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  save(model, {1, 2, 3, 4}, "old", {});
  auto config = onoma::model_folder::open(model).config();
  config["label"] = "mine";
  onoma::write_file_atomically(model / "config.json", config.dump());
  const auto remarks = onoma::model_folder::open(model).remarks();
  REQUIRE(remarks.size() == 1);
  CHECK(remarks[0] == "config.json was changed since it was saved");
  auto bytes = text_of(model / "model.safetensors");
  bytes[bytes.size() - 5] = static_cast<char>(bytes[bytes.size() - 5] ^ 4);
  onoma::write_file_atomically(model / "model.safetensors", bytes);
  CHECK(refusal(model) == "opened");
  CHECK(refusal(model, onoma::verification::full).find("found other numbers") != std::string::npos);
}

TEST_CASE("digests differ with each bit, each length and the order of words") {
  std::vector<std::byte> bytes(200);
  std::vector<std::uint64_t> all;
  for (std::size_t n = 0; n <= bytes.size(); ++n) all.push_back(onoma::digest_of(std::span(bytes).first(n)));
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    const auto mask = static_cast<std::byte>(1U << bit % 8);
    bytes[bit / 8] ^= mask;
    all.push_back(onoma::digest_of(bytes));
    bytes[bit / 8] ^= mask;
  }
  std::sort(all.begin(), all.end());
  CHECK(std::adjacent_find(all.begin(), all.end()) == all.end());
}

}  // namespace test::atomic_tests
