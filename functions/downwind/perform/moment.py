"""*Now*, for one worker: the store's time of an object that it has just created, and what has gone by on its own clock since.
A worker that was stopped for minutes must not think that no time has passed."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from downwind.errors import TransientError
from downwind.perform.world import World


@dataclass(frozen=True, slots=True)
class Moment:
    """`created`: the store's time; `began`: the worker's own seconds, read once the store had answered."""

    created: datetime
    began: float

    def now(self, world: World) -> datetime:
        return self.created + timedelta(seconds=world.monotonic() - self.began)

    def fresh(self, world: World) -> "Moment":
        """From now on: for the next of many things that one worker does."""
        return Moment(self.now(world), world.monotonic())

    def late(self, world: World) -> bool:
        """Has so much gone by that others may have taken up what this worker was about?"""
        return world.monotonic() - self.began > world.timing.drop


def moment_of(world: World, created: datetime, asked: float) -> Moment | None:
    """`asked`: the worker's own seconds when it sent the create. None where the answer took longer than a call may: the worker
    was stopped meanwhile, and nobody can say whether before or after the store's time."""
    began = world.monotonic()
    return Moment(created, began) if began - asked <= world.timing.effect else None


def drop_if_late(world: World, began: float) -> None:
    """Raises TransientError where a worker that began then is too late for an effect: the tick takes it up."""
    if world.monotonic() - began > world.timing.drop:
        raise TransientError("too much time went by since this began; the tick takes over")
