"""Chat rooms, mailboxes and code hosts in memory: the twin of the adapters behind `adapters.notifiers`.

It keeps every message that arrived, so that one which came twice is seen.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from downwind.adapters.memory_faults import Faults
from downwind.errors import UnknownOutcome
from downwind.model.channels import Channel, CommitStatus, GithubDeployments, GoogleChat, Mail, Slack, Webhook
from downwind.model.notice import Notice


@dataclass(slots=True, kw_only=True)
class Arrived:
    """One message as its receiver has it. `place`: what it is known by there; `states`: all it was in, the newest last."""

    channel: str
    place: str
    id: str
    text: str
    states: list[str] = field(default_factory=list)


class MemoryNotifier(Faults):
    """Implements `ports.Notifier`. `arrived` is in the order of arrival.

    A send that never arrived: `fail(UnknownOutcome("…"))`; one whose answer is lost: `lose_answers()`; one that the receiver
    takes up only at `release()`: `hold()`.
    """

    def __init__(self) -> None:
        super().__init__()
        self._mutex = threading.RLock()
        self._lose = 0
        self._hold = 0
        self._held: list[Callable[[], object]] = []
        self.arrived: list[Arrived] = []
        self.sends = 0

    def send(
        self,
        channel: Channel,
        notice: Notice,
        *,
        receipt: str | None = None,
        look: bool = False,
        since: datetime | None = None,  # noqa: ARG002 - the twin forgets nothing, however old
    ) -> str | None:
        with self._mutex:
            self.sends += 1
            self.check("send")
            take = partial(self._take, channel, notice, receipt, look=look)
            if self._hold > 0:
                self._hold -= 1
                self._held.append(take)
                raise UnknownOutcome(f"{channel.name} did not answer in time")
            given = take()
            if self._lose > 0:
                self._lose -= 1
                raise UnknownOutcome(f"{channel.name} did not answer")
            return given

    def shown(self, channel: str) -> list[tuple[str, str]]:
        """(id, state) of each message that a person sees there. Mailboxes drop a second mail of one Message-ID."""
        with self._mutex:
            found = [each for each in self.arrived if each.channel == channel]
            seen = {
                f"{each.place} {number}" if not each.place else each.place: each for number, each in enumerate(found)
            }
            return [(each.id, each.states[-1]) for each in seen.values()]

    # What a test does in the receivers' place.

    def lose_answers(self, times: int = 1) -> None:
        """The next sends arrive, but the caller gets UnknownOutcome."""
        self._lose = times

    def hold(self, times: int = 1) -> None:
        """The next sends arrive at `release`, long after the caller got UnknownOutcome."""
        self._hold = times

    def release(self) -> None:
        with self._mutex:
            held, self._held = self._held, []
            for take in held:
                take()

    def _take(self, channel: Channel, notice: Notice, receipt: str | None, *, look: bool) -> str | None:
        target = channel.target
        match target:
            case CommitStatus():
                self._put(channel, notice, f"{notice.commit} {notice.context}")
                return None
            case GoogleChat() | Webhook():
                self._put(channel, notice, notice.id)
                return None
            case Slack() | GithubDeployments():
                return self._post_or_edit(channel, notice, receipt, look=look)
            case Mail():
                self._new(channel, notice, f"{notice.id}.{notice.state}")
                return None
        self._new(channel, notice, "")
        return None

    def _put(self, channel: Channel, notice: Notice, place: str) -> None:
        standing = next((each for each in self.arrived if (each.channel, each.place) == (channel.name, place)), None)
        self._change(standing, notice) if standing else self._new(channel, notice, place)

    def _post_or_edit(self, channel: Channel, notice: Notice, receipt: str | None, *, look: bool) -> str:
        mine = [each for each in self.arrived if each.channel == channel.name]
        standing = next((each for each in mine if each.place == receipt), None)
        if standing is None and receipt is None and look:
            standing = next((each for each in mine if each.id == notice.id), None)
        if standing is None:
            standing = self._new(channel, notice, str(len(self.arrived) + 1))
        else:
            self._change(standing, notice)
        return standing.place

    def _new(self, channel: Channel, notice: Notice, place: str) -> Arrived:
        new = Arrived(channel=channel.name, place=place, id=notice.id, text=notice.text, states=[notice.state])
        self.arrived.append(new)
        return new

    @staticmethod
    def _change(standing: Arrived, notice: Notice) -> None:
        standing.id, standing.text = notice.id, notice.text
        standing.states.append(notice.state)
