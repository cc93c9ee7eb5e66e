/// onoma gazetteer: compiles a list of phrases to one file that is mapped when it is used.
#include "command.hpp"
#include "folders.hpp"

#include <onoma/core/error.hpp>
#include <onoma/io/json.hpp>
#include <onoma/match/gazetteer_text.hpp>

#include <filesystem>
#include <memory>
#include <string>

namespace command {

namespace {

struct settings : shared_options {
  std::string input;
  std::string output;
  std::string label;
  bool match_case = false;
  bool inside_words = false;
  bool overwrite = false;
};

int compile(const settings& s, const messages& say) {
  check_output_file(s.output);
  std::error_code problem;
  if (!s.overwrite && std::filesystem::is_regular_file(s.output, problem)) {
    onoma::fail(onoma::error_code::invalid_argument, "writing " + s.output, "a new file, or --overwrite",
                "one that is there");
  }
  onoma::gazetteer_text_options options;
  options.phrases.fold_case = !s.match_case;
  options.phrases.whole_words = !s.inside_words;
  options.label = s.label;
  const auto read = onoma::read_gazetteer_text(s.input, options);
  for (const auto& remark : read.counts.remarks(s.input)) say.warn(remark);
  if (read.counts.entries == 0) say.warn(s.input + ": no entries");
  read.compiled.save(s.output);
  if (s.json) {
    const onoma::json all = {{"output", s.output},
                             {"lines", read.counts.lines},
                             {"entries", read.counts.entries},
                             {"duplicates", read.counts.duplicates},
                             {"blank", read.counts.blank.count},
                             {"too_long", read.counts.too_long.count},
                             {"bytes", read.compiled.bytes()}};
    terminal::print(onoma::json_line(all) + "\n");
  } else {
    terminal::print(fmt::format("{}: {} of {}, {:.1f} MB\n", s.output,
                                counted(read.counts.entries, "entry", "entries"),
                                counted(read.counts.lines, "line"),
                                static_cast<double>(read.compiled.bytes()) / 1e6));
  }
  return done;
}

}  // namespace

subcommand add_gazetteer(CLI::App& root) {
  auto s = std::make_shared<settings>();
  auto& app = add_subcommand(
      root, "gazetteer",
      "Compiles a list of phrases to a file that onoma tag and onoma evaluate open at once.\n"
      "Each line is a phrase, phrase<TAB>label or phrase<TAB>label<TAB>id.",
      "  onoma gazetteer cities.txt --label CITY --output cities.gazetteer\n"
      "  onoma tag --gazetteer cities.gazetteer --rules-policy only \"From Paris to Berlin\"");
  app.add_option("input", s->input, "Text file with a phrase on each line")->required();
  app.add_option("-o,--output", s->output, "File to write")->required();
  app.add_flag("--overwrite", s->overwrite, "Replace a file that is there");
  app.add_option("--label", s->label, "Label of lines that have none");
  app.add_flag("--match-case", s->match_case, "Upper and lower case count");
  app.add_flag("--inside-words", s->inside_words,
               "Phrases stand inside of words too, as Japanese or Thai need");
  add_shared(app, *s, "Counts of lines and entries as one JSON object");
  return {&app, [s] { return compile(*s, messages("onoma gazetteer", s->quiet)); }};
}

}  // namespace command
