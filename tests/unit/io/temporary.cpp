/// Temporary files end with their owner, a second run is kept out, and disk space is set aside.
#include "support/temporary_folder.hpp"

#include <onoma/io/atomic_file.hpp>
#include <onoma/io/file_lock.hpp>
#include <onoma/io/model_folder.hpp>
#include <onoma/io/reserved_space.hpp>

#include <doctest/doctest.h>

#include <atomic>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iterator>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__linux__)
#include <sys/mount.h>
#endif

namespace test::temporary_tests {
namespace {

namespace fs = std::filesystem;

onoma::index_t entries(const fs::path& folder) {
  return std::distance(fs::directory_iterator(folder), fs::directory_iterator{});
}

/// Forks a process that runs `what`, tells its parent and waits; returns once it has told.
pid_t start(const std::function<void(const std::function<void()>&)>& what) {
  int ready[2];
  REQUIRE(::pipe(ready) == 0);
  const pid_t id = ::fork();
  if (id == 0) {
    try {
      what([&] {
        static_cast<void>(::write(ready[1], "x", 1) < 0);
        for (;;) ::pause();
      });
    } catch (...) {
    }
    ::_exit(1);
  }
  char byte = 0;
  REQUIRE(::read(ready[0], &byte, 1) == 1);
  ::close(ready[0]);
  ::close(ready[1]);
  return id;
}

void kill_it(pid_t id) {
  REQUIRE(::kill(id, SIGKILL) == 0);
  int status = 0;
  REQUIRE(::waitpid(id, &status, 0) == id);
}

void save(const fs::path& path) {
  const std::vector<float> values = {1, 2};
  onoma::save_model_folder(path, {{"model_type", "bert"}},
                           {{"w", onoma::dtype::f32, {2}, std::as_bytes(std::span(values))}}, {});
}

}  // namespace

TEST_CASE(
    "the temporary file of a killed process is removed by the next one that writes the same "
    "target") {
  const temporary_folder folder;
  const auto target = folder.path / "state";
  const auto writer = start([&](const auto& wait) {
    onoma::atomic_file file(target);
    file.write("half");
    wait();
  });
  CHECK(entries(folder.path) == 1);
  onoma::write_file_atomically(target, "whole");  // its owner lives
  CHECK(entries(folder.path) == 2);
  kill_it(writer);
  onoma::write_file_atomically(folder.path / "stat", "another target");
  CHECK(entries(folder.path) == 3);
  onoma::write_file_atomically(target, "whole");
  CHECK(entries(folder.path) == 2);
  CHECK(onoma::read_text_file(target) == "whole");
}

TEST_CASE("the temporary folder of a killed process is removed by the next one that saves there") {
  const temporary_folder folder;
  const auto target = folder.path / "model";
  for (const bool exists : {false, true}) {
    CAPTURE(exists);
    const auto writer = start([&](const auto& wait) {
      const onoma::folder_replacement building(target);
      onoma::write_file_atomically(building.place() / "config.json", "{}");
      wait();
    });
    save(target);
    CHECK(entries(folder.path) == 2);
    kill_it(writer);
    save(target);
    CHECK(entries(folder.path) == 1);
    CHECK(entries(target) == 2);
  }
}

TEST_CASE("what is not a temporary file of a dead owner stays") {
  const temporary_folder folder;
  const std::string digits = "0123456789abcdef";
  const auto make = [&](const std::string& name) {
    onoma::write_file_atomically(folder.path / "x", name);
    fs::rename(folder.path / "x", folder.path / name);
  };
  for (const char* name :
       {"state.0123456789abcde.tmp", "state.0123456789abcdeF.tmp", "state.0123456789abcdefg.tmp",
        "state.0123456789abcdew.tmp", "state.tmp", "state-0123456789abcdef.tmp",
        "other.0123456789abcdef.tmp", "state.0123456789abcdef.old"}) {
    make(name);
  }
  make("precious");
  fs::create_symlink("precious", folder.path / ("state." + digits + ".tmp"));
  const auto before = entries(folder.path);
  onoma::write_file_atomically(folder.path / "state", "text");
  CHECK(entries(folder.path) == before + 1);
  fs::remove(folder.path / ("state." + digits + ".tmp"));
  make("state." + digits + ".tmp");
  onoma::write_file_atomically(folder.path / "state", "text");
  CHECK(entries(folder.path) == before);
  if (::geteuid() == 0) {
    make("state." + digits + ".tmp");
    REQUIRE(::chown((folder.path / ("state." + digits + ".tmp")).c_str(), 12345, 12345) == 0);
    onoma::write_file_atomically(folder.path / "state", "text");
    CHECK(entries(folder.path) == before + 1);
  }
}

TEST_CASE("between two steps of a replacement that was cut short nothing is removed") {
  const temporary_folder folder;
  save(folder.path / "model.0123456789abcdef.tmp");
  save(folder.path / "model.0123456789abcdef.old");
  save(folder.path / "model");
  CHECK(entries(folder.path) == 3);
  save(folder.path / "model");  // now there is a good one
  CHECK(entries(folder.path) == 2);
  CHECK(fs::exists(folder.path / "model.0123456789abcdef.old" / "config.json"));
}

TEST_CASE("opening a folder that a save cut short has left says where both models are") {
  const temporary_folder folder;
  const auto model = folder.path / "model";
  const auto refusal = [&](const fs::path& path) {
    try {
      static_cast<void>(onoma::model_folder::open(path));
    } catch (const onoma::error& e) {
      CHECK(e.code() == onoma::error_code::file_not_found);
      return std::string(e.what());
    }
    return std::string("opened");
  };
  const auto old_one = folder.path / "model.0123456789abcdef.old";
  const auto new_one = folder.path / "model.fedcba9876543210.tmp";
  save(new_one);  // of a save that goes on, or was cut short before it touched anything
  save(folder.path / "other.0123456789abcdef.old");
  CHECK(refusal(model).find("found nothing") != std::string::npos);
  CHECK(refusal(model).find(".tmp") == std::string::npos);
  save(old_one);
  for (const auto& path : {model, model / ""}) {
    const auto text = refusal(path);
    CAPTURE(text);
    CHECK(text.find("found nothing, but " + old_one.string() + " and " + new_one.string()) != std::string::npos);
    CHECK(text.find("other.") == std::string::npos);
  }
  fs::rename(old_one, model);
  CHECK(refusal(model) == "opened");
}

#if ONOMA_HAS_MMAP
TEST_CASE("a forked child that ends leaves its parent what it holds") {
  const temporary_folder folder;
  const auto ends_in_child = [](auto& held) {
    const pid_t id = ::fork();
    if (id == 0) {
      held.reset();
      ::_exit(0);
    }
    int status = -1;
    REQUIRE(::waitpid(id, &status, 0) == id);
    CHECK(status == 0);
  };
  const auto lock_file = folder.path / "state.lock";
  std::optional<onoma::process_lock> first(std::in_place, lock_file, "training");
  std::optional<onoma::process_lock> lock(std::move(*first));
  first.reset();
  ends_in_child(lock);
  CHECK(fs::exists(lock_file));
  CHECK_THROWS_AS(onoma::process_lock(lock_file, "training"), onoma::error);
  lock.reset();
  CHECK_FALSE(fs::exists(lock_file));

  std::optional<onoma::atomic_file> file(std::in_place, folder.path / "state");
  file->write("once");
  ends_in_child(file);
  CHECK(entries(folder.path) == 1);
  file->commit();
  file.reset();
  CHECK(onoma::read_text_file(folder.path / "state") == "once");

  std::optional<onoma::folder_replacement> building(std::in_place, folder.path / "model");
  onoma::write_file_atomically(building->place() / "config.json", "{}");
  ends_in_child(building);
  CHECK_NOTHROW(building->commit([](std::string_view) { return false; }));
  building.reset();
  CHECK(onoma::read_text_file(folder.path / "model" / "config.json") == "{}");
}
#endif

TEST_CASE("a temporary file that is swept before it is locked is made again") {
  const temporary_folder folder;
  const auto target = folder.path / "state";
  std::atomic<bool> done = false;
  std::thread sweeper([&] {
    while (!done) onoma::sweep_temporaries(target);
  });
  for (int i = 0; i < 2000; ++i)
    CHECK_NOTHROW(onoma::write_file_atomically(target, std::to_string(i)));
  done = true;
  sweeper.join();
  CHECK(onoma::read_text_file(target) == "1999");
  CHECK(entries(folder.path) == 1);
}

TEST_CASE(
    "a second run is refused by the name of the file and of the process, and a dead one hinders "
    "nobody") {
  const temporary_folder folder;
  const auto file = folder.path / "state.lock";
  const auto holder = start([&](const auto& wait) {
    const onoma::process_lock lock(file, "training");
    wait();
  });
  std::string refusal;
  try {
    const onoma::process_lock lock(file, "training");
  } catch (const onoma::error& e) {
    refusal = e.what();
  }
  CAPTURE(refusal);
  CHECK(refusal.find("expected no other run that uses it, found process " +
                     std::to_string(holder)) != std::string::npos);
  CHECK(refusal.find(file.string()) != std::string::npos);
  CHECK(fs::exists(file));
  kill_it(holder);
  {
    std::optional<onoma::process_lock> lock(std::in_place, file, "training");
    const onoma::process_lock moved = *std::move(lock);
    lock.reset();
    CHECK(fs::exists(file));
    CHECK_THROWS_AS(onoma::process_lock(file, "training"), onoma::error);
  }
  CHECK_FALSE(fs::exists(file));
}

#if defined(__linux__)
TEST_CASE("space that is reserved is nobody else's, and is there once it is released") {
  const temporary_folder folder;
  if (::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=8m") != 0) {
    MESSAGE("skipped: mounting is not allowed here");
    return;
  }
  const std::string text(6'000'000, 'x');
  {
    onoma::reserved_space space(folder.path / "later", 6'000'000);
    CHECK(space.is_held());
    CHECK(entries(folder.path) == 0);
    CHECK_THROWS_AS(onoma::write_file_atomically(folder.path / "other", text), onoma::error);
    CHECK(entries(folder.path) == 0);
    const pid_t child = ::fork();
    if (child == 0) {
      space.release();
      ::_exit(0);
    }
    REQUIRE(::waitpid(child, nullptr, 0) == child);
    CHECK_THROWS_WITH_AS(onoma::reserved_space(folder.path / "more", 6'000'000),
                         doctest::Contains("expected 6000000 bytes in "), onoma::error);
    space.release();
    CHECK_NOTHROW(onoma::write_file_atomically(folder.path / "later", text));
  }
  // A mount point is built beside, and then copied into.
  CHECK_THROWS_WITH_AS(static_cast<void>(onoma::reserve_for_folder(folder.path, 6'000'000)),
                       doctest::Contains("bytes that are free"), onoma::error);
  // Of a process that is killed nothing is kept.
  fs::remove(folder.path / "later");
  kill_it(start([&](const auto& wait) {
    const onoma::reserved_space space(folder.path / "later", 6'000'000);
    wait();
  }));
  CHECK_NOTHROW(onoma::write_file_atomically(folder.path / "other", text));
  CHECK(::umount(folder.path.c_str()) == 0);
  // Bytes are free, but there can be no file.
  REQUIRE(::mount("tmpfs", folder.path.c_str(), "tmpfs", 0, "size=8m,nr_inodes=1") == 0);
  CHECK_THROWS_WITH_AS(onoma::reserved_space(folder.path / "later", 1000), doctest::Contains("a disk that is full"),
                       onoma::error);
  CHECK(::umount(folder.path.c_str()) == 0);
}
#endif

TEST_CASE("space beyond the largest file that is allowed is refused") {
  const temporary_folder folder;
  struct rlimit before {};
  REQUIRE(::getrlimit(RLIMIT_FSIZE, &before) == 0);
  auto less = before;
  less.rlim_cur = 1'000'000;
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &less) == 0);
  CHECK_THROWS_WITH_AS(onoma::reserved_space(folder.path / "later", 1'000'001),
                       doctest::Contains("found a limit of 1000000 bytes per file"), onoma::error);
  CHECK_NOTHROW(onoma::reserved_space(folder.path / "later", 1'000'000));
  REQUIRE(::setrlimit(RLIMIT_FSIZE, &before) == 0);
}

}  // namespace test::temporary_tests
