"""The engineer on call, and somebody who may not: orders of every verb at any time, sent again where no answer came."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random

from tests.simulation.scheduler import Scheduler

from downwind.adapters.memory_groups import MemoryGroups
from downwind.errors import PermanentError, TransientError, Unauthorized
from downwind.events.order import VERBS, Asked
from downwind.model.event import Verb
from downwind.perform.orders import carry_out
from downwind.perform.world import World

LISTED = "ann@acme.example"
STRANGER = "mallory@acme.example"
_TRIES = 6
_OFTEN = ("promote", "rollback", "hold", "resume", "hold", "resume", "cancel", "retry", "approve", "reject", "deploy")


@dataclass(slots=True, kw_only=True)
class Sent:
    """One order. `ended`: done, refused, forbidden, or None while nobody knows."""

    asked: Asked
    who: str
    tries: int = 0
    ended: str | None = None
    answered: float | None = None


@dataclass(slots=True, kw_only=True)
class Operators:
    world: World
    scheduler: Scheduler
    random: Random
    clock: Callable[[], datetime]
    revision: Callable[[], int]
    sent: list[Sent] = field(default_factory=list)
    groups: MemoryGroups = field(default_factory=MemoryGroups)

    def order(self, verb: Verb, environment: str | None, *, who: str = LISTED, commit: str | None = None) -> Sent:
        everything = environment is None
        asked = Asked(
            id=f"o{len(self.sent) + 1}",
            verb=verb,
            application=None if everything else "shop",
            environment=environment,
            everything=everything,
            commit=commit,
            why="the simulator wants it",
        )
        sent = Sent(asked=asked, who=who)
        self.sent.append(sent)
        self.scheduler.trace.append(
            f"{self.scheduler.now:.3f} order {asked.id} of {who}: {verb} {environment or 'everything'}"
        )
        self._try(sent)
        return sent

    def any_order(self, environments: tuple[str, ...], commits: list[str]) -> None:
        """By the one who may, or now and then by the one who may not."""
        verb = self.random.choice(_OFTEN)
        who = STRANGER if self.random.random() < 0.15 else LISTED
        environment: str | None = self.random.choice(environments)
        if verb in {"hold", "resume"} and self.random.random() < 0.15:
            environment = None
        if verb == "deploy" and not commits:
            return
        commit = self.random.choice(commits) if verb == "deploy" else None
        assert verb in VERBS
        self.order(verb, environment, who=who, commit=commit)  # type: ignore[arg-type]  # one of VERBS

    def _try(self, sent: Sent) -> None:
        """A person who gets no answer, or is told to, sends the same order again."""
        if sent.ended is not None:
            return
        sent.tries += 1

        def work() -> None:
            try:
                # The person's own clock may differ; the function's does too.
                now = self.clock() + timedelta(seconds=self.random.choice((0, 5, -5)))
                carry_out(self.world, self.groups, sent.asked, sent.who, (LISTED,), now)
                sent.ended = "done"
            except TransientError as error:
                self.scheduler.trace.append(f"  to be sent again: {error}")
            except Unauthorized:
                sent.ended = "forbidden"
            except PermanentError as error:
                self.scheduler.trace.append(f"  refused: {error}")
                sent.ended = "refused"
            sent.answered = self.scheduler.now if sent.ended else None

        def ended(_lived: bool) -> None:
            if sent.ended is None and sent.tries < _TRIES:
                self.scheduler.after(15.0, self._try, sent)

        self.scheduler.spawn(f"operate:{sent.asked.id}.{sent.tries}", work, ended, revision=self.revision())
