"""What a chart needs of the tree, found before Helm sees any of it: the chart, the charts beside it that it depends on, and
its values files. Rules: helm.sh/helm/v4 pkg/chart (Chart.yaml, requirements.yaml, charts/), 4.3.0.
"""

import posixpath
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.model.engines import HelmOptions
from downwind.model.patterns import path_matches
from downwind.render.chart_archive import dependencies, is_packed, read_archive
from downwind.render.engine import Fetched
from downwind.render.pinned_charts import Archives, PinnedCharts
from downwind.render.tree import TreeReader

_MOST_CHARTS = 100
_BESIDE = "file://"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChartFiles:
    """`chart`: content by path below the chart's directory. `values`: the values files in their order."""

    chart: dict[str, bytes]
    values: tuple[bytes, ...]
    fetched: tuple[Fetched, ...] = ()


def chart_files(reader: TreeReader, path: str, options: HelmOptions, archives: Archives | None = None) -> ChartFiles:
    """`archives`: where the charts come from that the options pin.

    Refused, naming file and field: a dependency that is neither in the tree nor pinned, an archive that unpacks to too much or
    to anything but files, and a values file that is not there."""
    walk = _Charts(reader, PinnedCharts(options, archives))
    walk.add(reader.directory(path), "")
    values = tuple(
        reader.read(name)
        for index, pattern in enumerate(options.values)
        for name in _matching(reader, path, pattern, f"manifests.helm.values[{index}]")
    )
    return ChartFiles(chart=walk.files, values=values, fetched=tuple(walk.pinned.fetched))


class _Charts:
    def __init__(self, reader: TreeReader, pinned: PinnedCharts) -> None:
        self._reader = reader
        self.pinned = pinned
        self._placed: set[str] = set()
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
            if is_packed(name) and _is_subchart(posixpath.dirname(posixpath.dirname(name))):
                read_archive(posixpath.join(path, name), data)
            self.files[into + name] = data
        for chart in sorted({name for name in self.files if name.startswith(into)}):
            below, _, last = chart.removeprefix(into).rpartition("/")
            if last == "Chart.yaml" and _is_subchart(below):
                self._dependencies(path, into, f"{below}/" if below else "")
        self._above.pop()

    def _dependencies(self, path: str, into: str, below: str) -> None:
        """Of the chart itself, and of those that lie unpacked in its `charts`."""
        for name, lock in (("Chart.yaml", "Chart.lock"), ("requirements.yaml", "requirements.lock")):
            file = posixpath.join(path, below + name)
            locked = self.files.get(into + below + lock)
            versions = None if locked is None else (posixpath.join(path, below + lock), locked)
            for where, each in dependencies(file, self.files.get(into + below + name)):
                self._dependency(each, where, path, into, below, versions)

    def _dependency(
        self,
        dependency: Mapping[str, Any],
        where: str,
        path: str,
        into: str,
        below: str,
        lock: tuple[str, bytes] | None,
    ) -> None:
        name, repository = str(dependency.get("name") or ""), str(dependency.get("repository") or "")
        charts = f"{into}{below}charts/"
        packed = re.compile(rf"{re.escape(f'{charts}{name}')}-v?[0-9][^/]*\.(tgz|tar\.gz)")
        own = self.files.keys() - self._placed
        if any(each == f"{charts}{name}/Chart.yaml" or packed.fullmatch(each) for each in own):
            return
        if not repository.startswith(_BESIDE):
            file, data = self.pinned.place(dependency, where, lock, charts)
            if self.files.setdefault(charts + file, data) != data:
                raise Refused(f"{where}: there is another {file} beside it", field=where, fix="use one of them")
            self._placed.add(charts + file)
            return
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
    """The chart itself, `charts/a`, or `charts/a/charts/b`."""
    parts = below.split("/") if below else []
    return len(parts) % 2 == 0 and all(part == "charts" for part in parts[::2])


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
