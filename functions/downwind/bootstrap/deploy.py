"""One package to all functions, each new revision checked; if one is not well, all go back to the revision that answered before.
What came before stands in a label of the function, so a run that was killed is gone on with, or taken back, by the next one."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from threading import Lock

from downwind.bootstrap.cloud import Conflict
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.kinds.base import Kind
from downwind.bootstrap.kinds.compute import BEFORE, SOURCE, Functions
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.served import Headers, Served, as_ourselves, check, read, switch
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import NEWEST, Request
from downwind.errors import DownwindError, Refused, TransientError

PATIENCE = 900.0
"""Seconds for one function's deployment; its build is the longest part."""
_WELL = 180.0


class NotWell(Refused):
    """A new revision, or the whole, is not well; what was switched is back where it was, as far as the text says so."""


@dataclass
class Deploying:
    """`tell` gets a line for each thing that happens. The first function goes alone, the others `parallel` at once."""

    plan: Plan
    writer: Writer
    tell: Callable[[str], None]
    parallel: int = 3
    headers: Headers = as_ourselves
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)
    _switched: dict[str, str] = field(default_factory=dict)
    _stopped: bool = False
    _lock: Lock = field(default_factory=Lock)

    def __post_init__(self) -> None:
        self._began = self.clock()

    @property
    def functions(self) -> Sequence[Resource]:
        return [each for each in self.plan.resources if each.kind == "function"]

    @property
    def digest(self) -> str:
        """As it stands in the label, which takes 63 characters at most."""
        return self.plan.values.package[:40]

    def look(self) -> list[Served]:
        """Refused where there is nothing to deploy to, or traffic is somebody's experiment."""
        kind = self.plan.kinds["function"]
        with ThreadPoolExecutor(8, thread_name_prefix="deploy") as pool:
            found = list(pool.map(lambda each: read(kind, each, self.writer.cloud), self.functions))
        missing = [each.name for each, served in zip(self.functions, found, strict=True) if served is None]
        if missing:
            raise Refused(f"there is no {', '.join(missing)} yet", fix="downwind bootstrap apply makes them")
        there = [each for each in found if each is not None]
        split = [each.resource.name for each in there if each.serving is None]
        if split:
            raise Refused(
                f"traffic of {', '.join(split)} is split between revisions",
                fix="gcloud run services update-traffic NAME --to-latest, or --to-revisions NAME=100",
            )
        return there

    def due(self, now: Served) -> bool:
        return now.source != self.digest or now.serving != now.newest

    def run(self, smoke: Callable[[], str | None] = lambda: None) -> list[str]:
        """Names of the functions that were deployed. `smoke`: why the whole is not well, None if it is. Raises NotWell."""
        found = self.look()
        again = any(map(self.due, found))
        # What has the package already got it by a run that ended before its time; or long ago, if others had another one since.
        since = max((each.updated for each in found if each.source != self.digest), default="")
        for each in found:
            if again and not self.due(each) and each.before is not None and each.updated > since:
                self._switched[each.resource.key] = each.before
        for each in filter(self.due, found):
            changed(self.plan.kinds["function"], each)  # Refused before anything is done
        self._upload()
        first = next((each for each in found if self.due(each)), None)
        others = [each for each in found if each is not first]
        try:
            if first is not None:
                self._one(first)
            self._others(others)
            problem = smoke()
            if problem is not None:
                raise Refused(problem)
        except DownwindError as error:
            if not again:
                raise NotWell(
                    f"{error}; this run deployed nothing, so nothing went back",
                    fix="scripts/deploy --back takes it back",
                ) from error
            raise NotWell(f"{error}; {self._back(self._switched)}", fix="put it right, and deploy again") from error
        return [each.resource.name for each in found if self.due(each)]

    def back(self) -> str:
        """By hand: to the revision before, every function that has the package which was deployed last. One that a run did not
        come to has not left the one before."""
        found = self.look()
        last = max(found, key=lambda each: each.updated).source
        befores = {
            each.resource.key: each.before
            for each in found
            if each.source == last and each.before and each.serving != each.before
        }
        if not befores:
            raise Refused(
                "no function has a revision to go back to", fix="scripts/deploy --package FILE deploys an older one"
            )
        return self._back(befores)

    def _upload(self) -> None:
        resource = next(each for each in self.plan.resources if each.kind == "package")
        kind = self.plan.kinds["package"]
        step = self.plan.step(resource, self.writer.cloud.read(kind.where(resource)))
        if not step.due:
            self._say(f"there     {resource.name}")
            return
        for write in step.writes:
            try:
                self.writer.cloud.send(write.request)
            except Conflict:
                continue  # another run has uploaded the very same bytes
        self._say(f"uploaded  {resource.name}")

    def _others(self, found: Sequence[Served]) -> None:
        """After the first that is not well, none is begun; those under way end first, so that they can be taken back."""
        with ThreadPoolExecutor(self.parallel, thread_name_prefix="deploy") as pool:
            futures = [pool.submit(self._unless_stopped, each) for each in found]
        for future in futures:
            future.result()

    def _unless_stopped(self, now: Served) -> None:
        if self._stopped:
            return
        try:
            self._one(now)
        except BaseException:
            self._stopped = True
            raise

    def _one(self, now: Served) -> None:
        if self.due(now):
            before = str(now.serving)
            with self._lock:
                self._switched[now.resource.key] = before
            self._say(f"deploying {now.resource.name}; {before} answers until it is ready")
            self._deploy(now, before)
        self._say(f"well      {now.resource.name}: {self._well(now.resource)}")

    def _deploy(self, now: Served, before: str) -> None:
        kind = self.plan.kinds["function"]
        request = changed(kind, now)
        labels = {**now.labels, **kind.wanted(now.resource)["labels"], BEFORE: before}
        request = replace(request, body={**request.body, "labels": labels})
        begun, pause = self.clock(), 1.0
        while True:
            try:
                self.writer.cloud.send(request)
                return
            except Conflict as error:
                if self.clock() - begun > PATIENCE:
                    raise TransientError(f"{now.resource.name} is being changed by somebody else: {error}") from error
                self._say(f"waiting   {now.resource.name}: another change of it is under way")
                self.sleep(pause)
                pause = min(pause * 1.6, 15)

    def _well(self, resource: Resource) -> str:
        """Until the revision is ready and gets the traffic, or is known not to."""
        kind = self.plan.kinds["function"]
        internal = resource.body["serviceConfig"]["ingressSettings"] == "ALLOW_INTERNAL_ONLY"
        begun, pause = self.clock(), 0.5
        while True:
            try:
                now = read(kind, resource, self.writer.cloud)
                if now is None:
                    raise Refused(f"{resource.name} is gone")
                return check(now, self.headers, internal=internal)
            except Refused as error:
                raise Refused(f"{resource.name}: {error}") from error
            except TransientError as error:
                if self.clock() - begun > _WELL:
                    raise Refused(f"{resource.name}: {error}, after {_WELL:.0f} s") from error
                self.sleep(pause)
                pause = min(pause * 1.6, 5)

    def _back(self, befores: dict[str, str]) -> str:
        """Each by itself, so that one that can't go back keeps no other from it. What became of it, in words."""
        kind = self.plan.kinds["function"]
        done, stuck = [], []
        for resource in self.functions:
            if resource.key not in befores:
                continue
            write = switch(kind, resource, befores[resource.key])
            try:
                self._settle(resource)
                self.writer.cloud.send(write.request)
                done.append(resource.name)
                self._say(f"back      {resource.name}: {befores[resource.key]} answers again")
            except DownwindError as error:
                stuck.append(f"{resource.name} ({error}; run: {' '.join(write.command or ())})")
                self._say(f"NOT BACK  {resource.name}: {error}")
        text = f"back on the revision before: {', '.join(done) or 'none, since none was switched'}"
        return f"{text}; NOT back: {'; '.join(stuck)}" if stuck else text

    def _settle(self, resource: Resource) -> None:
        """A deployment that is still under way would take the traffic again when it ends."""
        where = self.plan.kinds["function"].where(resource)
        begun, pause = self.clock(), 1.0
        while ((self.writer.cloud.read(where) or {}).get("state")) == "DEPLOYING":
            if self.clock() - begun > PATIENCE:
                raise TransientError(f"it is still being deployed after {PATIENCE:.0f} s")
            self._say(f"waiting   {resource.name}: its deployment is still under way")
            self.sleep(pause)
            pause = min(pause * 1.6, 15)

    def _say(self, line: str) -> None:
        self.tell(f"{self.clock() - self._began:6.1f}s {line}")


def changed(kind: Kind, now: Served) -> Request:
    """Another source, with the settings that infra/wanted gives the function: a new source may need a new variable, and both go
    back together with the revision. The versions of secrets stay as they are, and so who deploys needs no right to look at them.
    Refused where the function has to be given a secret for the first time."""
    assert isinstance(kind, Functions)
    resource = kind.kept(now.resource, now.live)
    if NEWEST in str(resource.body):
        raise Refused(
            f"{now.resource.name} does not use a secret yet that infra/wanted gives it",
            fix="downwind bootstrap plan, then apply",
        )
    return kind.change(resource, now.live, [SOURCE]).request


def requests(deploying: Deploying) -> list[tuple[str, Request | None]]:
    """What a run would send, by function; None for one that has it already."""
    kind = deploying.plan.kinds["function"]
    return [
        (
            each.resource.name,
            changed(kind, each) if deploying.due(each) else None,
        )
        for each in deploying.look()
    ]
