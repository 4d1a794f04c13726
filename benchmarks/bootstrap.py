"""The bootstrap on the fake of Google's APIs, which is a process of its own: a plan beside describing the same resources one by
one with the real gcloud, and what apply costs apart from waiting for others."""

import os
import resource as usage
import shutil
import signal
import subprocess
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.bootstrap.conftest import make_plan
from tests.bootstrap.fake.server import FakeGoogle, WithoutSocket
from tests.bootstrap.fake.state import State

from benchmarks.figures import Figure
from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.gcloud import Writer, make_session
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.wanted import Resource
from downwind.errors import Misconfigured

ELSEWHERE = frozenset({"namespace", "object", "copy", "release", "application", "pipeline", "catalog"})
"""What is not asked of Google."""


def bootstrap(runs: int) -> list[Figure]:
    if shutil.which("gcloud") is None:
        raise Misconfigured("gcloud is not on this machine: there is nothing to compare with", fix="install it")
    plan = make_plan("standard")
    plan.resources = [each for each in plan.resources if each.kind not in ELSEWHERE]
    count = len(plan.resources)
    applied = _applied(plan)
    with _google(applied) as environment:
        walls, processors = _plans(plan, environment, max(3, runs // 4))
        told, told_processor = _one_by_one(plan, environment)
    own, waited = _apply(plan)
    name = f"plan of {count} resources"
    return [
        Figure(name=name, unit="s", samples=walls, limit=3, limit_on="p50"),
        Figure(name=f"{name}, beside gcloud one by one", unit="s", samples=walls, bare=[told], limit=0.05),
        Figure(name="the same, processor time", unit="s", samples=processors, bare=[told_processor], limit=0.05),
        Figure(name=f"apply of {count} resources, our own processor time", unit="s", samples=[own]),
        Figure(name="the same, for each", unit="ms", samples=[own / count * 1000]),
        Figure(name="waiting in it, added up over its steps", unit="s", samples=[waited]),
    ]


def _with_secrets(plan: Plan, state: State) -> State:
    for each in plan.resources:
        if each.kind == "secret" and not each.generated:
            name = f"projects/{plan.values.project}/secrets/{each.name}/versions/1"
            state.resources["secretmanager", name] = {"name": name, "state": "ENABLED"}
    return state


def _applied(plan: Plan) -> State:
    state = _with_secrets(plan, State())
    cloud = Cloud(WithoutSocket(state), _overrides(), package=b"the source", sleep=lambda _: None)
    outcome = Applying(plan, Writer(cloud, None), lambda _: None, sleep=lambda _: None).run(steps_now(plan, cloud))
    if outcome.failed:
        raise Misconfigured(f"the fake did not take the plan: {outcome.failed}", fix="run tests/bootstrap")
    return state


def _overrides() -> Mapping[str, str]:
    google = FakeGoogle()
    google.close()
    return google.environment(Path())


@contextmanager
def _google(state: State) -> Iterator[dict[str, str]]:
    """A fake in a process of its own, so that its work is not ours."""
    google = FakeGoogle(state)
    child = os.fork()
    if child == 0:
        google.serve()
        os._exit(0)
    google.close()
    with tempfile.TemporaryDirectory() as folder:
        try:
            yield google.environment(Path(folder))
        finally:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _plans(plan: Plan, environment: Mapping[str, str], runs: int) -> tuple[list[float], list[float]]:
    with _proxied(environment):
        walls, processors = [], []
        for _ in range(runs + 1):
            begun, worked = time.monotonic(), time.process_time()
            cloud = Cloud(make_session(environment), environment)
            steps = steps_now(plan, cloud)
            walls.append(time.monotonic() - begun)
            processors.append(time.process_time() - worked)
            if any(each.due for each in steps):
                raise Misconfigured("the plan is not empty after apply", fix="run tests/bootstrap")
    return walls[1:], processors[1:]  # the first one imports


def _apply(plan: Plan) -> tuple[float, float]:
    state = _with_secrets(plan, State())
    state.polls = 2
    with _google(state) as environment, _proxied(environment):
        cloud = Cloud(make_session(environment), environment, package=b"the source")
        steps = steps_now(plan, cloud)
        worked = time.process_time()
        applying = Applying(plan, Writer(cloud, None), lambda _: None)
        outcome = applying.run(steps)
        own = time.process_time() - worked
    if outcome.failed:
        raise Misconfigured(f"the fake did not take the plan: {outcome.failed}", fix="run tests/bootstrap")
    return own, outcome.waited


@contextmanager
def _proxied(environment: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(environment)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def _one_by_one(plan: Plan, environment: Mapping[str, str]) -> tuple[float, float]:
    """Seconds, and of the processor: one of each sort by gcloud, times their number."""
    sorts = Counter(_sort(each) for each in plan.resources)
    wall = processor = 0.0
    clean = {key: value for key, value in os.environ.items() if not key.startswith("CLOUDSDK_")}
    for sort, number in sorts.items():
        one = next(each for each in plan.resources if _sort(each) == sort)
        begun, before = time.monotonic(), usage.getrusage(usage.RUSAGE_CHILDREN)
        line = ("gcloud", *describe(plan, one), f"--project={plan.values.project}", "--format=json")
        done = subprocess.run(line, env={**clean, **environment}, capture_output=True, text=True, check=False)
        after = usage.getrusage(usage.RUSAGE_CHILDREN)
        if done.returncode != 0:
            raise Misconfigured(f"{' '.join(line)}: {done.stderr[:300]}", fix="run tests/bootstrap")
        wall += (time.monotonic() - begun) * number
        processor += (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) * number
    return wall, processor


def _sort(resource: Resource) -> str:
    return f"policy/{resource.id.partition('/')[0]}" if resource.kind == "policy" else resource.kind


def describe(plan: Plan, resource: Resource) -> tuple[str, ...]:
    """The line by which a person reads it."""
    sort = _sort(resource)
    if sort.startswith("policy/"):
        kind, _, ident = resource.id.partition("/")
        name = plan.values.resource_name(kind, ident) or ident
        nouns, more = _NOUNS[kind]
        return (*nouns, "get-iam-policy", f"gs://{name}" if kind == "bucket" else name, *_filled(plan, more))
    name, body = resource.name, resource.body
    special: Mapping[str, tuple[str, ...]] = {
        "apis": ("services", "list", "--enabled"),
        "agent": ("pubsub", "topics", "get-iam-policy", "dead-letters"),
        "function": ("functions", "describe", name, "--gen2", f"--region={plan.values.region}"),
        "version": ("secrets", "versions", "list", name),
        "bucket": ("storage", "buckets", "describe", f"gs://{name}"),
        "package": ("storage", "objects", "describe", f"gs://{body.get('bucket')}/{name}"),
    }
    if sort in special:
        return special[sort]
    nouns, more = _NOUNS[sort]
    own = {"repository": (f"--connection={body.get('connection')}",), "nat": (f"--router={body.get('router')}",)}
    return (*nouns, "describe", name, *_filled(plan, more), *own.get(sort, ()))


def _filled(plan: Plan, more: str) -> tuple[str, ...]:
    return (f"--{more}={plan.values.region}",) if more else ()


_NOUNS: Mapping[str, tuple[tuple[str, ...], str]] = {
    "account": (("iam", "service-accounts"), ""),
    "role": (("iam", "roles"), ""),
    "bucket": (("storage", "buckets"), ""),
    "registry": (("artifacts", "repositories"), "location"),
    "secret": (("secrets",), ""),
    "connection": (("builds", "connections"), "region"),
    "repository": (("builds", "repositories"), "region"),
    "trigger": (("builds", "triggers"), "region"),
    "network": (("compute", "networks"), ""),
    "subnet": (("compute", "networks", "subnets"), "region"),
    "address": (("compute", "addresses"), "region"),
    "router": (("compute", "routers"), "region"),
    "nat": (("compute", "routers", "nats"), "region"),
    "cluster": (("container", "clusters"), "location"),
    "function": (("run", "services"), "region"),
    "topic": (("pubsub", "topics"), ""),
    "subscription": (("pubsub", "subscriptions"), ""),
    "job": (("scheduler", "jobs"), "location"),
    "project": (("projects",), ""),
}
