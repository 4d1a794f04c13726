"""One message for each rollout and channel, in its final state; more only where an answer was lost and the receiver cannot be
asked, and none only there (docs/decisions/0022)."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.simulation.recorded import claimed_of, facts, log_of, outcomes_of

from downwind.model.channels import Channel, CommitStatus
from downwind.model.notice import FAILURES
from downwind.reconcile import names
from downwind.timing import CLOUD_TIMING

if TYPE_CHECKING:
    from tests.simulation.history import History

Found = tuple[str, str]


def notices(history: "History") -> Iterator[Found]:
    for registered in history.registered if history.kind.notify else ():
        for environment in history.kind.environments:
            place = (registered.application.name, environment)
            final = _final(history, *place)
            commits = {entry["n"]: entry["commit"] for entry in log_of(history, *place)}
            told = facts(history, names.notices(*place))
            for channel in registered.application.notify:
                mine = [body for body in told if body["channel"] == channel.name]
                for n, state in final.items():
                    same = [other for other in final if commits[other] == commits[n]]
                    if not isinstance(channel.target, CommitStatus):
                        same = [n]
                    if n == max(same) and not _late(history, place, channel, same, mine):
                        seen = _Seen.of(history, place, channel, n, mine)
                        wrong = seen.wrong(channel, state)
                        if wrong:
                            yield wrong[0], f"{'/'.join(place)} {n} is {state}, and {channel.name} {wrong[1]}"


def _final(history: "History", application: str, environment: str) -> dict[int, str]:
    """By number, what people have to be told in the end: an outcome, or that the newest is blocked."""
    found = {n: str(body["status"]) for n, body in outcomes_of(history, application, environment).items()}
    highest = max(claimed_of(history, application, environment), default=0)
    for entry in log_of(history, application, environment):
        if entry["n"] > highest and entry["n"] not in found and entry["commit"]:
            release = names.release(application, entry["commit"])
            bodies = facts(history, release)
            blocked = any(body["kind"] == "blocked" for body in bodies)
            if blocked and not any(body["kind"] == "completed" for body in bodies):
                found[entry["n"]] = "blocked"
    return found


def _late(
    history: "History", place: tuple[str, str], channel: Channel, same: list[int], told: list[dict[str, Any]]
) -> bool:
    """Did the receiver take something up more than a lease after it was claimed? That is not promised."""
    for n in same:
        identifier = names.notice_id(*place, n, channel.name)
        for taken in history.notifier.taken:
            if (taken.channel, taken.id) == (channel.name, identifier):
                claims = [
                    body["created"]
                    for body in told
                    if body["kind"] == "notice-claim"
                    and (body["n"], body["state"]) == (n, taken.state)
                    and body["created"] <= taken.asked
                ]
                if taken.at - max(claims, default=taken.at) > CLOUD_TIMING.lease:
                    return True
    return False


@dataclass(frozen=True, slots=True, kw_only=True)
class _Seen:
    """What a person sees of one rollout in one channel."""

    states: tuple[str, ...]
    phases: int
    unanswered: int
    """claims of which nobody knows what became of them"""
    given_up: bool
    """because one of them may have arrived"""

    @classmethod
    def of(
        cls, history: "History", place: tuple[str, str], channel: Channel, n: int, told: list[dict[str, Any]]
    ) -> "_Seen":
        identifier = names.notice_id(*place, n, channel.name)
        mine = [body for body in told if body.get("n") == n]
        claims = {(body["phase"], body["epoch"]) for body in mine if body["kind"] == "notice-claim"}
        answers = {
            (body["phase"], body.get("epoch")) for body in mine if body["kind"] in {"notice-sent", "notice-failed"}
        }
        return cls(
            states=tuple(state for each, state in history.notifier.shown(channel.name) if each == identifier),
            phases=len({phase for phase, _ in claims}),
            unanswered=len(claims - answers),
            given_up=any(body["kind"] == "notice-dropped" and "may have arrived" in body["reason"] for body in mine),
        )

    def wrong(self, channel: Channel, state: str) -> Found | None:
        target, found = channel.target, Counter(self.states)
        if target.edits:
            if len(self.states) != 1:
                return ("double" if self.states else "lost"), f"shows {list(self.states)}"
            return None if self.states == (state,) else ("lost", f"shows {self.states[0]}")
        spare = 0 if target.asked else self.unanswered
        if len(self.states) > self.phases + spare:
            return "double", f"was told {list(self.states)}"
        if not found[state] and not (self.given_up and state not in FAILURES):
            return "lost", f"was told {list(self.states)}"
        return None
