"""The code blocks of a Markdown file, and what a comment before them says about their test.

    <!-- test: not run: REASON -->          the block is shown and not run; the reason says why that is right
    <!-- test: given: DECLARATIONS -->      C++ in front of a fragment that is no program by itself
    <!-- test: output -->                   what the block before prints, with other numbers
    <!-- test: output not compared: REASON -->
    <!-- test: data -->                     a file that the commands read
"""

import re
from dataclasses import dataclass
from pathlib import Path

RULES = ("not run: ", "given: ", "output", "output not compared: ", "data")


@dataclass
class Block:
    path: Path
    line: int
    language: str
    text: str
    rule: str  # of the comment; empty if there is none

    def __str__(self):
        return f"{self.path.name}:{self.line}"

    def given(self):
        return self.rule.removeprefix("given: ") if self.rule.startswith("given: ") else ""


def read_blocks(path):
    blocks, lines, rule = [], path.read_text(encoding="utf-8").splitlines(), ""
    at = 0
    while at < len(lines):
        comment = re.fullmatch(r"<!-- test: (.*) -->", lines[at].strip())
        fence = re.fullmatch(r"(\s*)```(\w*)", lines[at])
        if comment:
            rule = comment[1]
            if not (rule in ("output", "data") or any(rule.startswith(r) for r in RULES if r.endswith(": "))):
                raise ValueError(f"{path}:{at + 1}: unknown rule of a test: {rule}")
        elif fence:
            end = next(i for i in range(at + 1, len(lines)) if lines[i].strip() == "```")
            indent = len(fence[1])
            text = "\n".join(line[indent:] for line in lines[at + 1 : end]) + "\n"
            blocks.append(Block(path, at + 1, fence[2], text, rule))
            at, rule = end, ""
        elif lines[at].strip():
            rule = ""
        at += 1
    return blocks
