"""A folder on this machine as the tree of a commit would be: for `downwind render DIR`, where nothing is pushed yet."""

import stat
from collections.abc import Mapping
from pathlib import Path

from downwind.errors import Refused
from downwind.render.tree import Kind


class FolderTree:
    """Implements `render.tree.FileTree`. `beside`: files that are to be in its root besides. git's own folder is left out."""

    def __init__(self, root: Path, beside: Mapping[str, bytes] | None = None) -> None:
        self._root = root
        self._beside = dict(beside or {})

    def entries(self, path: str) -> Mapping[str, Kind]:
        found: dict[str, Kind] = {} if path else dict.fromkeys(self._beside, "file")
        try:
            for each in (self._root / path).iterdir():
                mode = each.lstat().st_mode
                if each.name == ".git":
                    continue
                if stat.S_ISDIR(mode):
                    found[each.name] = "submodule" if path and (each / ".git").exists() else "directory"
                elif stat.S_ISLNK(mode):
                    found[each.name] = "link"
                elif stat.S_ISREG(mode):
                    found[each.name] = "file"
        except OSError as error:
            raise Refused(f"{path or self._root} cannot be read: {error.strerror}", field=path) from error
        return found

    def read(self, path: str) -> bytes:
        if path in self._beside:
            return self._beside[path]
        file = self._root / path
        try:
            return str(file.readlink()).encode() if file.is_symlink() else file.read_bytes()
        except OSError as error:
            raise Refused(f"{path} cannot be read: {error.strerror}", field=path) from error


def root_of(folder: Path) -> Path:
    """The repository that the folder is in; else the current folder if it lies below that, else itself. An engine reads
    nothing outside of it."""
    place = folder.resolve()
    for each in (place, *place.parents):
        if (each / ".git").exists():
            return each
    here = Path.cwd().resolve()
    return here if place.is_relative_to(here) else place
