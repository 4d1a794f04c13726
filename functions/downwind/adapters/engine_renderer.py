"""Kustomize and Helm, the real programs, on a copy of what the tree's walk has let through; and plain manifests, without any.

Commands: `kustomize build` (no plugins, no Helm, no network), `helm template` (asks no cluster). The copy has regular files
only, and goes away with its folder.
"""

import json
import posixpath
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from downwind import logs
from downwind.adapters.engine_programs import Programs
from downwind.adapters.plain_renderer import refuse_options, render_plain
from downwind.adapters.sandbox import RUN_LIMITS, run, walls
from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions
from downwind.render.engine import EngineUsed, Fetched, Rendered, Text, engine_for
from downwind.render.helm import chart_files
from downwind.render.kustomize import kustomization
from downwind.render.pinned_charts import Archives
from downwind.render.remote import Trees
from downwind.render.tree import FileTree, TreeReader

KUBERNETES = "1.37.0"
"""What Helm tells charts of the cluster where the catalog says nothing: the newest that this Helm knows."""


class EngineRenderer:
    """Implements `ports.Renderer`. `wall`: seconds after which a slow machine is given up for this time."""

    def __init__(
        self,
        programs: Programs,
        wall: float = RUN_LIMITS.wall,
        trees: Trees | None = None,
        archives: Archives | None = None,
    ) -> None:
        """`trees` and `archives`: where bases of other repositories and charts come from, if the catalog allows any."""
        self._programs = programs
        self._trees = trees
        self._archives = archives
        self._told = False
        self._limits = replace(RUN_LIMITS, wall=wall)

    def render(self, tree: FileTree, path: str, options: EngineOptions) -> Rendered:
        reader = TreeReader(tree)
        engine = engine_for(reader, path)
        if engine == "plain":
            return render_plain(reader, path, options)
        refuse_options(options, engine)
        # What is wrong with the tree is said first, on a machine without the engine too.
        prepared = (
            _kustomize(tree, path, options, self._trees)
            if engine == "kustomize"
            else _helm(reader, path, options, self._archives)
        )
        program = self._programs.find(engine)
        isolated = walls()
        if len(isolated) < 2 and not self._told:
            self._told = True
            logs.warning("engines run without a wall that this machine cannot give", isolated=list(isolated))
        name = f"{engine} {'build' if engine == 'kustomize' else 'template'} {path or '.'}"
        with tempfile.TemporaryDirectory(prefix="downwind-") as folder:
            scratch = Path(folder)
            (scratch / "home").mkdir()
            _write(scratch, prepared.files)
            command = [str(program.path), *prepared.arguments]
            printed = run(name, command, scratch / prepared.folder, scratch / "home", self._limits)
        used = EngineUsed(name=engine, version=program.version, sha256=program.sha256, isolated=isolated)
        return Rendered(engine=used, texts=(Text(name=name, data=printed),), fetched=prepared.fetched)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Prepared:
    """`files` and `folder` are paths below the scratch folder; the program runs in `folder`."""

    files: Mapping[str, bytes]
    folder: str
    arguments: tuple[str, ...]
    fetched: tuple[Fetched, ...]


def _kustomize(tree: FileTree, path: str, options: EngineOptions, trees: Trees | None) -> _Prepared:
    given = options.kustomize or KustomizeOptions()
    found = kustomization(tree, path, given.remote, trees)
    files = {f"tree/{name}": data for name, data in found.files.items()}
    folder = f"tree/{path}"
    over = {
        key: value
        for key, value in (
            ("namespace", given.namespace),
            ("namePrefix", given.name_prefix),
            ("nameSuffix", given.name_suffix),
        )
        if value is not None
    }
    if over:
        overlay = {"resources": [posixpath.join("../tree", path)], **over}
        files["overlay/kustomization.yaml"] = json.dumps(overlay).encode()
        folder = "overlay"
    restrict = "LoadRestrictionsNone" if given.load == "repository" else "LoadRestrictionsRootOnly"
    arguments = ("build", "--load-restrictor", restrict, ".")
    return _Prepared(files=files, folder=folder, arguments=arguments, fetched=found.fetched)


def _helm(reader: TreeReader, path: str, options: EngineOptions, archives: Archives | None) -> _Prepared:
    given = options.helm or HelmOptions()
    found = chart_files(reader, path, given, archives)
    files = {f"chart/{name}": data for name, data in found.chart.items()}
    values = [f"values/{number}.yaml" for number in range(len(found.values))]
    files.update(zip(values, found.values, strict=True))
    if given.inline:
        values.append("values/inline.json")
        files["values/inline.json"] = json.dumps(given.inline, sort_keys=True).encode()
    arguments = ["template", given.release or options.release, "."]
    arguments += ["--namespace", given.namespace or options.namespace]
    arguments += ["--kube-version", given.kubernetes_version or KUBERNETES]
    for version in given.api_versions:
        arguments += ["--api-versions", version]
    for name in values:
        arguments += ["--values", f"../{name}"]
    arguments += ["--skip-tests", "--skip-crds" if given.skip_crds else "--include-crds"]
    arguments += ["--no-hooks"] if given.hooks == "leave" else []
    return _Prepared(files=files, folder="chart", arguments=tuple(arguments), fetched=found.fetched)


def _write(scratch: Path, files: Mapping[str, bytes]) -> None:
    for parent in {(scratch / name).parent for name in files}:
        parent.mkdir(parents=True, exist_ok=True)
    for name, data in files.items():
        (scratch / name).write_bytes(data)
