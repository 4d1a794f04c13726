"""Nobody who is not listed gets anything done, and automation leaves alone what is held or frozen: it starts and cancels
nothing there, answers no judgment, and appends only what came from outside."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from tests.simulation.operators import LISTED, STRANGER
from tests.simulation.recorded import START_SECONDS, facts, holds_of, log_of
from tests.simulation.spinnaker import Command

from downwind.reconcile import names
from downwind.reconcile.log import AUTOMATION

if TYPE_CHECKING:
    from tests.simulation.history import History

Found = tuple[str, str]


def orders(history: "History") -> Iterator[Found]:
    for sent in history.operators.sent:
        if sent.who == STRANGER and sent.ended not in {None, "forbidden"}:
            yield "forbidden", f"order {sent.asked.id} of {sent.who}: {sent.ended}"
    ledger = history.stores["ledger"]
    for each in [*ledger.peek("environment/"), *ledger.peek("all/"), *ledger.peek("event/")]:
        if each.data and STRANGER.encode() in each.data:
            yield "forbidden", f"{each.name} names {STRANGER}"
    for application in history.kind.applications():
        for environment in history.kind.environments:
            yield from _Automation(history, application, environment).found()


class _Automation:
    """What automation did in one environment."""

    def __init__(self, history: "History", application: str, environment: str) -> None:
        self.history = history
        self.place = (application, environment)
        self.says = "/".join(self.place)
        self.log = {entry["n"]: entry for entry in log_of(history, application, environment)}
        self.facts = facts(history, names.rollouts(application, environment))
        self.exact = not {"late", "stall"} & history.fate.drawn.keys()
        """Is what was claimed last what was posted next?"""

    def found(self) -> Iterator[Found]:
        yield from self._appended()
        for document in self._ours(self.history.spinnaker.executions.values()):
            yield from self._started(document)
        executions = self.history.spinnaker.executions
        for command in self.history.spinnaker.commands:
            if command.execution in executions and self._ours([executions[command.execution]]):
                check = self._cancelled if command.verb == "cancel" else self._judged
                yield from check(command, executions[command.execution]["trigger"]["downwind"])

    def _ours(self, documents: Any) -> list[Mapping[str, Any]]:
        return [
            each
            for each in documents
            if (each["trigger"]["downwind"]["application"], each["trigger"]["downwind"]["environment"]) == self.place
        ]

    def _by_operator(self, n: int, attempt: int) -> bool:
        """Did anybody else than automation append that entry, or order that attempt?"""
        retries = [each["attempt"] for each in self.log.values() if each.get("verb") == "retry" and each["target"] == n]
        by_other = n in self.log and self.log[n]["by"] not in AUTOMATION
        return by_other or bool(retries and attempt >= min(retries))

    def _held(self, n: int, since: float, until: float) -> bool:
        """Was it held all the time, by another than entry n? `since`: when it was written down that this is to be done."""
        holds = holds_of(self.history, *self.place, but=n)
        return any(begin < since and until < end for begin, end, _ in holds)

    def _appended(self) -> Iterator[Found]:
        before: Mapping[str, Any] = {}
        for n, entry in sorted(self.log.items()):
            verb = entry.get("verb") or "release"
            if entry["by"] == "on_failure" and before.get("hold"):
                yield "forbidden", f"{self.says} {n}: automation appended a {verb} while it was held"
            allowed = {"hold", "rollback"} if entry["by"] == "on_failure" else {"release"}
            if entry["by"] in AUTOMATION and verb not in allowed:
                yield "forbidden", f"{self.says} {n}: automation ordered a {verb}"
            before = entry

    def _started(self, document: Mapping[str, Any]) -> Iterator[Found]:
        """Nothing that was claimed and posted under a hold; nothing that began in a freeze window (the next attempt of what
        began before goes on, and a rollback puts back what was there)."""
        ours, history = document["trigger"]["downwind"], self.history
        n, attempt = int(ours["sequence"]), int(ours["attempt"])
        if n not in self.log or self._by_operator(n, attempt):
            return
        began = document["buildTime"] / 1000 - START_SECONDS - history.skew
        claims = sorted(self._claims(n, attempt)) or [began]
        posted = [claim for claim in claims if claim < began + 0.01] if self.exact else claims[:1]
        if self._held(n, max(posted, default=began), began):
            yield "forbidden", f"{self.says} {n} was claimed and started while it was held"
        rollback = self.log[n].get("verb") == "rollback"
        if history.kind.frozen is None or self.place[1] != "staging" or rollback:
            return
        opens, ends = (minute * 60.0 for minute in history.kind.frozen)
        if opens + 1 < min(self._claims(n, 0), default=began) and began < ends - 1:
            yield "forbidden", f"{self.says} {n} was started in a freeze window"

    def _claims(self, n: int, attempt: int) -> list[float]:
        return [
            body["created"]
            for body in self.facts
            if (body["kind"], body.get("n"), body.get("attempt")) == ("claim", n, attempt)
        ]

    def _cancelled(self, command: Command, ours: Mapping[str, str]) -> Iterator[Found]:
        """By an order; or as superseded, for one that may go itself."""
        n, attempt = int(ours["sequence"]), int(ours["attempt"])
        mine = [body for body in self.facts if body.get("n") == n]
        if any(body["kind"] == "cancel-order" and body["reason"] == command.what for body in mine):
            return
        reasons = [body for body in mine if body["kind"] == "cancel" and body["attempt"] == attempt]
        word, _, newer = command.what.rpartition(" ")
        if not reasons or word != "superseded by":
            yield "forbidden", f"{self.says} {n} was cancelled for no reason that is written down: {command.what}"
        elif not self._by_operator(int(newer), 0) and self._held(int(newer), reasons[0]["created"], command.at):
            yield "forbidden", f"{self.says} {n} was cancelled for {newer} while it was held"

    def _judged(self, command: Command, ours: Mapping[str, str]) -> Iterator[Found]:
        """By an order of one who may."""
        judgments = [
            body
            for body in self.facts
            if body["kind"] == "judgment" and (body["execution"], body["decision"]) == (command.execution, command.what)
        ]
        if not any(body["who"] == LISTED and body["created"] <= command.at for body in judgments):
            yield "forbidden", f"{self.says} {ours['sequence']}: automation answered a judgment: {command.what}"
