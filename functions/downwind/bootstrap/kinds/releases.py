"""Spinnaker as a release of Helm. What stands is read from Helm's own record of it (a Secret of type helm.sh/release.v1: base64,
gzip, JSON), so what somebody upgraded by hand is seen: https://helm.sh/docs/topics/advanced, storage backends."""

import base64
import json
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any

from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.wanted import Resource, merged
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import Refused
from downwind.shipped import shipped
from downwind.soundness.finding import differences

if TYPE_CHECKING:
    from downwind.bootstrap.cloud import Cloud

CHART = "infra/charts/spinnaker"
METADATA_LIST = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
LIMIT = 400.0
"""Seconds for one run of Helm, which waits for hooks only and gives up after five minutes; then it is killed (programs.py)."""
DEAD = LIMIT + 80
"""Seconds after which a pending release is taken for one whose Helm is gone: a run of ours may live as long as LIMIT, and the
clock of the API server, which says when the record was made, may be another one than ours."""
_SHOWN = 4
_MOST = 64 << 20
"""Bytes of a record, unpacked; packed it is 1 MiB at most."""


class Releases(Kind):
    """`read` gives `status`, `labels`, `record`, `secret` (its name), `made` (seconds since 1970), and the `workloads`."""

    waits = True
    patience = 1800.0
    clock: Callable[[], float] = staticmethod(time.time)

    def _request(self, path: str, method: str = "GET", **more: Any) -> Request:
        return Request(api="kubernetes", base=self.values.cluster_url, method=method, path=path, **more)

    def where(self, resource: Resource) -> Request:
        query = {"labelSelector": f"owner=helm,name={resource.name}"}
        path = f"api/v1/namespaces/{resource.body['namespace']}/secrets"
        return self._request(path, query=query, accept=METADATA_LIST)

    def read(self, cloud: "Cloud", resource: Resource) -> Any:
        listed = (cloud.read(self.where(resource)) or {}).get("items") or ()
        if not listed:
            return None
        newest = max((each["metadata"] for each in listed), key=lambda each: int(each["labels"]["version"]))
        if newest["labels"]["status"] == "uninstalled":
            return None
        place = f"api/v1/namespaces/{resource.body['namespace']}"
        secret = cloud.read(self._request(f"{place}/secrets/{newest['name']}"))
        selector = {"labelSelector": f"app.kubernetes.io/instance={resource.name}"}
        apps = f"apis/apps/v1/namespaces/{resource.body['namespace']}"
        workloads = [
            each
            for plural in ("deployments", "statefulsets")
            for each in (cloud.read(self._request(f"{apps}/{plural}", query=selector)) or {}).get("items") or ()
        ]
        return {
            "status": newest["labels"]["status"],
            "labels": newest["labels"],
            "secret": newest["name"],
            "made": datetime.fromisoformat(newest["creationTimestamp"]).timestamp(),
            "record": _record(secret, f"{resource.body['namespace']}/{newest['name']}") if secret else {},
            "workloads": workloads,
        }

    def ours(self, resource: Resource, live: Body) -> bool:
        return bool(live["labels"].get("downwind") == self.values.name)

    def differs(self, resource: Resource, live: Body) -> list[str]:
        status = live["status"]
        if status.startswith("pending-"):
            return [f"status {status}, and its Helm is gone"] if self._dead(live) else []
        if status != "deployed":
            return [f"status {status}"]
        found = [] if self.ours(resource, live) else ["labels.downwind"]
        record = live["record"]
        chart = list(_chart_differs(record.get("chart") or {}))
        found += chart[:_SHOWN] + ([f"and {len(chart) - _SHOWN} more of the chart"] if len(chart) > _SHOWN else [])
        return found + list(differences(_plain(self.merged(resource)), _plain(record.get("config") or {}), "values"))

    def _dead(self, live: Body) -> bool:
        return bool(self.clock() - live["made"] > DEAD)

    def merged(self, resource: Resource) -> dict[str, Any]:
        """The values as Helm keeps them: the files in their order, then what they leave open of ours."""
        given: dict[str, Any] = {}
        for file in self.values.files.values:
            given = merged(given, file.values or {})
        for path, value in self._ours(resource):
            given = merged(given, _nested(path, value))
        return given

    def _ours(self, resource: Resource) -> Iterator[tuple[str, Any]]:
        """Paths and values that no file of values names."""
        files = [dict(_leaves(file.values or {}, "")) for file in self.values.files.values]
        for path, value in _leaves(resource.body["values"], ""):
            if not any(path in each for each in files):
                yield path, value

    def ready(self, live: Body) -> bool:
        return live["status"] == "deployed" and not list(_unready(live["workloads"]))

    def lacking(self, live: Body) -> str:
        if live["status"] != "deployed":
            return f"until another run of Helm is over ({live['status']})"
        return f"until all is available: {', '.join(_unready(live['workloads']))}"

    def create(self, resource: Resource, live: Body | None) -> Write:
        """Without Helm's own waiting: what is not available yet is asked for by us, and said."""
        files = [argument for each in self.values.files.values for argument in ("--values", each.name)]
        own = [
            argument
            for path, value in self._ours(resource)
            for argument in ("--set-json", f"{path}={json.dumps(value, separators=(',', ':'))}")
        ]
        return Write(
            request=Request(api="helm", path=resource.name),
            command=(
                *("helm", "upgrade", resource.name, CHART, "--install", f"--kube-context={self.values.context}"),
                f"--namespace={resource.body['namespace']}",
                *files,
                *own,
                f"--labels=downwind={self.values.name}",
                "--reset-values",
                "--timeout=5m",
            ),
        )

    def before_change(self, resource: Resource, live: Body) -> tuple[Write, ...]:
        """Helm refuses to upgrade a release that is pending; its record is all that is in the way."""
        if not live["status"].startswith("pending-"):
            return ()
        path = f"api/v1/namespaces/{resource.body['namespace']}/secrets/{live['secret']}"
        return (Write(request=self._request(path, "DELETE")),)

    def change(self, resource: Resource, live: Body, fields: Sequence[str]) -> Write:
        return self.create(resource, live)

    def delete(self, resource: Resource) -> Write:
        """Volumes and the secrets that open them stay, until their namespace goes."""
        place = (f"--kube-context={self.values.context}", f"--namespace={resource.body['namespace']}")
        request = Request(api="helm", path=resource.name)
        return Write(
            request=request, command=("helm", "uninstall", resource.name, *place, "--ignore-not-found", "--timeout=5m")
        )


