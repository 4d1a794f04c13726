"""An environment's log: entry n is a release or an order. What later entries must know of older ones is carried forward from
entry to entry, so that one list of the newest is enough."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from downwind.model.catalog import Application, Environment
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, NewFact, Snapshot

AUTOMATION = frozenset({"push", "promotion", "on_failure"})
"""Who appends by itself. A hold stops only these, a freeze window only the first two: a rollback puts back what was there."""
RELEASES = frozenset({"release", "deploy", "promote"})
_SETTLING = frozenset({"hold", "resume", "rollback"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A standing order that automation leaves an environment alone. `n`: the entry that set it; None: everything is held."""

    n: int | None
    by: str
    who: str | None = None
    why: str | None = None

    @property
    def says(self) -> str:
        """What waits for it says: it waits for …"""
        where = f"hold {self.n}" if self.n is not None else "the hold over everything"
        by = self.who or "automation"
        return f"an operator to resume: {where} by {by}" + (f", because: {self.why}" if self.why else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class LogEntry:
    """Number `n`. `by`: push, promotion, request (from the topic), operator or on_failure. `verb`: release where no order
    says otherwise, else deploy, promote, rollback, hold, resume, cancel or retry. `commit` is "" where an entry brings none.

    `object` and `via` are what links the next push to this one. `images` and `build` stand only where an order named them.
    `target`: the entry that a rollback takes its bundle from, or that is cancelled, retried, or failed before on_failure acted;
    `attempt`: the first of a retry.

    Carried forward: `promoted`, the highest upstream sequence taken so far; `newest_release` and `newest_rollback`, their
    numbers; `settled`, the newest hold, resume or rollback, up to which no failure is to be acted upon any more; `hold`.
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
    newest_release: int = 0
    newest_rollback: int = 0
    settled: int = 0
    hold: Hold | None = None
    request: str | None = None
    build: str | None = None
    images: Mapping[str, str] | None = None
    target: int | None = None
    attempt: int | None = None
    bundle: str | None = None
    parts: tuple[str, ...] = ()
    who: str | None = None
    why: str | None = None
    manifests_commit: str | None = None
    generation: int | None = None

    @property
    def release(self) -> bool:
        return self.verb in RELEASES

    @property
    def rollback(self) -> bool:
        return self.verb == "rollback"

    @property
    def automatic(self) -> bool:
        return self.by in AUTOMATION


def read_entry(fact: Fact) -> LogEntry:
    body = fact.body
    hold = body.get("hold")
    number = int(body["n"])
    return LogEntry(
        n=number,
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
        newest_release=int(body.get("newest_release", number)),
        newest_rollback=int(body.get("newest_rollback") or 0),
        settled=int(body.get("settled") or 0),
        hold=Hold(n=hold["n"], by=hold["by"], who=hold["who"], why=hold["why"]) if hold else None,
        request=body.get("request"),
        build=body.get("build"),
        images=body.get("images"),
        target=body.get("target"),
        attempt=body.get("attempt"),
        bundle=body.get("bundle"),
        parts=tuple(body.get("parts") or ()),
        who=body.get("who"),
        why=body.get("why"),
        manifests_commit=body.get("manifests_commit"),
        generation=body.get("generation"),
    )


def read_log(application: Application, environment: Environment, snapshot: Snapshot) -> tuple[LogEntry, ...]:
    """The newest entries (as many as were listed), newest first; below them the newest release, which is always there."""
    prefix = names.log(application.name, environment.name)
    return snapshot.remember(prefix, prefix, lambda: tuple(read_entry(fact) for fact in snapshot.under(prefix)))


def standing_hold(application: Application, environment: Environment, snapshot: Snapshot) -> Hold | None:
    """Of the environment itself, else of everything. One that automation has set lets its own rollback by, so there the hold
    over everything comes first."""
    log = read_log(application, environment, snapshot)
    own = log[0].hold if log else None
    if own is not None and own.by != "on_failure":
        return own
    over_all = snapshot.under(names.ALL_HOLDS)
    body = over_all[0].body if over_all else None
    if body is None or body["verb"] != "hold":
        return own
    return Hold(n=None, by="operator", who=body["who"], why=body["why"])


def is_stopped(hold: Hold | None, n: int, by: str) -> bool:
    """Does this hold stop entry n? An automatic rollback is not stopped by the hold that it sets itself."""
    return hold is not None and by in AUTOMATION and hold.n != n


def new_entry(
    application: Application, environment: Environment, log: tuple[LogEntry, ...], body: Mapping[str, Any]
) -> NewFact:
    """Entry after the newest of `log`. Creating it is the lock."""
    newest = log[0] if log else None
    number = newest.n + 1 if newest else 1
    verb = str(body.get("verb") or "release")
    carried: dict[str, Any] = {
        "promoted": newest.promoted if newest else 0,
        "newest_release": number if verb in RELEASES else newest.newest_release if newest else 0,
        "newest_rollback": number if verb == "rollback" else newest.newest_rollback if newest else 0,
        "settled": number if verb in _SETTLING else newest.settled if newest else 0,
        "hold": _hold(newest, number, verb, body),
    }
    return NewFact(
        name=names.entry(application.name, environment.name, number),
        body={
            "kind": "entry",
            "application": application.name,
            "environment": environment.name,
            "n": number,
            "verb": verb,
            "commit": None,
            **carried,
            **body,
        },
    )


def _hold(newest: LogEntry | None, number: int, verb: str, body: Mapping[str, Any]) -> dict[str, Any] | None:
    if verb in {"hold", "rollback"}:
        return {"n": number, "by": body["by"], "who": body.get("who"), "why": body.get("why")}
    standing = newest.hold if newest and verb != "resume" else None
    return {"n": standing.n, "by": standing.by, "who": standing.who, "why": standing.why} if standing else None


def ref_fact(application: Application, body: Mapping[str, Any]) -> NewFact:
    """The pointer from the ref to the entry of that body, which the ref brought."""
    return NewFact(
        name=names.ref(application.name, body["environment"], body["ref"]) + names.down(body["n"]),
        body={"kind": "ref", **{key: body[key] for key in ("environment", "ref", "n", "commit", "object", "via")}},
    )
