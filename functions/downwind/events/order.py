"""Operators' orders, as the function `operate` takes them: one JSON object over HTTPS (docs/reference/events.md, Orders)."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any, cast

from downwind.errors import Refused
from downwind.events import fields
from downwind.events.limits import load_json
from downwind.events.request import ID_LIMIT, images, name, why
from downwind.model.event import Verb

ORDER_LIMIT = 64 * 1024
FIELDS = (
    "id",
    "verb",
    "application",
    "environment",
    "all",
    "sequence",
    "commit",
    "build",
    "images",
    "why",
    "dry_run",
)
VERBS = ("deploy", "promote", "rollback", "hold", "resume", "cancel", "retry", "approve", "reject")
_ALSO: dict[str, tuple[str, ...]] = {
    "commit": ("deploy", "promote", "rollback"),
    "build": ("deploy",),
    "images": ("deploy",),
    "sequence": ("rollback", "cancel", "retry", "approve", "reject"),
}
"""Fields that only some verbs take."""
SEQUENCE_LIMIT = 10**18


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What somebody wants; who it is stands in the token alone. `environment` None: the only one, or each for hold and resume.
    `everything`: a hold over all applications, or its end."""

    id: str
    verb: Verb
    application: str | None = None
    environment: str | None = None
    everything: bool = False
    target: int | None = None
    commit: str | None = None
    build: str | None = None
    images: Mapping[str, str] = field(default_factory=dict)
    why: str | None = None
    dry_run: bool = False


def read_order(data: bytes, otherwise: str) -> Asked:
    """`otherwise`: the id of an order that brings none. Refused, with the field and what to write instead."""
    body = load_json(data, limit=ORDER_LIMIT)
    if not isinstance(body, dict):
        raise Refused("the order is no JSON object", fix='send {"verb": "hold", "application": "shop"}')
    for each in body:
        if each not in FIELDS:
            near = get_close_matches(each[:40], FIELDS, 1)
            fix = f"did you mean {near[0]}?" if near else f"known fields: {', '.join(FIELDS)}"
            raise Refused(f"unknown field {fields.shown(each)}", field=fields.shown(each), fix=fix)
    verb = fields.required(body.get("verb"), "verb")
    if verb not in VERBS:
        raise Refused("verb is none that is known", field="verb", fix=f"write one of: {', '.join(VERBS)}")
    for also, verbs in _ALSO.items():
        if body.get(also) and verb not in verbs:
            raise Refused(f"{verb} takes no {also}", field=also, fix=f"leave it out; it goes with {', '.join(verbs)}")
    commit = fields.text(body.get("commit"), "commit")
    if commit is not None and not fields.COMMIT.fullmatch(commit):
        fix = "write the full id: git rev-parse REF"
        raise Refused("commit is not 40 lower case hex digits", field="commit", fix=fix)
    if verb == "deploy" and commit is None:
        raise Refused("commit is missing", field="commit", fix="deploy needs the commit to deploy")
    target = _sequence(body.get("sequence"))
    if target is not None and commit is not None:
        raise Refused("sequence stands beside commit", field="sequence", fix="give one of them")
    return Asked(
        id=fields.text(body.get("id"), "id", limit=ID_LIMIT) or otherwise,
        verb=cast(Verb, verb),
        **_place(body, verb),
        target=target,
        commit=commit,
        build=fields.word(body.get("build"), "build"),
        images=images(body.get("images")),
        why=why(body.get("why")),
        dry_run=fields.flag(body.get("dry_run"), "dry_run"),
    )


def _place(body: Mapping[str, Any], verb: str) -> dict[str, Any]:
    if fields.flag(body.get("all"), "all"):
        if verb not in {"hold", "resume"}:
            raise Refused(f"{verb} is for one environment", field="all", fix="name application and environment")
        if body.get("application") or body.get("environment"):
            raise Refused("all stands beside an application", field="all", fix="leave one of them out")
        return {"everything": True}
    environment = body.get("environment")
    return {
        "application": name(body.get("application"), "application"),
        "environment": name(environment, "environment") if environment else None,
    }


def _sequence(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < SEQUENCE_LIMIT:
        raise Refused("sequence is no number of an entry", field="sequence", fix="write a whole number from 1")
    return value
