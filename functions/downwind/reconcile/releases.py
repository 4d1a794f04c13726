"""When a release is complete: every image of the catalog has a digest, from one winner, never mixed (design.md section 4)."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from downwind.model.catalog import Application, ImageRule, Registered
from downwind.model.patterns import repository_key, tag_for
from downwind.reconcile import names
from downwind.reconcile.facts import Fact, Snapshot
from downwind.reconcile.log import LogEntry
from downwind.reconcile.steps import Collector, FindBuilds, ResolveImage, StartBuild
from downwind.timing import Timing, look_now

FAILED = frozenset({"FAILURE", "INTERNAL_ERROR", "TIMEOUT", "CANCELLED", "EXPIRED"})


def build_prefix(registered: Registered, commit: str) -> str | None:
    """Where the facts of this commit's builds stand; None for an application without a build trigger."""
    application = registered.application
    if application.build is None:
        return None
    definition = f"{application.build.project}/{application.build.location}/{registered.trigger_id}"
    return names.build(repository_key(application.repository.address), commit, definition)


def start_refused(application: str, commit: str, prefix: str) -> str:
    """The fact that Cloud Build would not start a build for good, with the trigger that `prefix` is for: another may."""
    return f"{names.release(application, commit)}blocked.build-start-{prefix.split('/')[-2]}"


def images_of(
    registered: Registered, entry: LogEntry, snapshot: Snapshot, now: datetime, timing: Timing, collector: Collector
) -> Mapping[str, str] | None:
    """Image name to digest when the entry's release is complete; None while something is due or waited for (collected)."""
    application = registered.application
    wanted = {rule.name for rule in application.images}
    given = dict(entry.images or {})
    if wanted <= given.keys():
        return {name: given[name] for name in sorted(wanted)}
    late = now - entry.created > timedelta(seconds=timing.wait)
    waiting = _Waiting(registered, entry, late, collector)
    if registered.application.build is not None and not late:
        age = (now - entry.created).total_seconds()
        waiting.look = snapshot.tick is not None and look_now(age, timing)
    if entry.build is not None:
        found = _images_of_build(registered, entry, entry.build, snapshot, waiting)
    else:
        completed = snapshot.facts.get(names.release(application.name, entry.commit) + "completed")
        if completed is not None:
            found = completed.body["images"]
        else:
            found = _winner_images(registered, entry, snapshot, now, timing, waiting)
    if found is None:
        return None
    images: dict[str, str] = {}
    for rule in application.images:
        digest = given.get(rule.name) or found.get(rule.name) or _resolved(registered, entry, rule, snapshot, waiting)
        if digest is not None:
            images[rule.name] = digest
    if len(images) < len(application.images):
        return None
    if not given and entry.build is None:
        name = names.release(application.name, entry.commit) + "completed"
        if name not in snapshot.facts:
            collector.record(
                name,
                kind="completed",
                application=application.name,
                commit=entry.commit,
                images=dict(sorted(images.items())),
            )
    return dict(sorted(images.items()))


class _Waiting:
    """Says what is waited for, or, after a day, that the entry is abandoned (a late success takes it up again)."""

    def __init__(self, registered: Registered, entry: LogEntry, late: bool, collector: Collector) -> None:
        self.registered = registered
        self.entry = entry
        self.late = late
        self.collector = collector
        self.look = False
        """Is Cloud Build to be asked on this tick?"""

    def wait(self, what: str) -> None:
        if not self.late:
            self.collector.wait(what, commit=self.entry.commit, n=self.entry.n)
            return
        application = self.registered.application.name
        reason = f"abandoned: waited a day for {what}"
        self.block("abandoned", reason, application)

    def wait_for_build(self, what: str) -> None:
        if self.look:
            self.collector.add(FindBuilds(commit=self.entry.commit))
        self.wait(what)

    def block(self, leaf: str, reason: str, application: str) -> None:
        name = f"{names.release(application, self.entry.commit)}blocked.{leaf}"
        self.collector.keep(commits=frozenset({self.entry.commit}))
        self.collector.record(name, kind="blocked", application=application, commit=self.entry.commit, reason=reason)


