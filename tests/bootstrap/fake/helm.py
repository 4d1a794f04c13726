"""Helm in memory: the twin of `bootstrap.programs.HelmProgram`. It keeps the record that Helm keeps, and puts the workloads of
the chart (its golden rendering) into our cluster store. One contract holds both: test_release_contract.py."""

import base64
import gzip
import json
import uuid
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import yaml
from tests.contract.chart.helm import golden

from downwind.bootstrap.kinds.releases import CHART
from downwind.bootstrap.values import Values
from downwind.bootstrap.wanted import merged
from downwind.errors import Refused
from downwind.local.cluster import Cluster
from downwind.shipped import shipped


class MemoryHelm:
    """`commands` are the lines that it was given."""

    def __init__(self, cluster: Cluster, values: Values) -> None:
        self._cluster = cluster
        self._paths = {each.name: each.path for each in values.files.values}
        self.commands: list[Sequence[str]] = []

    def run(self, command: Sequence[str]) -> None:
        self.commands.append(command)
        program, verb, name, *rest = command
        assert program == "helm"
        options = dict(each.partition("=")[::2] for each in rest if each.startswith("--") and "=" in each)
        namespace = options["--namespace"]
        if verb == "uninstall":
            return self._uninstall(namespace)
        assert (verb, rest[0]) == ("upgrade", CHART)
        values: dict[str, Any] = {}
        for flag, argument in pairwise(rest):
            if flag == "--values":
                values = merged(values, yaml.safe_load(self._paths[argument].read_text()))
            elif flag == "--set-json":
                path, _, text = argument.partition("=")
                value = json.loads(text)
                for key in reversed(path.split(".")):
                    value = {key: value}
                values = merged(values, value)
        return self._upgrade(name, namespace, values, dict([options["--labels"].split("=")]))

    def _records(self, namespace: str) -> list[Any]:
        found = self._cluster.list(namespace, "Secret")
        return [each for each in found if (each["metadata"].get("labels") or {}).get("owner") == "helm"]

    def _upgrade(self, name: str, namespace: str, values: Any, labels: dict[str, str]) -> None:
        standing = self._records(namespace)
        if any(each["metadata"]["labels"]["status"].startswith("pending-") for each in standing):
            raise Refused("another operation (install/upgrade/rollback) is in progress")
        if "digest" not in values.get("images", {}).get("gate", {}):
            raise Refused("images.gate.digest is empty")
        for each in standing:
            each["metadata"]["labels"]["status"] = "superseded"
            self._cluster.apply(each)
        revision = 1 + max((int(each["metadata"]["labels"]["version"]) for each in standing), default=0)
        self._cluster.apply(record(name, namespace, revision, "deployed", values, labels))
        for each in golden("trial"):
            if each["kind"] in {"Deployment", "StatefulSet"}:
                self._cluster.apply({**each, "metadata": {**each["metadata"], "namespace": namespace}})
            elif each["kind"] == "Secret" and self._cluster.get(namespace, "Secret", each["metadata"]["name"]) is None:
                made = {key: base64.b64encode(uuid.uuid4().bytes.hex().encode()).decode() for key in each["data"]}
                about = {**each["metadata"], "namespace": namespace}
                self._cluster.apply({**each, "metadata": about, "data": made})

    def _uninstall(self, namespace: str) -> None:
        for each in self._records(namespace):
            self._cluster.delete(namespace, "Secret", each["metadata"]["name"])
        for each in golden("trial"):
            kind, found = each["kind"], each["metadata"]["name"]
            if kind in {"Deployment", "StatefulSet"} and self._cluster.get(namespace, kind, found):
                self._cluster.delete(namespace, kind, found)


def record(
    name: str, namespace: str, revision: int, status: str, values: Any, labels: dict[str, str]
) -> dict[str, Any]:
    """Helm's own Secret of one revision (storage driver `secret`)."""
    about = {"name": name, "owner": "helm", "status": status, "version": str(revision)}
    body = {"name": name, "namespace": namespace, "version": revision, "chart": _chart(), "config": values}
    packed = base64.b64encode(gzip.compress(json.dumps(body).encode(), 1))
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "type": "helm.sh/release.v1",
        "metadata": {
            "name": f"sh.helm.release.v1.{name}.v{revision}",
            "namespace": namespace,
            "labels": {**labels, **about},
        },
        "data": {"release": base64.b64encode(packed).decode()},
    }


def _chart() -> dict[str, Any]:
    folder = shipped(CHART)
    files = {each.relative_to(folder).as_posix(): each for each in sorted(folder.rglob("*")) if each.is_file()}

    def packed(name: str, file: Path) -> dict[str, str]:
        return {"name": name, "data": base64.b64encode(file.read_bytes()).decode()}

    own = {"Chart.yaml", "values.yaml", "values.schema.json"}
    return {
        "metadata": yaml.safe_load(files["Chart.yaml"].read_text()),
        "values": yaml.safe_load(files["values.yaml"].read_text()),
        "schema": base64.b64encode(files["values.schema.json"].read_bytes()).decode(),
        "templates": [packed(name, file) for name, file in files.items() if name.startswith("templates/")],
        "files": [
            packed(name, file) for name, file in files.items() if not name.startswith("templates/") and name not in own
        ],
    }
