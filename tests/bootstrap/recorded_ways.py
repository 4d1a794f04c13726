"""A request of ours beside a recording of gcloud: how one is asked for."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from downwind.bootstrap.config import complete
from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.values import Values
from downwind.bootstrap.wanted import Grant, Resource
from downwind.bootstrap.write import Body, Request, Write

PLAN = Plan(
    Values(
        complete(
            {
                "apiVersion": "downwind.dev/v1",
                "kind": "Installation",
                "project": "demo-proj",
                "number": "123456789012",
                "region": "us-central1",
                "spinnaker": {"gate": "http://gate:8084"},
                "registry": {"images": "apps"},
            }
        ),
        "0" * 64,
    )
)
MARK = "by it we know what is ours"
BACK = "gcloud sends what it read, outside its mask"
SPELLED = "gcloud spells a default out"


def kind(name: str) -> Kind:
    return PLAN.kinds[name]


def made(key: str, name: str, body: Mapping[str, Any] | None = None, **more: Any) -> Resource:
    return Resource(key=key, kind=key.partition("/")[0], name=name, why="", body=body or {}, **more)


@dataclass(frozen=True, kw_only=True)
class Case:
    """`nth`: which of the recorded requests with this method. `reads`: a GET, or a POST that only reads. `seed`: what has to
    be there before gcloud's line can be recorded; `line`: that line, where we send a request alone."""

    ask: Callable[[], Request | Write | tuple[Write, ...]]
    differs: Mapping[str, str] = field(default_factory=dict)
    nth: int = -1
    reads: bool = False
    seed: tuple[Resource, ...] = ()
    line: tuple[str, ...] = ()

    @property
    def write(self) -> Write:
        asked = self.ask()
        if isinstance(asked, tuple):
            (asked,) = asked
        return asked if isinstance(asked, Write) else Write(request=asked)

    @property
    def request(self) -> Request:
        assert self.write.request is not None
        return self.write.request


def create(resource: Resource, live: Body | None = None, **about: Any) -> Case:
    return Case(ask=lambda: kind(resource.kind).create(resource, live), **about)


def change(resource: Resource, live: Body, *fields: str, **about: Any) -> Case:
    return Case(**{"ask": lambda: kind(resource.kind).change(resource, live, fields), "seed": (resource,), **about})


def delete(resource: Resource, **about: Any) -> Case:
    def ask() -> Write:
        gone = kind(resource.kind).delete(resource)
        assert gone is not None
        return gone

    return Case(**{"ask": ask, "seed": (resource,), **about})


def read(resource: Resource, **about: Any) -> Case:
    return Case(ask=lambda: read_of(resource), reads=True, **about)


def read_of(resource: Resource) -> Request:
    return kind(resource.kind).where(resource)


def grant(place: str, role: str, *members: str, live: Body | None = None, **about: Any) -> Case:
    """`place`: as `policy/…` names it. `live`: what was read."""
    condition = about.pop("condition", None)
    kept = Grant(role=role, members=members, condition=condition)
    resource = made(f"policy/{place}", place, grants=(kept,))
    standing = live or {"etag": "BwX0", "bindings": []}
    return Case(ask=lambda: kind("policy").change(resource, standing, ()), **about)


def account(name: str) -> str:
    return f"{name}@demo-proj.iam.gserviceaccount.com"


def member(name: str) -> str:
    return f"serviceAccount:{account(name)}"
