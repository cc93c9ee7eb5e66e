"""What the tests of faults share: commands that write, and running them while a system call fails."""

import errno
import hashlib
import os
import random
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

SOURCE = Path(__file__).resolve().parents[2]
COMMAND = os.environ.get("ONOMA_COMMAND", str(SOURCE / "build" / "dev" / "onoma"))
SYSTEM_CALLS = os.environ.get("ONOMA_SYSTEM_CALLS", str(SOURCE / "build" / "dev" / "tests" / "faults" / "system_calls"))
ENCODER = str(SOURCE / "tests" / "golden" / "data" / "bert-tiny")
WHOLE = os.environ.get("ONOMA_FAULTS") == "whole"  # every fault, and not a choice of them

# A process that is traced cannot look for its own leaks.
ENVIRONMENT = {**os.environ, "ASAN_OPTIONS": os.environ.get("ASAN_OPTIONS", "") + ":detect_leaks=0"}

SENTENCES = "jane {0}\nwas O\nin O\nberlin {1}\n\nanna {0}\nsaw O\nlondon {1}\n\n"
# The same number of labels, other names, another order: weights of one under labels of the other would load.
OLD, NEW = SENTENCES.format("B-PER", "B-LOC"), SENTENCES.format("B-AAA", "B-ZZZ").replace("jane B-AAA", "jane B-ZZZ")

MODEL, STATE = "saved-model", "run-state"  # names that no message has by chance

# What a call may return. Those that change nothing are let fail once, to see that this is noticed or does not matter.
ERRORS = {
    "open": ["EACCES", "EMFILE", "ENOSPC"], "write": ["EIO", "ENOSPC", "short"], "writev": ["EIO", "ENOSPC"],
    "copy": ["EIO"], "fsync": ["EIO", "ENOSPC"], "close": ["EIO"], "rename": ["EACCES", "EIO", "ENOSPC"],
    "mkdir": ["ENOSPC", "EACCES"], "unlink": ["EACCES"], "rmdir": ["EACCES"], "link": ["EIO", "EPERM"],
    "symlink": ["EIO"], "ftruncate": ["EIO"], "truncate": ["EIO"], "fallocate": ["ENOSPC", "EOPNOTSUPP"],
    "flock": ["ENOLCK"], "mmap": ["ENOMEM"], "chmod": ["EPERM"], "chown": ["EPERM"], "stat": ["EIO", "EACCES"],
    "statfs": ["EIO"], "read": ["EIO"], "lseek": ["EIO"], "getdents": ["EIO"], "readlink": ["EIO"],
    "access": ["EACCES"],
}
CHANGES = {"open", "write", "writev", "copy", "fsync", "close", "rename", "mkdir", "unlink", "rmdir", "link", "symlink",
           "ftruncate", "truncate", "fallocate", "flock", "chmod", "chown"}


class Call:
    """A line of the log of system_calls.cpp. Paths are those below the folder that is looked at."""

    def __init__(self, line, folder):
        fields = line.rstrip("\n").split("\t")
        self.number = int(fields[0])
        self.name = fields[1]
        self.result = None if fields[2] == "-" else int(fields[2])
        self.path, self.second = ((str(Path(os.path.relpath(p, folder))) if p else None) for p in fields[3:5])
        self.flags, self.descriptor, self.offset = (int(f) for f in fields[5:8])
        self.data = bytes.fromhex(fields[8])
        self.touched = fields[9] == "1"

    def __str__(self):
        return f"{self.name} {self.path}" + (f" {self.second}" if self.second else "")


class Run:
    """What a traced command left."""

    def __init__(self, process, calls):
        self.code, self.err, self.calls = process.returncode, process.stderr, calls
        self.touched = next((call for call in calls if call.touched), None)


def digests(folder):
    """Of every file by its name; None where there is no folder."""
    if not folder.is_dir():
        return None
    return {str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(folder.rglob("*")) if path.is_file()}


class FaultTest(unittest.TestCase):
    """`data` has what commands read, `disk` what they write to; only calls below `disk` are counted."""

    maxDiff = None

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.data, self.disk = (Path(folder.name).resolve() / name for name in ("data", "disk"))
        self.data.mkdir()
        self.disk.mkdir()
        for name, text in (("old", OLD), ("new", NEW)):
            (self.data / f"{name}.conll").write_text(text)

    def train(self, corpus, output, *more, epochs=1):
        return ["train", "--encoder", ENCODER, "--train", self.data / f"{corpus}.conll", "--output", output, "--epochs",
                epochs, "--batch-size", "1", "--threads", "1", "--overwrite", *more]

    def quantize(self, corpus, output):
        return ["quantize", "--model", self.data / f"float-{corpus}", "--output", output, "--overwrite"]

    def succeed(self, arguments):
        process = subprocess.run([COMMAND, *map(str, arguments)], capture_output=True, text=True, timeout=240,
                                 env=ENVIRONMENT)
        self.assertEqual(process.returncode, 0, process.stderr)
        return process

    has_exchange = True  # whether the disk can exchange two names

    def traced(self, arguments, at=0, action="", lasting=False):
        """Runs a command with the call number `at` going wrong. 0: none."""
        log = self.data / "calls.log"
        options = ["--at", str(at), "--action", str(getattr(errno, action, action)), "--log", str(log)]
        options += ["--lasting"] if lasting else []
        options += [] if self.has_exchange else ["--no-exchange"]
        process = subprocess.run(
            [SYSTEM_CALLS, "--below", str(self.disk), *options, COMMAND, *map(str, arguments)], capture_output=True,
            text=True, timeout=240, env=ENVIRONMENT)
        if process.returncode == 77:
            self.skipTest(process.stderr.strip())
        return Run(process, [Call(line, self.disk) for line in log.read_text().splitlines()])

    def empty_disk(self):
        shutil.rmtree(self.disk)
        self.disk.mkdir()

    def choice(self, all_of_them, count, seed=1):
        """All in the long form of a test, else so many of them, always the same ones."""
        all_of_them = list(all_of_them)
        if WHOLE or len(all_of_them) <= count:
            return all_of_them
        return random.Random(seed).sample(all_of_them, count)


def main():
    unittest.main(verbosity=2)
