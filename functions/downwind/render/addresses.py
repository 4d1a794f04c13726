"""What Kustomize and Helm would take for an address, and not for a path of the tree.

Rules: kustomize api/internal/loader (`IsRemoteFile`) and api/internal/git (`NewRepoSpecFromURL`), 5.8.2; wider where that costs
nothing, since a directory whose name reads like an address is fetched even where it lies in the tree.
"""

import posixpath
import re

from downwind.errors import Refused
from downwind.render.remote import mount_of

_ADDRESS = re.compile(r"\s*([a-z][a-z0-9+.-]*(://|::)|https?:|gh:|git@|github\.com)", re.IGNORECASE)

_REMOTE_FIX = (
    "commit a copy of it, and name that by its path, or allow its host (manifests.kustomize.remote) and pin a commit"
)


def local_file(value: str, where: str) -> str:
    """`value` as a path of a file. Refused: an address, and a path from the machine's root."""
    if "://" in value or value.lower().startswith("git::"):
        raise _remote(value, where)
    return _relative(value, where)


def local_directory(value: str, where: str) -> str:
    """`value` as a path of a file or directory. Refused: whatever could be read as a repository's address, too."""
    lowered = value.lower()
    if any(sign in value for sign in ":@?") or lowered.startswith(("github.com", "gh:")) or "_git/" in lowered:
        raise _remote(value, where)
    return _relative(value, where)


def refuse_as_path(value: str, where: str, path: str) -> None:
    """`value` is YAML that stands in a kustomization of the directory `path`. Kustomize takes a text that it cannot read as
    objects for a path or an address, and cleans a path letter by letter: `a: b/../../x` is `../x`. Refused: what would then
    lead out of the tree."""
    full = posixpath.normpath(posixpath.join(path, value))
    if full == ".." or full.startswith(("../", "/")) or mount_of(full) != mount_of(path) or _ADDRESS.match(value):
        raise Refused(
            f"{where}: {_cut(value)!r} could be read as a path or an address outside this repository",
            field=where,
            fix="put it into a file, and name that",
        )


def _relative(value: str, where: str) -> str:
    if value.startswith("/"):
        raise Refused(
            f"{where}: {_cut(value)!r} is a path of the machine", field=where, fix="name it from this file's folder"
        )
    if "\n" in value or not value:
        raise Refused(f"{where}: {_cut(value)!r} is no path", field=where, fix="name a file of the repository")
    return value


def _remote(value: str, where: str) -> Refused:
    return Refused(f"{where}: {_cut(value)!r} is an address outside this repository", field=where, fix=_REMOTE_FIX)


def _cut(value: str) -> str:
    return value if len(value) <= 120 else f"{value[:120]}…"
