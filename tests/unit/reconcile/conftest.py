"""A ledger by hand: facts of one application, shop, put straight into the snapshot that a decision reads."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from downwind.model.catalog import (
    Application,
    BuildRule,
    Environment,
    ImageRule,
    Manifests,
    Registered,
    RepositoryAddress,
)
from downwind.model.execution import Execution
from downwind.reconcile import names
from downwind.reconcile.due import bundle_inputs, next_steps
from downwind.reconcile.facts import Fact, Hints, RefTip, Snapshot
from downwind.reconcile.log import read_log
from downwind.reconcile.releases import build_prefix, image_fact_name
from downwind.reconcile.steps import Announce, Due, Step
from downwind.timing import CLOUD_TIMING

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
MAIN = "refs/heads/main"
IMAGE = "registry.example/acme/shop"
SHOP = Application(
    name="shop",
    repository=RepositoryAddress(address="https://github.com/acme/shop.git"),
    images=(ImageRule(name=IMAGE, tag="{commit}"),),
    manifests=Manifests(path="deploy/{environment}"),
    environments=(
        Environment(
            name="staging",
            namespace="shop-staging",
            pipeline_application="shop",
            pipeline="deploy-staging",
            refs=(MAIN, "refs/tags/v*"),
            requests="topic",
        ),
        Environment(
            name="production",
            namespace="shop",
            pipeline_application="shop",
            pipeline="deploy-production",
            after="staging",
            requests="topic",
        ),
    ),
    build=BuildRule(trigger="projects/acme/locations/europe-west1/triggers/shop"),
)
_ANNOUNCED = {"completed", "blocked", "started", "outcome"}


class Given:
    """Each method writes what happened; `due` and `steps` ask what follows. `ago` is seconds before now."""

    image = IMAGE
    now = NOW
    timing = CLOUD_TIMING

    def __init__(self) -> None:
        self.registered = Registered(application=SHOP, generation=7, trigger_id="t1")
        self.snapshot = Snapshot()

    @property
    def application(self) -> Application:
        return self.registered.application

    def environment(self, name: str = "staging") -> Environment:
        found = self.application.environment(name)
        assert found is not None
        return found

    def change(self, **fields: Any) -> None:
        """Fields of the application."""
        self.registered = replace(self.registered, application=replace(self.application, **fields))

    def change_environment(self, name: str, **fields: Any) -> None:
        changed = (replace(each, **fields) if each.name == name else each for each in self.application.environments)
        self.change(environments=tuple(changed))

    def digest(self, commit: str) -> str:
        return "sha256:" + names.digest_of(commit)

    # What happened.

    def fact(self, name: str, /, *, ago: float = 0, announced: bool = True, **body: Any) -> Fact:
        fact = Fact(name=name, body={"v": 1, **body}, created=NOW - timedelta(seconds=ago))
        self.snapshot.add([fact])
        if announced and body.get("kind") in _ANNOUNCED:
            self.fact(names.announced(name), kind="announced")
        return fact

    def tip(self, commit: str | None, *, ref: str = MAIN, object_id: str | None = None) -> None:
        """The repository answers; the ref is asked about."""
        tips = dict(self.snapshot.tips or {})
        if commit is not None:
            tips[ref] = RefTip(object=object_id or commit, commit=commit)
        self.snapshot.tips = tips
        self.snapshot.hints |= Hints(refs=frozenset({ref}))

    def push(self, before: str | None, after: str | None, *, ref: str = MAIN) -> None:
        self.fact(names.push("shop", ref, before, after), kind="push", ref=ref, before=before, after=after)

    def baseline(self, commit: str, *, ref: str = MAIN) -> None:
        about: dict[str, Any] = {
            "environment": "staging",
            "ref": ref,
            "n": 0,
            "commit": commit,
            "object": commit,
            "via": [],
        }
        self.fact(names.ref("shop", "staging", ref) + names.down(0), kind="ref", **about)

    def entry(
        self,
        n: int,
        commit: str | None,
        *,
        environment: str = "staging",
        by: str = "push",
        ago: float = 60,
        **more: Any,
    ) -> None:
        if by == "push":
            more = {"ref": MAIN, "object": commit, "via": [], **more}
        body = {"kind": "entry", "environment": environment, "n": n, "commit": commit, "by": by, **more}
        self.fact(names.entry("shop", environment, n), ago=ago, **body)

    def build_event(
        self, commit: str, status: str, *, build: str = "b1", images: Mapping[str, str] | None = None
    ) -> None:
        prefix = build_prefix(self.registered, commit)
        listed = [{"name": name, "digest": digest} for name, digest in (images or {}).items()]
        body: dict[str, Any] = {"build": build, "status": status, "commit": commit, "images": listed}
        self.fact(f"{prefix}event/{build}/{status}", kind="build-event", **body)

    def winner(self, commit: str, images: Mapping[str, str] | None = None) -> None:
        found = {IMAGE: self.digest(commit)} if images is None else images
        listed = [{"name": name, "digest": digest} for name, digest in found.items()]
        self.fact(f"{build_prefix(self.registered, commit)}winner", kind="winner", build="b1", images=listed)

    def build_claim(self, commit: str, epoch: int, *, ago: float) -> None:
        name = f"{build_prefix(self.registered, commit)}claim.0.{epoch}"
        self.fact(name, ago=ago, kind="build-claim", attempt=0, epoch=epoch, commit=commit)

    def build_started(self, commit: str) -> None:
        name = f"{build_prefix(self.registered, commit)}started.0"
        self.fact(name, kind="build-started", attempt=0, build="b1", commit=commit)

    def image_fact(self, commit: str, digest: str, image: str = IMAGE) -> None:
        name = image_fact_name(self.application, commit, image)
        self.fact(name, kind="image", commit=commit, name=image, digest=digest, by="tag")

    def completed(self, commit: str, images: Mapping[str, str] | None = None) -> None:
        found = {IMAGE: self.digest(commit)} if images is None else dict(images)
        self.fact(names.release("shop", commit) + "completed", kind="completed", commit=commit, images=found)

    def inputs(self, n: int, environment: str = "staging", images: Mapping[str, str] | None = None) -> str:
        where = self.environment(environment)
        entry = next(each for each in read_log(self.application, where, self.snapshot) if each.n == n)
        return bundle_inputs(self.registered, where, entry, dict(images or {IMAGE: self.digest(entry.commit)}))

    def bundle(
        self, n: int, commit: str, environment: str = "staging", images: Mapping[str, str] | None = None
    ) -> None:
        name = f"{names.release('shop', commit)}bundle/{environment}/{self.inputs(n, environment, images)}"
        self.fact(name, kind="bundle", environment=environment, bundle=f"content-{commit[:1]}", parts=["manifests"])

    def ready(self, n: int, commit: str, environment: str = "staging", **more: Any) -> None:
        """Entry n with all that its release needs."""
        self.entry(n, commit, environment=environment, **more)
        self.completed(commit)
        self.bundle(n, commit, environment)

    def rollout(self, n: int, leaf: str, *, environment: str = "staging", ago: float = 0, **body: Any) -> None:
        body = {"environment": environment, "n": n, **body}
        self.fact(names.rollout("shop", environment, n) + leaf, ago=ago, **body)

    def claim(
        self, n: int, commit: str, *, attempt: int = 0, epoch: int = 1, environment: str = "staging", ago: float = 30
    ) -> None:
        body = {"attempt": attempt, "epoch": epoch, "commit": commit, "bundle": f"content-{commit[:1]}"}
        leaf = f"claim.{attempt}.{epoch}"
        self.rollout(n, leaf, environment=environment, ago=ago, kind="claim", parts=["manifests"], **body)

    def started(
        self, n: int, execution: str, *, attempt: int = 0, environment: str = "staging", ago: float = 20
    ) -> None:
        about = {"attempt": attempt, "execution": execution}
        self.rollout(n, f"started.{attempt}.{execution}", environment=environment, ago=ago, kind="started", **about)

    def ended(self, n: int, execution: str, *, attempt: int = 0, environment: str = "staging", **end: Any) -> None:
        about = {"attempt": attempt, "execution": execution, "fence": "open", "began": True, **end}
        self.rollout(n, f"ended.{attempt}.{execution}", environment=environment, kind="ended", **about)

    def outcome(self, n: int, status: str, *, environment: str = "staging") -> None:
        self.rollout(n, "outcome", environment=environment, kind="outcome", status=status, reason="", attempt=0)

    def succeeded(self, n: int, commit: str, environment: str = "staging") -> None:
        self.entry(n, commit, environment=environment, by="push" if environment == "staging" else "promotion")
        self.claim(n, commit, environment=environment)
        self.outcome(n, "succeeded", environment=environment)

    def execution(self, identifier: str, n: int, **more: Any) -> Execution:
        """What Gate says of a run of this environment's entry n."""
        about = {"environment": "staging", "attempt": 0, "status": "RUNNING", "started": 1, **more}
        seen = Execution(
            id=identifier,
            application="shop",
            downwind_application="shop",
            downwind_environment=about.pop("environment"),
            sequence=n,
            **about,
        )
        self.snapshot.executions[identifier] = seen
        return seen

    def order(self, identifier: str, *, environment: str = "production", verb: str = "deploy", **more: Any) -> str:
        """A request from the topic; its prefix."""
        prefix = names.request("shop", environment, identifier)
        self.fact(prefix + "order", kind="order", id=identifier, verb=verb, environment=environment, **more)
        self.snapshot.hints |= Hints(requests=frozenset({(environment, identifier)}))
        return prefix

    # What follows.

    def due(self, now: datetime = NOW) -> Due:
        return next_steps(self.registered, self.snapshot, now, CLOUD_TIMING)

    def steps(self, now: datetime = NOW) -> list[Step]:
        return list(self.due(now).steps)

    def recorded(self, now: datetime = NOW) -> dict[str, Mapping[str, Any]]:
        """Bodies of the facts to be recorded, by name."""
        return {
            step.fact.name: step.fact.body
            for step in self.due(now).steps
            if hasattr(step, "fact") and not isinstance(step, Announce)
        }

    def waits(self, now: datetime = NOW) -> list[str]:
        return [wait.what for wait in self.due(now).waits]


@pytest.fixture
def given() -> Given:
    return Given()


@pytest.fixture(scope="session")
def make_given() -> type[Given]:
    """For property tests, which need a fresh ledger for each example."""
    return Given


@pytest.fixture
def running(given: Given) -> Given:
    """Entry 5 was triggered a quarter of an hour ago."""
    given.claim(5, "a" * 40, ago=1000)
    given.started(5, "e1", ago=900)
    return given
