"""A model of a disk: what may be on it after the power was cut, given the system calls that were done before.

It is that of file systems that keep the order of changes within a folder (ext4, XFS, btrfs), and takes nothing more for
granted than they promise, and often less:

- Changes of a folder (names made, renamed, removed) reach the disk in their order, and a cut keeps any number of the
  first ones. Changes of two folders have no order between them. fsync of the folder brings all of them there.
- A rename is one change, also where it is from a folder to another, and so is RENAME_EXCHANGE.
- What was written to a file may be missing since its last fsync: all of it, its second half, or it reads as zeros,
  and that of each file by itself. The name of a file may be there before its content.
- fsync of a file does not bring its name there.
"""

import itertools
import os

EXCHANGE, TEMPORARY = 2, 0o20000000  # RENAME_EXCHANGE, O_TMPFILE without O_DIRECTORY


class File:
    def __init__(self, content=b""):
        self.content = bytearray(content)
        self.kept = bytes(content)  # what is on the disk in any case

    def contents(self):
        """All that may be on the disk."""
        now, size = bytes(self.content), len(self.content)
        return [self.kept] if now == self.kept else [self.kept, now, now[:size // 2], bytes(size)]


class Link(File):
    pass


class Folder:
    def __init__(self):
        self.entries = {}
        self.kept = {}
        self.changes = []  # since the last fsync, oldest first


class Change:
    """Of one folder or two: for each, what becomes of names."""

    def __init__(self, *parts):
        self.parts = parts  # (folder, {name: what it stands for, or None})
        for folder, names in parts:
            apply(folder.entries, names)
        for folder in {id(folder): folder for folder, _ in parts}.values():
            folder.changes.append(self)


def apply(entries, names):
    for name, entry in names.items():
        if entry is None:
            entries.pop(name, None)
        else:
            entries[name] = entry


class Disk:
    def __init__(self, root):
        self.root = self.read(root)
        self.open = {}  # by descriptor

    def read(self, path):
        folder = Folder()
        for entry in os.scandir(path):
            if entry.is_symlink():
                folder.entries[entry.name] = Link(os.readlink(entry.path).encode())
            elif entry.is_dir():
                folder.entries[entry.name] = self.read(entry.path)
            else:
                with open(entry.path, "rb") as file:
                    folder.entries[entry.name] = File(file.read())
        folder.kept = dict(folder.entries)
        return folder

    def find(self, path):
        place = self.root
        for name in [] if path == "." else path.split("/"):
            place = place.entries.get(name) if isinstance(place, Folder) else None
        return place

    def split(self, path):
        folder, name = os.path.split(path)
        return self.find(folder or "."), name

    def do(self, call):
        """A line of the log (faults.Call). Calls that failed changed nothing."""
        if call.result is None or call.result < 0:
            return
        act = getattr(self, "do_" + call.name, None)
        if act is None:
            raise ValueError(f"what does {call} do to a disk?")
        act(call)

    def nothing(self, call):
        pass

    do_stat = do_statfs = do_read = do_lseek = do_getdents = do_readlink = do_access = do_chmod = do_chown = nothing
    do_flock = nothing

    def do_mmap(self, call):
        if call.flags & 1:
            raise ValueError("a shared mapping, whose writes are not seen")

    def do_open(self, call):
        if call.flags & TEMPORARY:
            self.open[call.result] = File()  # without a name
            return
        if self.find(call.path) is None:
            folder, name = self.split(call.path)
            Change((folder, {name: File()}))
        self.open[call.result] = found = self.find(call.path)
        if call.flags & os.O_TRUNC and isinstance(found, File):
            found.content = bytearray()

    def do_close(self, call):
        self.open.pop(call.descriptor, None)

    def do_write(self, call):
        content = self.open[call.descriptor].content
        content.extend(bytes(max(0, call.offset - len(content))))
        content[call.offset:call.offset + len(call.data)] = call.data

    def do_ftruncate(self, call):
        content = self.open[call.descriptor].content
        del content[call.offset:]
        content.extend(bytes(call.offset - len(content)))

    def do_fallocate(self, call):
        pass  # space of files without names, or kept beyond the end

    def do_fsync(self, call):
        place = self.open[call.descriptor]
        if isinstance(place, File):
            place.kept = bytes(place.content)
            return
        while place.changes:
            keep(place.changes[0])

    def do_mkdir(self, call):
        folder, name = self.split(call.path)
        Change((folder, {name: Folder()}))

    def do_unlink(self, call):
        folder, name = self.split(call.path)
        Change((folder, {name: None}))

    do_rmdir = do_unlink

    def do_symlink(self, call):
        folder, name = self.split(call.path)
        Change((folder, {name: Link()}))

    def do_link(self, call):
        folder, name = self.split(call.second)
        Change((folder, {name: self.find(call.path)}))

    def do_rename(self, call):
        (source, name), (target, new_name) = self.split(call.path), self.split(call.second)
        moved, other = source.entries[name], target.entries.get(new_name)
        left = other if call.flags != -1 and call.flags & EXCHANGE else None
        if source is target:
            Change((source, {name: left, new_name: moved}))
        else:
            Change((source, {name: left}), (target, {new_name: moved}))

    def folders(self):
        """All with changes that may be missing, also those whose names are gone: they may come back."""
        found, todo = {}, [self.root]
        while todo:
            folder = todo.pop()
            if id(folder) in found:
                continue
            found[id(folder)] = folder
            entries = list(folder.entries.values()) + list(folder.kept.values())
            for change in folder.changes:
                entries += [e for part in change.parts for e in part[1].values()]
            todo += [e for e in entries if isinstance(e, Folder)]
        return [folder for folder in found.values() if folder.changes]

    def after_a_cut(self, name):
        """All that may then be under a name in the root: None, the bytes of a file, or a dict of a folder's entries."""
        folders = self.folders()
        for counts in itertools.product(*(range(len(folder.changes) + 1) for folder in folders)):
            kept = {id(folder): folder.changes[:count] for folder, count in zip(folders, counts)}
            whole = all(change in kept[id(folder)] for changes in kept.values() for change in changes
                        for folder, _ in change.parts)
            if whole:
                yield from contents(self.view(self.root, kept).get(name), lambda folder: self.view(folder, kept))

    @staticmethod
    def view(folder, kept):
        entries = dict(folder.kept)
        for change in kept.get(id(folder), []):
            for place, names in change.parts:
                if place is folder:
                    apply(entries, names)
        return entries


def keep(change):
    """Brings a change to the disk, in all of its folders."""
    for folder, _ in change.parts:
        while folder.changes and change in folder.changes:
            first = folder.changes[0]
            if first is not change and len(first.parts) > 1:
                keep(first)
                continue
            folder.changes.pop(0)
            for place, names in first.parts:
                if place is folder:
                    apply(folder.kept, names)


def contents(place, view):
    """Of a file, a folder or nothing: all combinations of what its files may have."""
    if place is None:
        yield None
    elif isinstance(place, File):
        yield from place.contents()
    else:
        entries = view(place)
        for all_of_them in itertools.product(*(list(contents(entry, view)) for entry in entries.values())):
            yield dict(zip(entries, all_of_them))
