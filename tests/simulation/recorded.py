"""What the ledger says at the end of a history, with seconds of the history instead of dates."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from downwind.reconcile import names
from downwind.reconcile.facts import decode_body

if TYPE_CHECKING:
    from tests.simulation.history import History

START = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""When every history begins."""
START_SECONDS = START.timestamp()
ENDLESS = float("inf")


def seconds_of(moment: datetime) -> float:
    return moment.timestamp() - START_SECONDS


def facts(history: "History", prefix: str) -> list[dict[str, Any]]:
    """Bodies, with the moment in the history at which each was created."""
    found = []
    for each in history.stores["ledger"].peek(prefix):
        body = dict(decode_body(each.name, each.data or b""))
        found.append({**body, "created": seconds_of(each.created)})
    return found


def log_of(history: "History", application: str, environment: str) -> list[dict[str, Any]]:
    """Oldest first."""
    return facts(history, names.log(application, environment))[::-1]


def outcomes_of(history: "History", application: str, environment: str) -> dict[int, dict[str, Any]]:
    """Of each rollout the newest: a retry has one of its own."""
    found: dict[int, dict[str, Any]] = {}
    for body in facts(history, names.rollouts(application, environment)):
        if body["kind"] == "outcome" and body["attempt"] >= found.get(int(body["n"]), body)["attempt"]:
            found[int(body["n"])] = body
    return found


def claimed_of(history: "History", application: str, environment: str) -> set[int]:
    found = facts(history, names.rollouts(application, environment))
    return {int(body["n"]) for body in found if body["kind"] == "claim"}


def holds_of(
    history: "History", application: str, environment: str, but: int | None = None
) -> list[tuple[float, float, int | None]]:
    """From, until, and the entry that held first (None: everything), but for what entry `but` itself has set."""
    found: list[tuple[float, float, int | None]] = []
    begin: tuple[float, int] | None = None
    for entry in log_of(history, application, environment):
        hold = entry.get("hold")
        holds = hold is not None and hold["n"] != but
        if holds and begin is None:
            begin = (entry["created"], entry["n"])
        elif not holds and begin is not None:
            found.append((begin[0], entry["created"], begin[1]))
            begin = None
    if begin is not None:
        found.append((begin[0], ENDLESS, begin[1]))
    since: float | None = None
    for body in reversed(facts(history, names.ALL_HOLDS)):
        if body["verb"] == "hold":
            since = body["created"] if since is None else since
        elif since is not None:
            found.append((since, body["created"], None))
            since = None
    if since is not None:
        found.append((since, ENDLESS, None))
    return found


def is_held(history: "History", environment: str | None) -> bool:
    """Does the shop's environment hold, or everything (None)?"""
    holds = holds_of(history, "shop", environment or history.kind.environments[0])
    return any(until == ENDLESS and (number is None) == (environment is None) for _, until, number in holds)
