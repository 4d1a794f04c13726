"""The Helm of a rehearsal: the twin in memory (`tests/bootstrap/fake/helm.py`), on the local world's cluster. It keeps the record
that Helm keeps, and makes the workloads of the chart's golden rendering."""

import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.bootstrap.fake.helm import MemoryHelm

from downwind.bootstrap.kinds.releases import CHART
from downwind.errors import DownwindError, Refused
from downwind.local.calls import call
from downwind.shipped import shipped

_PLACES = {"Secret": "api/v1", "Deployment": "apis/apps/v1", "StatefulSet": "apis/apps/v1"}


class RemoteCluster:
    """What `MemoryHelm` asks of `local.cluster.Cluster`, of the API server at `url`."""

    def __init__(self, url: str) -> None:
        self._url = url

    def list(self, namespace: str, kind: str) -> list[Any]:
        found = call("GET", self._place(namespace, kind))["items"]
        return [{"apiVersion": _PLACES[kind].partition("/")[2], "kind": kind, **each} for each in found]

    def get(self, namespace: str, kind: str, name: str) -> Any:
        try:
            return call("GET", f"{self._place(namespace, kind)}/{name}")
        except Refused as error:
            if error.field != "404":
                raise
            return None

    def apply(self, item: Any) -> None:
        about = item["metadata"]
        place = self._place(about["namespace"], item["kind"])
        standing = self.get(about["namespace"], item["kind"], about["name"])
        if standing is None:
            call("POST", place, item)
        else:
            version = {"resourceVersion": standing["metadata"]["resourceVersion"]}
            call("PUT", f"{place}/{about['name']}", {**item, "metadata": {**about, **version}})

    def delete(self, namespace: str, kind: str, name: str) -> None:
        call("DELETE", f"{self._place(namespace, kind)}/{name}")

    def _place(self, namespace: str, kind: str) -> str:
        return f"{self._url}/{_PLACES[kind]}/namespaces/{namespace}/{kind.lower()}s"


class _Files(dict[str, Path]):
    """Helm is given whole paths."""

    def __missing__(self, name: str) -> Path:
        return Path(name)


def main(words: list[str]) -> int:
    cluster: Any = RemoteCluster(os.environ["PLAYED_CLUSTER"])
    none: Any = SimpleNamespace(files=SimpleNamespace(values=()))
    helm = MemoryHelm(cluster, none)
    helm._paths = _Files()
    try:
        helm.run(["helm", *(CHART if each == str(shipped(CHART)) else each for each in words)])
    except DownwindError as error:
        print(f"Error: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
