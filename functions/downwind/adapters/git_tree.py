"""One commit's files out of one fetched pack, read object by object. It comes from outside: bounds are checked."""

import stat
import threading
import weakref
from collections.abc import Iterator
from contextlib import ExitStack
from io import BytesIO
from typing import TYPE_CHECKING

from downwind.adapters.git_pack import unpacked_size
from downwind.errors import Refused, TransientError

if TYPE_CHECKING:
    from dulwich.pack import Pack

MAX_FILES = 5_000
MAX_BYTES = 32 << 20
MAX_ENTRIES = 500_000
MAX_DEPTH = 64
LFS_POINTER = b"version https://git-lfs.github.com/spec/"


class Tree:
    """The tree of one commit. `size`: bytes it may hold, the pack and its objects. Safe to read from several threads."""

    def __init__(self, pack: "Pack", root: bytes, size: int) -> None:
        self._pack = pack
        self._root = root
        self._mutex = threading.Lock()
        self.size = size
        weakref.finalize(self, pack.close)  # a cache may drop it while another thread reads

    def files(self, path: str) -> dict[str, bytes]:
        """As `ports.Repository.files`."""
        parts = clean_path(path)
        found: dict[str, bytes] = {}
        total = 0
        with self._mutex:
            start = self._directory(parts, path)
            for name, mode, blob in self._walk(start, tuple(parts)):
                refuse_special(name, "symlink" if stat.S_ISLNK(mode) else "submodule" if _is_submodule(mode) else None)
                _refuse_name(name)
                if len(found) >= MAX_FILES:
                    raise Refused(f"more than {MAX_FILES} files under {path or '.'}", field=path)
                data = self._raw(blob)
                total += len(data)
                if total > MAX_BYTES:
                    raise Refused(f"more than {MAX_BYTES >> 20} MiB under {path or '.'}", field=path)
                refuse_pointer(name, data)
                found["/".join(name.split("/")[len(parts) :])] = data
        return found

    def blobs(self) -> dict[str, str]:
        """As `ports.Repository.blobs`: files, symlinks and submodules; no directories."""
        with self._mutex:
            return {name: entry.decode() for name, _mode, entry in self._walk(self._root, ())}

    def _directory(self, parts: list[str], path: str) -> bytes:
        current = self._root
        for depth, part in enumerate(parts):
            entry = next((entry for entry in self._entries(current) if entry[0] == part), None)
            if entry is None:
                raise Refused(f"no directory {path} in the commit", field=path)
            _name, mode, current = entry
            if stat.S_ISLNK(mode) or _is_submodule(mode):
                refuse_special("/".join(parts[: depth + 1]), "symlink" if stat.S_ISLNK(mode) else "submodule")
            if not stat.S_ISDIR(mode):
                raise Refused(f"{path} is not a directory", field=path)
        return current

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


def clean_path(path: str) -> list[str]:
    """The parts of a directory's path below the root; "" and "." are the root."""
    parts = [part for part in path.split("/") if part not in {"", "."}]
    if ".." in parts:
        raise Refused(f"{path} leaves the repository", field=path)
    return parts


def refuse_special(name: str, kind: str | None) -> None:
    if kind is not None:
        raise Refused(f"{name} is a {kind}; only regular files can be read", field=name)


def refuse_pointer(name: str, data: bytes) -> None:
    if data.startswith(LFS_POINTER):
        raise Refused(f"{name} is a Git LFS pointer; its content is not in the repository", field=name)


def _refuse_name(name: str) -> None:
    """git would not check these out; a program that writes the files to a folder might."""
    for part in name.split("/"):
        if part in {"", ".", ".."} or part.lower() == ".git" or "\\" in part or "\0" in part:
            raise Refused(f"{name!r} is not allowed as a file name", field=name)


def _is_submodule(mode: int) -> bool:
    return stat.S_IFMT(mode) == 0o160000