def _record(secret: Body, name: str) -> dict[str, Any]:
    try:
        packed = base64.b64decode(base64.b64decode(secret["data"]["release"]))
        unpacking = zlib.decompressobj(31)
        text = unpacking.decompress(packed, _MOST)
        if not unpacking.eof:
            raise ValueError("too large, or cut off")
        found = json.loads(text)
        if not isinstance(found, dict):
            raise TypeError("no mapping")
    except (LookupError, TypeError, ValueError, zlib.error, RecursionError) as error:
        namespace, _, own = name.partition("/")
        raise Refused(
            f"secret {name} is not what Helm writes: {type(error).__name__}",
            fix=f"kubectl --namespace={namespace} delete secret {own}: Helm then goes on from the record before it; keep a copy",
        ) from error
    return found


@cache
def _chart_files() -> Mapping[str, bytes]:
    """As Helm packs them; .helmignore names nothing of ours."""
    folder = shipped(CHART)
    return {
        file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()
    }


def _chart_differs(chart: Body) -> Iterator[str]:
    import yaml

    ours = dict(_chart_files())
    about, values = yaml.safe_load(ours.pop("Chart.yaml")), yaml.safe_load(ours.pop("values.yaml"))
    schema = ours.pop("values.schema.json", b"")
    standing = {
        each["name"]: base64.b64decode(each["data"] or "")
        for each in (*(chart.get("templates") or ()), *(chart.get("files") or ()))
    }
    metadata = chart.get("metadata") or {}
    if (metadata.get("name"), metadata.get("version")) != (about["name"], about["version"]):
        yield f"chart {metadata.get('name')} {metadata.get('version')}"
    if chart.get("values") != values:
        yield "chart values.yaml"
    if base64.b64decode(chart.get("schema") or "") != schema:
        yield "chart values.schema.json"
    yield from (
        f"chart {name}" for name in sorted(ours.keys() | standing.keys()) if ours.get(name) != standing.get(name)
    )


def _unready(workloads: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Those that the controllers have not brought to what their spec says, as kubectl rollout status judges."""
    for each in workloads:
        status, wanted = each.get("status") or {}, each["spec"].get("replicas", 1)
        seen = status.get("observedGeneration", 0) >= each["metadata"].get("generation", 0)
        available = min(status.get("availableReplicas", 0), status.get("updatedReplicas", 0)) if seen else 0
        if available < wanted:
            yield f"{each['metadata']['name']} {available} of {wanted}"


def _leaves(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Annotations, whose names hold dots, are one leaf: a dot parts a path."""
    if isinstance(value, Mapping) and not any("." in key for key in value):
        for key, each in value.items():
            yield from _leaves(each, f"{path}.{key}" if path else key)
    elif path:
        yield path, value


def _nested(path: str, value: Any) -> dict[str, Any]:
    for key in reversed(path.split(".")):
        value = {key: value}
    return dict(value)


def _plain(value: Any) -> Any:
    """As it comes back from JSON, without what is null and without empty mappings."""
    if isinstance(value, Mapping):
        kept = {str(key): _plain(each) for key, each in value.items() if each is not None}
        return {key: each for key, each in kept.items() if each != {}}
    return [_plain(each) for each in value] if isinstance(value, list) else value
