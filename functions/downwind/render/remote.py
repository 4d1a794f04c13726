"""Bases in other repositories, where the catalog allows their host: pinned by a whole commit id, read by us, and put beside the
tree, so that the engine finds a path where an address stood.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from downwind.errors import Refused
from downwind.render.engine import Fetched
from downwind.render.tree import FileTree, Kind

MOUNTS = ".downwind-remote"
"""A directory of the root that holds them, one each by number. A repository's own of that name is not seen."""
_MOST = 20
_BASE = re.compile(r"(?:https://)?(?P<host>[A-Za-z0-9.-]+)/(?P<rest>[A-Za-z0-9._/-]+)\?(?P<query>[A-Za-z0-9=&._/-]+)")
_COMMIT = re.compile(r"[0-9a-f]{40}([0-9a-f]{24})?")
_QUIET = frozenset({"timeout", "submodules"})

Trees = Callable[[str, str], FileTree]
"""The tree of a commit of a public repository: (https address, commit)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """`place`: host, owner and repository, without scheme and `.git`. `path`: of the directory in it."""

    place: str
    commit: str
    path: str

    @property
    def address(self) -> str:
        return f"https://{self.place}.git"


def read_base(value: str, where: str) -> Base | None:
    """What Kustomize would take for `https://HOST/OWNER/REPOSITORY[.git][//]PATH?ref=COMMIT`; None: it has another form.

    Refused: no whole commit id, since a branch or a tag is another tomorrow.
    """
    found = _BASE.fullmatch(value)
    if found is None or (not value.startswith("https://") and found["host"].lower() != "github.com"):
        return None
    rest = found["rest"]
    for mark in ("//", ".git/"):
        if mark in rest:
            repository, _, path = rest.partition(mark)
            break
    else:
        owner, _, more = rest.partition("/")
        name, _, path = more.partition("/")
        repository = f"{owner}/{name}"
    repository = repository.removesuffix(".git").strip("/")
    query = dict(each.partition("=")[::2] for each in found["query"].split("&"))
    commit = query.pop("ref", "")
    if "/" not in repository or ".." in rest.split("/") or set(query) - _QUIET:
        return None
    if not _COMMIT.fullmatch(commit):
        raise Refused(
            f"{where}: {value[:120]!r} is not pinned",
            field=where,
            fix="write ?ref= and a whole commit id of 40 hex digits",
        )
    return Base(place=f"{found['host'].lower()}/{repository}", commit=commit, path=path.strip("/"))


class MountedTree:
    """A tree with others beside it. Implements `render.tree.FileTree`; `allowed` are `HOST` or `HOST/OWNER[/REPOSITORY]`."""

    def __init__(self, main: FileTree, trees: Trees | None, allowed: tuple[str, ...]) -> None:
        self._main = main
        self._trees = trees
        self._allowed = tuple(each.lower() for each in allowed)
        self._mounts: dict[tuple[str, str], tuple[int, FileTree]] = {}

    @property
    def fetched(self) -> tuple[Fetched, ...]:
        return tuple(Fetched(address=f"https://{place}.git", commit=commit) for place, commit in self._mounts)

    def mount(self, value: str, where: str) -> str | None:
        """The path at which the base of this address lies from now on; None: the address is not allowed, or no base."""
        if not self._allowed:
            return None
        base = read_base(value, where)
        if base is None or self._trees is None:
            return None
        place = base.place.lower()
        if not any(place == each or place.startswith(f"{each}/") for each in self._allowed):
            return None
        key = (base.place, base.commit)
        if key not in self._mounts:
            if len(self._mounts) >= _MOST:
                raise Refused(f"{where}: more than {_MOST} other repositories", field=where, fix="use fewer")
            self._mounts[key] = (len(self._mounts), self._trees(base.address, base.commit))
        root = f"{MOUNTS}/{self._mounts[key][0]}"
        return f"{root}/{base.path}" if base.path else root

    def entries(self, path: str) -> Mapping[str, Kind]:
        if path == MOUNTS:
            return {str(number): "directory" for number, _ in self._mounts.values()}
        tree, below = self._owner(path)
        found = tree.entries(below)
        return {**found, MOUNTS: "directory"} if not path and self._mounts else found

    def read(self, path: str) -> bytes:
        tree, below = self._owner(path)
        return tree.read(below)

    def _owner(self, path: str) -> tuple[FileTree, str]:
        if not path.startswith(f"{MOUNTS}/"):
            return self._main, path
        _, number, *below = path.split("/")
        tree = next(each for known, each in self._mounts.values() if str(known) == number)
        return tree, "/".join(below)


def mount_of(path: str) -> str:
    """Which tree a path is in: "" is the main one."""
    return "/".join(path.split("/")[:2]) if path.startswith(f"{MOUNTS}/") else ""
