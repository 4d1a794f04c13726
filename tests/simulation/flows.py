"""What the exhaustive run plays: a calm beginning, a window in which faults strike, and what comes after it."""

from collections.abc import Callable
from functools import partial

from tests.simulation.fate import Written
from tests.simulation.history import PERIOD, History
from tests.simulation.outside import Letter
from tests.simulation.recorded import log_of, outcomes_of
from tests.simulation.shop import KINDS, SHORT_KINDS, Kind

from downwind.errors import UnknownOutcome
from downwind.model.execution import read_execution

Act = Callable[[], object]


def until(history: History, met: Callable[[], bool]) -> None:
    """One thing after another until it is so; the window opens just then."""
    _calm(history, over=True)
    while not met():
        next_thing(history)
        assert history.scheduler.now < 3600, "the flow never came to its window"
    _calm(history, over=False)


def _calm(history: History, *, over: bool) -> None:
    history.fate.over = over


def next_thing(history: History) -> None:
    history.outside.started()
    moment = history.scheduler.next_at
    if moment is None or moment > (history.scheduler.now // PERIOD + 1) * PERIOD:
        history.scheduler.run((history.scheduler.now // PERIOD + 1) * PERIOD)
        history.tick()
    else:
        history.scheduler.run(moment)


def told(history: History, kind: str, status: str | None = None) -> bool:
    return any(
        each.kind == kind and not each.settled and status in (None, each.message.attributes.get("status"))
        for each in history.pubsub.letters
    )


def _window(history: History, kind: str, ticks: int) -> None:
    """Until the newest message of that kind is settled, and so many ticks more."""
    letter = next(each for each in reversed(history.pubsub.letters) if each.kind == kind)
    while not letter.settled:
        next_thing(history)
    _rest(history)
    for _ in range(ticks):
        history._minute()
    _rest(history)


def _rest(history: History) -> None:
    while history.scheduler.workers:
        next_thing(history)


def _push(history: History, ticks: int) -> None:
    """Its build is told of only afterwards."""
    outside = history.outside
    outside.announces_builds = False
    until(history, lambda: True)
    outside.push(history.kind.refs[0])
    _window(history, "push", ticks)
    outside.announces_builds = True
    if not history.kind.starts:
        outside.build(outside.commits[0], history.kind.refs[0])


def _build(history: History, ticks: int) -> None:
    history.outside.push(history.kind.refs[0])
    until(history, lambda: told(history, "build", "SUCCESS"))
    _window(history, "build", ticks)


def _image(history: History, ticks: int) -> None:
    history.outside.push(history.kind.refs[0])
    until(history, lambda: told(history, "image"))
    _window(history, "image", ticks)


def _execution(history: History, ticks: int) -> None:
    history.outside.push(history.kind.refs[0])
    executions = history.spinnaker.executions
    until(history, lambda: any(each["status"] == "SUCCEEDED" for each in executions.values()))
    _window(history, "execution", ticks)


def _request(history: History, ticks: int) -> None:
    history.outside.push(history.kind.refs[0])
    until(history, lambda: len(history.spinnaker.applied) == 1 and history._ended())
    history.outside.request("staging", history.outside.commits[0])
    _window(history, "request", ticks)


def tick(history: History, ticks: int) -> None:
    """A claim whose post came to an unknown end, as old as its lease; `ticks` more than the one that takes over."""
    history.spinnaker.fail(UnknownOutcome("Gate did not answer"), verb="start")
    history.outside.push(history.kind.refs[0])
    until(history, lambda: history.spinnaker.posts == 1)
    _calm(history, over=True)
    history._quiet()
    history.scheduler.run((history.scheduler.now // PERIOD + 2) * PERIOD - 1)
    _calm(history, over=False)
    for _ in range(1 + ticks):
        history._minute()
    _rest(history)


def _race(history: History, ticks: int) -> None:
    """The end of a build and its image are told at the same moment, to two workers that want the same claim."""
    held = history.pubsub.held = []
    history.outside.push(history.kind.refs[0])
    until(history, lambda: any(each.message.attributes.get("status") == "SUCCESS" for each in held))
    history.pubsub.held = None
    last = [each for each in held if each.kind == "image" or each.message.attributes.get("status") == "SUCCESS"]
    for letter in held:
        if letter not in last:
            history.pubsub.replay(letter)
    history.scheduler.run(history.scheduler.now + 20)
    for letter in last:
        history.scheduler.after(1.0, history.pubsub._deliver, letter)
    _window(history, "build", ticks)


def _retry(history: History, ticks: int) -> None:
    """A run dies after its fence, and a person orders the same number again."""
    history.outside.push(history.kind.refs[0])
    spinnaker = history.spinnaker
    until(history, lambda: any(read_execution(each).fence == "passed" for each in spinnaker.executions.values()))
    _calm(history, over=True)
    spinnaker.die(next(iter(spinnaker.executions)))
    until(history, lambda: history._ended() and bool(outcomes_of(history, "shop", "staging")))
    sent = history.operators.order("retry", "staging")
    while sent.ended is None:
        next_thing(history)
    _rest(history)
    for _ in range(ticks):
        history._minute()
    _rest(history)


def _lagging(history: History, ticks: int) -> None:
    """A commit of which nobody told is overtaken while the host lags: it shows on one tick, then the newer one is believed, then
    the host answers once more from before."""
    outside, ref = history.outside, history.kind.refs[0]
    outside.announces_builds = False
    until(history, lambda: True)
    _calm(history, over=True)
    outside.push(ref)
    history._minute()
    outside.push(ref, silent=True)
    outside.push(ref)
    outside.lag(1, 70.0)
    while log_of(history, "shop", "staging")[-1]["object"] != outside.tip(ref):
        history._minute()
    _calm(history, over=False)
    outside.lag(1, 70.0)
    for _ in range(1 + ticks):
        history._minute()
    _rest(history)
    outside.announces_builds = True
    for commit in outside.commits:
        outside.build(commit, ref)


def _silent_build(history: History, ticks: int) -> None:
    """A build runs and ends, its image is there, and no message says so: the tick that is to look it up, and those after it."""
    held = history.pubsub.held = []
    history.outside.push(history.kind.refs[0])
    history.scheduler.run(history.scheduler.now + 59)
    history.pubsub.held = None
    for letter in held:
        letter.settled = letter.kind != "push"
        if not letter.settled:
            history.pubsub.replay(letter)
    until(history, lambda: not history.pubsub.waiting)
    _calm(history, over=True)
    while history.scheduler.now < history.world.timing.look_first:
        history._minute()
    _calm(history, over=False)
    for _ in range(1 + ticks):
        history._minute()
    _rest(history)


def _notices(history: History, ticks: int) -> None:
    """A start is told of; what the receiver takes up late it takes up within the lease, when the rollout may have ended."""
    history.outside.push(history.kind.refs[0])
    until(history, lambda: told(history, "build", "SUCCESS"))
    assert isinstance(history.fate, Written)
    history.fate.stalls = 50.0
    _window(history, "build", ticks)


def _silent_echo(history: History, ticks: int) -> None:
    """Spinnaker tells of nothing: what came of a start whose answer was lost is known by asking alone."""
    history.spinnaker.tell = lambda _execution: None
    _build(history, ticks)


def whole(history: History, ticks: int) -> None:
    """From the push to the end of the day; in production with a second release that comes while the first one waits."""
    history.outside.push(history.kind.refs[0])
    if "production" in history.kind.environments:
        executions = history.spinnaker.executions
        until(history, lambda: any(read_execution(each).judgment for each in executions.values()))
        history.outside.push(history.kind.refs[0])
    else:
        until(history, lambda: True)
    for _ in range(30 if ticks else 0):
        if history._ended() and history.spinnaker.executions:
            break
        history._minute()


MESSAGES: dict[str, Callable[[History, int], None]] = {
    "push": _push,
    "build": _build,
    "image": _image,
    "request": _request,
    "execution": _execution,
    "tick": tick,
}
FLOWS: dict[str, tuple[Kind, Callable[[History, int], None]]] = {
    **{f"{name}, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], flow) for name, flow in MESSAGES.items()},
    **{f"{name}, {SHORT_KINDS[1].name}": (SHORT_KINDS[1], MESSAGES[name]) for name in ("push", "build", "tick")},
    f"image, {SHORT_KINDS[2].name}": (SHORT_KINDS[2], _image),
    f"a retry, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], _retry),
    "notices of a start and an end": (next(kind for kind in SHORT_KINDS if kind.notify), _notices),
    f"a build, with Echo silent, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], _silent_echo),
    f"a build that nobody tells of, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], _silent_build),
    f"a tip that lags, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], _lagging),
    f"build and image at once, {SHORT_KINDS[0].name}": (SHORT_KINDS[0], _race),
    **{f"a release, {kind.name}": (kind, whole) for kind in SHORT_KINDS},
    "a release over another that waits": (KINDS[0], whole),
}
"""What is played, and its window."""


def _two_pushes(history: History) -> tuple[list[Act], list[Letter]]:
    """Two pushes in a row and all that is told of them: push, WORKING, image, SUCCESS, and push, SUCCESS of the newer."""
    held = history.pubsub.held = []
    for _ in range(2):
        history.outside.push(history.kind.refs[0])
        history.scheduler.run(history.scheduler.now + 250)
    history.pubsub.held = None
    older, newer = held[: len(held) // 2], held[len(held) // 2 :]
    six = [
        _letter(older, "push"),
        _letter(older, "build", "WORKING"),
        _letter(older, "image"),
        _letter(older, "build", "SUCCESS"),
        _letter(newer, "push"),
        _letter(newer, "build", "SUCCESS"),
    ]
    return [partial(history.pubsub.replay, letter) for letter in six], held


def _one_of_each(history: History) -> tuple[list[Act], list[Letter]]:
    """A release runs: its execution's end, a newer push, its image, its SUCCESS, a request for the older commit, and a tick."""
    history.outside.push(history.kind.refs[0])
    until(history, lambda: bool(history.spinnaker.executions))
    held = history.pubsub.held = []
    history.outside.push(history.kind.refs[0])
    history.outside.request("staging", history.outside.commits[0])
    history.scheduler.run(history.scheduler.now + 250)
    history.pubsub.held = None
    assert all(each["status"] == "SUCCEEDED" for each in history.spinnaker.executions.values())
    five = [
        _letter(held, "execution"),
        _letter(held, "push"),
        _letter(held, "image"),
        _letter(held, "build", "SUCCESS"),
        _letter(held, "request"),
    ]
    return [*(partial(history.pubsub.replay, letter) for letter in five), history.tick], held


def _letter(held: list[Letter], kind: str, status: str | None = None) -> Letter:
    """The newest of its kind."""
    return next(
        each for each in reversed(held) if each.kind == kind and status in (None, each.message.attributes.get("status"))
    )


SIXES: dict[str, Callable[[History], tuple[list[Act], list[Letter]]]] = {
    "two pushes": _two_pushes,
    "one of each": _one_of_each,
}
"""What is played in every order: six acts, and all messages that come in the end."""
