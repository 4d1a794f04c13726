"""One commit's files out of one fetched pack, read object by object. It comes from outside: bounds are checked.

What may be read of it, and how much, is checked where it is read (`render.tree`)."""

import stat
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import TYPE_CHECKING

from downwind.adapters.git_pack import unpacked_size
from downwind.errors import Refused, TransientError
from downwind.render.tree import Kind

if TYPE_CHECKING:
    from dulwich.pack import Pack

MAX_ENTRIES = 500_000
MAX_DEPTH = 64


class Tree:
    """The tree of one commit. `size`: bytes it may hold, the pack and its objects. Safe to read from several threads."""

    def __init__(self, pack: "Pack", root: bytes, size: int) -> None:
        self._pack = pack
        self._root = root
        self._mutex = threading.Lock()
        self._ids: dict[str, bytes] = {}
        self.size = size
        weakref.finalize(self, pack.close)  # a cache may drop it while another thread reads

    def entries(self, path: str) -> dict[str, Kind]:
        """As `FileTree.entries`. TransientError where the pack is broken."""
        tree = self._id(path) if path else self._root
        with self._mutex:
            found = self._entries(tree)
            self._ids.update({f"{path}/{name}" if path else name: entry for name, _mode, entry in found})
        return {name: _kind(mode) for name, mode, _entry in found}

    def read(self, path: str) -> bytes:
        """As `FileTree.read`."""
        blob = self._id(path)
        with self._mutex:
            return self._raw(blob)

    def _id(self, path: str) -> bytes:
        if path not in self._ids:
            self.entries(path.rpartition("/")[0])
        return self._ids[path]

    def blobs(self) -> dict[str, str]:
        """As `ports.Repository.blobs`: files, symlinks and submodules; no directories."""
        with self._mutex:
            return {name: entry.decode() for name, _mode, entry in self._walk(self._root, ())}

    def _walk(self, tree: bytes, parents: tuple[str, ...]) -> Iterator[tuple[str, int, bytes]]:
        """Every entry below a tree that is not a tree itself. Counted: one small tree can be named a million times."""
        seen = 0
        stack = [(tree, parents)]
        while stack:
            current, above = stack.pop()
            if len(above) > MAX_DEPTH:
                raise Refused(f"directories deeper than {MAX_DEPTH} at {'/'.join(above[:3])}/…")
            for name, mode, entry in self._entries(current):
                seen += 1
                if seen > MAX_ENTRIES:
                    raise Refused(f"more than {MAX_ENTRIES} entries in the commit")
                if stat.S_ISDIR(mode):
                    stack.append((entry, (*above, name)))
                else:
                    yield "/".join((*above, name)), mode, entry

    def _entries(self, tree: bytes) -> list[tuple[str, int, bytes]]:
        from dulwich.objects import ObjectID
        from dulwich.objects import Tree as GitTree

        found = self._pack[ObjectID(tree)]
        if not isinstance(found, GitTree):
            raise TransientError("the repository sent a broken tree")
        # What is not UTF-8 gets a backslash, and `files` refuses those.
        return [(item.path.decode(errors="backslashreplace"), item.mode, bytes(item.sha)) for item in found.items()]

    def _raw(self, blob: bytes) -> bytes:
        from dulwich.objects import ObjectID

        return self._pack.get_raw(ObjectID(blob))[1]


def fetched_tree(data: bytes, commit: str) -> Tree:
    """The tree of `commit` in the pack `data`. Ids are computed from the content, so the pack cannot lie about them."""
    from dulwich.object_format import SHA1, SHA256
    from dulwich.objects import Commit, ObjectID
    from dulwich.pack import MemoryPackIndex, Pack, PackData

    form = SHA256 if len(commit) == 64 else SHA1
    unpacked = unpacked_size(data, form.oid_length)
    with ExitStack() as opened:
        content = opened.enter_context(PackData.from_file(BytesIO(data), form, len(data)))
        content.check()
        index = MemoryPackIndex([*content.sorted_entries()], form, content.get_stored_checksum())
        pack = opened.enter_context(Pack.from_objects(content, index))
        found = pack[ObjectID(commit.encode())]
        if not isinstance(found, Commit):
            raise Refused(f"{commit} is not a commit", field="commit")
        opened.pop_all()  # the tree closes it
        return Tree(pack, bytes(found.tree), len(data) + unpacked)


def _kind(mode: int) -> Kind:
    if stat.S_ISDIR(mode):
        return "directory"
    if stat.S_IFMT(mode) == 0o160000:
        return "submodule"
    return "link" if stat.S_ISLNK(mode) else "file"
