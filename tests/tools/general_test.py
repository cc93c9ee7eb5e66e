"""What holds for every subcommand: help, version, errors, exit codes."""

import subprocess
import re

from support import COMMAND, DONE, FAILED, MISUSED, MODEL, SOURCE, CommandTest, main

SUBCOMMANDS = ["train", "tag", "evaluate", "quantize", "inspect", "bench", "completion"]


class Tests(CommandTest):
    def test_the_version_is_that_of_the_header(self):
        header = (SOURCE / "include" / "onoma" / "version.hpp").read_text()
        version = ".".join(re.findall(r"define ONOMA_VERSION_\w+ (\d+)", header))
        self.assertEqual(self.succeed("--version").out, f"onoma {version}\n")

    def test_help_names_the_subcommands(self):
        result = self.succeed("--help")
        for name in SUBCOMMANDS:
            self.assertRegex(result.out, rf"(?m)^  {name} ")
        self.assertEqual(result.err, "")

    def test_help_of_each_subcommand_has_examples_and_exit_codes(self):
        for name in SUBCOMMANDS:
            with self.subTest(name):
                out = self.succeed(name, "--help").out
                self.assertIn("Examples:", out)
                self.assertRegex(out, r"Exit codes:\n  0 .*\n  1 .*\n  2 .*\n  130 ")
                self.assertLessEqual(max(map(len, out.splitlines())), 120)

    def test_usage_errors_name_program_and_subcommand(self):
        for arguments, says in [
            ((), ["onoma: ", "train, tag, evaluate"]),
            (("tga",), ["onoma: 'tga' is no command", "train, tag, evaluate"]),
            (("--frob",), ["onoma: ", "--frob"]),
            (("tag",), ["onoma tag: ", "--model"]),
            (("tag", "--model", MODEL, "--frob"), ["onoma tag: ", "--frob", "onoma tag --help"]),
            (("tag", "--model", MODEL, "--threads", "0"), ["onoma tag: ", "--threads"]),
            (("train", "--epochs", "x"), ["onoma train: "]),
            (("evaluate",), ["onoma evaluate: ", "--model", "--gold"]),
            (("evaluate", "--model", MODEL), ["onoma evaluate: "]),
            (("quantize", "--format", "int4"), ["onoma quantize: ", "int4"]),
        ]:
            with self.subTest(arguments):
                result = self.refuse(MISUSED, *arguments, says=says)
                self.assertEqual(result.out, "")

    def test_devices_that_are_not_there_are_refused_by_name(self):
        for name in ("tag", "evaluate", "quantize", "train"):
            self.refuse(MISUSED, name, "--device", "cuda", says=[f"onoma {name}: ", "'cpu'", "'cuda'"])
        self.succeed("tag", "--model", MODEL, "--device", "cpu", "Paris")

    def test_errors_name_what_is_wrong_in_one_line(self):
        self.refuse(FAILED, "tag", "--model", self.folder / "none", "Paris",
                    says=["onoma tag: opening model folder", "expected a folder, found nothing"])
        self.refuse(FAILED, "evaluate", "--model", MODEL, SOURCE / "README.md",
                    says=["onoma evaluate: ", "README.md"])
        # A name with a line break stays in its line.
        self.refuse(FAILED, "tag", "--model", "a\nb", "Paris", says="onoma tag: opening model folder a\\nb")

    def test_quiet_leaves_standard_error_empty(self):
        result = self.succeed("tag", "--quiet", "--model", MODEL, "Paris")
        self.assertEqual(result.err, "")

    def test_completion_offers_options_and_files_in_bash(self):
        script = self.succeed("completion", "bash").out
        path = self.write("onoma.bash", script)

        def complete(*words):
            line = f"""source {path}; COMP_WORDS=({' '.join(words)}); COMP_CWORD={len(words) - 1}
                       _onoma; printf '%s\\n' "${{COMPREPLY[@]}}" """
            done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, cwd=self.folder)
            self.assertEqual(done.stderr, "")
            return done.stdout.split()

        self.assertEqual(complete("onoma", "ta"), ["tag"])
        self.assertEqual(complete("onoma", "tag", "--mod"), ["--model"])
        self.assertEqual(sorted(complete("onoma", "train", "--max")),
                         ["--max-grad-norm", "--max-length", "--max-tokens"])
        self.assertEqual(complete("onoma", "tag", "--model", "ono"), ["onoma.bash"])

    def test_completion_scripts_name_every_option(self):
        help_text = self.succeed("tag", "--help").out
        options = set(re.findall(r"(?<=[ ,])--[a-z-]+", help_text)) - {"--text"}
        for shell in ("bash", "zsh", "fish"):
            script = self.succeed("completion", shell).out
            for option in options & {"--model", "--json", "--conll", "--word-column", "--threads", "--color"}:
                self.assertIn(option if shell != "fish" else f"-l {option[2:]}", script)


if __name__ == "__main__":
    main()
