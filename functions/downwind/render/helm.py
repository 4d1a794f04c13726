"""What a chart needs of the tree, found before Helm sees any of it: the chart, the charts beside it that it depends on, and
its values files. Rules: helm.sh/helm/v4 pkg/chart (Chart.yaml, requirements.yaml, charts/), 4.3.0.
"""

import io
import posixpath
import tarfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.model.engines import HelmOptions
from downwind.model.patterns import path_matches
from downwind.render.tree import TREE_LIMITS, TreeReader
from downwind.render.yaml_reader import read_documents

_MOST_CHARTS = 100
_BESIDE = "file://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFiles:
    """`chart`: content by path below the chart's directory. `values`: the values files in their order."""

    chart: dict[str, bytes]
    values: tuple[bytes, ...]


def chart_files(reader: TreeReader, path: str, options: HelmOptions) -> ChartFiles:
    """Refused, naming file and field: a dependency that is not in the tree, an archive that unpacks to too much or to
    anything but files, and a values file that is not there."""
    walk = _Charts(reader)
    walk.add(reader.directory(path), "")
    values = tuple(
        reader.read(name)
        for index, pattern in enumerate(options.values)
        for name in _matching(reader, path, pattern, f"manifests.helm.values[{index}]")
    )
    return ChartFiles(chart=walk.files, values=values)


class _Charts:
    def __init__(self, reader: TreeReader) -> None:
        self._reader = reader
        self._above: list[str] = []
        self._count = 0
        self.files: dict[str, bytes] = {}

    def add(self, path: str, into: str) -> None:
        """The chart at `path` of the tree, with what it depends on, under `into` of the copy."""
        self._count += 1
        if path in self._above or self._count > _MOST_CHARTS:
            what = "depends on itself" if path in self._above else f"needs more than {_MOST_CHARTS} charts"
            raise Refused(f"the chart {path} {what}", field=path, fix="take the dependency out")
        self._above.append(path)
        for name in self._reader.below(path):
            data = self._reader.read(posixpath.join(path, name))
            if name.startswith("charts/") and name.endswith((".tgz", ".tar.gz")) and name.count("/") == 1:
                _check_archive(posixpath.join(path, name), data)
            self.files[into + name] = data
        for chart in sorted({name for name in self.files if name.startswith(into)}):
            below, _, last = chart.removeprefix(into).rpartition("/")
            if last == "Chart.yaml" and (not below or _is_subchart(below)):
                self._dependencies(path, into, f"{below}/" if below else "")
        self._above.pop()

    def _dependencies(self, path: str, into: str, below: str) -> None:
        """Of the chart itself, and of those that lie unpacked in its `charts`."""
        for name in ("Chart.yaml", "requirements.yaml"):
            file = posixpath.join(path, below + name)
            data = self.files.get(into + below + name)
            documents = read_documents(file, data) if data else []
            found = documents[0].get("dependencies") if documents else None
            for index, each in enumerate(found if isinstance(found, list) else ()):
                if isinstance(each, Mapping):
                    self._dependency(each, f"{file}: dependencies[{index}]", path, into, below)

    def _dependency(self, dependency: Mapping[str, Any], where: str, path: str, into: str, below: str) -> None:
        name, repository = str(dependency.get("name") or ""), str(dependency.get("repository") or "")
        charts = f"{into}{below}charts/"
        brought = (f"{charts}{name}/Chart.yaml", f"{charts}{name}-")
        if any(each == brought[0] or (each.startswith(brought[1]) and each.endswith(".tgz")) for each in self.files):
            return
        if not repository.startswith(_BESIDE):
            what = f"comes from {repository[:120]!r}" if repository else "is not in charts/"
            raise Refused(
                f"{where}: {name[:60]!r} {what}, and nothing is fetched while rendering",
                field=where,
                fix="commit it: helm dependency build, then git add --force charts",
            )
        if not name or "/" in name or name in {".", ".."}:
            raise Refused(f"{where}: {name[:60]!r} is no name of a chart", field=where, fix="correct it")
        beside = posixpath.normpath(posixpath.join(path, below, repository.removeprefix(_BESIDE)))
        found = self._reader.locate(beside)
        if found is None or found[1] != "directory" or not self._reader.has(beside, "Chart.yaml"):
            raise Refused(
                f"{where}: no chart at {repository[:120]!r}", field=where, fix="correct the path, or commit it"
            )
        self.add(beside, f"{charts}{name}/")


def _is_subchart(below: str) -> bool:
    """`charts/a` or `charts/a/charts/b`."""
    parts = below.split("/")
    return len(parts) % 2 == 0 and all(part == "charts" for part in parts[::2])


def _check_archive(name: str, data: bytes) -> None:
    """Of a vendored chart, read as a stream. Refused: links, devices, paths that leave it, or more than the limits of a tree."""
    files = size = 0
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r|gz") as archive:
            for member in archive:
                files += 1
                size += member.size
                outside = member.name.startswith("/") or ".." in member.name.split("/") or "\\" in member.name
                if outside or not (member.isfile() or member.isdir()):
                    raise Refused(f"{name}: {member.name[:120]!r} is no file inside", field=name, fix="pack it anew")
                if files > TREE_LIMITS.files or size > TREE_LIMITS.bytes:
                    limits = f"{TREE_LIMITS.files} files and {TREE_LIMITS.bytes >> 20} MiB"
                    raise Refused(f"{name} unpacks to too much", field=name, fix=f"use at most {limits}")
    except (tarfile.TarError, OSError, EOFError, ValueError) as error:
        raise Refused(f"{name} is no .tgz: {type(error).__name__}", field=name, fix="pack it anew") from None


def _matching(reader: TreeReader, path: str, pattern: str, where: str) -> Iterator[str]:
    """Paths of the tree: of one file, or of all that a pattern means, by name."""
    rooted = pattern.startswith("/")
    base, wanted = ("" if rooted else path), pattern.lstrip("/")
    if not any(sign in wanted for sign in "*?"):
        found = reader.locate(posixpath.join(base, wanted))
        if found is None or found[1] != "file":
            raise Refused(f"{where}: no file {pattern!r}", field=where, fix="correct the path, or commit it")
        yield posixpath.join(base, wanted)
        return
    fixed = "/".join(part for part in _before_glob(wanted))
    start = posixpath.join(base, fixed)
    found = reader.locate(start)
    below = reader.below(start) if found is not None and found[1] == "directory" else ()
    names = [posixpath.join(fixed, name) for name in below]
    matching = sorted(name for name in names if path_matches([wanted], name))
    if not matching:
        raise Refused(f"{where}: no file matches {pattern!r}", field=where, fix="correct it, or take it out")
    for name in matching:
        yield posixpath.join(base, name)


def _before_glob(pattern: str) -> Iterator[str]:
    for part in pattern.split("/")[:-1]:
        if any(sign in part for sign in "*?"):
            return
        yield part