def _images_of_build(
    registered: Registered, entry: LogEntry, build: str, snapshot: Snapshot, waiting: _Waiting
) -> Mapping[str, str] | None:
    """A request may name the build to take, spare or not; its images count only once it has succeeded."""
    prefix = build_prefix(registered, entry.commit)
    events = snapshot.under(f"{prefix}event/{names.encode(build)}/") if prefix else []
    success = next((fact for fact in events if fact.body["status"] == "SUCCESS"), None)
    if success is None:
        waiting.wait_for_build(f"build {build} to succeed")
        return None
    return _by_name(success)


def _winner_images(
    registered: Registered, entry: LogEntry, snapshot: Snapshot, now: datetime, timing: Timing, waiting: _Waiting
) -> Mapping[str, str] | None:
    prefix = build_prefix(registered, entry.commit)
    if prefix is None:
        return {}
    winner = snapshot.facts.get(prefix + "winner")
    if winner is not None:
        return _by_name(winner)
    latest: dict[str, set[str]] = {}
    for fact in snapshot.under(prefix + "event/"):
        latest.setdefault(fact.body["build"], set()).add(fact.body["status"])
    failed = {build: statuses & FAILED for build, statuses in latest.items() if statuses & FAILED}
    if latest and len(failed) == len(latest):
        for build, statuses in sorted(failed.items()):
            reason = f"build {build} ended {min(statuses)}"
            waiting.block(f"build-{names.encode(build)}", reason, registered.application.name)
        return None
    if not latest and registered.application.build is not None and registered.application.build.start:
        _start(prefix, entry.commit, snapshot, now, timing, waiting)
        return None
    what = f"build {', '.join(sorted(latest.keys() - failed.keys()))}" if latest else "a build of this commit"
    waiting.wait_for_build(what)
    return None


def _start(prefix: str, commit: str, snapshot: Snapshot, now: datetime, timing: Timing, waiting: _Waiting) -> None:
    if start_refused(waiting.registered.application.name, commit, prefix) in snapshot.facts:
        return
    claims = [fact for fact in snapshot.under(prefix) if fact.body.get("kind") == "build-claim"]
    started = any(fact.body.get("kind") == "build-started" for fact in snapshot.under(prefix))
    if not claims:
        waiting.collector.add(_start_build(waiting.registered, commit, prefix, 1))
        return
    newest = max(claims, key=lambda fact: int(fact.body["epoch"]))
    expired = (now - newest.created).total_seconds() > timing.lease
    if not started and snapshot.tick is not None and expired and not waiting.late:
        epoch = int(newest.body["epoch"]) + 1
        waiting.collector.add(_start_build(waiting.registered, commit, prefix, epoch))
        return
    waiting.wait_for_build("the build that was started")


def _start_build(registered: Registered, commit: str, prefix: str, epoch: int) -> StartBuild:
    trigger = registered.trigger_id
    return StartBuild(commit=commit, prefix=prefix, trigger=trigger, attempt=0, epoch=epoch, search=epoch > 1)


def _resolved(
    registered: Registered, entry: LogEntry, rule: ImageRule, snapshot: Snapshot, waiting: _Waiting
) -> str | None:
    """An image that no build lists: recorded by its tag or label, or asked of the registry now."""
    application = registered.application
    fact = snapshot.facts.get(image_fact_name(application, entry.commit, rule.name))
    if fact is not None:
        return str(fact.body["digest"])
    if rule.tag is None:
        if application.build is not None:
            reason = f"the build lists no digest for {rule.name}, and the catalog gives it no tag"
            waiting.block(f"image-{names.digest_of(rule.name)[:8]}", reason, application.name)
        else:
            waiting.wait(f"image {rule.name} whose label names this commit")
        return None
    if (entry.commit, rule.name) in snapshot.missing_images:
        waiting.wait(f"image {rule.name}:{tag_for(rule.tag, entry.commit)}")
    else:
        waiting.collector.add(ResolveImage(commit=entry.commit, image=rule.name, tag=tag_for(rule.tag, entry.commit)))
    return None


def image_fact_name(application: Application, commit: str, image: str) -> str:
    """One digest for each image of a release: the first to be recorded stands."""
    return f"{names.release(application.name, commit)}image/{names.encode(image)}"


def _by_name(fact: Fact) -> Mapping[str, str]:
    return {image["name"]: image["digest"] for image in fact.body.get("images") or () if image.get("digest")}
