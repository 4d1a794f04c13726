"""The files of one commit as an engine may see them: read one by one, links followed inside the tree only, all of it counted.

Nothing is checked out. A link becomes what it points to, so whoever gets a copy has regular files only.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from downwind.errors import Refused

Kind = Literal["file", "link", "directory", "submodule"]
_HOPS = 40
_POINTER = b"version https://git-lfs.github.com/spec/"


class FileTree(Protocol):
    """Paths are from the root, parts joined by `/`; the root is "". Nothing is followed and nothing is checked."""

    def entries(self, path: str) -> Mapping[str, Kind]:
        """What lies directly in a directory, by name. `path` is a directory of this tree, and so for `read`."""

    def read(self, path: str) -> bytes:
        """A file's content, or the text of a link."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TreeLimits:
    """Of what one directory of manifests may bring along, and of how much is looked at to find it."""

    files: int = 5_000
    bytes: int = 32 << 20
    entries: int = 100_000
    depth: int = 64


TREE_LIMITS = TreeLimits()


class TreeReader:
    """One reading of a tree; what it gives out counts against the limits. Refused, with the path, for what leaves the tree,
    submodules, Git LFS pointers, names that git would not check out, and more than the limits."""

    def __init__(self, tree: FileTree, limits: TreeLimits = TREE_LIMITS) -> None:
        self._tree = tree
        self._limits = limits
        self._known: dict[str, Mapping[str, Kind]] = {}
        self._read: dict[str, bytes] = {}
        self._seen = 0
        self._bytes = 0

    def forget(self, path: str) -> None:
        """What lies in this directory has changed: another tree was put into it."""
        self._known.pop(path, None)

    def locate(self, path: str) -> tuple[str, Literal["file", "directory"]] | None:
        """Where `path` leads, links followed; None where nothing is."""
        at: list[str] = []
        pending = path.split("/")[::-1]
        hops = 0
        while pending:
            part = pending.pop()
            if part in {"", "."}:
                continue
            if part == "..":
                if not at:
                    raise Refused(f"{path} leaves the repository", field=path, fix="keep what it needs in it")
                at.pop()
                continue
            refuse_name(part, path)
            here = "/".join(at)
            kind = self._entries(here).get(part)
            full = f"{here}/{part}" if here else part
            if kind is None:
                return None
            if kind == "submodule":
                raise Refused(
                    f"{full} is a submodule; its files are not in this repository",
                    field=full,
                    fix="commit what it holds, or name that repository under `manifests` in the catalog",
                )
            if kind == "link":
                hops += 1
                target = self._tree.read(full).decode(errors="backslashreplace")
                if hops > _HOPS or target.startswith("/"):
                    what = "leaves the repository" if target.startswith("/") else "leads in a circle"
                    raise Refused(f"the symlink {full} {what}", field=full, fix="commit what it points to instead")
                pending += target.split("/")[::-1]
                continue
            if kind == "file":
                return None if any(each not in {"", "."} for each in pending) else (full, "file")
            at.append(part)
            if len(at) > self._limits.depth:
                raise Refused(f"directories deeper than {self._limits.depth} at {'/'.join(at[:3])}/…", field=path)
        return "/".join(at), "directory"

    def directory(self, path: str) -> str:
        """The path itself, cleaned, links followed. Refused where it is no directory."""
        found = self.locate(path)
        if found is None:
            raise Refused(f"no directory {path} in the commit", field=path, fix="correct the path in the catalog")
        if found[1] == "file":
            raise Refused(f"{path} is not a directory", field=path, fix="name the directory that it lies in")
        return found[0]

    def names(self, path: str) -> frozenset[str]:
        """What lies directly in a directory."""
        return frozenset(self._entries(self.directory(path)))

    def has(self, path: str, name: str) -> bool:
        """Is there a file of that name directly in the directory? Links followed."""
        if name not in self.names(path):
            return False
        found = self.locate(f"{path}/{name}" if path else name)
        return found is not None and found[1] == "file"

    def read(self, path: str) -> bytes:
        """A file's content. Refused where there is none."""
        found = self.locate(path)
        if found is None or found[1] != "file":
            raise Refused(f"no file {path} in the commit", field=path, fix="commit it, or take the reference out")
        full = found[0]
        if full not in self._read:
            data = self._tree.read(full)
            if data.startswith(_POINTER):
                raise Refused(
                    f"{full} is a Git LFS pointer; its content is not in the repository",
                    field=full,
                    fix="commit the file itself",
                )
            self._bytes += len(data)
            self._read[full] = data
            if len(self._read) > self._limits.files:
                raise Refused(f"more than {self._limits.files} files are needed", field=path, fix="use fewer")
            if self._bytes > self._limits.bytes:
                raise Refused(f"more than {self._limits.bytes >> 20} MiB are needed", field=path, fix="use less")
        return self._read[full]

    def below(self, path: str, *, recursive: bool = True) -> Iterator[str]:
        """Every file below a directory, by its path below it, sorted; links followed."""
        stack = [""]
        while stack:
            under = stack.pop()
            prefix = f"{under}/" if under else ""
            full = f"{path}/{under}" if under else path
            directories = []
            for name in sorted(self.names(full)):
                found = self.locate(f"{full}/{name}" if full else name)
                if found is None:
                    raise Refused(
                        f"the symlink {full}/{name} points to nothing", field=f"{full}/{name}", fix="take it out"
                    )
                if found[1] == "file":
                    yield prefix + name
                elif recursive:
                    directories.append(prefix + name)
            if under.count("/") >= self._limits.depth:
                raise Refused(f"directories deeper than {self._limits.depth} under {path or '.'}", field=path)
            stack += reversed(directories)

    def _entries(self, path: str) -> Mapping[str, Kind]:
        if path not in self._known:
            found = self._tree.entries(path)
            self._seen += len(found)
            if self._seen > self._limits.entries:
                raise Refused(f"more than {self._limits.entries} names have to be looked at", field=path)
            self._known[path] = found
        return self._known[path]


def files_below(tree: FileTree, path: str, limits: TreeLimits = TREE_LIMITS) -> dict[str, bytes]:
    """All files below a directory, by their path below it. Refused as `TreeReader` refuses."""
    reader = TreeReader(tree, limits)
    reader.directory(path)
    return {name: reader.read(f"{path}/{name}") for name in reader.below(path)}


def refuse_name(part: str, path: str) -> None:
    """git would not check these out; a program that writes the files to a folder might."""
    if part.lower() == ".git" or "\\" in part or "\0" in part:
        raise Refused(f"{part!r} is not allowed as a file name", field=path, fix="rename it")
