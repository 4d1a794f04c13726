"""Chat rooms, mailboxes and code hosts behind the simulator's faults, with the moments at which they took something up."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial

from tests.simulation.ports import Points

from downwind.adapters.memory_notifier import MemoryNotifier
from downwind.model.channels import Channel
from downwind.model.notice import Notice


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """`asked`: when the worker made the call; `at`: when the receiver took it up."""

    asked: float
    at: float
    channel: str
    id: str
    state: str


class Receivers(MemoryNotifier):
    """`ports.Notifier` for the workers."""

    def __init__(self, points: Points) -> None:
        super().__init__()
        self._points = points
        self.taken: list[Taken] = []

    def send(
        self,
        channel: Channel,
        notice: Notice,
        *,
        receipt: str | None = None,
        look: bool = False,
        since: datetime | None = None,
    ) -> str | None:
        asked = self._points.scheduler.now
        arrives = partial(self._arrives, asked, channel, notice, receipt=receipt, look=look, since=since)
        return self._points.call("notifier.send", arrives, effect=True)[0]

    def _arrives(
        self,
        asked: float,
        channel: Channel,
        notice: Notice,
        *,
        receipt: str | None,
        look: bool,
        since: datetime | None,
    ) -> str | None:
        now = self._points.scheduler.now
        self.taken.append(Taken(asked=asked, at=now, channel=channel.name, id=notice.id, state=notice.state))
        return super().send(channel, notice, receipt=receipt, look=look, since=since)
