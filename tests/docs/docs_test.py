"""Every code block of README and docs runs: usage: docs_test.py FILE.md, or docs_test.py --help-of SUBCOMMAND.

Shell blocks run in order in one sandbox; C++ compiles; programs that use the compiled library, in C++, C and
Python, run with a model folder and a text; CMake configures; JSON parses; output is compared with what the commands
before printed, numbers aside. blocks.py has the comments that say otherwise, with a reason.
"""

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

from blocks import Block, read_blocks
from sandbox import COMMAND, SOURCE, Sandbox

COMPILER = os.environ.get("ONOMA_CXX", "c++")
C_COMPILER = os.environ.get("ONOMA_CC", "cc")
LIBRARY = os.environ.get("ONOMA_LIBRARY", "")  # libonoma.so.MAJOR.MINOR; empty: it was not built


class Failure(Exception):
    pass


def without_numbers(text):
    return [re.sub(r"\s+", " ", re.sub(r"\d[\d.,]*", "N", line)).strip() for line in text.strip().splitlines()]


def check_output(block, printed):
    expected, found = without_numbers(block.text), without_numbers(printed)
    missing = [line for line in expected if line not in found]
    if missing:
        raise Failure(f"{block}: not printed: {missing[0]}\nprinted:\n{printed}")


def compile_cpp(block, folder):
    text = block.text
    if "int main(" not in text:
        lines = text.splitlines()
        includes = [line for line in lines if line.startswith("#include")]
        body = [line for line in lines if not line.startswith("#include")]
        text = "\n".join(["#include <onoma/onoma.hpp>", "#include <iostream>", *includes,
                          "void fragment();", "void fragment() {", block.given(), *body, "}", ""])
    source = Path(folder) / "block.cpp"
    source.write_text(text)
    done = subprocess.run([COMPILER, "-std=c++20", "-fsyntax-only", "-I", SOURCE / "include", source],
                          capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{block}: does not compile:\n{done.stderr[:3000]}")


def uses_compiled_library(block):
    return block.language in ("c", "python") or (block.language == "cpp" and "<onoma/compiled.hpp>" in block.text)


def run_compiled(block, sandbox):
    """A program that takes a model folder and a text; returns what it prints."""
    if not LIBRARY:
        raise Failure(f"{block}: needs the compiled library (ONOMA_BUILD_COMPILED)")
    source = "program." + {"cpp": "cpp", "c": "c", "python": "py"}[block.language]
    (sandbox.folder / source).write_text(block.text)
    compilers = {"cpp": f"{COMPILER} -std=c++17", "c": f"{C_COMPILER} -std=c99 -pedantic-errors"}
    program = f"{sys.executable} program.py"
    build = ""
    if block.language != "python":
        program = "./program"
        build = f"{compilers[block.language]} -Wall -Wextra -Werror -I {SOURCE}/include -I {SOURCE}/capi {source} " \
                f"-o program {LIBRARY}\n"
    code, out, err = sandbox.run(f"{build}export LD_LIBRARY_PATH={Path(LIBRARY).parent}\n"
                                 f"{program} my-model 'Jane Doe moved from Paris to New York.'")
    if code != 0 or not out:
        raise Failure(f"{block}: exit code {code}:\n{out[-2000:]}\n{err[-2000:]}")
    return out


def configure_cmake(block, folder):
    """A fragment gets a project around it. onoma is the source folder, whichever way it is looked for."""
    project = Path(folder) / "project"
    project.mkdir()
    (project / "main.cpp").write_text("int main() {}\n")
    (project / "onoma").symlink_to(SOURCE)
    text = block.text
    if "project(" not in text:
        text = "cmake_minimum_required(VERSION 3.21)\nproject(app LANGUAGES CXX)\n" + text + \
               "add_executable(app main.cpp)\ntarget_link_libraries(app PRIVATE onoma::onoma)\n"
    # Not installed here: the package test does that. Its own folder is then the package.
    text = re.sub(r"find_package\(onoma [^)]*\)", "add_subdirectory(onoma)", text)
    (project / "CMakeLists.txt").write_text(text)
    done = subprocess.run(["cmake", "-S", project, "-B", project / "build", f"-DCMAKE_CXX_COMPILER={COMPILER}",
                           f"-DONOMA_BUILD_COMPILED={'ON' if 'onoma::compiled' in text else 'OFF'}",
                           f"-DFETCHCONTENT_SOURCE_DIR_ONOMA={SOURCE}"], capture_output=True, text=True)
    if done.returncode != 0:
        raise Failure(f"{block}: does not configure:\n{done.stdout}{done.stderr}")


def parse_json(block):
    text = block.text.strip()
    try:
        json.loads(text if text[0] in "[{" else "{" + text + "}")
    except ValueError as problem:
        raise Failure(f"{block}: no JSON: {problem}") from problem


def run_block(block, sandbox, printed):
    """Returns what it printed; the output before, if it prints nothing."""
    if block.rule.startswith(("not run: ", "output not compared: ")) or block.rule == "data":
        return printed
    if block.rule == "output":
        check_output(block, printed)
    elif block.language == "sh":
        code, out, err = sandbox.run(block.text)
        if code != 0:
            raise Failure(f"{block}: exit code {code}:\n{out[-2000:]}\n{err[-2000:]}")
        return out
    elif uses_compiled_library(block):
        return run_compiled(block, sandbox)
    elif block.language in ("cpp", "cmake"):
        with tempfile.TemporaryDirectory() as folder:
            (compile_cpp if block.language == "cpp" else configure_cmake)(block, folder)
    elif block.language == "json":
        parse_json(block)
    else:
        raise Failure(f"{block}: no way to test a block of '{block.language or 'nothing'}': name its language, or "
                      "say what it is (tests/docs/blocks.py)")
    return printed


def check_inline_commands(path):
    """Options of `onoma SUBCOMMAND --option` in the prose are options that there are."""
    helps = {}
    for match in re.finditer(r"`onoma (\w+)([^`]*)`", path.read_text(encoding="utf-8")):
        name = match[1]
        if name not in helps:
            done = subprocess.run([COMMAND, name, "--help"], capture_output=True, text=True)
            if done.returncode != 0:
                raise Failure(f"{path.name}: `{match[0]}`: {done.stderr}")
            helps[name] = done.stdout
        for option in re.findall(r"--[a-z-]+", match[2]):
            if option not in helps[name]:
                raise Failure(f"{path.name}: {match[0]}: onoma {name} has no {option}")


def help_blocks(name):
    done = subprocess.run([COMMAND, name, "--help"], capture_output=True, text=True, check=True)
    examples = done.stdout.split("Examples:\n", 1)[1].split("\n\n", 1)[0]
    return [Block(Path(f"onoma {name} --help"), 1, "sh", re.sub(r"(?m)^  ", "", examples) + "\n", "")]


def main():
    if sys.argv[1] == "--help-of":
        blocks = help_blocks(sys.argv[2])
    else:
        path = Path(sys.argv[1]).resolve()
        check_inline_commands(path)
        blocks = read_blocks(path)
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(folder, blocks)
        printed = ""
        for block in blocks:
            printed = run_block(block, sandbox, printed)
            print(f"{block}: {block.rule or block.language}")


if __name__ == "__main__":
    try:
        main()
    except (Failure, ValueError) as problem:
        sys.exit(str(problem))
