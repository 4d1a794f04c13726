"""What goes wrong, and where. A fate is asked at each point, before and after a call, and names a fault or None.

before: crash | stall | busy (refused for now, nothing done) | never (an effect that never arrived, and nobody knows)
        | late (an effect that arrives after the caller has given up)
after:  crash | stall | lost (done, and the answer is lost)
        | retried (done, its answer lost inside the client library, whose repeat meets its own success: 412 or 403)
either: tick | again (a tick, or the message that is handled here once more, runs from beginning to end meanwhile); written only,
        since in drawn histories these come about by themselves
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from random import Random

BEFORE = ("crash", "stall", "busy")
BEFORE_EFFECT = (*BEFORE, "never", "late")
BEFORE_GENTLE = ("crash", "busy", "never")
AFTER = ("crash", "stall", "lost")
AFTER_CREATE = (*AFTER, "retried")
MEANWHILE = ("tick", "again")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rates:
    """Chances of a fault a point, and of what else goes wrong outside."""

    point: float = 0.012
    crash: float = 0.4
    """of those faults, how many kill the worker"""
    duplicate: float = 0.15
    dropped: float = 0.01
    unannounced: float = 0.1
    lost_end: float = 0.1
    purge: float = 0.05
    dead_start: float = 0.04
    doubled: float = 0.05
    dies: float = 0.03
    lag: float = 0.3


CALM = Rates(
    point=0,
    crash=0,
    duplicate=0,
    dropped=0,
    unannounced=0,
    lost_end=0,
    purge=0,
    dead_start=0,
    doubled=0,
    dies=0,
    lag=0,
)


class Fate:
    """Drawn from a seed until `over`."""

    def __init__(self, random: Random, rates: Rates, *, gentle: bool = False) -> None:
        """`gentle`: no effect arrives after its caller has given it up, by a stall or on its way, and Orca doubles none."""
        self.random = random
        self.rates = replace(rates, doubled=0) if gentle else rates
        self.gentle = gentle
        self.over = False
        self.drawn: dict[str, int] = {}

    def before(self, *, effect: bool) -> str | None:
        if effect and self.gentle:
            return self._draw(BEFORE_GENTLE)
        return self._draw(BEFORE_EFFECT if effect else BEFORE)

    def after(self, *, create: bool) -> str | None:
        return self._draw(AFTER_CREATE if create else AFTER)

    def _draw(self, kinds: tuple[str, ...]) -> str | None:
        if self.over or self.random.random() >= self.rates.point:
            return None
        kind = "crash" if self.random.random() < self.rates.crash else self.random.choice(kinds[1:])
        self.drawn[kind] = self.drawn.get(kind, 0) + 1
        return kind

    def chance(self, rate: float) -> bool:
        return not self.over and self.random.random() < rate

    def order(self, count: int) -> list[int]:
        """In which order independent calls are made."""
        indices = list(range(count))
        if not self.over:
            self.random.shuffle(indices)
        return indices

    def latency(self) -> float:
        return self.random.random() * 0.1

    def delivery(self, kind: str) -> float:
        """Seconds until a message of that kind comes."""
        del kind
        return 0.1 if self.over else self.latency() * self.random.choice((1, 5, 50))

    def stall(self) -> float:
        """Around the thirty seconds, and past the lease."""
        return self.random.choice((25.0, 31.0, 65.0, 130.0, 200.0))


class Written(Fate):
    """Faults by the number of their point, else nothing goes wrong; every latency is the same."""

    def __init__(
        self, faults: Mapping[int, str], *, backwards: bool = False, stall: float = 130.0, gentle: bool = False
    ) -> None:
        super().__init__(Random(0), CALM, gentle=gentle)
        self._faults = faults
        self._backwards = backwards
        self.stalls = stall
        """Seconds of a stall; what arrives late does so after the half of it."""
        self.asked = 0
        self.offered: list[tuple[str, ...]] = []
        """By point: the faults that there could have been."""

    def before(self, *, effect: bool) -> str | None:
        if effect and self.gentle:
            return self._planned(BEFORE_GENTLE)
        return self._planned(BEFORE_EFFECT if effect else BEFORE)

    def after(self, *, create: bool) -> str | None:
        return self._planned(AFTER_CREATE if create else AFTER)

    def _planned(self, kinds: tuple[str, ...]) -> str | None:
        if self.over:
            return None
        self.offered.append(kinds)
        self.asked += 1
        kind = self._faults.get(self.asked - 1)
        return kind if kind in (*kinds, *MEANWHILE) else None

    def chance(self, rate: float) -> bool:
        del rate
        return False

    def order(self, count: int) -> list[int]:
        return list(range(count))[:: -1 if self._backwards else 1]

    def latency(self) -> float:
        """So short that nothing else happens while a message is handled, but what is to."""
        return 0.001

    def delivery(self, kind: str) -> float:
        """Apart, so that one is handled when the next one comes."""
        return {"image": 3.0, "build": 5.0, "execution": 8.0}.get(kind, 1.0)

    def stall(self) -> float:
        return self.stalls
