"""The numbers of the protocol (design.md section 3)."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Seconds. The laptop's world runs the same rules at a tenth of the time."""

    tick: int = 60
    """Period of the tick: how long its lock object stands for."""
    lease: int = 60
    """A claim older than this may be taken over, by the tick alone."""
    drop: int = 30
    """A worker that finds this much gone since its claim drops the effect."""
    effect: int = 20
    """Each call with an effect ends within this."""
    look_first: int = 120
    """A started execution, or a build that an entry waits for, of which nobody heard is looked up after this,"""
    look_every: int = 600
    """and then each time this has passed."""
    show: int = 600
    """For so long a host may answer as if a push that was told of had not been."""
    wait: int = 24 * 3600
    """A release without build or image is abandoned after this."""


def look_now(age: float, timing: Timing, *, often: bool = False) -> bool:
    """Is something of that age, of which nobody was heard, asked for on this tick? First after `look_first`, then every
    `look_every`, or on every tick. Each moment falls into two ticks, since ticks come neither exactly in time nor all."""
    since = age - timing.look_first
    return often or (since >= 0 and since % timing.look_every < 2 * timing.tick)


CLOUD_TIMING = Timing()
LOCAL_TIMING = Timing(tick=2, lease=12, drop=6, effect=5, look_first=4, look_every=10, show=20)
