"""Renders the chart with the real Helm, and reads what it rendered."""

import base64
import functools
import os
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "infra/charts/spinnaker"
HERE = Path(__file__).parent
VALUES, GOLDEN = HERE / "values", HERE / "golden"
GKE = ROOT / "infra/gke/spinnaker-values.yaml"
SETS = {
    "trial": VALUES / "trial.yaml",
    "trial-for-downwind": VALUES / "trial-for-downwind.yaml",
    "trial-open-network": VALUES / "trial-open-network.yaml",
    "standard-oauth2": VALUES / "standard-oauth2.yaml",
    "standard-everywhere": VALUES / "standard-everywhere.yaml",
    "standard-gke": GKE,
}
"""Six installations, each with what the others have not."""
GENERATED = "generated"
"""Stands in the golden files for what is another at every rendering."""

Object = dict[str, Any]


class RefusedError(Exception):
    """Helm's own words for why it renders nothing."""


@dataclass(frozen=True)
class Helm:
    """`programs`: the directory with helm and kubectl that scripts/helm fetches."""

    programs: Path
    home: Path

    @property
    def kubectl(self) -> Path:
        return self.programs / "kubectl"

    def run(self, *arguments: str | Path, **environment: str) -> str:
        """What it prints. Raises RefusedError with what it says where it fails; it keeps its files under `home`."""
        own = {"HOME": str(self.home), "PATH": os.environ["PATH"], **environment}
        command = [self.programs / "helm", *arguments]
        done = subprocess.run(command, check=False, capture_output=True, text=True, env=own, timeout=120)
        if done.returncode:
            raise RefusedError(done.stderr)
        return done.stdout

    def template(self, values: Path, *settings: str, release: str = "spinnaker") -> str:
        return self.run("template", release, CHART, "--namespace", "spinnaker", *value_arguments(values), *settings)


def fetched(home: Path) -> Helm:
    """The Helm of HELM_DIRECTORY or of the cache. Without one the test that asks is skipped, and says so."""
    programs = Path(os.environ.get("HELM_DIRECTORY") or _cached())
    if not (programs / "helm").exists():
        pytest.skip("NOT TESTED: the chart is not rendered, Helm is missing: run scripts/helm once, or scripts/test")
    return Helm(programs, home)


def _cached() -> str:
    """Where scripts/helm puts it, without running it: it would ask the package index."""
    lines = (ROOT / "scripts/helm").read_text().splitlines()
    version = next(line.partition("helm=")[2].split()[0] for line in lines if line.startswith("helm="))
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(cache / "downwind/tools" / f"helm-{version}")


def value_arguments(values: Path) -> Sequence[str]:
    return ("--values", str(VALUES / "digests.yaml"), "--values", str(values))


def objects(text: str) -> list[Object]:
    return [document for document in yaml.load_all(text, Loader=yaml.CSafeLoader) if document]


def without_secrets(found: Sequence[Object]) -> list[Object]:
    """With `generated` for the data of every Secret."""
    return [
        {**each, "data": dict.fromkeys(each["data"], GENERATED)} if each["kind"] == "Secret" else each for each in found
    ]


def secrets(found: Sequence[Object]) -> dict[str, str]:
    return {
        f"{each['metadata']['name']}/{key}": base64.b64decode(value).decode()
        for each in found
        if each["kind"] == "Secret"
        for key, value in each["data"].items()
    }


def written(found: Sequence[Object]) -> str:
    """The form of the golden files: one document each, keys as Helm has them, texts as they are read."""
    return "".join(
        "---\n" + yaml.dump(each, Dumper=_Plain, sort_keys=False, width=140, allow_unicode=True) for each in found
    )


@functools.cache
def golden(name: str) -> list[Object]:
    return objects((GOLDEN / f"{name}.yaml").read_text())


def workloads(found: Sequence[Object]) -> Iterator[tuple[str, Object]]:
    """Name and pod template of all that runs."""
    for each in found:
        if each["kind"] in {"Deployment", "StatefulSet"}:
            yield each["metadata"]["name"], each["spec"]["template"]
        elif each["kind"] == "Pod":
            yield each["metadata"]["name"], each


def configurations(found: Sequence[Object]) -> dict[str, dict[str, Any]]:
    """By component and file: what the services read, flat. `trial/gate/gate.yml` is {"server.port": 8084, …}."""
    return {
        f"{each['metadata']['labels']['app.kubernetes.io/component']}/{file}": dict(flat(yaml.safe_load(text)))
        for each in found
        if each["kind"] == "ConfigMap"
        for file, text in each["data"].items()
        if file.endswith(".yml")
    }


def flat(value: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """As Spring reads YAML: keys with dots, and lists by index; an empty list is a value."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from flat(inner, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(value, list) and value:
        for index, inner in enumerate(value):
            yield from flat(inner, f"{prefix}[{index}]")
    else:
        yield prefix, value


class _Plain(yaml.SafeDumper):
    """Texts of several lines as blocks: golden files are for reading."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, data: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", data, style="|" if "\n" in data else None)


_Plain.add_representer(str, _text)
