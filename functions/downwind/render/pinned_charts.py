"""Charts elsewhere that a chart depends on: only those that the catalog allows, each pinned by the SHA-256 of its archive.

`helm template` never fetches; what is given out here goes into `charts` of the copy, where Helm looks. A range has to mean the
version that the catalog pins, and a lock file beside it has to agree.
"""

import hashlib
import re
import shlex
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.errors import Refused
from downwind.model.engines import HelmOptions, PinnedChart
from downwind.render.chart_archive import ChartArchive, dependencies, read_archive
from downwind.render.engine import Fetched
from downwind.render.tree import TREE_LIMITS
from downwind.render.versions import Version, read_version, satisfies
from downwind.render.yaml_reader import read_documents

_MOST = 20
_COMMIT = "commit it: helm dependency build, then git add --force charts"

Archives = Callable[[PinnedChart, tuple[str, ...]], bytes]
"""The bytes of a pinned chart's .tgz: (chart, hosts that its address may lead on to). As `ports_of_artifacts.Charts.archive`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Need:
    """A dependency; `wanted` is its version or range, `where` it stands."""

    name: str
    repository: str
    wanted: str
    where: str

    def refused(self, what: str, fix: str) -> Refused:
        return Refused(f"{self.where}: {what}", field=self.where, fix=fix)

    def means(self, version: str) -> bool:
        found = satisfies(_version(version), self.wanted)
        if found is None:
            raise self.refused(f"{self.wanted[:60]!r} is no version or range", "write one as ~1.2, ^1.2.3 or 1.2.3")
        return found


class PinnedCharts:
    """Of one rendering. `fetched`: what was, in its order."""

    def __init__(self, options: HelmOptions, archives: Archives | None) -> None:
        self._options = options
        self._archives = archives
        self._bytes = 0
        self._known: dict[PinnedChart, bytes] = {}
        self._placed: dict[str, list[tuple[_Need, PinnedChart]]] = {}
        self.fetched: list[Fetched] = []

    def place(
        self, dependency: Mapping[str, Any], where: str, lock: tuple[str, bytes] | None, charts: str
    ) -> tuple[str, bytes]:
        """The name in the folder `charts`, and the archive, of what satisfies a dependency. `lock`: the lock file's path and
        content.

        Refused: the catalog allows none, the lock disagrees, or Helm could not tell it from another in that folder; and an
        archive that is not the chart that was pinned, or does not bring what it depends on.
        """
        name, repository, wanted = (str(dependency.get(key) or "") for key in ("name", "repository", "version"))
        need = _Need(name=name, repository=repository.rstrip("/"), wanted=wanted, where=where)
        if not repository.startswith(("https://", "oci://")):
            what = f"comes from {_shown(repository)!r}" if repository else "is not in charts/"
            raise need.refused(f"{name[:60]!r} {what}, and nothing is fetched from there", _COMMIT)
        chart = self._chosen(need, _locked(need, lock))
        self._keep_apart(need, chart, charts)
        if chart not in self._known:
            self._known[chart] = self._fetch(chart, where)
        return f"{chart.name}-{chart.version}.tgz", self._known[chart]

    def _chosen(self, need: _Need, locked: str | None) -> PinnedChart:
        """The highest that the range means, as Helm would take it; where there is a lock, what that says."""
        fitting = [
            each
            for each in self._options.charts
            if (each.name, each.repository) == (need.name, need.repository)
            and need.means(each.version)
            and (locked is None or _plain(each.version) == _plain(locked))
        ]
        if not fitting:
            raise _not_allowed(need, locked)
        return max(fitting, key=lambda each: (_version(each.version).key, each.version))

    def _keep_apart(self, need: _Need, chart: PinnedChart, charts: str) -> None:
        """Helm finds a chart by its name and version only, so two of one name must not both be meant by one dependency."""
        others = self._placed.setdefault(charts, [])
        for other, placed in others:
            same = placed.name == chart.name and placed.sha256 != chart.sha256
            if same and (other.means(chart.version) or need.means(placed.version)):
                what = f"{chart.name} {chart.version} from {placed.name} {placed.version} of {other.where}"
                raise need.refused(f"Helm cannot tell {what}", "write ranges that do not overlap")
        others.append((need, chart))

    def _fetch(self, chart: PinnedChart, where: str) -> bytes:
        if self._archives is None or len(self._known) >= _MOST:
            what = f"more than {_MOST} charts are fetched" if self._archives else "charts are not fetched here"
            raise Refused(f"{where}: {what}", field=where, fix=_COMMIT)
        data = self._archives(chart, self._options.redirects)
        if hashlib.sha256(data).hexdigest() != chart.sha256:  # whoever gave it has looked already
            raise Refused(f"{chart.address} is not the archive that the catalog pins", field=where, fix=_COMMIT)
        self._bytes += len(data)
        if self._bytes > TREE_LIMITS.bytes:
            raise Refused(f"{where}: charts of more than {TREE_LIMITS.bytes >> 20} MiB", field=where, fix="use fewer")
        _check(chart, read_archive(chart.address, data), where)
        self.fetched.append(Fetched(address=chart.address, sha256=chart.sha256))
        return data


def _check(chart: PinnedChart, archive: ChartArchive, where: str) -> None:
    """Refused: another chart, or one that needs what it does not bring."""
    stray = next((each for each in archive.names if not each.startswith(f"{chart.name}/")), None)
    if stray is not None:
        what = f"{stray[:120]!r}, which is not in {chart.name}/"
        raise Refused(f"{chart.address} holds {what}", field=where, fix=_COMMIT)
    file = f"{chart.name}/Chart.yaml"
    data = next((data for path, data in archive.about if path == file), b"")
    documents = read_documents(f"{chart.address}: {file}", data)
    said = {key: str(documents[0].get(key)) for key in ("name", "version")} if documents else {}
    if said.get("name") != chart.name or _plain(said["version"]) != _plain(chart.version):
        what = f"{said['name'][:60]} {said['version'][:60]}" if said else "no chart"
        raise Refused(
            f"{chart.address} is {what}, not {chart.name} {chart.version}",
            field=where,
            fix="correct the entry of manifests.helm.charts in the catalog",
        )
    brought = set(archive.names)
    for path, data in archive.about:
        folder = path.rpartition("/")[0]
        if not _is_chart(folder):
            continue
        for place, each in dependencies(f"{chart.address}: {path}", data):
            if f"{folder}/charts/{each.get('name')}/Chart.yaml" not in brought:
                raise Refused(
                    f"{place}: {chart.name} {chart.version} needs {str(each.get('name'))[:60]!r} and does not bring it",
                    field=where,
                    fix=f"{_COMMIT}; or use an archive that has it in charts/",
                )


def _is_chart(folder: str) -> bool:
    """`a`, `a/charts/b`, `a/charts/b/charts/c`: where Helm takes a Chart.yaml for one."""
    parts = folder.split("/")
    return len(parts) % 2 == 1 and all(part == "charts" for part in parts[1::2])


def _locked(need: _Need, lock: tuple[str, bytes] | None) -> str | None:
    """The version that the lock file has; None: there is no such file. Where one name stands in it twice, the range tells."""
    if lock is None:
        return None
    file, data = lock
    versions = [
        str(each.get("version"))
        for _, each in dependencies(file, data)
        if (each.get("name"), str(each.get("repository")).rstrip("/")) == (need.name, need.repository)
    ]
    fitting = [each for each in versions if need.means(each)]
    if not fitting:
        what = f"{need.name} {versions[0]}" if versions else f"no {need.name} of {_shown(need.repository)}"
        raise need.refused(
            f"{file} has {what[:200]}, and {need.wanted[:60]!r} is wanted",
            "run helm dependency update, and commit both files",
        )
    return fitting[0]


def _version(text: str) -> Version:
    """What is none is below all others; no range that somebody writes means it."""
    return read_version(text) or Version(0, 0, 0, "0")


def _plain(version: str) -> str:
    return version.removeprefix("v")


def _shown(repository: str) -> str:
    """Without a password that somebody wrote into it."""
    return re.sub(r"//[^/]*@", "//…@", repository)[:120]


def _not_allowed(need: _Need, locked: str | None) -> Refused:
    name, repository, wanted = need.name[:60], _shown(need.repository), (locked or need.wanted)[:60]
    exact = wanted if read_version(wanted) else f"<the one to use of {wanted}>"
    entry = f'{{repository: "{repository}", name: {name}, version: "{exact}", sha256: <of its .tgz>}}'
    oci = repository.startswith("oci://")
    words = ["helm", "pull", *([f"{repository}/{name}"] if oci else [name, "--repo", repository]), "--version", wanted]
    return need.refused(
        f"{name!r} ({wanted or 'any version'}) of {repository!r} is not among the catalog's manifests.helm.charts, and "
        "nothing else is fetched",
        f"{_COMMIT}; or add {entry} there: {shlex.join(words)} && sha256sum {shlex.quote(name)}-*.tgz",
    )
