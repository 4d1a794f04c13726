"""What is there against what is wanted: one step for each resource. Nothing is changed."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from downwind.bootstrap.kinds import kinds
from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.kinds.pins import lacking, line_to_add
from downwind.bootstrap.values import Values
from downwind.bootstrap.wanted import Resource, wanted
from downwind.bootstrap.write import Body, Write
from downwind.errors import Refused

UNREAD = "unread"
ACTIONS = ("create", "change", "replace", "keep", "foreign", "delete", UNREAD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """`writes` are in their order; a replacement has two. `differs` names the fields of a change. `waits`: nothing is to be
    written, but it is not ready yet. An `unread` step says why nothing is known: nothing is written for it either."""

    resource: Resource
    action: str
    why: str
    writes: tuple[Write, ...] = ()
    differs: tuple[str, ...] = ()
    waits: bool = False

    @property
    def due(self) -> bool:
        return self.action in {"create", "change", "replace", "delete"}


class Plan:
    """One configuration, to be compared with what was read."""

    def __init__(self, values: Values) -> None:
        self.values = values
        self.kinds: Mapping[str, Kind] = kinds(values)
        self.resources: Sequence[Resource] = wanted(values)
        self.adopted = frozenset(values.config["adopt"])

    def offline(self) -> list[Step]:
        """As if the project were empty."""
        return [self.step(each, None) for each in self.resources]

    def step(self, resource: Resource, answer: Body | None) -> Step:
        """`answer`: what Google said of it; None: it is not there."""
        kind = self.kinds[resource.kind]
        resource = kind.settled(resource, answer)
        live = None if answer is None else kind.found(resource, answer)
        if live is None:
            why = "; ".join([_because(resource), *self._empty(resource, answer)])
            return Step(resource=resource, action="create", why=why, writes=(kind.create(resource, answer),))
        fields = kind.differs(resource, live)
        if not kind.overwrites and not kind.ours(resource, live) and resource.key not in self.adopted:
            real = [each for each in fields if not each.startswith(kind.marks)]
            return Step(resource=resource, action="foreign", why=_foreign(resource, real), differs=tuple(real))
        if not fields:
            waits = kind.waits and not _ready(kind, live)
            why = f"{kind.lacking(live)}; {resource.why}" if waits else resource.why
            return Step(resource=resource, action="keep", why=why, waits=waits)
        said = ", ".join(kind.told(resource, live, fields))
        if any(each.split(".")[0] in kind.fixed for each in fields):
            gone = kind.delete(resource)
            why = f"{said} can't be changed; {resource.why}"
            writes = (*((gone,) if gone else ()), kind.create(resource, None))
            return Step(resource=resource, action="replace", why=why, writes=writes, differs=tuple(fields))
        write = kind.change(resource, live, fields)
        if resource.kind == "policy" and len(fields) == sum(len(grant.members) for grant in resource.grants):
            return Step(
                resource=resource, action="create", why=_because(resource), writes=(write,), differs=tuple(fields)
            )
        why = "; ".join([said, *self._empty(resource, answer), resource.why])
        writes = (*kind.before_change(resource, live), write)
        return Step(resource=resource, action="change", why=why, writes=writes, differs=tuple(fields))

    def _empty(self, resource: Resource, answer: Body | None) -> Iterator[str]:
        """Secrets that hold nothing yet, of those that it is given by version."""
        for secret in self.resources:
            number = lacking(answer, secret.name) if secret.key in resource.needs else None
            if number is not None:
                line = line_to_add(secret.name, self.values.project)
                who = "apply makes it" if secret.generated else f"you put it in first: {line}"
                yield f"secret {secret.name} has no version {number} yet: {who}"


def _ready(kind: Kind, live: Body) -> bool:
    """What never will be is not ready: whoever waits for it is told so."""
    try:
        return kind.ready(live)
    except Refused:
        return False


def _because(resource: Resource) -> str:
    reasons = [grant.reason for grant in resource.grants if grant.reason]
    return "; ".join([resource.why, *reasons])


def _foreign(resource: Resource, differs: Sequence[str]) -> str:
    what = (
        f"is there, but not of this installation; it differs in {', '.join(differs)}"
        if differs
        else "is there, and fits"
    )
    remedy = "used as it is" if not differs else f"to change it, write it under adopt: [{resource.key}]"
    return f"{what}; {remedy}; {resource.why}"


def document(steps: Sequence[Step], endpoint: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The plan as JSON: one entry for each write, and one for what is kept or foreign. `endpoint`: by API, where it is
    not Google's."""
    return {"steps": [entry for step in steps for entry in _entries(step, endpoint or {})]}


def _entries(step: Step, endpoint: Mapping[str, str]) -> list[dict[str, Any]]:
    about = {"resource": step.resource.key, "kind": step.resource.kind, "action": step.action}
    if not step.writes:
        return [{**about, "command": None, "request": None, "why": step.why}]
    return [{**about, **said(write, endpoint), "why": step.why} for write in step.writes]


def said(write: Write, endpoint: Mapping[str, str]) -> dict[str, Any]:
    if write.command is not None:
        return {"command": list(write.command), "request": None}
    request = write.request
    base = endpoint.get(request.api, f"https://{request.api}.googleapis.com")
    body = {"file": "the functions' source"} if request.upload else request.body
    return {"command": None, "request": {"method": request.method, "url": request.url(base), "body": body}}


def same(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    """Do two plans say the same? An etag, or a resourceVersion, may have moved with a write that changed nothing for us; and why
    something was not read may be said in other words."""
    return json.dumps(_without_etags(one), sort_keys=True) == json.dumps(_without_etags(other), sort_keys=True)


def _without_etags(value: Any) -> Any:
    if isinstance(value, Mapping):
        moving = {"etag", "resourceVersion", *(("why",) if value.get("action") == UNREAD else ())}
        return {key: _without_etags(each) for key, each in value.items() if key not in moving}
    if isinstance(value, list):
        return [_without_etags(each) for each in value]
    return value
