/// The options that mean the same in all subcommands.
#include "command.hpp"

namespace command {

namespace {

constexpr const char* group = "Shared options";

constexpr const char* exit_codes =
    "Exit codes:\n"
    "  0    done\n"
    "  1    a file, model or value was refused, or the system failed: one line on standard error says why\n"
    "  2    the command line was not understood\n"
    "  130  stopped by Ctrl-C";

/// Says which device is wanted where it is not there.
std::string check_device(const std::string& name) {
  return name == "cpu" ? std::string() : "this version computes on 'cpu' alone, not on '" + name + "'";
}

}  // namespace

CLI::App& add_subcommand(CLI::App& root, const std::string& name, const std::string& description,
                         const std::string& examples) {
  auto& app = *root.add_subcommand(name, description);
  app.footer(examples.empty() ? exit_codes : "Examples:\n" + examples + "\n\n" + exit_codes);
  return app;
}

CLI::Option* repeatable(CLI::Option* option) {
  return option->expected(1)->allow_extra_args(false)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
}

void add_shared(CLI::App& app, shared_options& options, const std::string& json) {
  app.add_option("--device", options.device, "What computes: cpu")
      ->check(CLI::Validator(check_device, "", "device"))
      ->group(group)
      ->capture_default_str();
  app.add_option("--threads", options.threads, "Threads (default: all cores)")
      ->check(CLI::Range(1, 4096))
      ->group(group);
  app.add_option("--verify", options.verify,
                 "Compare a model with what was saved: off, fast (small files) or full (every byte)")
      ->check(CLI::IsMember({"off", "fast", "full"}))
      ->group(group)
      ->capture_default_str();
  app.add_flag("-q,--quiet", options.quiet, "Only warnings and errors on standard error")->group(group);
  app.add_flag("--json", options.json, json)->group(group);
}

std::string counted(onoma::index_t count, const std::string& noun, const std::string& plural) {
  return fmt::format("{} {}", count, count == 1 ? noun : plural.empty() ? noun + "s" : plural);
}

}  // namespace command
