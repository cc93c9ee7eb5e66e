/// onoma completion: the script that makes a shell complete commands, options and their values.
#include "command.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace command {

namespace {

/// One option as a shell needs it.
struct option_words {
  std::vector<std::string> names;  // with hyphens
  std::string description;         // one line
  bool takes_value = false;
};

std::string first_line(const std::string& text) { return text.substr(0, text.find('\n')); }

std::vector<option_words> options_of(const CLI::App& app) {
  std::vector<option_words> all;
  for (const auto* option : app.get_options()) {
    if (!option->nonpositional() && option->get_lnames().empty()) continue;
    option_words words;
    for (const auto& name : option->get_snames()) words.names.push_back("-" + name);
    for (const auto& name : option->get_lnames()) words.names.push_back("--" + name);
    words.description = first_line(option->get_description());
    words.takes_value = option->get_type_size() != 0;
    if (!words.names.empty()) all.push_back(std::move(words));
  }
  return all;
}

std::string join(const std::vector<std::string>& words) {
  std::string text;
  for (const auto& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::vector<const CLI::App*> subcommands_of(const CLI::App& root) {
  return root.get_subcommands([](const CLI::App*) { return true; });
}

/// All names, or of options that take a value alone.
std::string names_of(const CLI::App& app, bool with_value) {
  std::vector<std::string> names;
  for (const auto& option : options_of(app)) {
    if (with_value && !option.takes_value) continue;
    names.insert(names.end(), option.names.begin(), option.names.end());
  }
  return join(names);
}

std::string bash_script(const CLI::App& root) {
  std::vector<std::string> commands;
  std::string cases;
  for (const auto* app : subcommands_of(root)) {
    commands.push_back(app->get_name());
    cases += "    " + app->get_name() + ") options='" + names_of(*app, false) + "' ;;\n";
  }
  return "# Completion of onoma for bash: made by `onoma completion bash`.\n"
         "_onoma() {\n"
         "  local word=${COMP_WORDS[COMP_CWORD]} options\n"
         "  if ((COMP_CWORD == 1)); then\n"
         "    mapfile -t COMPREPLY < <(compgen -W '" + join(commands) + " --help --version' -- \"$word\")\n"
         "    return\n"
         "  fi\n"
         "  case ${COMP_WORDS[1]} in\n" + cases +
         "    *) return ;;\n"
         "  esac\n"
         "  if [[ $word == -* ]]; then\n"
         "    mapfile -t COMPREPLY < <(compgen -W \"$options\" -- \"$word\")\n"
         "  else\n"
         "    compopt -o filenames 2>/dev/null\n"
         "    mapfile -t COMPREPLY < <(compgen -f -- \"$word\")\n"
         "  fi\n"
         "}\n"
         "complete -F _onoma onoma\n";
}

/// In single quotes, for zsh and fish.
std::string quoted(const std::string& text) {
  std::string out = "'";
  for (const char c : text) out += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return out + "'";
}

/// Of a description in a specification of zsh's _arguments, where brackets and colons mean something.
std::string zsh_escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '[' || c == ']' || c == ':' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string zsh_script(const CLI::App& root) {
  std::string commands;
  std::string cases;
  for (const auto* app : subcommands_of(root)) {
    const auto description = zsh_escaped(first_line(app->get_description()));
    commands += "    " + quoted(app->get_name() + ":" + description) + "\n";
    cases += "    " + app->get_name() + ")\n      _arguments \\\n";
    for (const auto& option : options_of(*app)) {
      for (const auto& name : option.names) {
        cases += "        " +
                 quoted("*" + name + "[" + zsh_escaped(option.description) + "]" +
                        (option.takes_value ? ":value:_files" : "")) +
                 " \\\n";
      }
    }
    cases += "        '*:file:_files'\n      ;;\n";
  }
  return "#compdef onoma\n# Completion of onoma for zsh: made by `onoma completion zsh`.\n"
         "_onoma() {\n"
         "  local -a commands=(\n" + commands + "  )\n"
         "  if ((CURRENT == 2)); then\n"
         "    _describe command commands\n"
         "    return\n"
         "  fi\n"
         "  local name=${words[2]}\n"
         "  shift words\n"
         "  ((CURRENT--))\n"
         "  case $name in\n" + cases + "  esac\n"
         "}\n"
         "_onoma \"$@\"\n";
}

std::string fish_script(const CLI::App& root) {
  std::string text = "# Completion of onoma for fish: made by `onoma completion fish`.\n";
  for (const auto* app : subcommands_of(root)) {
    text += "complete -c onoma -n __fish_use_subcommand -f -a " + app->get_name() + " -d " +
            quoted(first_line(app->get_description())) + "\n";
    for (const auto& option : options_of(*app)) {
      text += "complete -c onoma -n '__fish_seen_subcommand_from " + app->get_name() + "'";
      for (const auto& name : option.names) {
        text += name.starts_with("--") ? " -l " + name.substr(2) : " -s " + name.substr(1);
      }
      if (option.takes_value) text += " -r";
      text += " -d " + quoted(option.description) + "\n";
    }
  }
  return text;
}

}  // namespace

subcommand add_completion(CLI::App& root) {
  auto shell = std::make_shared<std::string>();
  auto& app = add_subcommand(
      root, "completion", "Prints the script that makes a shell complete onoma's command lines.",
      "  onoma completion bash > ~/.local/share/bash-completion/completions/onoma\n"
      "  onoma completion fish > ~/.config/fish/completions/onoma.fish");
  app.add_option("shell", *shell, "bash, zsh or fish")
      ->required()
      ->check(CLI::IsMember({"bash", "zsh", "fish"}));
  return {&app, [&root, shell] {
            const auto text = *shell == "bash" ? bash_script(root)
                              : *shell == "zsh" ? zsh_script(root)
                                                : fish_script(root);
            terminal::print(text);
            return static_cast<int>(done);
          }};
}

}  // namespace command
