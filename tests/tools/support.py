"""What the tests of the command share: running it, and small corpora."""

import json
import os
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ONOMA_COMMAND", str(SOURCE / "build" / "dev" / "onoma"))
# A BERT of 2 layers of 32 with random weights and 9 labels: what it finds means nothing, but it finds a lot.
MODEL = str(SOURCE / "tests" / "golden" / "data" / "bert-tiny")
CORPUS = SOURCE / "examples" / "data"

DEV, TEST = CORPUS / "dev.conll", CORPUS / "test.conll"

DONE, FAILED, MISUSED, INTERRUPTED = 0, 1, 2, 130


class Result:
    """What one run of the command left."""

    def __init__(self, process):
        self.code = process.returncode
        self.out = process.stdout
        self.err = process.stderr

    def json(self):
        return json.loads(self.out)

    def json_lines(self):
        return [json.loads(line) for line in self.out.splitlines()]


class CommandTest(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = Path(folder.name)

    def run_command(self, *arguments, stdin=b"", encoding="utf-8", **options):
        process = subprocess.run([COMMAND, *map(str, arguments)], input=stdin, capture_output=True, timeout=240,
                                 **options)
        process.stdout = process.stdout.decode(encoding)
        process.stderr = process.stderr.decode(encoding)
        return Result(process)

    def succeed(self, *arguments, **options):
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.code, DONE, result.err)
        return result

    def refuse(self, code, *arguments, says=(), **options):
        """The command ends with this code and one line on standard error that has all of `says`."""
        result = self.run_command(*arguments, **options)
        self.assertEqual(result.code, code, result.err)
        lines = [line for line in result.err.splitlines() if ": warning: " not in line]
        self.assertEqual(len(lines), 1, result.err)
        for text in [says] if isinstance(says, str) else says:
            self.assertIn(text, lines[0])
        return result

    def write(self, name, content):
        path = self.folder / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path


def main():
    unittest.main(verbosity=2)
