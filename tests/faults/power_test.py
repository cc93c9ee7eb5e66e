"""The power is cut after every system call of a run: whatever the disk kept, it has the old files or the new ones."""

import copy
import sys

from disk import Disk, File
from faults import MODEL, STATE, FaultTest, main


def read(folder):
    """A folder's files, as disk.py has them."""
    return {path.name: read(path) if path.is_dir() else path.read_bytes() for path in folder.iterdir()}


def frozen(content):
    """Something that can be compared and kept in a set."""
    return frozenset((name, frozen(c)) for name, c in content.items()) if isinstance(content, dict) else content


def parts_of(content):
    """A model, and README.md, which is a file of its own. Without what a cut left of temporary files."""
    if content is None:
        return None, None
    model = {name: c for name, c in content.items() if name != "README.md" and not name.endswith(".tmp")}
    return frozen(model), content.get("README.md")


class Tests(FaultTest):
    def every_cut(self, arguments, name, versions_of):
        """`versions_of(disk)`: what may be under `name` in this moment, oldest first. @returns all that was seen."""
        disk = Disk(self.disk)
        run = self.traced(arguments)
        self.assertEqual(run.code, 0, run.err)
        return self.replay(disk, run.calls, name, versions_of)

    def replay(self, disk, calls, name, versions_of):
        states, seen = 0, set()
        for call in calls:
            disk.do(call)
            versions = versions_of(disk)
            for content in disk.after_a_cut(name):
                states += 1
                found = parts_of(content) if name == MODEL else (content, None)
                seen.add(found)
                for part, allowed in zip(found, versions):
                    if part not in allowed:
                        self.fail(f"a cut after call {call.number}, {call}, leaves of {name} what is neither old nor "
                                  f"new: {sorted(content) if isinstance(content, dict) else content}"[:1000])
        # What a command with exit code 0 has saved, no cut takes back.
        for content in disk.after_a_cut(name):
            found = parts_of(content) if name == MODEL else (content, None)
            self.assertEqual(found, tuple(allowed[-1] for allowed in versions))
        print(f"{name}: {len(calls)} cuts, {states} states, {len(seen)} different ones", file=sys.stderr)
        return seen

    def models(self, arguments, over):
        """@returns what may be there: of the model, and of README.md. The old one, if any, is then on the disk."""
        self.succeed(arguments("new", self.disk / MODEL))
        new = parts_of(read(self.disk / MODEL))
        self.empty_disk()
        old = None, None
        if over:
            self.succeed(arguments("old", self.disk / MODEL))
            old = parts_of(read(self.disk / MODEL))
        return [old[0], new[0]], [None, old[1], new[1]]

    def cuts_of_a_model(self, arguments, over):
        versions = self.models(arguments, over)
        seen = self.every_cut(arguments("new", self.disk / MODEL), MODEL, lambda _: versions)
        self.assertEqual({model for model, _ in seen}, set(versions[0]))

    def test_training_over_a_model(self):
        self.cuts_of_a_model(self.train, over=True)

    def test_training_into_a_new_folder(self):
        self.cuts_of_a_model(self.train, over=False)

    def test_quantising(self):
        for corpus in ("old", "new"):
            self.succeed(self.train(corpus, self.data / f"float-{corpus}"))
        for over in (True, False):
            self.empty_disk()
            self.cuts_of_a_model(self.quantize, over)

    def test_a_state_of_training(self):
        versions = [None]

        def versions_of(disk):
            """The last two that had the name: until its folder is synced, it may stand for the one before."""
            found = disk.find(STATE)
            content = bytes(found.content) if isinstance(found, File) else None
            if content != versions[-1]:
                versions.append(content)
            return versions[-2:], [None]

        more = ("--checkpoint", self.disk / STATE, "--checkpoint-every", "1")
        self.every_cut(self.train("new", self.disk / MODEL, *more, epochs=3), STATE, versions_of)
        self.assertGreaterEqual(len(versions), 1 + 3)

    def test_a_sync_that_is_missing_is_noticed(self):
        versions = self.models(self.train, over=True)
        disk = Disk(self.disk)
        calls = self.traced(self.train("new", self.disk / MODEL)).calls
        synced = {call.path for call in calls if call.name == "fsync"}
        built = next(call.path for call in calls if call.name == "mkdir" and call.path.startswith(MODEL + "."))
        for which in (".", built, *(path for path in synced if path.startswith(built + "/model.safetensors"))):
            self.assertIn(which, synced)
            rest = [call for call in calls if call.name != "fsync" or call.path != which]
            with self.assertRaises(AssertionError, msg=which):
                self.replay(copy.deepcopy(disk), rest, MODEL, lambda _: versions)


if __name__ == "__main__":
    main()
