"""Does what a plan says, in the order of what waits for what. Each step reads again just before it writes, and is done when what
it made can be read; so a run that ended anywhere is gone on with by another one."""

import time
from collections.abc import Callable, Collection, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, field

from downwind.bootstrap.cloud import Cloud, Conflict, NotYet
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.kinds.pins import line_to_add, read_versions
from downwind.bootstrap.plan import UNREAD, Plan, Step
from downwind.bootstrap.wanted import Resource
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError

ROUNDS = 8
"""Writes of one resource at most, each after another read: GKE takes one change at a time, and policies move."""


def steps_now(plan: Plan, cloud: Cloud) -> list[Step]:
    return cloud.side_by_side(lambda each: step_now(plan, cloud, each), plan.resources)


def step_now(plan: Plan, cloud: Cloud, resource: Resource) -> Step:
    answer = plan.kinds[resource.kind].look(cloud, resource)
    if isinstance(answer, TransientError):
        return Step(resource=resource, action=UNREAD, why=f"not read: {answer}; {resource.why}")
    return plan.step(resource, answer)


def check_read(steps: Sequence[Step], advice: str) -> None:
    """TransientError where some were not read. `advice`: what to do once they can be."""
    unread = [each for each in steps if each.action == UNREAD]
    if unread:
        reasons = dict.fromkeys(each.why.removesuffix(f"; {each.resource.why}") for each in unread)
        keys = ", ".join(each.resource.key for each in unread)
        raise TransientError(f"{keys}: {'; '.join(reasons)}; {advice}")


@dataclass
class Outcome:
    """Keys of what was done, what failed with why, and what was not begun. `waited`: seconds in which others were waited for,
    added up over the steps, of which some wait at once."""

    done: list[str] = field(default_factory=list)
    failed: dict[str, str] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    waited: float = 0.0
    lasting: set[str] = field(default_factory=set)
    """Keys of what failed and will again, until people have put something right."""

    @property
    def passing(self) -> bool:
        """All that failed may go well another time; one that won't is told first, in whatever order they came."""
        return bool(self.failed) and not self.lasting


