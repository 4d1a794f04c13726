"""Follows the canary's commit through every topic, by the lines that `downwind why` tells; each stage has its own time."""

import hashlib
import hmac
import json
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from downwind.bootstrap.proof.asking import ask
from downwind.bootstrap.proof.change import Change
from downwind.bootstrap.proof.heard import TYPES, Heard, cloud_events, execution_events
from downwind.bootstrap.proof.result import Result
from downwind.bootstrap.proof.site import Site
from downwind.bootstrap.proof.stages import STAGES, TRIGGERED, Stage
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError
from downwind.model.catalog import Registered
from downwind.perform import ledger
from downwind.perform.trace import Line, chain
from downwind.reconcile import names

GROUP = "rollout"
_BAD = frozenset({"parked", "refused", "blocked", "passed over", "cancelled"})


@dataclass
class Follow:
    """`tell` gets a line as soon as something is known. `limit`: seconds for each stage instead of its own."""

    site: Site
    registered: Registered
    environment: str
    now: Callable[[], datetime]
    tell: Callable[[str], None]
    limit: float | None = None
    sleep: Callable[[float], None] = time.sleep
    clock: Callable[[], float] = time.monotonic
    delivery: str = field(default_factory=lambda: f"downwind-verify-{uuid.uuid4()}")
    _told: set[str] = field(default_factory=set)
    _seen: Sequence[Line] = ()
    """As they were read last: facts stay, so a stage that is met in them needs no reading anew."""

    @property
    def event(self) -> str:
        """The prefix of the push's facts."""
        return names.event("github", self.delivery)

    def send(self, change: Change) -> Result:
        """As GitHub would, where webhooks are heard; else as `receive` would."""
        body = json.dumps(change.webhook()).encode()
        by_webhook = self.site.webhooks
        what = "a signed webhook is taken by receive" if by_webhook else "a push is taken by the topic repo-pushes"
        try:
            if by_webhook:
                self._post(body)
            else:
                attributes = {"source": "github", "event": "push", "delivery": self.delivery}
                self.site.world.publisher.publish("repo-pushes", body, attributes)
        except (Refused, Misconfigured) as error:
            return Result(group=GROUP, what=what, state="failed", why=str(error), fix="downwind bootstrap plan")
        except DownwindError as error:
            return Result(group=GROUP, what=what, state="unreachable", why=str(error))
        return Result(group=GROUP, what=what, state="ok", why=f"delivery {self.delivery}")

    def _post(self, body: bytes) -> None:
        secret = self.site.secret().splitlines()[0].encode()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": self.delivery,
            "X-Hub-Signature-256": f"sha256={hmac.new(secret, body, hashlib.sha256).hexdigest()}",
        }
        answer = ask("POST", self.site.url("receive"), headers, body)
        if not 200 <= answer.status < 300:
            raise Refused(f"receive answered {answer.status} to a webhook that was signed rightly")

    def run(self, change: Change) -> Iterator[Result]:
        """Each stage's result; after the first that is not ok the others are not reached."""
        stopped: str | None = None
        for stage in self._stages():
            if stopped is None:
                result = self._stage(stage, change)
                stopped = None if result.state == "ok" else stage.what
                yield result
            else:
                yield _not_reached(stage.what, stopped)
        for what, listen in self._after():
            yield _not_reached(what, stopped) if stopped is not None else listen(what, change)

    def _after(self) -> Iterator[tuple[str, Callable[[str, Change], Result]]]:
        if self.site.spinnaker:
            yield "Spinnaker's events come out on executions", self._executions
        yield "CloudEvents come out on deliveries", self._deliveries

    def _stages(self) -> Iterator[Stage]:
        builds = self.registered.application.build is not None
        for stage in STAGES:
            if stage.steps & {"build", "image"} and not builds:
                continue
            yield stage

    def _stage(self, stage: Stage, change: Change) -> Result:
        begun, waits = self.clock(), ""
        limit = self.limit or stage.seconds
        seen = next((each for each in self._seen if self._meets(stage, each)), None)
        if seen is not None:
            return self._ended(stage, seen, 0)
        while True:
            try:
                lines = self._lines(change)
                met = next((each for each in lines if self._meets(stage, each)), None)
                if met is not None:
                    return self._ended(stage, met, self.clock() - begun)
                bad = next((each for each in lines if self._is_bad(stage, each)), None)
                if bad is not None:
                    return self._failed(stage, f"stopped here: {bad.text}", change)
                waits = "; ".join(dict.fromkeys(each.text for each in lines if each.step == "waits")) or waits
            except TransientError as error:
                waits = str(error)
            if self.clock() - begun > limit:
                why = f"nothing of it within {limit:.0f} s" + (f"; it waits: {waits}" if waits else "")
                return self._failed(stage, why, change)
            self.sleep(self.site.pause)

    def _is_bad(self, stage: Stage, line: Line) -> bool:
        if line.step == "blocked" and not stage.blocked:
            return False
        return line.step in _BAD and line.environment in {None, self.environment}

    def _meets(self, stage: Stage, line: Line) -> bool:
        return (
            line.step in stage.steps
            and (not stage.environment or line.environment == self.environment)
            and (not stage.ends or (line.object or "").endswith(stage.ends))
            and (not stage.own or (line.object or "").startswith(self.event))
        )

    def _ended(self, stage: Stage, line: Line, elapsed: float) -> Result:
        if "outcome" in stage.steps:
            stored = self.site.world.ledger.read(str(line.object))
            status = ledger.read_fact(stored).body.get("status") if stored is not None else None
            if status != "succeeded":
                return Result(group=GROUP, what=stage.what, state="failed", why=line.text, fix=f"look at {stage.look}")
        return Result(group=GROUP, what=stage.what, state="ok", why=f"{elapsed:.1f} s: {line.text}")

    def _failed(self, stage: Stage, why: str, change: Change) -> Result:
        fix = f"look at {stage.look}; downwind why {change.after[:10]}"
        return Result(group=GROUP, what=stage.what, state="failed", why=why, fix=fix)

    def _lines(self, change: Change) -> Sequence[Line]:
        found = chain(
            self.site.world, self.registered, change.after, (self.event,), self.now(), tokens=self.site.tokens
        ).lines
        for line in found:
            if line.text not in self._told and line.step != "announced":
                self._told.add(line.text)
                self.tell(f"{line.step}: {line.text}")
        self._seen = found
        return found

    def _executions(self, what: str, _change: Change) -> Result:
        """Without them the patrol finds the end too, but later."""
        triggered = next(each for each in self._seen if self._meets(TRIGGERED, each))
        stored = self.site.world.ledger.read(str(triggered.object))
        execution = str(ledger.read_fact(stored).body["execution"]) if stored is not None else ""
        look = "look at Echo's rest endpoint and its secret, the log of receive, and the topic executions"
        return self._listened(what, execution_events(self.site.world, execution), (execution,), look)

    def _deliveries(self, what: str, change: Change) -> Result:
        events = cloud_events(self.site.world, self.registered.application.name, change.after)
        return self._listened(what, events, TYPES, "look at the topic deliveries and who may publish there")

    def _listened(self, what: str, heard: Heard, wanted: Sequence[str], look: str) -> Result:
        begun, limit = self.clock(), self.limit or 120
        while True:
            try:
                heard.look()
            except (Refused, Misconfigured) as error:
                fix = f"downwind bootstrap apply makes the subscription {heard.subscription}"
                return Result(group=GROUP, what=what, state="unreachable", why=str(error), fix=fix)
            except TransientError as error:
                self.tell(str(error))
            missing = [each for each in wanted if each not in heard.words]
            if not missing:
                return Result(group=GROUP, what=what, state="ok", why=", ".join(sorted(heard.words)))
            if self.clock() - begun > limit:
                why = f"{', '.join(missing)} did not come within {limit:.0f} s"
                return Result(group=GROUP, what=what, state="failed", why=why, fix=look)
            self.sleep(self.site.pause)


def _not_reached(what: str, stopped: str) -> Result:
    return Result(group=GROUP, what=what, state="not applicable", why=f"not reached: {stopped!r} is not so")
