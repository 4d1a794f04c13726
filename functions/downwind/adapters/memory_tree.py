"""A commit's files in memory: the twin of `adapters.git_tree`, and of a folder on disk."""

from collections.abc import Mapping

from downwind.render.tree import Kind


class MemoryTree:
    """Implements `render.tree.FileTree`. `special`: path to `submodule`, or to `symlink TARGET`."""

    def __init__(self, files: Mapping[str, bytes], special: Mapping[str, str] | None = None) -> None:
        self._content: dict[str, bytes] = dict(files)
        self._entries: dict[str, dict[str, Kind]] = {"": {}}
        for path in files:
            self._add(path, "file")
        for path, what in (special or {}).items():
            kind, _, target = what.partition(" ")
            self._content[path] = target.encode()
            self._add(path, "link" if kind == "symlink" else "submodule")

    def entries(self, path: str) -> Mapping[str, Kind]:
        return self._entries[path]

    def read(self, path: str) -> bytes:
        return self._content[path]

    def _add(self, path: str, kind: Kind) -> None:
        parent, _, name = path.rpartition("/")
        if parent not in self._entries:
            self._add(parent, "directory")
            self._entries[parent] = {}
        self._entries[parent][name] = kind
