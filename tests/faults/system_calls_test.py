"""Every system call of the commands that write fails, or is the last one: the old folder whole or the new one whole."""

import os
import shutil
import sys
from collections import Counter

from faults import CHANGES, ERRORS, MODEL, STATE, WHOLE, FaultTest, digests, main

REMOVALS = ("unlink", "rmdir")


def model_of(found):
    """The files that make a model. README.md is written after the scores, as a file of its own."""
    if found is None:
        return None
    return {name: digest for name, digest in found.items() if name != "README.md"}


def belongs_to_removal(call):
    """Where a removal fails, what it would have removed stays: it is swept by the next run."""
    listing = call.name in ("open", "getdents", "close", "stat") and call.path.endswith(".tmp")
    return call.name in REMOVALS or (listing and (call.name != "open" or call.flags & os.O_DIRECTORY))


class Tests(FaultTest):
    def leftovers(self):
        inside = {f"{MODEL}/{path.name}" for path in self.disk.glob(MODEL + "/*.tmp")}
        return ({path.name for path in self.disk.iterdir()} | inside) - {MODEL, STATE}

    def saved(self):
        found = digests(self.disk / MODEL)
        return found and {name: digest for name, digest in found.items() if not name.endswith(".tmp")}

    def prepare(self, old):
        self.empty_disk()
        if old is not None:
            shutil.copytree(old, self.disk / MODEL)

    def check_after(self, run, action, old, new, arguments):
        """@returns what was found: old, new or absent."""
        where = f"{action} at {run.touched}: exit {run.code}, {run.err}"
        found = self.saved()
        states = {"new": model_of(new), "old" if old is not None else "absent": model_of(old)}
        verdict = next((name for name, files in states.items() if model_of(found) == files), "mixed")
        left = self.leftovers()
        if verdict == "mixed" and found is None and not self.has_exchange and run.touched.name == "rename":
            verdict = "aside"  # between two renames, the second of which puts the new folder where the old one was
            self.assertTrue(action == "kill" or run.lasting, where)
            self.assertIn(model_of(old), [model_of(digests(path)) for path in self.disk.glob(MODEL + ".*.old")], where)
        self.assertNotEqual(verdict, "mixed", where + f" left {found}")
        if action == "kill":
            self.assertEqual(run.code, 128 + 9, where)
        else:
            self.assertIn(run.code, (0, 1), where)
            if run.code == 0:
                self.assertEqual(found, new, where)
            else:
                self.assertIn(str(self.disk), run.err, where)
            if not belongs_to_removal(run.touched) and verdict != "aside":
                self.assertEqual(left, set(), where)
        self.succeed(arguments)
        self.assertEqual(self.saved(), new, where)
        between = not self.has_exchange and run.touched.name == "rename"
        stay = {name for name in left if between and name.startswith(MODEL + ".")}
        self.assertLessEqual(self.leftovers(), stay, where)
        return verdict

    def every_fault(self, arguments, old, new, count):
        """`old`: a folder to save over, or None. `new`: the digests of what the command saves."""
        self.prepare(old)
        calls = self.traced(arguments).calls
        self.assertGreater(len(calls), 50)
        faults = [(call.number, action, lasting) for call in calls for action, lasting in
                  [(action, False) for action in ERRORS[call.name]] +
                  ([("kill", False)] if call.name in CHANGES else []) +
                  ([("ENOSPC", True)] if call.name in ("write", "mkdir", "rename") else [])]
        seen = Counter()
        old_files = None if old is None else digests(old)
        for at, action, lasting in self.choice(faults, count):
            self.prepare(old)
            run = self.traced(arguments, at, action, lasting)
            run.lasting = lasting
            if run.touched is None:  # half of one byte, or names in another order
                continue
            with self.subTest(at=at, action=action, call=str(run.touched), lasting=lasting):
                verdict = self.check_after(run, action, old_files, new, arguments)
                seen[f"{'killed' if action == 'kill' else 'exit ' + str(run.code)}, {verdict}"] += 1
        print(f"{sum(seen.values())} of {len(faults)} faults:", dict(sorted(seen.items())), file=sys.stderr)
        if WHOLE:
            self.assertGreater(sum(seen.values()), 0.9 * len(faults))

    def train_both(self, *more):
        """@returns the old folder, and the digests of the new one as it is saved over the old one."""
        self.succeed(self.train("old", self.data / "old"))
        self.succeed(self.train("new", self.disk / MODEL, *more))
        return self.data / "old", digests(self.disk / MODEL)

    def test_training_over_a_model(self):
        old, new = self.train_both()
        different = {name for name in new if new[name] != digests(old)[name]}
        self.assertEqual(different, {"README.md", "config.json", "model.safetensors"})
        self.every_fault(self.train("new", self.disk / MODEL), old, new, 15)

    def test_training_into_a_new_folder(self):
        _, new = self.train_both()
        self.every_fault(self.train("new", self.disk / MODEL), None, new, 10)

    def test_training_over_a_model_where_names_cannot_be_exchanged(self):
        old, new = self.train_both()
        self.has_exchange = False
        self.every_fault(self.train("new", self.disk / MODEL), old, new, 15)

    def test_training_with_a_state(self):
        more = ("--checkpoint", self.disk / STATE, "--checkpoint-every", "1", "--resume")
        old, new = self.train_both(*more)
        self.every_fault(self.train("new", self.disk / MODEL, *more), old, new, 15)

    def quantize_both(self):
        for corpus in ("old", "new"):
            self.succeed(self.train(corpus, self.data / f"float-{corpus}"))
        self.succeed(self.quantize("old", self.data / "old"))
        self.succeed(self.quantize("new", self.disk / MODEL))
        return self.data / "old", digests(self.disk / MODEL)

    def test_quantising_over_a_model(self):
        old, new = self.quantize_both()
        self.every_fault(self.quantize("new", self.disk / MODEL), old, new, 15)

    def test_quantising_into_a_new_folder(self):
        _, new = self.quantize_both()
        self.every_fault(self.quantize("new", self.disk / MODEL), None, new, 10)


if __name__ == "__main__":
    main()
