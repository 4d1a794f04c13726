"""`scripts/compare-rendering`: what we make of kustomizations and charts, beside `kubectl kustomize` and `helm template`.

Ours is the whole way to a bundle, without annotations. Objects are compared as values, whatever their order; nulls are left
out on both sides, since Spinnaker drops them. Both Helms get the same options.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from downwind.adapters.engine_renderer import KUBERNETES
from downwind.adapters.folder_tree import FolderTree
from downwind.errors import DownwindError, Refused
from downwind.model.engines import EngineOptions, KustomizeOptions
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.engine import KUSTOMIZATIONS, EngineUsed, Rendered, Text, engine_of, read_objects
from downwind.render.serialise import clean, split
from downwind.wiring import make_renderer

RELEASE = ReleaseFacts(application="", environment="", namespace="", commit="", marked=False)
# What we refuse on purpose, whatever the engine would have done: the reference is not even run, since it would fetch.
ON_PURPOSE = (
    "address outside this repository",
    "runs Helm inside Kustomize",
    "is a plugin of its own",
    "is a function",
    "is Helm inside Kustomize",
    "and nothing else is fetched",
    "and nothing is fetched from there",
    "printed more than",
    "has generateName",
    "has no metadata",
)


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """`state`: same, differs, refused (on purpose), both empty, both fail, only we fail, only they fail."""

    folder: str
    engine: str
    state: str
    objects: int = 0
    text: str = ""


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/compare-rendering", description=__doc__)
    parser.add_argument(
        "folders", nargs="+", type=Path, metavar="DIR", help="looked through for kustomizations and charts"
    )
    parser.add_argument("--kubectl", default="kubectl", help="the program, for `kubectl kustomize`")
    parser.add_argument("--helm", default="helm", help="the program, for `helm template`")
    parser.add_argument(
        "--plain", action="store_true", help="folders of plain manifests too, beside Kustomize's reading of them"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every verdict there")
    parser.add_argument(
        "--verbose", action="store_true", help="a line for each, not only for those that are not the same"
    )
    given = parser.parse_args()
    verdicts = []
    for root in given.folders:
        for folder in _found(root, plain=given.plain):
            verdict = _compare(root.resolve(), folder.resolve(), given.kubectl, given.helm)
            verdicts.append(verdict)
            if given.verbose or verdict.state not in {"same", "refused", "both empty"}:
                print(f"{verdict.state:14}{verdict.engine:10}{verdict.folder}: {verdict.text[:300]}", flush=True)
    for (engine, state), number in sorted(Counter((each.engine, each.state) for each in verdicts).items()):
        objects = sum(each.objects for each in verdicts if (each.engine, each.state) == (engine, state))
        print(f"{engine:10}{state:14}{number:5} folders {objects:6} objects")
    if given.json:
        given.json.write_text(json.dumps([vars(each) for each in verdicts], indent=2) + "\n", encoding="utf-8")
    return int(any(each.state in {"differs", "only we fail"} for each in verdicts))


def _found(root: Path, *, plain: bool) -> Iterator[Path]:
    """Folders with a kustomization or a chart; not components, and not the charts inside of charts. `plain`: those of which
    every file looks like manifests, too."""
    for folder in sorted(path for path in (root, *root.rglob("*")) if path.is_dir() and not path.is_symlink()):
        names = {path.name for path in folder.iterdir() if path.is_file()}
        in_chart = "charts" in folder.parts and any((up / "Chart.yaml").exists() for up in folder.parents[:2])
        kustomizations = sorted(names & KUSTOMIZATIONS)
        if kustomizations:
            if b"kind: Component" not in (folder / kustomizations[0]).read_bytes():  # of itself it renders nothing
                yield folder
        elif "Chart.yaml" in names:
            if not in_chart:
                yield folder
        elif plain and not any((up / "Chart.yaml").exists() for up in folder.parents) and _has_manifests(folder):
            yield folder


def _has_manifests(folder: Path) -> bool:
    files = [each for each in folder.iterdir() if each.suffix in {".yaml", ".yml", ".json"} and each.is_file()]
    texts = [each.read_bytes() for each in files]
    return bool(texts) and all(b"apiVersion" in text and b"kind" in text for text in texts)


def _compare(root: Path, folder: Path, kubectl: str, helm: str) -> Verdict:
    path = folder.relative_to(root).as_posix()
    path = "" if path == "." else path
    engine = engine_of(each.name for each in folder.iterdir() if each.is_file())
    options = EngineOptions(kustomize=KustomizeOptions(load="repository") if engine == "kustomize" else None)
    ours: list[Any] | None = None
    said = ""
    try:
        rendered = make_renderer(120).render(FolderTree(root), path, options)
        ours = split(make_bundle(read_objects(rendered), RELEASE).documents)
    except DownwindError as error:
        said = error.reason if isinstance(error, Refused) else str(error)
    where = f"{root.name}/{path}"
    if ours is None and any(each in said for each in ON_PURPOSE):
        return Verdict(folder=where, engine=engine, state="refused", text=said)
    command = [kubectl, "kustomize", "--load-restrictor", "LoadRestrictionsNone", "."]
    if engine == "helm":
        command = [helm, "template", "release", ".", "--namespace", "default", "--kube-version", KUBERNETES]
        command += ["--include-crds", "--skip-tests"]
    with tempfile.TemporaryDirectory() as scratch:
        if engine == "plain":
            names = sorted(each.name for each in folder.iterdir() if each.suffix in {".yaml", ".yml", ".json"})
            for name in names:
                shutil.copy(folder / name, scratch)
            (Path(scratch) / "kustomization.yaml").write_text(json.dumps({"resources": names}))
        place = scratch if engine == "plain" else folder
        done = subprocess.run(command, cwd=place, capture_output=True, timeout=300, check=False)
    if done.returncode != 0:
        state = "both fail" if ours is None else "only they fail"
        return Verdict(folder=where, engine=engine, state=state, text=f"{said} <> {done.stderr.decode()[-300:]}")
    if ours is None:
        state = "only we fail" if done.stdout.strip() else "both empty"
        return Verdict(folder=where, engine=engine, state=state, text=said)
    theirs = [clean(each, "theirs") for each in _read(done.stdout)]
    left, right = Counter(map(_line, ours)), Counter(map(_line, theirs))
    if left == right:
        return Verdict(folder=where, engine=engine, state="same", objects=len(ours))
    text = f"ours alone: {[*(left - right)][:2]} theirs alone: {[*(right - left)][:2]}"
    return Verdict(folder=where, engine=engine, state="differs", objects=len(ours), text=text)


def _read(printed: bytes) -> list[dict[str, Any]]:
    texts = (Text(name="theirs", data=printed),)
    return read_objects(Rendered(engine=EngineUsed(name="helm"), texts=texts))


def _line(value: Any) -> str:
    return json.dumps(value, sort_keys=True)


if __name__ == "__main__":
    sys.exit(main())
