/// onoma: trains, runs and measures taggers from the command line.
#include "command.hpp"

#include <onoma/version.hpp>

#include <algorithm>
#include <exception>
#include <new>
#include <string>
#include <vector>

namespace {

std::string version() {
  return fmt::format("onoma {}.{}.{}", ONOMA_VERSION_MAJOR, ONOMA_VERSION_MINOR, ONOMA_VERSION_PATCH);
}

/// "onoma tag" once it is known which subcommand is meant.
std::string program_of(const CLI::App& root) {
  const auto chosen = root.get_subcommands();
  return chosen.empty() ? "onoma" : "onoma " + chosen.front()->get_name();
}

/// A mistake in the command line as one line that says where help is.
int refuse(const std::string& program, std::string message) {
  while (!message.empty() && (message.back() == '\n' || message.back() == '.')) message.pop_back();
  std::replace(message.begin(), message.end(), '\n', ' ');
  terminal::complain(program, message + " (" + program + " --help)");
  return command::misused;
}

/// The names of all subcommands, for who mistypes one.
std::string names_of(const std::vector<command::subcommand>& all) {
  std::string names;
  for (const auto& each : all) names += (names.empty() ? "" : ", ") + each.app->get_name();
  return names;
}

/// An error becomes one line on standard error.
int run(const command::subcommand& chosen, const std::string& program) {
  try {
    const int code = chosen.run();
    terminal::flush();
    return code;
  } catch (const command::usage_error& problem) {
    return refuse(program, problem.message);
  } catch (const std::bad_alloc&) {
    terminal::complain(program, "out of memory");
  } catch (const std::exception& problem) {
    terminal::complain(program, problem.what());
  }
  return command::failed;
}

}  // namespace

int main(int argc, char** argv) {
  CLI::App root("Named entity recognition with transformer encoders: trains, runs and measures taggers.");
  root.name("onoma");
  root.set_version_flag("--version", version(), "Print the version");
  root.footer("onoma COMMAND --help says more about each of them.");
  const std::vector<command::subcommand> all = {
      command::add_train(root), command::add_tag(root), command::add_evaluate(root),
      command::add_quantize(root), command::add_gazetteer(root), command::add_inspect(root),
      command::add_bench(root), command::add_completion(root)};
  root.require_subcommand(0, 1);  // that there is one is checked below, with a message of our own
  root.fallthrough(false);
  try {
    root.parse(argc, argv);
  } catch (const CLI::Success& asked) {  // --help, --version
    return root.exit(asked);
  } catch (const CLI::ParseError& problem) {
    const std::string first = argc > 1 ? argv[1] : "";
    if (root.get_subcommands().empty() && !first.empty() && first.front() != '-') {
      return refuse("onoma", "'" + first + "' is no command: expected one of " + names_of(all));
    }
    return refuse(program_of(root), problem.what());
  }
  for (const auto& each : all) {
    if (each.app->parsed()) return run(each, program_of(root));
  }
  return refuse("onoma", "expected a command: one of " + names_of(all));
}
