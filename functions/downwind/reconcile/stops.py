"""What keeps automation from going on: a hold, a freeze window."""

from collections.abc import Mapping
from datetime import datetime

from downwind.model.catalog import Environment
from downwind.model.cron import frozen_until
from downwind.reconcile.log import Hold
from downwind.reconcile.steps import Collector


def wait_for_hold(hold: Hold | None, collector: Collector, about: Mapping[str, object]) -> None:
    """`closed` where the order that ends the hold opens the marker again."""
    assert hold is not None
    collector.wait(hold.says, closed=hold.n is not None, **about)


def frozen(environment: Environment, by: str, now: datetime) -> datetime | None:
    """Until when a freeze window stops what is new and was not ordered; a rollback puts back what was there."""
    if by not in {"push", "promotion"}:
        return None
    return max((until for freeze in environment.freeze if (until := frozen_until(freeze, now))), default=None)


def wait_for_freeze(until: datetime, collector: Collector, about: Mapping[str, object]) -> None:
    collector.wait(f"the freeze window to end at {until:%Y-%m-%d %H:%M} UTC", until=until, **about)
