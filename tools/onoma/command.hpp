/// What the subcommands share with main: how they are added, and the options that mean the same in all.
#pragma once

#include "terminal.hpp"

#include <onoma/core/types.hpp>
#include <onoma/exec/thread_pool.hpp>

#include <CLI/CLI.hpp>
#include <fmt/core.h>

#include <functional>
#include <string>
#include <utility>

namespace command {

/// One file each: its options and what it does once they are read; returns the exit code.
struct subcommand {
  CLI::App* app;
  std::function<int()> run;
};

subcommand add_train(CLI::App& root);
subcommand add_tag(CLI::App& root);
subcommand add_evaluate(CLI::App& root);
subcommand add_quantize(CLI::App& root);
subcommand add_gazetteer(CLI::App& root);
subcommand add_inspect(CLI::App& root);
subcommand add_bench(CLI::App& root);
subcommand add_completion(CLI::App& root);

/// Exit codes, as --help lists them.
enum exit_code : int { done = 0, failed = 1, misused = 2, interrupted = 130 };

/// Options that every subcommand understands in the same way, as far as it has them.
struct shared_options {
  std::string model;
  std::string device = "cpu";
  onoma::index_t threads = 0;
  std::string verify = "fast";
  bool quiet = false;
  bool json = false;

  [[nodiscard]] onoma::index_t thread_count() const {
    return threads > 0 ? threads : onoma::available_cpus();
  }
};

/// A mistake in the command line that only the body of a subcommand can see: exit code 2.
struct usage_error {
  std::string message;
};

/// Messages on standard error, each with the name of the program before it.
class messages {
 public:
  messages(std::string program, bool quiet) : program_(std::move(program)), quiet_(quiet) {}

  [[nodiscard]] bool is_quiet() const noexcept { return quiet_; }
  /// Progress and facts: not with --quiet.
  template <class... T>
  void note(fmt::format_string<T...> format, T&&... values) const {
    if (!quiet_) fmt::print(stderr, "{}\n", fmt::format(format, std::forward<T>(values)...));
  }
  /// What the user should know and does not end the run.
  void warn(const std::string& what) const { terminal::complain(program_, "warning: " + what); }

 private:
  std::string program_;
  bool quiet_;
};

/// Makes the subcommand `name`. `examples` are shown at the end of its help.
CLI::App& add_subcommand(CLI::App& root, const std::string& name, const std::string& description,
                         const std::string& examples);

/// For an option that may be given several times, with one value each time: what stands behind it is not its own.
CLI::Option* repeatable(CLI::Option* option);

/// --device, --threads, --verify, --quiet and --json; `json` says what --json prints.
void add_shared(CLI::App& app, shared_options& options, const std::string& json);

/// "1 sentence", "2 sentences".
std::string counted(onoma::index_t count, const std::string& noun, const std::string& plural = {});

}  // namespace command