class Applying:
    """`tell` gets a line for each thing that happens. `parallel`: how many at once; 1 keeps the order of the plan."""

    def __init__(
        self,
        plan: Plan,
        writer: Writer,
        tell: Callable[[str], None],
        *,
        parallel: int = 2,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
        replace: Sequence[str] = (),
    ) -> None:
        self._plan = plan
        self._writer = writer
        self._tell = tell
        self._parallel = parallel
        self._sleep = sleep
        self._clock = clock
        self._replace = frozenset(replace)
        self._started = clock()
        self.outcome = Outcome()

    @property
    def elapsed(self) -> float:
        return self._clock() - self._started

    def run(self, steps: Sequence[Step]) -> Outcome:
        """Once more for what a replacement took with it: the rights on what was there before."""
        self._round(steps)
        if not self.outcome.failed and any(each.action == "replace" for each in steps):
            self._round(steps_now(self._plan, self._writer.cloud))
        self.outcome.waited += self._writer.cloud.waited
        return self.outcome

    def _round(self, steps: Sequence[Step]) -> None:
        waiting = [each for each in steps if each.due or each.waits]
        settled = {each.resource.key for each in steps if not each.due and not each.waits}
        running: dict[Future[None], Step] = {}
        with ThreadPoolExecutor(self._parallel, thread_name_prefix="bootstrap") as pool:
            while waiting or running:
                if not self.outcome.failed:
                    for step in [each for each in waiting if each.resource.after <= settled]:
                        if len(running) < self._parallel:
                            waiting.remove(step)
                            running[pool.submit(self._one, step)] = step
                if not running:
                    break
                ended, _ = wait(running, return_when=FIRST_COMPLETED)
                for future in ended:
                    self._ended(running.pop(future), future, settled)
        self.outcome.left = [each.resource.key for each in waiting]

    def _ended(self, step: Step, future: Future[None], settled: set[str]) -> None:
        key = step.resource.key
        try:
            future.result()
        except DownwindError as error:
            fix = getattr(error, "fix", None)
            if isinstance(error, Misconfigured) or not isinstance(error, TransientError):
                self.outcome.lasting.add(key)
            self.outcome.failed[key] = f"{error}; {fix}" if fix and fix not in str(error) else str(error)
            self._say(f"FAILED  {key}: {self.outcome.failed[key]}")
        else:
            settled.add(key)
            self.outcome.done.append(key)

    def _one(self, step: Step) -> None:
        """One resource, until it reads as wanted."""
        resource = step.resource
        kind = self._plan.kinds[resource.kind]
        self._check_needs(resource)
        begun, said, written = self._clock(), "", 0
        last: Step | None = None
        pause = 0.2
        while True:
            answer = kind.read(self._writer.cloud, resource)
            now = self._plan.step(resource, answer)
            if now.action == "foreign" and now.differs:
                raise Refused(f"{resource.key} {now.why}")
            live = None if answer is None else kind.found(resource, answer)
            if not now.due and (live is None or kind.ready(live)):
                break
            if now.due and (last is None or now.writes != last.writes):
                if written == ROUNDS:
                    raise TransientError(
                        f"{resource.key} was written {ROUNDS} times and is still not as wanted: run apply again"
                    )
                self._say(f"{now.action:<8}{resource.key}: {now.why}")
                if not self._write(now, begun, kind.patience):
                    last = None  # somebody wrote meanwhile: what is there has to be read again
                else:
                    last = now
                    if not kind.shows:
                        break
                written += 1
                continue
            if self._clock() - begun > kind.patience:
                raise TransientError(f"{resource.key} is not there after {kind.patience:.0f} s: run apply again")
            lacking = "until it can be read as wanted" if live is None else kind.lacking(live)
            if lacking != said:
                self._say(f"waiting {resource.key}: {lacking}")
                said = lacking
            self._pause(pause)
            pause = min(pause * 1.6, 5)
        self._say(f"done    {resource.key}")

    def _write(self, step: Step, begun: float, patience: float) -> bool:
        """False: the world moved, read again."""
        resource = step.resource
        if step.action == "replace" and resource.data and resource.key not in self._replace:
            raise Refused(
                f"{resource.key} holds data, and {step.why.split(';')[0]}",
                fix=f"apply --replace {resource.key} throws it away and makes it anew",
            )
        pause = 0.5
        for write in step.writes:
            while True:
                try:
                    self._writer.do(write)
                    break
                except Conflict:
                    return False
                except NotYet as error:
                    if self._clock() - begun > patience:
                        raise
                    self._say(f"waiting {resource.key}: {error}")
                    self._pause(pause)
                    pause = min(pause * 1.6, 10)
        return True

    def _check_needs(self, resource: Resource) -> None:
        """A secret that it is given by version has to hold something. Those that other steps are going to need are told with it:
        whoever puts one in may put in the rest."""
        lacks = self._empty(resource.needs)
        if not lacks:
            return
        later = frozenset[str]().union(*(each.needs for each in self._plan.resources))
        yours = [each.key for each in self._plan.resources if each.key in later and not each.generated]
        project = self._plan.values.project
        names = dict.fromkeys([*lacks, *self._empty(yours)])
        lines = "; ".join(line_to_add(name, project) for name in names)
        raise Refused(
            f"{resource.key} needs secret {lacks[0]}, which is empty", fix=f"put it in ({lines}), then run apply again"
        )

    def _empty(self, keys: Collection[str]) -> list[str]:
        """Names of those secrets that hold nothing which is enabled."""
        place = f"projects/{self._plan.values.project}/secrets"
        names = [each.name for each in self._plan.resources if each.key in keys]
        return [each for each in names if read_versions(self._writer.cloud, f"{place}/{each}").newest is None]

    def _pause(self, seconds: float) -> None:
        self._sleep(seconds)
        self.outcome.waited += seconds

    def _say(self, line: str) -> None:
        self._tell(f"{self._clock() - self._started:6.1f}s {line}")
