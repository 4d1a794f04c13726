"""An environment's log: entry n is a release or an order."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from downwind.model.catalog import Application, Environment
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, NewFact, Snapshot

RELEASES = frozenset({"release", "deploy", "promote"})


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """Number `n`. `by`: push, promotion, request or operator. `verb`: release where no order says otherwise; what brings no
    release has no `commit`. `object` and `via` are what links the next push to this one.

    Carried forward from entry to entry: `promoted`, the highest upstream sequence that this environment has taken so far;
    `newest_rollback`, below which nothing is started any more.
    `images` and `build` stand only where a request named them.
    """

    n: int
    created: datetime
    by: str
    verb: str = "release"
    commit: str = ""
    ref: str | None = None
    object: str | None = None
    via: tuple[str | None, ...] = ()
    upstream: str | None = None
    upstream_sequence: int | None = None
    promoted: int = 0
    newest_rollback: int = 0
    request: str | None = None
    build: str | None = None
    images: Mapping[str, str] | None = None
    who: str | None = None
    why: str | None = None
    manifests_commit: str | None = None
    generation: int | None = None

    @property
    def release(self) -> bool:
        return self.verb in RELEASES


def read_entry(fact: Fact) -> LogEntry:
    body = fact.body
    return LogEntry(
        n=int(body["n"]),
        created=fact.created,
        by=body["by"],
        verb=body.get("verb") or "release",
        commit=body["commit"] or "",
        ref=body.get("ref"),
        object=body.get("object"),
        via=tuple(body.get("via") or ()),
        upstream=body.get("upstream"),
        upstream_sequence=body.get("upstream_sequence"),
        promoted=int(body.get("promoted") or 0),
        newest_rollback=int(body.get("newest_rollback") or 0),
        request=body.get("request"),
        build=body.get("build"),
        images=body.get("images"),
        who=body.get("who"),
        why=body.get("why"),
        manifests_commit=body.get("manifests_commit"),
        generation=body.get("generation"),
    )


def read_log(application: Application, environment: Environment, snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """The newest entries (as many as were listed), newest first."""
    prefix = names.log(application.name, environment.name)
    return snapshot.remember(prefix, prefix, lambda: tuple(read_entry(fact) for fact in snapshot.under(prefix)))


def new_entry(
    application: Application, environment: Environment, log: tuple[LogEntry, ...], body: Mapping[str, Any]
) -> NewFact:
    """Entry after the newest of `log`. Creating it is the lock."""
    number = log[0].n + 1 if log else 1
    carried = {
        "promoted": log[0].promoted if log else 0,
        "newest_release": number,
        "newest_rollback": log[0].newest_rollback if log else 0,
        "hold": None,
    }
    return NewFact(
        name=names.entry(application.name, environment.name, number),
        body={
            "kind": "entry",
            "application": application.name,
            "environment": environment.name,
            "n": number,
            **carried,
            **body,
        },
    )


def ref_fact(application: Application, body: Mapping[str, Any]) -> NewFact:
    """The pointer from the ref to the entry of that body, which the ref brought."""
    return NewFact(
        name=names.ref(application.name, body["environment"], body["ref"]) + names.down(body["n"]),
        body={"kind": "ref", **{key: body[key] for key in ("environment", "ref", "n", "commit", "object", "via")}},
    )
