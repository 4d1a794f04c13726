"""A packed chart, looked through before Helm unpacks it. Read as a stream of bounded length, so that no header in it can ask
for more memory than the limits. Rules: helm.sh/helm/v4 pkg/chart/loader/archive, 4.3.0.
"""

import gzip
import io
import posixpath
import tarfile
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from downwind.errors import Refused
from downwind.render.tree import TREE_LIMITS
from downwind.render.yaml_reader import read_documents

_ABOUT = frozenset({"Chart.yaml", "requirements.yaml"})
_HEADERS = TREE_LIMITS.files * 4 * tarfile.BLOCKSIZE + tarfile.RECORDSIZE
_DEEPEST = 8


@dataclass(frozen=True, slots=True)
class ChartArchive:
    """`names`: of all its files, archives inside it opened. `about`: those of them that say what a chart is, with content."""

    names: list[str] = field(default_factory=list)
    about: list[tuple[str, bytes]] = field(default_factory=list)


def is_packed(path: str) -> bool:
    """A path below a chart: does Helm unpack it?"""
    folder, _, name = path.rpartition("/")
    return folder.split("/")[-1] == "charts" and name.endswith((".tgz", ".tar.gz"))


def read_archive(name: str, data: bytes) -> ChartArchive:
    """Refused, naming the archive: links, devices, paths that leave it, a file twice, or more than the limits of a tree, the
    charts packed inside it counted too."""
    found = ChartArchive()
    _Reading(found).add(name, data, "", 0)
    return found


def dependencies(file: str, data: bytes | None) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Of a Chart.yaml, a requirements.yaml, or the lock of one: (where it stands, what it says)."""
    documents = read_documents(file, data) if data else []
    found = documents[0].get("dependencies") if documents else None
    for index, each in enumerate(found if isinstance(found, list) else ()):
        if isinstance(each, Mapping):
            yield f"{file}: dependencies[{index}]", each


class _Reading:
    def __init__(self, found: ChartArchive) -> None:
        self._found = found
        self._files = self._bytes = 0

    def add(self, name: str, data: bytes, into: str, depth: int) -> None:
        if depth > _DEEPEST:
            raise Refused(f"{name}: charts packed in charts, {depth} deep", field=name, fix="unpack some")
        seen: set[str] = set()
        try:
            with gzip.GzipFile(fileobj=io.BytesIO(data)) as packed:
                most = TREE_LIMITS.bytes - self._bytes + _HEADERS
                unpacked = packed.read(most + 1)
            if len(unpacked) > most:
                raise _too_much(name)
            with tarfile.open(fileobj=io.BytesIO(unpacked), mode="r:") as archive:
                for member in archive:
                    self._member(name, archive, member, into, depth, seen)
        except (tarfile.TarError, OSError, EOFError, ValueError, zlib.error, RecursionError) as error:
            raise Refused(f"{name} is no .tgz: {type(error).__name__}", field=name, fix="pack it anew") from None

    def _member(
        self, name: str, archive: tarfile.TarFile, member: tarfile.TarInfo, into: str, depth: int, seen: set[str]
    ) -> None:
        self._files += 1
        self._bytes += member.size
        outside = member.name.startswith("/") or ".." in member.name.split("/") or "\\" in member.name
        # A size below 0, of a folder too, would give room for as much that comes after it.
        if outside or not (member.isfile() or member.isdir()) or member.size < 0:
            raise Refused(f"{name}: {member.name[:120]!r} is no file inside", field=name, fix="pack it anew")
        if self._files > TREE_LIMITS.files or self._bytes > TREE_LIMITS.bytes:
            raise _too_much(name)
        if not member.isfile():
            return
        path = posixpath.normpath(member.name)
        if path in seen:
            raise Refused(f"{name}: {member.name[:120]!r} stands in it twice", field=name, fix="pack it anew")
        seen.add(path)
        self._found.names.append(into + path)
        packed = is_packed(path)
        if packed or path.rpartition("/")[2] in _ABOUT:
            stream = archive.extractfile(member)
            data = stream.read() if stream is not None else b""
            if packed:
                self.add(f"{name}: {path}", data, f"{into}{posixpath.dirname(path)}/", depth + 1)
            else:
                self._found.about.append((into + path, data))


def _too_much(name: str) -> Refused:
    limits = f"{TREE_LIMITS.files} files and {TREE_LIMITS.bytes >> 20} MiB"
    return Refused(f"{name} unpacks to too much", field=name, fix=f"use at most {limits}")
