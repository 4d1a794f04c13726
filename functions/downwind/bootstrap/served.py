"""Which revision of a function answers, whether it is well, and how another one is made to. A function is a Cloud Run service,
each deployment of it a revision, and traffic is the service's. Shapes: the references of Cloud Functions v2 and Cloud Run v2."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.kinds.compute import BEFORE, SOURCE
from downwind.bootstrap.proof.asking import ask
from downwind.bootstrap.proof.tokens import stranger
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import Body, Request, Write
from downwind.errors import DownwindError, Refused, TransientError

_LATEST, _ONE = "TRAFFIC_TARGET_ALLOCATION_TYPE_LATEST", "TRAFFIC_TARGET_ALLOCATION_TYPE_REVISION"
_TRIES = 3
_OURS = 405
"""A function of ours answers so to a GET, once it has read its settings (entry.py)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """One function. `serving`: the revision that gets all traffic, None where it is split; `newest`: the one made last."""

    resource: Resource
    live: Body
    service: Body
    serving: str | None
    newest: str

    @property
    def labels(self) -> Body:
        return self.live.get("labels") or {}

    @property
    def source(self) -> str | None:
        return self.labels.get(SOURCE)

    @property
    def updated(self) -> str:
        """When it was deployed last, as text that sorts: RFC 3339 in UTC."""
        return str(self.live.get("updateTime") or "")

    @property
    def before(self) -> str | None:
        return self.labels.get(BEFORE)


def read(kind: Kind, resource: Resource, cloud: Cloud) -> Served | None:
    """None: there is no such function."""
    live = cloud.read(kind.where(resource))
    if live is None:
        return None
    service = cloud.read(Request(api="run", path=f"v2/{_service(kind, resource)}")) or {}
    return Served(
        resource=resource,
        live=live,
        service=service,
        serving=_serving(service),
        newest=_short(service.get("latestCreatedRevision")),
    )


def _service(kind: Kind, resource: Resource) -> str:
    return f"{kind.place}/services/{resource.name}"


def _short(name: Any) -> str:
    return str(name or "").rpartition("/")[2]


def _serving(service: Body) -> str | None:
    whole = [each for each in service.get("trafficStatuses", ()) if each.get("percent") == 100]
    if len(whole) != 1:
        return None
    return (
        _short(service.get("latestReadyRevision")) if whole[0].get("type") == _LATEST else _short(whole[0]["revision"])
    )


def switch(kind: Kind, resource: Resource, revision: str) -> Write:
    """All traffic to one revision. It takes seconds: nothing is built, and the revision is there."""
    name = _service(kind, resource)
    traffic = [{"type": _ONE, "revision": revision, "percent": 100}]
    start = ("gcloud", "run", "services", "update-traffic", resource.name, f"--to-revisions={revision}=100")
    return Write(
        request=Request(
            api="run",
            method="PATCH",
            path=f"v2/{name}",
            query={"updateMask": "traffic"},
            body={"name": name, "traffic": traffic},
        ),
        command=(*start, f"--region={kind.values.region}", *kind.flags),
    )


Headers = Callable[[str], Mapping[str, str]]
"""Of a request to an address: who we are, if anybody."""


def as_ourselves(url: str) -> Mapping[str, str]:
    try:
        return stranger(url).header
    except DownwindError:
        return {}


def check(now: Served, headers: Headers, *, internal: bool) -> str:
    """What was seen of a revision that is well. Refused: it is not; TransientError: not yet."""
    if now.live.get("state") == "FAILED":
        said = "; ".join(str(each.get("message", "")) for each in now.live.get("stateMessages", ()))
        raise Refused(f"the function failed: {said or 'see its build log'}")
    condition = now.service.get("terminalCondition") or {}
    if condition.get("state") == "CONDITION_FAILED":
        raise Refused(f"revision {now.newest} is not ready: {condition.get('message') or condition.get('reason')}")
    if condition.get("state") != "CONDITION_SUCCEEDED" or now.live.get("state") != "ACTIVE":
        raise TransientError(f"revision {now.newest} is not ready yet")
    if now.serving != now.newest:
        raise TransientError(f"revision {now.newest} does not get all traffic yet")
    return f"revision {now.newest} is ready and gets all traffic; {_answer(now, headers, internal=internal)}"


def _answer(now: Served, headers: Headers, *, internal: bool) -> str:
    url = str(now.live.get("url") or now.service.get("uri"))
    for attempt in range(_TRIES):
        try:
            status = ask("GET", url, headers(url)).status
            break
        except TransientError as error:
            if attempt == _TRIES - 1:
                raise Refused(f"revision {now.newest} does not answer: {error}") from error
    if status == _OURS:
        return f"it has read its settings (a GET is answered with {_OURS})"
    if status in {401, 403}:
        return f"its door is closed to us ({status}), as it should be"
    if status == 404 and internal:
        return "it answers inside the network alone"
    raise Refused(f"revision {now.newest} answers {status} to a GET, not {_OURS}")
