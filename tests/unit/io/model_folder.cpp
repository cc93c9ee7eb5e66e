/// Saving a model folder: what it replaces, what it leaves alone, and what it says before a long run.
#include "support/temporary_folder.hpp"

#include <onoma/io/model_folder.hpp>

#include <doctest/doctest.h>

#include <filesystem>
#include <map>
#include <string>

#include <sys/stat.h>

namespace test::model_folder_tests {
namespace {

namespace fs = std::filesystem;
using files = std::map<std::string, std::string>;

void save(const fs::path& path, const files& tokenizer) {
  onoma::save_model_folder(path, {{"model_type", "bert"}}, {}, tokenizer);
}

}  // namespace

TEST_CASE("the tokenizer of the model before does not stay") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  save(model, {{"tokenizer.json", "old"}, {"vocab.txt", "old"}});
  onoma::write_file_atomically(model / "notes.txt", "mine");
  save(model, {{"vocab.txt", "new"}});
  CHECK_FALSE(fs::exists(model / "tokenizer.json"));
  CHECK(onoma::read_text_file(model / "vocab.txt") == "new");
  CHECK(onoma::read_text_file(model / "notes.txt") == "mine");
  // A model without a tokenizer says nothing about the one that is there.
  save(model, {});
  CHECK(onoma::read_text_file(model / "vocab.txt") == "new");
}

TEST_CASE("a folder of a similar name is nobody's temporary folder") {
  const temporary_folder folder;
  const auto similar = folder.path / "model.tmp";
  fs::create_directory(similar);
  onoma::write_file_atomically(similar / "thesis.txt", "mine");
  save(folder.path / "model", {});
  CHECK(onoma::read_text_file(similar / "thesis.txt") == "mine");
  // And nothing but the model is new.
  CHECK(std::distance(fs::directory_iterator(folder.path), fs::directory_iterator{}) == 2);
}

TEST_CASE("whether a folder can be saved is known before, and nothing stays of the question") {
  const temporary_folder folder;
  const auto entries = [&] {
    return std::distance(fs::recursive_directory_iterator(folder.path), fs::recursive_directory_iterator{});
  };
  onoma::write_file_atomically(folder.path / "file", "");
  fs::create_directory(folder.path / "model");
  CHECK_NOTHROW(onoma::check_can_save(folder.path / "model"));
  CHECK_NOTHROW(onoma::check_can_save(folder.path / "model" / ""));
  CHECK_NOTHROW(onoma::check_can_save(folder.path / "new" / "deep" / "model"));
  for (const auto& bad : {folder.path / "file", folder.path / "file" / "model",
                          fs::path("/proc/model")}) {
    INFO(bad);
    CHECK_THROWS_AS(onoma::check_can_save(bad), onoma::error);
    CHECK_THROWS_AS(save(bad, {}), onoma::error);
  }
  CHECK(entries() == 2);
}

TEST_CASE("a name that is too long is an error like others") {
  CHECK_THROWS_AS(static_cast<void>(onoma::model_folder::open(std::string(300, 'x'))), onoma::error);
  CHECK_THROWS_AS(save(std::string(300, 'x'), {}), onoma::error);
}

TEST_CASE("a pipe in the place of a file is refused, not waited for") {
  const temporary_folder folder;
  REQUIRE(::mkfifo((folder.path / "pipe").c_str(), 0600) == 0);
  CHECK_THROWS_WITH_AS(onoma::mapped_file(folder.path / "pipe"), doctest::Contains("a regular file"),
                       onoma::error);
}

}  // namespace test::model_folder_tests
