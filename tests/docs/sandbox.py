"""A folder in which the commands of the documentation run: the command onoma at both places where the pages
have it, small corpora under the names that they use, a tiny encoder for the one that is fetched, and stand-ins
for what would install packages or build for minutes (they check their arguments).
"""

import os
import re
import shutil
import stat
import subprocess
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
COMMAND = Path(os.environ.get("ONOMA_COMMAND", SOURCE / "build" / "dev" / "onoma"))
MODEL = SOURCE / "tests" / "golden" / "data" / "bert-tiny"
CORPUS = SOURCE / "examples" / "data"

CMAKE = """#!/usr/bin/env python3
import json, os, pathlib, re, sys
arguments = sys.argv[1:]
presets = json.load(open({presets!r}))
def names(kind):
    return [p["name"] for p in presets[kind]]
def check(ok, what):
    if not ok:
        sys.exit(f"cmake: {{what}} in: cmake {{' '.join(arguments)}}")
kind = "workflowPresets" if "--workflow" in arguments else "buildPresets" if "--build" in arguments \\
    else "configurePresets"
preset = arguments[arguments.index("--preset") + 1] if "--preset" in arguments else "release"
if "--install" in arguments:
    check(arguments[arguments.index("--install") + 1] in ("build/release", "build/dev"), "an unknown build folder")
    sys.exit(0)
check(preset in names(kind), "an unknown preset")
if "--target" in arguments:
    for target in arguments[arguments.index("--target") + 1:]:
        check(re.fullmatch("onoma_command|test_[a-z_]+|install", target), f"an unknown target {{target}}")
build = pathlib.Path("build") / preset
build.mkdir(parents=True, exist_ok=True)
for name, place in (("onoma", {command!r}), ("tests", {tests!r})):
    if not (build / name).exists():
        os.symlink(place, build / name)
"""

CTEST = """#!/usr/bin/env python3
import sys
known = {labels!r}
for i, argument in enumerate(sys.argv):
    if argument in ("-L", "-LE") and sys.argv[i + 1] not in known:
        sys.exit(f"ctest: no test has the label {{sys.argv[i + 1]}}")
"""

LABELS = ["unit", "kernels", "dispatch", "gradients", "golden", "hygiene", "tools", "docs", "package", "headers",
          "capi"]

# As Universal NER has them: number, word, tag, source, annotator.
IOB2 = "# sent_id = 1\n# text = Ana bor i Oslo .\n1\tAna\tB-PER\t-\tx\n2\tbor\tO\t-\tx\n3\ti\tO\t-\tx\n" \
       "4\tOslo\tB-LOC\t-\tx\n5\t.\tO\t-\tx\n\n"


def write_program(path, text):
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IXUSR)


class Sandbox:
    def __init__(self, folder, blocks):
        """`blocks`: those that will run here; files that they name are made."""
        self.folder = Path(folder)
        text = "\n".join(block.text for block in blocks)
        for name in ("bin", "scripts", "build", "examples", "home/.local/share/bash-completion/completions",
                     "home/.config/fish/completions"):
            (self.folder / name).mkdir(parents=True)
        (self.folder / "examples" / "data").symlink_to(CORPUS)
        for place in ("bin/onoma", "build/onoma"):
            (self.folder / place).symlink_to(COMMAND)
        self.write_stand_ins()
        for part in ("train", "dev", "test"):
            shutil.copy(CORPUS / f"{part}.conll", self.folder)
            (self.folder / "ewt").mkdir(exist_ok=True)
            shutil.copy(CORPUS / f"{part}.conll", self.folder / "ewt")
        for name in ("news.txt", "tweets.txt"):
            (self.folder / name).write_text("Jane Doe moved from Paris to New York in 2019.\nIt rains.\n")
        shutil.copy(CORPUS / "test.conll", self.folder / "silver.conll")
        (self.folder / "cities.txt").write_text("Paris\tCITY\nNew York\tCITY\tny\n")
        (self.folder / "patterns.jsonl").write_text('{"label": "DATE", "pattern": [{"SHAPE": "dddd"}]}\n')
        for word in text.replace("=", " ").split():
            if word.endswith(".iob2"):
                (self.folder / word).write_text(IOB2)
        if "--predicted tagged.conll" in text and "> tagged.conll" not in text:
            shutil.copy(CORPUS / "test.conll", self.folder / "tagged.conll")
        for name in ("my-model", "build/quickstart-model", "all-MiniLM-L6-v2"):
            # Unless the blocks make it themselves.
            if not re.search(rf"--output {re.escape(name)}(\s|$)", text) and not (self.folder / name).exists():
                shutil.copytree(MODEL, self.folder / name)
        if "quickstart.sh" in text:
            shutil.rmtree(self.folder / "build" / "quickstart-model", ignore_errors=True)
            (self.folder / "build" / "onoma").unlink()

    def write_stand_ins(self):
        scripts = self.folder / "scripts"
        for name in ("quickstart.sh", "test.sh"):
            shutil.copy(SOURCE / "scripts" / name, scripts)
        write_program(scripts / "install_deps.sh", "#!/bin/sh\n")
        write_program(scripts / "fetch_encoder.sh", f"#!/bin/sh\necho {MODEL}\n")
        write_program(self.folder / "bin" / "cmake",
                      CMAKE.format(presets=str(SOURCE / "CMakePresets.json"), command=str(COMMAND),
                                   tests=str(COMMAND.parent / "tests")))
        write_program(self.folder / "bin" / "ctest", CTEST.format(labels=LABELS))

    def run(self, text):
        """Runs shell text; returns (exit code, standard output, standard error)."""
        environment = {**os.environ, "HOME": str(self.folder / "home"),
                       "PATH": f"{self.folder / 'bin'}:{os.environ['PATH']}"}
        done = subprocess.run(["bash", "-euo", "pipefail", "-c", text], cwd=self.folder, env=environment,
                              capture_output=True, text=True, timeout=900, stdin=subprocess.DEVNULL)
        return done.returncode, done.stdout, done.stderr
